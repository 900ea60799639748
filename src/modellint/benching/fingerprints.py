"""Fingerprints of runs: the work and the shares of time, without names or the speed of the device.

A layer's structure is its kind of operator and its shapes. Its share of the time, and the fractions
of the best rates that any layer of the run reached, compare between devices and runtimes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any

from modellint.base.records import dataclass
from modellint.results.measured import MeasuredRun, RunLayer

KIND = "modellint-fingerprint"
SHARE = 0.01
"""Share of the time from which a layer's rate counts as reachable: short ones are inexact."""
_KINDS: Mapping[str, str] = {
    "deconvolution": "convolution",
    "convtranspose": "convolution",
    "conv": "convolution",
    "attention": "attention",
    "mha": "attention",
    "softmax": "softmax",
    "norm": "norm",
    "matmul": "product",
    "gemm": "product",
    "matrixmultiply": "product",
    "fullyconnected": "product",
    "addmm": "product",
    "linear": "product",
    "bmm": "product",
    "lstm": "recurrent",
    "gru": "recurrent",
    "pool": "pooling",
    "reduce": "reduction",
    "gather": "lookup",
    "embedding": "lookup",
    "resize": "resize",
    "interpolate": "resize",
    "upsample": "resize",
    "concat": "copy",
    "transpose": "copy",
    "slice": "copy",
    "split": "copy",
    "reshape": "copy",
    "copy": "copy",
}
"""Kinds of operators by words in the names that runtimes give them; the first word that fits."""
_HEAVY = ("convolution", "product", "attention", "recurrent")
_APART = re.compile(r"[^a-z]+")


@dataclass(frozen=True, slots=True)
class LayerFingerprint:
    """One layer, comparable between runs."""

    structure: Annotated[str, "Digest of its kind of operator and its shapes."]
    kind: Annotated[str, "Kind of operator, the same for all runtimes."]
    share: Annotated[float, "Share of the time of all layers."]
    intensity: Annotated[float | None, "Operations per byte."]
    compute: Annotated[float | None, "Fraction of the best rate of operations in this run."]
    memory: Annotated[float | None, "Fraction of the best rate of bytes in this run."]
    precision: str | None
    calls: float | None


@dataclass(frozen=True)
class RunFingerprint:
    """The layers of a run in the order in which they ran."""

    layers: tuple[LayerFingerprint, ...]

    @cached_property
    def digest(self) -> str:
        """Return a digest of the structure alone: equal for equal networks, whatever the names."""
        text = "\n".join(layer.structure for layer in self.layers)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        from dataclasses import asdict

        return {"kind": KIND, "version": 1, "digest": self.digest, **asdict(self)}


def fingerprint(run: MeasuredRun) -> RunFingerprint:
    """Return the fingerprint of a run."""
    total = run.layer_seconds or 1.0
    computed, moved = _best(run.layers, total)
    return RunFingerprint(
        tuple(
            LayerFingerprint(
                structure=structure_of(layer),
                kind=kind_of(layer),
                share=layer.seconds / total,
                intensity=layer.flops / layer.nbytes
                if layer.flops is not None and layer.nbytes
                else None,
                compute=_fraction(layer.flops, undisturbed(layer), computed),
                memory=_fraction(layer.nbytes, undisturbed(layer), moved),
                precision=layer.precision,
                calls=layer.calls,
            )
            for layer in run.layers
        )
    )


def undisturbed(layer: RunLayer) -> float:
    """Return the least time of a layer, if it is known: noise adds to the usual one."""
    return layer.seconds if layer.fastest is None else layer.fastest


def kind_of(layer: RunLayer) -> str:
    """Return the kind of a layer's operator: of its heaviest node, else by its name."""
    if layer.kind != "compute":
        return layer.kind
    found = [_kind(op) for op in layer.operators or ((layer.op or layer.name),)]
    heavy = next((kind for kind in found if kind in _HEAVY), None)
    return heavy or next((kind for kind in found if kind not in ("pointwise", "copy")), found[0])


def structure_of(layer: RunLayer) -> str:
    """Return a digest of a layer's kind and shapes, the same in any layout of channels."""
    shapes = [sorted(shape) for shape in (*layer.outputs, *layer.inputs)]
    text = f"{kind_of(layer)} {shapes}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _kind(op: str) -> str:
    words = _APART.sub("", op.lower())
    return next((kind for word, kind in _KINDS.items() if word in words), "pointwise")


def _best(layers: Sequence[RunLayer], total: float) -> tuple[float, float]:
    """Return the best rates of operations and of bytes among layers that take some time."""
    long = [layer for layer in layers if layer.seconds >= SHARE * total and undisturbed(layer)]
    long = long or [layer for layer in layers if undisturbed(layer)]
    computed = max(((each.flops or 0) / undisturbed(each) for each in long), default=0.0)
    moved = max(((each.nbytes or 0) / undisturbed(each) for each in long), default=0.0)
    return computed, moved


def _fraction(work: int | None, seconds: float, best: float) -> float | None:
    return min(1.0, work / seconds / best) if work is not None and seconds and best else None
