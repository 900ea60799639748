"""Liveness of tensors, and the peak memory they need.

    >>> live = liveness(model, deployment)
    >>> live.peak, live.peak_node            # with views and in-place reuse
    >>> live.apart.peak                      # without any memory reuse between tensors
    >>> [(tensor.name, tensor.nbytes) for tensor in live.at_peak]
    >>> live.shared.timeline                 # bytes alive at each step of `live.order`

A graph is converted to a `Layout`: tasks that read and write buffers. Here the tasks are nodes; in
the memory estimate they are kernels of several nodes. A `Program` is a layout with the sizes of
tensors in a deployment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field, replace
from functools import cached_property
from itertools import chain

from modellint.analysis.assume import settle
from modellint.analysis.chains import LONGEST
from modellint.analysis.cost.traffic import sizes_of
from modellint.analysis.folding import Folding
from modellint.analysis.shapes import DeployedTypes
from modellint.base.records import dataclass
from modellint.model import Graph, Model, Node, Shape, Value
from modellint.operators import Trait, having
from modellint.targets.deployment import Deployment

VIEWS = having(Trait.VIEW)
DEQUANTIZE = having(Trait.DEQUANTIZE)
_ON_INTEGERS = frozenset({*having(Trait.FLOAT_PRODUCT, Trait.MOVES), "Concat"})
_ZEROS = (None, "constant")
READY = 64
"""Limit on the ready tasks that are compared, to bound the search."""

IN_PLACE = having(Trait.IN_PLACE)
"""Ops that may overwrite an input that they are the last to read."""


@dataclass(slots=True)
class Buffer:
    """Memory of a tensor and all of its views."""

    value: Value
    nbytes: int
    held: bool = False
    """True for an input or output of the graph, which is alive throughout."""
    shape: Shape | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """Unit of execution at one step."""

    nodes: tuple[Node, ...]
    reads: tuple[int, ...] = ()
    writes: tuple[int, ...] = ()
    replaces: tuple[int, ...] = ()
    """Buffers it reads only elementwise, and so may overwrite."""
    after: tuple[int, ...] = ()
    """Indices of tasks whose results it reads."""
    inside: int = 0
    """Bytes needed only while it runs: the peak of its subgraphs, or workspace."""
    copied: int = 0
    """Bytes of what it reads that are copied into another layout first."""


class Layout:
    """Tasks and buffers without sizes, shared by many deployments."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.values: list[Value] = []
        """Value of each buffer."""
        self.held: list[bool] = []

    @cached_property
    def lifetimes(self) -> tuple[list[int], list[int]]:
        """Return the lifetimes for the given order of tasks."""
        return _lifetimes(self.tasks, self.held)

    @cached_property
    def readers(self) -> list[list[int]]:
        """Return the tasks that read each buffer."""
        return self._by_buffer(task.reads for task in self.tasks)

    @cached_property
    def writers(self) -> list[list[int]]:
        """Return the tasks that write each buffer."""
        return self._by_buffer(task.writes for task in self.tasks)

    def _by_buffer(self, touched: Iterable[Sequence[int]]) -> list[list[int]]:
        tasks: list[list[int]] = [[] for _ in self.values]
        for at, buffers in enumerate(touched):
            for buffer in buffers:
                tasks[buffer].append(at)
        return tasks

    @cached_property
    def followers(self) -> list[list[int]]:
        """Return the dependents of each task."""
        followers: list[list[int]] = [[] for _ in self.tasks]
        for at, task in enumerate(self.tasks):
            for before in task.after:
                followers[before].append(at)
        return followers


@dataclass(slots=True)
class Program:
    """A layout with sizes."""

    layout: Layout = field(default_factory=Layout)
    tasks: list[Task] = field(default_factory=list)
    """Tasks of the layout, with their inner memory."""
    buffers: list[Buffer] = field(default_factory=list)
    beside: int = 0
    """Number of products of constants, which no task depends on."""
    is_busy: bool = False
    """True if its kernels fill the device, so that branches run one after the other."""


@dataclass(frozen=True, slots=True)
class Alive:
    """Lifetime of a tensor, from the step that writes it to the last that reads it."""

    value: Value
    nbytes: int
    first: int
    last: int

    @property
    def name(self) -> str:
        return self.value.name


@dataclass(frozen=True, slots=True)
class Profile:
    """Memory at each step of an order."""

    order: tuple[Task, ...]
    timeline: tuple[int, ...]
    """Bytes alive during each step."""
    tensors: tuple[Alive, ...]

    @property
    def peak(self) -> int:
        return max(self.timeline, default=0)

    @property
    def peak_step(self) -> int:
        return self.timeline.index(self.peak) if self.timeline else 0

    @property
    def peak_node(self) -> Node | None:
        nodes = self.order[self.peak_step].nodes if self.order else ()
        return nodes[-1] if nodes else None

    def alive_at(self, step: int) -> list[Alive]:
        """Return the tensors alive at a step, largest first."""
        alive = [tensor for tensor in self.tensors if tensor.first <= step <= tensor.last]
        return sorted(alive, key=lambda tensor: -tensor.nbytes)


class Liveness:
    """Memory over time of a deployed model, including inputs and outputs."""

    def __init__(self, model: Model, deployment: Deployment) -> None:
        settled = settle(model, deployment)
        self.assumed = settled.assumed
        self._folding = Folding(model, settled.deployment)
        self._sizes = Sizes(self._folding.types, deployment.precision)
        self.unknown: list[Value] = []
        """Tensors of unknown size, which are not counted."""
        self.program = self._program(model.graph)

    @cached_property
    def shared(self) -> Profile:
        """Return the profile with views and in-place reuse, in the better of two orders."""
        return best_profile(self.program)

    @cached_property
    def apart(self) -> Profile:
        """Return the profile of the same order without memory reuse."""
        return profile(self.program, self.shared.order, in_place=False)

    @property
    def order(self) -> tuple[Node, ...]:
        """Return the nodes in a topological order that saves memory."""
        return tuple(node for task in self.shared.order for node in task.nodes)

    @property
    def peak(self) -> int:
        return self.shared.peak

    @property
    def peak_node(self) -> Node | None:
        return self.shared.peak_node

    @property
    def at_peak(self) -> list[Alive]:
        """Return the tensors alive at the peak, largest first."""
        return self.shared.alive_at(self.shared.peak_step)

    def _program(self, graph: Graph) -> Program:
        tasks = [(node,) for node in graph.ordered if not self._folding.is_folded(node)]
        layout = lay_out(graph, tasks, self._folding)
        return sized(layout, self._sizes, self.unknown, inside=self._inside)

    def _inside(self, node: Node) -> int:
        """Return the memory of the largest branch; a loop's body holds carried values twice."""
        return max(
            (best_profile(self._program(graph)).peak for graph in node.subgraphs.values()),
            default=0,
        )


def liveness(model: Model, deployment: Deployment) -> Liveness:
    """Run the analysis: ``context.analysis(liveness)``."""
    return Liveness(model, deployment)


class Sizes:
    """Sizes of values in a deployment."""

    def __init__(self, types: DeployedTypes, precision: str | None) -> None:
        self.types = types
        self.of = sizes_of(types, precision).__getitem__


def sized(
    layout: Layout, sizes: Sizes, unknown: list[Value], *, inside: Callable[[Node], int]
) -> Program:
    """Return the program for a deployment; values of unknown size are added to `unknown`."""
    buffers = []
    for value, held in zip(layout.values, layout.held, strict=True):
        size = sizes.of(value)
        if size is None:
            unknown.append(value)
        buffers.append(Buffer(value, size or 0, held, sizes.types.shape(value)))
    tasks = [
        replace(task, inside=sum(inside(node) for node in task.nodes if node.subgraphs))
        if any(node.subgraphs for node in task.nodes)
        else task
        for task in layout.tasks
    ]
    return Program(layout, tasks, buffers)


def lay_out(
    graph: Graph,
    groups: Sequence[tuple[Node, ...]],
    folding: Folding,
    *,
    joins: bool = False,
    widens: bool = False,
    ahead: Sequence[Value] = (),
    fills: Sequence[Value] = (),
) -> Layout:
    """Return the tasks and buffers of a graph whose nodes run in these groups.

    A tensor that is read only inside its group stays in registers and has no buffer. With `joins`,
    the inputs of a Concat are written directly into its output. With `widens`, what is quantized
    is kept as integers only for readers that compute on integers. `ahead` and `fills` are constants
    that are computed in every run: at its start, and right before the group that reads them first.
    """
    return _LivenessBuilder(graph, groups, folding, joins, widens, ahead, fills).layout


class _LivenessBuilder:
    def __init__(
        self,
        graph: Graph,
        groups: Sequence[tuple[Node, ...]],
        folding: Folding,
        joins: bool,
        widens: bool,
        ahead: Sequence[Value],
        fills: Sequence[Value],
    ) -> None:
        self.layout = Layout()
        self._folding = folding
        self._group_of = {id(node): at for at, nodes in enumerate(groups) for node in nodes}
        self._step_of: dict[int, int] = {}
        """Index of each group's task."""
        self._buffers: dict[int, int] = {}
        self._unfilled = {folding.content(value): value for value in fills}
        self._fills: dict[int, int] = {}
        """Buffers of constants that are computed in the run, by content."""
        self._fill_steps: dict[int, int] = {}
        self._weights: set[int] = set()
        self._widens = widens
        self._home = _joined_into(graph, folding) if joins else {}
        for value in graph.inputs:
            if not value.is_constant:
                self._buffers[id(value)] = self._new(value, held=True)
        for value in ahead:
            self._fill(value)
        for at, nodes in enumerate(groups):
            if self._unfilled:
                self._fill_for(nodes)
            task = self._task(at, nodes)
            self._step_of[at] = len(self.layout.tasks)
            self.layout.tasks.append(task)

    def _fill_for(self, nodes: tuple[Node, ...]) -> None:
        """Add tasks that compute the constants which these nodes are the first to read."""
        for source in chain.from_iterable(map(_sources, nodes)):
            if not self._folding.is_constant(source):
                continue
            value = self._unfilled.pop(self._folding.content(source), None)
            if value is not None:
                self._fill(value)

    def _fill(self, value: Value) -> None:
        found = self._fills[self._folding.content(value)] = self._new(value, held=False)
        self._fill_steps[found] = len(self.layout.tasks)
        self.layout.tasks.append(Task((), (), (found,)))

    def _task(self, at: int, nodes: tuple[Node, ...]) -> Task:
        reads: dict[int, None] = {}
        writes: dict[int, None] = {}
        after: dict[int, None] = {}
        whole: set[int] = set()
        for node in nodes:
            may_replace = node.op_type in IN_PLACE
            for source in _sources(node):
                found = self._buffer_read(source)
                if found is not None and found not in writes:
                    reads[found] = None
                    if not may_replace:
                        whole.add(found)
                    if found in self._fill_steps:
                        after[self._fill_steps[found]] = None
                maker = self._step_of.get(self._group_of.get(id(source.producer), at))
                if maker is not None:
                    after[maker] = None
            for result in node.outputs:
                if result is not None:
                    self._write(node, result, at, writes)
        replaces = tuple(found for found in reads if found not in whole)
        return Task(nodes, tuple(reads), tuple(writes), replaces, tuple(after))

    def _write(self, node: Node, result: Value, at: int, writes: dict[int, None]) -> None:
        viewed = viewed_value(node)
        if viewed is not None and self._is_weight(viewed):
            self._weights.add(id(result))
        elif viewed is not None and id(viewed) in self._buffers:
            # A view has no memory, even if it is a graph output.
            found = self._buffers[id(result)] = self._buffers[id(viewed)]
            self.layout.held[found] |= result.is_output
        elif _leaves(result, at, self._group_of):
            kept = _quantized(result)
            if kept is not None and self._widens and not _has_integer_reader(kept):
                kept = None
            found = self._buffer_for(kept or result)
            self._buffers[id(kept or result)] = self._buffers[id(result)] = found
            writes[found] = None

    def _is_weight(self, value: Value) -> bool:
        """Return True if stored, or unpacked from a stored tensor for its consumer."""
        return id(value) in self._weights or self._folding.is_constant(value)

    def _buffer_for(self, value: Value) -> int:
        value = self._home.get(id(value), value)
        if id(value) not in self._buffers:
            self._buffers[id(value)] = self._new(value, held=value.is_output)
        return self._buffers[id(value)]

    def _buffer_read(self, value: Value) -> int | None:
        if self._fills and self._folding.is_constant(value):
            return self._fills.get(self._folding.content(value))
        return self._buffers.get(id(value))

    def _new(self, value: Value, *, held: bool) -> int:
        self.layout.values.append(value)
        self.layout.held.append(held)
        return len(self.layout.values) - 1


def _joined_into(graph: Graph, folding: Folding) -> dict[int, Value]:
    """Return the Concat output into which each of its inputs can be written directly.

    Concats are visited last to first, so that the output of a Concat of Concats is known.
    """
    home: dict[int, Value] = {}
    for node in reversed(graph.ordered):
        result = node.output()
        if node.qualified_op != "Concat" or result is None or folding.is_folded(node):
            continue
        for value in node.inputs:
            if value is None or value.producer is None or value.is_output:
                continue
            if not folding.is_constant(value) and value.producer.op_type not in VIEWS:
                home[id(value)] = home.get(id(result), result)
    return home


def viewed_value(node: Node) -> Value | None:
    """Return the input of which a node's output is only a view.

    Quantized tensors stay quantized in memory, and consumers dequantize them on the fly.
    """
    result = node.output()
    if node.op_type in DEQUANTIZE and result is not None and not result.is_output:
        return node.input(0)
    is_view = node.op_type in VIEWS or _takes_all(node) or _pads_a_convolution(node)
    return node.input(0) if is_view else None


def _pads_a_convolution(node: Node) -> bool:
    """Return True for zeros around what only a convolution reads, which adds them itself."""
    result = node.output(0) if node.op_type == "Pad" else None
    reader = result.sole_consumer if result is not None else None
    return reader is not None and reader.op_type == "Conv" and node.get_str("mode") in _ZEROS


def _takes_all(node: Node) -> bool:
    """Return True for a Slice that leaves nothing out."""
    if node.op_type != "Slice":
        return False
    source, result = node.input(0), node.output(0)
    before = source.shape if source is not None else None
    return (
        before is not None and None not in before and result is not None and result.shape == before
    )


def _quantized(value: Value) -> Value | None:
    """Return the integers that a value is kept as, for its readers to dequantize."""
    for _ in range(LONGEST):
        node = value.producer
        viewed = viewed_value(node) if node is not None else None
        if node is None or viewed is None:
            return None
        if node.op_type in DEQUANTIZE:
            return viewed
        value = viewed
    return None


def _has_integer_reader(value: Value) -> bool:
    """Return True if a reader computes on integers, or moves them."""
    for node, _ in value.consumers:
        result = node.output() if node.op_type in DEQUANTIZE else None
        if result is None or any(use.node.op_type in _ON_INTEGERS for use in result.consumers):
            return True
    return False


def _sources(node: Node) -> Iterable[Value]:
    """Iterate over the values that a node reads, including captures of its subgraphs."""
    direct = [value for value in node.inputs if value is not None]
    return chain(direct, _captured(node)) if node.subgraphs else direct


def _captured(node: Node) -> Iterator[Value]:
    for graph in node.subgraphs.values():
        for inner in graph.walk():
            for each in inner.nodes:
                for value in each.inputs:
                    if value is not None and value.graph is not inner:
                        yield value
            yield from (value for value in inner.outputs if value.graph is not inner)


def _leaves(value: Value, at: int, group_of: dict[int, int]) -> bool:
    """Return True if a value is read outside the group at `at`, or never read."""
    if value.is_output or not value.consumers:
        return True
    for node, _ in value.consumers:  # noqa: SIM110 - asked of every value: a generator takes longer
        if group_of.get(id(node)) != at:
            return True
    return False


def best_profile(program: Program) -> Profile:
    """Return the profile with the lower peak: of file order, or of the greedy order."""
    as_written = profile(program, program.tasks)
    greedy = profile(program, greedy_order(program))
    return greedy if greedy.peak < as_written.peak else as_written


def greedy_order(program: Program) -> list[Task]:
    """Return a topological order that always picks the task with the least memory growth."""
    tasks, layout = program.tasks, program.layout
    unread = [len(readers) for readers in layout.readers]
    waiting = [len(task.after) for task in tasks]
    # Memory freed and allocated by a task; inputs and outputs are always allocated.
    sizes = [0 if buffer.held else buffer.nbytes for buffer in program.buffers]
    written = [False] * len(sizes)
    order: list[Task] = []

    def growth(at: int) -> tuple[int, int]:
        task = tasks[at]
        freed = sum([sizes[b] for b in task.reads if unread[b] == 1])
        added = sum([sizes[b] for b in task.writes if not written[b]])
        return added - freed, at

    known: dict[int, tuple[int, int]] = {}
    """Growth of tasks that are ready, until it changes."""
    later = deque(at for at, count in enumerate(waiting) if not count)
    ready = [later.popleft() for _ in range(min(READY, len(later)))]
    while ready:
        for at in ready:
            if at not in known:
                known[at] = growth(at)
        at = min(ready, key=known.__getitem__)
        ready.remove(at)
        if later:
            ready.append(later.popleft())
        order.append(tasks[at])
        for buffer in tasks[at].reads:
            unread[buffer] -= 1
            if unread[buffer] == 1:
                _forget(known, layout.readers[buffer])
        for buffer in tasks[at].writes:
            if not written[buffer]:
                written[buffer] = True
                _forget(known, layout.writers[buffer])
        for follower in layout.followers[at]:
            waiting[follower] -= 1
            if not waiting[follower]:
                (ready if len(ready) < READY else later).append(follower)
    return order if len(order) == len(tasks) else list(tasks)


def _forget(known: dict[int, tuple[int, int]], tasks: Iterable[int]) -> None:
    for at in tasks:
        known.pop(at, None)


def profile(
    program: Program, order: Sequence[Task], *, in_place: bool = True, recycles: bool = False
) -> Profile:
    """Simulate the tasks in order, and record what is alive at each step.

    With `recycles`, memory is kept for the next tensor of the same shape rather than freed.
    """
    buffers = program.buffers
    if order is program.tasks:
        first, last = program.layout.lifetimes
    else:
        first, last = _lifetimes(order, program.layout.held)
    roots = _shared_memory(program, order, first, last, in_place=in_place, recycles=recycles)
    spans: dict[int, tuple[int, int]] = {}
    for at, span in enumerate(zip(first, last, strict=True)):
        root = roots.get(at, at)
        known = spans.get(root)
        spans[root] = (min(known[0], span[0]), max(known[1], span[1])) if known else span
    change = [0] * (len(order) + 2)
    tensors = []
    for root, (begin, until) in spans.items():
        size = buffers[root].nbytes
        if size == 0 or not order:
            continue
        change[begin] += size
        change[until + 1] -= size
        tensors.append(Alive(buffers[root].value, size, begin, until))
    timeline, now = [], 0
    for step, task in enumerate(order):
        now += change[step]
        timeline.append(now + task.inside + task.copied)
    return Profile(tuple(order), tuple(timeline), tuple(tensors))


def _shared_memory(
    program: Program,
    order: Sequence[Task],
    first: list[int],
    last: list[int],
    *,
    in_place: bool,
    recycles: bool,
) -> dict[int, int]:
    """Return the first owner of the memory of each buffer that reuses another's."""
    roots: dict[int, int] = {}
    if not (in_place or recycles):
        return roots
    spare: dict[tuple[int, Shape | None], list[int]] = {}
    for step, task in enumerate(order):
        target = _overwritten(task, step, program.buffers, first, last) if in_place else None
        if target is not None:
            roots[task.writes[0]] = roots.get(target, target)
        if not recycles:
            continue
        for at in task.writes:
            buffer = program.buffers[at]
            found = spare.get((buffer.nbytes, buffer.shape)) if buffer.shape else None
            if found and at not in roots and not buffer.held and first[at] == step:
                roots[at] = found.pop()
        for at in {*task.reads, *task.writes}:
            buffer = program.buffers[at]
            if last[at] == step and not buffer.held and at != target:
                spare.setdefault((buffer.nbytes, buffer.shape), []).append(roots.get(at, at))
    return roots


def _lifetimes(order: Sequence[Task], held: Sequence[bool]) -> tuple[list[int], list[int]]:
    """Return the first and last step that accesses each buffer."""
    first, last = [-1] * len(held), [-1] * len(held)
    for step, task in enumerate(order):
        for buffer in task.reads:
            last[buffer] = step
        for buffer in task.writes:
            if first[buffer] < 0:
                first[buffer] = step
            last[buffer] = step
    end = max(len(order) - 1, 0)
    return [max(step, 0) for step in first], [
        end if is_held else step for is_held, step in zip(held, last, strict=True)
    ]


def _overwritten(
    task: Task, step: int, buffers: list[Buffer], first: list[int], last_read: list[int]
) -> int | None:
    """Return the buffer that a task's only result may overwrite: dead afterwards, and as large."""
    if len(task.writes) != 1:
        return None
    result = task.writes[0]
    if buffers[result].held or first[result] != step:
        return None
    wanted = buffers[result].nbytes
    for read in task.replaces:
        if last_read[read] == step and not buffers[read].held and buffers[read].nbytes == wanted:
            return read
    return None


__all__ = ["Alive", "Liveness", "Profile", "liveness"]
