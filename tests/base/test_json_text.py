"""JSON of others is read, whatever its texts hold."""

from __future__ import annotations

import pytest

from modellint.base.json_text import parse_json


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (r"\ud83d\ude00", "\U0001f600"),
        (r"a\ud83db", "a\ufffdb"),
        (r"\uDE00\ud83d", "\ufffd\ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\\ud83d", r"\ud83d"),
        (r"\\\ud83d", "\\\ufffd"),
    ],
)
def test_half_of_a_pair_is_no_text(written: str, text: str) -> None:
    assert parse_json(f'["{written}"]') == [text]
    assert parse_json(f'["{written}"]'.encode()) == [text]


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        parse_json(b'["\xed\xa0\x80"]')
