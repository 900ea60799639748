"""Memory that vLLM sets apart as it starts, compared with what it printed for others."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import cache
from statistics import median
from typing import Any

import pytest

from modellint.analysis.language.needs import LanguageNeeds
from modellint.model.architecture import Architecture, LayerShape
from modellint.runtimes.vllm import startup
from modellint.targets import find_target
from modellint.targets.deployment import Deployment, Parallel, Serving
from tests.language.models import language_model, shapes_of
from tests.support import ROOT

DOCUMENT: dict[str, Any] = json.loads((ROOT / "tests/data/vllm_memory.json").read_text())
MODELS, MEASURED = DOCUMENT["models"], DOCUMENT["measured"]
GIB = 1 << 30
SORTED = {"SAMPLED": 38, "BUFFER": 0, "KEPT": 1}
"""The constants for earlier ones, of which that of the sort is fitted."""


def is_later(row: dict[str, Any]) -> bool:
    """Return True for versions that sample without sorting the vocabulary."""
    return tuple(map(int, row["vllm"].split("."))) >= (0, 17)


def is_held_out(row: dict[str, Any]) -> bool:
    return hashlib.sha256(row["url"].encode()).hexdigest()[0] in "01234"


def architecture(name: str) -> Architecture:
    facts = MODELS[name]
    latent, size = facts.get("latent"), facts.get("head_size", facts["hidden"] // facts["heads"])
    layer = LayerShape(
        mixer="latent" if latent else "attention",
        heads=facts["heads"],
        kv_heads=1 if latent else facts["kv_heads"],
        key_size=latent["rank"] + latent["rope"] if latent else size,
        value_size=0 if latent else size,
        feed_forward=facts.get("expert_width") or facts["feed_forward"],
        experts=facts.get("experts", 0),
        active_experts=facts.get("active", 0),
        shared_feed_forward=facts.get("shared_width", 0),
    )
    every = facts.get("window_every", 0)
    layers = tuple(
        replace(layer, window=facts["window"]) if every and at % every else layer
        for at in range(facts["layers"])
    )
    return Architecture(
        name,
        layers,
        hidden=facts["hidden"],
        vocabulary=facts["vocabulary"],
        context=8192,
        quantization="MXFP4" if facts.get("packed") else "",
    )


def needs(row: dict[str, Any]) -> LanguageNeeds:
    return needs_of(row["model"], row["devices"], row.get("parallel", "tensor"))


@cache
def needs_of(name: str, devices: int, parallel: Parallel) -> LanguageNeeds:
    shape = architecture(name)
    return LanguageNeeds(
        language_model(shape, shapes_of(MODELS[name])),
        Deployment(
            find_target("h100-sxm"), "vllm", serving=Serving(devices=devices, parallel=parallel)
        ),
        shape,
    )


def weights(row: dict[str, Any], ours: LanguageNeeds) -> float:
    """Return our weights on a device, with the layers stored in the bits that the row states."""
    parts, bits = ours.parts, row.get("linear_bits", 16)
    layers = sum(parts.of(name).nbytes for name in ("attention", "feed-forward", "experts"))
    return float(ours.split.weights * (1 - layers / parts.nbytes * (1 - bits / 16)))


def tokens(row: dict[str, Any], ours: LanguageNeeds) -> float:
    """Return the tokens that fit; these versions captured graphs in what was left besides."""
    outside = startup.OUTSIDE if row["devices"] == 1 else startup.OUTSIDE_LINKED
    room = float(row["total"] * row["share"] * GIB)
    left = room - weights(row, ours) - ours.at(1).compute - outside
    kv = row.get("kv", "bf16")
    return left / (ours.split.cache(1 << 14, kv, ours.runtime, 1) / (1 << 14))


def apart(ours: float, printed: float) -> float:
    return abs(ours / printed - 1)


def off(figure: str, row: dict[str, Any]) -> float | None:
    """Return by how much of what was printed our figure is off; None if not comparable."""
    facts, ours = MODELS[row["model"]], needs(row)
    if row.get("parallel") == "pipeline":  # the first stage printed, and ours is the largest
        return None
    if figure == "activation":
        return apart(ours.at(1).compute / GIB, row["activation"])
    if facts.get("vision") or facts.get("packed"):  # parts and paddings that files do not state
        return None
    if figure == "weights":
        return apart(weights(row, ours) / GIB, row["weights"])
    if facts.get("window") or "cached_tokens" not in row:
        return None
    return apart(tokens(row, ours), row["cached_tokens"])


def known(figure: str, *, held_out: bool) -> list[tuple[float, str]]:
    rows = [each for each in MEASURED if is_later(each) and is_held_out(each) is held_out]
    found = [(off(figure, row), f"{row['model']} x{row['devices']}") for row in rows]
    return [(value, name) for value, name in found if value is not None]


def test_the_measured_are_many_and_cite_where() -> None:
    assert len(MEASURED) >= 40
    assert len({row["model"] for row in MEASURED}) >= 20
    assert len({row["url"] for row in MEASURED}) == len(MEASURED)


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize(
    ("figure", "middle", "worst"),
    [("weights", 0.005, 0.02), ("activation", 0.02, 0.12), ("tokens", 0.002, 0.03)],
)
def test_figures_are_those_that_vllm_printed(
    figure: str, middle: float, worst: float, *, held_out: bool
) -> None:
    found = known(figure, held_out=held_out)
    assert len(found) >= 10
    assert median(value for value, _ in found) <= middle
    assert max(found)[0] <= worst, max(found)


def test_earlier_versions_sorted_the_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SORTED.items():
        monkeypatch.setattr(startup, name, value)
    found = []
    for row in MEASURED:
        if not is_later(row):
            taken = startup.Batch(row["batched"], row["sequences"], 0)
            size = startup.activations(architecture(row["model"]), taken, row["devices"], 0)
            found.append((apart(size / GIB, row["activation"]), row["model"]))
    assert len(found) >= 10
    assert median(value for value, _ in found) <= 0.02
    assert sorted(found)[-2][0] <= 0.03  # all but one, whose version may not be what is stated


def test_a_stage_of_a_pipeline_captures_graphs_of_its_layers() -> None:
    row = next(row for row in MEASURED if row.get("parallel") == "pipeline")
    whole, stage = needs(row | {"devices": 1}), needs(row)
    layers = MODELS[row["model"]]["layers"]
    graphs = startup.GRAPH * startup.LARGE.graphs
    assert whole.overhead - stage.overhead == graphs * (layers - layers // row["devices"])
    assert whole.at(1).compute == stage.at(1).compute


def test_a_device_decides_how_much_is_batched() -> None:
    row = next(row for row in MEASURED if is_later(row))
    shape = architecture(row["model"])
    by_device = {
        name: LanguageNeeds(language_model(shape), Deployment(find_target(name), "vllm"), shape)
        for name in ("h100-sxm", "a100-80gb-sxm", "mi300x")
    }
    compute = {name: each.at(8192).compute for name, each in by_device.items()}
    assert compute["h100-sxm"] > 3 * compute["a100-80gb-sxm"]
    assert by_device["h100-sxm"].at(8192, 50).compute == compute["h100-sxm"]
    assert [each.compute_basis for each in by_device.values()] == ["estimated"] * 2 + ["least"]
