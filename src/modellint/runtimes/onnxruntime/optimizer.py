"""Child process: runs ONNX Runtime's offline optimizer, which executes only constant folding."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from modellint.runtimes.optimizer import Refusal

DISCARDED = "discarded.bin"
NO_KERNEL = "Could not find an implementation"


def version() -> str:
    import onnxruntime

    return str(onnxruntime.__version__)


def optimize(model: Path, optimized: Path, large: int) -> Refusal | None:
    """Apply all fusions, but no memory layouts specific to this machine's processor."""
    import onnxruntime

    with suppress(OSError):  # without links, the weights are written out and deleted
        Path(DISCARDED).symlink_to("/dev/null")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(optimized)
    options.add_session_config_entry("session.disable_prepacking", "1")
    prefix = "session.optimized_model_external_initializers"
    options.add_session_config_entry(f"{prefix}_file_name", DISCARDED)
    options.add_session_config_entry(f"{prefix}_min_size_in_bytes", str(large))
    try:
        onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime raises its own, all of them about the model
        return Refusal(_in_short(str(error), model), NO_KERNEL in str(error))
    return None


def _in_short(error: str, model: Path) -> str:
    """Return the error without codes and without the name of the model here."""
    text = re.sub(r"^\[\w+\] : \d+ : \w+ : ", "", error.strip())
    return text.removeprefix(f"Load model from {model} failed:").strip().rstrip(".")
