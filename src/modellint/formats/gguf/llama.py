"""Knowledge and requirements of llama.cpp's loader, as found by `tools/extract_llama_cpp.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class KeyKind:
    """The type that a key must have."""

    type: str
    """``u32``, ``f32``, ``bool``, ``str``, or ``arr`` for an array."""
    is_required: bool
    is_per_layer: bool
    """True if it may be an array with a value for each layer."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """Requirements of the loader for an architecture."""

    keys: Mapping[str, KeyKind]
    """By name without the architecture: ``block_count``."""
    tensors: Mapping[str, tuple[str, ...]]
    """Dims by name, as sums of products of symbols and keys; none if they are not known."""
    optional: Mapping[str, tuple[str, ...]]
    """The same for tensors that a model may have."""


@dataclass(frozen=True, slots=True)
class Loader:
    """The loader of one release."""

    release: str
    tokenizers: frozenset[str]
    pre_tokenizers: frozenset[str]
    rope_scalings: frozenset[str]
    without_rope: frozenset[str]
    recurrent: frozenset[str]
    """Architectures all of whose layers keep a state."""
    without_cache: frozenset[str]
    """Architectures that see all tokens at once."""
    architectures: frozenset[str]
    _table: Mapping[str, Any]

    def requirements(self, architecture: str, *, has_experts: bool = False) -> Requirements:
        own = self._table["architectures"].get(architecture, {})
        keys = {**self._table["keys"], **own.get("keys", {})}
        more = "expert_tensors" if has_experts else "dense_tensors"
        tensors = {**own.get("tensors", {}), **own.get(more, {})}
        return Requirements(
            {key: _kind(text) for key, text in keys.items()},
            {name: tuple(dims) for name, dims in tensors.items()},
            {name: tuple(dims) for name, dims in own.get("optional", {}).items()},
        )


def _kind(text: str) -> KeyKind:
    return KeyKind(text.rstrip("!*"), text.endswith("!"), "*" in text)


@cache
def loader() -> Loader:
    table = json.loads(files(__package__).joinpath("llama.json").read_bytes())
    return Loader(
        release=table["release"],
        tokenizers=frozenset(table["tokenizers"]),
        pre_tokenizers=frozenset(table["pre_tokenizers"]),
        rope_scalings=frozenset(table["rope_scalings"]),
        without_rope=frozenset(table["without_rope"]),
        recurrent=frozenset(table["recurrent"]),
        without_cache=frozenset(table["without_cache"]),
        architectures=frozenset(table["architectures"]),
        _table=table,
    )
