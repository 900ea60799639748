"""The configuration file that `modellint init` writes: every setting, explained, commented out."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields

from modellint.config.settings import Settings, kebab

SCHEMA_URL = (
    "https://raw.githubusercontent.com/modellint/modellint/main/docs/schemas/config.schema.json"
)
DOCS_URL = "https://github.com/modellint/modellint/blob/main/docs/configuration.md"
WIDTH = 88


def starter(chosen: Mapping[str, object] | None = None, *, table: str = "") -> str:
    """TOML that says what can be set; only what was chosen is in force.

    With a `table`, it stands under that header, as in a pyproject.toml.
    """
    return "\n".join(_lines(chosen or {}, table)) + "\n"


def _lines(chosen: Mapping[str, object], table: str) -> Iterator[str]:
    if table:
        yield f"[{table}]"
    else:
        yield f"#:schema {SCHEMA_URL}"
    yield f"# modellint's configuration. Every setting: {DOCS_URL}"
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
    """A setting's default as TOML; empty where nothing is set."""
    value = getattr(Settings(), item.name)
    return "" if value is None or value in ((), {}) else json.dumps(value)


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
