"""Changes that a version of TensorRT brought, and versions that a device cannot run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from modellint.analysis.precision import stored_precision
from modellint.base.expressions import late
from modellint.base.files import names_in, open_regular
from modellint.checks.api import Context, Hit
from modellint.checks.placement import is_loaded
from modellint.checks.repeats import folded
from modellint.model import Model
from modellint.operators import Trait, names
from modellint.results.finding import Severity
from modellint.runtimes.builder import is_strongly_typed, removed_plugins
from modellint.runtimes.versions import is_between, is_of, newest_version
from modellint.targets.deployment import Deployment, newest_on, runs_on_dla

FLOATS = ("fp16", "bf16")
QUANTIZED = ("int8", "fp8", "int4", "fp4")
LAYERS = names(Trait.MATMUL, Trait.GEMM, Trait.CONTRACTION, Trait.RECURRENT, Trait.CONVOLUTION)
CALIBRATION = (b"TRT-", b"Calibration")
"""Contents of the first line of a cache that TensorRT's calibrators wrote."""
CACHES = (".cache", ".calib", ".calibration")
QUANTIZING = late(r"Quantize|QLinear|Integer|NBits|QAttention")
"""Part of the names of operators that convert to quantized types, or compute in them."""
PLUGIN_DOMAINS = ("", "ai.onnx", "trt.plugins")


def precision_not_in_graph(context: Context) -> Iterator[Hit]:
    """A 16-bit precision that only a flag of earlier builders could give to a float32 graph."""
    deployment, model = context.deployment, context.model
    if deployment.precision not in FLOATS or not _is_strongly_typed(deployment):
        return
    if not is_loaded(context):
        return
    if _is_quantized(context):
        return  # the graph states what its author wants, and floats are the rest
    if stored_precision(model) != "fp32":
        return
    if not _has_float_weights(model) or not any(context.nodes(*LAYERS)):
        return
    facts = {"version": deployment.runtime_version or ""}
    if deployment.is_assumed("precision"):
        yield Hit(None, facts, variant="assumed", severity=Severity.INFO)
    else:
        yield Hit(None, facts)


def quantization_not_in_graph(context: Context) -> Iterator[Hit]:
    """A quantized precision, or a calibration cache, without quantization in the graph."""
    deployment = context.deployment
    if not _is_strongly_typed(deployment) or _is_quantized(context):
        return
    facts = {"version": deployment.runtime_version or ""}
    if deployment.precision in QUANTIZED and _has_float_weights(context.model):
        yield Hit(None, facts)
        return
    cache = _calibration_cache(context.model.path)
    if cache is not None:
        yield Hit(None, {**facts, "cache": cache}, variant="cache")


def plugin_removed(context: Context) -> Iterator[Hit]:
    """A plugin that TensorRT's own library no longer contains."""
    yield from folded(_removed(context))


def _removed(context: Context) -> Iterator[Hit]:
    deployment = context.deployment
    removed = removed_plugins(deployment.runtime, deployment.runtime_version)
    for node in context.nodes(*removed) if removed else ():
        if node.domain in PLUGIN_DOMAINS and context.model.function_of(node) is None:
            facts = {"version": deployment.runtime_version or "", "instead": removed[node.op_type]}
            yield Hit(node, facts)


def version_not_on_target(context: Context) -> Iterator[Hit]:
    """A version that was stated, but does not run on the target, or not on its DLA."""
    deployment, target = context.deployment, context.deployment.target
    runtime, version = deployment.runtime, deployment.runtime_version
    if target is None or runtime is None or version is None:
        return
    if deployment.is_assumed("runtime_version"):
        return
    newest = newest_on(runtime, target)
    if newest is None:
        return
    facts = {"version": version, "newest": newest}
    if is_between(version, newest, version) and not is_of(version, newest):
        if runtime in target.newest or newest != newest_version(runtime):
            yield Hit(None, facts)
    elif deployment.dla and target.dla_cores and not runs_on_dla(runtime, version, target):
        yield Hit(None, facts, variant="dla")


def _is_strongly_typed(deployment: Deployment) -> bool:
    return is_strongly_typed(deployment.runtime, deployment.runtime_version)


def _is_quantized(context: Context) -> bool:
    return any(QUANTIZING.search(op) for graph in context.graphs() for op in graph.by_op)


def _has_float_weights(model: Model) -> bool:
    return any(tensor.dtype.name == "float32" and tensor.shape for tensor in model.tensors)


def _calibration_cache(model: Path) -> str | None:
    """Return the name of a calibration cache with the model's name, next to it."""
    with suppress(OSError):
        for name in _possible_caches(names_in(model.parent)):
            if name.startswith(model.stem) and _is_cache(model.with_name(name)):
                return name
    return None


@lru_cache(maxsize=8)
def _possible_caches(names: frozenset[str]) -> list[str]:
    """Return the names in a folder that could be caches, found once for all of its models."""
    return sorted(name for name in names if name.endswith(CACHES))


def _is_cache(file: Path) -> bool:
    with suppress(OSError), open_regular(file) as opened:
        head = opened.read(80) or b""
        return all(part in head.partition(b"\n")[0] for part in CALIBRATION)
    return False
