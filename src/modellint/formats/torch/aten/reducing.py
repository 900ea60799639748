"""Reductions, and operators that sort the elements of an axis."""

from __future__ import annotations

from collections.abc import Mapping

from modellint.formats.meanings import meanings
from modellint.formats.torch.aten.arguments import AtenArguments
from modellint.formats.torch.aten.stated import Meaning, Stated, axis_of, rank_of, same_types


def _reduction(given: AtenArguments) -> Stated | None:
    data, result = given.tensor("self"), given.result
    axes = given.ints("dim") if "dim" in given else ()
    if axes is None or not same_types(data, result):
        return None
    keeps = int(given.flag("keepdim"))
    if not axes:
        return (data,), {"keepdims": keeps}
    return (data, given.constant("dim", axes, "int64")), {"keepdims": keeps}


def _arg(given: AtenArguments) -> Stated | None:
    data = given.tensor("self")
    axis = axis_of(given, "dim", data)
    if axis is None:
        return None
    return (data,), {"axis": axis, "keepdims": int(given.flag("keepdim"))}


def _norm(given: AtenArguments) -> Stated | None:
    axes = given.ints("dim") if "dim" in given else ()
    if given.number("ord", 2) != 2 or axes is None:
        return None
    data, keeps = given.tensor("self"), int(given.flag("keepdim"))
    inputs = (data, given.constant("dim", axes, "int64")) if axes else (data,)
    return (inputs, {"keepdims": keeps}) if same_types(data, given.result) else None


def _cumsum(given: AtenArguments) -> Stated | None:
    data, axis = given.tensor("self"), given.integer("dim")
    if axis is None or not same_types(data, given.result):
        return None
    return (data, given.constant("dim", axis, "int64")), {}


def _topk(given: AtenArguments) -> Stated | None:
    count, data = given.integer("k"), given.tensor("self")
    if count is None:
        return None
    attributes = {
        "axis": given.integer("dim", -1) or 0,
        "largest": int(given.flag("largest", default=True)),
        "sorted": int(given.flag("sorted", default=True)),
    }
    return (data, given.constant("k", (count,), "int64")), attributes


def _softmax(given: AtenArguments) -> Stated | None:
    data, axis = given.tensor("self"), given.integer("dim")
    if axis is None or not same_types(data, given.result) or not rank_of(data):
        return None
    return (data,), {"axis": axis}


_BY_NAME: Mapping[str, Meaning] = {
    "arg": _arg,
    "cumsum": _cumsum,
    "norm": _norm,
    "reduction": _reduction,
    "softmax": _softmax,
    "topk": _topk,
}
MEANINGS: Mapping[str, Meaning] = meanings(
    """
arg: argmax argmin
cumsum: cumsum
norm: linalg_vector_norm
reduction: mean sum amax amin
softmax: softmax _softmax log_softmax _log_softmax
topk: topk
""",
    _BY_NAME,
)
