"""The counterparts of ONNX's operators; importing this registers them all."""

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
]
