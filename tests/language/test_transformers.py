"""Buffers of Transformers, compared with the tensors that PyTorch keeps (measured on the CPU)."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from modellint.analysis.language.needs import LanguageNeeds
from modellint.formats import read_model
from modellint.formats.safetensors.notation import encode
from modellint.targets.deployment import Deployment, Serving

FILE = Path(__file__).parents[1] / "data/transformers_memory.json"
DOCUMENT: dict[str, Any] = json.loads(FILE.read_text())


def computed(entry: dict[str, Any], folder: Path) -> int:
    """Return our figure for a model of which only the configuration is there."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(DOCUMENT["configs"][entry["name"]]))
    (folder / "model.safetensors").write_bytes(encode("model.norm.weight BF16 [4]"))
    serving = Serving(contexts=(entry["tokens"],), flash_attention=entry["fused"])
    model = read_model(folder)
    assert model.architecture is not None
    needs = LanguageNeeds(
        model, Deployment(runtime="transformers", serving=serving), model.architecture
    )
    return needs.at(entry["tokens"]).compute


@pytest.mark.parametrize(("known", "middle", "worst"), [(True, 0.03, 0.25), (False, 0.03, 0.4)])
def test_what_is_alive_is_what_pytorch_keeps(
    known: bool, middle: float, worst: float, tmp_path: Path
) -> None:
    entries = [each for each in DOCUMENT["measured"] if each["known"] is known]
    off = {
        (entry["name"], entry["fused"], entry["tokens"]): abs(
            computed(entry, tmp_path / str(number)) / entry["compute"] - 1
        )
        for number, entry in enumerate(entries)
    }
    assert len({name for name, *_ in off}) >= 10
    assert median(off.values()) <= middle
    assert max(off.values()) <= worst, max(off.items(), key=lambda item: item[1])
