"""In the child process: creates an ONNX Runtime session with the available providers."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from modellint.runtimes.onnxruntime.log import refusal
from modellint.runtimes.probe import MOST_LISTED, Remark, Tell, source_of

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
ASSIGNMENT = "session.record_ep_graph_assignment_info"
OPTIMIZED = "optimized.onnx"
MOST_COPIED = 512 << 20
"""Maximum bytes of weights for which the optimized model is written out for inspection."""


def answer(request: dict[str, Any], tell: Tell) -> None:
    import onnxruntime as ort

    ort.set_default_logger_severity(4)
    wanted = CUDA if request["on_cuda"] else CPU
    missing = wanted not in ort.get_available_providers()
    said: dict[str, Any] = {"version": ort.__version__, "level": request["level"], "figures": {}}
    remarks = [Remark("provider-missing", value=wanted)] if missing else []
    if missing:
        said["detail"] = f"probed on the CPU only: this ONNX Runtime has no {wanted}"
    started = time.perf_counter()
    try:
        session = _session(ort, request, [CPU] if missing or wanted == CPU else [wanted, CPU])
    except Exception as error:  # the runtime's errors have no common base class of their own
        remarks.append(refusal(str(error)))
        tell({**said, "status": "refused", "remarks": [asdict(remark) for remark in remarks]})
        return
    said["figures"]["build_seconds"] = time.perf_counter() - started
    if not missing and wanted not in session.get_providers():
        remarks.append(Remark("provider-failed", value=wanted))
    placement, elsewhere = _placement(session)
    if wanted in placement:
        remarks += elsewhere
    said |= {"placement": placement, **_optimized(said["figures"])}
    tell({**said, "status": "accepted", "remarks": [asdict(remark) for remark in remarks]})


def _session(ort: Any, request: dict[str, Any], providers: list[str]) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry(ASSIGNMENT, "1")
    if request["level"] == "parse":
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    elif request["weight_bytes"] <= MOST_COPIED:
        options.optimized_model_filepath = OPTIMIZED
    for name, size in request["symbols"].items():
        options.add_free_dimension_override_by_name(name, size)
    source = source_of(request)
    model = source if isinstance(source, bytes) else str(source)
    return ort.InferenceSession(model, options, providers=providers)


def _placement(session: Any) -> tuple[dict[str, int], list[Remark]]:
    """Return nodes by provider, and remarks about nodes that fall back to the CPU."""
    ask = getattr(session, "get_provider_graph_assignment_info", None)  # 1.24 and newer
    if ask is None:
        return {}, []
    counts: Counter[str] = Counter()
    on_cpu = []
    for subgraph in ask():
        nodes = subgraph.get_nodes()
        counts[subgraph.ep_name] += len(nodes)
        if subgraph.ep_name == CPU:
            on_cpu += [Remark("on-cpu", node=node.name, op=node.op_type) for node in nodes]
    return dict(counts), on_cpu[:MOST_LISTED] if len(counts) > 1 else []


def _optimized(figures: dict[str, Any]) -> dict[str, Any]:
    """Return facts about the graph after the runtime's optimizer."""
    path = Path(OPTIMIZED)
    if not path.exists():
        return {}
    import onnx

    nodes = onnx.load(path, load_external_data=False).graph.node
    fused = Counter(node.op_type for node in nodes if node.domain.startswith("com.microsoft"))
    return {
        "figures": {**figures, "nodes_optimized": len(nodes)},
        "layers": [f"{op} ×{count}" for op, count in fused.most_common()],
    }
