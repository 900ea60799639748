"""Reports as one HTML file each: no network, no server, nothing that a name could become."""

from __future__ import annotations

from modellint.report.html.diff import diff_page
from modellint.report.html.fleet import fleet_page
from modellint.report.html.measured import bench_page
from modellint.report.html.pages import Look, check_page, inspect_page, probe_page
from modellint.report.html.runs import compare_page, fingerprint_page

__all__ = [
    "Look",
    "bench_page",
    "check_page",
    "compare_page",
    "diff_page",
    "fingerprint_page",
    "fleet_page",
    "inspect_page",
    "probe_page",
    "render",
]

render = check_page
