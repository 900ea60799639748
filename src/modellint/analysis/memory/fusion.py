"""Grouping of nodes into kernels: tensors inside a kernel never reach memory.

A kernel is an anchor (a convolution, a product, a pooling, a normalization) and the pointwise ops
on its result, or only a chain of pointwise ops. Attention at 16 bits is one kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from modellint.analysis.attention import attention_blocks
from modellint.analysis.folding import Folding
from modellint.analysis.laying_out import DEQUANTIZE, lay_out
from modellint.analysis.memory.integers import is_integer_layer, is_quantized_weight
from modellint.analysis.programs import Layout
from modellint.analysis.shapes import DeployedTypes
from modellint.base.memo import Remembered
from modellint.base.records import dataclass
from modellint.model import Graph, Node, Value, element_count
from modellint.operators import Trait, having
from modellint.runtimes import RuntimeMemory

VIEWS = having(Trait.VIEW)
RIDING = having(Trait.POINTWISE)
EPILOGUE = having(Trait.EPILOGUE)
CONVOLUTIONS = having(Trait.CONVOLUTION, Trait.TRANSPOSED_CONVOLUTION)
PRODUCTS = having(
    Trait.CONVOLUTION,
    Trait.TRANSPOSED_CONVOLUTION,
    Trait.MATMUL,
    Trait.GEMM,
    Trait.CONTRACTION,
)
"""Layers implemented by a library, which needs workspace."""
_ALONE = having(Trait.RUNS_ALONE)


@dataclass(slots=True)
class Kernel:
    """Nodes that run as one kernel, in order."""

    nodes: list[Node] = field(default_factory=list)
    level: int = 0
    """Rank above those of all kernels it depends on."""
    has_readers: bool = False
    is_pointwise: bool = False
    is_closed: bool = False
    """True if it takes no further computation along."""

    @property
    def has_convolution(self) -> bool:
        return self.nodes[0].op_type in CONVOLUTIONS


class Grouping:
    """Kernels of a graph, valid for all deployments with the same size comparisons."""

    def __init__(
        self,
        graph: Graph,
        groups: list[tuple[Node, ...]],
        premises: list[tuple[Node, Node, bool]],
        *,
        widens: bool,
    ) -> None:
        self.groups = groups
        self._graph = graph
        self._premises = premises
        self._widens = widens
        self._layouts: dict[bool, Layout] = {}

    def holds(self, types: DeployedTypes) -> bool:
        return all(_are_alike(one, other, types) is was for one, other, was in self._premises)

    def layout(self, folding: Folding, *, joins: bool) -> Layout:
        if joins not in self._layouts:
            self._layouts[joins] = lay_out(
                self._graph, self.groups, folding, joins=joins, widens=self._widens
            )
        return self._layouts[joins]


_GROUPINGS: Remembered[list[Grouping]] = Remembered()


def find_grouping(
    graph: Graph, folding: Folding, runtime: RuntimeMemory, *, narrow: bool
) -> Grouping:
    """Return the grouping of `Kernels`, reusing one of an earlier deployment if still valid."""
    known = graph.model.memo.get(_GROUPINGS, (graph, runtime, narrow, folding.folded), list)
    for grouping in known:
        if grouping.holds(folding.types):
            return grouping
    kernels = Kernels(graph, folding, runtime, narrow=narrow)
    groups, widens = kernels.groups(), runtime.widens_products
    known.append(Grouping(graph, groups, kernels.premises, widens=widens))
    return known[-1]


class Kernels:
    """Kernels that a runtime forms of a graph."""

    def __init__(
        self, graph: Graph, folding: Folding, runtime: RuntimeMemory, *, narrow: bool
    ) -> None:
        self._folding = folding
        self._runtime = runtime
        self.premises: list[tuple[Node, Node, bool]] = []
        """Pairs of compared results, and whether their element counts are equal."""
        self._of: dict[Node | None, Kernel] = {}
        self._kernels: list[Kernel] = []
        self._attention = _attention_nodes(graph) if runtime.fuses_attention and narrow else {}
        for node in graph.ordered:
            if not folding.is_folded(node) and not is_quantized_weight(node, folding):
                self._place(node)

    def groups(self) -> list[tuple[Node, ...]]:
        """Return the groups in topological order, close to file order."""
        done: set[int] = set()
        begun: set[int] = set()
        ordered: list[Kernel] = []
        pending = list(reversed(self._kernels))
        while pending:
            kernel = pending[-1]
            if id(kernel) not in begun:
                begun.add(id(kernel))  # needs that lead back here, as in a cyclic graph, end here
                pending += [k for k in self._needs(kernel) if id(k) not in begun]
                continue
            pending.pop()
            if id(kernel) not in done:
                done.add(id(kernel))
                ordered.append(kernel)
        return [tuple(kernel.nodes) for kernel in ordered]

    def _needs(self, kernel: Kernel) -> list[Kernel]:
        return [maker for node in kernel.nodes for maker in self._makers(node)]

    def _place(self, node: Node) -> None:
        makers = self._makers(node)
        home = self._home(node, makers)
        if home is None:
            level = 1 + max((kernel.level for kernel in makers), default=-1)
            home = Kernel([], level, is_pointwise=node.op_type in RIDING)
            self._kernels.append(home)
        if home.is_pointwise and self._runtime.gathers:
            for kernel in makers:
                if kernel is not home and self._is_gathered(kernel, node):
                    self._gather(kernel, home)
        for kernel in makers:
            if kernel is not home:
                kernel.has_readers = True
        home.nodes.append(node)
        if self._runtime.widens_products and is_integer_layer(node, self._folding):
            home.is_closed = True
        self._of[node] = home

    def _is_gathered(self, kernel: Kernel, node: Node) -> bool:
        """Return True if a kernel runs in that of `node`, the only one that reads its results."""
        if not kernel.is_pointwise or kernel.has_readers:
            return False
        return node.op_type == "Concat" or self._is_like(node, kernel.nodes[-1])

    def _gather(self, kernel: Kernel, home: Kernel) -> None:
        home.nodes = sorted([*kernel.nodes, *home.nodes], key=lambda node: node.index)
        home.level = max(home.level, kernel.level)
        self._of.update(dict.fromkeys(kernel.nodes, home))
        self._kernels.remove(kernel)

    def _makers(self, node: Node) -> list[Kernel]:
        """Return the kernels that produce the node's inputs, latest first."""
        found: dict[int, Kernel] = {}
        for value in (*node.inputs, *_read_inside(node)) if node.subgraphs else node.inputs:
            kernel = self._of.get(value.producer) if value is not None else None
            if kernel is not None:
                found[id(kernel)] = kernel
        if len(found) < 2:
            return list(found.values())
        return sorted(found.values(), key=lambda kernel: -kernel.level)

    def _home(self, node: Node, makers: list[Kernel]) -> Kernel | None:
        """Return the kernel that the node is fused into, if any."""
        if not makers:
            return None
        latest = makers[0]
        first = self._of.get(node.inputs[0].producer) if node.inputs and node.inputs[0] else None
        if first is not None and first.has_convolution and not first.has_readers:
            latest = first  # a sum runs in the convolution that makes its first operand
        others = [kernel for kernel in makers if kernel is not latest]
        mates = self._attention.get(id(node))
        if mates is not None:
            inside = next((k for k in makers if any(id(n) in mates for n in k.nodes)), None)
            if inside is not None and all(
                k.level < inside.level for k in makers if k is not inside
            ):
                return inside
            if node.op_type == "MatMul":
                return None  # the first product begins the kernel
        if not self._rides(node, latest):
            return None
        if self._runtime.gathers and latest.is_pointwise:
            others = [kernel for kernel in others if not self._is_gathered(kernel, node)]
        if any(kernel.level >= latest.level for kernel in others):
            if latest.has_readers:
                return None
            latest.level = 1 + max(kernel.level for kernel in others)
        return latest

    def _rides(self, node: Node, kernel: Kernel) -> bool:
        """Return True if the node's op can be applied to the elements in the kernel."""
        if node.subgraphs or kernel.nodes[-1].subgraphs:
            return False
        if node.op_type in VIEWS or node.op_type in DEQUANTIZE:
            return True
        if kernel.is_closed:
            return False
        if node.op_type == "Concat":
            return self._runtime.gathers and kernel.is_pointwise
        if not self._runtime.fuses:
            follows = kernel.nodes[0].op_type in CONVOLUTIONS and node.op_type in EPILOGUE
            return follows and self._is_like(node, kernel.nodes[-1])
        if node.op_type not in RIDING or kernel.nodes[-1].op_type in _ALONE:
            return False
        return self._is_like(node, kernel.nodes[-1])

    def _is_like(self, one: Node, other: Node) -> bool:
        alike = _are_alike(one, other, self._folding.types)
        self.premises.append((one, other, alike))
        return alike


def _read_inside(node: Node) -> Iterator[Value]:
    """Iterate over values of the node's graph that its subgraphs read."""
    for graph in node.subgraphs.values():
        for inner in graph.walk():
            for each in inner.nodes:
                yield from (v for v in each.inputs if v is not None and v.graph is node.graph)


def _are_alike(one: Node, other: Node, types: DeployedTypes) -> bool:
    """Return True if the results of both nodes have equally many elements."""
    return _elements(one, types) == _elements(other, types)


def _elements(node: Node, types: DeployedTypes) -> int | None:
    value = node.output()
    return element_count(types.shape(value)) if value is not None else None


def _attention_nodes(graph: Graph) -> dict[int, frozenset[int]]:
    """Return the nodes that each node of an attention runs with."""
    mates: dict[int, frozenset[int]] = {}
    for block in attention_blocks(graph):
        members = frozenset(map(id, block.nodes))
        mates.update(dict.fromkeys(members, members))
    return mates
