"""In the child process: makes a session of ONNX Runtime Web in a browser, with WebNN."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from modellint.runtimes.onnxruntime.log import refusal
from modellint.runtimes.probe import Remark, Tell, as_plain, source_of
from modellint.runtimes.webnn.installed import ADVICE, NotInstalledError, installed
from modellint.runtimes.webnn.ort_web import WEBNN, OrtWeb, WebProvider

PROVIDER, CPU = "WebNNExecutionProvider", "CPUExecutionProvider"


def answer(request: dict[str, Any], tell: Tell) -> None:
    answer_of(WEBNN, PROVIDER, request, tell)


def answer_of(provider: WebProvider, name: str, request: dict[str, Any], tell: Tell) -> None:
    """Make a session with a provider of this name."""
    said: dict[str, Any] = {"version": "", "level": request["level"]}
    try:
        found = installed(Path(request["folder"]) if request.get("folder") else None)
    except NotInstalledError as error:
        tell({**said, "status": "unanswered", "detail": str(error)})
        return
    said["version"] = found.version
    started = time.perf_counter()
    with OrtWeb.start(found.package, found.program, provider) as web:
        said["device"] = web.browser_version
        obstacle = web.obstacle()
        if obstacle:
            detail = f"{found.program}: {obstacle}: {ADVICE} brings a browser that has it"
            tell({**said, "status": "unanswered", "detail": detail})
            return
        made = web.create(source_of(request), request["symbols"])
    placed = made.placed
    if placed is not None and request.get("names"):
        said["parts"] = placed.parts
        said["left"] = [(node.name, node.op) for node in placed.left]
    if placed is None or made.error:
        tell({**said, "status": "refused", "remarks": as_plain([refusal(made.error)])})
        return
    counts = {name: len(placed.nodes) - len(placed.left), CPU: len(placed.left)}
    left = [Remark("on-cpu", node.reason, node.name, node.op) for node in placed.left]
    shown = left if placed.parts else left[:1]
    tell(
        {
            **said,
            "status": "accepted",
            "remarks": as_plain(shown),
            "figures": {
                "build_seconds": time.perf_counter() - started,
                "nodes_taken": counts[name],
                "subgraphs_taken": placed.parts,
            },
            "placement": {unit: count for unit, count in counts.items() if count},
        }
    )
