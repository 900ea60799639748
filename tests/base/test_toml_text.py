"""Places in TOML text, and what is being written at its end."""

from __future__ import annotations

import pytest

from modellint.base.data import data_dir, parse_toml
from modellint.base.mistakes import KeyPath
from modellint.base.toml_text import TomlText


@pytest.mark.parametrize(
    ("text", "kind", "path", "typed"),
    [
        ("", "key", (), ""),
        ("sel", "key", (), "sel"),
        ("a.b", "key", ("a",), "b"),
        ("batch = 1", "value", ("batch",), "1"),
        ("batch = ", "value", ("batch",), ""),
        ('select = ["FU', "value", ("select", 0), "FU"),
        ('select = ["A", "B', "value", ("select", 1), "B"),
        ('select = [\n  "A", # because\n  ', "value", ("select", 1), ""),
        ('select = ["A"', "none", (), ""),
        ("select = []", "none", (), ""),
        ("x = 1\n", "key", (), ""),
        ("[bud", "header", (), "bud"),
        ("[[sup", "header", (), "sup"),
        ("[budgets]\nmax", "key", ("budgets",), "max"),
        ('[[suppress]]\nrule = "x"\n[[suppress]]\nre', "key", ("suppress", 1), "re"),
        ('[[a.b]]\n[a.b.c]\nx = "', "value", ("a", "b", 0, "c", "x"), ""),
        ("severity = { FU", "key", ("severity",), "FU"),
        ('severity = { FUS001 = "in', "value", ("severity", "FUS001"), "in"),
        ('shapes = { x = { min = "1" }, y', "key", ("shapes",), "y"),
        ("x = '''\nabc", "value", ("x",), "abc"),
        ("# com", "none", (), ""),
        ("select = [] # com", "none", (), ""),
        ('a = ["x\nb = 1\nc', "key", (), "c"),
    ],
)
def test_what_is_being_written(text: str, kind: str, path: KeyPath, typed: str) -> None:
    cursor = TomlText(text).cursor
    assert (cursor.kind, cursor.path, cursor.typed) == (kind, path, typed)
    if kind != "none":
        assert text[cursor.start + len(cursor.quote) :].lstrip("\n") == typed.rpartition(".")[2]


def leaves(table: object, path: KeyPath = ()) -> dict[KeyPath, object]:
    """The values of a parsed table that contain no others, by their path."""
    parts: list[tuple[str | int, object]] = []
    if isinstance(table, dict):
        parts = list(table.items())
    elif isinstance(table, list):
        parts = list(enumerate(table))
    else:
        return {path: table}
    return {
        key: value for name, part in parts for key, value in leaves(part, (*path, name)).items()
    }


def test_places_are_those_that_the_parser_finds() -> None:
    """In every rule file; strings without escapes are where they are said to be."""
    for file in sorted(data_dir("rules").glob("f*/*.toml")):
        text = file.read_text(encoding="utf-8")
        places = {place.path: place for place in TomlText(text).places}
        for path, value in leaves(parse_toml(text)).items():
            assert path in places, (file, path)
            found = places[path]
            if isinstance(value, str) and "\\" not in value and found.text is not None:
                if "\\" in found.text:  # an escape in the file
                    continue
                assert found.text == value, (file, path)
                assert text.startswith(value, found.content), (file, path)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "a=[" * 100_000,
        "{" * 200_000,
        "a={" * 100_000,
        "a." * 100_000 + "a=1",
        "[" + "a." * 100_000 + "a]",
        '"""' + "x" * 1_000_000,
        "a='''" * 20_000,
        "[[a]]\n" * 20_000,
        "a = [\n" * 20_000,
    ],
    ids=lambda text: text[:4],
)
def test_what_is_made_to_take_long_ends(text: str) -> None:
    """Anything quadratic would take minutes."""
    assert len(TomlText(text).places) <= len(text)
