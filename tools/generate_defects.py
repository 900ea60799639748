"""Makes docs/known-defects.md from rules/producers."""

from __future__ import annotations

import sys

from generated import DOCS, bring_up_to_date

from modellint.checks.producers import Defect, defects

PAGE = DOCS / "known-defects.md"
HEAD = """\
# Known defects of exporters and converters

[CMP008](rules/CMP008.md) finds what these tools are known to leave in models. Each row is a file in
[rules/producers/](../rules/producers): the pattern, what goes wrong, how to avoid it, and models
with and without the defect. [`--fix`](fix.md) repairs those for which only one repair is right. To
add one, copy the file that is most like it; the tests load every model with the runtimes that the
file says refuse it.

| tool | what it leaves | severity | refused by | fixed | reported in |
| --- | --- | --- | --- | --- | --- |
"""


def page() -> str:
    return HEAD + "".join(map(_row, defects().values()))


def _row(defect: Defect) -> str:
    reports = ", ".join(f"[{url.split('/', 3)[3]}]({url})" for url in defect.sources)
    refused = ", ".join(defect.refused_by) or "-"
    repaired = "`--fix`" if defect.autofix else "-"
    what = f"a node that {defect.what}"
    cells = (defect.tool, what, defect.severity, refused, repaired, reports)
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    sys.exit(bring_up_to_date({PAGE: page()}))
