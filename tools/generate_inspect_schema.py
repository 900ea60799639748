"""Makes docs/schemas/inspect.schema.json from the types of an inspection."""

from __future__ import annotations

import sys

from generate_report_schema import ADDRESS, SCHEMAS, schema
from generated import Contents, bring_up_to_date

from modellint.results.inspection import Inspection


def contents() -> Contents:
    name = "inspect.schema.json"
    title = "What modellint inspect --json says of one model"
    return {SCHEMAS / name: schema(Inspection, title, ADDRESS + name)}


if __name__ == "__main__":
    sys.exit(bring_up_to_date(contents()))
