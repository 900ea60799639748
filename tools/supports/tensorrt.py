"""Asks TensorRT for RTX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx
from onnx import defs

from supports.cases import TYPES, of_type
from supports.tables import Operator

PREAMBLE = '<ir_version: 10, opset_import: ["" : 20, "com.microsoft" : 1]>\n'
BEYOND = {
    "CausalConvWithState": """
        m (float16[1,8,16] x, float16[8,1,4] w, float16[8] b, float16[1,8,3] s)
            => (float16[1,8,16] y, float16[1,8,3] z)
        { y, z = com.microsoft.CausalConvWithState <ndim = 1, activation = "silu"> (x, w, b, s) }
    """,
    "GroupQueryAttention": """
        m (float16[1,1,64] q, float16[1,1,32] k, float16[1,1,32] v, float16[1,2,8,16] pk,
           float16[1,2,8,16] pv, int32[1] s, int32 t)
            => (float16[1,1,64] y, float16[1,2,9,16] nk, float16[1,2,9,16] nv)
        { y, nk, nv = com.microsoft.GroupQueryAttention
            <num_heads = 4, kv_num_heads = 2, scale = 0.25> (q, k, v, pk, pv, s, t) }
    """,
    "LinearAttention": """
        m (float16[1,4,64] q, float16[1,4,64] k, float16[1,4,64] v, float16[1,4,16,16] s)
            => (float16[1,4,64] y, float16[1,4,16,16] z)
        { y, z = com.microsoft.LinearAttention
            <q_num_heads = 4, kv_num_heads = 4, update_rule = "linear", scale = 0.25>
            (q, k, v, s) }
    """,
    "MatMulNBits": """
        m (float16[1,32] x, uint8[1,1,16] w, float16[1] s) => (float16[1,1] y)
        { y = com.microsoft.MatMulNBits <K = 32, N = 1, bits = 4, block_size = 32> (x, w, s) }
    """,
    "QMoE": """
        m (float16[1,2,32] x, float16[2,4] p, uint8[4,64,16] a, float16[4,64] s,
           uint8[4,32,16] b, float16[4,32] t) => (float16[1,2,32] y)
        { y = com.microsoft.QMoE <k = 1, activation_type = "swiglu", activation_alpha = 1.0,
            activation_beta = 1.0, swiglu_fusion = 1, normalize_routing_weights = 1,
            use_sparse_mixer = 0, expert_weight_bits = 4, block_size = 128>
            (x, p, a, s, , b, t) }
    """,
}
"""Models of operators that the parser has an importer for, but perhaps no plugin."""


class TensorRTRtx:
    """Parses, then builds for one device: some types are refused only there."""

    source = "https://docs.nvidia.com/deeplearning/tensorrt-rtx/latest/index.html"

    def __init__(self) -> None:
        from modellint.probes.backends import known_backends

        backend = known_backends()["tensorrt-rtx"]
        assert backend.module is not None, backend.install
        self.module = backend.module
        self.version = backend.version
        self.opset = 25

    def refusal(self, model: onnx.ModelProto, *, build: bool = False) -> str | None:
        import importlib

        from modellint.runtimes.tensorrt import log as tensorrt_log
        from modellint.runtimes.tensorrt.probe import logger_for

        trt = importlib.import_module(self.module)
        lines: list[Any] = []
        logger = logger_for(trt, lines)
        builder = trt.Builder(logger)
        network = builder.create_network(0)
        parser = trt.OnnxParser(network, logger)
        if not parser.parse(model.SerializeToString()):
            error = parser.get_error(0)
            return tensorrt_log.distil(error.desc()) or "no reason given"
        if not build or any(-1 in network.get_input(n).shape for n in range(network.num_inputs)):
            return None
        config = builder.create_builder_config()
        config.num_compute_capabilities = 1
        config.set_compute_capability(trt.ComputeCapability.SM86, 0)
        profile = builder.create_optimization_profile()
        for n in range(network.num_inputs):
            if network.get_input(n).is_shape_tensor:
                return None  # it would need values, which the test does not constrain
        config.add_optimization_profile(profile)
        if builder.build_serialized_network(network, config) is None:
            return tensorrt_log.build_failure(lines).text
        return None

    def data_types(self) -> list[str]:
        """Return the types that an input of the model may have."""
        return [name for name in TYPES if self.refusal(of_type(name)) is None]

    def importers(self, table: Mapping[str, Operator]) -> dict[str, bool]:
        """Return whether it reads operators that no node test covers, of any domain, by name.

        Some importers only make a plugin, which another package has to bring.
        """
        import importlib

        from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

        from modellint.runtimes.tensorrt.probe import logger_for

        trt = importlib.import_module(self.module)
        logger = logger_for(trt, [])
        builder = trt.Builder(logger)
        network = builder.create_network(0)
        parser = trt.OnnxParser(network, logger)
        schemas = defs.get_all_schemas_with_history()
        standard = {schema.name for schema in schemas if not schema.domain}
        known = standard | {schema.name for schema in get_all_operator_schema()}
        found = {op: parser.supports_operator(op) for op in sorted(known - table.keys())}
        for op, text in BEYOND.items():
            if found.get(op):
                found[op] = self.refusal(onnx.parser.parse_model(PREAMBLE + text)) is None
        return {op: taken for op, taken in found.items() if taken or op in standard}
