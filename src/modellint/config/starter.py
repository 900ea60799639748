"""The starter configuration of `modellint init`: all settings, explained and commented out."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields

from modellint.base.links import page_url
from modellint.config.settings import Settings, kebab

SCHEMA_URL = (
    "https://raw.githubusercontent.com/modellint/modellint/main/docs/schemas/config.schema.json"
)
WIDTH = 88


def starter(chosen: Mapping[str, object] | None = None, *, table: str = "") -> str:
    """Return TOML with all settings commented out, except the chosen ones.

    With a `table`, it starts with that header, for use in a pyproject.toml.
    """
    return "\n".join(_lines(chosen or {}, table)) + "\n"


def _lines(chosen: Mapping[str, object], table: str) -> Iterator[str]:
    if table:
        yield f"[{table}]"
    else:
        yield f"#:schema {SCHEMA_URL}"
    yield f"# modellint's configuration. Every setting: {page_url('configuration.md')}"
    for item in fields(Settings):
        if item.metadata["section"]:
            yield from ("", f"# --- {item.metadata['section']} ---")
        yield ""
        yield from _comment(_explained(item))
        if item.name in chosen:
            yield f"{kebab(item.name)} = {json.dumps(chosen[item.name], ensure_ascii=False)}"
        else:
            yield f"# {kebab(item.name)} = {item.metadata['example']}"


def _explained(item: Field[object]) -> str:
    default = default_of(item)
    return f"{item.metadata['help']} Default: {default}." if default else item.metadata["help"]


def default_of(item: Field[object]) -> str:
    """Return a setting's default as TOML; empty if it has none."""
    value = getattr(Settings(), item.name)
    return "" if value is None or value in ((), {}) else json.dumps(value)


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
