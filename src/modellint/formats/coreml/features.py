"""Descriptions of inputs, outputs and states: FeatureTypes.proto."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from modellint.base.text import bounded
from modellint.formats.coreml.facts import Feature
from modellint.formats.protobuf import Message
from modellint.model import DTYPES, HIGHEST_RANK, DType, Shape

NAME, TYPE, OPTIONAL = 1, 3, 1000
IMAGE, MULTI_ARRAY, STATE = 4, 5, 8
KINDS: Mapping[int, str] = {
    1: "int64",
    2: "double",
    3: "string",
    IMAGE: "image",
    MULTI_ARRAY: "multiArray",
    6: "dictionary",
    7: "sequence",
    STATE: "state",
}
ARRAY_TYPES: Mapping[int, str] = {
    65552: "float16",
    65568: "float32",
    65600: "float64",
    131080: "int8",
    131104: "int32",
}
COLOR_SPACES: Mapping[int, str] = {10: "GRAYSCALE", 20: "RGB", 30: "BGR", 40: "GRAYSCALE_FLOAT16"}
SHAPE, DATA_TYPE, ENUMERATED, RANGED = 1, 2, 21, 31
WIDTH, HEIGHT, COLOR_SPACE = 1, 2, 3
MOST_SHAPES = 1024
"""Maximum number of enumerated shapes to look at; Core ML takes 128."""


def feature(described: Message) -> Feature:
    """Return a feature from its description."""
    name, type = bounded(described.text(NAME)), described.message(TYPE)
    if type is None:
        return Feature(name, "")
    is_optional = bool(type.integer(OPTIONAL))
    for number, kind in KINDS.items():
        content = type.message(number)
        if content is None:
            continue
        if number == STATE:
            content = content.message(1)
        if number in (MULTI_ARRAY, STATE) and content is not None:
            return _array(name, kind, content, is_optional)
        if number == IMAGE and content is not None:
            return _image(name, content, is_optional)
        return Feature(name, kind, is_optional=is_optional)
    return Feature(name, "", is_optional=is_optional)


def _array(name: str, kind: str, array: Message, is_optional: bool) -> Feature:
    enumerated, ranged = array.message(ENUMERATED), array.message(RANGED)
    shapes = enumerated.messages(1)[:MOST_SHAPES] if enumerated is not None else []
    ranges = ranged.messages(1)[:HIGHEST_RANK] if ranged is not None else []
    return Feature(
        name,
        kind,
        ARRAY_TYPES.get(array.integer(DATA_TYPE), ""),
        _dims(array),
        tuple(map(_dims, shapes)),
        tuple(map(_range, ranges)),
        is_optional,
    )


def _dims(message: Message) -> tuple[int, ...]:
    return tuple(islice(message.integers(SHAPE), HIGHEST_RANK))


def _range(message: Message) -> tuple[int, int | None]:
    """Return bounds; a negative or absent upper bound means none."""
    high = message.integer(2)
    return message.integer(1), high if high > 0 else None


def _image(name: str, image: Message, is_optional: bool) -> Feature:
    enumerated, ranged = image.message(ENUMERATED), image.message(RANGED)
    sizes = enumerated.messages(1)[:MOST_SHAPES] if enumerated is not None else []
    ranges = []
    if ranged is not None:
        both = ranged.message(HEIGHT), ranged.message(WIDTH)
        ranges = [_range(each) for each in both if each is not None]
    return Feature(
        name,
        "image",
        COLOR_SPACES.get(image.integer(COLOR_SPACE), ""),
        (image.integer(HEIGHT), image.integer(WIDTH)),
        tuple((size.integer(HEIGHT), size.integer(WIDTH)) for size in sizes),
        tuple(ranges),
        is_optional,
    )


def dtype_of(feature: Feature) -> DType | None:
    """Return the element type in which the network sees a feature."""
    if feature.kind == "image":
        return DTYPES["float32"]
    scalars = {"double": "float64", "int64": "int64", "string": "string"}
    return DTYPES.get(scalars.get(feature.kind, feature.dtype))


def shape_of(feature: Feature) -> Shape | None:
    """Return the shape of a multi-array, with flexible dims open."""
    if feature.kind not in ("multiArray", "state") or not feature.shape:
        return None
    dims = list(feature.shape)
    for at, (low, high) in enumerate(feature.ranges[: len(dims)]):
        if low != high:
            dims[at] = -1
    for other in feature.shapes:
        if len(other) == len(dims):
            dims = [dim if dim == size else -1 for dim, size in zip(dims, other, strict=True)]
    return tuple(None if dim < 0 else dim for dim in dims)
