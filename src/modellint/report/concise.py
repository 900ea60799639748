"""One line per finding, for grep and editors: `path:graph/node: severity CODE message [target]`."""

from __future__ import annotations

from modellint.base.text import brief, clean
from modellint.report.grouping import ordered
from modellint.report.options import Options
from modellint.results.finding import Finding, Location, Result


def render(result: Result, options: Options) -> str:
    return "".join(
        f"{line(finding)}\n" for finding in ordered(result) if finding.suppressed is None
    )


def line(finding: Finding) -> str:
    place = brief(where(finding.location))
    address = clean(finding.path) + (f":{place}" if place else "")
    target = f" [{finding.target}]" if finding.target else ""
    return f"{address}: {brief(f'{finding.severity} {finding.code} {finding.message}{target}')}"


def where(location: Location) -> str:
    """Return `graph/node`, as far as known."""
    return "/".join(filter(None, (location.graph, location.label)))
