"""Configured shapes of a deployment compared to the model's declared shapes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from modellint.checks.api import Context, Hit
from modellint.checks.placement import is_loaded
from modellint.model import format_shape, product
from modellint.model.features import OPEN_INPUT
from modellint.targets.deployment import ShapeProfile
from modellint.targets.profiles import InputProfile, dim_ranges, input_profiles, symbol_ranges


def profile_missing(context: Context) -> Iterator[Hit]:
    """Models with open dims, none of which the configuration sets."""
    if context.lacks([OPEN_INPUT]):
        return
    dynamic = [profile for profile in _profiles(context) if profile.is_dynamic]
    if not dynamic or any(_is_told(profile) for profile in dynamic) or not is_loaded(context):
        return
    names = [profile.value.name for profile in dynamic]
    if not context.deployment.shapes.keys().isdisjoint(names):
        return  # those that do not fit are DYN004
    strangers = sorted(set(context.deployment.shapes) - set(names))
    yield Hit(
        dynamic[0].value,
        {"inputs": names, "configured": strangers},
        variant="strangers" if strangers else "",
    )


def dim_without_profile(context: Context) -> Iterator[Hit]:
    """Inputs with open dims that the configuration omits while setting others."""
    if context.lacks([OPEN_INPUT]):
        return
    dynamic = [profile for profile in _profiles(context) if profile.is_dynamic]
    if not any(_is_told(profile) for profile in dynamic):
        return
    for profile in dynamic:
        if profile.open_axes:
            names = [str(profile.declared[axis] or f"axis {axis}") for axis in profile.open_axes]
            yield Hit(profile.value, {"dims": names, "shape": format_shape(profile.declared)})


def _is_told(profile: InputProfile) -> bool:
    """Return True if the deployment sets at least one of the open dims."""
    return any(
        not isinstance(dim, int) and known is not None
        for dim, known in zip(profile.declared, profile.ranges, strict=True)
    )


def profile_contradicts_model(context: Context) -> Iterator[Hit]:
    """Configured shapes that the model does not accept."""
    if not context.deployment.shapes:
        return
    symbols = symbol_ranges(context.model, context.deployment)
    for profile in _profiles(context):
        configured = context.deployment.shapes.get(profile.value.name)
        if configured is None:
            continue
        facts = {
            "configured": format_shape(configured.optimum),
            "shape": format_shape(profile.declared),
            "dims": len(profile.declared),
        }
        if len(configured.optimum) != len(profile.declared):
            yield Hit(profile.value, facts, variant="rank")
            continue
        for axis, (dim, range_) in enumerate(
            zip(profile.declared, dim_ranges(configured), strict=True)
        ):
            facts |= {"axis": str(axis), "dim": str(dim), "range": _range_text(range_)}
            if isinstance(dim, int) and range_ != (dim, dim, dim):
                yield Hit(profile.value, facts)
                break
            if isinstance(dim, str) and symbols[dim] != range_:
                facts["other"] = _range_text(symbols[dim])
                yield Hit(profile.value, facts, variant="symbol")
                break


def _range_text(range_: tuple[int, int, int]) -> str:
    return str(range_[0]) if len(set(range_)) == 1 else "..".join(map(str, range_))


def profile_too_wide(context: Context) -> Iterator[Hit]:
    """Inputs whose largest configured shape is many times the usual one."""
    if context.lacks([OPEN_INPUT]):
        return
    for profile in _profiles(context):
        if profile.open_axes or not profile.is_dynamic:
            continue
        usual, largest = product(profile.bound(1)), product(profile.bound(2))
        if usual and largest / usual >= context.options["factor"]:
            facts = {
                "factor": f"{largest / usual:.0f}",
                "optimum": format_shape(profile.bound(1)),
                "maximum": format_shape(profile.bound(2)),
            }
            yield Hit(profile.value, facts | _activations(context))


def _activations(context: Context) -> dict[str, object]:
    """Return the bytes of activations at the configured maximum and optimum."""
    from modellint.analysis.memory import memory  # a heavy import for a rare finding

    optimum = {
        name: ShapeProfile(profile.optimum, profile.optimum, profile.optimum)
        for name, profile in context.deployment.shapes.items()
    }
    usual = memory(context.model, replace(context.deployment, shapes=optimum))
    largest = context.analysis(memory)
    return {"most": largest.activations.expected, "usual": usual.activations.expected}


def static_batch_one(context: Context) -> Iterator[Hit]:
    """Models with a fixed batch of 1 on a device built for larger ones."""
    target = context.deployment.target
    if target is None or target.is_unified_memory:
        return
    fed = _profiles(context)
    if not fed or any(not profile.declared for profile in fed):
        return
    shapes = [profile.declared for profile in fed]
    shapes += [shape for value in context.model.outputs if (shape := context.shape(value))]
    if all(shape[0] == 1 for shape in shapes):
        yield Hit(fed[0].value, {"shape": format_shape(fed[0].declared)})


def _profiles(context: Context) -> tuple[InputProfile, ...]:
    return context.analysis(input_profiles)
