"""Facts specific to OpenVINO, for rules with `dialect = "openvino"`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import NamedTuple

from modellint.base.records import dataclass
from modellint.model import Model, Node


class LayerType(NamedTuple):
    """Type of a layer, as the file states it."""

    name: str
    opset: str


@dataclass(frozen=True, slots=True)
class OpenVinoFacts:
    """Content of an OpenVINO model other than the network."""

    ir_version: int | None = None
    types: Mapping[Node, LayerType] = field(default_factory=dict)
    """Types of the layers; nodes have the common names of operators."""
    input_shapes: Mapping[str, str] = field(default_factory=dict)
    """Shapes of inputs as stated, with ranges: ``1..8,3,?,?``."""
    info: Mapping[str, str] = field(default_factory=dict)
    """Runtime information by dotted path: ``conversion_parameters.framework``."""


_NONE = OpenVinoFacts()


def openvino_facts(model: Model) -> OpenVinoFacts:
    """Return the facts of an OpenVINO model; empty for any other."""
    return model.format_facts if isinstance(model.format_facts, OpenVinoFacts) else _NONE
