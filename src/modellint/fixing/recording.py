"""Recording of shapes: what inference knows of inner values becomes part of the file."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.base.text import counted
from modellint.model import Model, Shape, Value
from modellint.model.edits import Fix, SetShape


def recorded_shapes(model: Model) -> Fix | None:
    """Return the edits that state all shapes which the main graph leaves out; None without any.

    Sizes that are not known stay open, and those that depend on inputs keep the inputs' names.
    """
    edits = tuple(_missing(model))
    if not edits:
        return None
    return Fix(edits, f"Records {counted(len(edits), 'shape')}.")


def _missing(model: Model) -> Iterator[SetShape]:
    ends = (*model.graph.inputs, *model.graph.outputs)
    names = {dim for value in ends for dim in value.declared_shape or () if isinstance(dim, str)}
    for node in model.graph.nodes:
        for value in node.outputs:
            if value is None or value.is_constant or value.is_output:
                continue
            shape = _known(value, names)
            if shape is not None and shape != value.declared_shape:
                yield SetShape(value, shape)


def _known(value: Value, names: set[str]) -> Shape | None:
    """Return the shape that inference is certain of, if it says more than the file."""
    shape, stated = value.shape, value.declared_shape
    if shape is None or value.dtype is None or value.type_name != "tensor":
        return None
    if stated is None:
        return tuple(dim if isinstance(dim, int) or dim in names else None for dim in shape)
    if len(stated) != len(shape):
        return None
    return tuple(
        new if old is None and isinstance(new, int) else old
        for old, new in zip(stated, shape, strict=True)
    )
