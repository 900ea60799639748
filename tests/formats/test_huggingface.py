"""Hugging Face folders: which files are read, and what is said of those that are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modellint.capability import Capability
from modellint.formats import read_model
from modellint.formats.huggingface.architecture import MOST_LAYERS, architecture_of
from modellint.formats.huggingface.config import JsonTable, read_config
from modellint.formats.huggingface.facts import FolderFacts, folder_facts
from modellint.formats.huggingface.hyperparameters import NAMES
from modellint.formats.safetensors.notation import encode
from modellint.model import Model

FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
INDEX = "model.safetensors.index.json"
OTHER_KEYS = """
    layer_types rope_scaling rope_parameters text_config quantization_config hybrid_override_pattern
    full_attn_idxs attn_type_list moe_layers mlp_layer_types sliding_window_pattern
    num_kv_shared_layers per_layer_config attn_config ffn_config linear_attn_config
    cross_attention_layers attn_layer_period moe_layer_freq full_attention_interval no_rope_layers
    kv_lora_rank tie_word_embeddings vocab_size architectures thinker_config vision_config
    max_window_layers use_sliding_window decoder_sparse_step first_k_dense_replace
    """.split()


def folder(top: Path, files: dict[str, Any]) -> Model:
    path = top / "model"
    path.mkdir()
    for name, content in files.items():
        if isinstance(content, bytes):
            (path / name).write_bytes(content)
        elif name.endswith(".json"):
            (path / name).write_text(json.dumps(content))
        else:
            (path / name).write_bytes(encode(content))
    return read_model(path)


def kinds(model: Model) -> list[str]:
    return [problem.kind for problem in model.problems]


def test_a_single_file_is_preferred_to_shards(tmp_path: Path) -> None:
    files = {"config.json": {}, "model.safetensors": "a F32 [2]", FIRST: "b F32 [2]"}
    model = folder(tmp_path, files)
    assert folder_facts(model).weights == ("model.safetensors",)
    assert model.capabilities == {Capability.WEIGHTS, Capability.METADATA}
    assert model.file_size == (tmp_path / "model/model.safetensors").stat().st_size


def test_shards_are_those_that_the_index_names(tmp_path: Path) -> None:
    listed = {"a": FIRST, "b": SECOND}
    files = {
        "config.json": {},
        FIRST: "a F32 [2]",
        SECOND: "b F32 [2]",
        INDEX: {"weight_map": listed},
    }
    model = folder(tmp_path, files)
    assert [tensor.name for tensor in model.tensors] == ["a", "b"]
    assert not model.problems


def test_an_index_may_not_name_files_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "other.safetensors").write_bytes(encode("a F32 [2]"))
    listed = {"a": "../other.safetensors", "b": "/etc/passwd", "c": "", "d": 5, "e": "x\0y"}
    model = folder(tmp_path, {"config.json": {}, INDEX: {"weight_map": listed}})
    assert not model.tensors
    assert set(kinds(model)) == {"external-outside", "shard-missing"}


def test_a_pointer_instead_of_a_shard(tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1024\n"
    files = {"config.json": {}, FIRST: pointer, INDEX: {"weight_map": {"a": FIRST}}}
    model = folder(tmp_path, files)
    assert kinds(model) == ["lfs-pointer"]
    assert not model.problems[0].fatal


def test_an_adapter_is_a_model(tmp_path: Path) -> None:
    files = {
        "adapter_config.json": {"r": 2},
        "adapter_model.safetensors": "q.lora_A.weight F32 [2,2]",
    }
    model = folder(tmp_path, files)
    assert model.format == "huggingface"
    assert model.architecture is None


def test_metadata_name_the_model(tmp_path: Path) -> None:
    config = {"architectures": ["LlamaForCausalLM"], "transformers_version": "5.1", "dtype": "x"}
    model = folder(tmp_path, {"config.json": config, "model.safetensors": "a F32 [2]"})
    assert model.metadata == {"architectures": "LlamaForCausalLM", "dtype": "x"}
    assert (model.producer_name, model.producer_version) == ("transformers", "5.1")


def test_a_folder_without_weights_is_not_a_model(tmp_path: Path) -> None:
    model = folder(tmp_path, {"config.json": {}})
    assert kinds(model) == ["unreadable"]


@pytest.mark.parametrize("content", [b"[" * 100_000, b"[]", b"\xff", b"nul", b'{"a": '])
def test_a_broken_configuration(content: bytes, tmp_path: Path) -> None:
    model = folder(tmp_path, {"config.json": content, "model.safetensors": "a F32 [2]"})
    assert kinds(model) == ["config-broken"]
    assert len(model.tensors) == 1


def test_values_of_a_configuration_are_checked(tmp_path: Path) -> None:
    stated = {"big": 1 << 70, "yes": True, "minus": -1, "real": 1.5, "none": None, "list": [1, {}]}
    (tmp_path / "config.json").write_text(json.dumps(stated))
    config = read_config(tmp_path / "config.json")
    assert [config.number(key) for key in stated] == [None] * 6
    assert [config.real(key) for key in ("real", "big", "yes")] == [1.5, None, None]
    assert config.texts("list") == []
    assert "none" not in config
    assert config.states("none")
    assert not config.table("list")


TREE: dict[str, Any] = {"0": {"a": []}}
HOSTILE: tuple[Any, ...] = (-1, 1 << 63, 1e308, True, None, "x" * 600, [[]], [{}], TREE)


def test_no_value_of_a_configuration_is_trusted() -> None:
    names = {*NAMES, *(each for others in NAMES.values() for each in others), *OTHER_KEYS}
    for model_type in ("qwen3_next", "nemotron_h"):
        for name in sorted(names):
            for value in HOSTILE:
                config = {"model_type": model_type, "num_hidden_layers": 2, name: value}
                facts = FolderFacts(Path(), configs={"config.json": JsonTable(config)})
                found = architecture_of(facts)
                assert found is None or len(found.layers) <= MOST_LAYERS
