"""The layers of engines, for verbs that show them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modellint.base.errors import UsageError
from modellint.capability import Capability

if TYPE_CHECKING:
    from modellint.model import Model


def layers_in(path: Path) -> Model:
    """From an export of layers, or from an engine as its runtime tells them."""
    from modellint.formats import read_model

    if not path.exists():
        raise UsageError(f"{path}: no such file")
    model = read_model(path)
    if model.format == "tensorrt-engine" and not model.problems:
        return told_by_runtime(model)
    if Capability.LAYERS not in model.capabilities:
        raise UsageError(f"{path} holds no layers of an engine ({model.format})")
    return model


def told_by_runtime(engine: Model) -> Model:
    """The layers of an engine, where the runtime that wrote it is here to tell them."""
    import tempfile

    from modellint.formats import read_model
    from modellint.probes.layers import exported_layers

    with tempfile.TemporaryDirectory(prefix="modellint-") as folder:
        layers = read_model(exported_layers(engine.path, engine.producer_name, Path(folder)))
    if Capability.LAYERS not in layers.capabilities:
        raise UsageError(f"{engine.producer_name} tells nothing of the layers of {engine.path}")
    return layers
