"""Our dataclasses against those of the standard library: the same in all that is used of them."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, asdict, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar

import pytest
from pydantic import TypeAdapter, ValidationError

from modellint.base.records import FEW, dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list, compare=False)
    secret: int = field(default=7, repr=False)
    more: dict[str, int] = field(default_factory=dict, hash=False, repr=False)

    KIND: ClassVar[str] = "point"

    def moved(self, by: int) -> Point:
        return replace(self, x=self.x + by)


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list, compare=False)
    secret: int = field(default=7, repr=False)
    more: dict[str, int] = field(default_factory=dict, hash=False, repr=False)

    KIND: ClassVar[str] = "point"


@dataclass(slots=True)
class Mutable:
    x: int
    later: int = field(init=False)


@dataclass(frozen=True)
class Remembering:
    x: int

    @cached_property
    def double(self) -> int:
        return self.x * 2


@dataclass(frozen=True, slots=True, eq=False)
class Itself:
    x: int


@dataclass(frozen=True, slots=True)
class Shape:
    corners: tuple[Point, ...] = ()


@pytest.mark.parametrize("make", [Point, Theirs])
def test_init(make: Any) -> None:
    point = make(1, tags=["a"])
    assert (point.x, point.y, point.tags, point.secret) == (1, 0, ["a"], 7)
    assert make(1).tags is not make(1).tags
    assert point.KIND == "point"
    for wrong in ([], [1, 2, [], 4, {}, 6]):
        with pytest.raises(TypeError):
            make(*wrong)
    with pytest.raises(TypeError):
        make(1, z=3)


def test_the_first_objects_are_like_the_later_ones() -> None:
    @dataclass(frozen=True, slots=True)
    class Fresh:
        x: int
        tags: list[str] = field(default_factory=list)

    for _ in range(FEW + 2):
        made = (Fresh(1), Fresh(1, ["a"]), Fresh(tags=["b"], x=2))
        assert [(each.x, each.tags) for each in made] == [(1, []), (1, ["a"]), (2, ["b"])]
        assert Fresh(1).tags is not Fresh(1).tags


@pytest.mark.parametrize("wrong", [{}, {"x": 1, "z": 2}, {"y": 1}])
def test_wrong_arguments_name_what_is_wrong(wrong: dict[str, int]) -> None:
    @dataclass(slots=True)
    class Fresh:
        x: int

    for _ in range(2):
        with pytest.raises(TypeError, match=r"Fresh.__init__\(\) (missing|got an unexpected)"):
            Fresh(**wrong)
        with pytest.raises(TypeError, match="multiple values"):
            Fresh(1, x=1)  # type: ignore[misc]


@pytest.mark.parametrize("make", [Point, Theirs])
def test_comparison(make: Any) -> None:
    assert make(1, tags=["a"]) == make(1, tags=["b"])
    assert hash(make(1, tags=["a"])) == hash(make(1, tags=["b"]))
    assert make(1) != make(2)
    assert make(1, more={"a": 1}) != make(1)
    assert make(1) != (1, 0, [], 7, {})


@pytest.mark.parametrize("make", [Point, Theirs])
def test_frozen(make: Any) -> None:
    point = make(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        point.x = 2
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del point.x


@pytest.mark.parametrize("make", [Point, Theirs])
def test_what_the_library_knows_of_it(make: Any) -> None:
    point = make(1)
    assert [each.name for each in fields(point)] == ["x", "y", "tags", "secret", "more"]
    assert [each.type for each in fields(point)][2:4] == ["list[str]", "int"]
    assert replace(point, y=5) == make(1, 5)
    assert is_dataclass(type(point))
    assert asdict(point) == {"x": 1, "y": 0, "tags": [], "secret": 7, "more": {}}
    assert repr(point).partition("(")[2] == "x=1, y=0, tags=[])"
    match point:
        case Point(x, y) | Theirs(x, y):
            assert (x, y) == (1, 0)
        case _:
            pytest.fail("no match")


@pytest.mark.parametrize("value", [Point(1, 2, ["a"]), Remembering(3), Shape((Point(1),))])
def test_copies(value: Any) -> None:
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.copy(value) == value
    assert copy.deepcopy(value) == value


class Roomy(Itself):
    """A subclass with another layout."""


class Bare(Itself):
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Further(Itself):
    type: int


@dataclass(frozen=True, slots=True)
class Box(Generic[T]):
    x: int


@pytest.mark.parametrize("cls", [Itself, Roomy, Bare, Further, Box])
def test_objects_keep_their_class(cls: type[Any]) -> None:
    made = [cls(at) for at in range(3 * FEW)]
    assert {type(each) for each in made} == {cls}
    values = [getattr(each, fields(each)[0].name) for each in made]
    assert values == list(range(3 * FEW))
    with pytest.raises(FrozenInstanceError):
        made[-1].x = 5


def test_mutable() -> None:
    value = Mutable(1)
    assert not hasattr(value, "later")
    value.x, value.later = 2, 3
    assert (value.x, value.later) == (2, 3)
    with pytest.raises(TypeError):
        hash(value)
    with pytest.raises(AttributeError):
        value.other = 1  # type: ignore[attr-defined]


def test_without_comparison() -> None:
    value = Itself(1)
    assert value != Itself(1)
    assert len({value, Itself(1)}) == 2


def test_cached_properties_have_room() -> None:
    value = Remembering(2)
    assert value.double is value.double
    assert value == Remembering(2)


def test_methods_stay() -> None:
    assert Point(1).moved(2) == Point(3)
    assert Point.__qualname__ == "Point"
    assert Point.__module__ == __name__


def test_pydantic_validates_it() -> None:
    adapter = TypeAdapter(Shape)
    assert adapter.validate_python({"corners": [{"x": "1"}]}) == Shape((Point(1),))
    with pytest.raises(ValidationError):
        adapter.validate_python({"corners": [{"y": 1}]})
