"""Parts of real exports, with random weights, as ONNX Runtime's own quantizers leave them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, numpy_helper

from tests.exports import EXPORTS

VOCABULARY = 1000
LAST = {
    "resnet18": "/module/layer3/layer3.0/conv1/Conv",
    "mobilenet_v2": "/module/features/features.7/conv/conv.2/Conv",
    "distilbert_base": "/module/transformer/layer.0/output_layer_norm/LayerNormalization",
}
"""The part of each that is used: enough of every kind of block, little enough to be quick."""


def float_model(name: str, folder: Path) -> Path:
    """The first layers of an export, filled, folded and with its shapes inferred."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    whole = onnx.load(EXPORTS / f"{name}.onnx", load_external_data=False)
    for tensor in whole.graph.initializer:
        if tensor.name.endswith("word_embeddings.weight"):
            tensor.dims[0] = VOCABULARY
    last = next(node for node in whole.graph.node if node.name == LAST[name])
    whole = onnx.shape_inference.infer_shapes(whole)
    inputs = [value.name for value in whole.graph.input]
    model = onnx.utils.Extractor(whole).extract_model(inputs, [last.output[0]])
    _fill(model)
    raw, path = folder / f"{name}.raw.onnx", folder / f"{name}.onnx"
    onnx.save(model, raw)
    with quiet():
        quant_pre_process(raw, path, skip_symbolic_shape=True)
    return path


def _fill(model: ModelProto) -> None:
    """Small weights, as training leaves them, in place of those that the exports lack."""
    random = np.random.default_rng(0)
    holders = [*model.graph.initializer]
    holders += [a.t for node in model.graph.node for a in node.attribute if a.HasField("t")]
    for tensor in holders:
        if tensor.data_location == TensorProto.EXTERNAL:
            numbers = random.normal(scale=0.05, size=tuple(tensor.dims))
            if len(tensor.dims) == 1:
                numbers = np.abs(numbers) + 0.01
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
            filled = numpy_helper.from_array(numbers.astype(dtype), tensor.name)
            tensor.CopyFrom(filled)


class Reader:
    """Data that quantizers calibrate with: a few random inputs, made from the model's own."""

    def __init__(self, path: Path) -> None:
        graph = onnx.load(path, load_external_data=False).graph
        random = np.random.default_rng(1)
        self._feeds = iter([{v.name: _feed(v, random) for v in graph.input} for _ in range(2)])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


def _feed(value: onnx.ValueInfoProto, random: np.random.Generator) -> Any:
    kind = value.type.tensor_type
    shape = [dim.dim_value or (8 if dim.dim_param == "sequence" else 1) for dim in kind.shape.dim]
    if kind.elem_type == TensorProto.FLOAT:
        return random.normal(size=shape).astype(np.float32)
    if "mask" in value.name:
        return np.ones(shape, np.int64)
    return random.integers(0, VOCABULARY, shape)


def static(
    *,
    activation: str = "QInt8",
    weight: str = "QInt8",
    qdq: bool = True,
    per_channel: bool = False,
    symmetric: bool = True,
    ops: list[str] | None = None,
    **extra: Any,
) -> Callable[[Path, Path], None]:
    """Static quantization; `extra` as quantize_static calls its extra options."""

    def quantize(source: Path, result: Path) -> None:
        from onnxruntime import quantization as ort

        with quiet():
            ort.quantize_static(
                source,
                result,
                Reader(source),
                quant_format=ort.QuantFormat.QDQ if qdq else ort.QuantFormat.QOperator,
                activation_type=getattr(ort.QuantType, activation),
                weight_type=getattr(ort.QuantType, weight),
                per_channel=per_channel,
                op_types_to_quantize=ops,
                extra_options={
                    "ActivationSymmetric": symmetric,
                    "WeightSymmetric": symmetric or weight == "QInt8",
                    **extra,
                },
            )

    return quantize


def for_tensorrt(*ops: str) -> Callable[[Path, Path], None]:
    """As TensorRT's documentation asks for: symmetric, inputs of layers only, biases in float."""
    return static(
        per_channel=True,
        ops=list(ops),
        QuantizeBias=False,
        OpTypesToExcludeOutputQuantization=list(ops),
    )


def dynamic(source: Path, result: Path) -> None:
    from onnxruntime import quantization as ort

    with quiet():
        ort.quantize_dynamic(source, result, weight_type=ort.QuantType.QInt8)


def four_bits(*, qdq: bool) -> Callable[[Path, Path], None]:
    """Weights of matrix products in blocks of 32, packed or after a DequantizeLinear."""

    def quantize(source: Path, result: Path) -> None:
        from onnxruntime.quantization import QuantFormat
        from onnxruntime.quantization.matmul_nbits_quantizer import (
            DefaultWeightOnlyQuantConfig,
            MatMulNBitsQuantizer,
        )

        model = onnx.load(source)
        if qdq:
            model.opset_import[0].version = 21
        form = QuantFormat.QDQ if qdq else QuantFormat.QOperator
        config = DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=True, quant_format=form)
        with quiet():
            quantizer = MatMulNBitsQuantizer(model, algo_config=config)
            quantizer.process()
        onnx.save(quantizer.model.model, result)

    return quantize


@contextmanager
def quiet() -> Iterator[None]:
    """The quantizers' own remarks do not matter to these tests."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def nodes_of(path: Path) -> set[str]:
    return {node.op_type for node in onnx.load(path, load_external_data=False).graph.node}


__all__ = ["Reader", "dynamic", "float_model", "for_tensorrt", "four_bits", "nodes_of", "static"]
