"""Facts specific to TFLite files, for rules with `dialect = "tflite"`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from modellint.base.records import dataclass
from modellint.model import Graph, Model, Tensor, Value


@dataclass(frozen=True, slots=True)
class Quantization:
    """Scheme of integers that stand for numbers: ``scale * (integer - zero_point)``."""

    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0
    """Axis of the scales, if there are several."""
    block: int = 0
    """Elements that share a scale along the last axis; then `scales` are in a tensor."""
    block_scales: Value | None = None
    minimum: tuple[float, ...] = ()
    maximum: tuple[float, ...] = ()
    """Range that was observed or trained; also on tensors that are not quantized."""

    @property
    def is_quantized(self) -> bool:
        return bool(self.scales) or self.block > 0

    @property
    def parameters(self) -> tuple[tuple[float, int], ...]:
        """Return the scales, each with its zero point; empty if there are none."""
        return tuple(zip(self.scales, self.zero_points, strict=False))


@dataclass(frozen=True, slots=True)
class Entrance:
    """A named way to run the model: names of inputs and outputs, and the subgraph that is run."""

    key: str
    graph: Graph | None
    inputs: Mapping[str, Value]
    outputs: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class OperatorCode:
    """An entry of the table of operators: what nodes with its index are."""

    op_type: str
    domain: str
    version: int


@dataclass(frozen=True, slots=True)
class Buffers:
    """The buffers of a file: their content and users."""

    count: int = 0
    unused_bytes: int = 0
    """In buffers that neither a tensor nor an entry of the metadata refers to."""
    unused: int = 0
    beyond: int = 0
    """Number of buffers that lie after the flatbuffer, as they must past 2 GB."""


@dataclass(frozen=True, slots=True)
class TFLiteFacts:
    """Content of a TFLite file other than the network."""

    schema_version: int = 0
    operator_codes: tuple[OperatorCode, ...] = ()
    quantization: Mapping[Value, Quantization] = field(default_factory=dict)
    tensors: Mapping[Graph, tuple[Value, ...]] = field(default_factory=dict)
    """All tensors of a subgraph by their index, used or not."""
    variables: frozenset[Value] = frozenset()
    """State that is kept from one run to the next."""
    sparse: frozenset[Value] = frozenset()
    signatures: tuple[Entrance, ...] = ()
    buffers: Buffers = Buffers()
    metadata: Mapping[str, Tensor] = field(default_factory=dict)
    """Other things that are stored in the file, by their name."""

    def version_of(self, op_type: str, domain: str) -> int:
        """The highest version of an operator that the file asks for."""
        codes = [each for each in self.operator_codes if each.op_type == op_type]
        return max((each.version for each in codes if each.domain == domain), default=1)


_NONE = TFLiteFacts()


def tflite_facts(model: Model) -> TFLiteFacts:
    """Return the facts of a TFLite file; empty for any other file."""
    return model.format_facts if isinstance(model.format_facts, TFLiteFacts) else _NONE
