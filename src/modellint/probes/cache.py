"""Cache of outcomes by model content and request, so that a build runs only once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from modellint.base.files import open_regular
from modellint.base.store import Store
from modellint.probes.outcome import DEATHS, Outcome, from_json, to_json

FOLDER = "probes"
FORMAT = 1
"""Version of the entries, increased when their meaning changes."""
NOT_KEPT = ("unanswered", *DEATHS)
"""Outcomes that may depend on this machine and its load rather than the model."""


def key(files: Iterable[Path], request: Mapping[str, Any]) -> str:
    """Return a key of the model's content, including weights, and the request."""
    digest = hashlib.sha256(json.dumps([FORMAT, request], sort_keys=True).encode())
    for file in files:
        digest.update(b"\0")
        try:
            with open_regular(file) as stream:
                while chunk := stream.read(1 << 20):
                    digest.update(chunk)
        except OSError:
            digest.update(b"missing")
    return digest.hexdigest()


def load(folder: Path, name: str) -> Outcome | None:
    try:
        return replace(from_json(Store(folder, FOLDER).load(name)), cached=True)
    except ValueError:  # absent, or another version's
        return None


def store(folder: Path, name: str, outcome: Outcome) -> None:
    if outcome.status not in NOT_KEPT:
        Store(folder, FOLDER).save(name, to_json(outcome))
