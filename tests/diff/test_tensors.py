"""Tensors of language models are paired by role, and compared as converters leave them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modellint.differ.roles import roles_of
from modellint.differ.tensors import NumericComparison, NumericDifference, twins
from modellint.formats import read_model
from tests.diff.language_models import LAYERS, convert, save_folder, weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_folder(tmp_path_factory.mktemp("tensors") / "float", weights())


def differences(old: Path, new: Path) -> dict[str, NumericDifference]:
    one, other = read_model(old), read_model(new)
    comparison = NumericComparison(one, other)
    return {
        twin.role: comparison.of(twin.old, twin.new)
        for twin in twins(one, other)
        if twin.old is not None and twin.new is not None
    }


def test_a_conversion_changes_nothing(folder: Path, tmp_path: Path) -> None:
    found = differences(folder, convert(tmp_path / "model.gguf", weights(), "F32"))
    assert len(found) == len(weights())
    assert {each.status for each in found.values()} == {"same"}
    permuted = {role for role, each in found.items() if each.order == "permuted"}
    assert permuted == {f"blk.{at}.attn_{name}.weight" for at in range(LAYERS) for name in "qk"}


@pytest.mark.parametrize(
    ("kind", "least", "most"), [("Q8_0", 0.001, 0.01), ("Q4_0", 0.03, 0.15), ("F16", 1e-5, 1e-3)]
)
def test_a_quantization_changes_numbers_a_little(
    folder: Path, tmp_path: Path, kind: str, least: float, most: float
) -> None:
    found = differences(folder, convert(tmp_path / "model.gguf", weights(), kind))
    errors = [each.relative for role, each in found.items() if "norm" not in role]
    assert len(errors) == 7 * LAYERS + 2
    assert all(error is not None and least < error < most for error in errors)


def test_one_changed_number_is_found(folder: Path, tmp_path: Path) -> None:
    changed = weights()
    changed["model.layers.1.mlp.up_proj.weight"][-1, -1] += 1
    found = differences(folder, save_folder(tmp_path / "tuned", changed))
    assert [name for name, each in found.items() if each.status == "changed"] == [
        "model.layers.1.mlp.up_proj.weight"
    ]


def test_what_is_read_is_limited(folder: Path) -> None:
    old, new = read_model(folder), read_model(folder)
    old.reading.limit = 0
    found = [
        NumericComparison(old, new).of(twin.old, twin.new)
        for twin in twins(old, new)
        if twin.old is not None and twin.new is not None
    ]
    assert all(each.status == "same" and each.is_sample for each in found)


def test_what_is_stored_as_one_is_compared_with_its_parts(folder: Path, tmp_path: Path) -> None:
    split, fused = weights(), weights()
    for layer in range(LAYERS):
        names = [f"model.layers.{layer}.self_attn.{each}_proj.weight" for each in "qkv"]
        whole = np.concatenate([fused.pop(name) for name in names])
        fused[f"model.layers.{layer}.self_attn.qkv_proj.weight"] = whole
    fused = {f"transformer.{name.removeprefix('model.')}": each for name, each in fused.items()}
    found = differences(folder, save_folder(tmp_path / "fused", fused, model_type="phi3"))
    assert len(found) == len(split) - 2 * LAYERS
    assert {each.status for each in found.values()} == {"same"}


def test_experts_are_stacked(tmp_path: Path) -> None:
    apart = {
        f"model.layers.0.mlp.experts.{at}.up_proj.weight": np.full((4, 8), at, np.float32)
        for at in (10, 2, 1, 0)
    }
    together = {"blk.0.ffn_up_exps.weight": np.stack([np.full((4, 8), at) for at in (0, 1, 2, 10)])}
    together = {name: each.astype(np.float32) for name, each in together.items()}
    found = differences(save_folder(tmp_path / "a", apart), save_folder(tmp_path / "b", together))
    assert found == {"blk.0.ffn_up_exps.weight": NumericDifference("same", 0.0)}


NAMES = {
    "LLAMA": """model.embed_tokens model.norm lm_head model.layers.1.input_layernorm
        model.layers.1.self_attn.q_proj model.layers.1.mlp.gate_proj model.layers.1.mlp.down_proj
        layers.1.attention.wk layers.1.feed_forward.w3 tok_embeddings
        model.layers.1.block_sparse_moe.gate model.layers.1.block_sparse_moe.experts.w2""",
    "GPT2": """transformer.wte transformer.wpe transformer.h.1.attn.c_attn transformer.h.1.ln_2
        transformer.h.1.mlp.c_proj transformer.ln_f""",
    "GEMMA2": """model.layers.1.pre_feedforward_layernorm model.layers.1.post_attention_layernorm
        model.layers.1.post_feedforward_layernorm""",
    "DEEPSEEK2": """model.layers.1.self_attn.kv_a_proj_with_mqa model.layers.1.self_attn.q_b_proj
        model.layers.1.mlp.shared_experts.up_proj model.layers.1.mlp.experts.down_proj""",
    "QWEN2MOE": "model.layers.1.mlp.gate model.layers.1.mlp.shared_expert_gate",
    "BERT": """embeddings.word_embeddings embeddings.token_type_embeddings embeddings.LayerNorm
        encoder.layer.1.attention.self.query encoder.layer.1.attention.output.dense
        encoder.layer.1.attention.output.LayerNorm encoder.layer.1.intermediate.dense
        encoder.layer.1.output.dense encoder.layer.1.output.LayerNorm""",
    "GPTNEOX": """gpt_neox.layers.1.attention.query_key_value gpt_neox.layers.1.mlp.dense_4h_to_h
        embed_out gpt_neox.final_layer_norm""",
    "MAMBA": """backbone.layers.1.mixer.in_proj backbone.layers.1.norm backbone.norm_f
        backbone.layers.1.mixer.A_log""",
}
"""Names of tensors without their endings, by llama.cpp's name of the architecture."""


@pytest.mark.parametrize("architecture", NAMES)
def test_roles_are_those_of_llama_cpp(architecture: str) -> None:
    """Its package has a table of the names that each architecture uses."""
    import gguf

    known = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture], 2)
    names = NAMES[architecture].split()
    roles = roles_of(names)
    expected = {name: known.get_name(name) for name in names}
    assert {name: roles[name].full.removesuffix(".weight") for name in names} == expected
