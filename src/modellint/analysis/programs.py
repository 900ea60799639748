"""Programs: tasks that read and write buffers, their order, and the memory that they need.

Here a task is a node, or in the memory estimate a kernel of several nodes. A `Layout` says which
buffers each reads and writes, a `Program` how large they are in a deployment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import field
from functools import cached_property

from modellint.base.records import dataclass
from modellint.model import Node, Shape, Value
from modellint.operators import Trait, having

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
    """Bytes that it reads after they are copied into another layout."""


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
    """Simulate the tasks in order, and record the live buffers at each step.

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
