"""Small language models with quantized weights, in every layout that rules know."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

HIDDEN, FED, WORDS, HEADS, KV_HEADS, EXPERTS = 128, 256, 64, 2, 1, 2
LAYER = "model.layers.0"
BROKEN = f"{LAYER}.mlp.down_proj"
"""The layer that changes are made to."""
LLAMA: Mapping[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "intermediate_size": FED,
    "num_hidden_layers": 1,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "vocab_size": WORDS,
    "max_position_embeddings": 128,
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
}
GPT_OSS: Mapping[str, Any] = {
    **LLAMA,
    "architectures": ["GptOssForCausalLM"],
    "model_type": "gpt_oss",
    "head_dim": HIDDEN // HEADS,
    "num_local_experts": EXPERTS,
    "num_experts_per_tok": 1,
    "layer_types": ["full_attention"],
    "sliding_window": 128,
    "torch_dtype": "bfloat16",
}


def sizes(fed: int = FED) -> dict[str, tuple[int, int]]:
    """Return the outputs and inputs of the linear layers."""
    attention, cached = f"{LAYER}.self_attn", HIDDEN // HEADS * KV_HEADS
    return {
        f"{attention}.q_proj": (HIDDEN, HIDDEN),
        f"{attention}.k_proj": (cached, HIDDEN),
        f"{attention}.v_proj": (cached, HIDDEN),
        f"{attention}.o_proj": (HIDDEN, HIDDEN),
        f"{LAYER}.mlp.gate_proj": (fed, HIDDEN),
        f"{LAYER}.mlp.up_proj": (fed, HIDDEN),
        BROKEN: (HIDDEN, fed),
    }


@dataclass(frozen=True)
class Stored:
    """A tensor as safetensors stores it."""

    kind: str
    shape: tuple[int, ...]
    data: bytes


Tensors = dict[str, Stored]


@dataclass
class Folder:
    """Files of a model."""

    config: dict[str, Any]
    tensors: Tensors

    @property
    def scheme(self) -> dict[str, Any]:
        stated: dict[str, Any] = self.config["quantization_config"]
        return stated

    def write(self, place: Path) -> None:
        place.mkdir(parents=True)
        (place / "config.json").write_text(json.dumps(self.config))
        header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        end = 0
        for name, stored in self.tensors.items():
            start, end = end, end + len(stored.data)
            spot = {"shape": list(stored.shape), "data_offsets": [start, end]}
            header[name] = {"dtype": stored.kind, **spot}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        parts = [len(text).to_bytes(8, "little"), text, *(s.data for s in self.tensors.values())]
        (place / "model.safetensors").write_bytes(b"".join(parts))


Change = Callable[[Folder], None]


@dataclass(frozen=True)
class Case:
    """A folder, and what is changed in it."""

    name: str
    method: str
    folder: Folder
    is_sound: bool = True
    """False if something is wrong with it."""
    like: str = ""
    """The unchanged case whose results a loader has to give, if it takes this one."""


@dataclass(frozen=True)
class Layout:
    """A way to store quantized weights."""

    name: str
    method: str
    make: Callable[[np.random.Generator], Folder]
    changes: Mapping[str, Change] = field(default_factory=dict)
    is_sound: bool = True


def cases() -> Iterator[Case]:
    """Iterate over all layouts, each as it should be and with each of its changes."""
    for layout in LAYOUTS:
        folder = layout.make(np.random.default_rng(0))
        made = Case(layout.name, layout.method, folder, layout.is_sound)
        yield made
        for said, change in layout.changes.items():
            changed = copy.deepcopy(made.folder)
            change(changed)
            name = f"{layout.name}: {said}"
            sound = said in HARMLESS
            yield replace(made, name=name, folder=changed, is_sound=sound, like=layout.name)


# Tensors


def array(kind: str, values: np.ndarray[Any, Any]) -> Stored:
    return Stored(kind, values.shape, np.ascontiguousarray(values).tobytes())


def halves(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> Stored:
    return array("F16", (rng.standard_normal(shape) * scale).astype(np.float16))


def ones(count: int) -> Stored:
    return array("F16", np.ones(count, np.float16))


def bfloats(rng: np.random.Generator, *shape: int, scale: float = 0.1) -> Stored:
    numbers = (rng.standard_normal(shape) * scale).astype(np.float32)
    return Stored("BF16", shape, (numbers.view(np.uint32) >> 16).astype("<u2").tobytes())


def scales(rng: np.random.Generator, *shape: int, kind: str = "F16", top: float = 0.01) -> Stored:
    types: dict[str, type[np.floating[Any]]] = {"F16": np.float16, "F32": np.float32}
    return array(kind, (rng.uniform(top / 4, top, shape)).astype(types[kind]))


def words(rng: np.random.Generator, *shape: int) -> Stored:
    return array("I32", rng.integers(-(2**31), 2**31, shape, np.int64).astype(np.int32))


def integers(rng: np.random.Generator, kind: str, *shape: int) -> Stored:
    types: dict[str, type[np.integer[Any]]] = {"I8": np.int8, "U8": np.uint8}
    bounds = np.iinfo(types[kind])
    return array(kind, rng.integers(bounds.min, bounds.max + 1, shape).astype(types[kind]))


def float8(rng: np.random.Generator, *shape: int) -> Stored:
    """Return numbers of at most 8, of either sign."""
    bits = rng.integers(0, 0x50, shape) | rng.integers(0, 2, shape) << 7
    return Stored("F8_E4M3", shape, bits.astype(np.uint8).tobytes())


def text(content: Mapping[str, object]) -> Stored:
    """Return JSON as bitsandbytes stores it: a tensor of its bytes."""
    return array("U8", np.frombuffer(json.dumps(content).encode(), np.uint8))


def unquantized(rng: np.random.Generator) -> Tensors:
    return {
        "model.embed_tokens.weight": halves(rng, WORDS, HIDDEN),
        f"{LAYER}.input_layernorm.weight": ones(HIDDEN),
        f"{LAYER}.post_attention_layernorm.weight": ones(HIDDEN),
        "model.norm.weight": ones(HIDDEN),
        "lm_head.weight": halves(rng, WORDS, HIDDEN, scale=0.1),
    }


def llama(
    rng: np.random.Generator,
    scheme: Mapping[str, Any],
    parts: Callable[[np.random.Generator, int, int], Mapping[str, Stored]],
    fed: int = FED,
) -> Folder:
    """Return a model whose linear layers, of some outputs and inputs, have the given parts."""
    tensors = unquantized(rng)
    for name, (outputs, inputs) in sizes(fed).items():
        made = parts(rng, outputs, inputs)
        tensors |= {f"{name}.{part}": stored for part, stored in made.items()}
    config = {**LLAMA, "intermediate_size": fed, "quantization_config": dict(scheme)}
    return Folder(config, tensors)


# GPTQ and AWQ


def gptq(
    bits: int = 4,
    group: int = 32,
    *,
    ordered: bool = False,
    symmetric: bool = True,
    fed: int = FED,
) -> Any:
    def parts(rng: np.random.Generator, outputs: int, inputs: int) -> Mapping[str, Stored]:
        width = group if group > 0 else inputs
        groups = -(-inputs // width)
        zeros = np.full((groups, outputs * bits // 32), MIDDLES[bits], np.uint32).view(np.int32)
        places = np.arange(inputs) // width
        return {
            "qweight": words(rng, inputs * bits // 32, outputs),
            "qzeros": array("I32", zeros) if symmetric else words(rng, *zeros.shape),
            "scales": scales(rng, groups, outputs, top=0.08 / 2**bits),
            "g_idx": array("I32", (rng.permutation(places) if ordered else places).astype("<i4")),
        }

    stated = {"bits": bits, "group_size": group, "desc_act": ordered, "sym": symmetric}
    return lambda rng: llama(rng, {"quant_method": "gptq", **stated}, parts, fed)


MIDDLES = {2: 0x55555555, 3: 0xDB6DB6DB, 4: 0x77777777, 8: 0x7F7F7F7F}
"""Words of zero points of symmetric weights, one less than they are, as GPTQ stores them."""


def awq(group: int = 32, fed: int = FED) -> Any:
    def parts(rng: np.random.Generator, outputs: int, inputs: int) -> Mapping[str, Stored]:
        groups = -(-inputs // group) if group > 0 else 1
        return {
            "qweight": words(rng, inputs, outputs // 8),
            "qzeros": words(rng, groups, outputs // 8),
            "scales": scales(rng, groups, outputs, top=0.005),
        }

    stated = {"bits": 4, "group_size": group, "zero_point": True, "version": "gemm"}
    return lambda rng: llama(rng, {"quant_method": "awq", **stated}, parts, fed)


# bitsandbytes

NF4 = np.linspace(-1, 1, 16).astype(np.float32)


def nf4(*, nested: bool = False) -> Any:
    def parts(rng: np.random.Generator, outputs: int, inputs: int) -> Mapping[str, Stored]:
        count = outputs * inputs
        state = {"quant_type": "nf4", "blocksize": 64, "dtype": "float16"}
        state |= {"shape": [outputs, inputs]}
        made = {
            "weight": integers(rng, "U8", count // 2, 1),
            "weight.absmax": scales(rng, count // 64, kind="F32", top=0.1),
            "weight.quant_map": array("F32", NF4),
        }
        if nested:
            state |= {"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.05}
            made["weight.absmax"] = integers(rng, "U8", count // 64)
            made["weight.nested_absmax"] = scales(rng, -(-count // 64 // 256), kind="F32", top=0.04)
            made["weight.nested_quant_map"] = array("F32", np.linspace(-1, 1, 256, dtype="f4"))
        return {**made, "weight.quant_state.bitsandbytes__nf4": text(state)}

    stated = {
        "quant_method": "bitsandbytes",
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_compute_dtype": "float16",
        "bnb_4bit_use_double_quant": nested,
    }
    return lambda rng: llama(rng, stated, parts)


def int8(rng: np.random.Generator) -> Folder:
    def parts(rng: np.random.Generator, outputs: int, inputs: int) -> Mapping[str, Stored]:
        return {
            "weight": integers(rng, "I8", outputs, inputs),
            "SCB": scales(rng, outputs, kind="F32", top=0.2),
            "weight_format": array("U8", np.array(0, np.uint8)),
        }

    return llama(rng, {"quant_method": "bitsandbytes", "load_in_8bit": True}, parts)


# FP8, compressed-tensors, MXFP4


def fp8(fed: int = FED) -> Any:
    def parts(rng: np.random.Generator, outputs: int, inputs: int) -> Mapping[str, Stored]:
        blocks = (-(-outputs // 128), -(-inputs // 128))
        return {
            "weight": float8(rng, outputs, inputs),
            "weight_scale_inv": scales(rng, *blocks, kind="F32", top=0.05),
        }

    stated = {"activation_scheme": "dynamic", "weight_block_size": [128, 128]}
    return lambda rng: llama(rng, {"quant_method": "fp8", **stated}, parts, fed)


def compressed(
    layout: str, weights: Mapping[str, object], parts: Any, inputs: Mapping[str, object] | None
) -> Any:
    group = {"targets": ["Linear"], "weights": weights, "input_activations": inputs}
    stated = {
        "quant_method": "compressed-tensors",
        "format": layout,
        "quantization_status": "compressed",
        "ignore": ["lm_head"],
        "config_groups": {"group_0": group},
    }
    return lambda rng: llama(rng, stated, parts)


def _int4(rng: np.random.Generator, outputs: int, inputs: int) -> Mapping[str, Stored]:
    return {
        "weight_packed": words(rng, outputs, inputs // 8),
        "weight_scale": scales(rng, outputs, inputs // 32, top=0.005),
        "weight_shape": array("I64", np.array([outputs, inputs], np.int64)),
    }


def _int8(rng: np.random.Generator, outputs: int, inputs: int) -> Mapping[str, Stored]:
    return {
        "weight": integers(rng, "I8", outputs, inputs),
        "weight_scale": scales(rng, outputs, 1, top=0.001),
    }


def _float8(rng: np.random.Generator, outputs: int, inputs: int) -> Mapping[str, Stored]:
    return {
        "weight": float8(rng, outputs, inputs),
        "weight_scale": scales(rng, outputs, 1, top=0.05),
    }


INT4: Mapping[str, object] = {
    "num_bits": 4,
    "type": "int",
    "symmetric": True,
    "strategy": "group",
    "group_size": 32,
}
BY_CHANNEL = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel"}
BY_TOKEN = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "token", "dynamic": True}


def mxfp4(rng: np.random.Generator) -> Folder:
    tensors: Tensors = {
        "model.embed_tokens.weight": bfloats(rng, WORDS, HIDDEN, scale=1),
        f"{LAYER}.input_layernorm.weight": bfloats(rng, HIDDEN),
        f"{LAYER}.post_attention_layernorm.weight": bfloats(rng, HIDDEN),
        f"{LAYER}.self_attn.sinks": bfloats(rng, HEADS),
        f"{LAYER}.mlp.router.weight": bfloats(rng, EXPERTS, HIDDEN),
        f"{LAYER}.mlp.router.bias": bfloats(rng, EXPERTS),
        "model.norm.weight": bfloats(rng, HIDDEN),
        "lm_head.weight": bfloats(rng, WORDS, HIDDEN),
    }
    for name, (outputs, inputs) in sizes().items():
        if "self_attn" in name:
            tensors[f"{name}.weight"] = bfloats(rng, outputs, inputs)
            tensors[f"{name}.bias"] = bfloats(rng, outputs)
    for name, outputs, inputs in (("gate_up_proj", 2 * FED, HIDDEN), ("down_proj", HIDDEN, FED)):
        exponents = rng.integers(118, 122, (EXPERTS, outputs, inputs // 32)).astype(np.uint8)
        expert = f"{LAYER}.mlp.experts.{name}"
        tensors[f"{expert}_blocks"] = integers(rng, "U8", EXPERTS, outputs, inputs // 32, 16)
        tensors[f"{expert}_scales"] = array("U8", exponents)
        tensors[f"{expert}_bias"] = bfloats(rng, EXPERTS, outputs)
    scheme = {
        "quant_method": "mxfp4",
        "modules_to_not_convert": [
            "model.layers.*.self_attn",
            "model.layers.*.mlp.router",
            "model.embed_tokens",
            "lm_head",
        ],
    }
    return Folder({**GPT_OSS, "quantization_config": scheme}, tensors)


# Changes


def without(*parts: str, layer: str = f"{BROKEN}.") -> Change:
    def change(folder: Folder) -> None:
        for part in parts:
            del folder.tensors[layer + part]

    return change


def shaped(part: str, *shape: int) -> Change:
    """Let a tensor have another shape, and numbers as it had, over and over."""

    def change(folder: Folder) -> None:
        stored = folder.tensors[f"{BROKEN}.{part}"]
        size = len(stored.data) // max(int(np.prod(stored.shape)), 1)
        count = int(np.prod(shape)) * size
        data = (stored.data * (count // len(stored.data) + 1))[:count]
        folder.tensors[f"{BROKEN}.{part}"] = Stored(stored.kind, shape, data)

    return change


def stating(**changed: object) -> Change:
    return lambda folder: folder.scheme.update(changed)


def of_weights(**changed: object) -> Change:
    """Let compressed-tensors state something else about weights."""

    def change(folder: Folder) -> None:
        folder.scheme["config_groups"]["group_0"]["weights"].update(changed)

    return change


def unstated(folder: Folder) -> None:
    del folder.config["quantization_config"]


def dense(folder: Folder) -> None:
    """Leave the configuration as it is, and put weights in floating point in their place."""
    rng = np.random.default_rng(1)
    folder.tensors = unquantized(rng)
    for name, (outputs, inputs) in sizes().items():
        folder.tensors[f"{name}.weight"] = halves(rng, outputs, inputs, scale=0.05)


_PACKED: Mapping[str, Change] = {
    "no scales": without("scales"),
    "no zero points": without("qzeros"),
    "no packed weights": without("qweight"),
    "scales for half the groups": shaped("scales", FED // 64, HIDDEN),
    "scales for half the outputs": shaped("scales", FED // 32, HIDDEN // 2),
    "zero points for half the outputs": shaped("qzeros", FED // 32, HIDDEN // 16),
    "groups of 64 stated": stating(group_size=64),
    "one group stated": stating(group_size=-1),
    "no scheme stated": unstated,
    "weights not quantized": dense,
}
HARMLESS = frozenset({"act-order stated, not used", "act-order not stated", "no weight_format"})
"""Changes that a loader does not mind."""
LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "GPTQ",
        "gptq",
        gptq(),
        {
            **_PACKED,
            "no group indices": without("g_idx"),
            "group indices for half the inputs": shaped("g_idx", FED // 2),
            "8 bits stated": stating(bits=8),
            "packed weights of half the inputs": shaped("qweight", FED // 16, HIDDEN),
            "act-order stated, not used": stating(desc_act=True),
        },
    ),
    Layout(
        "GPTQ, act-order",
        "gptq",
        gptq(ordered=True),
        {
            "no group indices": without("g_idx"),
            "act-order not stated": stating(desc_act=False),
            "group indices for half the inputs": shaped("g_idx", FED // 2),
        },
    ),
    Layout("GPTQ, one group", "gptq", gptq(group=-1)),
    Layout("GPTQ, one group, act-order", "gptq", gptq(group=-1, ordered=True)),
    Layout("GPTQ, asymmetric", "gptq", gptq(symmetric=False)),
    Layout("GPTQ, 8 bits", "gptq", gptq(bits=8), {"4 bits stated": stating(bits=4)}),
    Layout("GPTQ, 2 bits", "gptq", gptq(bits=2)),
    Layout("GPTQ, 3 bits", "gptq", gptq(bits=3)),
    Layout(
        "AWQ",
        "awq",
        awq(),
        {**_PACKED, "packed weights of half the outputs": shaped("qweight", FED, 8)},
    ),
    Layout("GPTQ, groups that do not divide", "gptq", gptq(group=128, fed=320), is_sound=False),
    Layout("GPTQ, groups of 48", "gptq", gptq(group=48), is_sound=False),
    Layout("AWQ, one group", "awq", awq(group=-1)),
    Layout("AWQ, groups of 128", "awq", awq(group=128)),
    Layout("AWQ, groups that do not divide", "awq", awq(group=128, fed=320), is_sound=False),
    Layout("AWQ, groups of 48", "awq", awq(group=48), is_sound=False),
    Layout(
        "NF4",
        "bitsandbytes",
        nf4(),
        {
            "no absmax": without("weight.absmax"),
            "no quant_state": without("weight.quant_state.bitsandbytes__nf4"),
            "no quant_map": without("weight.quant_map"),
            "only packed weights": without(
                "weight.absmax", "weight.quant_map", "weight.quant_state.bitsandbytes__nf4"
            ),
            "absmax for half the blocks": shaped("weight.absmax", HIDDEN * FED // 128),
            "half the packed weights": shaped("weight", HIDDEN * FED // 4, 1),
            "no scheme stated": unstated,
        },
    ),
    Layout(
        "NF4, nested",
        "bitsandbytes",
        nf4(nested=True),
        {
            "no nested_absmax": without("weight.nested_absmax"),
            "no nested_quant_map": without("weight.nested_quant_map"),
        },
    ),
    Layout(
        "bitsandbytes int8",
        "bitsandbytes",
        int8,
        {
            "no SCB": without("SCB"),
            "SCB for half the outputs": shaped("SCB", HIDDEN // 2),
            "no weight_format": without("weight_format"),
            "no scheme stated": unstated,
        },
    ),
    Layout(
        "FP8, blocks",
        "fp8",
        fp8(),
        {
            "no scales": without("weight_scale_inv"),
            "scales for one block": shaped("weight_scale_inv", 1, 1),
            "blocks of 64 stated": stating(weight_block_size=[64, 64]),
            "no scheme stated": unstated,
        },
    ),
    Layout("FP8, blocks that do not divide", "fp8", fp8(fed=320)),
    Layout(
        "compressed-tensors int4",
        "compressed-tensors",
        compressed("pack-quantized", dict(INT4), _int4, None),
        {
            "no scales": without("weight_scale"),
            "no shape": without("weight_shape"),
            "no packed weights": without("weight_packed"),
            "scales for half the groups": shaped("weight_scale", HIDDEN, FED // 64),
            "scales for half the outputs": shaped("weight_scale", HIDDEN // 2, FED // 32),
            "groups of 64 stated": of_weights(group_size=64),
            "8 bits stated": of_weights(num_bits=8),
            "no scheme stated": unstated,
        },
    ),
    Layout(
        "compressed-tensors int8",
        "compressed-tensors",
        compressed("int-quantized", dict(BY_CHANNEL), _int8, dict(BY_TOKEN)),
        {
            "no scales": without("weight_scale"),
            "scales for half the outputs": shaped("weight_scale", HIDDEN // 2, 1),
            "no scheme stated": unstated,
        },
    ),
    Layout(
        "compressed-tensors FP8",
        "compressed-tensors",
        compressed(
            "float-quantized",
            {**BY_CHANNEL, "type": "float"},
            _float8,
            {**BY_TOKEN, "type": "float"},
        ),
        {
            "no scales": without("weight_scale"),
            "scales for half the outputs": shaped("weight_scale", HIDDEN // 2, 1),
            "no scheme stated": unstated,
        },
    ),
    Layout(
        "MXFP4",
        "mxfp4",
        mxfp4,
        {
            "no scales": without("down_proj_scales", layer=f"{LAYER}.mlp.experts."),
            "no blocks": without("down_proj_blocks", layer=f"{LAYER}.mlp.experts."),
        },
    ),
)
