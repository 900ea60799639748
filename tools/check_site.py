"""Checks the built site, build/site: links lead somewhere, and pages fetch nothing from others.

MkDocs checks the links between pages, before they are built. This checks what readers get: every
link, image, style and script of every page, and that rules are where findings send their readers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from generated import ROOT

from modellint.base import links
from modellint.rules.registry import load_rules

SITE = ROOT / "build" / "site"
FETCHED = {("img", "src"), ("script", "src"), ("iframe", "src"), ("source", "src"), ("use", "href")}
"""Attributes whose address a browser fetches on its own."""
RELATIONS = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "manifest", "prefetch"}
"""Relations of <link> that are fetched."""


class Page(HTMLParser):
    """Addresses that a page links or fetches, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.linked: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        for name in ("href", "src"):
            if name not in given:
                continue
            relations = set(given.get("rel", "").split())
            fetches = (tag, name) in FETCHED or (tag == "link" and relations & RELATIONS)
            (self.fetched if fetches else self.linked).append(given[name])


@cache
def page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def faults() -> Iterator[str]:
    # The page for what is missing can be at any address: its links are those of the published site.
    pages = sorted(set(SITE.rglob("*.html")) - {SITE / "404.html"})
    for path in pages:
        name = path.relative_to(SITE)
        shown = page(path)
        foreign = [each for each in shown.fetched if urlsplit(each).netloc]
        yield from (f"{name} fetches {each}" for each in foreign)
        for address in (*shown.fetched, *shown.linked):
            if not _leads_somewhere(address, path):
                yield f"{name} links {address}, which is not there"
    links.SITE = "https://site"
    for code in load_rules(plugins=False):
        if not _leads_somewhere(urlsplit(links.rule_url(code)).path, SITE / "index.html"):
            yield f"{code} is not at {links.rule_url(code)}"
    if len(pages) < len(load_rules(plugins=False)):
        yield f"the site has only {len(pages)} pages"


def _leads_somewhere(address: str, source: Path) -> bool:
    """Return False for a place on the site that does not exist, or is not on its page."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return True
    base = SITE if parts.path.startswith("/") else source.parent
    path = (base / unquote(parts.path).lstrip("/")) if parts.path else source
    if path.is_dir():
        path /= "index.html"
    if not path.is_file():
        return False
    is_page = path.suffix == ".html" and parts.fragment
    return not is_page or unquote(parts.fragment) in page(path.resolve()).anchors


def main() -> None:
    found = list(faults())
    sys.stdout.writelines(f"{fault}\n" for fault in found)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
