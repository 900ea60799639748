"""In the child process: converts a model with MNN's converter."""

from __future__ import annotations

import re
import time
from importlib import import_module, metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modellint.runtimes.captured import captured, text_of
from modellint.runtimes.probe import Remark, Tell, as_plain, source_of

FRAMEWORKS = {"tflite": "TFLITE"}
"""The converter's names of formats; it calls all others ONNX."""
DONE = "Converted Success!"
"""Its only sign of success: it ends well after a failure, too."""
LACKING = "MNN has no operator for it"
MOST_WORDS = 300
_LACKING = re.compile(r"These Op Not Support: (?P<ops>.+)")
_STAMP = re.compile(r"^\[[\d:]+\] \S*:\d+: ")
"""Time and place in the converter's source, with which it begins some lines."""
_ROUTINE = re.compile(
    r"^(The device supports|Start to |ONNX Model |inputTensors|outputTensors|Convert.* Failed|$)"
)


def answer(request: dict[str, Any], tell: Tell) -> None:
    said = {"version": metadata.version("mnn"), "level": request["level"]}
    started = time.perf_counter()
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        source = source_of(request)
        if isinstance(source, bytes):
            path = Path(folder, "model.onnx")
            path.write_bytes(source)
        else:
            path = source.absolute()
        target = Path(folder, "model.mnn")
        remarks = refusals(converted(path, FRAMEWORKS.get(request["format"], "ONNX"), target))
        if remarks:
            tell({**said, "status": "refused", "remarks": as_plain(remarks)})
            return
        seconds = time.perf_counter() - started
        figures = {"build_seconds": seconds, "engine_bytes": target.stat().st_size}
    tell({**said, "status": "accepted", "figures": figures})


def converted(path: Path, framework: str, target: Path) -> str:
    """Convert a file, and return what the converter prints."""
    options = {"-f": framework, "--modelFile": path, "--MNNModel": target, "--bizCode": "modellint"}
    return run(*(str(word) for option in options.items() for word in option))


def run(*options: str) -> str:
    """Return what the converter prints if it is called with these options."""
    tools = import_module("_tools")  # not MNN.tools, which reports its use
    with captured() as log:
        tools.mnnconvert(["mnnconvert", *options])
        return text_of(log)


def refusals(printed: str) -> list[Remark]:
    """Return why a model was not converted, by what the converter printed; nothing if it was."""
    if DONE in printed:
        return []
    listed = [op for found in _LACKING.finditer(printed) for op in found["ops"].split("|")]
    ops = dict.fromkeys(op.strip().rpartition("::")[2] for op in listed)
    if ops:
        return [Remark("no-importer", LACKING, op=op) for op in ops]
    lines = [_STAMP.sub("", line.strip()) for line in printed.splitlines()]
    telling = [line for line in lines if not _ROUTINE.match(line)]
    return [Remark("model-refused", telling[-1][:MOST_WORDS] if telling else "no reason given")]
