"""In the child process: probes TensorRT, or TensorRT for RTX, which has the same interface."""

from __future__ import annotations

import time
from importlib import import_module
from pathlib import Path
from typing import Any

from modellint.base.files import replace_file
from modellint.runtimes.probe import Tell
from modellint.runtimes.tensorrt import log

MOST_BYTES = 2_000_000_000
"""Maximum size of models passed in memory, which the search for subgraphs requires."""
FLAGS = {"fp16": ("FP16",), "bf16": ("BF16",), "int8": ("INT8", "FP16"), "fp8": ("FP8", "FP16")}
"""Builder flags by precision, in releases that still choose precisions themselves."""
NEED_SCALES = ("INT8", "FP8")
"""Precisions usable only with a quantized model: probes do not calibrate."""


def answer(request: dict[str, Any], tell: Tell) -> None:
    """Parse, then build if requested. Report after each step, since the next may not return."""
    trt = import_module(request["module"])
    lines: list[log.Line] = []
    logger = logger_for(trt, lines)
    builder = trt.Builder(logger)
    network = builder.create_network(_network_flags(trt, request))
    parser = trt.OnnxParser(network, logger)
    said: dict[str, Any] = {"version": trt.__version__, "level": "parse", "figures": {}}

    started = time.perf_counter()
    accepted = _parse(parser, request)
    said["figures"]["parse_seconds"] = time.perf_counter() - started
    if not accepted:
        said |= {"status": "refused", "remarks": _errors(parser)}
        tell(said)
        said = _with_subgraphs(trt, builder, logger, request, said)
        tell(said)
        return
    said |= {"status": "accepted", "remarks": _plain(log.warnings(lines))}
    tell(said)
    if request["level"] == "build":
        tell(_build(trt, builder, network, lines, request, said))


def logger_for(trt: Any, lines: list[log.Line]) -> Any:
    """Return a logger that keeps relevant lines."""
    names: dict[Any, log.Severity] = {
        trt.ILogger.INTERNAL_ERROR: "error",
        trt.ILogger.ERROR: "error",
        trt.ILogger.WARNING: "warning",
        trt.ILogger.INFO: "info",
    }

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            name = names.get(severity)
            if name is not None:
                lines.append((name, message))
            elif message.startswith(log.LAYERS):  # the only verbose message worth keeping
                lines.append(("verbose", message))

    return Logger()


def _network_flags(trt: Any, request: dict[str, Any]) -> int:
    """Return strong typing, unless a precision is requested and the builder chooses types."""
    flags = trt.NetworkDefinitionCreationFlag
    chooses = any(hasattr(trt.BuilderFlag, flag) for flag in _precision_flags(request))
    explicit = [getattr(flags, "EXPLICIT_BATCH", None)]  # implied since TensorRT 10
    if not chooses:
        explicit.append(getattr(flags, "STRONGLY_TYPED", None))
    return sum(1 << int(flag) for flag in explicit if flag is not None)


def _parse(parser: Any, request: dict[str, Any]) -> bool:
    if request["format"] == "onnx-text":
        return bool(parser.parse(_binary(request["path"])))
    return bool(parser.parse_from_file(request["path"]))


def _binary(path: str) -> bytes:
    from modellint.runtimes.onnx_text import binary

    return binary(path)


def _errors(parser: Any) -> list[dict[str, Any]]:
    errors = [parser.get_error(at) for at in range(parser.num_errors)]
    return _plain(
        log.refusal(
            error.code().name, error.desc(), error.node_name(), error.node_operator(), error.node()
        )
        for error in errors
    )


def _plain(remarks: Any) -> list[dict[str, Any]]:
    from dataclasses import asdict

    return [asdict(remark) for remark in remarks]


def _with_subgraphs(
    trt: Any, builder: Any, logger: Any, request: dict[str, Any], said: dict[str, Any]
) -> dict[str, Any]:
    """Find all refused nodes of a refused model, and the supported parts between them."""
    if not hasattr(trt.OnnxParser, "supports_model_v2"):
        return said
    path = request["path"]
    text = request["format"] == "onnx-text"
    if not text and Path(path).stat().st_size > MOST_BYTES:
        return said
    network = builder.create_network(0)  # a parser does not keep its network alive
    parser = trt.OnnxParser(network, logger)
    parser.supports_model_v2(_binary(path) if text else Path(path).read_bytes(), path)
    known = {_place(remark) for remark in said["remarks"]}
    more = [remark for remark in _errors(parser) if _place(remark) not in known and remark["op"]]
    remarks = said["remarks"] + more
    # Without a GPU the parser reports no part as supported, but still splits at refused nodes.
    refused = {remark["index"] for remark in remarks}
    parts = [parser.get_subgraph_nodes(at) for at in range(parser.num_subgraphs)]
    taken = [len(part) for part in parts if not refused.intersection(part)]
    sizes = {"nodes_taken": sum(taken), "subgraphs_taken": len(taken)}
    return {**said, "remarks": remarks, "figures": {**said["figures"], **sizes}}


def _place(remark: dict[str, Any]) -> tuple[object, ...]:
    return remark["op"], remark["node"], remark["index"]


def _build(
    trt: Any,
    builder: Any,
    network: Any,
    lines: list[log.Line],
    request: dict[str, Any],
    said: dict[str, Any],
) -> dict[str, Any]:
    before = len(lines)
    config = _config(trt, builder, request)
    _add_profile(builder, config, network, request["profiles"])
    started = time.perf_counter()
    engine = builder.build_serialized_network(network, config)
    seconds = time.perf_counter() - started
    new = lines[before:]
    remarks = said["remarks"] + _plain(log.warnings(new))
    if engine is None or not engine.nbytes:
        failure = _plain([log.build_failure(new, request["workspace"])])
        return {**said, "status": "refused", "level": "build", "remarks": remarks + failure}
    if request["save_engine"]:
        _save(engine, Path(request["save_engine"]))
    sizes = {**log.figures(new), "build_seconds": seconds, "engine_bytes": engine.nbytes}
    return {
        **said,
        "level": "build",
        "remarks": remarks,
        "figures": {**said["figures"], **sizes},
        "layers": log.layers(new),
    }


def _precision_flags(request: dict[str, Any]) -> list[str]:
    flags = FLAGS.get(request["precision"], ())
    return [flag for flag in flags if request["quantized"] or flag not in NEED_SCALES]


def _config(trt: Any, builder: Any, request: dict[str, Any]) -> Any:
    config = builder.create_builder_config()
    if request["capability"]:
        major, minor = request["capability"]
        config.num_compute_capabilities = 1
        config.set_compute_capability(getattr(trt.ComputeCapability, f"SM{major}{minor}"), 0)
    for name in _precision_flags(request):
        if hasattr(trt.BuilderFlag, name):
            config.set_flag(getattr(trt.BuilderFlag, name))
    if request["precision"] == "fp32":
        config.clear_flag(trt.BuilderFlag.TF32)
    if request["workspace"]:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, request["workspace"])
    return config


def _add_profile(
    builder: Any, config: Any, network: Any, profiles: dict[str, list[list[int]]]
) -> None:
    profile = builder.create_optimization_profile()
    for at in range(network.num_inputs):
        tensor = network.get_input(at)
        if tensor.name in profiles:
            profile.set_shape(tensor.name, *profiles[tensor.name])
    config.add_optimization_profile(profile)


def _save(engine: Any, path: Path) -> None:
    replace_file(path, engine)
