"""One finding of the JSON contract per line, for streams and log stores."""

from __future__ import annotations

from modellint.report.contract import finding_entry
from modellint.report.grouping import ordered
from modellint.report.options import Options
from modellint.report.strict import dumps
from modellint.results.finding import Result


def render(result: Result, options: Options) -> str:
    return "".join(f"{dumps(finding_entry(finding))}\n" for finding in ordered(result))
