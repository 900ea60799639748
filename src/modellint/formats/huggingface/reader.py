"""Reads a Hugging Face folder as one model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modellint.base.errors import reason_of
from modellint.capability import Capability
from modellint.formats.huggingface import HUGGING_FACE
from modellint.formats.huggingface.architecture import architecture_of
from modellint.formats.huggingface.config import JsonTable, read_config
from modellint.formats.huggingface.facts import FolderFacts
from modellint.formats.huggingface.weights import (
    all_tensors,
    check_index,
    find_weights,
    note_surplus,
    read_weights,
)
from modellint.formats.problems import Problems
from modellint.model import Model

CONFIGS = (
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    "tokenizer_config.json",
    "quantize_config.json",
    "quant_config.json",
    "hf_quant_config.json",
)
"""Configurations that are small, and read with the model."""


def sniff(head: bytes, path: Path) -> bool:
    """True for every folder with the names that the format's description lists."""
    return True


def read(path: Path) -> Model:
    model = Model(path, HUGGING_FACE.name)
    names = frozenset(each.name for each in path.iterdir())
    problems = Problems()
    weights = find_weights(path, names, problems)
    parts = read_weights(path, weights, problems)
    check_index(weights, parts, problems)
    note_surplus(weights, names, problems)
    configs = dict(_configs(path, names, problems))
    facts = FolderFacts(path, names, configs, weights.files)
    model.tensors = all_tensors(parts)
    model.architecture = architecture_of(facts, model.tensors)
    untold = {Capability.ARCHITECTURE} if model.architecture is None else set()
    model.capabilities = HUGGING_FACE.tells - untold
    model.metadata = _metadata(facts.config(), parts[0].metadata if parts else {})
    version = facts.config().text("transformers_version", "_diffusers_version")
    model.producer_name, model.producer_version = ("transformers" if version else ""), version
    model.external_files = [path / name for name in (weights.index_name, *weights.files) if name]
    model.format_facts = facts
    model.problems = problems
    return model


def _configs(
    folder: Path, names: frozenset[str], problems: Problems
) -> Iterator[tuple[str, JsonTable]]:
    for name in CONFIGS:
        if name not in names:
            continue
        try:
            yield name, read_config(folder / name)
        except (OSError, ValueError) as error:
            problems.note("config-broken", location=name, detail=reason_of(error))


def _metadata(config: JsonTable, stored: dict[str, str]) -> dict[str, str]:
    """Return the metadata of the weights' headers, and the main values of the configuration."""
    shown = {key: config.text(key) for key in ("model_type", "torch_dtype", "dtype")}
    shown["architectures"] = ", ".join(config.texts("architectures"))
    return {**stored, **{key: text for key, text in shown.items() if text}}
