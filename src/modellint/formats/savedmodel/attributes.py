"""Attributes of nodes: one message each, with a field for its kind."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache

from modellint.base.text import bounded
from modellint.formats.protobuf import SHORT_ENTRY, FieldSpan, Message
from modellint.formats.savedmodel.types import tensor_shape, tensor_type
from modellint.model import Attribute, DType, Shape

LIST, TEXT, INTEGER, REAL, FLAG, TYPE, SHAPE, TENSOR, FUNCTION = 1, 2, 3, 4, 5, 6, 7, 8, 10
_SHAPES = "_output_shapes"
MOST_LISTED, MOST_KNOWN = 1 << 16, 1 << 10


class StatedAttributes:
    """The attributes of one node, or of one parameter of a function."""

    def __init__(self, message: Message, field: int = 5) -> None:
        self._message = message
        self._field = field

    @cached_property
    def _stated(self) -> Mapping[str, Message]:
        return dict(self._message.shared_entries(self._field, apart=TENSOR))

    def integer(self, name: str, default: int = 0) -> int:
        stated = self._stated.get(name)
        return stated.integer(INTEGER, default) if stated is not None else default

    def flag(self, name: str) -> bool:
        stated = self._stated.get(name)
        return stated is not None and bool(stated.integer(FLAG))

    def real(self, name: str, default: float) -> float:
        stated = self._stated.get(name)
        found = list(stated.floats(REAL)) if stated is not None else []
        return found[-1] if found else default

    def text(self, name: str, default: str = "") -> str:
        stated = self._stated.get(name)
        return bounded(stated.text(TEXT)) if stated is not None and TEXT in stated else default

    def raw(self, name: str) -> bytes:
        stated = self._stated.get(name)
        return stated.raw(TEXT) if stated is not None else b""

    def integers(self, name: str) -> tuple[int, ...]:
        listed = self._list(name)
        return tuple(listed.integers(INTEGER))[:MOST_LISTED] if listed is not None else ()

    def dtype(self, name: str) -> DType | None:
        stated = self._stated.get(name)
        return tensor_type(stated.integer(TYPE)) if stated is not None else None

    def dtypes(self, name: str) -> tuple[DType, ...]:
        listed = self._list(name)
        codes = tuple(listed.integers(TYPE))[:MOST_LISTED] if listed is not None else ()
        return tuple(map(tensor_type, codes))

    def shape(self, name: str) -> Shape | None:
        stated = self._stated.get(name)
        return tensor_shape(stated.message(SHAPE)) if stated is not None else None

    @property
    def result_shapes(self) -> tuple[Shape | None, ...]:
        """Return the shapes of the results, as far as the file states them."""
        listed = self._list(_SHAPES)
        if listed is None:
            return ()
        span = listed.span
        is_short = span.length <= SHORT_ENTRY
        return _known_shapes(listed.data[span.offset : span.end]) if is_short else _shapes(listed)

    def tensor(self, name: str) -> Message | None:
        stated = self._stated.get(name)
        return stated.message(TENSOR) if stated is not None else None

    def function(self, name: str) -> str:
        """Return the name of a function to call; empty if there is none."""
        stated = self._stated.get(name)
        called = stated.message(FUNCTION) if stated is not None else None
        return called.text(1) if called is not None else ""

    def functions(self, name: str) -> tuple[str, ...]:
        listed = self._list(name)
        return tuple(each.text(1) for each in listed.messages(9)) if listed is not None else ()

    def _list(self, name: str) -> Message | None:
        stated = self._stated.get(name)
        return stated.message(LIST) if stated is not None else None

    def plain(self) -> dict[str, Attribute]:
        """Return those that are numbers, texts or types, under their own names."""
        found: dict[str, Attribute] = {}
        for name, stated in self._stated.items():
            value = _plain(stated) if not name.startswith("_") else None
            if value is not None:
                found[bounded(name)] = value
        return found


def _shapes(listed: Message) -> tuple[Shape | None, ...]:
    return tuple(map(tensor_shape, listed.messages(SHAPE)))


@lru_cache(maxsize=MOST_KNOWN)
def _known_shapes(listed: bytes) -> tuple[Shape | None, ...]:
    return _shapes(Message(listed, FieldSpan(0, len(listed)), depth=1))


def _plain(stated: Message) -> Attribute | None:
    if TEXT in stated:
        return bounded(stated.text(TEXT))
    for field in (INTEGER, FLAG):
        if field in stated:
            return stated.integer(field)
    if REAL in stated:
        return next(stated.floats(REAL), None)
    if TYPE in stated:
        return tensor_type(stated.integer(TYPE)).name
    listed = stated.message(LIST)
    if listed is None:
        return None
    if INTEGER in listed:
        return tuple(listed.integers(INTEGER))[:MOST_LISTED]
    if REAL in listed:
        return tuple(listed.floats(REAL))[:MOST_LISTED]
    return None
