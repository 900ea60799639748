"""ONNX: serialized and as text, both through one builder."""
