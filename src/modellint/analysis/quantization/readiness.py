"""Quantization readiness score of a model, and the obstacles that reduce it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from functools import cached_property

from modellint.analysis.quantization.islands import between, find_islands
from modellint.analysis.quantization.mapping import QuantizationMap
from modellint.analysis.quantization.ops import TENSORRT_TYPES, TYPED_PRODUCTS, rides_along
from modellint.analysis.quantization.parts import WeightedOp, walk_consumers
from modellint.analysis.quantization.weights import Spread, spread
from modellint.base.records import dataclass
from modellint.model import Model, Node
from modellint.operators import Trait, having, of
from modellint.targets.deployment import Deployment

OUTLIER_RATIO = 10.0
"""A channel this many times the median leaves the median channel 12 of 127 levels."""
OUTLIER_CREST = 25.0
"""A number this many times its channel's mean magnitude costs about 16 dB of a normal one."""
ALIGNMENT = 16
"""Channel alignment of 8-bit matrix units."""
TINY = 0.001
"""Share of the model's work below which a layer is not worth its conversions."""

_CURVED = having(Trait.CURVED)
_FOLDS_NORMALIZATION = having(Trait.CONVOLUTION, Trait.TRANSPOSED_CONVOLUTION, Trait.GEMM)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """An obstacle to quantization, or a cause of inaccuracy."""

    kind: str
    title: str
    remedy: str
    share: float
    """Share of the model's work, 0 to 1."""
    weight: float
    """Points if all of the work were affected."""
    nodes: tuple[Node, ...]
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def points(self) -> int:
        """Return the points deducted from the score, at least one."""
        return max(1, round(self.weight * self.share))


class Readiness:
    """All obstacles to quantization. Methods that read weights say so."""

    def __init__(self, model: Model, deployment: Deployment) -> None:
        self.map = QuantizationMap(model, deployment)
        self.model = model

    # The score

    @cached_property
    def obstacles(self) -> list[Obstacle]:
        """Return all obstacles, most expensive first."""
        if self.map.is_quantized:
            is_refused = self.map.deployment.builder == "tensorrt" and self.refused
            found = self.refused if is_refused else self._left_out()
        else:
            found = [
                self.unfolded,
                self.float_only,
                self.experts,
                self.no_kernel,
                self.outlier_channels,
                self.spikes,
                self.curved_activations,
                self.misaligned,
                self.depthwise,
                self.tiny,
            ]
        return sorted((o for o in found if o is not None), key=lambda o: -o.points)

    @cached_property
    def score(self) -> int | None:
        """Return 0 to 100; None if there is nothing to quantize."""
        if not self.map.ops:
            return None
        return max(0, 100 - sum(obstacle.points for obstacle in self.obstacles))

    @property
    def is_by_work(self) -> bool:
        """Return True if shares are of MACs; otherwise shapes are open and they are of layers."""
        return bool(self.map.total_macs)

    def share(self, ops: Iterable[WeightedOp]) -> float:
        """Return the share of the work, 0 to 1: of MACs if known, else of layers."""
        ops = list(ops)
        share = self.map.share(ops)
        return share if share is not None else len(ops) / max(1, len(self.map.ops))

    # A float model

    @cached_property
    def unfolded(self) -> Obstacle | None:
        """BatchNormalization after its layer."""
        nodes, ops = [], []
        for node in self.model.nodes("BatchNormalization", functions=True):
            source = node.input(0)
            op = self.map.op(source.producer) if source is not None else None
            if op is not None and op.node.op_type in _FOLDS_NORMALIZATION:
                nodes.append(node)
                ops.append(op)
        return self._obstacle(
            "unfolded",
            "BatchNormalization not folded",
            "fold it before quantizing",
            weight=30,
            ops=ops,
            nodes=nodes,
        )

    @cached_property
    def float_only(self) -> Obstacle | None:
        """Recurrent layers."""
        ops = [op for op in self.map.ops if op.is_recurrent]
        return self._obstacle(
            "float-only",
            "recurrent layers without integer kernels",
            "leave them in fp16, or decompose the cell into matrix products",
            weight=100,
            ops=ops,
        )

    @cached_property
    def experts(self) -> Obstacle | None:
        """Mixtures of experts as one op."""
        ops = [op for op in self.map.ops if op.is_experts]
        return self._obstacle(
            "experts",
            "mixtures of experts, which Q/DQ pairs do not reach",
            "store their weights in 4 or 8 bits, as QMoE does",
            weight=100,
            ops=ops,
        )

    @cached_property
    def no_kernel(self) -> Obstacle | None:
        """Ops between layers that only run in float."""
        region = between(
            [v for op in self.map.ops for v in op.node.outputs if v is not None],
            [op.data.value for op in self.map.ops],
            lambda node: self.map.op(node) is not None,
        )
        nodes = [n for n in region.values() if not rides_along(n) and not n.subgraphs]
        keys = {id(node) for node in nodes}
        ops = [op for op in self.map.ops if _is_next_to(op, keys)]
        kinds = Counter(node.op_type for node in nodes)
        names = [name for name, _ in kinds.most_common()]
        return self._obstacle(
            "no-kernel",
            f"no 8-bit kernel for {', '.join(names[:4])}",
            "replace them if an equivalent op has one, else keep conversions around them",
            weight=15,
            ops=ops,
            nodes=sorted(nodes, key=lambda node: node.index),
            facts={"kinds": names, "operators": len(nodes)},
        )

    @cached_property
    def curved_activations(self) -> Obstacle | None:
        """Layers fed by activations that quantize poorly."""
        ops, kinds = [], Counter[str]()
        for op in self.map.ops:
            kind = _curve(op.data.root.producer)
            if kind is not None:
                ops.append(op)
                kinds[kind] += 1
        names = [name for name, _ in kinds.most_common()]
        return self._obstacle(
            "curved-activations",
            f"activations with long tails ({', '.join(names[:3])})",
            "calibrate by percentile or entropy, or train with quantization",
            weight=15,
            ops=ops,
            facts={"kinds": names},
        )

    @cached_property
    def misaligned(self) -> Obstacle | None:
        """Layers whose channels do not fill the matrix units."""
        found = [(op, sizes) for op in self.map.ops if (sizes := _odd_channels(op)) is not None]
        ops = [op for op, _ in found]
        first = max(found, key=lambda one: self.share([one[0]]), default=None)
        facts = (
            {"layer": first[0].node.label, "inputs": first[1][0], "outputs": first[1][1]}
            if first
            else {}
        )
        if not self.is_by_work or self.share(ops) < 0.01:
            return None
        return self._obstacle(
            "misaligned",
            f"channels that are not a multiple of {ALIGNMENT}",
            f"round channels up to multiples of {ALIGNMENT}",
            weight=15,
            ops=ops,
            facts={**facts, "multiple": ALIGNMENT},
        )

    @cached_property
    def depthwise(self) -> Obstacle | None:
        """Memory-bound convolutions."""
        ops = [op for op in self.map.ops if op.is_depthwise]
        return self._obstacle(
            "depthwise",
            "depthwise convolutions, which gain little in 8 bits",
            "quantize their weights per channel; measure whether fp16 is as fast",
            weight=15,
            ops=ops,
        )

    @cached_property
    def tiny(self) -> Obstacle | None:
        """Layers too small to benefit."""
        if not self.is_by_work:
            return None
        ops = [op for op in self.map.ops if self.share([op]) < TINY]
        if len(ops) < 2:
            return None
        title = f"layers below {TINY:.1%} of the work each"
        return self._obstacle("tiny", title, "leave them in float", 15, ops)

    # What the weights say

    @cached_property
    def spreads(self) -> list[tuple[WeightedOp, Spread]]:
        """Reads the weights."""
        seen: dict[int, Spread | None] = {}
        found = []
        for op in self.map.ops:
            if not op.weight.is_constant or op.is_recurrent or op.weight.is_quantized:
                continue
            key = id(op.weight.root.tensor)
            if key not in seen:
                seen[key] = spread(op)
            measured = seen[key]
            if measured is not None:
                found.append((op, measured))
        return found

    @cached_property
    def outlier_channels(self) -> Obstacle | None:
        """Layers where one channel sets the scale of all. Reads the weights."""
        ops, facts = self._extreme("ratio", OUTLIER_RATIO, lambda s: (s.ratio, s.largest))
        return self._obstacle(
            "outlier-channels",
            "weights dominated by outlier channels",
            "quantize weights per channel, or equalize channels first",
            weight=20,
            ops=ops,
            facts=facts,
        )

    @cached_property
    def spikes(self) -> Obstacle | None:
        """Layers where one number sets the scale of its channel. Reads the weights."""
        ops, facts = self._extreme("crest", OUTLIER_CREST, lambda s: (s.crest, s.spiky))
        return self._obstacle(
            "spikes",
            "single weights that dominate their channel",
            "clip them (percentile or mean-square calibration of weights), or use blocks",
            weight=20,
            ops=ops,
            facts=facts,
        )

    def _extreme(
        self, name: str, limit: float, figure: Callable[[Spread], tuple[float, int]]
    ) -> tuple[list[WeightedOp], dict[str, object]]:
        """Return layers with a figure from a limit on; and the worst, with its channel."""
        figures = [(op, *figure(measured)) for op, measured in self.spreads]
        found = [each for each in figures if each[1] >= limit]
        if not found:
            return [], {}
        op, worst, channel = max(found, key=lambda one: one[1])
        facts: dict[str, object] = {"layer": op.node.label, "channel": channel, name: worst}
        return [each[0] for each in found], facts

    # A quantized model: what its runtime refuses, and where work is left in float

    @cached_property
    def refused(self) -> list[Obstacle | None]:
        """Return the reasons why TensorRT rejects a quantized model."""
        by_type = self.map.by_type
        others = [name for name in by_type if name not in TENSORRT_TYPES | {"uint8", "int32", ""}]
        nodes: dict[str, list[Node]] = {
            "refused-zero-point": [each.node for each in self.map.shifted],
            "refused-type": [each.node for name in others for each in by_type[name]],
            "refused-operator": [op.node for op in self.map.ops if _is_foreign(op)],
        }
        return [
            self._obstacle(reason, *_REASONS[reason], 100, self.map.ops, places)
            for reason, places in nodes.items()
            if places
        ]

    def _left_out(self) -> list[Obstacle | None]:
        islands = {id(op.node) for island in find_islands(self.map) for op in island.ops}
        by_reason: dict[str, list[WeightedOp]] = {}
        is_weight_only = not self.map.quantized_ops
        for op in self.map.ops:
            reason = _reason(op, islands)
            if is_weight_only and (not op.has_weight or op.is_weight_only):
                continue  # weight-only quantization on purpose
            if reason is not None:
                by_reason.setdefault(reason, []).append(op)
        return [
            self._obstacle(reason, *_REASONS[reason], 100, ops) for reason, ops in by_reason.items()
        ]

    def _obstacle(
        self,
        kind: str,
        title: str,
        remedy: str,
        weight: float,
        ops: Sequence[WeightedOp],
        nodes: Sequence[Node] | None = None,
        facts: Mapping[str, object] | None = None,
    ) -> Obstacle | None:
        places = tuple(nodes) if nodes is not None else tuple(op.node for op in ops)
        if not places:
            return None
        share = self.share({id(op): op for op in ops}.values())
        return Obstacle(kind, title, remedy, share, weight, places, facts or {})


_REASONS = {
    "refused-zero-point": (
        "zero points other than 0, which TensorRT refuses",
        "quantize symmetrically",
    ),
    "refused-type": (
        "quantized types that TensorRT refuses",
        "quantize to int8 or float8e4m3fn",
    ),
    "refused-operator": (
        "integer operators, which TensorRT refuses",
        "quantize in the QDQ format",
    ),
    "weight-left-float": ("float weights with quantized activations", "quantize the weights"),
    "activation-left-float": (
        "float activations with quantized weights",
        "quantize the activations too",
    ),
    "one-activation-left-float": (
        "products with one quantized operand",
        "quantize the other operand too",
    ),
    "held-back-output": (
        "layers that ONNX Runtime runs in float because no Q follows",
        "add a pair after them, or quantize activations to uint8 after Relu",
    ),
    "held-back-move": (
        "layers whose pair comes before an op that ONNX Runtime does not look past",
        "move the pair after that op",
    ),
    "held-back-bias": ("layers whose bias has a different scale", "quantize the bias with s_x·s_w"),
    "held-back-parameters": (
        "layers whose scales ONNX Runtime cannot use",
        "quantize activations per tensor and weights along their output channels",
    ),
    "held-back-kernel": (
        "layers without an integer kernel in the runtime",
        "leave them in float, without pairs",
    ),
    "island": ("float layers between quantized ones", "quantize these layers too"),
    "experts": ("mixtures of experts, which Q/DQ pairs do not reach", "store them as QMoE does"),
    "float-only": ("recurrent layers without integer kernels", "leave them in fp16"),
    "weight-only": (
        "packed weights, whose products are computed in float",
        "quantize their activations too if time is the bottleneck",
    ),
    "not-quantized": ("layers outside the quantized part", "quantize these layers too"),
}


def _reason(op: WeightedOp, islands: set[int]) -> str | None:
    """Return the reason why an op is not quantized; None if it is."""
    if op.is_quantized:
        return f"held-back-{op.held_back}" if op.held_back else None
    if op.is_recurrent:
        return "float-only"
    if op.is_experts and op.weight_bits is None:
        return "experts"
    if op.weight_bits is not None:
        return "weight-only"
    if op.data.is_quantized != op.weight.is_quantized:
        if not op.weight.is_constant:
            return "one-activation-left-float"
        return "weight-left-float" if op.data.is_quantized else "activation-left-float"
    return "island" if id(op.node) in islands else "not-quantized"


def _is_next_to(op: WeightedOp, keys: set[int]) -> bool:
    """Return True if one of these nodes is a producer or consumer of an op."""
    result = op.node.output()
    after = walk_consumers(result) if result is not None else ()
    return id(op.data.root.producer) in keys or any(id(node) in keys for node in after)


def _curve(node: Node | None) -> str | None:
    """Return the name of a curved activation that ends at a node, possibly decomposed."""
    if node is None:
        return None
    if node.op_type in _CURVED:
        return node.op_type
    if node.op_type == "Mul":
        for near in node.predecessors:
            if near.op_type == "Sigmoid" and near.input(0) in node.inputs:
                return "SiLU"
            if any(before.op_type == "Erf" for before in near.predecessors):
                return "GELU"
            if any(deep.op_type == "Erf" for b in near.predecessors for deep in b.predecessors):
                return "GELU"
    return None


def _odd_channels(op: WeightedOp) -> tuple[int, int] | None:
    """Return input and output channels of an op if one of them does not fill a matrix unit."""
    tensor = op.weight.root.tensor
    if tensor is None or op.is_depthwise or op.is_recurrent or len(tensor.shape) < 2:
        return None
    if op.is_experts:
        return None
    shape, traits = tensor.shape, of(op.node).traits
    if Trait.TRANSPOSED_CONVOLUTION in traits:
        inputs, outputs = shape[0], shape[1]
    elif Trait.CONVOLUTION in traits:
        inputs, outputs = shape[1], shape[0] // (op.node.get_int("group", 1) or 1)
    elif Trait.GEMM in traits and op.node.get_int("transB", 0):
        inputs, outputs = shape[1], shape[0]
    else:
        inputs, outputs = shape[-2], shape[-1]
    if inputs <= 4 or (inputs % ALIGNMENT == 0 and outputs % ALIGNMENT == 0):
        return None  # runtimes have special kernels for images of up to four channels
    return inputs, outputs


def _is_foreign(op: WeightedOp) -> bool:
    """Return True for an op of ONNX that is integer by itself, which TensorRT does not parse."""
    return op.integer is not None and op.node.qualified_op not in TYPED_PRODUCTS
