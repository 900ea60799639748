"""Pairs of Q and DQ moved, removed, or given the scale of their neighbor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.analysis.quantization import Converter, Move, Moves, QuantizationMap, Scheme
from modellint.analysis.quantization.moves import Edit
from modellint.analysis.quantization.onnxruntime import CLIPPING
from modellint.analysis.quantization.ops import SHAPE_READERS, output_axis
from modellint.analysis.quantization.surplus import takes_quantized
from modellint.checks.api import Context, Hit
from modellint.fixes.building import main_opset, readable, wide
from modellint.model import DTYPES, Node, Use, Value
from modellint.model.edits import (
    AddTensor,
    Fix,
    GraphEdit,
    InsertNodes,
    NewNode,
    Operand,
    RemoveNodes,
    Replace,
    SetInput,
    SetType,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 0.05
"""Largest change by a rounding more or less to 8 bits, relative to the largest element."""
_FIRST_PER_CHANNEL = 13
_SMALLEST_SCALE = 1e-30
_INT8, _UINT8, _FLOAT = DTYPES["int8"], DTYPES["uint8"], DTYPES["float32"]


def drop_pair(context: Context, hit: Hit) -> Fix | None:
    """Let what reads a pair read the float value that it quantizes."""
    return _without_pair(context, hit.place) if isinstance(hit.place, Node) else None


def pass_batchnorm(context: Context, hit: Hit) -> Fix | None:
    """Drop pairs before a BatchNormalization whose own result is quantized.

    If it is not, a pair would have to move, and its range would need data.
    """
    quantization = context.analysis(QuantizationMap)
    fixes = [
        fix
        for node in all_places(hit)
        if (pair := quantization.converter(node)) is not None
        and _is_quantized_later(quantization, pair)
        and (fix := _without_pair(context, node)) is not None
    ]
    if not fixes:
        return None
    edits = tuple(edit for fix in fixes for edit in fix.edits)
    says = (
        fixes[0].says
        if len(fixes) == 1
        else f"Removes {len(fixes)} pairs before BatchNormalization."
    )
    return Fix(edits, says, tolerance=STEPS)


def _is_quantized_later(quantization: QuantizationMap, pair: Converter) -> bool:
    """Return True if all that read a pair are quantized, at once or after an activation."""
    readers = [
        use.node for value in quantization.dequantizers_after(pair) for use in value.consumers
    ]
    return all(_ends_quantized(quantization, node) for node in readers)


def _ends_quantized(quantization: QuantizationMap, node: Node) -> bool:
    result = node.output()
    after = result.sole_consumer if result is not None else None
    if after is not None and after.op_type in CLIPPING:
        result = after.output()
    return result is not None and bool(quantization.quantizers_after(result))


def _without_pair(context: Context, node: Node) -> Fix | None:
    quantization = context.analysis(QuantizationMap)
    found = quantization.converter(node)
    if found is None or not main_opset(context, node.graph):
        return None
    quantizer = found.undoes if found.kind == "dequantize" else found
    if quantizer is None:
        return None
    results = quantization.dequantizers_after(quantizer)
    results = [found.output] if found.kind == "dequantize" else results
    removed = [each.producer for each in results if each.producer is not None]
    if len(quantizer.output.consumers) == len(removed) and not quantizer.output.is_output:
        removed.append(quantizer.node)
    if not results or any(value.dtype != quantizer.source.dtype for value in results):
        return None
    replaced = (Replace(value, quantizer.source) for value in results)
    says = f"Removes the pair of {quantizer.node.op_type} '{quantizer.node.label}'."
    return Fix((*replaced, RemoveNodes(tuple(removed))), says, tolerance=STEPS)


def share_source(context: Context, hit: Hit) -> Fix | None:
    """Let float readers of a pair read the value from before it."""
    quantization = context.analysis(QuantizationMap)
    node = hit.place if isinstance(hit.place, Node) else None
    pair = quantization.converter(node)
    if node is None or pair is None or pair.undoes is None or not main_opset(context, node.graph):
        return None
    uses = tuple(
        use
        for use in pair.output.consumers
        if use.node.op_type not in SHAPE_READERS and not takes_quantized(quantization, use.node)
    )
    if not uses or pair.output.dtype != pair.undoes.source.dtype:
        return None
    says = f"Lets {uses[0].node.op_type} '{uses[0].node.label}' read the unrounded value."
    return Fix((Replace(pair.output, pair.undoes.source, uses),), says, tolerance=STEPS)


def drop_requantization(context: Context, hit: Hit) -> Fix | None:
    """Take a Q out that returns just what the DQ before it was given."""
    quantization = context.analysis(QuantizationMap)
    node = hit.place if isinstance(hit.place, Node) else None
    quantizer = quantization.converter(node)
    before = quantizer.before if quantizer is not None else None
    if node is None or quantizer is None or before is None or not main_opset(context, node.graph):
        return None
    one, other = before.scheme, quantizer.scheme
    if one.same_as(other) is not True or one.dtype not in (_INT8, _UINT8):
        return None
    if not one.is_per_tensor and (one.axis != other.axis or one.block or other.block):
        return None
    scales = one.scales
    if scales is None or not bool((scales > _SMALLEST_SCALE).all() and (scales < 1e30).all()):
        return None
    removed = [node]
    if before.output.sole_consumer is node:
        removed.append(before.node)
    says = (
        f"Removes {node.op_type} '{node.label}', which returns the value from before quantization."
    )
    return Fix((Replace(quantizer.output, before.source), RemoveNodes(tuple(removed))), says)


def keep_scale(context: Context, hit: Hit) -> Fix | None:
    """Give the pair after an op that only moves elements the parameters of the one before it."""
    quantization = context.analysis(QuantizationMap)
    if len(hit.related) != 2 or not main_opset(context, hit.related[1].graph):
        return None
    before, after = (quantization.converter(node) for node in hit.related)
    if before is None or after is None or not _is_closed(quantization, after):
        return None
    if (before.scheme.zero_point is None) != (after.scheme.zero_point is None):
        return None
    if _biases_follow(quantization, after):
        return None
    edits = list(_given(quantization, after, before.scheme))
    says = f"Gives '{after.node.label}' the scale of '{before.node.label}'."
    return Fix(tuple(edits), says, tolerance=STEPS)


def share_scale(context: Context, hit: Hit) -> Fix | None:
    """Give all inputs of a Concat the parameters of its output, if its scale is the largest."""
    quantization = context.analysis(QuantizationMap)
    node = hit.place
    result = node.output() if isinstance(node, Node) else None
    if not isinstance(node, Node) or result is None or not main_opset(context, node.graph):
        return None
    after = quantization.quantizers_after(result)
    pairs = [quantization.dequantizer_of(v) for v in node.inputs if v is not None]
    if len(after) != 1 or None in pairs or not after[0].scheme.is_per_tensor:
        return None
    wanted = after[0].scheme
    edits: list[GraphEdit] = []
    for pair in pairs:
        quantizer = pair.undoes if pair is not None else None
        if pair is None or quantizer is None or not _is_closed(quantization, quantizer):
            return None
        scheme = quantizer.scheme
        if scheme.dtype is not wanted.dtype or not scheme.is_per_tensor:
            return None
        if scheme.same_as(wanted):
            continue
        alone = pair.output.sole_consumer is node and len(quantizer.output.consumers) == 1
        if not alone or not _covers(wanted, scheme):
            return None
        edits += _given(quantization, quantizer, wanted)
    if not edits:
        return None
    says = f"Gives the inputs of Concat '{node.label}' the scale of its output."
    return Fix(tuple(edits), says, tolerance=STEPS)


def _covers(wide_scheme: Scheme, narrow: Scheme) -> bool:
    """Return True if a scheme has the larger scale and the same zero point."""
    one, other = wide_scheme.scales, narrow.scales
    if one is None or other is None or not bool(one.reshape(-1)[0] >= other.reshape(-1)[0]):
        return False
    points = (wide_scheme.zero_points, narrow.zero_points)
    if points[0] is None or points[1] is None:
        return bool(wide_scheme.is_symmetric and narrow.is_symmetric) and points == (None, None)
    return bool(points[0].reshape(-1)[0] == points[1].reshape(-1)[0])


def _is_closed(quantization: QuantizationMap, quantizer: Converter) -> bool:
    """Return True if only DQs read what a Q returns."""
    output = quantizer.output
    return not output.is_output and all(
        (found := quantization.converter(use.node)) is not None and found.kind == "dequantize"
        for use in output.consumers
    )


def _given(
    quantization: QuantizationMap, quantizer: Converter, scheme: Scheme
) -> Iterator[GraphEdit]:
    """Give a Q and its DQs the parameters of another."""
    readers = [use.node for use in quantizer.output.consumers]
    for node in (quantizer.node, *readers):
        yield SetInput(node, 1, scheme.scale)
        if scheme.zero_point is not None:
            yield SetInput(node, 2, scheme.zero_point)


def _biases_follow(quantization: QuantizationMap, quantizer: Converter) -> bool:
    """Return True if a layer reads a pair whose scale is that of the layer's bias, too."""
    for value in quantization.dequantizers_after(quantizer):
        for use in value.consumers:
            bias = use.node.input(2)
            if bias is not None and quantization.dequantizer_of(bias) is not None:
                return True
    return False


# Moves


def move(context: Context, hit: Hit) -> Fix | None:
    """Carry out the moves that make the places' layers integer, but those to be calibrated."""
    quantization = context.analysis(QuantizationMap)
    moves = quantization.kept(Moves)
    wanted: dict[int, Move] = {}
    for node in all_places(hit):
        near = (node, *node.successors, *node.predecessors)
        found = next((each for each in map(moves.of, near) if each is not None), None)
        if found is not None and main_opset(context, node.graph):
            wanted[id(found)] = found
    carrier = _Carrier(context, quantization)
    done = [each for each in wanted.values() if carrier.carry_out(each)]
    if not done:
        return None
    says = f"{done[0].what}." if len(done) == 1 else f"{done[0].what}, and {len(done) - 1} more."
    return Fix(carrier.finished(), says, tolerance=STEPS)


class _Carrier:
    """Moves as edits of the graph."""

    def __init__(self, context: Context, quantization: QuantizationMap) -> None:
        self.context = context
        self.map = quantization
        self.edits: list[GraphEdit] = []
        self._done: set[tuple[str, int]] = set()
        self._freed: dict[int, list[Use]] = {}
        """Uses that no longer read a value, by the value."""
        self._values: dict[int, Value] = {}
        self._count = 0

    def carry_out(self, wanted: Move) -> bool:
        """Add the edits of a move, if it needs no calibration and does not repeat others."""
        edits = [edit for edit in wanted.edits if edit.key not in self._done]
        made = [self._edits_of(edit) for edit in edits]
        if not edits or any(each is None for each in made):
            return False
        self._done.update(edit.key for edit in edits)
        for edit in edits:
            for use in edit.uses if edit.action != "replace" else ():
                self._free(use)
        self.edits += [edit for each in made for edit in each or ()]
        return True

    def finished(self) -> tuple[GraphEdit, ...]:
        """Return the edits, and those that take out what nothing reads any more."""
        removed: dict[int, Node] = {}
        for key, uses in self._freed.items():
            pair = self.map.dequantizer_of(self._values[key])
            if pair is None or pair.output.is_output or len(uses) < len(pair.output.consumers):
                continue
            removed[id(pair.node)] = pair.node
            quantizer = pair.undoes
            if quantizer is None or quantizer.output.is_output:
                continue
            if all(id(use.node) in removed for use in quantizer.output.consumers):
                removed[id(quantizer.node)] = quantizer.node
        return (*self.edits, *((RemoveNodes(tuple(removed.values())),) if removed else ()))

    def _free(self, use: Use) -> None:
        value = use.node.input(use.index)
        if value is not None:
            self._values[id(value)] = value
            self._freed.setdefault(id(value), []).append(use)

    def _edits_of(self, edit: Edit) -> list[GraphEdit] | None:
        if edit.action == "remove":
            return [SetInput(use.node, use.index, edit.value) for use in edit.uses]
        if edit.action == "replace":
            return self._replaced(edit)
        if edit.value.is_output or not edit.uses:
            return None
        if edit.form == "weight":
            return self._weight(edit)
        there = self._present(edit)
        if there is not None:
            return [SetInput(use.node, use.index, there) for use in edit.uses]
        return self._inserted(edit)

    def _present(self, edit: Edit) -> Value | None:
        """Return the result of the pair on the same value, where it is to be shared."""
        if edit.scheme is None or edit.form != "same":
            return None
        quantizer = self.map.converter(edit.scheme.node)
        if quantizer is None or quantizer.node.input(0) is not edit.value:
            return None
        return next(iter(self.map.dequantizers_after(quantizer)), None)

    def _inserted(self, edit: Edit) -> list[GraphEdit] | None:
        parameters = self._parameters(edit)
        if parameters is None:
            return None
        added, scale, point = parameters
        self._count += 1
        name = f"{edit.value.name}_{self._count}"
        quantized, result = f"{name}_quantized", f"{name}_dequantized"
        first = min((use.node for use in edit.uses), key=lambda node: node.index)
        if any(use.node.graph is not first.graph for use in edit.uses):
            return None
        nodes = (
            NewNode("QuantizeLinear", (edit.value, scale, point), (quantized,), name=quantized),
            NewNode("DequantizeLinear", (quantized, scale, point), (result,), name=result),
        )
        return [
            *added,
            InsertNodes(first.graph, nodes, before=first),
            *(SetInput(use.node, use.index, result) for use in edit.uses),
        ]

    def _parameters(self, edit: Edit) -> tuple[list[GraphEdit], Operand, Operand] | None:
        """Return the scale and zero point of a pair; None if they are to be calibrated."""
        scheme = edit.scheme
        if scheme is None or not scheme.is_per_tensor or scheme.node.domain:
            return None
        if edit.form == "same":
            return [], scheme.scale, scheme.zero_point
        scales, points, dtype = scheme.scales, scheme.zero_points, scheme.dtype
        if scales is None or dtype not in (_INT8, _UINT8) or scales.dtype.name != "float32":
            return None
        if scheme.zero_point is not None and points is None:
            return None
        scale, point = float(scales.flat[0]), int(points.flat[0]) if points is not None else 0
        if edit.form == "unsigned":
            point += 128 if dtype is _INT8 else 0
        else:
            highest = 127 if dtype is _INT8 else 255
            scale, point = scale * (highest - point) / 255, 0
        self._count += 1
        names = f"{edit.value.name}_scale_{self._count}", f"{edit.value.name}_zero_{self._count}"
        graph = edit.value.graph
        added: list[GraphEdit] = [
            AddTensor(names[0], graph, _FLOAT, (), partial(_scalar, scale, "float32")),
            AddTensor(names[1], graph, _UINT8, (), partial(_scalar, point, "uint8")),
        ]
        return added, names[0], names[1]

    def _replaced(self, edit: Edit) -> list[GraphEdit] | None:
        quantizer = self.map.converter(edit.scheme.node) if edit.scheme is not None else None
        parameters = self._parameters(edit)
        if quantizer is None or quantizer.kind != "quantize" or parameters is None:
            return None
        if not _is_closed(self.map, quantizer):
            return None
        if edit.form != "unsigned" and _biases_follow(self.map, quantizer):
            return None
        added, scale, point = parameters
        edits = list(added)
        for node in (quantizer.node, *(use.node for use in quantizer.output.consumers)):
            edits += [SetInput(node, 1, scale), SetInput(node, 2, point)]
        if quantizer.output.declared_dtype is not None:
            edits.append(SetType(quantizer.output, _UINT8))
        return edits

    def _weight(self, edit: Edit) -> list[GraphEdit] | None:
        """Return a weight stored as int8, with scales per channel where the operators allow."""
        value, tensor = edit.value, edit.value.tensor
        if tensor is None or not readable(value) or tensor.dtype is not _FLOAT or edit.scale:
            return None
        first = edit.uses[0].node
        if any(use.node.graph is not first.graph for use in edit.uses):
            return None
        axis = output_axis(first, len(tensor.shape))
        if main_opset(self.context, first.graph) < _FIRST_PER_CHANNEL:
            axis = None
        self._count += 1
        name = f"{value.name}_int8_{self._count}"
        parts = f"{name}_scale", f"{name}_zero"
        size = () if axis is None else (tensor.shape[axis],)
        scales = partial(_scales_of, value, axis)
        result = f"{name}_dequantized"
        node = NewNode(
            "DequantizeLinear",
            (name, *parts),
            (result,),
            {"axis": axis} if axis is not None else {},
            name=result,
        )
        before = min((use.node for use in edit.uses), key=lambda each: each.index)
        return [
            AddTensor(name, value.graph, _INT8, tensor.shape, partial(_steps_of, value, axis)),
            AddTensor(parts[0], value.graph, _FLOAT, size, scales),
            AddTensor(parts[1], value.graph, _INT8, size, partial(_zeros, size)),
            InsertNodes(first.graph, (node,), before=before),
            *(SetInput(use.node, use.index, result) for use in edit.uses),
        ]


def _scalar(number: float, dtype: str) -> NDArray[Any]:
    import numpy as np

    return np.array(number, dtype)


def _zeros(size: tuple[int, ...]) -> NDArray[Any]:
    import numpy as np

    return np.zeros(size, "int8")


def _scales_of(value: Value, axis: int | None) -> NDArray[Any]:
    """Return symmetric scales for a weight, so that its largest elements are 127 steps."""
    import numpy as np

    weight = np.abs(wide(value))
    others = tuple(at for at in range(weight.ndim) if at != axis)
    made = np.maximum(weight.max(axis=others if axis is not None else None), 1e-6) / 127
    return np.asarray(made, "float32")


def _steps_of(value: Value, axis: int | None) -> NDArray[Any]:
    import numpy as np

    weight, scales = wide(value), _scales_of(value, axis).astype("float64")
    if axis is not None:
        scales = scales.reshape([-1 if at == axis else 1 for at in range(weight.ndim)])
    steps: NDArray[Any] = np.clip(np.rint(weight / scales), -127, 127).astype("int8")
    return steps


def all_places(hit: Hit) -> Iterable[Node]:
    """Return all nodes that a hit stands for."""
    return hit.places or ((hit.place,) if isinstance(hit.place, Node) else ())
