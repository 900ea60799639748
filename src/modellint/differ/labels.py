"""Labels of operations, from those that say most to the operator alone, and weaker evidence."""

from __future__ import annotations

import re
from collections.abc import Hashable

from modellint.differ.canonical import CanonicalStep
from modellint.differ.crossing import weight_sizes
from modellint.differ.samples import sample_of
from modellint.model import Value


def as_written(step: CanonicalStep) -> Hashable:
    """Operator, attributes and shapes of weights."""
    attributes = tuple(sorted([(name, _rounded(v)) for name, v in step.attributes.items()]))
    return hash((step.op, attributes, _shapes(step), _bodies(step)))


def in_common(step: CanonicalStep) -> Hashable:
    """Operator, what attributes have in common, and sizes of weights, in any format."""
    attributes = tuple(sorted([(name, str(value)) for name, value in step.attributes.items()]))
    tensors = [value.tensor for _, value in step.weights() if value.tensor is not None]
    return hash((step.op, attributes, weight_sizes(tensors)))


def by_ranks(step: CanonicalStep) -> Hashable:
    ranks = [
        len(value.tensor.shape) if value is not None and value.tensor is not None else -1
        for value in step.inputs
    ]
    return hash((step.op, tuple(sorted(ranks) if step.is_commutative else ranks)))


def by_operator(step: CanonicalStep) -> Hashable:
    return step.op


def _shapes(step: CanonicalStep) -> Hashable:
    shapes: list[tuple[int, ...]] = []
    for value in step.inputs:
        tensor = value.tensor if value is not None else None
        if tensor is not None:
            is_matrix = step.op == "MatMul" and len(tensor.shape) == 2
            shapes.append(tuple(sorted(tensor.shape)) if is_matrix else tensor.shape)
        elif not step.is_commutative:
            shapes.append((-1,))
    return tuple(shapes)


def _bodies(step: CanonicalStep) -> Hashable:
    """Operators inside a step's subgraphs."""
    return tuple(
        [
            (key, tuple(sorted((op, len(nodes)) for op, nodes in graph.by_op.items())))
            for key, graph in sorted(step.main.subgraphs.items())
        ]
    )


def _rounded(value: object) -> Hashable:
    """Return an attribute with the digits that every type of float keeps."""
    if isinstance(value, float):
        return f"{value:.2e}"
    if isinstance(value, tuple):
        return str(tuple([_rounded(each) for each in value]))
    return str(value)


_NUMBERED = re.compile(r"(?:\A|[:_])[A-Za-z]*_?\d+\Z")
"""End of a name that an exporter counted up."""


def weak_name(step: CanonicalStep) -> str:
    """Return the name of a step's weight, or its own, if it is a path rather than a number."""
    weight = largest_weight(step)
    name = weight.name if weight is not None else step.main.name
    return name if ("." in name or "/" in name) and not _NUMBERED.search(name) else ""


def sampled(step: CanonicalStep) -> bytes:
    """Return a digest of samples of a step's weight; empty if it has none."""
    weight = largest_weight(step)
    tensor = weight.tensor if weight is not None else None
    return sample_of(tensor) if tensor is not None and tensor.elements > 1 else b""


def largest_weight(step: CanonicalStep) -> Value | None:
    weights = [(v.tensor.elements, v) for _, v in step.weights() if v.tensor is not None]
    return max(weights, key=lambda weight: weight[0])[1] if weights else None
