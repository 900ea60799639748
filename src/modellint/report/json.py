"""The full result as JSON: see docs/output.md and docs/schemas/report.schema.json."""

from __future__ import annotations

from modellint.finding import Result
from modellint.report.contract import document, dumps
from modellint.report.options import Options


def render(result: Result, options: Options) -> str:
    return dumps(document(result), indent=2) + "\n"
