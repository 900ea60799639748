"""Reader of Core ML packages: folders with a manifest, a model, and files of weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from modellint.base.files import read_text, regular_size
from modellint.base.json_text import parse_json
from modellint.base.paths import is_there, why_outside
from modellint.base.text import bounded
from modellint.formats.coreml import COREML_PACKAGE
from modellint.formats.coreml.facts import coreml_facts
from modellint.formats.coreml.reader import read_file
from modellint.formats.problems import MalformedError, broken
from modellint.model import Model

name = COREML_PACKAGE.name

MANIFEST = "Manifest.json"
DATA = "Data"
LONGEST_MANIFEST = 1 << 20
MOST_ITEMS = 10_000


def sniff(head: bytes, path: Path) -> bool:
    return regular_size(path / MANIFEST) is not None


def read(path: Path) -> Model:
    try:
        items, root = _manifest(path)
        location = _location(path, items[root])
        locations = _locations(path, items)
        if regular_size(path / location) is None:
            detail = f"{MANIFEST} names '{location}', which is not there"
            return broken(path, name, "corrupt", detail=detail)
    except MalformedError as error:
        return broken(path, name, error.kind, **error.facts)
    model = read_file(path / location, Model(path, name), path)
    if not any(problem.fatal for problem in model.problems):
        missing = tuple(each for each in locations if not is_there(path / each))
        model.format_facts = replace(coreml_facts(model), missing_items=missing)
    return model


def _manifest(path: Path) -> tuple[dict[str, Any], str]:
    """Return the items of a package by id, and the id of its model."""
    try:
        table = parse_json(read_text(path / MANIFEST, LONGEST_MANIFEST))
    except RecursionError:
        detail = f"{MANIFEST} has brackets within brackets"
        raise MalformedError("too-deep", detail, limit=0) from None
    except ValueError as error:
        raise MalformedError("corrupt", f"{MANIFEST} is not JSON: {error}") from None
    items = table.get("itemInfoEntries") if isinstance(table, dict) else None
    root = table.get("rootModelIdentifier") if isinstance(table, dict) else None
    if not isinstance(items, dict) or len(items) > MOST_ITEMS:
        raise MalformedError("corrupt", f"{MANIFEST} has no itemInfoEntries")
    if not isinstance(root, str) or root not in items:
        raise MalformedError("corrupt", f"{MANIFEST} does not say which item is the model")
    return items, root


def _location(path: Path, item: Any) -> str:
    """Return where an item is, relative to the package."""
    stated = item.get("path") if isinstance(item, dict) else None
    if not isinstance(stated, str):
        raise MalformedError("corrupt", f"{MANIFEST} has an item without path")
    location = f"{DATA}/{stated}"
    reason = why_outside(path, stated) or why_outside(path, location)
    if reason is not None:
        raise MalformedError("corrupt", f"a path in {MANIFEST} {reason}: '{bounded(stated)}'")
    return bounded(location)


def _locations(path: Path, items: dict[str, Any]) -> list[str]:
    return sorted(_location(path, item) for item in items.values())
