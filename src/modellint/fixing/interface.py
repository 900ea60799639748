"""Inputs and outputs as callers see them."""

from __future__ import annotations

from modellint.model import Model, Value, format_shape


def interface_difference(old: Model, new: Model) -> str:
    """Describe the first difference of what callers see; an unnamed dim may get a name."""
    for kind in ("input", "output"):
        before, after = (_seen(model, kind) for model in (old, new))
        now = {value.name: value for value in after}
        for value in before:
            if value.name not in now:
                return f"{kind} {value.name!r} would be gone"
            if not _is_alike(value, now[value.name]):
                return f"{kind} {value.name!r} would be {_type_of(now[value.name])}"
        if [value.name for value in before] != [value.name for value in after]:
            return f"{kind}s would change or be reordered"
    return ""


def _seen(model: Model, kind: str) -> list[Value]:
    return model.fed if kind == "input" else model.outputs


def _is_alike(old: Value, new: Value) -> bool:
    before, after = old.declared_shape, new.declared_shape
    if old.declared_dtype is not new.declared_dtype:
        return False
    if before is None or after is None:
        return before is after
    return len(before) == len(after) and all(
        one == other or (one is None and isinstance(other, str))
        for one, other in zip(before, after, strict=True)
    )


def _type_of(value: Value) -> str:
    return f"{value.declared_dtype} {format_shape(value.declared_shape)}"
