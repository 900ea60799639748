"""Layouts of quantized weights in Hugging Face folders, against what their loaders take."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from modellint.checks.api import Context, Hit
from modellint.formats.huggingface.config import JsonTable
from modellint.formats.huggingface.facts import folder_facts
from modellint.formats.huggingface.quantization import StatedScheme, quantization_of
from modellint.model import MOST, Model, Tensor, product
from modellint.results.finding import Severity

WORD = 32
"""Bits of the integers that several methods pack numbers into."""
Parts = Mapping[str, Tensor]
Need = tuple[str, tuple[str, ...]]
"""A part that is stored, and the beginnings of the names of all that belong together."""
Shapes = dict[str, tuple[int, ...]]
"""Shapes that parts need to have."""
Misfit = tuple[Tensor, tuple[int, ...]]
_FLOAT8 = frozenset({"float8e4m3fn", "float8e5m2"})
_OF_WEIGHT = ".weight."
LONGEST_STATE = 4096
"""Bytes of the JSON that bitsandbytes stores for each weight; it takes 100 or 200."""


def _modules(model: Model) -> dict[str, dict[str, Tensor]]:
    """Return the tensors of each module by the rest of their names."""
    modules: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for tensor in model.tensors:
        module, of_weight, part = tensor.name.partition(_OF_WEIGHT)
        if of_weight:
            modules[module][f"weight.{part}"] = tensor
        else:
            module, _, part = tensor.name.rpartition(".")
            modules[module][part] = tensor
    return modules


def parts_missing(context: Context) -> Iterator[Hit]:
    """Quantized weights without what is needed to compute with them."""
    scheme = quantization_of(folder_facts(context.model))
    needs = _NEEDS.get(scheme.method) if scheme is not None else None
    if scheme is None or needs is None:
        return
    lacking: dict[tuple[str, ...], list[Tensor]] = defaultdict(list)
    for parts in _modules(context.model).values():
        for stored, needed in needs(parts, scheme):
            missing = tuple(
                name.removeprefix("weight.")
                for name in needed
                if not any(each.startswith(name) for each in parts)
            )
            if missing:
                lacking[missing].append(parts[stored])
    for missing, weights in lacking.items():
        facts = {"tensor": weights[0].name, "missing": list(missing), "tensors": len(weights)}
        is_order = missing == ("g_idx",) and not scheme.ordered
        severity = Severity.WARNING if is_order else None
        yield Hit(weights[0], facts, severity=severity, count=len(weights))


def _gptq_needs(parts: Parts, scheme: StatedScheme) -> Iterator[Need]:
    yield from _all_of(("qweight", "qzeros"), ("scales", "g_idx"), parts)


def _awq_needs(parts: Parts, scheme: StatedScheme) -> Iterator[Need]:
    yield from _all_of(("qweight", "qzeros"), ("scales",), parts)


def _all_of(telling: tuple[str, ...], others: tuple[str, ...], parts: Parts) -> Iterator[Need]:
    """Iterate over the need of a module that has one of the parts that tell its method."""
    stored = next((name for name in telling if name in parts), None)
    if stored is not None:
        yield stored, (*telling, *others)


def _compressed_needs(parts: Parts, scheme: StatedScheme) -> Iterator[Need]:
    if "scale_packed" in parts:  # Marlin's layout of 2:4 sparsity
        return
    if scheme.table.text("format") == "pack-quantized":
        yield from _all_of(("weight_packed", "weight_shape"), ("weight_scale",), parts)
    elif "weight_packed" in parts:
        yield "weight_packed", ("weight_scale",)
    if _is_matrix_of(parts, *_FLOAT8, "int8"):
        yield "weight", ("weight_scale",)


def _float8_needs(parts: Parts, scheme: StatedScheme) -> Iterator[Need]:
    if _is_matrix_of(parts, *_FLOAT8):
        yield "weight", ("weight_scale",)


def _bitsandbytes_needs(parts: Parts, scheme: StatedScheme) -> Iterator[Need]:
    if _is_matrix_of(parts, "int8"):
        yield "weight", ("SCB",)
    if _is_matrix_of(parts, "uint8"):
        needed = ["weight.absmax", "weight.quant_map", "weight.quant_state"]
        scales = parts.get("weight.absmax")
        if scales is not None and scales.dtype.name == "uint8":
            needed += ["weight.nested_absmax", "weight.nested_quant_map"]
        yield "weight", tuple(needed)


def _mxfp4_needs(parts: Parts, scheme: StatedScheme) -> Iterator[Need]:
    named = {name.rpartition("_")[0]: name for name in parts if name.endswith(_MXFP4_PARTS)}
    for weight, stored in named.items():
        if weight not in parts:
            yield stored, tuple(f"{weight}{end}" for end in _MXFP4_PARTS)


_MXFP4_PARTS = ("_blocks", "_scales")
_NEEDS: Mapping[str, Callable[[Parts, StatedScheme], Iterator[Need]]] = {
    "gptq": _gptq_needs,
    "awq": _awq_needs,
    "compressed-tensors": _compressed_needs,
    "fp8": _float8_needs,
    "fbgemm-fp8": _float8_needs,
    "bitsandbytes": _bitsandbytes_needs,
    "mxfp4": _mxfp4_needs,
}


def _is_matrix_of(parts: Parts, *types: str) -> bool:
    weight = parts.get("weight")
    return weight is not None and len(weight.shape) == 2 and weight.dtype.name in types


def groups_do_not_divide(context: Context) -> Iterator[Hit]:
    """Quantized layers whose inputs are not a whole number of groups."""
    scheme = quantization_of(folder_facts(context.model))
    if scheme is None or scheme.group is None or not _is_packed(scheme):
        return
    uneven = []
    for parts in _modules(context.model).values():
        packed = parts.get("qweight")
        if packed is not None and len(packed.shape) == 2:
            inputs, _ = _sizes(packed, scheme)
            if inputs % scheme.group:
                uneven.append((packed, inputs))
    if uneven:
        tensor, inputs = uneven[0]
        facts = {"tensor": tensor.name, "inputs": inputs, "group": scheme.group}
        refused = Severity.ERROR if scheme.method == "awq" else None
        yield Hit(tensor, facts, severity=refused, count=len(uneven))


def scales_misfit(context: Context) -> Iterator[Hit]:
    """Scales, zero points or group indices that are not as many as the weights need."""
    scheme = quantization_of(folder_facts(context.model))
    if scheme is None:
        return
    wrong: list[Misfit] = []
    for parts in _modules(context.model).values():
        wrong += _misfits(parts, _expected(parts, scheme))
    yield from _misfit_hit(wrong)


def state_contradicts(context: Context) -> Iterator[Hit]:
    """Weights of other sizes than what bitsandbytes stores about them says."""
    scheme = quantization_of(folder_facts(context.model))
    if scheme is None or scheme.method != "bitsandbytes":
        return
    wrong: list[Misfit] = []
    for parts in _modules(context.model).values():
        if _is_matrix_of(parts, "uint8"):
            wrong += _misfits(parts, _expected_by_state(parts))
    yield from _misfit_hit(wrong)


def _misfits(parts: Parts, expected: Shapes) -> Iterator[Misfit]:
    for name, shape in expected.items():
        if name in parts and parts[name].shape != shape:
            yield parts[name], shape


def _misfit_hit(wrong: list[Misfit]) -> Iterator[Hit]:
    if wrong:
        tensor, shape = wrong[0]
        facts = {"tensor": tensor.name, "stored": list(tensor.shape), "expected": list(shape)}
        yield Hit(tensor, facts, count=len(wrong))


def _expected(parts: Parts, scheme: StatedScheme) -> Shapes:
    """Return the shapes that the tensors next to a weight need to have."""
    if _is_packed(scheme):
        return _expected_of_words(parts, scheme)
    if scheme.method == "fp8":
        return _expected_of_blocks(parts, scheme)
    if scheme.method == "compressed-tensors":
        return _expected_of_groups(parts, scheme)
    if scheme.method == "bitsandbytes" and _is_matrix_of(parts, "int8"):
        return {"SCB": parts["weight"].shape[:1]}
    return {}


def _expected_of_words(parts: Parts, scheme: StatedScheme) -> Shapes:
    packed = parts.get("qweight")
    if packed is None or len(packed.shape) != 2 or not scheme.bits:
        return {}
    inputs, outputs = _sizes(packed, scheme)
    groups = -(-inputs // scheme.group) if scheme.group else 1
    zeros = -(-outputs * scheme.bits // WORD)
    expected: Shapes = {"scales": (groups, outputs), "qzeros": (groups, zeros)}
    return expected | ({"g_idx": (inputs,)} if scheme.method == "gptq" else {})


def _expected_of_blocks(parts: Parts, scheme: StatedScheme) -> Shapes:
    block = [each for each in scheme.table.items("weight_block_size") if type(each) is int]
    if not _is_matrix_of(parts, *_FLOAT8) or len(block) != 2 or min(block) <= 0:
        return {}
    rows, columns = (-(-a // b) for a, b in zip(parts["weight"].shape, block, strict=True))
    return {"weight_scale_inv": (rows, columns)}


def _expected_of_groups(parts: Parts, scheme: StatedScheme) -> Shapes:
    """Return the shape of the scales of compressed-tensors, if all layers are quantized alike."""
    groups = scheme.table.table("config_groups")
    names = list(groups)
    weights = groups.table(names[0]).table("weights") if len(names) == 1 else None
    if weights is None:
        return {}
    size, strategy = weights.number("group_size"), weights.text("strategy")
    packed, bits = parts.get("weight_packed"), weights.number("num_bits")
    if packed is not None:
        is_of_words = scheme.table.text("format") == "pack-quantized" and len(packed.shape) == 2
        if not (is_of_words and bits and 0 < bits <= WORD):
            return {}
        outputs, inputs = packed.shape[0], packed.shape[1] * (WORD // bits)
    elif _is_matrix_of(parts, *_FLOAT8, "int8"):
        outputs, inputs = parts["weight"].shape
    else:
        return {}
    if strategy == "channel":
        return {"weight_scale": (outputs, 1)}
    if strategy == "group" and size:
        return {"weight_scale": (outputs, -(-inputs // size))}
    return {}


def _expected_by_state(parts: Parts) -> Shapes:
    """Return the sizes that bitsandbytes' own description of a weight asks for."""
    states = (name for name in parts if name.startswith("weight.quant_state."))
    state = _json_in(parts.get(next(states, "")))
    shape, block = state.items("shape"), state.number("blocksize")
    if not shape or not block or not all(type(dim) is int and 0 < dim < MOST for dim in shape):
        return {}
    elements = product(shape)
    return {"weight": (-(-elements // 2), 1), "weight.absmax": (-(-elements // block),)}


def _json_in(tensor: Tensor | None) -> JsonTable:
    """Return JSON whose bytes are stored as a tensor; empty if it is not readable."""
    numbers = tensor.numpy() if tensor is not None and tensor.nbytes <= LONGEST_STATE else None
    try:
        content = json.loads(numbers.tobytes()) if numbers is not None else {}
    except (ValueError, RecursionError):
        content = {}
    return JsonTable(content if isinstance(content, dict) else {})


def _gptq_sizes(packed: Tensor, bits: int) -> tuple[int, int]:
    return packed.shape[0] * WORD // bits, packed.shape[1]


def _awq_sizes(packed: Tensor, bits: int) -> tuple[int, int]:
    return packed.shape[0], packed.shape[1] * WORD // bits


_LAYOUTS: Mapping[str, Callable[[Tensor, int], tuple[int, int]]] = {
    "gptq": _gptq_sizes,
    "awq": _awq_sizes,
}
"""Inputs and outputs of a layer: GPTQ packs its weights along inputs, AWQ along outputs."""


def _is_packed(scheme: StatedScheme) -> bool:
    """True if weights are packed in the way that nearly all files of the method are."""
    layout = scheme.table.text("checkpoint_format", "version").lower()
    by_module = "dynamic" in scheme.table
    return scheme.method in _LAYOUTS and layout in ("", "gptq", "gptq_v2", "gemm") and not by_module


def _sizes(packed: Tensor, scheme: StatedScheme) -> tuple[int, int]:
    return _LAYOUTS[scheme.method](packed, scheme.bits or 4)


def unstated(context: Context) -> Iterator[Hit]:
    """Weights that are quantized although the configuration does not say so, or not although."""
    facts = folder_facts(context.model)
    if "config.json" not in facts.names:
        return
    scheme = quantization_of(facts)
    if scheme is None:
        packed = list(_quantized_weights(context.model))
        if packed:
            yield Hit(packed[0], {"tensor": packed[0].name}, count=len(packed))
        return
    matrices = [tensor for tensor in context.model.tensors if len(tensor.shape) > 1]
    is_float = bool(matrices) and all(tensor.dtype.is_float for tensor in matrices)
    if scheme.method in _LAYOUTS and is_float:
        yield Hit(None, {"method": scheme.method.upper()}, variant="float")


def _quantized_weights(model: Model) -> Iterator[Tensor]:
    """Iterate over weights with parts next to them that only quantized ones have."""
    for parts in _modules(model).values():
        if "qweight" in parts:
            yield parts["qweight"]
        elif "weight_packed" in parts and "weight_scale" in parts:
            yield parts["weight_packed"]
        elif _is_matrix_of(parts, "int8", "uint8", *_FLOAT8) and _has_any(parts, _TELLING):
            yield parts["weight"]


def _has_any(parts: Parts, beginnings: tuple[str, ...]) -> bool:
    return any(name.startswith(beginnings) for name in parts)


_TELLING = ("weight_scale", "SCB", "weight.quant_state")


def act_order(context: Context) -> Iterator[Hit]:
    """GPTQ with columns sorted by importance and groups."""
    scheme = quantization_of(folder_facts(context.model))
    if scheme is not None and scheme.method == "gptq" and scheme.ordered:
        is_refused = context.deployment.runtime == "vllm"
        variant, severity = ("refused", Severity.ERROR) if is_refused else ("", None)
        yield Hit(None, {"group": scheme.group}, variant, severity)
