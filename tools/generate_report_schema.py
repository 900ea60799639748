"""Makes docs/schemas/report.schema.json from the JSON contract."""

from __future__ import annotations

import json
import sys
import types
from dataclasses import is_dataclass
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

from generated import DOCS, Contents, bring_up_to_date

from modellint.report.contract import Document

SCHEMAS = DOCS / "schemas"
ADDRESS = "https://github.com/modellint/modellint/blob/main/docs/schemas/"

SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def schema(table: Any, title: str, address: str) -> str:
    definitions: dict[str, Any] = {}
    top = of_table(table, definitions)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": address,
        "title": title,
        **top,
        "$defs": dict(sorted(definitions.items())),
    }
    return json.dumps(document, indent=2) + "\n"


def of_table(table: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """A TypedDict or dataclass: all its fields are there, and others may come later."""
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
    if is_typeddict(hint) or is_dataclass(hint):
        name = hint.__name__.removesuffix("Entry").lower()
        if name not in definitions:
            definitions[name] = of_table(hint, definitions)
        return {"$ref": f"#/$defs/{name}"}
    if origin is Literal:
        return {"const": arguments[0]} if len(arguments) == 1 else {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        if all(argument in SCALARS for argument in arguments):
            return {"type": [SCALARS[argument] for argument in arguments]}
        return {"anyOf": [of(argument, definitions) for argument in arguments]}
    if origin is tuple and arguments[1:] == (...,):
        return {"type": "array", "items": of(arguments[0], definitions)}
    if origin is list:
        return {"type": "array", "items": of(arguments[0], definitions)}
    if hint is Any:
        return {}
    if origin is dict:
        values = of(arguments[1], definitions)
        return {"type": "object", **({"additionalProperties": values} if values else {})}
    return {"type": SCALARS[hint]}


def contents() -> Contents:
    name = "report.schema.json"
    return {SCHEMAS / name: schema(Document, "modellint's JSON report", ADDRESS + name)}


if __name__ == "__main__":
    sys.exit(bring_up_to_date(contents()))
