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
    for parts in _modules(context.model).values():
        found = _lacking(parts, scheme)
        if found is not None:
            weight, missing = found
            lacking[missing].append(weight)
    for missing, weights in lacking.items():
        facts = {"tensor": weights[0].name, "missing": list(missing), "tensors": len(weights)}
        yield Hit(weights[0], facts, count=len(weights))


def _lacking(parts: Parts, scheme: StatedScheme) -> tuple[Tensor, tuple[str, ...]] | None:
    """Return the weight of a module and the names that are missing next to it."""
    for weight, needed in _needs(scheme):
        if weight in parts:
            missing = tuple(name for name in needed if name not in parts)
            return (parts[weight], missing) if missing else None
    weight8 = parts.get("weight")
    is_fp8 = scheme.method in ("fp8", "fbgemm-fp8", "compressed-tensors")
    if is_fp8 and weight8 is not None and weight8.dtype.name in _FLOAT8 and len(weight8.shape) == 2:
        name = "weight_scale_inv" if scheme.method == "fp8" else "weight_scale"
        if not {"weight_scale_inv", "weight_scale"} & parts.keys():
            return weight8, (name,)
    return None


def _needs(scheme: StatedScheme) -> Iterator[tuple[str, tuple[str, ...]]]:
    if scheme.method in ("gptq", "awq"):
        order = ("g_idx",) if scheme.ordered and scheme.method == "gptq" else ()
        yield "qweight", ("scales", "qzeros", *order)
    if scheme.method == "compressed-tensors":
        yield "weight_packed", ("weight_scale",)


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
    return scheme.method in _LAYOUTS and layout in ("", "gptq", "gptq_v2", "gemm")


def _sizes(packed: Tensor, scheme: StatedScheme) -> tuple[int, int]:
    return _LAYOUTS[scheme.method](packed, scheme.bits or 4)


def unstated(context: Context) -> Iterator[Hit]:
    """Weights that are quantized although the configuration does not say so, or not although."""
    facts = folder_facts(context.model)
    if "config.json" not in facts.names:
        return
    scheme = quantization_of(facts)
    packed = [tensor for tensor in context.model.tensors if tensor.name.endswith(".qweight")]
    if scheme is None and packed:
        yield Hit(packed[0], {"tensor": packed[0].name}, count=len(packed))
    elif scheme is not None and scheme.method in _LAYOUTS and not packed and context.model.tensors:
        yield Hit(None, {"method": scheme.method.upper()}, variant="float")


def act_order(context: Context) -> Iterator[Hit]:
    """GPTQ with columns sorted by importance and groups."""
    scheme = quantization_of(folder_facts(context.model))
    if scheme is not None and scheme.method == "gptq" and scheme.ordered:
        yield Hit(None, {"group": scheme.group})
