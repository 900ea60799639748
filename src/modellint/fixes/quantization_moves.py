"""Pairs of Q and DQ moved to where a runtime makes use of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.analysis.quantization import Move, Moves, QuantizationMap
from modellint.analysis.quantization.moves import Edit
from modellint.analysis.quantization.ops import output_axis
from modellint.checks.api import Context, Hit
from modellint.fixes.building import main_opset, readable, wide
from modellint.fixes.quantization_pairs import (
    STEPS,
    all_places,
    biases_follow,
    is_closed,
)
from modellint.model import DTYPES, Node, Use, Value
from modellint.model.edits import (
    AddTensor,
    Fix,
    GraphEdit,
    InsertNodes,
    NewNode,
    Operand,
    RemoveNodes,
    SetInput,
    SetType,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIRST_PER_CHANNEL = 13
_INT8, _UINT8, _FLOAT = DTYPES["int8"], DTYPES["uint8"], DTYPES["float32"]


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
        if not is_closed(self.map, quantizer):
            return None
        if edit.form != "unsigned" and biases_follow(self.map, quantizer):
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
