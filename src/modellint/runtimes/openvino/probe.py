"""In the child process: converts and compiles a model with OpenVINO for this machine's CPU."""

from __future__ import annotations

import re
import time
from collections import Counter
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modellint.runtimes.probe import Remark, Tell, as_plain, source_of

CPU = "CPU"
NO_RULE = "OpenVINO has no rule that converts it"
_NO_RULE = re.compile(r"No conversion rule found for operations: (?P<ops>.+)")
_NO_TRANSLATOR = re.compile(r"No translator found for (?P<op>\S+) node")
_FAILED = re.compile(r"Conversion is failed for: (?P<ops>.+)")
_OPSET = re.compile(r"-\d+$")
_SUMMARY = "\nSummary:\n"
_SOURCE = re.compile(r"^(Exception from|Check '.*' failed at|While|FrontEnd API failed)")


def refusal(model: bytes, *, compiles: bool = True) -> str | None:
    """Return why a model is not converted, or not compiled for the CPU; None if it is."""
    core = import_module("openvino").Core()
    core.set_property(CPU, {"INFERENCE_NUM_THREADS": 1})
    try:
        converted = core.read_model(model)
        if compiles:
            core.compile_model(converted, CPU)
    except RuntimeError as error:
        return next(each.text for each in not_converted(str(error)))
    return None


def answer(request: dict[str, Any], tell: Tell) -> None:
    openvino = import_module("openvino")
    core = openvino.Core()
    said = {"version": str(openvino.__version__).partition("-")[0], "level": request["level"]}
    started = time.perf_counter()
    try:
        model = _read(core, request)
    except RuntimeError as error:
        tell({**said, "status": "refused", "remarks": as_plain(not_converted(str(error)))})
        return
    read = time.perf_counter()
    figures: dict[str, Any] = {"parse_seconds": read - started}
    if request["level"] == "parse":
        tell({**said, "status": "accepted", "figures": figures})
        return
    try:
        compiled = core.compile_model(model, CPU)
    except RuntimeError as error:
        remarks = [Remark("build-failed", distilled(str(error)))]
        tell({**said, "status": "refused", "figures": figures, "remarks": as_plain(remarks)})
        return
    kinds = Counter(_kind(each) for each in compiled.get_runtime_model().get_ops())
    computing = sum(kinds.values()) - sum(kinds[each] for each in ("Input", "Output", "Const"))
    figures |= {"build_seconds": time.perf_counter() - read, "nodes_optimized": computing}
    tell({**said, "status": "accepted", "figures": figures, "placement": {CPU: computing}})


def _read(core: Any, request: dict[str, Any]) -> Any:
    """Read a model from a file, as users do: OpenVINO takes some loops in bytes only."""
    source = source_of(request)
    if isinstance(source, Path):
        return core.read_model(source)
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(source)
        return core.read_model(path)


def not_converted(error: str) -> list[Remark]:
    """Return what OpenVINO cannot read, by operator if it says which."""
    listed = [op for found in _NO_RULE.finditer(error) for op in found["ops"].split(", ")]
    failed = [op for found in _FAILED.finditer(error) for op in found["ops"].split(", ")]
    listed += dict.fromkeys(found["op"] for found in _NO_TRANSLATOR.finditer(error))
    found = [Remark("no-importer", NO_RULE, op=_plain(op)) for op in listed]
    found += [Remark("model-refused", distilled(error), op=_plain(op)) for op in failed]
    return found or [Remark("model-refused", distilled(error))]


def _plain(op: str) -> str:
    """Return the name of an operator without the operator set after it."""
    return _OPSET.sub("", op.strip())


def distilled(error: str) -> str:
    """Return the last line that is about the model, not about OpenVINO's source."""
    lines = [line.strip() for line in error.partition(_SUMMARY)[0].splitlines()]
    telling = [line for line in lines if line and not _SOURCE.match(line)]
    return telling[-1] if telling else error.strip()


def _kind(node: Any) -> str:
    info = node.get_rt_info()
    return str(info["layerType"].value) if "layerType" in info else str(node.get_type_name())
