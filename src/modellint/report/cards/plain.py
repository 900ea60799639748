"""A model card as plain Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modellint.report.cards import card as parts
from modellint.report.cards.card import Card, todo
from modellint.report.markdown import prose

ASKED = (
    ("Intended use", "who uses the model, for what, and what it is not for."),
    ("Data", "what it was trained and evaluated on, and under which terms."),
    ("Evaluation", "metrics, on which data, and how they were measured."),
    ("Limitations", "inputs that it does not handle well."),
    ("Ethical considerations", "whom mistakes could harm, and what is done about it."),
    ("License and contact", "the license of the weights, and who answers questions."),
)
"""Sections that only a person can write, with instructions."""


def plain_card(card: Card) -> str:
    return "\n".join(_lines(card)).rstrip() + "\n"


def _lines(card: Card) -> Iterator[str]:
    yield "<!-- model card by modellint -->"
    yield f"# {prose(card.name)}"
    yield ""
    yield prose(card.overview)
    inspection = card.inspection
    yield from _section("Identity", parts.pairs(parts.identity(inspection)))
    if inspection.inputs or inspection.outputs:
        yield from _section("Interface", parts.interface(inspection))
    yield from _section("Size", parts.pairs(parts.sizes(inspection)))
    yield from _section("Precision", parts.pairs(parts.precision(inspection)))
    yield from _section("Memory and time", parts.devices(inspection))
    if card.pictures:
        yield from _section("Charts", parts.charts(card))
    if card.risks:
        yield from _section("Risks", parts.bullets(card.risks))
    yield from _section("Findings", parts.found(card))
    for title, asked in ASKED:
        yield from _section(title, [todo(asked)])


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield from lines
