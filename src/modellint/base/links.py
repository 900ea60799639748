"""Addresses of the repository and of the documentation."""

from __future__ import annotations

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
    """Return the address of a rule's page."""
    return page_url(f"rules/{code}.md")
