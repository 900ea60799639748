"""Tables fit the room they have, and text keeps its styles when it is wrapped or cut."""

from __future__ import annotations

import random

import pytest
from rich.cells import cell_len

from modellint.base.text import cells
from modellint.report.table import Column, Row, figures, laid_out, markdown, names, paths, prose
from modellint.report.text import BOLD, Text

COLUMNS = (
    names("name", least=8),
    figures("bytes", drop=2),
    prose("what it is", drop=1, least=12),
    names(),
)
ROWS: list[Row] = [
    ["first", "1", "short", "x"],
    ["a/very/long/name/of/a/node", "12,345", "a sentence that goes on for a while", ""],
]


def table(room: int, columns: tuple[Column, ...] = COLUMNS) -> list[str]:
    return [line.plain for line in laid_out(columns, ROWS, room)]


def test_words_to_the_left_and_figures_to_the_right() -> None:
    assert table(100) == [
        "name                         bytes  what it is",
        "first                            1  short                                x",
        "a/very/long/name/of/a/node  12,345  a sentence that goes on for a while",
    ]


def test_names_lose_their_middle_and_prose_its_end() -> None:
    *_, last = table(50)
    assert last == "a/ver…me/of/a/node  12,345  a sentence that go…"


def test_columns_are_dropped_in_their_order_once_nothing_can_shrink() -> None:
    assert table(26)[0] == "name              bytes"
    assert table(12)[0] == "name"


@pytest.mark.parametrize("room", range(8, 90))
def test_no_line_is_wider_than_the_room(room: int) -> None:
    assert max(map(cells, table(room))) <= room


def test_empty_columns_and_missing_headings_take_no_room() -> None:
    rows: list[Row | None] = [["a", "", "b"], None, ["all"]]
    lines = [line.plain for line in laid_out([names(), names("gone"), names()], rows, 20)]
    assert lines == ["a    b", "──────", "all"]
    assert list(laid_out(COLUMNS, [], 20)) == []


def test_markdown() -> None:
    assert list(markdown(("a", "b"), [("1", "2")])) == ["| a | b |", "| --- | --- |", "| 1 | 2 |"]


TEXT = Text("one two ") + Text("three", BOLD) + Text(" four")


def test_wrapped_text_keeps_its_styles() -> None:
    assert [line.plain for line in TEXT.wrapped(9)] == ["one two", "three", "four"]
    assert [line.ansi() for line in TEXT.wrapped(9)] == ["one two", "\x1b[1mthree\x1b[0m", "four"]
    assert [line.plain for line in Text("abcdefg").wrapped(3)] == ["abc", "def", "g"]
    assert Text().wrapped(5)[0].plain == ""


def test_links_are_escape_sequences_too() -> None:
    assert Text("x", link="http://a").ansi() == "\x1b]8;;http://a\x1b\\x\x1b]8;;\x1b\\"


@pytest.mark.parametrize("seed", range(200))
def test_any_text_is_wrapped_within_the_width_and_loses_no_word(seed: int) -> None:
    chance = random.Random(seed)
    text = "".join(chance.choice("ab c×名é🙂-/,.") for _ in range(60)).strip()
    width = chance.randint(2, 30)
    lines = [line.plain for line in Text(text).wrapped(width)]
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_paths_are_whole_on_several_lines() -> None:
    rows: list[Row] = [["folder/another/a-long-name.onnx", "1"], ["nine without findings", "2"]]
    lines = [line.plain for line in laid_out([paths("model", least=8), figures("n")], rows, 20)]
    assert lines == [
        "model              n",
        "folder/another/    1",
        "  a-long-name.onn",
        "  x",
        "nine without       2",
        "  findings",
    ]
