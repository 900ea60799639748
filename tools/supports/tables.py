"""Tables of what a runtime takes: `support-<version>.json`, and the forms that it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ROOM = ROOT / "src" / "modellint" / "runtimes"
ABOUT = (
    "Written by tools/measure_support.py; do not edit. Of each operator: whether it is taken in "
    "any form; the types of its input 'at' (0 unless stated) that were taken, and 'not' taken; "
    "the version of it that is 'refused-from' on, the operator set that it is 'taken-from' on. "
    "JSON, for it is read in every run."
)


@dataclass
class Operator:
    """Measurement of one operator."""

    at: int = 0
    """The input whose type was varied."""
    taken: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    accepted: int = 0
    """Of its node tests."""
    refused: dict[str, str] = field(default_factory=dict)
    """The reason, by node test; only where other tests of the operator are accepted."""
    note: str = ""
    refused_from: int | None = None
    """The operator version that is not taken, though an earlier one is."""
    taken_from: int | None = None
    """The operator set from which on it is taken, if it is older than that."""


def write_table(
    name: str,
    version: str,
    confidence: str,
    source: str,
    table: Mapping[str, Operator],
    types: Sequence[str] = (),
) -> None:
    release = ".".join(version.split(".")[:2])
    path = ROOM / name.replace("-", "_") / f"support-{release}.json"
    file_forms(path, table)
    about = {
        "about": ABOUT,
        "runtime": name,
        "version": version,
        "confidence": confidence,
        "source": source,
        "data-types": list(types),
    }
    entries = [
        f"    {json.dumps(op)}: {json.dumps(entry(each))}" for op, each in sorted(table.items())
    ]
    head = json.dumps(about, indent=2).removesuffix("\n}")
    text = head + ',\n  "operators": {\n' + ",\n".join(entries) + "\n  }\n}\n"
    path.write_text(text, encoding="utf-8")


def file_forms(path: Path, table: Mapping[str, Operator]) -> None:
    """Node tests that are refused although others of the operator are taken, with the reason."""
    lines = []
    for op, found in sorted(table.items()):
        if found.accepted and found.refused:
            tests = sorted(found.refused.items())
            lines += ["", f"[{op}]", *(f"{_key(test)} = {_text(reason)}" for test, reason in tests)]
    if lines:
        forms_next_to(path).write_text("\n".join(lines[1:]) + "\n", encoding="utf-8")


def forms_next_to(path: Path) -> Path:
    return path.with_name(path.name.replace("support", "forms")).with_suffix(".toml")


def tables() -> list[Path]:
    return sorted(ROOM.glob("*/support-*.json"))


def entry(found: Operator) -> dict[str, Any]:
    """Return what is worth keeping; the obvious is left out."""
    refused = [name for name in found.tried if name not in found.taken]
    stated = {
        "taken": bool(found.accepted or found.taken),
        "at": found.at,
        "types": found.taken,
        "not": refused if found.taken else [],
        "refused-from": found.refused_from,
        "taken-from": found.taken_from,
        "note": found.note,
    }
    return {key: value for key, value in stated.items() if key == "taken" or value}


def _key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else json.dumps(name)


def _text(text: str) -> str:
    return json.dumps(" ".join(text.split())[:200], ensure_ascii=True)
