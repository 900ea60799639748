"""Makes the pages of the repository pages of a site: a hook of MkDocs, for packaging/site.

Pages of the repository link to each other as files. Those outside docs/ are either pages of the
site, too, or stay what they are: files of the repository.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

from modellint.base.data import data_dir
from modellint.base.links import REPOSITORY

ROOT = data_dir("rules").parent

OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
"""Pages outside docs/, and where they are on the site."""

LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)\s#]+)")
NAMED = re.compile(r"\[[\w./-]+\.md\](?=\(([^)\s#]+\.md))")
"""A link that shows the name of its file, which means nothing on a site."""
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
FENCE = re.compile(r"^( *)(```+).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
ITEM = re.compile(r"(?:[-*]|\d+\.) +")
TAB = " " * 4
"""Indentation of what belongs to an item of a list; GitHub takes the width of its mark."""
DOCS = "docs"


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are outside docs/, and leave out nothing."""
    for source, page in OUTSIDE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text, inclusion=InclusionLevel.INCLUDED))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links where their files are on the site, or in the repository."""
    place = page.file.src_uri
    source = next((name for name, own in OUTSIDE.items() if own == place), f"{DOCS}/{place}")
    text = "".join(
        part if is_code else _linked(part, source, place)
        for part, is_code in _parts(_indented(markdown))
    )
    if place.startswith("rules/") and place != "rules/README.md":
        text = f"[All rules](README.md)\n{{ .all-rules }}\n\n{text}"
    return text


def _indented(markdown: str) -> str:
    """Write lists as MkDocs reads them: after an empty line, and indented by four spaces."""
    lines = [""]
    width, is_code = 0, False
    for line in markdown.splitlines():
        is_code ^= line.startswith("```")
        item = None if is_code else ITEM.match(line)
        if item:
            if not width and lines[-1]:
                lines.append("")
            width = len(item[0])
        elif line and not line.startswith(" "):
            # Only a new paragraph ends an item: text that goes on with it need not be indented.
            width = 0 if is_code or not lines[-1] else width
        elif width and line.startswith(" " * width):
            line = TAB + line[width:]
        lines.append(line)
    return "\n".join(lines) + "\n"


def _parts(markdown: str) -> list[tuple[str, bool]]:
    """Split a page at its fenced blocks."""
    parts, at = [], 0
    for fence in FENCE.finditer(markdown):
        parts += [(markdown[at : fence.start()], False), (fence[0], True)]
        at = fence.end()
    return [*parts, (markdown[at:], False)]


def _linked(text: str, source: str, place: str) -> str:
    text = NAMED.sub(lambda link: f"[{_title(_target(link[1], source))}]", text)
    return LINK.sub(lambda link: _led(link[1], source, place), text)


def _title(path: str) -> str:
    found = TITLE.search((ROOT / path).read_text(encoding="utf-8"))
    return found[1] if found else path


def _target(link: str, source: str) -> str:
    """Return the path in the repository that a link in one of its files means."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), link))


def _led(link: str, source: str, place: str) -> str:
    """Return the link that the site has for a link from one file of the repository to another."""
    path = _target(link, source)
    page = OUTSIDE.get(path) or path.removeprefix(f"{DOCS}/")
    if path in OUTSIDE or path.startswith(f"{DOCS}/"):
        return posixpath.relpath(page, posixpath.dirname(place) or ".")
    kind = "tree" if (ROOT / path).is_dir() else "blob"
    return f"{REPOSITORY}/{kind}/main/{path}" if path != "." else REPOSITORY
