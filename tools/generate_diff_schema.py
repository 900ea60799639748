"""Makes docs/schemas/diff.schema.json from the types of a difference."""

from __future__ import annotations

import sys

from generate_report_schema import ADDRESS, SCHEMAS, schema
from generated import Contents, bring_up_to_date

from modellint.results.difference import Difference, Overview


def contents() -> Contents:
    name = "diff.schema.json"
    title = "What modellint diff --output json says of two models"
    table = "diff-overview.schema.json"
    about = "What modellint diff --output json says last of several models, under the key overview"
    return {
        SCHEMAS / name: schema(Difference, title, ADDRESS + name),
        SCHEMAS / table: schema(Overview, about, ADDRESS + table),
    }


if __name__ == "__main__":
    sys.exit(bring_up_to_date(contents()))
