"""Asks the converters that compile a whole model or refuse it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, defs, helper

from supports.apart import CRASHES, in_a_fork
from supports.cases import IR_VERSION
from supports.tables import Operator


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


MOVING = frozenset({"Reshape", "Transpose", "Cast"})
"""Operators of layers that Rockchip's toolkit adds before and after others."""
