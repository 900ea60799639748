"""Forms of PyTorch's operators that delegates refuse, in words; an empty text if they may be taken.

Tables name each with `aten`, and give its limits:

[[form]]
op = "aten.mean.dim"
aten = "axes"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from modellint.forms.facts import Facts
from modellint.model import Node, Value, is_static, small_constant

Condition = Mapping[str, Any]


def mixed_types(facts: Facts, node: Node, _: Condition) -> str:
    """Describe tensors of different types."""
    names = list(dict.fromkeys(name for value in _tensors(node) if (name := _type(facts, value))))
    return f"tensors of types {' and '.join(names)}" if len(names) > 1 else ""


def tensor_type(facts: Facts, node: Node, limits: Condition) -> str:
    """Describe a tensor of an unsupported type."""
    for value in _tensors(node):
        name = _type(facts, value)
        if name and name not in limits["types"]:
            return f"{name} ('{value.name}')"
    return ""


def tensor_rank(facts: Facts, node: Node, limits: Condition) -> str:
    """Describe a tensor of more dims than are supported."""
    for value in _tensors(node):
        shape = facts.shape(value)
        if shape is not None and len(shape) > limits["highest"]:
            return f"a tensor of rank {len(shape)} ('{value.name}')"
    return ""


def open_shape(facts: Facts, node: Node, _: Condition) -> str:
    """Describe a tensor with an open dim."""
    for value in _tensors(node):
        if not is_static(facts.shape(value)):
            return f"a dim of '{value.name}' that is open"
    return ""


def open_result(facts: Facts, node: Node, _: Condition) -> str:
    """Describe a result with an open dim."""
    value = node.output()
    if value is None or is_static(facts.shape(value)):
        return ""
    return f"a dim of '{value.name}' that is open"


def open_batch(facts: Facts, node: Node, _: Condition) -> str:
    """Describe an input whose first dim is open."""
    value = node.input(0)
    shape = facts.shape(value) if value is not None else None
    if value is None or not shape or isinstance(shape[0], int):
        return ""
    return f"a batch of '{value.name}' that is open"


def inner_axis(facts: Facts, node: Node, _: Condition) -> str:
    """Describe an axis other than the last one."""
    value, axis = node.input(0), node.attributes.get("axis", node.attributes.get("dim"))
    shape = facts.shape(value) if value is not None else None
    if shape is None or not isinstance(axis, int) or axis in (-1, len(shape) - 1):
        return ""
    return f"axis {axis} of {len(shape)}"


def inner_dim_added(facts: Facts, node: Node, _: Condition) -> str:
    """Describe a new dim that is not the last one."""
    value, axes = node.input(0), _numbers(node.input(1))
    shape = facts.shape(value) if value is not None else None
    if shape is None or not axes or axes[0] in (-1, len(shape)):
        return ""
    return f"a new dim {axes[0]:.0f} that is not the last one"


def other_number(_: Facts, node: Node, limits: Condition) -> str:
    """Describe a second operand that is not one of some numbers."""
    numbers = _numbers(node.input(1))
    refused = [each for each in numbers if each not in limits["only"]]
    return f"{limits['called']} {refused[0]:g}" if refused else ""


def other_mean(facts: Facts, node: Node, _: Condition) -> str:
    """Describe a mean over anything but the plane of an image whose dims are kept."""
    value, axes = node.input(0), _numbers(node.input(1))
    shape = facts.shape(value) if value is not None else None
    rank = len(shape) if shape is not None else 4
    if rank != 4:
        return f"an input of rank {rank}"
    if sorted(axis % rank for axis in axes) != [2, 3]:
        return f"axes {', '.join(f'{axis:.0f}' for axis in axes) or 'that are all'}"
    return "" if node.get_int("keepdims", node.get_int("keepdim", 0)) else "dims that are removed"


def same_inputs(_: Facts, node: Node, __: Condition) -> str:
    """Describe the same tensor given again and again."""
    given = {id(value) for value in node.inputs if value is not None}
    return "one tensor only" if len(given) == 1 else ""


def _tensors(node: Node) -> Iterator[Value]:
    """Iterate over inputs and results, save the numbers that the standard takes as tensors."""
    made = tuple(f"{value.name}." for value in node.outputs if value is not None)
    for value in (*node.inputs, *node.outputs):
        if value is not None and not (value.is_constant and value.name.startswith(made)):
            yield value


def _numbers(value: Value | None) -> list[float]:
    stored = small_constant(value)
    return [] if stored is None else [float(each) for each in stored.flat]


def _type(facts: Facts, value: Value) -> str:
    dtype = facts.dtype(value)
    return dtype.name if dtype is not None else ""


OF_NODE: Mapping[str, Callable[[Facts, Node, Condition], str]] = {
    "inner-axis": inner_axis,
    "inner-dim-added": inner_dim_added,
    "mixed-types": mixed_types,
    "open-batch": open_batch,
    "open-result": open_result,
    "open-shape": open_shape,
    "other-mean": other_mean,
    "other-number": other_number,
    "same-inputs": same_inputs,
    "tensor-rank": tensor_rank,
    "tensor-type": tensor_type,
}
"""Forms by the name that tables give them."""
