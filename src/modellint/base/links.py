"""Addresses of the repository and of the documentation."""

from __future__ import annotations

from functools import cache

from modellint.base.data import data_dir

REPOSITORY = "https://github.com/modellint/modellint"

SITE = ""
"""Address of the published documentation, such as `https://…/latest`; without it, the repository's
pages are linked."""


def page_url(page: str) -> str:
    """Return the address of a file in docs/: `fix.md`, `rules/QNT001.md#options`."""
    if not SITE:
        return f"{REPOSITORY}/blob/main/docs/{page}"
    path, mark, anchor = page.partition("#")
    folder = path.removesuffix(".md").removesuffix("README")
    return f"{SITE}/{folder.rstrip('/')}/{mark}{anchor}"


def rule_url(code: str) -> str:
    """Return the address of a rule's page; empty for a rule that is not built in."""
    return page_url(f"rules/{code}.md") if code in _documented() else ""


@cache
def _documented() -> frozenset[str]:
    """Return the codes of rules that have a page, from the names of their files."""
    return frozenset(path.name.partition("-")[0] for path in data_dir("rules").glob("*/*.toml"))
