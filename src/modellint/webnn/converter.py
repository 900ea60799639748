"""Conversion of an ONNX model into a WebNN graph, node by node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.analysis.shapes import DeployedTypes
from modellint.formats.onnx.facts import onnx_facts
from modellint.model import Model, Node, Tensor, Value, is_static
from modellint.model.dims import product
from modellint.targets.deployment import Deployment
from modellint.webnn.builder import BuilderError, results
from modellint.webnn.evaluation import evaluate
from modellint.webnn.graphs import BYTES, MLCall, MLConstant, MLGraph, MLObstacle, MLOperand
from modellint.webnn.limits import ContextLimits, LimitError

Handler = Callable[["WebConverter", Node], None]
HANDLERS: dict[str, Handler] = {}
"""Functions that convert an operator, by its qualified name."""

MOST_FOLDED = 1 << 16
"""Most elements of a value that is computed while converting."""
_NARROW = {
    "int64": "int32",
    "uint64": "uint32",
    "uint32": "int64",
    "uint8": "int32",
    "int8": "int32",
}
"""Types to compute in where a context does not take the type."""
MOST_JOINED = 1 << 24
"""Most elements that those of all inputs may be multiplied to."""
_GROWING = {"OneHot", "Pad", "Resize", "Upsample"}
"""Operators whose results are as large as an input's elements say."""
_UNCONVERTIBLE = {
    "If": "control flow cannot be a part of a graph",
    "Loop": "control flow cannot be a part of a graph",
    "Scan": "control flow cannot be a part of a graph",
}
_FIXES = {
    "If": "Export the branch that is used.",
    "Loop": "Unroll the loop, or run it in JavaScript.",
    "Scan": "Unroll the loop, or run it in JavaScript.",
    "NonMaxSuppression": "Cut the model before it, and select boxes in JavaScript.",
    "TopK": "Cut the model before it, and sort in JavaScript.",
    "NonZero": "Use a mask of fixed size instead.",
}


class CannotError(Exception):
    """Reason why a node has no counterpart, with what to do about it."""

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.fix = fix


_REFUSALS = (
    CannotError,
    BuilderError,
    LimitError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
)
"""Errors of a node that is not converted: those of Python are due to invalid models."""


def handles(*ops: str) -> Callable[[Handler], Handler]:
    """Register a function for operators."""

    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(ops, handler))
        return handler

    return register


class WebConverter:
    """A graph that grows, and what is known of the model's values."""

    def __init__(self, model: Model, deployment: Deployment, limits: ContextLimits) -> None:
        self.model, self.limits = model, limits
        self.graph = MLGraph()
        self._types = DeployedTypes(model, deployment)
        self._batch = deployment.batch
        self._operands: dict[Value, MLOperand] = {}
        self._known: dict[Value, NDArray[Any]] = {}
        self._refused: set[Value] = set()
        self._constants: dict[tuple[str, tuple[int, ...], bytes], MLOperand] = {}
        self._node: Node | None = None
        self._names = 0
        self.opsets: Mapping[str, int] = onnx_facts(model).opsets

    # The whole.

    def run(self) -> MLGraph:
        for value in self.model.fed:
            self._feed(value)
        for node in self.model.graph.ordered:
            self._convert(node)
        for value in self.model.outputs:
            try:
                self._return(value)
            except _REFUSALS as error:
                obstacle = MLObstacle(value.name, "output", str(error), "Cast it in the model.")
                self.graph.obstacles.append(obstacle)
        return self.graph

    def opset(self, node: Node) -> int:
        return self.opsets.get(node.domain, 1)

    def _feed(self, value: Value) -> None:
        shape, dtype = self._types.shape(value), value.dtype
        if shape and shape[0] is None and self._batch is not None:
            shape = (self._batch, *shape[1:])
        if not is_static(shape) or shape is None:
            self._obstruct(value, "its shape is not fixed", "Fix it: --shape or --batch.")
            return
        kind = self.kind(dtype.name if dtype is not None else "")
        if kind is None:
            self._obstruct(value, f"WebNN has no type {dtype}", "Convert the model to float32.")
            return
        sizes = tuple(dim for dim in shape if isinstance(dim, int))
        if 0 in sizes:
            self._obstruct(value, "one of its dims is 0", "Fix it at another size.")
            return
        operand = self.graph.inputs[value.name] = MLOperand(self._name(), kind, sizes)
        self._operands[value] = operand

    def _obstruct(self, value: Value, reason: str, fix: str) -> None:
        self._refused.add(value)
        self.graph.obstacles.append(MLObstacle(value.name, "input", reason, fix))

    def _return(self, value: Value) -> None:
        is_known = value in self._operands or value in self._known or value.tensor is not None
        if value in self._refused or not is_known:
            return
        operand = self.get(value)
        is_computed = any(operand in call.outputs for call in self.graph.calls)
        if not is_computed or operand in self.graph.outputs.values():
            operand = self.call("identity", input=operand)
        self.graph.outputs[value.name] = operand

    def _convert(self, node: Node) -> None:
        self._node = node
        if any(value in self._refused for value in node.inputs if value is not None):
            self._refused.update(value for value in node.outputs if value is not None)
            return
        marks = len(self.graph.calls)
        try:
            if not self._fold(node):
                handler = HANDLERS.get(node.qualified_op.removeprefix("ai.onnx."))
                if handler is None:
                    self._refuse_operator(node)
                else:
                    handler(self, node)
        except _REFUSALS as error:
            del self.graph.calls[marks:]
            fix = getattr(error, "fix", "") or _FIXES.get(node.op_type, "Replace it in the model.")
            is_told = isinstance(error, (CannotError, BuilderError, LimitError))
            reason = str(error) if is_told else "its inputs and attributes do not fit together"
            self.graph.obstacles.append(MLObstacle(node.label, node.qualified_op, reason, fix))
            self._refused.update(value for value in node.outputs if value is not None)
        self._node = None

    def _refuse_operator(self, node: Node) -> None:
        raise CannotError(_UNCONVERTIBLE.get(node.op_type, "WebNN has no such operator"))

    def _fold(self, node: Node) -> bool:
        """Compute a node that reads only what is known; return False if it is to be converted."""
        if node.op_type in ("Shape", "Size") and node.inputs and node.inputs[0] is not None:
            self._fold_shape(node)
            return True
        if node.subgraphs or node.domain not in ("", "ai.onnx") or not node.outputs:
            return False
        if node.op_type in ("DequantizeLinear", "QuantizeLinear") or node.op_type.startswith(
            "Random"
        ):
            return False
        given = [self.known(value) if value is not None else None for value in node.inputs]
        if any(
            one is None and value is not None for one, value in zip(given, node.inputs, strict=True)
        ):
            return False
        if node.op_type == "Constant" and node.outputs[0] is not None and node.outputs[0].tensor:
            return True
        if self._may_be_large(node, given):
            return False
        found = evaluate(node, given, self.opset(node), MOST_FOLDED)
        if found is None:
            return False
        for value, content in zip(node.outputs, found, strict=False):
            if value is not None:
                self._known[value] = content
        return True

    def _may_be_large(self, node: Node, given: Sequence[NDArray[Any] | None]) -> bool:
        """Return True unless the results are known to be small, or cannot outgrow the inputs."""
        shapes = [self._types.shape(value) for value in node.outputs if value is not None]
        if all(is_static(shape) for shape in shapes):
            sizes = (
                product(dim for dim in shape or () if isinstance(dim, int)) for shape in shapes
            )
            return max(sizes, default=0) > MOST_FOLDED
        arrays = [each for each in given if each is not None]
        if node.op_type == "Range":
            start, limit, step = (float(each.reshape(-1)[0]) for each in arrays[:3])
            return not abs(limit - start) <= abs(step) * MOST_FOLDED
        if node.op_type in ("ConstantOfShape", "Expand", "Tile"):
            whole = arrays[0].size if node.op_type != "ConstantOfShape" else 1
            return whole * product(int(dim) for dim in arrays[-1].reshape(-1)) > MOST_FOLDED
        return node.op_type in _GROWING or product(each.size for each in arrays) > MOST_JOINED

    def _fold_shape(self, node: Node) -> None:
        source, result = node.inputs[0], node.output()
        assert source is not None
        shape = np.array(self.get(source).shape, np.int64)
        if node.op_type == "Size":
            shape = np.array(shape.prod(), np.int64)
        else:
            start, end = node.get_int("start", 0), node.get_int("end", len(shape))
            shape = shape[start:end]
        if result is not None:
            self._known[result] = shape

    # Values.

    def shape(self, value: Value | None) -> tuple[int, ...]:
        """Return the shape that is known of a value before it is converted."""
        found = self._types.shape(value) if value is not None else None
        if found is None or not is_static(found):
            raise CannotError("its shape is not fixed", "Fix it: --shape or --batch.")
        return tuple(dim for dim in found if isinstance(dim, int))

    def know(self, value: Value | None, content: NDArray[Any]) -> None:
        """Keep the elements of a value that does not depend on the inputs."""
        if value is not None:
            self._known[value] = content

    def kind(self, dtype: str) -> str | None:
        """Return the type that WebNN has for one of a model."""
        return {"bool": "uint8"}.get(dtype, dtype if dtype in BYTES else None)

    def known(self, value: Value | None) -> NDArray[Any] | None:
        """Return the elements of a value that does not depend on the inputs, unless it is large."""
        if value is None:
            return None
        if value in self._known:
            return self._known[value]
        tensor = value.tensor
        if tensor is None or tensor.elements > MOST_FOLDED:
            return None
        content = tensor.numpy()
        if content is not None:
            self._known[value] = content
        return content

    def ints(self, value: Value | None, words: str) -> list[int] | None:
        """Return a parameter's numbers; None if it is omitted."""
        if value is None:
            return None
        content = self.known(value)
        if content is None:
            raise CannotError(f"{words} is computed from the inputs", f"Make {words} constant.")
        return [int(number) for number in content.reshape(-1)]

    def get(self, value: Value) -> MLOperand:
        """Return the operand of a value, which becomes a constant if it is stored."""
        if value in self._operands:
            return self._operands[value]
        content = self.known(value)
        if content is None and value.tensor is not None:
            operand = self._operands[value] = self._stored(value.tensor)
            return operand
        if content is None:
            raise CannotError(f"'{value.name}' cannot be read")
        operand = self._operands[value] = self.constant(content)
        return operand

    def _stored(self, tensor: Tensor) -> MLOperand:
        """Return the constant of a large tensor, which is not read yet."""
        kind = self.kind(tensor.dtype.name)
        if kind is None:
            raise CannotError(f"WebNN has no type {tensor.dtype}", "Convert it to float32.")
        if tensor.elements == 0:
            raise CannotError("a constant is empty")
        operand = MLOperand(self._name(), kind, tensor.shape)
        self.limits.require_size(kind, tensor.shape)
        self.graph.constants.append(MLConstant(operand, tensor.numpy))
        return operand

    def input(self, node: Node, index: int) -> MLOperand:
        value = node.input(index)
        if value is None:
            raise CannotError(f"input {index} is missing")
        return self.get(value)

    def optional(self, node: Node, index: int) -> MLOperand | None:
        value = node.input(index)
        return self.get(value) if value is not None else None

    def constant(self, content: NDArray[Any], dtype: str = "") -> MLOperand:
        """Return a stored operand; equal ones are stored once, if they are small."""
        kind = dtype or self.kind(str(content.dtype))
        if kind is None:
            raise CannotError(f"WebNN has no type {content.dtype}", "Convert it to float32.")
        if 0 in content.shape:
            raise CannotError("a constant is empty")
        stored = np.ascontiguousarray(content, dtype=np.dtype(kind)).reshape(content.shape)
        key = (kind, stored.shape, stored.tobytes()) if stored.size <= 64 else None
        if key is not None and key in self._constants:
            return self._constants[key]
        operand = MLOperand(self._name(), kind, stored.shape)
        self.limits.require_size(kind, stored.shape)
        self.graph.constants.append(MLConstant(operand, lambda: stored))
        if key is not None:
            self._constants[key] = operand
        return operand

    def scalar(self, number: float, like: MLOperand) -> MLOperand:
        return self.constant(np.array(number, np.dtype(like.dtype)))

    def set(self, value: Value | None, operand: MLOperand) -> None:
        """Make an operand a value of the model, in its type."""
        if value is None:
            return
        dtype = value.dtype
        wanted = self.kind(dtype.name) if dtype is not None else None
        if wanted is not None and wanted != operand.dtype:
            operand = self.cast(operand, wanted)
        self._operands[value] = operand

    def is_used(self, node: Node, index: int) -> bool:
        """Return True if an output is read or returned."""
        value = node.output(index)
        return value is not None and bool(value.consumers or value.is_output)

    # Operators.

    def call(self, method: str, **arguments: Any) -> MLOperand:
        """Add an operator with one result."""
        return self.calls(method, **arguments)[0]

    def calls(self, method: str, **arguments: Any) -> tuple[MLOperand, ...]:
        """Add an operator. Types of integers that the context does not take are replaced."""
        given = {name: value for name, value in arguments.items() if value is not None}
        self._fit(method, given)
        found = results(self.limits, method, given)
        outputs = tuple(MLOperand(self._name(), dtype, shape) for dtype, shape in found)
        node = self._node.label if self._node is not None else ""
        self.graph.calls.append(MLCall(method, given, outputs, node))
        return outputs

    def _fit(self, method: str, given: dict[str, Any]) -> None:
        """Replace types that the context does not take by others that it does."""
        replaced: dict[str, str] = {}
        for name, value in given.items():
            taken = self.limits.types(method, name)
            for operand in value if isinstance(value, list) else [value]:
                if isinstance(operand, MLOperand) and taken and operand.dtype not in taken:
                    other = _NARROW.get(operand.dtype, "")
                    if other in taken:
                        replaced[operand.dtype] = other
        if "int64" in replaced and self._node is not None:
            self.graph.narrowed.append(self._node.label)
        for name, value in given.items() if replaced else ():
            taken = self.limits.types(method, name)
            given[name] = (
                [self._narrow(each, replaced, taken) for each in value]
                if isinstance(value, list)
                else self._narrow(value, replaced, taken)
            )

    def _narrow(self, value: Any, replaced: Mapping[str, str], taken: Sequence[str]) -> Any:
        is_replaced = isinstance(value, MLOperand) and value.dtype in replaced
        if is_replaced and (not taken or replaced[value.dtype] in taken):
            return self.cast(value, replaced[value.dtype])
        return value

    def cast(self, operand: MLOperand, dtype: str) -> MLOperand:
        if operand.dtype == dtype:
            return operand
        return self.call("cast", input=operand, dataType=dtype)

    def reshape(self, operand: MLOperand, shape: Sequence[int]) -> MLOperand:
        if operand.shape == tuple(shape):
            return operand
        return self.call("reshape", input=operand, newShape=list(shape))

    def transpose(self, operand: MLOperand, order: Sequence[int]) -> MLOperand:
        if list(order) == list(range(operand.rank)):
            return operand
        return self.call("transpose", input=operand, permutation=list(order))

    def binary(self, method: str, a: MLOperand, b: MLOperand) -> MLOperand:
        if a.dtype != b.dtype and {a.dtype, b.dtype} <= {"int64", "int32"}:
            a, b = self.cast(a, "int32"), self.cast(b, "int32")
        return self.call(method, a=a, b=b)

    def with_number(self, method: str, a: MLOperand, number: float) -> MLOperand:
        return self.call(method, a=a, b=self.scalar(number, a))

    def _name(self) -> str:
        self._names += 1
        return f"t{self._names}"


def axis_of(axis: int, rank: int) -> int:
    """Return an axis counted from the front."""
    found = axis + rank if axis < 0 else axis
    if not 0 <= found < max(rank, 1):
        raise CannotError(f"axis {axis} is not one of {rank} dims")
    return found
