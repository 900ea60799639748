"""Memory and time of language models, by hand calculation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modellint.analysis.language import context_speed, language_needs
from modellint.analysis.language.needs import LanguageNeeds
from modellint.model.architecture import Architecture, LayerShape
from modellint.targets import find_target
from modellint.targets.deployment import Deployment, Serving
from tests.language.models import language_model, shapes_of

LLAMA = {
    "hidden": 4096,
    "layers": 32,
    "heads": 32,
    "kv_heads": 8,
    "feed_forward": 14336,
    "vocabulary": 128256,
}
LAYER = LayerShape(heads=32, kv_heads=8, key_size=128, value_size=128, feed_forward=14336)
ARCHITECTURE = Architecture(
    "LlamaForCausalLM", (LAYER,) * 32, hidden=4096, vocabulary=128256, context=131072
)


def llama(
    runtime: str = "llama.cpp", target: str | None = None, **serving: object
) -> LanguageNeeds:
    model = language_model(ARCHITECTURE, shapes_of(LLAMA))
    deployment = Deployment(
        find_target(target) if target else None,
        runtime,
        serving=Serving(**serving),  # type: ignore[arg-type]
    )
    needs = language_needs(model, deployment)
    assert needs is not None
    return needs


def test_parameters_are_those_that_are_published() -> None:
    assert llama().parts.parameters == 8_030_261_248


def test_the_cache_is_two_vectors_for_each_head_and_layer() -> None:
    assert llama().at(8192).cache == 8192 * 32 * 2 * 8 * 128 * 2
    assert llama(kv_precision="q8_0").at(8192).cache == 8192 * 32 * 2 * 8 * 128 * 34 // 32
    assert llama(kv_precision="q4_0").at(8192).cache == 8192 * 32 * 2 * 8 * 128 * 18 // 32


def test_the_longest_context_is_the_last_that_fits() -> None:
    needs = llama(target="rtx-4090")
    assert needs.longest is not None
    assert needs.room is not None
    assert needs.longest % 256 == 0
    assert needs.at(needs.longest).total <= needs.room < needs.at(needs.longest + 256).total


def test_as_many_requests_fit_as_are_said() -> None:
    needs = llama(target="rtx-4090", kv_precision="q8_0")
    many = needs.requests(8192)
    assert many is not None
    assert needs.room is not None
    assert needs.at(8192, many).total <= needs.room < needs.at(8192, many + 1).total


def test_what_does_not_fit_leaves_layers_in_the_hosts_memory() -> None:
    needs = llama(target="rtx-3060")
    assert needs.fit(131072) == "does not fit"
    layers = needs.offloaded(131072)
    assert layers is not None
    assert 0 < layers < 32


def test_a_split_over_devices_divides_weights_and_cache() -> None:
    one, four = llama("vllm"), llama("vllm", devices=4, parallel="tensor")
    assert four.at(8192).cache == one.at(8192).cache // 4
    assert one.parts.nbytes / 4 < four.at(8192).weights < one.parts.nbytes / 3.9
    assert not four.split.undivided


def test_counts_that_do_not_divide_are_named() -> None:
    assert llama("vllm", devices=6).split.undivided == [
        "32 heads",
        "8 key-value heads",
        "feed-forward width 14336",
    ]
    assert llama("vllm", devices=5, parallel="pipeline").split.undivided == ["32 layers"]


def test_a_full_window_ends_the_growth_of_the_cache() -> None:
    local = LayerShape(
        heads=8, kv_heads=4, key_size=256, value_size=256, window=1024, feed_forward=9216
    )
    layers = (local,) * 5 + (LayerShape(heads=8, kv_heads=4, key_size=256, value_size=256),)
    model = language_model(Architecture("gemma3", layers, hidden=2560, context=131072))
    needs = language_needs(model, Deployment(runtime="llama.cpp"))
    assert needs is not None
    per_layer = 2 * 4 * 256 * 2
    assert needs.at(131072).cache == per_layer * (131072 + 5 * (1024 + 512))
    whole = language_needs(model, Deployment(runtime="tensorrt-llm"))
    assert whole is not None
    assert whole.at(131072).cache == per_layer * 6 * 131072


def test_an_index_is_cached_besides_and_only_what_it_chooses_is_read() -> None:
    plain = LayerShape(
        mixer="latent", heads=128, kv_heads=1, key_size=576, rotated=64, own_key_size=192
    )
    sparse = replace(plain, index_size=128, index_heads=64, chosen=2048)
    found = {}
    for layer in (plain, sparse):
        model = language_model(Architecture("deepseek32", (layer,) * 4, hidden=7168))
        deployment = Deployment(runtime="llama.cpp", target=find_target("h100-sxm"))
        needs = language_needs(model, deployment)
        assert needs is not None
        speed = context_speed(needs, 131072)
        assert speed is not None
        found[layer] = needs.at(131072).cache, speed.decode_rate
    assert found[sparse][0] - found[plain][0] == 4 * 131072 * 128 * 2
    assert found[sparse][1] > found[plain][1]


def test_layers_without_an_index_read_the_whole_cache_next_to_ones_with_it() -> None:
    sparse = replace(LAYER, index_size=128, index_heads=4, chosen=2048)
    deployment = Deployment(find_target("a100-80gb-sxm"), "vllm")
    times = {}
    for layers in ((sparse,), (LAYER,), (sparse, LAYER)):
        needs = language_needs(language_model(Architecture("mixed", layers)), deployment)
        assert needs is not None
        speed = context_speed(needs, 131072)
        assert speed is not None
        times[layers] = 1 / speed.decode_rate
    assert times[sparse, LAYER] == pytest.approx(times[sparse,] + times[LAYER,])


def test_llama_cpp_widens_values_without_flash_attention() -> None:
    """Measured for MiMo-V2 (`tests/data/llama_cpp_memory.json`)."""
    wide = LayerShape(heads=64, kv_heads=8, key_size=192, value_size=128)
    layers = (wide, replace(wide, kv_heads=4))
    model = language_model(Architecture("mimo2", layers, hidden=4096))
    on, off = (
        language_needs(
            model, Deployment(runtime="llama.cpp", serving=Serving(flash_attention=each))
        )
        for each in (True, False)
    )
    assert on is not None
    assert off is not None
    assert off.at(1024).cache - on.at(1024).cache == 1024 * 4 * 128 * 2
