"""The counterparts of operators of ONNX and TFLite; importing this registers them all."""

from modellint.webnn.operators import (
    layers,
    movement,
    normalizing,
    pointwise,
    products,
    quantized,
    recurrent,
    reducing,
    resizing,
    tflite,
)

__all__ = [
    "layers",
    "movement",
    "normalizing",
    "pointwise",
    "products",
    "quantized",
    "recurrent",
    "reducing",
    "resizing",
    "tflite",
]
