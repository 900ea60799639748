"""In the child process: lets LiteRT's plug-in share a TFLite file out for Qualcomm's NPU.

The plug-in wants Qualcomm's libraries, which the package onnxruntime-qnn brings.
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import asdict
from importlib import metadata, util
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modellint.base.records import dataclass
from modellint.formats.tflite.reader import read
from modellint.model import Node
from modellint.runtimes.delegated import compiled_parts
from modellint.runtimes.probe import Remark, Tell

NPU, CPU = "NPU", "CPU"
DISPATCHED = "DISPATCH_OP"
"""The custom operator that stands for a part on the NPU."""
LIBRARIES = {
    "libHtpPrepare.so": "libHtpPrepare.so",
    "libQnnHtp.so": "libQnnHtp.so",
    "libQnnIr.so": "libQnnIr.so",
    "libQnnLpai.so": "libQnnIr.so",  # is wanted, is in no package, and is not called
    "libQnnSaver.so": "libQnnSaver.so",
    "libQnnSystem.so": "libQnnSystem.so",
}
REASON = "ERROR: ["
SECONDS = 600


def answer(request: dict[str, Any], tell: Tell) -> None:
    said = {"version": metadata.version("ai-edge-litert"), "level": request["level"]}
    started = time.perf_counter()
    found = shared_out(Path(request["path"]), request["chip"])
    if found.error:
        remark = Remark("model-refused", found.error)
        tell({**said, "status": "refused", "remarks": [asdict(remark)]})
        return
    units = {NPU: sum(map(len, found.partitions)), CPU: len(found.left)}
    names = {
        "partitions": [[_named(node) for node in part] for part in found.partitions],
        "left": [_named(node) for node in found.left],
    }
    left = [Remark("on-cpu", "", *_named(node), index=node.index) for node in found.left]
    tell(
        {
            **said,
            "status": "accepted",
            "remarks": [asdict(each) for each in left],
            "figures": {
                "build_seconds": time.perf_counter() - started,
                "nodes_taken": units[NPU],
                "subgraphs_taken": len(found.partitions),
            },
            "placement": {unit: count for unit, count in units.items() if count},
            **(names if request.get("names") else {}),
        }
    )


def _named(node: Node) -> tuple[str, str]:
    return node.label, node.op_type


@dataclass(frozen=True, slots=True)
class SharedOut:
    """Nodes of a model by the part on the NPU that runs them, and those left to the CPU."""

    partitions: tuple[tuple[Node, ...], ...] = ()
    left: tuple[Node, ...] = ()
    error: str = ""


def shared_out(path: Path, chip: str) -> SharedOut:
    litert, qnn = _folder("ai_edge_litert"), _folder("onnxruntime_qnn")
    with TemporaryDirectory() as folder:
        for name, file in LIBRARIES.items():
            Path(folder, name).symlink_to(qnn / file)
        places = (folder, f"{qnn}.libs", str(litert))
        written = Path(folder, "out.tflite")
        ended = subprocess.run(
            [
                litert / "tools" / "apply_plugin_main",
                "--cmd=partition",
                f"--libs={litert / 'vendors' / 'qualcomm' / 'compiler'}",
                f"--model={path.absolute()}",
                f"--o={written}",
                "--soc_manufacturer=Qualcomm",
                f"--soc_model={chip}",
                "--err=--",
            ],
            capture_output=True,
            cwd=folder,
            env={**os.environ, "LD_LIBRARY_PATH": ":".join(places)},
            timeout=SECONDS,
            check=False,
        )
        if ended.returncode or not written.exists() or not written.stat().st_size:
            return SharedOut(error=_error(ended.stdout + ended.stderr, ended.returncode))
        compiled = read(written)
    return SharedOut(*compiled_parts(read(path).graph, compiled.graph, DISPATCHED))


def _error(said: bytes, code: int) -> str:
    lines = said.decode("utf-8", "replace").splitlines()
    errors = [line.partition("] ")[2] for line in lines if line.startswith(REASON)]
    return (errors or [f"the plug-in ended with code {code}"])[0]


def _folder(module: str) -> Path:
    found = util.find_spec(module)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"{module} is not installed")
    return Path(found.origin).parent
