"""Layouts of quantized weights in Hugging Face folders, against what their loaders take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from modellint.checks.api import Context, Hit
from modellint.finding import Severity
from modellint.formats.huggingface.facts import folder_facts
from modellint.formats.huggingface.quantization import StatedScheme, quantization_of
from modellint.model import Model, Tensor

WORD = 32
"""Bits of the integers that GPTQ and AWQ pack numbers into."""
Parts = Mapping[str, Tensor]
_FLOAT8 = frozenset({"float8e4m3fn", "float8e5m2"})
_FP8_METHODS = frozenset({"fp8", "fbgemm-fp8", "compressed-tensors"})


def _modules(model: Model) -> dict[str, dict[str, Tensor]]:
    """Return the tensors of each module by their last names."""
    modules: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for tensor in model.tensors:
        module, _, part = tensor.name.rpartition(".")
        modules[module][part] = tensor
    return modules


def parts_missing(context: Context) -> Iterator[Hit]:
    """Quantized weights without what is needed to compute with them."""
    scheme = quantization_of(folder_facts(context.model))
    if scheme is None:
        return
    lacking: dict[tuple[str, ...], list[Tensor]] = defaultdict(list)
    modules = _modules(context.model)
    for module, parts in modules.items():
        for weight, needed in _needs(parts, scheme):
            own = modules.get(f"{module}.{weight}", {})
            missing = tuple(
                name
                for name in needed
                if not any(each.startswith(name) for each in (*parts, *own))
                and f"{module}.{weight}.{name}" not in modules
            )
            if missing:
                lacking[missing].append(parts[weight])
    for missing, weights in lacking.items():
        facts = {"tensor": weights[0].name, "missing": list(missing), "tensors": len(weights)}
        yield Hit(weights[0], facts, count=len(weights))


def _needs(parts: Parts, scheme: StatedScheme) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Iterate over a module's quantized weights, and the beginnings of the names they need."""
    if scheme.method in ("gptq", "awq") and "qweight" in parts:
        order = ("g_idx",) if scheme.ordered and scheme.method == "gptq" else ()
        yield "qweight", ("scales", "qzeros", *order)
    sparse = "scale_packed" in parts  # Marlin's layout of 2:4 sparsity
    if scheme.method == "compressed-tensors" and "weight_packed" in parts and not sparse:
        yield "weight_packed", ("weight_scale",)
    if scheme.method == "mxfp4":
        blocks = [name for name in parts if name.endswith("_blocks")]
        yield from ((name, (f"{name.removesuffix('_blocks')}_scales",)) for name in blocks)
    weight = parts.get("weight")
    if weight is None or len(weight.shape) != 2:
        return
    if scheme.method in _FP8_METHODS and weight.dtype.name in _FLOAT8:
        yield "weight", ("weight_scale",)
    if scheme.method == "bitsandbytes" and weight.dtype.name == "uint8":
        yield "weight", ("absmax", "quant_state")
    if scheme.method == "bitsandbytes" and weight.dtype.name == "int8":
        yield "weight", ("SCB",)


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
    wrong: list[tuple[Tensor, tuple[int, ...]]] = []
    for parts in _modules(context.model).values():
        wrong += [
            (parts[name], shape)
            for name, shape in _expected(parts, scheme).items()
            if name in parts and parts[name].shape != shape
        ]
    if wrong:
        tensor, shape = wrong[0]
        facts = {"tensor": tensor.name, "stored": list(tensor.shape), "expected": list(shape)}
        yield Hit(tensor, facts, count=len(wrong))


def _expected(parts: Parts, scheme: StatedScheme) -> dict[str, tuple[int, ...]]:
    """Return the shapes that the tensors next to a weight need to have."""
    packed = parts.get("qweight")
    if _is_packed(scheme) and packed is not None and len(packed.shape) == 2 and scheme.bits:
        inputs, outputs = _sizes(packed, scheme)
        groups = -(-inputs // scheme.group) if scheme.group else 1
        zeros = -(-outputs * scheme.bits // WORD)
        expected: dict[str, tuple[int, ...]] = {
            "scales": (groups, outputs),
            "qzeros": (groups, zeros),
        }
        return expected | ({"g_idx": (inputs,)} if scheme.method == "gptq" else {})
    weight = parts.get("weight")
    block = [each for each in scheme.table.items("weight_block_size") if type(each) is int]
    if scheme.method != "fp8" or weight is None or weight.dtype.name not in _FLOAT8:
        return {}
    if not len(block) == len(weight.shape) == 2 or min(block) <= 0:
        return {}
    rows, columns = (-(-dim // size) for dim, size in zip(weight.shape, block, strict=True))
    return {"weight_scale_inv": (rows, columns)}


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
    matrices = [tensor for tensor in context.model.tensors if len(tensor.shape) > 1]
    packed = [tensor for tensor in matrices if tensor.name.endswith(".qweight")]
    if scheme is None and packed:
        yield Hit(packed[0], {"tensor": packed[0].name}, count=len(packed))
    is_float = bool(matrices) and all(tensor.dtype.is_float for tensor in matrices)
    if scheme is not None and scheme.method in _LAYOUTS and is_float:
        yield Hit(None, {"method": scheme.method.upper()}, variant="float")


def act_order(context: Context) -> Iterator[Hit]:
    """GPTQ with columns sorted by importance and groups."""
    scheme = quantization_of(folder_facts(context.model))
    if scheme is not None and scheme.method == "gptq" and scheme.ordered:
        yield Hit(None, {"group": scheme.group})
