"""Known good ways of quantizing for a deployment, as data for ONNX Runtime's quantizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from modellint.base.errors import UsageError
from modellint.base.records import dataclass
from modellint.base.suggest import did_you_mean

Method = Literal["static", "dynamic", "blocks"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of the quantizer, and the deployment that they are for."""

    name: str
    summary: str
    method: Method
    """Scales of activations from calibration, scales of activations from each run, or weights in
    blocks alone."""
    runtime: str
    target: str = ""
    """Deployment whose rules judge the result; an empty target for any."""
    activations: str = ""
    weights: str = "QInt8"
    """Names in ONNX Runtime's `QuantType`."""
    operators: tuple[str, ...] = ()
    """Operators that are quantized; empty for all that the quantizer knows."""
    left_float: tuple[str, ...] = ()
    """Operators that are not, of those."""
    options: Mapping[str, bool] = field(default_factory=dict)
    """Extra options of the quantizer."""
    inputs_only: bool = False
    """True if pairs belong before layers, and nowhere else."""
    block: int = 0

    @property
    def calibrates(self) -> bool:
        return self.method == "static"


_PRECISE = ("Softmax", "LayerNormalization", "InstanceNormalization", "BatchNormalization")
"""Operators that lose accuracy in integers, and gain no speed."""

RECIPES = {
    recipe.name: recipe
    for recipe in (
        # TensorRT takes symmetric int8 with biases in float, and fuses what follows a layer into it
        # if no pair stands between.
        Recipe(
            "tensorrt-int8",
            "symmetric int8 before layers and residual additions, biases in float",
            "static",
            "tensorrt",
            target="a10",
            activations="QInt8",
            operators=("Conv", "ConvTranspose", "Gemm", "MatMul", "Add"),
            options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "QuantizeBias": False,
            },
            inputs_only=True,
        ),
        # Its x86 kernels multiply uint8 activations with int8 weights, and take layers whose inputs
        # and outputs are quantized.
        Recipe(
            "onnxruntime-int8",
            "uint8 activations and int8 weights around all operators with integer kernels",
            "static",
            "onnxruntime",
            activations="QUInt8",
            left_float=(*_PRECISE, "Gather", "ArgMax", "Where", "TopK", "CumSum"),
        ),
        Recipe(
            "dynamic",
            "int8 weights of matrix products; activations are quantized in every run",
            "dynamic",
            "onnxruntime",
            operators=("MatMul", "Gemm", "LSTM", "Attention"),
        ),
        Recipe(
            "int4",
            "4-bit weights of matrix products, in blocks of 32",
            "blocks",
            "onnxruntime",
            operators=("MatMul",),
            block=32,
        ),
    )
}


def find_recipe(name: str) -> Recipe:
    """Return the recipe of this name."""
    recipe = RECIPES.get(name)
    if recipe is None:
        hint = did_you_mean(name, RECIPES, f"choose from {', '.join(RECIPES)}")
        raise UsageError(f"unknown recipe {name!r}; {hint}")
    return recipe
