"""Architecture of a language model, whatever its source, and the runtime that serves it."""

from __future__ import annotations

from modellint.analysis.kv_cache import kv_cache
from modellint.base.memo import Remembered
from modellint.model import Model
from modellint.model.architecture import Architecture, LayerShape
from modellint.runtimes import LanguageMemory, language_runtimes
from modellint.targets.deployment import Deployment

_KNOWN: Remembered[Architecture | None] = Remembered()


def architecture_of(model: Model, deployment: Deployment) -> Architecture | None:
    """Return what the file states, or what its graph does; None for other models."""
    if model.architecture is not None:
        return model.architecture if model.architecture.layers else None
    if not model.has_graph:
        return None
    return model.memo.get(_KNOWN, None, lambda: _of_graph(model, deployment))


def _of_graph(model: Model, deployment: Deployment) -> Architecture | None:
    """Return the architecture of a decoder with a cache."""
    cache = kv_cache(model, deployment)
    if cache is None or not cache.kv_heads or not cache.head_size:
        return None
    heads = cache.query_heads or cache.kv_heads
    layer = LayerShape(
        heads=heads,
        kv_heads=cache.kv_heads,
        key_size=cache.head_size,
        value_size=cache.head_size,
    )
    return Architecture(
        "decoder",
        (layer,) * cache.layers,
        hidden=heads * cache.head_size,
        vocabulary=_vocabulary(model),
    )


def _vocabulary(model: Model) -> int | None:
    """Return the last dim of the logits: the only output of three dims."""
    last = [
        value.shape[-1]
        for value in model.outputs
        if value.shape is not None and len(value.shape) == 3
    ]
    return last[0] if len(last) == 1 and isinstance(last[0], int) else None


def language_runtime(model: Model, deployment: Deployment) -> tuple[str, LanguageMemory]:
    """Return the name and the memory of the runtime that serves the model.

    It is the deployment's, or what is built on it; otherwise the usual one of the file's format.
    """
    known = language_runtimes()
    stated = deployment.runtime or ""
    if stated in known:
        return stated, known[stated]
    usual = next((name for name, each in known.items() if model.format in each.formats), "")
    built_on = next((name for name, each in known.items() if stated in each.serves_for), "")
    if built_on and not (usual and deployment.is_assumed("runtime")):
        runtime = known[built_on]
        if model.format in (*runtime.formats, *runtime.also_loads):
            return built_on, runtime
    name = usual or "transformers"
    return name, known[name]
