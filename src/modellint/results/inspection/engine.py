"""Layers of an engine, or of a measured run."""

from __future__ import annotations

from typing import Annotated

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class EngineLayer:
    """One layer of an engine."""

    name: str
    kind: Annotated[str | None, "For example CaskConvolution; null if the engine keeps only names."]
    type: Annotated[str | None, "The element type it computes in."]
    reformat: Annotated[bool, "True if it only changes type or layout."]
    nodes: Annotated[list[str], "ONNX nodes it was built from, by its metadata or name."]


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """A heavy layer in a wide type between quantized ones."""

    layer: str
    type: str


@dataclass(frozen=True, slots=True)
class Zone:
    """Consecutive light layers that were not fused."""

    first: str
    last: str
    layers: int


@dataclass(frozen=True, slots=True)
class LeftFloat:
    """A node that is quantized in the model but runs in a wide type."""

    node: str
    type: str


@dataclass(frozen=True, slots=True)
class Became:
    """Mapping of the model's nodes to the engine's layers."""

    nodes: int
    placed: Annotated[int, "Nodes named by a layer."]
    gone: Annotated[
        dict[str, int], "All other nodes by op: folded, or part of a layer that does not name them."
    ]
    left_float: list[LeftFloat]
    unknown: Annotated[list[str], "Nodes named by layers but absent from the model."]


@dataclass(frozen=True, slots=True)
class MeasuredLayer:
    """One layer of a measured run."""

    name: str
    op: Annotated[str | None, "Operator or kind of layer, by the runtime's name."]
    nodes: Annotated[list[str], "Nodes of the model that it is made of."]
    kind: Annotated[str, "compute, reformat, copy or overhead."]
    precision: str | None
    kernel: Annotated[str | None, "Kernel, tactic or provider."]
    seconds: float
    share: Annotated[float, "Share of the time of all layers, 0 to 1."]
    flops: int | None
    nbytes: Annotated[int | None, "Bytes that it must read and write."]
    bound: Annotated[str | None, "compute or memory: what the device would wait for at best."]
    efficiency: Annotated[float | None, "Least time by the device's peaks, as a share of the time."]


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine's layers, as reported by its runtime."""

    layers: list[EngineLayer]
    kinds: Annotated[dict[str, int], "Number of layers of each kind, including reformats."]
    types: Annotated[
        dict[str, int], "Number of layers computing in each type, without reformats and NoOps."
    ]
    bottlenecks: list[Bottleneck]
    zones: list[Zone]
    became: Annotated[Became | None, "Null if the engine is inspected on its own."]

    @property
    def reformats(self) -> int:
        return sum(layer.reformat for layer in self.layers)
