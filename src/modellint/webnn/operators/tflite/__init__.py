"""The counterparts of TFLite's operators, whose channels come last."""

from modellint.webnn.operators.tflite import layers, movement, pointwise, shapes

__all__ = ["layers", "movement", "pointwise", "shapes"]
