"""Builds the example models beside this file. Each but the first has something to find.

The files are committed, so that `modellint examples/` works from a fresh checkout; run this
after a change: `python examples/build.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

FOLDER = Path(__file__).parent
RANDOM = np.random.default_rng(0)
Dims = list[int | str | None]


class Builder:
    """A graph in the making, with the names a PyTorch export would give."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []

    def add(self, op: str, inputs: list[str], name: str, **attributes: object) -> str:
        output = f"{name}_output_0"
        self.nodes.append(helper.make_node(op, inputs, [output], name=name, **attributes))
        return output

    def weight(self, name: str, array: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def random(self, name: str, *shape: int) -> str:
        fan_in = max(1, int(np.prod(shape[1:])))
        values = RANDOM.standard_normal(shape, dtype=np.float32) / np.sqrt(fan_in)
        return self.weight(name, values.astype(np.float32))

    def numbers(self, name: str, *values: int) -> str:
        return self.weight(name, np.array(values, dtype=np.int64))

    def conv(self, x: str, name: str, into: int, out: int, kernel: int = 3, stride: int = 1) -> str:
        weight = self.random(f"{name}.weight", out, into, kernel, kernel)
        bias = self.random(f"{name}.bias", out)
        pad = kernel // 2
        return self.add(
            "Conv",
            [x, weight, bias],
            f"/{name}/Conv",
            kernel_shape=[kernel] * 2,
            pads=[pad] * 4,
            strides=[stride] * 2,
        )

    def batch_norm(self, x: str, name: str, channels: int) -> str:
        parts = ("weight", "bias", "running_mean", "running_var")
        fill = (1.0, 0.0, 0.0, 1.0)
        weights = [
            self.weight(f"{name}.{part}", np.full(channels, value, dtype=np.float32))
            for part, value in zip(parts, fill, strict=True)
        ]
        return self.add("BatchNormalization", [x, *weights], f"/{name}/BatchNormalization")

    def linear(self, x: str, name: str, into: int, out: int) -> str:
        weight = self.random(f"{name}.weight", into, out)
        product = self.add("MatMul", [x, weight], f"/{name}/MatMul")
        return self.add("Add", [self.random(f"{name}.bias", out), product], f"/{name}/Add")

    def quantize(self, x: str, name: str, scale: float, zero_point: int = 0) -> str:
        """The pair that a QAT export writes around an activation or a weight."""
        arguments = [
            self.weight(f"{name}.scale", np.array(scale, dtype=np.float32)),
            self.weight(f"{name}.zero_point", np.array(zero_point, dtype=np.int8)),
        ]
        quantized = self.add("QuantizeLinear", [x, *arguments], f"/{name}/QuantizeLinear")
        return self.add("DequantizeLinear", [quantized, *arguments], f"/{name}/DequantizeLinear")

    def model(
        self, x: tuple[str, Dims], y: tuple[str, Dims], result: str, opset: int = 17
    ) -> ModelProto:
        self.nodes[-1].output[0] = y[0]
        assert result == f"{self.nodes[-1].name}_output_0"
        graph: GraphProto = helper.make_graph(
            self.nodes,
            "main_graph",
            [helper.make_tensor_value_info(x[0], TensorProto.FLOAT, x[1])],
            [helper.make_tensor_value_info(y[0], TensorProto.FLOAT, y[1])],
            self.weights,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", opset)],
            producer_name="modellint-examples",
        )
        model.ir_version = 8
        return model


def clean_classifier() -> ModelProto:
    """Nothing to find: folded, named, 16 channels wide."""
    b = Builder()
    h = b.add("Relu", [b.conv("images", "stem", 3, 16, stride=2)], "/stem/Relu")
    h = b.add("Relu", [b.conv(h, "body", 16, 32, stride=2)], "/body/Relu")
    h = b.add("GlobalAveragePool", [h], "/pool/GlobalAveragePool")
    h = b.add("Flatten", [h], "/Flatten", axis=1)
    weight, bias = b.random("head.weight", 16, 32), b.random("head.bias", 16)
    h = b.add("Gemm", [h, weight, bias], "/head/Gemm", transB=1)
    return b.model(("images", ["batch", 3, 64, 64]), ("logits", ["batch", 16]), h)


def detector_baked_batch() -> ModelProto:
    """Exported with a dynamic batch, but traced with one; and not in evaluation mode."""
    b = Builder()
    h = b.conv("images", "backbone.conv1", 3, 16, stride=2)
    h = b.batch_norm(h, "backbone.bn1", 16)
    h = b.add("Relu", [h], "/backbone/act1/Relu")
    h = b.conv(h, "backbone.conv2", 16, 32, stride=2)
    h = b.batch_norm(h, "backbone.bn2", 32)
    h = b.add("Relu", [h], "/backbone/act2/Relu")
    h = b.add("Dropout", [h], "/neck/drop/Dropout")
    h = b.conv(h, "head", 32, 24, kernel=1)
    shape = b.numbers("/head/Constant_output_0", 1, 4, 6, 256)
    h = b.add("Reshape", [h, shape], "/head/Reshape")
    h = b.add("Transpose", [h], "/head/Transpose", perm=[0, 1, 3, 2])
    b.random("backbone.aux.weight", 24, 32, 5, 5)
    return b.model(("images", ["batch", 3, 64, 64]), ("boxes", ["batch", 4, 256, 6]), h)


def encoder_fp16_mask() -> ModelProto:
    """One attention head whose mask does not fit into fp16, with a Cast round trip on its way."""
    b = Builder()
    q = b.linear("hidden", "attn.q", 64, 64)
    k = b.linear("hidden", "attn.k", 64, 64)
    v = b.linear("hidden", "attn.v", 64, 64)
    k = b.add("Transpose", [k], "/attn/Transpose", perm=[0, 2, 1])
    scores = b.add("MatMul", [q, k], "/attn/MatMul")
    half = b.add("Cast", [scores], "/attn/Cast", to=TensorProto.FLOAT16)
    scores = b.add("Cast", [half], "/attn/Cast_1", to=TensorProto.FLOAT)
    mask = np.triu(np.full((1, 16, 16), -1e9, dtype=np.float32), 1)
    scores = b.add("Add", [scores, b.weight("attn.causal_mask", mask)], "/attn/Add")
    weights = b.add("Softmax", [scores], "/attn/Softmax", axis=-1)
    h = b.add("MatMul", [weights, v], "/attn/MatMul_1")
    scale = b.weight("scale", np.array(0.125, dtype=np.float64))
    scale = b.add("Cast", [scale], "/Cast", to=TensorProto.FLOAT)
    h = b.add("Mul", [h, scale], "/Mul")
    return b.model(("hidden", [None, 16, 64]), ("output", [None, 16, 64]), h)


def qat_residual() -> ModelProto:
    """A QAT export: an asymmetric activation, and a skip branch that was forgotten."""
    b = Builder()
    x = b.quantize("images", "quant_in", 0.02, zero_point=-12)
    weight = b.quantize(b.random("conv1.weight", 16, 16, 3, 3), "conv1.weight_quant", 0.004)
    h = b.add("Conv", [x, weight], "/conv1/Conv", kernel_shape=[3, 3], pads=[1] * 4)
    h = b.batch_norm(h, "bn1", 16)
    h = b.add("Relu", [h], "/act1/Relu")
    h = b.quantize(h, "quant_mid", 0.03)
    weight = b.quantize(b.random("conv2.weight", 16, 16, 3, 3), "conv2.weight_quant", 0.004)
    h = b.add("Conv", [h, weight], "/conv2/Conv", kernel_shape=[3, 3], pads=[1] * 4)
    h = b.quantize(h, "quant_add", 0.05)
    h = b.add("Add", [h, "images"], "/Add")
    h = b.add("Relu", [h], "/act2/Relu")
    return b.model(("images", ["batch", 16, 32, 32]), ("output", ["batch", 16, 32, 32]), h)


def upscaler_8k() -> ModelProto:
    """Few weights, but activations of an 8K frame that no 24 GB card holds."""
    b = Builder()
    h = skip = b.add("Relu", [b.conv("frame", "head", 3, 32)], "/head/Relu")
    for index in range(3):
        h = b.add("Relu", [b.conv(h, f"body.{index}", 32, 32)], f"/body.{index}/Relu")
    h = b.add("Concat", [h, skip], "/Concat", axis=1)
    h = b.conv(h, "fuse", 64, 64, kernel=1)
    h = b.add("Relu", [h], "/fuse/Relu")
    h = b.conv(h, "tail", 64, 3)
    return b.model(("frame", [1, 3, 4320, 7680]), ("upscaled", [1, 3, 4320, 7680]), h)


def weights_left_behind() -> ModelProto:
    """Committed without the file that its weights are in."""
    model = clean_classifier()
    onnx.external_data_helper.convert_model_to_external_data(
        model, location="weights_left_behind.onnx.data", size_threshold=256
    )
    for tensor in model.graph.initializer:
        if tensor.external_data:
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
    return model


EXAMPLES = (
    clean_classifier,
    detector_baked_batch,
    encoder_fp16_mask,
    qat_residual,
    upscaler_8k,
    weights_left_behind,
)
POINTER = """version https://git-lfs.github.com/spec/v1
oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
size 102442496
"""


def main() -> None:
    for example in EXAMPLES:
        (FOLDER / f"{example.__name__}.onnx").write_bytes(example().SerializeToString())
    (FOLDER / "not_pulled.onnx").write_text(POINTER)


if __name__ == "__main__":
    main()
