"""Writes docs/schemas/inspect.schema.json from the types of an inspection. `--check` compares."""

from __future__ import annotations

import sys

from generate_report_schema import ADDRESS, FILE, schema, write

from modellint.inspection import Inspection

NAME = "inspect.schema.json"

if __name__ == "__main__":
    address = ADDRESS.replace(FILE.name, NAME)
    wanted = schema(Inspection, "What modellint inspect --json says of one model", address)
    sys.exit(write(FILE.with_name(NAME), wanted, sys.argv[1:]))
