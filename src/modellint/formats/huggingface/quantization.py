"""The scheme of a folder's quantized weights, in words: ``GPTQ 4-bit (group 128, act-order)``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modellint.base.text import bounded
from modellint.formats.huggingface.config import JsonTable
from modellint.formats.huggingface.facts import FolderFacts

_BESIDE = ("quantize_config.json", "quant_config.json")
"""Files of GPTQ and AWQ from before configurations held the scheme."""
_MODELOPT = "hf_quant_config.json"


class StatedScheme:
    """A quantization of weights, by the method that wrote them."""

    def __init__(self, method: str, table: JsonTable) -> None:
        self.method = method
        self.table = table

    @property
    def bits(self) -> int | None:
        return self.table.number("bits", "w_bit", "nbits", "weight_bits")

    @property
    def group(self) -> int | None:
        """Return the elements that share a scale; None if a whole row does."""
        return self.table.number("group_size", "q_group_size") or None

    @property
    def ordered(self) -> bool:
        """True if columns are sorted by importance (act-order): groups are not neighbors."""
        return self.table.flag("desc_act") is True and self.group is not None


def quantization_of(facts: FolderFacts) -> StatedScheme | None:
    """Return the folder's description of how its weights are quantized."""
    config = facts.config()
    table = config.table("quantization_config") or config.table("text_config").table(
        "quantization_config"
    )
    table = table or config.table("compression_config")
    if table:
        return StatedScheme(_method(table), table)
    if "quantization" in config:  # MLX
        return StatedScheme("mlx", config.table("quantization"))
    for name in _BESIDE:
        beside = facts.config(name)
        if beside.number("bits", "w_bit"):
            return StatedScheme(
                "awq" if "w_bit" in beside or "zero_point" in beside else "gptq", beside
            )
    modelopt = facts.config(_MODELOPT).table("quantization")
    return StatedScheme("modelopt", modelopt) if modelopt else None


def _method(table: JsonTable) -> str:
    stated = table.text("quant_method").lower().replace("_", "-")
    if stated:
        return bounded(stated)
    if table.flag("load_in_4bit") or table.flag("load_in_8bit"):
        return "bitsandbytes"
    return "compressed-tensors" if table.table("config_groups") else "unknown"


def scheme_of(facts: FolderFacts) -> str:
    """Return the name of the scheme; empty for none."""
    found = quantization_of(facts)
    if found is None:
        return ""
    describe = _DESCRIBED.get(found.method)
    return describe(found) if describe is not None else _named(found.method, found)


def _named(title: str, found: StatedScheme, *traits: str) -> str:
    bits = f" {found.bits}-bit" if found.bits else ""
    said = [f"group {found.group}"] if found.group else []
    said += [trait for trait in traits if trait]
    return f"{title}{bits} ({', '.join(said)})" if said else title + bits


def _gptq(found: StatedScheme) -> str:
    return _named(
        "GPTQ",
        found,
        "act-order" if found.ordered else "",
        "asymmetric" if found.table.flag("sym") is False else "",
    )


def _awq(found: StatedScheme) -> str:
    version = found.table.text("version", "format").lower()
    return _named("AWQ", found, version if version not in ("", "gemm", "awq") else "")


def _bitsandbytes(found: StatedScheme) -> str:
    table = found.table
    if table.flag("load_in_8bit"):
        return "bitsandbytes int8"
    kind = (table.text("bnb_4bit_quant_type") or "fp4").upper()
    return f"bitsandbytes {kind}" + (
        " (double quantization)" if table.flag("bnb_4bit_use_double_quant") else ""
    )


def _fp8(found: StatedScheme) -> str:
    block = [each for each in found.table.items("weight_block_size") if isinstance(each, int)]
    return f"FP8 (blocks {'×'.join(map(str, block))})" if block else "FP8"


def _compressed(found: StatedScheme) -> str:
    groups = found.table.table("config_groups")
    group = groups.table(next(iter(groups), ""))
    weights, inputs = group.table("weights"), group.table("input_activations")
    if not weights:
        return f"compressed-tensors {bounded(found.table.text('format'))}".rstrip()
    words = [weight_type(weights)]
    if inputs:
        words.append(f"activations {weight_type(inputs)}")
    size = weights.number("group_size")
    blocks = [str(each) for each in weights.items("block_structure") if isinstance(each, int)]
    traits = [f"group {size}"] if size else []
    traits += [f"blocks {'×'.join(blocks)}"] if blocks else []
    traits += ["act-order"] if weights.get("actorder") in ("group", True) else []
    scheme = f"compressed-tensors {', '.join(words)}"
    return f"{scheme} ({', '.join(traits)})" if traits else scheme


def weight_type(table: JsonTable) -> str:
    """Return ``int4`` or ``float8`` for a scheme of compressed-tensors."""
    return f"{table.text('type') or 'int'}{table.number('num_bits') or 8}"


def _hqq(found: StatedScheme) -> str:
    inner = found.table.table("quant_config").table("weight_quant_params")
    return _named("HQQ", StatedScheme("hqq", inner or found.table))


def _torchao(found: StatedScheme) -> str:
    stated = found.table.text("quant_type")
    if not stated:
        default = found.table.table("quant_type").table("default")
        stated = default.text("_type")
    return f"torchao {bounded(stated)}".rstrip()


def _modelopt(found: StatedScheme) -> str:
    return f"ModelOpt {bounded(found.table.text('quant_algo'))}".rstrip()


def _fixed(name: str) -> Callable[[StatedScheme], str]:
    return lambda found: name


_DESCRIBED: Mapping[str, Callable[[StatedScheme], str]] = {
    "gptq": _gptq,
    "awq": _awq,
    "bitsandbytes": _bitsandbytes,
    "fp8": _fp8,
    "fbgemm-fp8": _fixed("FP8 (per row)"),
    "compressed-tensors": _compressed,
    "mxfp4": _fixed("MXFP4"),
    "nvfp4": _fixed("NVFP4"),
    "hqq": _hqq,
    "torchao": _torchao,
    "modelopt": _modelopt,
    "auto-round": lambda found: _named("AutoRound", found),
    "intel/auto-round": lambda found: _named("AutoRound", found),
    "eetq": _fixed("EETQ int8"),
    "bitnet": _fixed("BitNet 1.58-bit"),
    "aqlm": _fixed("AQLM"),
    "vptq": _fixed("VPTQ"),
    "spqr": lambda found: _named("SpQR", found),
    "higgs": lambda found: _named("HIGGS", found),
    "quanto": lambda found: f"Quanto {bounded(found.table.text('weights'))}".rstrip(),
    "quark": _fixed("Quark"),
    "mlx": lambda found: _named("MLX", found),
}
