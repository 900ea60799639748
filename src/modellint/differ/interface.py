"""Changes of what programs that use a model depend on, and which of them break those programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from modellint.differ.crossing import is_crossing
from modellint.formats.onnx.facts import onnx_facts
from modellint.model import Model, Value
from modellint.model.dims import Shape
from modellint.results.difference import InterfaceChange

Ends = Sequence[tuple[Value | None, Value | None]]

_STANDARD = ("", "ai.onnx.ml")


def interface_changes(
    old: Model, new: Model, inputs: Ends, outputs: Ends
) -> Iterator[InterfaceChange]:
    """Iterate over changes of inputs, outputs, operator sets and metadata."""
    changes = _all_changes(old, new, inputs, outputs)
    yield from _between_formats(changes) if is_crossing(old, new) else changes


def _between_formats(changes: Iterable[InterfaceChange]) -> Iterator[InterfaceChange]:
    """Iterate over differences between formats, each of which has its own names and layouts."""
    for change in changes:
        sizes = [_sizes(shape) for shape in (change.old, change.new)]
        if change.aspect in ("name", "order"):
            yield replace(change, breaking=False, why="")
        elif change.aspect != "shape":
            yield change
        elif sorted(sizes[0]) == sorted(sizes[1]):
            if sizes[0] != sizes[1]:
                yield replace(change, breaking=False, why="in another layout")
        else:
            yield change


def _sizes(shape: str | None) -> list[str]:
    """Return the dims of a shape without the names of open ones."""
    dims = (shape or "").strip("[]").split(", ")
    return [dim if dim.isdecimal() else "?" for dim in dims]


def _all_changes(old: Model, new: Model, inputs: Ends, outputs: Ends) -> Iterator[InterfaceChange]:
    yield from _end_changes("input", inputs)
    yield from _order("input", old.inputs, new.inputs, inputs)
    yield from _end_changes("output", outputs)
    yield from _order("output", old.outputs, new.outputs, outputs)
    yield from _opset_changes(old, new)
    yield from _metadata_changes(old, new)


def _end_changes(what: str, ends: Ends) -> Iterator[InterfaceChange]:
    for old, new in ends:
        if old is not None and new is not None:
            yield from _changes_of(what, old, new)
        elif old is not None:
            yield _change(what, old.name, "removed", _described(old), None, _REMOVED[what])
        elif new is not None:
            needed = _ADDED if what == "input" and not new.is_constant else ""
            yield _change(what, new.name, "added", None, _described(new), needed)


_REMOVED = {
    "input": "callers that pass it are refused",
    "output": "callers that ask for it are refused",
}
_ADDED = "callers do not pass it yet"
_RENAMED = {
    "input": "callers pass it by its old name",
    "output": "callers ask for it by its old name",
}


def _changes_of(what: str, old: Value, new: Value) -> Iterator[InterfaceChange]:
    name = new.name
    if old.name != name:
        yield _change(what, name, "name", old.name, name, _RENAMED[what])
    types = [_type(old), _type(new)]
    if types[0] != types[1] and None not in (old.declared_dtype, new.declared_dtype):
        takes = f"it takes {types[1]} only" if what == "input" else f"callers get {types[1]}"
        yield _change(what, name, "type", types[0], types[1], takes)
    shapes = old.declared_shape, new.declared_shape
    if shapes[0] != shapes[1] and None not in shapes:
        why = _broken_shape(what, shapes[0] or (), shapes[1] or ())
        yield _change(what, name, "shape", _shape(shapes[0]), _shape(shapes[1]), why)


def _broken_shape(what: str, old: Shape, new: Shape) -> str:
    """Return why a shape breaks callers; an input may take more, and an output may vary less."""
    if len(old) != len(new):
        return f"it has {len(new)} dims instead of {len(old)}"
    for axis, (before, after) in enumerate(zip(old, new, strict=True)):
        if before == after or not isinstance(after, int):
            continue
        if isinstance(before, int):
            return f"axis {axis} is {after} instead of {before}"
        if what == "input":
            return f"axis {axis} takes only {after}"
    return ""


def _order(
    what: str, old: Sequence[Value], new: Sequence[Value], ends: Ends
) -> Iterator[InterfaceChange]:
    """Report another order of what both models have."""
    pairs = [(one, other) for one, other in ends if one is not None and other is not None]
    place, places = {v: at for at, v in enumerate(old)}, {v: at for at, v in enumerate(new)}
    by_old = sorted(pairs, key=lambda pair: place.get(pair[0], 0))
    by_new = sorted(pairs, key=lambda pair: places.get(pair[1], 0))
    if by_old != by_new:
        before, after = (", ".join(pair[0].name for pair in each) for each in (by_old, by_new))
        why = "results come in the order of the outputs" if what == "output" else ""
        yield _change(what, pairs[0][1].name, "order", before, after, why)


def _opset_changes(old: Model, new: Model) -> Iterator[InterfaceChange]:
    before, after = onnx_facts(old).opsets, onnx_facts(new).opsets
    used = {node.domain for node in new.nodes(functions=True)} if before and after else set()
    for domain in sorted({*before, *after}):
        one, other = before.get(domain), after.get(domain)
        if one == other or not (before and after):
            continue
        name = domain or "ai.onnx"
        if one is None:
            is_new = domain in used and domain not in _STANDARD
            why = "only runtimes that know this domain load the model" if is_new else ""
            yield _change("opset", name, "added", None, str(other), why)
        elif other is None:
            yield _change("opset", name, "removed", str(one), None, "")
        else:
            yield _change("opset", name, "version", str(one), str(other), "")


def _metadata_changes(old: Model, new: Model) -> Iterator[InterfaceChange]:
    for key in sorted({*old.metadata, *new.metadata}):
        one, other = old.metadata.get(key), new.metadata.get(key)
        if one != other:
            aspect = "added" if one is None else "removed" if other is None else "value"
            yield _change("metadata", key, aspect, one, other, "")


def _change(
    what: str, name: str, aspect: str, old: str | None, new: str | None, why: str
) -> InterfaceChange:
    return InterfaceChange(what, name, aspect, old, new, bool(why), why)  # type: ignore[arg-type]


def _described(value: Value) -> str:
    return f"{_type(value)} {_shape(value.declared_shape)}".strip()


def _type(value: Value) -> str:
    kind = "" if value.type_name == "tensor" else f"{value.type_name} of "
    return f"{kind}{value.declared_dtype or '?'}"


def _shape(shape: Shape | None) -> str:
    return "" if shape is None else f"[{', '.join('?' if d is None else str(d) for d in shape)}]"
