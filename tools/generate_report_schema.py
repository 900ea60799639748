"""Writes docs/schemas/report.schema.json from the JSON contract. `--check` only compares."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from modellint.report.contract import Document

FILE = Path(__file__).parent.parent / "docs" / "schemas" / "report.schema.json"
ADDRESS = "https://github.com/modellint/modellint/blob/main/docs/schemas/report.schema.json"

SCALARS = {str: "string", int: "integer", float: "number"}


def schema() -> str:
    definitions: dict[str, Any] = {}
    top = of_table(Document, definitions)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ADDRESS,
        "title": "modellint's JSON report",
        **top,
        "$defs": dict(sorted(definitions.items())),
    }
    return json.dumps(document, indent=2) + "\n"


def of_table(table: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """A TypedDict: all its fields are there, and others may come later."""
    hints = get_type_hints(table, include_extras=True)
    return {
        "description": " ".join((table.__doc__ or "").split()),
        "type": "object",
        "required": list(hints),
        "properties": {name: of(hint, definitions) for name, hint in hints.items()},
    }


def of(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return {"description": arguments[1], **of(arguments[0], definitions)}
    if is_typeddict(hint):
        name = hint.__name__.removesuffix("Entry").lower()
        if name not in definitions:
            definitions[name] = of_table(hint, definitions)
        return {"$ref": f"#/$defs/{name}"}
    if origin is Literal:
        return {"const": arguments[0]} if len(arguments) == 1 else {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"type": [SCALARS.get(argument, "null") for argument in arguments]}
    if origin is list:
        return {"type": "array", "items": of(arguments[0], definitions)}
    if origin is dict:
        return {"type": "object"}
    return {"type": SCALARS[hint]}


def main(arguments: list[str]) -> int:
    wanted = schema()
    if FILE.exists() and FILE.read_text(encoding="utf-8") == wanted:
        return 0
    if "--check" in arguments:
        sys.stderr.write(f"{FILE} is out of date: run python tools/generate_report_schema.py\n")
        return 1
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(wanted, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
