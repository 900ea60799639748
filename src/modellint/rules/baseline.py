"""Baselines: files of fingerprints of known findings, so that only new ones count."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from modellint.base.errors import UsageError
from modellint.base.files import write_atomically
from modellint.base.records import dataclass
from modellint.finding import Finding

DEFAULT_NAME = "modellint-baseline.json"
REASON = "in the baseline"
UNKNOWN_FAMILIES = frozenset({"internal", "suppression"})
"""Rules excluded from baselines: modellint's own crashes, and the state of suppressions."""

Key = tuple[str, str]
"""Code and fingerprint."""


@dataclass(slots=True)
class Baseline:
    """Known findings by model path (relative to the baseline's folder), with their counts."""

    known: dict[str, dict[Key, int]] = field(default_factory=dict)

    def apply(self, findings: Iterable[Finding], path: str) -> tuple[list[Finding], int]:
        """Return a file's findings with known ones marked, and the number of stale entries."""
        known = self.known.get(path, {})
        met = set()
        marked = []
        for finding in findings:
            key = (finding.code, finding.fingerprint)
            if finding.suppressed is None and finding.count <= known.get(key, 0):
                finding = replace(finding, suppressed=REASON)
            met.add(key)
            marked.append(finding)
        return marked, len(known.keys() - met)

    def record(self, findings: Iterable[Finding], path: str) -> None:
        """Replace the entries of a file by its findings."""
        self.known[path] = {
            (finding.code, finding.fingerprint): finding.count
            for finding in findings
            if finding.family not in UNKNOWN_FAMILIES and finding.suppressed in (None, REASON)
        }

    def forget_missing(self, folder: Path) -> None:
        """Remove models that no longer exist."""
        self.known = {path: keys for path, keys in self.known.items() if (folder / path).exists()}

    def to_json(self) -> str:
        """Serialize; equal findings give equal bytes."""
        findings = [
            {"path": path, "code": code, "fingerprint": fingerprint, "count": count}
            for path, keys in sorted(self.known.items())
            for (code, fingerprint), count in sorted(keys.items())
        ]
        lines = ",\n".join(f"    {json.dumps(entry, ensure_ascii=False)}" for entry in findings)
        body = f"[\n{lines}\n  ]" if lines else "[]"
        return f'{{\n  "version": 1,\n  "findings": {body}\n}}\n'

    def __len__(self) -> int:
        return sum(len(keys) for keys in self.known.values())


def read_baseline(path: Path) -> Baseline:
    """Read a baseline file."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"baseline {path} does not exist; write it with: --baseline {path} --write-baseline"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"cannot read baseline {path}: {error}") from error
    if not isinstance(data, dict) or data.get("version") != 1:
        raise UsageError(f"{path} is not a baseline of this version of modellint")
    baseline = Baseline()
    try:
        for entry in data["findings"]:
            _add(baseline, entry)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"baseline {path} is damaged: {error!r}") from error
    return baseline


def _add(baseline: Baseline, entry: Mapping[str, Any]) -> None:
    keys = baseline.known.setdefault(str(entry["path"]), {})
    keys[str(entry["code"]), str(entry["fingerprint"])] = int(entry["count"])


def write_baseline(path: Path, baseline: Baseline) -> None:
    baseline.forget_missing(path.parent)
    try:
        write_atomically(path, baseline.to_json())
    except OSError as error:
        raise UsageError(f"cannot write baseline {path}: {error}") from error
