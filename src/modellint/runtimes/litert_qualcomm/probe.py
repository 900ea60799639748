"""In the child process: lets LiteRT's plug-in share a TFLite file out for Qualcomm's NPU.

The plug-in wants Qualcomm's libraries, which the package onnxruntime-qnn brings.
"""

from __future__ import annotations

import os
import subprocess
from importlib import metadata, util
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modellint.formats.tflite.reader import read
from modellint.runtimes.delegated import Delegated, compiled_parts, tell_parts
from modellint.runtimes.probe import Tell

NPU = "NPU"
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
    version, chip = metadata.version("ai-edge-litert"), request["chip"]
    tell_parts(request, tell, version, NPU, lambda path: shared_out(path, chip))


def shared_out(path: Path, chip: str) -> Delegated:
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
            return Delegated(error=_error(ended.stdout + ended.stderr, ended.returncode))
        compiled = read(written)
    return Delegated(*compiled_parts(read(path).graph, compiled.graph, DISPATCHED))


def _error(said: bytes, code: int) -> str:
    lines = said.decode("utf-8", "replace").splitlines()
    errors = [line.partition("] ")[2] for line in lines if line.startswith(REASON)]
    return (errors or [f"the plug-in ended with code {code}"])[0]


def _folder(module: str) -> Path:
    found = util.find_spec(module)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"{module} is not installed")
    return Path(found.origin).parent
