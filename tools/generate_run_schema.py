"""Makes docs/schemas/run.schema.json from the types of a measured run."""

from __future__ import annotations

import json
import sys
from typing import Any

from generate_report_schema import ADDRESS, SCHEMAS, schema
from generated import Contents, bring_up_to_date

from modellint.results.measured import MeasuredRun


def contents() -> Contents:
    name = "run.schema.json"
    title = "A measured run of a model, as modellint bench writes it and other verbs read it"
    document = json.loads(schema(MeasuredRun, title, ADDRESS + name))
    for table in (document, *document["$defs"].values()):
        _close(table)
    return {SCHEMAS / name: json.dumps(document, indent=2) + "\n"}


def _close(table: dict[str, Any]) -> None:
    """Allow no other fields, and no negative numbers: no time, size or count is below zero."""
    table["additionalProperties"] = False
    for field in table["properties"].values():
        kinds = field.get("type")
        if {"number", "integer"} & {*(kinds if isinstance(kinds, list) else [kinds])}:
            field["minimum"] = 0


if __name__ == "__main__":
    sys.exit(bring_up_to_date(contents()))
