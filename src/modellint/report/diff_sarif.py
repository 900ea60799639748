"""Findings of a difference as SARIF, with the state that its baseline gives each of them.

SARIF calls a finding `new`, `unchanged` or `absent`, by whether the old model has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from modellint.base.links import REPOSITORY, rule_url
from modellint.base.text import brief, clean
from modellint.base.version import __version__
from modellint.report.options import Options
from modellint.report.places import source_uri
from modellint.report.sarif import ROOT, SCHEMA
from modellint.report.strict import dumps
from modellint.results.difference import Difference, FindingChange, Overview

LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def write(difference: Difference, stream: TextIO, options: Options) -> None:
    stream.write(_log([difference], options))


def write_several(
    differences: Sequence[Difference], overview: Overview, stream: TextIO, options: Options
) -> None:
    stream.write(_log(differences, options))


def _log(differences: Sequence[Difference], options: Options) -> str:
    found = [
        (source_uri(difference.new.path, options.root), state, finding)
        for difference in differences
        for state, finding in _findings(difference)
    ]
    codes = sorted({finding.code for _, _, finding in found})
    places = {name: at for at, name in enumerate(codes)}
    run = {
        "tool": {
            "driver": {
                "name": "modellint",
                "semanticVersion": __version__,
                "informationUri": REPOSITORY,
                "rules": [_descriptor(name) for name in codes],
            }
        },
        "automationDetails": {"id": f"{(options.category or 'modellint-diff').rstrip('/')}/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {ROOT: {"description": {"text": "The repository's top."}}},
        "results": [_result(*each, places) for each in found],
    }
    return dumps({"runs": [run], "version": "2.1.0", "$schema": SCHEMA}, indent=2) + "\n"


def _descriptor(code: str) -> dict[str, str]:
    url = rule_url(code)
    return {"id": code, **({"helpUri": url} if url else {})}


def _findings(difference: Difference) -> Iterator[tuple[str, FindingChange]]:
    found = difference.findings
    if found is None:
        return
    for state, group in (("new", found.new), ("unchanged", found.both), ("absent", found.gone)):
        for finding in group:
            yield state, finding


def _result(uri: str, state: str, finding: FindingChange, places: dict[str, int]) -> Any:
    place = clean(finding.place)
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": uri, "uriBaseId": ROOT},
            "region": {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1},
        }
    }
    if place:
        location["logicalLocations"] = [{"name": place, "fullyQualifiedName": place}]
    return {
        "ruleId": finding.code,
        "ruleIndex": places[finding.code],
        "level": LEVELS[finding.severity],
        "message": {"text": brief(finding.message).replace("](", "] (")},
        "baselineState": state,
        "locations": [location],
        "partialFingerprints": {"modellint/v1": finding.fingerprint},
    }
