"""Baselines: files of fingerprints of known findings, so that only new ones count."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import field, replace
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.base.files import MOST_JSON, read_text, write_atomically
from modellint.base.paths import is_address
from modellint.base.records import dataclass
from modellint.results.finding import Finding

DEFAULT_NAME = "modellint-baseline.json"
REASON = "in the baseline"
UNKNOWN_FAMILIES = frozenset({"internal", "suppression"})
"""Rules excluded from baselines: modellint's own crashes, and the state of suppressions."""

VERSION = 1
KEYS = {"version", "findings"}
ENTRY = {"path": str, "code": str, "fingerprint": str, "count": int}
"""Content of the file: no other keys, so that no report is taken for a baseline."""

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

    def missing(self, folder: Path) -> list[str]:
        """Return the models that no longer exist."""
        return [
            path
            for path in self.known
            if not is_address(path) and not os.path.lexists(folder / path)
        ]

    def forget_missing(self, folder: Path) -> None:
        for path in self.missing(folder):
            del self.known[path]

    def to_json(self) -> str:
        """Serialize; equal findings give equal bytes."""
        findings = [
            {"path": path, "code": code, "fingerprint": fingerprint, "count": count}
            for path, keys in sorted(self.known.items())
            for (code, fingerprint), count in sorted(keys.items())
        ]
        lines = ",\n".join(f"    {json.dumps(entry, ensure_ascii=False)}" for entry in findings)
        body = f"[\n{lines}\n  ]" if lines else "[]"
        text = f'{{\n  "version": {VERSION},\n  "findings": {body}\n}}\n'
        return text.encode(errors="backslashreplace").decode()  # paths that are not UTF-8

    def __len__(self) -> int:
        return sum(len(keys) for keys in self.known.values())


def read_baseline(path: Path) -> Baseline:
    """Read a baseline file."""
    try:
        data = json.loads(read_text(path, MOST_JSON))
    except FileNotFoundError:
        raise UsageError(
            f"baseline {path} does not exist; create it with: --baseline {path} --write-baseline"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read baseline {path}: {error.strerror}") from error
    except RecursionError:
        raise UsageError(f"{path} is not a baseline: it is nested too deeply") from None
    except ValueError as error:
        raise UsageError(f"cannot read baseline {path}: {error}") from error
    if not isinstance(data, dict) or data.keys() - KEYS or data.get("version") != VERSION:
        raise UsageError(f"{path} is not a baseline of this version of modellint")
    baseline = Baseline()
    entries = data.get("findings")
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        raise UsageError(f"baseline {path} is damaged")
    for entry in entries:
        key = entry["code"], entry["fingerprint"]
        baseline.known.setdefault(entry["path"], {})[key] = entry["count"]
    return baseline


def _is_entry(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and entry.keys() == ENTRY.keys()
        and all(type(entry[name]) is kind for name, kind in ENTRY.items())
    )


def write_baseline(path: Path, baseline: Baseline) -> None:
    baseline.forget_missing(path.parent)
    try:
        write_atomically(path, baseline.to_json())
    except OSError as error:
        raise UsageError(f"cannot write baseline {path}: {error}") from error
