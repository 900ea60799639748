"""Makes the tables of docs/configuration.md, and the JSON schema."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import fields

from generated import DOCS, Contents, between, bring_up_to_date

from modellint.config.load import json_schema
from modellint.config.settings import Settings, kebab
from modellint.config.starter import default_of

PAGE = DOCS / "configuration.md"
SCHEMA = DOCS / "schemas" / "config.schema.json"
BEGIN, END = "<!-- settings: generated, do not edit -->", "<!-- end of settings -->"


def contents() -> Contents:
    tables = "\n".join(_tables())
    return {
        PAGE: between(PAGE, BEGIN, f"\n{tables}\n\n", END),
        SCHEMA: json.dumps(json_schema(), indent=2) + "\n",
    }


def _tables() -> Iterator[str]:
    for item in fields(Settings):
        if item.metadata["section"]:
            yield from ("", f"### {item.metadata['section']}", "")
            yield from ("| key | default | what it does, and an example |", "| --- | --- | --- |")
        key, default = kebab(item.name), default_of(item)
        example = f"`{key} = {item.metadata['example']}`".replace("|", "\\|")
        text = item.metadata["help"].replace("|", "\\|")
        yield f"| `{key}` | {f'`{default}`' if default else ''} | {text}<br>{example} |"


if __name__ == "__main__":
    sys.exit(bring_up_to_date(contents()))
