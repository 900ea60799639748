"""Kernels that a runtime launches for a model, with the sizes that their time depends on.

Views, shapes and what is folded launch nothing. A written-out normalization is one kernel where
the runtime fuses, as is attention at 16 bits or fewer, with the transpositions around it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from modellint.analysis.assume import settle
from modellint.analysis.attention import attention_blocks
from modellint.analysis.blocked import BlockedLayout, converted_bytes
from modellint.analysis.cost import ModelCost, cost
from modellint.analysis.cost.traffic import sizes_of
from modellint.analysis.folding import Folding, folding
from modellint.analysis.fusion import Norms
from modellint.analysis.kernel_traffic import KernelTraffic
from modellint.analysis.latency.loops import Loops, loops_of
from modellint.analysis.latency.windows import window_of
from modellint.analysis.latency.written_out import written_out
from modellint.analysis.layouts import channels_first
from modellint.analysis.memory.fusion import CONVOLUTIONS, VIEWS, find_grouping
from modellint.analysis.precision import is_narrow, running_precision
from modellint.analysis.quantization import QuantizationMap
from modellint.analysis.shapes import DeployedTypes
from modellint.base.memo import Kept
from modellint.base.records import dataclass
from modellint.model import Graph, Model, Node, Value, element_count, is_static, product
from modellint.operators import Trait, having, of
from modellint.runtimes import RuntimeMemory, memory_of
from modellint.targets.deployment import Deployment

Kind = Literal["convolution", "depthwise", "product", "attention", "pointwise", "other"]

_FREE = having(Trait.VIEW, Trait.READS_SHAPE, Trait.CONSTANT, Trait.DEQUANTIZE, Trait.QUANTIZE)
_JOINS = having(Trait.CONCATENATES)
_POINTWISE = having(Trait.POINTWISE)
_TRANSPOSES = having(Trait.TRANSPOSE)
_MATMULS = having(Trait.MATMUL)
_HEAVY = having(Trait.CONVOLUTION, Trait.TRANSPOSED_CONVOLUTION, Trait.MATMUL, Trait.GEMM)
_RECURRENT = having(Trait.RECURRENT)
_HOST = 32
"""Elements up to which integers are a shape, which the runtime computes on the host."""
_INTEGER_LAYERS = ("int8", "int4", "fp8", "fp4")


@dataclass(frozen=True, slots=True)
class Product:
    """A grouped matrix product: a convolution has as many rows as its result has pixels."""

    rows: int
    columns: int
    depth: int
    """Multiply-accumulates per element of the result."""
    groups: int
    precision: str
    taps: int = 1
    """Positions of a convolution's window."""
    is_dense_3x3: bool = False
    """True if Winograd's algorithm saves multiplications."""
    is_blocked: bool = False
    """True for a convolution in blocks of channels."""
    width: int = 1
    """Pixels in a row of a convolution's result."""

    @property
    def macs(self) -> int:
        return self.rows * self.columns * self.depth * self.groups


@dataclass(frozen=True, slots=True)
class Launch:
    """Nodes that run as one kernel, with their computation and traffic."""

    nodes: tuple[Node, ...]
    kind: Kind
    products: tuple[Product, ...]
    flops: int
    """Operations other than those of products."""
    weight_bytes: int
    activation_bytes: int
    loops: Loops = Loops()
    """The same operations as a CPU computes them, in loops over elements."""
    converted_bytes: int = 0
    """Bytes that are read and written to convert values into another layout."""

    @property
    def main(self) -> Node:
        """Return the node that names the kernel: the one with a product, else the first."""
        heavy = (node for node in self.nodes if node.op_type in _HEAVY)
        return next(heavy, self.nodes[0])


@dataclass(frozen=True, slots=True)
class Launches:
    """Kernels of a run, and the bytes around them."""

    kernels: tuple[Launch, ...]
    weight_bytes: int
    input_bytes: int
    output_bytes: int
    uncounted: tuple[Node, ...]
    """Nodes of unknown cost, which are excluded."""
    precision: str


def launches(model: Model, deployment: Deployment) -> Launches:
    """Return the kernels of a run, in order."""
    return _Gathering(model, deployment).launches()


class _Gathering:
    def __init__(self, model: Model, deployment: Deployment) -> None:
        settled = settle(model, deployment).deployment
        self._model, self._deployment = model, deployment
        self._graph: Graph = model.graph
        self._types = DeployedTypes(model, settled)
        self._costs: ModelCost = cost(model, settled, self._types)
        self._folding: Folding = folding(model, settled, self._types)
        self._sizes: Kept[Value, int | None] = sizes_of(self._types, deployment.precision)
        self._precision = running_precision(model, deployment)
        self._runtime: RuntimeMemory = memory_of(deployment.runtime or _default(deployment))
        self._quantized = _quantized(model, deployment)
        self._uncounted: list[Node] = []
        self._in_attention: frozenset[int] = frozenset()
        self._layout: BlockedLayout | None = None

    def launches(self) -> Launches:
        groups = self._groups()
        if self._runtime.blocks_channels and not is_for_gpu(self._deployment):
            self._layout = BlockedLayout(self._graph, self._shape, self._is_weight, groups)
        traffic = KernelTraffic(self._graph, groups, self._folding, self._sizes)
        kernels = [
            kernel for nodes in groups if (kernel := self._kernel(nodes, traffic)) is not None
        ]
        model = self._model
        return Launches(
            tuple(kernels),
            sum(kernel.weight_bytes for kernel in kernels),
            self._total(value for value in model.inputs if not value.is_constant),
            self._total(model.outputs),
            tuple(self._uncounted),
            self._precision,
        )

    def _total(self, values: Iterable[Value]) -> int:
        return sum(self._sizes[value] or 0 for value in values)

    # --- Groups ------------------------------------------------------------------------------

    def _groups(self) -> list[tuple[Node, ...]]:
        """Return the groups of nodes, those that one kernel computes joined."""
        narrow = is_narrow(self._precision)
        groups = find_grouping(self._graph, self._folding, self._runtime, narrow=narrow).groups
        if not self._runtime.fuses:
            return _joined(groups, written_out(self._model, self._deployment))
        groups = _alongside(groups, self._is_weight)
        together = [norm.nodes for norm in Norms(self._model, self._deployment).found]
        if narrow and self._runtime.fuses_attention:
            attention = list(self._attention())
            self._in_attention = frozenset(id(node) for nodes in attention for node in nodes)
            together += attention
        return _joined(groups, together)

    def _attention(self) -> Iterator[list[Node]]:
        """Iterate over the nodes of each attention, with transpositions that only it reads."""
        for block in attention_blocks(self._graph):
            found = list(block.nodes)
            for product_node in (block.scores, block.result):
                found += _transposed_for(product_node)
            result = block.result.output()
            reader = result.sole_consumer if result is not None else None
            if reader is not None and reader.op_type in _TRANSPOSES:
                found.append(reader)
            yield found

    # --- Kernels -----------------------------------------------------------------------------

    def _kernel(self, nodes: Sequence[Node], traffic: KernelTraffic) -> Launch | None:
        running = [node for node in nodes if self._runs(node)]
        if not running:
            return None
        flops = moved = weights = 0
        products: list[Product] = []
        for node in running:
            work = self._costs.work_of(node)
            around = self._costs.bytes_moved_by(node) if node.subgraphs else traffic.of(node)
            if work.flops is None or around is None:
                self._uncounted.append(node)
                continue
            macs = work.macs or 0
            flops += work.flops - 2 * macs
            moved += around
            weights += min(around, self._weights(node))
            if macs:
                products.append(self._product(node, macs))
        activations = moved - weights
        if any(each.precision in _INTEGER_LAYERS for each in products) and self._is_implicit:
            activations //= 2  # which the analysis of memory takes for 16 bits
        kind = self._kind(running, products)
        products = _merged(products) if kind == "product" else products
        layout = self._layout
        return Launch(
            tuple(running),
            kind,
            tuple(products),
            flops,
            weights,
            activations,
            loops_of(running, self._shape),
            converted_bytes(nodes, layout, self._sizes) if layout is not None else 0,
        )

    def _runs(self, node: Node) -> bool:
        """Return True unless a node costs nothing at run time."""
        if node.op_type in _FREE or node.op_type == "Identity" or self._folding.is_folded(node):
            return False
        if node.op_type in _JOINS and self._runtime.joins:
            return False  # its inputs are written where it would copy them to
        return not (self._is_about_shapes(node) or self._is_padding(node))

    def _is_padding(self, node: Node) -> bool:
        """Return True for a zero Pad that only a convolution reads, which can pad itself."""
        result = node.output()
        reader = result.sole_consumer if result is not None else None
        return (
            self._runtime.fuses
            and node.op_type == "Pad"
            and node.get_str("mode", "constant") == "constant"
            and reader is not None
            and reader.op_type in CONVOLUTIONS
        )

    def _is_about_shapes(self, node: Node) -> bool:
        value = node.output()
        if value is None or value.dtype is None or value.dtype.is_float or node.subgraphs:
            return False
        shape = self._types.shape(value)
        return is_static(shape) and (element_count(shape) or 0) <= _HOST

    def _weights(self, node: Node) -> int:
        return sum(
            self._sizes[value] or 0
            for value in set(node.inputs)
            if value is not None and self._is_weight(value)
        )

    def _is_weight(self, value: Value) -> bool:
        return value.is_constant or self._folding.is_constant(value)

    @property
    def _is_implicit(self) -> bool:
        """Return True if the runtime quantizes a model that has no quantizers."""
        return self._precision in _INTEGER_LAYERS and not self._quantized

    def _kind(self, nodes: Sequence[Node], products: Sequence[Product]) -> Kind:
        if any(id(node) in self._in_attention for node in nodes) and len(products) > 1:
            return "attention"
        if products:
            if any(each.groups > 1 and each.taps > 1 and each.columns <= 2 for each in products):
                return "depthwise"
            is_convolution = any(node.op_type in CONVOLUTIONS for node in nodes)
            return "convolution" if is_convolution else "product"
        return "pointwise" if all(node.op_type in _POINTWISE for node in nodes) else "other"

    # --- Products ----------------------------------------------------------------------------

    def _product(self, node: Node, macs: int) -> Product:
        precision = self._quantized.get(id(node), self._precision)
        if id(node) in self._in_attention and precision in _INTEGER_LAYERS:
            precision = "fp16"  # scores are not quantized by default
        shape = self._shape(node.output())
        if node.op_type in CONVOLUTIONS and len(shape) > 2:
            return self._convolution(node, macs, shape, precision)
        columns = shape[-1] if shape else 1
        if node.op_type in _RECURRENT:
            return _steps(shape, macs, precision)
        outer = 1
        other = self._shape(node.input(1))
        if node.op_type in _MATMULS and len(other) > 2 and product(other[:-2]) > 1:
            outer = product(shape[:-2])
        rows = max(1, product(shape) // max(1, columns * outer))
        depth = max(1, macs // max(1, rows * columns * outer))
        return Product(rows, max(1, columns), depth, max(1, outer), precision)

    def _convolution(
        self, node: Node, macs: int, shape: tuple[int, ...], precision: str
    ) -> Product:
        row, shape = of(node), channels_first(node, shape)
        data, kernel = (
            node.input(row.place(role) or at) for at, role in enumerate(("data", "weight"))
        )
        weight, groups = window_of(node, self._shape(data), self._shape(kernel))
        elements = product(shape)
        channels = shape[1] if len(shape) > 1 else 1
        depth = max(1, macs // max(1, elements))
        taps = product(weight[2:]) if len(weight) > 2 else 1
        strides = node.get_ints("strides") or ()
        dense = weight[2:] == (3, 3) and not any(s > 1 for s in strides) and groups == 1
        return Product(
            max(1, elements // max(1, channels)),
            max(1, channels // groups),
            depth,
            groups,
            precision,
            max(1, taps),
            dense and node.op_type == "Conv",
            self._layout is not None and self._layout.computes(node),
            shape[-1],
        )

    def _shape(self, value: Value | None) -> tuple[int, ...]:
        shape = self._types.shape(value) if value is not None else None
        return tuple(int(dim) for dim in shape if isinstance(dim, int)) if shape else ()


def _steps(shape: tuple[int, ...], macs: int, precision: str) -> Product:
    """Return the products of a recurrent layer: one for each step, of all gates."""
    rows, hidden = (*shape[-2:], 1, 1)[:2]
    steps = max(1, product(shape) // max(1, rows * hidden))
    columns = 4 * max(1, hidden)
    depth = max(1, macs // max(1, rows * columns * steps))
    return Product(max(1, rows), columns, depth, steps, precision)


def is_for_gpu(deployment: Deployment) -> bool:
    return deployment.target is not None and deployment.target.compute_capability is not None


def _default(deployment: Deployment) -> str | None:
    return deployment.target.default_runtime if deployment.target is not None else None


def _quantized(model: Model, deployment: Deployment) -> dict[int, str]:
    """Return the precisions of products that are quantized in the graph."""
    ops = QuantizationMap(model, deployment).ops
    return {id(op.node): op.precision for op in ops if op.is_quantized}


def _alongside(
    groups: Sequence[tuple[Node, ...]], is_weight: Callable[[Value], bool]
) -> list[tuple[Node, ...]]:
    """Return groups in which products of one value with weights of equal depth are merged."""
    first: dict[tuple[int, int | None], int] = {}
    joined: dict[int, list[Node]] = {}
    for at, nodes in enumerate(groups):
        joined[at] = list(nodes)
        node = nodes[0]
        source, weight = node.input(0), node.input(1)
        if node.op_type not in _MATMULS or source is None or weight is None:
            continue
        if not is_weight(weight) or is_weight(source):
            continue
        home = first.setdefault((id(source), len(weight.shape or ())), at)
        if home != at:
            joined[home] += joined.pop(at)
    return [tuple(nodes) for nodes in joined.values()]


def _merged(products: Sequence[Product]) -> list[Product]:
    """Return products in which those of equal rows and depth are one with more columns."""
    found: dict[tuple[int, int, int, str], Product] = {}
    for each in products:
        key = (each.rows, each.depth, each.groups, each.precision)
        known = found.get(key)
        found[key] = replace(known, columns=known.columns + each.columns) if known else each
    return list(found.values())


def _transposed_for(node: Node) -> Iterator[Node]:
    """Iterate over transpositions of a product's operands that nothing else reads."""
    for value in node.inputs:
        maker = value.producer if value is not None else None
        while maker is not None and (maker.op_type in _TRANSPOSES or maker.op_type in VIEWS):
            result, source = maker.output(), maker.input(0)
            if result is None or len(result.consumers) != 1 or source is None:
                break
            yield maker
            maker = source.producer


def _joined(
    groups: Sequence[tuple[Node, ...]], together: Iterable[Collection[Node]]
) -> list[tuple[Node, ...]]:
    """Return groups in which nodes that run together are merged, at the position of the last."""
    place = {id(node): at for at, nodes in enumerate(groups) for node in nodes}
    taken: dict[int, list[Node]] = {}
    homes: list[tuple[int, list[Node]]] = []
    for nodes in together:
        own = [node for node in nodes if id(node) in place]
        if len(own) > 1:
            homes.append((max(place[id(node)] for node in own), own))
    moved: set[int] = set()
    for home, nodes in homes:
        for node in nodes:
            if id(node) not in moved:
                moved.add(id(node))
                taken.setdefault(home, []).append(node)
    result = []
    for at, nodes in enumerate(groups):
        left = tuple(node for node in nodes if id(node) not in moved)
        if at in taken:
            result.append((*taken[at], *left))
        elif left:
            result.append(left)
    return result
