"""The facts about a model that a summary may be made of: few, plain, and nothing of its weights."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from typing import Any

from modellint.base.text import clean, shorten
from modellint.results.inspection import Dims, Inspection, LanguageModel, Memory, Port, Time

MOST_OPS = 12
MOST_PORTS = 8
MOST_DEVICES = 8
LONGEST = 80
"""Characters of a name."""


class FactNames:
    """Names as they are sent: themselves, or digests that only this object leads back from."""

    def __init__(self, *, hashed: bool) -> None:
        self._key = os.urandom(16) if hashed else None
        self._originals: dict[str, str] = {}

    def sent(self, name: str) -> str:
        """Return what is sent for a name; the key is new in each run, so no list of names helps."""
        short = shorten(clean(name), LONGEST)
        if self._key is None or not short:
            return short
        digest = hmac.new(self._key, name.encode(errors="surrogatepass"), hashlib.sha256)
        word = f"name-{digest.hexdigest()[:10]}"
        self._originals[word] = short
        return word

    def restored(self, text: str) -> str:
        """Return a text with the names that its digests stand for."""
        for word, name in self._originals.items():
            text = text.replace(word, name)
        return text


def summary_facts(told: Inspection, names: FactNames) -> dict[str, Any]:
    """Return facts as JSON data: no paths, no metadata, and names as `names` gives them."""
    identity = told.identity
    file = told.path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    facts = {
        "model": names.sent(file),
        "format": told.format,
        "written_by": names.sent(identity.producer) if identity and identity.producer else None,
        "nodes": told.nodes,
        "parameters": told.parameters,
        "macs_of_a_run": told.macs,
        "for_sizes": {names.sent(name): size for name, size in (told.sizes or {}).items()},
        "weight_bytes_by_type": told.weight_bytes,
        "inputs": _ports(told.inputs, names),
        "outputs": _ports(told.outputs, names),
        "operators": {
            _operator(op, names): count for op, count in [*(told.ops or {}).items()][:MOST_OPS]
        },
        "blocks": {each.kind: each.count for each in told.blocks or ()},
        "language_model": _language(told.llm, names) if told.llm is not None else None,
        "devices": [
            _device(each, (told.time or {}).get(each.target))
            for each in told.estimates[:MOST_DEVICES]
            if each.target is not None
        ],
        "problems_of_the_file": len(told.problems) or None,
    }
    return {name: fact for name, fact in facts.items() if fact not in (None, [], {}, "")}


def _ports(ports: Sequence[Port] | None, names: FactNames) -> list[Mapping[str, Any]]:
    return [
        {"name": names.sent(each.name), "type": each.dtype, "shape": _dims(each.shape, names)}
        for each in (ports or ())[:MOST_PORTS]
    ]


def _dims(shape: Dims | None, names: FactNames) -> list[int | str | None] | None:
    if shape is None:
        return None
    return [names.sent(dim) if isinstance(dim, str) else dim for dim in shape]


def _operator(op: str, names: FactNames) -> str:
    """Return an operator; those of other domains are names."""
    return names.sent(op) if "." in op else clean(op)


def _language(model: LanguageModel, names: FactNames) -> dict[str, Any]:
    return {
        "architecture": names.sent(model.architecture),
        "layers": sum(kind.count for kind in model.layers),
        "trained_context": model.trained_context,
        "cache_bytes_per_token": model.cache_per_token,
        "longest_context_that_fits": model.longest,
    }


def _device(memory: Memory, time: Time | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "device": memory.target,
        "runtime": memory.runtime,
        "precision": memory.precision,
        "expected_bytes": memory.total.expected,
        "usable_bytes": memory.usable,
        "verdict": memory.verdict,
        "largest_batch": memory.largest_batch,
    }
    if time is not None:
        facts["seconds_of_a_run"] = {"low": time.low, "expected": time.expected, "high": time.high}
    return facts
