"""In the child process: ONNX Runtime's quantizer, with the model in its own memory."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx

from modellint.execution import arrays
from modellint.quantizing import pairs

if TYPE_CHECKING:
    from modellint.runtimes.probe import Tell

OLDEST_OPSET, RAISED_OPSET = 13, 17
"""Scales per channel need opset 13; the converter's steps up to 17 are the best tested."""
MOST_EMBEDDED = 1 << 30
"""Bytes of a model above which its weights are written to a file of their own."""
CACHE = "ranges.json"


def answer(request: dict[str, Any], tell: Tell) -> None:
    """Prepare a model, or quantize a prepared one."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    try:
        done = _prepare(request) if request["step"] == "prepare" else _quantize(request)
    except Exception as error:  # the quantizer raises whatever the model makes it stumble over
        lines = str(error).strip().splitlines()
        tell({"error": f"{type(error).__name__}: {lines[0][:300] if lines else ''}"})
        return
    tell({"version": onnxruntime.__version__, **done})


def _prepare(request: dict[str, Any]) -> dict[str, Any]:
    """Name all nodes, raise an old opset, fold constants and BatchNormalization, infer shapes."""
    source, prepared = Path(request["path"]), Path(request["prepared"])
    model = _load(source, request["format"])
    converted = _raise_opset(model)
    model = converted if converted is not None else model
    _name_nodes(model.graph)
    _take_weights_for_constants(model.graph)
    named = prepared.with_name("named.onnx")
    large = _save(model, named)
    preprocess = import_module("onnxruntime.quantization.shape_inference").quant_pre_process
    options: dict[str, Any] = {
        "skip_symbolic_shape": True,
        "save_as_external_data": large,
        "skip_optimization": _is_half(model.graph),  # whose CPU kernels would be cast to float32
    }
    if large:
        options |= {"all_tensors_to_one_file": True, "external_data_location": "prepared.data"}
    preprocess(str(named), str(prepared), **options)
    return {"raised_opset": converted is not None}


def _load(path: Path, format: str) -> onnx.ModelProto:
    if format == "onnx-text":
        from modellint.runtimes.onnx_text import binary

        return onnx.load_from_string(binary(str(path)))
    return onnx.load(path)


def _raise_opset(model: onnx.ModelProto) -> onnx.ModelProto | None:
    version = next((each.version for each in model.opset_import if not each.domain), None)
    if version is None or version >= OLDEST_OPSET:
        return None
    from onnx.version_converter import convert_version

    return convert_version(model, RAISED_OPSET)


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Give nodes names of their own: the quantizer excludes nodes by name."""
    taken: set[str] = set()
    for index, node in enumerate(graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_{index}"
        taken.add(node.name)


def _take_weights_for_constants(graph: onnx.GraphProto) -> None:
    """Drop inputs that have initializers: what can be overridden is not folded."""
    stored = {tensor.name for tensor in graph.initializer}
    for value in [value for value in graph.input if value.name in stored]:
        graph.input.remove(value)


def _is_half(graph: onnx.GraphProto) -> bool:
    halves = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
    return any(tensor.data_type in halves and tensor.dims for tensor in graph.initializer)


def _save(model: onnx.ModelProto, path: Path) -> bool:
    """Save a model; return True if its weights are in a file of their own."""
    large = bool(model.ByteSize() > MOST_EMBEDDED)
    if large:
        onnx.save(model, path, save_as_external_data=True, location=f"{path.name}.data")
    else:
        onnx.save(model, path)
    return large


def _quantize(request: dict[str, Any]) -> dict[str, Any]:
    tools = import_module("onnxruntime.quantization")
    prepared, out = Path(request["prepared"]), Path(request["out"])
    graph = onnx.load(prepared, load_external_data=False).graph
    excluded = list(request["excluded"])
    method = request["recipe"]["method"]
    if method == "static":
        _static(tools, request, graph, prepared, out, excluded)
    elif method == "dynamic":
        _dynamic(tools, request, prepared, out, excluded)
    else:
        _blocks(request, prepared, out, excluded)
    _finish(out, request["record"])
    return {}


def _finish(out: Path, record: dict[str, str]) -> None:
    """Record the quantizer in the model; drop imports that pre-processing added."""
    model = onnx.load(out, load_external_data=False)
    stated = {each.key: each.value for each in model.metadata_props}
    onnx.helper.set_model_props(model, {**stated, **record})
    used = {"", "ai.onnx"} | {node.domain for node in _nodes(model.graph)}
    used |= {node.domain for function in model.functions for node in function.node}
    for each in [each for each in model.opset_import if each.domain not in used]:
        model.opset_import.remove(each)
    onnx.save(model, out)


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _static(
    tools: Any,
    request: dict[str, Any],
    graph: onnx.GraphProto,
    prepared: Path,
    out: Path,
    excluded: list[str],
) -> None:
    recipe = request["recipe"]
    operators = list(recipe["operators"]) or _all_but(recipe["left_float"])
    options = dict(recipe["options"])
    inputs_only = recipe["inputs_only"]
    if inputs_only:
        options["OpTypesToExcludeOutputQuantization"] = operators
        options["QDQOpTypePerChannelSupportToAxis"] = {"MatMul": 1}
        wanted = pairs.residual_additions(graph)
        left = {node.name for node in graph.node if node.op_type == "Add"} - wanted
    else:
        left = pairs.not_between_layers(graph, operators)
    excluded = [*excluded, *left]
    more: dict[str, Any] = {}
    if "calibration_cache_path" in inspect.signature(tools.quantize_static).parameters:
        more["calibration_cache_path"] = str(out.with_name(CACHE))
    tools.quantize_static(
        str(prepared),
        str(out),
        _CalibrationReader(request),
        quant_format=tools.QuantFormat.QDQ,
        op_types_to_quantize=operators,
        per_channel=True,
        reduce_range=request["reduce_range"],
        activation_type=tools.QuantType[recipe["activations"]],
        weight_type=tools.QuantType[recipe["weights"]],
        nodes_to_exclude=excluded,
        use_external_data_format=_is_large(prepared),
        calibrate_method=tools.CalibrationMethod[request["calibration"]],
        extra_options=options,
        **more,
    )
    quantized = onnx.load(out, load_external_data=False)
    layers = {node.name for node in graph.node if node.op_type in operators} - set(excluded)
    pairs.let_floats_read_unrounded(
        quantized.graph, lambda node: node.name not in layers, always=inputs_only
    )
    if inputs_only:
        pairs.free_additions(quantized.graph)
    onnx.save(quantized, out)


def _dynamic(
    tools: Any, request: dict[str, Any], prepared: Path, out: Path, excluded: list[str]
) -> None:
    recipe = request["recipe"]
    tools.quantize_dynamic(
        str(prepared),
        str(out),
        op_types_to_quantize=list(recipe["operators"]),
        per_channel=True,
        reduce_range=request["reduce_range"],
        weight_type=tools.QuantType[recipe["weights"]],
        nodes_to_exclude=excluded,
        use_external_data_format=_is_large(prepared),
        extra_options={"MatMulConstBOnly": True},
    )


def _blocks(request: dict[str, Any], prepared: Path, out: Path, excluded: list[str]) -> None:
    nbits = import_module("onnxruntime.quantization.matmul_nbits_quantizer")
    model = import_module("onnxruntime.quantization.onnx_model").ONNXModel(onnx.load(prepared))
    model.replace_gemm_with_matmul()
    quantizer = nbits.MatMulNBitsQuantizer(
        model.model,
        block_size=request["recipe"]["block"],
        is_symmetric=True,
        accuracy_level=4,  # activations in int8 while it multiplies, as its fast kernels do
        nodes_to_exclude=excluded,
    )
    quantizer.process()
    quantizer.model.save_model_to_file(str(out), _is_large(prepared))


def _all_but(left_float: Iterable[str]) -> list[str]:
    registry = import_module("onnxruntime.quantization.registry")
    known = {*registry.QLinearOpsRegistry, *registry.QDQRegistry}
    return sorted(known - set(left_float))


def _is_large(prepared: Path) -> bool:
    return prepared.with_name("prepared.data").exists()


class _CalibrationReader:
    """Inputs for calibration, as the quantizer asks for them."""

    def __init__(self, request: dict[str, Any]) -> None:
        folder = Path(request["folder"])
        self._feeds = iter(
            [
                arrays.read(listing, folder / str(number))
                for number, listing in enumerate(request["feeds"])
            ]
        )

    def get_next(self) -> dict[str, Any] | None:
        feed = next(self._feeds, None)
        return dict(feed) if feed is not None else None

    def __iter__(self) -> _CalibrationReader:
        return self

    def __next__(self) -> dict[str, Any]:
        feed = self.get_next()
        if feed is None:
            raise StopIteration
        return feed
