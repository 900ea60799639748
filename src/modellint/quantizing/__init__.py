"""Quantizes models with ONNX Runtime's quantizer: `modellint quantize`."""
