"""GitLab's code quality report: findings next to the changes of a merge request."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator

from modellint.base.text import brief, clean
from modellint.report.grouping import ordered
from modellint.report.options import Options
from modellint.report.places import source_path
from modellint.report.strict import dumps
from modellint.results.finding import Finding, Result, Severity

SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "major", Severity.INFO: "info"}


def render(result: Result, options: Options) -> str:
    return dumps(list(_entries(result, options.root)), indent=2) + "\n"


def _entries(result: Result, root: str) -> Iterator[dict[str, object]]:
    seen: Counter[str] = Counter()
    for finding in ordered(result):
        if finding.suppressed is not None:
            continue
        path = source_path(finding.path, root)
        salient = f"{path}\0{finding.code}\0{finding.target}\0{finding.fingerprint}"
        seen[salient] += 1
        yield {
            "type": "issue",
            "check_name": finding.code,
            "description": _description(finding),
            "content": {"body": brief(finding.why)},
            "fingerprint": _digest(f"{salient}\0{seen[salient]}"),
            "severity": SEVERITIES[finding.severity],
            "location": {"path": clean(path), "lines": {"begin": 1}},
        }


def _description(finding: Finding) -> str:
    target = f" [{finding.target}]" if finding.target else ""
    fix = f" Fix: {finding.fix}" if finding.fix else ""
    return brief(f"{finding.code} {finding.rule}{target}: {finding.message}{fix}")


def _digest(text: str) -> str:
    """Hash a unique text: GitLab drops findings with equal fingerprints."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
