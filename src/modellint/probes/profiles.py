"""Shape ranges of dynamic inputs, passed to compilers."""

from __future__ import annotations

from dataclasses import field

from modellint.base.records import dataclass
from modellint.model import Model, Shape, Value, bind, format_shape
from modellint.runtimes.probe import Remark
from modellint.targets.deployment import Deployment, ShapeProfile

Range = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


@dataclass(slots=True)
class Profiles:
    """Ranges by input name, and remarks about missing ones."""

    ranges: dict[str, Range] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)


def profiles(model: Model, deployment: Deployment) -> Profiles:
    """Return a range for each dynamic input. The default batch is 1; nothing else is guessed."""
    found = Profiles()
    for value in model.inputs:
        if value.is_constant or value.type_name != "tensor":
            continue
        given = deployment.shapes.get(value.name)
        if given is not None:
            _from_configuration(value, given, found)
        else:
            _from_model(value, deployment, found)
    return found


def sizes(model: Model, deployment: Deployment) -> dict[str, int]:
    """Return the sizes that a deployment states for named open dims: by name, shape or batch."""
    found: dict[str, int] = {}
    for value in model.inputs:
        shape, given = value.declared_shape or (), deployment.shapes.get(value.name)
        stated: Shape = given.optimum if given is not None else (deployment.batch,)
        for dim, size in zip(shape, stated, strict=False):
            if isinstance(dim, str) and isinstance(size, int):
                found.setdefault(dim, size)
    return {**found, **deployment.symbols}


def _from_configuration(value: Value, given: ShapeProfile, found: Profiles) -> None:
    """Add a configured range if it agrees with the model's fixed dims."""
    shape = value.declared_shape
    sizes = [_whole(each) for each in (given.minimum, given.optimum, given.maximum)]
    if shape is not None and len(shape) != len(sizes[0]):
        text = f"{format_shape(sizes[2])} has {len(sizes[2])} dims, the input {len(shape)}"
        found.remarks.append(Remark("profile-invalid", text, value=value.name))
        return
    for at, dim in enumerate(shape or ()):
        wrong = next((size for size in sizes if isinstance(dim, int) and size[at] != dim), None)
        if wrong is not None:
            text = f"dim {at} is {wrong[at]}, but the model fixes it at {dim}"
            found.remarks.append(Remark("profile-invalid", text, value=value.name))
            return
    if shape is None or any(not isinstance(dim, int) for dim in shape):
        found.ranges[value.name] = (sizes[0], sizes[1], sizes[2])


def _whole(shape: Shape) -> tuple[int, ...]:
    return tuple(dim for dim in shape if isinstance(dim, int))


def _from_model(value: Value, deployment: Deployment, found: Profiles) -> None:
    shape = value.declared_shape
    if shape is None:
        found.remarks.append(Remark("profile-missing", "of unknown rank", value=value.name))
        return
    bound = bind(shape, deployment.symbols) or ()
    if bound and not isinstance(bound[0], int):
        bound = (deployment.batch or 1, *bound[1:])
    if any(not isinstance(dim, int) for dim in bound):
        found.remarks.append(Remark("profile-missing", format_shape(bound), value=value.name))
    elif bound != shape:
        sizes = _whole(bound)
        found.ranges[value.name] = (sizes, sizes, sizes)
