"""Content of a Triton configuration, for rules with `dialect = "triton"`."""

from __future__ import annotations

from pathlib import Path

from modellint.base.records import dataclass
from modellint.model import Model


@dataclass(frozen=True, slots=True)
class TritonPort:
    """An input or output as configured."""

    name: str
    type: str
    """``TYPE_FP32``"""
    dims: tuple[int, ...]
    """Without the batch, if the server batches."""
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class TritonFacts:
    """Content of a configuration, and the files of its model."""

    name: str
    platform: str
    backend: str
    max_batch_size: int
    inputs: tuple[TritonPort, ...]
    outputs: tuple[TritonPort, ...]
    batches_dynamically: bool
    preferred_batches: tuple[int, ...]
    instances: int
    """Copies of the model on each GPU."""
    model_file: str
    """Name of the model's file in the folder of a version."""
    models: tuple[Path, ...]
    """The model of each version that is there."""

    @property
    def is_onnx(self) -> bool:
        return self.platform == "onnxruntime_onnx" or self.backend == "onnxruntime"


def triton_facts(model: Model) -> TritonFacts | None:
    """Return the facts of a Triton configuration; None for other files."""
    return model.format_facts if isinstance(model.format_facts, TritonFacts) else None
