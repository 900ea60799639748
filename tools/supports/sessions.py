"""Asks ONNX Runtime, and the providers in it that take whole operators or leave them."""

from __future__ import annotations

import atexit
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import onnx

from supports.cases import joined
from supports.tables import Operator


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
