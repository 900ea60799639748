"""Measures which operators and types a runtime takes, for its support-<version>.json.

    python tools/measure_support.py tensorrt-rtx
    python tools/measure_support.py onnxruntime
    python tools/measure_support.py openvino
    python tools/measure_support.py iree     # its first pass, which all its targets share
    python tools/measure_support.py mnn
    python tools/measure_support.py ncnn     # its own layers, which run with Vulkan or not
    python tools/measure_support.py qnn
    python tools/measure_support.py rknn
    python tools/measure_support.py webnn
    python tools/measure_support.py tensorrt --matrix operators.md   # published, not measured
    python tools/measure_support.py coreml   # and the other LISTS: published in onnxruntime's wheel

The models are the ONNX project's own node tests, and variants of them with every type that the
operator's schema allows. Each operator is tried in a process of its own, for some crash.
`make generate` then brings docs/support.md up to date.
"""

from __future__ import annotations

import argparse
import atexit
import json
import multiprocessing
import re
import sys
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, defs, helper, numpy_helper

ROOT = Path(__file__).parent.parent
ROOM = ROOT / "src" / "modellint" / "runtimes"
SECONDS = 120
OLDEST_OPSET = 7
BODIES = "the bodies in its tests may be what is refused"
MOST_VARIED = 4
"""Tests of one operator that are varied in their types: one that is taken is enough."""
TYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
    "float8e4m3fn": TensorProto.FLOAT8E4M3FN,
    "float8e5m2": TensorProto.FLOAT8E5M2,
    "int4": TensorProto.INT4,
    "uint4": TensorProto.UINT4,
    "float4e2m1": TensorProto.FLOAT4E2M1,
}
SPELT = {"float": "float32", "double": "float64"}
PUBLISHED = {
    "FP32": "float32",
    "FP16": "float16",
    "BF16": "bfloat16",
    "INT32": "int32",
    "INT64": "int64",
    "INT8": "int8",
    "INT4": "int4",
    "FP8": "float8e4m3fn",
    "FP4": "float4e2m1",
    "UINT8": "uint8",
    "BOOL": "bool",
}
DATA_TYPES = {
    "DOUBLE": "float64",
    "FLOAT32": "float32",
    "FLOAT16": "float16",
    "BFLOAT16": "bfloat16",
}
ABOUT = (
    "Written by tools/measure_support.py; do not edit. Of each operator: whether it is taken in "
    "any form; the types of its input 'at' (0 unless stated) that were taken, and 'not' taken; "
    "the version of it that is 'refused-from' on, the operator set that it is 'taken-from' on. "
    "JSON, for it is read in every run."
)
OLDER = (24, 23, 21, 20, 18, 17, 16, 13, 11)
"""Operator sets that a test is tried at when it is refused at its own."""
IR_VERSION = 10
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
NODE_TESTS = "https://github.com/onnx/onnx/tree/main/onnx/backend/test/case/node"
LISTS = {
    "coreml": "coreml_supported_mlprogram_ops.md",
    "coreml-neuralnetwork": "coreml_supported_neuralnetwork_ops.md",
    "nnapi": "nnapi_supported_ops.md",
}
"""Files of the operators that its providers for phones take, which its usability checker reads."""
CHECKER = "https://onnxruntime.ai/docs/tutorials/mobile/helpers/model-usability-checker.html"
INLINED = {"HardSwish": {"HardSigmoid", "Mul"}}
"""Functions that ONNX Runtime replaces with their body, for it has no kernel for them."""
MISSPELT = {"Argmax": "ArgMax"}
LAYERS = "https://github.com/Tencent/ncnn/tree/20261020/src/layer"
MATRIX = "https://github.com/onnx/onnx-tensorrt/blob/main/docs/operators.md"


@dataclass
class Operator:
    """Measurement of one operator."""

    at: int = 0
    """The input whose type was varied."""
    taken: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    accepted: int = 0
    """Of its node tests."""
    refused: dict[str, str] = field(default_factory=dict)
    """The reason, by node test; only where other tests of the operator are accepted."""
    note: str = ""
    refused_from: int | None = None
    """The operator version that is not taken, though an earlier one is."""
    taken_from: int | None = None
    """The operator set from which on it is taken, if it is older than that."""


@dataclass
class Case:
    name: str
    model: onnx.ModelProto
    data: Sequence[Any]


# The models.


def node_tests() -> Sequence[Any]:
    """The onnx package's own tests of single operators."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "bool" not in vars(
            np
        ):  # in numpy 1, which some runtimes need; the tests are for numpy 2
            vars(np)["bool"] = np.bool_
        from onnx.backend.test.case.node import collect_testcases

        return [test for test in collect_testcases(None) if test.model is not None]


@cache
def cases() -> dict[str, list[Case]]:
    """Node tests of one node each, by operator."""
    found: dict[str, list[Case]] = defaultdict(list)
    for test in node_tests():
        model = test.model
        if len(model.graph.node) != 1 or test.name.endswith("_expanded"):
            continue
        node = model.graph.node[0]
        if node.domain in ("", "ai.onnx"):
            data = test.data_sets[0][0] if test.data_sets else []
            _raise_opset(model)
            found[node.op_type].append(Case(test.name, model, data))
    return dict(sorted(found.items()))


def _raise_opset(model: onnx.ModelProto) -> None:
    """Give a test of an older operator set the oldest one whose nodes all runtimes place."""
    node, opset = model.graph.node[0], model.opset_import[0]
    if opset.version < OLDEST_OPSET:
        since = {
            defs.get_schema(node.op_type, version, node.domain).since_version
            for version in (opset.version, OLDEST_OPSET)
        }
        opset.version = OLDEST_OPSET if len(since) == 1 else opset.version


def forms(case: Case) -> Iterator[onnx.ModelProto]:
    """The test as it is, with its first output alone, and each with all but one input constant."""
    yield case.model
    alone = _with_first_output(case.model)
    for model in (alone, _with_constants(alone or case.model, case.data)):
        if model is not None:
            yield model
    if alone is not None:
        constant = _with_constants(case.model, case.data)
        if constant is not None:
            yield constant


def _with_first_output(model: onnx.ModelProto) -> onnx.ModelProto | None:
    if len(model.graph.node[0].output) < 2 or not model.graph.node[0].output[0]:
        return None
    new = onnx.ModelProto()
    new.CopyFrom(model)
    del new.graph.node[0].output[1:]
    del new.graph.output[1:]
    return new


def _with_constants(model: onnx.ModelProto, data: Sequence[Any]) -> onnx.ModelProto | None:
    inputs = list(model.graph.input)
    if len(inputs) < 2 or len(data) != len(inputs):
        return None
    try:
        constants = [
            numpy_helper.from_array(array, value.name)
            for value, array in zip(inputs[1:], data[1:], strict=True)
        ]
    except (TypeError, ValueError, AttributeError, KeyError):  # sequences and optionals
        return None
    new = onnx.ModelProto()
    new.CopyFrom(model)
    new.graph.initializer.extend(constants)
    del new.graph.input[1:]
    return new


def varied_input(schema: Any) -> int | None:
    """The input with the most types to choose from; the first of several."""
    choices = [len(types_of(schema, each.type_str)) for each in schema.inputs]
    most = max(choices, default=0)
    return choices.index(most) if most > 1 else None


def types_of(schema: Any, variable: str) -> list[str]:
    """Types that a variable of a schema allows."""
    for constraint in schema.type_constraints:
        if constraint.type_param_str == variable:
            names = [re.fullmatch(r"tensor\((\w+)\)", t) for t in constraint.allowed_type_strs]
            spelt = [SPELT.get(name[1], name[1]) for name in names if name]
            return [name for name in spelt if name in TYPES]
    return []


def _of_type(name: str) -> onnx.ModelProto:
    """Return a model with an unused input of the type."""
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
    unused = helper.make_tensor_value_info("unused", TYPES[name], [2])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "m", [x, unused], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def with_type(model: onnx.ModelProto, schema: Any, at: int, name: str) -> list[onnx.ModelProto]:
    """The model with one type variable changed; also with the others that can follow it.

    Kernels exist for combinations of types, as for OneHot, whose three inputs have one each.
    """
    variable = schema.inputs[at].type_str
    others = {each.type_str for each in schema.inputs} - {variable}
    found = [with_types(model, schema, {variable: name})]
    for follower in (name, "int64", "int32"):
        following = {each: follower for each in others if follower in types_of(schema, each)}
        if following:
            found.append(with_types(model, schema, {variable: name, **following}))
    return [model for model in found if model is not None]


def with_types(
    model: onnx.ModelProto, schema: Any, types: Mapping[str, str]
) -> onnx.ModelProto | None:
    """The model with type variables changed wherever its schema names them."""
    node = model.graph.node[0]
    changed: dict[str, str] = {}
    for formal, actual in ((schema.inputs, node.input), (schema.outputs, node.output)):
        for place, value in enumerate(actual):
            variable = formal[min(place, len(formal) - 1)].type_str
            if value and variable in types:
                changed[value] = types[variable]
    new = onnx.ModelProto()
    new.CopyFrom(model)
    for value in [*new.graph.input, *new.graph.output]:
        if value.name in changed:
            if not value.type.HasField("tensor_type"):
                return None
            value.type.tensor_type.elem_type = TYPES[changed[value.name]]
    for tensor in new.graph.initializer:
        if tensor.name in changed:
            try:
                dtype = helper.tensor_dtype_to_np_dtype(TYPES[changed[tensor.name]])
                array = numpy_helper.to_array(tensor).astype(dtype)
                tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
            except (TypeError, ValueError, KeyError, NotImplementedError):
                return None
    return new


def opsets(case: Case, newest: int) -> Iterator[int]:
    """Operator sets to try, newest first: the test's own, as far as the runtime knows it."""
    own = min(case.model.opset_import[0].version, newest)
    yield own
    yield from (opset for opset in OLDER if opset < own)


def at_opset(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    new = onnx.ModelProto()
    new.CopyFrom(model)
    new.opset_import[0].version = opset
    new.ir_version = min(new.ir_version, IR_VERSION)
    return new


def since(op: str, opset: int) -> int | None:
    """The version of an operator that an operator set holds."""
    try:
        version: int = defs.get_schema(op, max_inclusive_version=opset).since_version
    except defs.SchemaError:
        return None
    return version


# The runtimes.


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
        return [name for name in TYPES if self.refusal(_of_type(name)) is None]

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


class OnnxRuntime:
    """Makes a session on the CPU, which looks a kernel up for every node."""

    source = "https://onnxruntime.ai/docs/reference/operators/"

    def data_types(self) -> list[str]:
        return []

    def importers(self, table: Mapping[str, Operator]) -> dict[str, bool]:
        return {}

    def __init__(self) -> None:
        from modellint.probes.backends import known_backends

        self.version = known_backends()["onnxruntime"].version
        self.opset = 26

    def refusal(self, model: onnx.ModelProto, *, build: bool = False) -> str | None:
        import onnxruntime as ort

        from modellint.runtimes.onnxruntime.log import refusal

        ort.set_default_logger_severity(4)
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        try:
            ort.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            remark = refusal(str(error))
            return remark.text or remark.kind
        return None


class Qnn:
    """Compiles for a Snapdragon 8 Gen 3 through ONNX Runtime, and looks where the node went.

    Its messages are only in the log, which native code writes to the standard error stream.
    """

    source = "https://onnxruntime.ai/docs/execution-providers/QNN-ExecutionProvider.html"

    def __init__(self) -> None:
        from importlib.metadata import version

        self.version = version("onnxruntime-qnn")
        self.opset = 24
        self._compiler: Any = None

    def data_types(self) -> list[str]:
        return []

    def importers(self, table: Mapping[str, Operator]) -> dict[str, bool]:
        return {}

    def refusal(self, model: onnx.ModelProto, *, build: bool = False) -> str | None:
        from modellint.runtimes.qnn.probe import Compiler

        if self._compiler is None:
            self._compiler = Compiler("57")
        answer = self._compiler.compile(model.SerializeToString())
        if answer.taken and not answer.left:
            return None
        reasons = [each.reason for each in answer.refusals if each.reason]
        return next(iter(reasons), answer.error) or "left to the CPU"


class WebNN:
    """Asks ONNX Runtime Web in a real browser whether its WebNN provider takes the node.

    Whole batches of models are joined to one, of which each node has its own verdict.
    """

    source = "https://onnxruntime.ai/docs/tutorials/web/ep-webnn.html"
    batch = 64

    def __init__(self) -> None:
        from modellint.runtimes.webnn.installed import installed
        from modellint.runtimes.webnn.ort_web import OrtWeb

        found = installed()
        self.version, self._package = found.version, found.package
        self.opset = 24
        self._known: dict[bytes, str | None] = {}
        self._kept = OrtWeb.start(found.package, found.program, builds=False)
        self._web = self._kept.__enter__()
        atexit.register(self._kept.__exit__, None, None, None)

    def data_types(self) -> list[str]:
        return []

    def importers(self, table: Mapping[str, Operator]) -> dict[str, bool]:
        """Return the operators of other domains that the package's own table lists."""
        text = (self._package / "docs" / "webnn-operators.md").read_text(encoding="utf-8")
        rows = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("| ")]
        stated = {(name.strip(), domain) for name, where in rows for domain in _domains(where)}
        full = {name if domain == "ai.onnx" else f"{domain}.{name}" for name, domain in stated}
        return dict.fromkeys(sorted(full - table.keys()), True)

    def refusal(self, model: onnx.ModelProto, *, build: bool = False) -> str | None:
        key = model.SerializeToString(deterministic=True)
        if key not in self._known:
            self.expect([model])
        return self._known[key]

    def expect(self, models: Sequence[onnx.ModelProto]) -> None:
        """Ask about models that `refusal` may be asked about next."""
        groups: dict[tuple[Any, ...], list[onnx.ModelProto]] = defaultdict(list)
        for model in models:
            if model.SerializeToString(deterministic=True) not in self._known:
                opsets = tuple((each.domain, each.version) for each in model.opset_import)
                groups[(model.ir_version, opsets)].append(model)
        for group in groups.values():
            for start in range(0, len(group), self.batch):
                self._ask(group[start : start + self.batch])

    def _ask(self, models: Sequence[onnx.ModelProto]) -> None:
        made = self._web.create(joined(models).SerializeToString(), optimizes=False, seconds=60.0)
        if made.placed is None and len(models) > 1:  # one of them is invalid
            middle = len(models) // 2
            self._ask(models[:middle])
            self._ask(models[middle:])
            return
        for index, model in enumerate(models):
            refused = made.error or "invalid"
            if made.placed is not None:
                prefix = f"m{index}/"
                mine = [node for node in made.placed.nodes if node.name.startswith(prefix)]
                left = [node.reason or "not supported" for node in mine if not node.taken]
                refused = left[0] if left else "" if mine else "removed before WebNN is asked"
            refused = re.sub(r"\bm\d+/(\d+)?", "", refused)
            self._known[model.SerializeToString(deterministic=True)] = refused or None


def _domains(where: str) -> list[str]:
    """Return the domains in words such as `ai.onnx(7-12, 13+), com.microsoft(1+)`."""
    return re.findall(r"([a-z.]+)\(", where)


def joined(models: Sequence[onnx.ModelProto]) -> onnx.ModelProto:
    """Return one model of several, whose nodes are called after their place."""
    from onnx.compose import add_prefix

    whole = onnx.ModelProto()
    whole.CopyFrom(models[0])
    whole.graph.Clear()
    whole.graph.name = "joined"
    for index, model in enumerate(models):
        own = add_prefix(model, f"m{index}/").graph
        for place, node in enumerate(own.node):
            node.name = f"m{index}/{place}"
        for field_name in ("node", "input", "output", "initializer", "value_info"):
            getattr(whole.graph, field_name).extend(getattr(own, field_name))
    return whole


class Rknn:
    """Builds for a RK3588 with Rockchip's toolkit, and looks where the layers of the node went."""

    source = "https://github.com/airockchip/rknn-toolkit2"

    def __init__(self) -> None:
        from importlib.metadata import version

        from modellint.runtimes.rknn import CHIPS, USUAL
        from modellint.runtimes.rknn.probe import RknnToolkit

        self.version = version("rknn-toolkit2")
        self.opset = 19
        self._builder = RknnToolkit(CHIPS[USUAL])

    def data_types(self) -> list[str]:
        return []

    def importers(self, table: Mapping[str, Operator]) -> dict[str, bool]:
        return {}

    def refusal(self, model: onnx.ModelProto, *, build: bool = False) -> str | None:
        return in_a_fork(self._refusal, model)

    def _refusal(self, model: onnx.ModelProto) -> str | None:
        answer = self._builder.build(model.SerializeToString())
        if not answer.starts:
            return next(iter(answer.errors), "no reason given")
        computing = [each.op for each in answer.left if each.op not in MOVING]
        op = model.graph.node[0].op_type
        is_left = computing or (op in MOVING and not answer.partitions)
        return f"left to the CPU: {', '.join(computing) or op}" if is_left else None


class OpenVino:
    """Converts for OpenVINO, and compiles for the CPU that this runs on.

    Types only have to be converted: what compiles depends on the CPU.
    """

    source = "https://docs.openvino.ai/2026/documentation/compatibility-and-support.html"
    by_name = False
    """A rule is for the operator of one domain."""

    def __init__(self) -> None:
        from modellint.probes.backends import known_backends

        self.version = known_backends()["openvino"].version
        self.opset = 28

    def data_types(self) -> list[str]:
        return []

    def importers(self, table: Mapping[str, Operator]) -> dict[str, bool]:
        """Return whether there is a rule for operators that no node test covers, by name."""
        from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

        known = {
            (schema.domain, schema.name)
            for schema in (*defs.get_all_schemas(), *get_all_operator_schema())
            if schema.domain in IMPORTED
        }
        asked = sorted(each for each in known if _qualified(*each) not in table)
        unknown = self._without_rule(asked)
        found = {_qualified(*each): each not in unknown for each in asked}
        return found | {f"{TFLITE}.{op}": taken for op, taken in self._translated()}

    def _translated(self) -> Iterator[tuple[str, bool]]:
        """Iterate over operators of TFLite files, with whether there is a rule for them."""
        import openvino
        from tflite_cases import cases

        asked: set[str] = set()
        with tempfile.TemporaryDirectory() as folder:
            for op, _, _, content in cases():
                if op not in asked:
                    asked.add(op)
                    model = Path(folder, f"{op}.tflite")
                    model.write_bytes(content)
                    try:
                        openvino.Core().read_model(str(model))
                    except RuntimeError as error:
                        yield op, UNTRANSLATED not in str(error)
                    else:
                        yield op, True

    def _without_rule(self, ops: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return those of some operators that there is no rule for; what fails has one."""
        told = in_a_fork(self._listed, _bare(ops))
        if told in (CRASHES, None) and len(ops) > 1:
            middle = len(ops) // 2
            return self._without_rule(ops[:middle]) | self._without_rule(ops[middle:])
        listed = set((told or "").split())
        return {op for op in ops if _qualified(*op) in listed}

    def _listed(self, model: onnx.ModelProto) -> str | None:
        """Return the operators without a rule; None if it did not come to listing them."""
        import openvino

        from modellint.runtimes.openvino.probe import not_converted

        try:
            openvino.Core().read_model(model.SerializeToString())
        except RuntimeError as error:
            told = [each for each in not_converted(str(error)) if each.op]
            unknown = [each.op for each in told if each.kind == "no-importer"]
            return " ".join(unknown) if told else None
        return ""

    def refusal(self, model: onnx.ModelProto, *, build: bool = False) -> str | None:
        from modellint.runtimes.openvino.probe import refusal

        return refusal(model.SerializeToString(), compiles=not build)


TFLITE = "tflite"
UNTRANSLATED = "No translator found"
IMPORTED = ("", "ai.onnx.ml", "com.microsoft")
"""Domains that OpenVINO has rules for."""


def _qualified(domain: str, op: str) -> str:
    return f"{domain}.{op}" if domain else op


def _bare(ops: Sequence[tuple[str, str]]) -> onnx.ModelProto:
    """Return a model of nodes that do not fit together, to ask what is known at all."""
    names = [f"x{place}" for place in range(8)]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in names]
    nodes = [helper.make_node(op, names, [f"y{n}"], domain=d) for n, (d, op) in enumerate(ops)]
    outputs = [helper.make_empty_tensor_value_info(f"y{n}") for n, _ in enumerate(ops)]
    graph = helper.make_graph(nodes, "m", inputs, outputs)
    opsets = [helper.make_opsetid(domain, 1 if domain else 20) for domain in IMPORTED]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


class Iree:
    """Asks the first pass of IREE's compiler, which all its targets share, for a lowering.

    It does not look at types. Later passes, which do, take half a second to begin.
    """

    varies_types = False
    by_opset = True

    def __init__(self) -> None:
        from importlib.metadata import version

        self.version = version("iree-base-compiler")
        self.opset = 26
        self._context: Any = None

    def data_types(self) -> list[str]:
        return []

    def importers(self, table: Mapping[str, Operator]) -> dict[str, bool]:
        return {}

    def refusal(self, model: onnx.ModelProto, *, build: bool = False) -> str | None:
        from importlib import import_module

        from modellint.runtimes.iree.probe import first_refusal

        self._context = (
            self._context or import_module("iree.compiler.ir").Context()
        )  # in each process, after the fork
        return first_refusal(model, self._context)


class Mnn:
    """Converts with MNN's converter, which does not look at types."""

    varies_types = False

    def __init__(self) -> None:
        from importlib.metadata import version

        self.version = version("mnn")
        self.opset = 26

    def data_types(self) -> list[str]:
        return []

    def importers(self, table: Mapping[str, Operator]) -> dict[str, bool]:
        """Return whether it lists operators that no node test covers; it does so by name."""
        from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

        from modellint.runtimes.mnn.probe import run

        listed = set(run("-f", "ONNX", "--OP").split())
        every = (*defs.get_all_schemas(), *get_all_operator_schema())
        known = {
            (each.domain, each.name)
            for each in every
            if each.domain in IMPORTED and each.name not in table
        }
        return {_qualified(*each): each[1] in listed for each in sorted(known)}

    def refusal(self, model: onnx.ModelProto, *, build: bool = False) -> str | None:
        return in_a_fork(self._refusal, model)

    def _refusal(self, model: onnx.ModelProto) -> str | None:
        from modellint.runtimes.mnn.probe import converted, refusals

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.onnx")
            path.write_bytes(model.SerializeToString())
            remarks = refusals(converted(path, "ONNX", path.with_suffix(".mnn")))
        return next((each.text for each in remarks), None)


CRASHES = "it crashes"
MOST_SECONDS = 60
MOVING = frozenset({"Reshape", "Transpose", "Cast"})
"""Operators of layers that Rockchip's toolkit adds before and after others."""
RUNTIMES: dict[
    str, type[TensorRTRtx | OnnxRuntime | OpenVino | Iree | Mnn | Qnn | Rknn | WebNN]
] = {
    "tensorrt-rtx": TensorRTRtx,
    "onnxruntime": OnnxRuntime,
    "openvino": OpenVino,
    "iree": Iree,
    "mnn": Mnn,
    "qnn": Qnn,
    "rknn": Rknn,
    "webnn": WebNN,
}


def in_a_fork(ask: Callable[[Any], str | None], model: Any) -> str | None:
    """Ask in a process of its own a runtime that crashes on many types, and may hang."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=lambda: sender.send(ask(model)), daemon=True
    )
    process.start()
    sender.close()
    try:
        told: str | None = receiver.recv() if receiver.poll(MOST_SECONDS) else "it hangs"
    except EOFError:
        told = CRASHES
    process.kill()
    process.join()
    return told


# Measuring.


def measure(runtime: Any, tests: Mapping[str, Sequence[Case]]) -> dict[str, Operator]:
    table = {}
    context = multiprocessing.get_context("fork")
    for op, mine in tests.items():
        if isinstance(runtime, WebNN):  # the browser is a process of its own
            last = _Last()
            _measure_into(last, runtime, op, mine)
            table[op] = last.found
            sys.stderr.write(f"{op}: {last.found.accepted} of {len(mine)}\n")
            continue
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_measure_into, args=(sender, runtime, op, mine))
        process.start()
        sender.close()
        found = Operator(note="the runtime did not finish with its tests")
        try:
            while receiver.poll(SECONDS):
                found = receiver.recv()
        except EOFError:
            pass
        process.kill()
        process.join()
        table[op] = found
        sys.stderr.write(f"{op}: {found.accepted} of {len(mine)}, {' '.join(found.taken)}\n")
    return table


class _Last:
    """The last thing that was sent."""

    found = Operator()

    def send(self, found: Operator) -> None:
        self.found = found


def _measure_into(sender: Any, runtime: Any, op: str, tests: Sequence[Case]) -> None:
    """Send what is known so far, again and again: the next test may crash."""
    sys.stdout = open("/dev/null", "w")  # noqa: PTH123, SIM115
    found = Operator(note="the runtime crashed on one of its tests")
    usable: dict[int, list[onnx.ModelProto]] = defaultdict(list)
    only_older: list[int] = []
    if isinstance(runtime, WebNN):
        runtime.expect([each for case in tests for each in _candidates(runtime, op, case)])
    for case in tests:
        taken = _first_taken(runtime, op, case)
        if isinstance(taken, str):
            found.refused[case.name] = taken
        else:
            found.accepted += 1
            version = since(op, taken.opset_import[0].version) or 0
            usable[version].append(taken)
            if version < (since(op, min(case.model.opset_import[0].version, runtime.opset)) or 0):
                only_older.append(version)
        sender.send(found)
    own = {since(op, min(case.model.opset_import[0].version, runtime.opset)) for case in tests}
    latest = max((version for version in own if version is not None), default=0)
    if only_older and latest > max(usable):
        found.refused_from = latest
    models = usable[max(usable)] if usable else [each for case in tests[:2] for each in forms(case)]
    schema = defs.get_schema(op, max_inclusive_version=tests[0].model.opset_import[0].version)
    if getattr(runtime, "by_opset", False):
        found.taken_from = oldest_taken(runtime, op, [m for each in usable.values() for m in each])
    at = varied_input(schema) if getattr(runtime, "varies_types", True) else None
    if at is not None and not _has_graphs(tests[0].model):
        found.at = at
        bases = models[:MOST_VARIED]
        if isinstance(runtime, WebNN):
            types = types_of(schema, schema.inputs[at].type_str)
            runtime.expect([m for b in bases for n in types for m in with_type(b, schema, at, n)])
        for name in types_of(schema, schema.inputs[at].type_str):
            tried = [model for base in bases for model in with_type(base, schema, at, name)]
            if tried:
                found.tried.append(name)
                if any(runtime.refusal(model, build=True) is None for model in tried):
                    found.taken.append(name)
            sender.send(found)
    is_unsure = isinstance(runtime, Iree) and not found.accepted and _has_graphs(tests[0].model)
    found.note = BODIES if is_unsure else ""
    sender.send(found)


def oldest_taken(runtime: Any, op: str, models: Sequence[onnx.ModelProto]) -> int | None:
    """Return the operator set from which on the same node is taken; None if the operator is new."""
    first = min(
        schema.since_version
        for schema in defs.get_all_schemas_with_history()
        if (schema.domain, schema.name) == ("", op)
    )
    for opset in range(first, max((m.opset_import[0].version for m in models), default=0) + 1):
        if any(runtime.refusal(at_opset(model, opset)) is None for model in models):
            return opset if opset > first else None
    return None


def _candidates(runtime: Any, op: str, case: Case) -> Iterator[onnx.ModelProto]:
    """Iterate over the models of a test that `_first_taken` may ask about."""
    tried: set[int] = set()
    for opset in opsets(case, runtime.opset):
        version = since(op, opset)
        if version is not None and version not in tried:
            tried.add(version)
            yield from (at_opset(model, opset) for model in forms(case))


def _first_taken(runtime: Any, op: str, case: Case) -> onnx.ModelProto | str:
    """The test in the first form and at the newest operator set that is taken; else the reason."""
    reason = "it is not in the operator sets that the runtime knows"
    tried: set[int] = set()
    for opset in opsets(case, runtime.opset):
        version = since(op, opset)
        if version is None or version in tried:
            continue
        for model in forms(case):
            candidate = at_opset(model, opset)
            refused = runtime.refusal(candidate)
            if refused is None:
                return candidate
            if not tried:
                reason = refused
        tried.add(version)
    return reason


def _has_graphs(model: onnx.ModelProto) -> bool:
    """A body states its types itself, and would have to be varied too."""
    return any(each.HasField("g") for each in model.graph.node[0].attribute)


# Writing.


def write_table(
    name: str,
    version: str,
    confidence: str,
    source: str,
    table: Mapping[str, Operator],
    types: Sequence[str] = (),
) -> None:
    release = ".".join(version.split(".")[:2])
    path = ROOM / name.replace("-", "_") / f"support-{release}.json"
    file_forms(path, table)
    about = {
        "about": ABOUT,
        "runtime": name,
        "version": version,
        "confidence": confidence,
        "source": source,
        "data-types": list(types),
    }
    entries = [
        f"    {json.dumps(op)}: {json.dumps(_entry(each))}" for op, each in sorted(table.items())
    ]
    head = json.dumps(about, indent=2).removesuffix("\n}")
    text = head + ',\n  "operators": {\n' + ",\n".join(entries) + "\n  }\n}\n"
    path.write_text(text, encoding="utf-8")


def file_forms(path: Path, table: Mapping[str, Operator]) -> None:
    """Node tests that are refused although others of the operator are taken, with the reason."""
    lines = []
    for op, found in sorted(table.items()):
        if found.accepted and found.refused:
            tests = sorted(found.refused.items())
            lines += ["", f"[{op}]", *(f"{_key(test)} = {_text(reason)}" for test, reason in tests)]
    if lines:
        forms_next_to(path).write_text("\n".join(lines[1:]) + "\n", encoding="utf-8")


def forms_next_to(path: Path) -> Path:
    return path.with_name(path.name.replace("support", "forms")).with_suffix(".toml")


def tables() -> list[Path]:
    return sorted(ROOM.glob("*/support-*.json"))


def _entry(found: Operator) -> dict[str, Any]:
    """Return what is worth keeping; the obvious is left out."""
    refused = [name for name in found.tried if name not in found.taken]
    entry = {
        "taken": bool(found.accepted or found.taken),
        "at": found.at,
        "types": found.taken,
        "not": refused if found.taken else [],
        "refused-from": found.refused_from,
        "taken-from": found.taken_from,
        "note": found.note,
    }
    return {key: value for key, value in entry.items() if key == "taken" or value}


def _key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else json.dumps(name)


def _text(text: str) -> str:
    return json.dumps(" ".join(text.split())[:200], ensure_ascii=True)


def published(path: Path) -> tuple[str, list[str], dict[str, Operator]]:
    """TensorRT's own operator matrix, from onnx-tensorrt's docs/operators.md."""
    text = path.read_text(encoding="utf-8")
    stated = re.search(r"TensorRT ([\d.]+) supports operators", text)
    sentence = re.search(r"supports the following ONNX data types: (.*)", text)
    assert stated, f"{path} is no operator matrix"
    assert sentence, f"{path} states no data types"
    names = re.findall(r"[A-Z0-9]+", sentence[1].replace("and ", ""))
    data_types = [DATA_TYPES.get(name) or PUBLISHED[name] for name in names]
    table = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) < 2 or cells[1] not in ("Y", "N", "Y [EXPERIMENTAL]"):
            continue
        types = [PUBLISHED[t] for t in re.findall(r"\w+", cells[2])] if len(cells) > 2 else []
        table[cells[0]] = Operator(accepted=int(cells[1] != "N"), taken=types, tried=types)
    return stated[1], data_types, table


def mobile_list(file: str) -> dict[str, Operator]:
    """The operators that one of ONNX Runtime's lists names; of some it misspells name or domain."""
    from onnxruntime.tools import mobile_helpers

    text = Path(mobile_helpers.__path__[0], file).read_text(encoding="utf-8")
    rows = re.findall(r"^\|(ai\.onnx|com\.microsoft)[:.](\w+)\|", text, re.MULTILINE)
    named = {MISSPELT.get(op, op): domain for domain, op in rows}
    standard = {schema.name for schema in defs.get_all_schemas() if not schema.domain}
    prefix = {"ai.onnx": "", "com.microsoft": "com.microsoft."}
    listed = {f"{prefix[domain]}{op}" for op, domain in named.items()}
    for op, body in INLINED.items():
        listed |= {op} if body <= listed else set()
    known = standard | listed | {"SimplifiedLayerNormalization"}
    return {op: Operator(accepted=int(op in listed)) for op in sorted(known)}


def vulkan_layers() -> tuple[str, dict[str, Operator]]:
    """Return ncnn's release, and the layers that it has, with whether shaders for them exist."""
    from importlib.metadata import version

    from modellint.formats.ncnn.layers import ncnn_layers
    from modellint.runtimes.ncnn.probe import GPU, unit_of

    names = sorted(ncnn_layers().names)
    table = {f"ncnn.{name}": Operator(accepted=int(unit_of(name) == GPU)) for name in names}
    return version("ncnn"), table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runtime", choices=[*RUNTIMES, *LISTS, "ncnn", "tensorrt"])
    parser.add_argument("--matrix", type=Path)
    given = parser.parse_args()
    if given.runtime == "tensorrt":
        version, types, table = published(given.matrix)
        write_table("tensorrt", version, "theoretical", MATRIX, table, types)
    elif given.runtime == "ncnn":
        version, table = vulkan_layers()
        write_table("ncnn", version, "measured", LAYERS, table)
    elif given.runtime in LISTS:
        from onnxruntime import __version__

        table = mobile_list(LISTS[given.runtime])
        write_table(given.runtime, __version__, "theoretical", CHECKER, table)
    else:
        runtime = RUNTIMES[given.runtime]()
        table = measure(runtime, cases())
        for op, taken in runtime.importers(table).items():
            standard = op.rpartition(".")[2] if getattr(runtime, "by_name", True) else op
            same = table.get(standard)
            table[op] = same if same and taken else Operator(accepted=int(taken))
        types = runtime.data_types()
        write_table(given.runtime, runtime.version, "measured", NODE_TESTS, table, types)


if __name__ == "__main__":
    main()
