"""Pages of the documentation: all are on the site, and what they link is there.

`make site` builds it and checks every page; this is what goes wrong most easily, without MkDocs.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import record_session
from rich.text import Text

from tests.support import ROOT

DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), DOCS / "rules" / "README.md", *sorted(ROOT.glob("*.md"))]
SITE = (ROOT / "packaging" / "site" / "mkdocs.yml").read_text(encoding="utf-8")
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)")
FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@cache
def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", each) for each in headings)
    return {re.sub(r"[^\w\- ]", "", each).strip().lower().replace(" ", "-") for each in plain}


def test_every_page_is_in_the_navigation() -> None:
    named = re.findall(r"(?:: |- )([\w/-]+\.md)$", SITE, re.MULTILINE)
    ours = {page.relative_to(DOCS).as_posix() for page in PAGES if page.is_relative_to(DOCS)}
    made = {"index.md", "changelog.md", "contributing.md"}
    assert sorted(named) == sorted(ours | made)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_their_anchors_are_there(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for link, anchor in LINK.findall(text):
        target = (page.parent / link).resolve() if link else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{link}#{anchor}"


def test_headings_have_the_anchors_of_github(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b-c` [d](e.md), f\n```\n# not\n```\n## json and jsonl\n")
    assert anchors(page) == {"a-b-c-d-f", "json-and-jsonl"}


def test_lines_of_a_recording_appear_when_they_did() -> None:
    picture = record_session.draw([(0.0, Text("$ first")), (1.5, Text("then"))])
    assert picture.index("first") < picture.index("then")
    assert '[clip-path="url(#first-minute-line-1)"]{animation-delay:1.50s}' in picture
    assert 'clip-path="url(#first-minute-line-1)">then' in picture.replace("&#160;", " ")
    still = re.sub(r"<style>@media .*?</style>", "", picture)
    assert "animation" not in still
