"""Messages are filled in from a rule's words."""

from __future__ import annotations

import pytest

from modellint.rules.message import as_prose, fill, mistake_in
from modellint.rules.registry import load_rules

NODES = "{nodes} {nodes:plural|node needs|nodes need} it."


@pytest.mark.parametrize(
    ("nodes", "said"),
    [(1, "1 node needs it."), (2, "2 nodes need it."), (0, "0 nodes need it.")],
)
def test_a_word_goes_with_its_number(nodes: int, said: str) -> None:
    assert fill(NODES, {"nodes": nodes}) == said


@pytest.mark.parametrize(
    ("names", "said"), [(["a"], "'a' is never used"), (["a", "b"], "'a' and 'b' are never used")]
)
def test_a_word_goes_with_how_many_names_there_are(names: list[str], said: str) -> None:
    assert fill("{names:list} {names:plural|is|are} never used", {"names": names}) == said


def test_documentation_speaks_of_many() -> None:
    assert as_prose(NODES) == "‹nodes› nodes need it."


@pytest.mark.parametrize(
    ("template", "value", "said"),
    [
        ("{x:bytes}", 512, "512 B"),
        ("{x:bytes}", 1536, "1.5 KiB"),
        ("{x:bytes}", 3 << 40, "3 TiB"),
        ("{x:count}", 25_600_000, "25.6 M"),
        ("{x:count}", 12, "12"),
        ("{x:.1f}", 2.25, "2.2"),
        ("{x:list}", ["a", "b", "c", "d", "e"], "'a', 'b', 'c' and 2 more"),
    ],
)
def test_figures_and_lists_are_put_for_people(template: str, value: object, said: str) -> None:
    assert fill(template, {"x": value}) == said


def test_integers_without_end_are_abbreviated() -> None:
    huge = 10**5000
    assert fill("{x} {x:,} {x:count}", {"x": -huge}) == "-1e+300 -1e+300 -1e+288 T"
    assert fill("{x} {x:list} {x:plural|is|are}", {"x": [1, huge]}) == (
        "[1, 1e+300] '1' and '1e+300' are"
    )


def test_a_message_reaches_no_attribute() -> None:
    with pytest.raises(LookupError, match=r"unknown fact 'x\.__class__'; known: x, y"):
        fill("{x.__class__}", {"x": 1, "y": 2})


def test_a_name_with_braces_is_left_as_it_is() -> None:
    assert fill("Node '{node}'.", {"node": "{x}"}) == "Node '{x}'."


def test_the_texts_of_all_rules_can_be_filled() -> None:
    for rule in load_rules(plugins=False).values():
        for text in (*rule.wordings, *rule.all_fixes, rule.why, rule.note):
            assert mistake_in(text) is None, rule.code


@pytest.mark.parametrize(
    ("template", "mistake"),
    [
        ("{unclosed", "expected '}' before end of string"),
        ("closed}", "Single '}' encountered in format string"),
        ("{x!r:>99999999}", "unknown format '!r:>99999999' of 'x'"),
        ("{x:>99999999}", "unknown format ':>99999999' of 'x'"),
        ("{x:.999999999f}", "unknown format ':.999999999f' of 'x'"),
        ("{x:{y}}", "unknown format ':{y}' of 'x'"),
        ("{x.__class__}", "'x.__class__' is not the name of a fact"),
        ("{}", "'' is not the name of a fact"),
    ],
)
def test_a_template_has_no_widths_and_no_code(template: str, mistake: str) -> None:
    assert str(mistake_in(template)).startswith(mistake)
    with pytest.raises((ValueError, LookupError)):
        fill(template, {"x": 1, "y": ">99999999"})
