"""In the child process: converts a model with pnnx, and lets ncnn load it."""

from __future__ import annotations

import importlib.util
import subprocess
import tempfile
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from modellint.base.records import dataclass
from modellint.runtimes.captured import captured
from modellint.runtimes.probe import Remark, Tell, as_plain, source_of

GPU, CPU = "GPU", "CPU"
HEAD = 2
"""Lines before the layers: a number that marks the format, and counts."""
FED = "Input"
WRITTEN = {
    "pnnxparam": "pnnx.param",
    "pnnxbin": "pnnx.bin",
    "pnnxpy": "pnnx.py",
    "pnnxonnx": "pnnx.onnx",
    "ncnnparam": "ncnn.param",
    "ncnnbin": "ncnn.bin",
    "ncnnpy": "ncnn.py",
}
"""Names of all that pnnx writes, by its options; otherwise it writes next to the model."""


@dataclass(frozen=True, slots=True)
class NcnnLoad:
    """Result of converting and loading a model."""

    error: str = ""
    layers: tuple[tuple[str, str], ...] = ()
    """Kinds and names of layers, in order."""
    unknown: tuple[tuple[str, str], ...] = ()


def answer(request: dict[str, Any], tell: Tell) -> None:
    said = {"version": metadata.version("ncnn"), "level": request["level"]}
    with tempfile.TemporaryDirectory() as folder:
        found = load(source_of(request), request["format"], Path(folder))
    kinds = dict.fromkeys(kind for kind, _ in found.unknown)
    remarks = [Remark("no-importer", f"ncnn has no layer {kind}", op=kind) for kind in kinds]
    if found.error:
        remarks.append(Remark("model-refused", found.error))
    if remarks:
        tell({**said, "status": "refused", "remarks": as_plain(remarks)})
        return
    units = [unit_of(kind) for kind, _ in found.layers if kind != FED]
    placement = {unit: units.count(unit) for unit in dict.fromkeys(units)}
    tell({**said, "status": "accepted", "placement": placement})


def load(model: bytes | Path, format: str, folder: Path) -> NcnnLoad:
    """Return what ncnn makes of a model, which is converted in a folder unless it is ncnn's own."""
    if format == "ncnn":
        assert isinstance(model, Path)
        return _load(model, model.with_suffix(".bin"))
    source = folder / "model.onnx"  # it writes a simplified one next to it
    if isinstance(model, bytes):
        source.write_bytes(model)
    else:
        source.symlink_to(model.absolute())
    written = [f"{kind}={folder / name}" for kind, name in WRITTEN.items()]
    done = subprocess.run(
        [_converter(), str(source), *written],
        cwd=model.parent if isinstance(model, Path) else folder,  # where it looks for weights
        capture_output=True,
        text=True,
        errors="replace",
    )
    converted = folder / WRITTEN["ncnnparam"]
    if not converted.exists():
        return NcnnLoad(why(done.stderr) or f"pnnx ended with {done.returncode}")
    return _load(converted, folder / WRITTEN["ncnnbin"])


def _converter() -> str:
    """Return pnnx, without its Python package, which needs PyTorch."""
    found = importlib.util.find_spec("pnnx")
    assert found is not None
    assert found.submodule_search_locations
    return str(Path(found.submodule_search_locations[0], "pnnx"))


def why(printed: str) -> str:
    """Return the line that tells why a model was not converted."""
    lines = [line.strip() for line in printed.splitlines()]
    telling = [line for line in lines if " failed" in line or "not supported" in line]
    return telling[0] if telling else ""


def _load(param: Path, weights: Path) -> NcnnLoad:
    ncnn = import_module("ncnn")
    rows = [line.split() for line in param.read_text(encoding="utf-8").splitlines()[HEAD:]]
    layers = tuple((row[0], row[1]) for row in rows if len(row) > 1)
    unknown = tuple(each for each in layers if ncnn.layer_to_index(each[0]) < 0)
    if unknown:
        return NcnnLoad("", layers, unknown)
    with captured():
        net = ncnn.Net()
        is_loaded = net.load_param(str(param)) == 0 and (
            not weights.exists() or net.load_model(str(weights)) == 0
        )
    return NcnnLoad("" if is_loaded else "ncnn does not load what pnnx wrote", layers)


def unit_of(kind: str) -> str:
    """Return the unit that a layer runs on if Vulkan is on."""
    layer = import_module("ncnn").create_layer(kind)
    return GPU if layer is not None and layer.support_vulkan else CPU
