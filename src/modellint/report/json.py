"""The full result as JSON: see docs/output.md and docs/schemas/report.schema.json."""

from __future__ import annotations

from modellint.report.contract import document
from modellint.report.options import Options
from modellint.report.strict import dumps
from modellint.results.finding import Result


def render(result: Result, options: Options) -> str:
    return dumps(document(result), indent=2) + "\n"
