"""Writes the tables of docs/configuration.md, and the JSON schema. `--check` only compares."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from modellint.config.load import json_schema
from modellint.config.settings import Settings, kebab
from modellint.config.starter import default_of

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "configuration.md"
SCHEMA = DOCS / "schemas" / "config.schema.json"
BEGIN, END = "<!-- settings: generated, do not edit -->", "<!-- end of settings -->"


def contents() -> dict[Path, str]:
    """What each file should hold; the page keeps what stands around its tables."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = "\n".join(_tables())
    return {
        PAGE: f"{before}{BEGIN}\n{tables}\n\n{END}{after}",
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


def main(arguments: list[str]) -> int:
    stale = [
        path
        for path, text in contents().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path} is out of date: run make generate\n")
        return int(bool(stale))
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contents()[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
