"""Applies a move to an ONNX model: the edits of its pairs, as an optimizer would make them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from modellint.analysis.quantization.moves import Edit, Move
from modellint.analysis.quantization.onnxruntime import limits_of

PAIR = ("QuantizeLinear", "DequantizeLinear")
STANDARD_SCALE = 0.05
"""The scale of a pair that is to be calibrated: which kernels are used does not depend on it."""


def applied(model: ModelProto, move: Move, *, unsigned: bool) -> ModelProto:
    """The model after a move; pairs to be calibrated are of uint8 or of int8."""
    changed = ModelProto()
    changed.CopyFrom(model)
    editor = _Editor(changed.graph, unsigned=unsigned)
    for edit in move.edits:
        editor.apply(edit)
    editor.drop_unused()
    return changed


class _Editor:
    def __init__(self, graph: onnx.GraphProto, *, unsigned: bool) -> None:
        self.graph = graph
        self.unsigned = unsigned
        self.counter = 0

    def apply(self, edit: Edit) -> None:
        {"insert": self.insert, "remove": self.remove, "replace": self.replace}[edit.action](edit)

    def insert(self, edit: Edit) -> None:
        value = edit.value.name
        result = self._present(edit) or self._pair(edit)
        for node, index in self._uses(edit):
            assert node.input[index] == value, (node.input[index], value)
            node.input[index] = result
        if edit.value.is_output and edit.form != "weight":
            self._return(value, result)

    def _present(self, edit: Edit) -> str | None:
        """The result of the pair on the same value, where it is to be shared."""
        like = edit.scheme.node if edit.scheme is not None and edit.form == "same" else None
        source = like.input(0) if like is not None else None
        output = like.output() if like is not None else None
        if source is not edit.value or output is None:
            return None
        return str(next(n.output[0] for n in self.graph.node if n.input[:1] == [output.name]))

    def _pair(self, edit: Edit) -> str:
        scale, zero = self._parameters(edit)
        axis: dict[str, Any] = {"axis": self._axis(edit)} if scale.ndim else {}
        names = [self._constant(scale, "scale"), self._constant(zero, "zero")]
        value, quantized, result = edit.value.name, self._name("q"), self._name("dq")
        pair = [
            helper.make_node("QuantizeLinear", [value, *names], [quantized], quantized, **axis),
            helper.make_node("DequantizeLinear", [quantized, *names], [result], result, **axis),
        ]
        at = next((i + 1 for i, n in enumerate(self.graph.node) if value in n.output), 0)
        for node in reversed(pair):
            self.graph.node.insert(at, node)
        return result

    def remove(self, edit: Edit) -> None:
        for node, index in self._uses(edit):
            node.input[index] = edit.value.name
        if not edit.uses:
            self._return_unrounded(edit.value.name)

    def _return_unrounded(self, value: str) -> None:
        """Let what a pair quantizes be the output that the pair was."""
        outputs = {output.name for output in self.graph.output}
        by_input = {node.input[0]: node for node in self.graph.node if node.op_type in PAIR}
        last = by_input[by_input[value].output[0]]
        assert last.output[0] in outputs
        maker = next(node for node in self.graph.node if value in node.output)
        self.graph.node.remove(by_input[value])
        self.graph.node.remove(last)
        maker.output[0] = last.output[0]

    def replace(self, edit: Edit) -> None:
        scale, zero = self._parameters(edit)
        names = [self._constant(scale, "scale"), self._constant(zero, "zero")]
        for q in self.graph.node:
            if q.op_type == "QuantizeLinear" and q.input[0] == edit.value.name:
                dequantizers = [n for n in self.graph.node if q.output[0] in n.input]
                for node in (q, *dequantizers):
                    del node.input[1:]
                    node.input.extend(names)
        drop = {q.output[0] for q in self.graph.node if q.input and q.input[0] == edit.value.name}
        for info in list(self.graph.value_info):
            if info.name in drop:  # its type changes
                self.graph.value_info.remove(info)

    def drop_unused(self) -> None:
        """Remove converters that nothing reads any more."""
        outputs = {value.name for value in self.graph.output}
        while True:
            read = {name for node in self.graph.node for name in node.input} | outputs
            unused = [
                node
                for node in self.graph.node
                if node.op_type.endswith("uantizeLinear") and not read & set(node.output)
            ]
            if not unused:
                return
            for node in unused:
                self.graph.node.remove(node)

    def _uses(self, edit: Edit) -> Iterator[tuple[NodeProto, int]]:
        for use in edit.uses:
            first = use.node.output(0)
            assert first is not None
            yield next(n for n in self.graph.node if first.name in n.output), use.index

    def _return(self, value: str, result: str) -> None:
        """Let the pair's result be the output, under the output's name."""
        inner = self._name("inner")
        for node in self.graph.node:
            for names in (node.input, node.output):
                for at, name in enumerate(names):
                    if name in (value, result):
                        names[at] = inner if name == value else value

    def _parameters(self, edit: Edit) -> tuple[NDArray[Any], NDArray[Any]]:
        if edit.form == "weight":
            return self._weight_scales(edit)
        if edit.scheme is None:
            kind, point = (np.uint8, 128) if self.unsigned else (np.int8, 0)
            scale = edit.scale or STANDARD_SCALE
            if edit.form == "from-zero":
                point, scale = 0, min(scale, self._highest(edit) / 256)
            return np.array(scale, np.float32), np.array(point, kind)
        scales, points = edit.scheme.scales, edit.scheme.zero_points
        assert scales is not None
        assert edit.scheme.dtype is not None
        kind = np.uint8 if edit.scheme.dtype.name == "uint8" else np.int8
        zero = np.array(0, kind) if points is None else points.reshape(scales.shape)
        if edit.form == "unsigned":
            return scales, np.array(zero.astype(np.int32) + 128, np.uint8)
        if edit.form == "from-zero":
            span = np.float32(np.iinfo(zero.dtype).max) - zero.astype(np.float32)
            return (scales * span / np.float32(255)).astype(np.float32), np.array(0, np.uint8)
        return scales, zero

    def _highest(self, edit: Edit) -> float:
        """The highest number that the Clip before a pair returns."""
        clip = edit.value.producer
        assert clip is not None
        return limits_of(clip)[1]

    def _weight_scales(self, edit: Edit) -> tuple[NDArray[Any], NDArray[Any]]:
        tensor = next(t for t in self.graph.initializer if t.name == edit.value.name)
        weight = numpy_helper.to_array(tensor)
        axis = self._axis(edit)
        if edit.scheme is not None and edit.scale is not None:  # the bias was quantized with them
            assert edit.scheme.scales is not None
            scale = (edit.scheme.scales / np.float32(edit.scale)).astype(np.float32)
            scale = scale.reshape(()) if scale.size == 1 else scale
            return scale, np.zeros(scale.shape, np.int8)
        others = tuple(at for at in range(weight.ndim) if at != axis)
        scale = np.maximum(np.abs(weight).max(axis=others), 1e-6).astype(np.float32) / 127
        return scale, np.zeros(scale.shape, np.int8)

    def _axis(self, edit: Edit) -> int:
        from modellint.analysis.quantization.ops import output_axis

        assert edit.value.tensor is not None
        axis = output_axis(edit.uses[0].node, len(edit.value.tensor.shape))
        return 0 if axis is None else axis

    def _constant(self, array: NDArray[Any], what: str) -> str:
        name = self._name(what)
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def _name(self, what: str) -> str:
        self.counter += 1
        return f"moved_{what}_{self.counter}"


__all__ = ["applied"]
