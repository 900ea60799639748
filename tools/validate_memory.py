"""Compares memory estimates with what planners really plan, and writes docs/accuracy.md.

    python tools/validate_memory.py --held-out FOLDER --cache plans.jsonl     # the whole page
    python tools/validate_memory.py --table onnxruntime --model resnet50      # one model, printed
    python tools/validate_memory.py --table held-out --held-out my.onnx       # a model of yours
    python tools/validate_memory.py --table cuda              # measured on the GPU of this machine
    python tools/validate_memory.py --again docs/accuracy.md --held-out FOLDER    # plans nothing

Planners are TensorRT for RTX, which builds for a named GPU on a machine without one
(`tensorrt-rtx-cu13-libs`, `tensorrt-rtx-cu13-bindings`), and ONNX Runtime on the CPU, whose memory
pattern is read from its log. `--table cuda` runs the models with ONNX Runtime's CUDA provider and
reads the device's memory through NVML (`onnxruntime-gpu`, `nvidia-ml-py`).

The models are the real exports of tests/data/exports with random weights, the models of the onnx
package whose weights are computed by the graph, some of the exports quantized by ONNX Runtime, and
the held-out ones, which the command line names. Each case runs in a process of its own. The page's
prose is tools/accuracy.template.md. Hundreds of plans take hours: after a change of the estimate
alone, `--again` compares it with the plans that the page and the cache have.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from modellint.analysis.assume import settle  # noqa: E402
from modellint.analysis.memory import MemoryEstimate, memory  # noqa: E402
from modellint.formats import read_model  # noqa: E402
from modellint.model import Model  # noqa: E402
from modellint.targets.deployment import Deployment  # noqa: E402
from tests.exports import EXPORTS, exports, materialise  # noqa: E402

BATCHES = {"tensorrt-rtx": (1, 8), "onnxruntime": (1, 7, 8)}
PRECISIONS = {"tensorrt-rtx": ("fp32", "fp16"), "onnxruntime": ("fp32",)}
"""ONNX Runtime's kernels for the CPU compute in fp32: models at fp16 are cast there and back."""
SILENT = "the block fits what the first run left, so the log does not say how large it is"
CAPABILITIES = ("SM75", "SM80", "SM86", "SM89", "SM120", "SM121")
CAPABILITY = "SM86"
"""The GPU that TensorRT for RTX plans for unless another is named: an A10, an RTX 3090."""
TIMEOUT = 900
SYMBOLS = {"sequence": 128, "past": 128}
TABLES = {
    "tensorrt-rtx": "tensorrt-rtx",
    "held-out": "tensorrt-rtx",
    "int8": "tensorrt-rtx",
    "held-out-int8": "tensorrt-rtx",
    "onnxruntime": "onnxruntime",
    "cuda": "cuda",
}
"""The planner after each table of the page."""
QUANTIZED = (
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "inception_v3",
    "mnasnet1_0",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "regnet_y_400mf",
    "resnet18",
    "resnet50",
    "shufflenet_v2_x1_0",
    "squeezenet1_0",
    "unet",
    "vgg16",
    "vit_b_16",
)
HEADER = """| model | batch | precision | planner, MB | low | expected | high | error | inside |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""
TEMPLATE = Path(__file__).with_name("accuracy.template.md")
GOAL_MEDIAN, GOAL_WORST, GOAL_WORST_INTEGERS, GOAL_INSIDE = 0.10, 0.20, 0.30, 0.95
MB = 1_000_000


@dataclass(frozen=True)
class Case:
    source: str
    """The path of the model's file."""
    batch: int
    precision: str | None
    """None: as the model is stored."""
    runtime: str
    capability: str = CAPABILITY

    @property
    def model(self) -> str:
        return Path(self.source).stem

    @property
    def deployment(self) -> Deployment:
        return Deployment(
            runtime=self.runtime, precision=self.precision, batch=self.batch, symbols=SYMBOLS
        )


@dataclass(frozen=True)
class Plan:
    """A planner's answer: bytes for tensors between inputs and outputs, and for weights."""

    activations: int
    weights: int | None
    """None where the planner does not say."""
    error: str | None = None
    total: int | None = None
    """With inputs and outputs, where an earlier page says no more."""


@dataclass(frozen=True)
class Row:
    case: Case
    plan: Plan
    estimate: MemoryEstimate

    @property
    def _given(self) -> int:
        """Bytes on which both agree: inputs, outputs, and weights where the planner is silent."""
        agreed = self.estimate.inputs_outputs.expected + self.estimate.kv_cache.high
        return agreed + (self.estimate.weights.expected if self.plan.weights is None else 0)

    @property
    def planned(self) -> int:
        if self.plan.total is not None:
            return self.plan.total
        return self.plan.activations + (self.plan.weights or 0) + self._given

    @property
    def low(self) -> int:
        return self._sum("low")

    @property
    def expected(self) -> int:
        return self._sum("expected")

    @property
    def high(self) -> int:
        return self._sum("high")

    @property
    def error(self) -> float:
        return self.expected / self.planned - 1

    @property
    def error_without_weights(self) -> float:
        tensors = self.estimate.activations.expected + self.estimate.workspace.expected
        return tensors / self.plan.activations - 1

    @property
    def is_inside(self) -> bool:
        return self.low <= self.planned <= self.high

    def _sum(self, bound: str) -> int:
        estimate = self.estimate
        parts = [estimate.activations, estimate.workspace]
        if self.plan.weights is not None:
            parts.append(estimate.weights)
        return self._given + sum(int(getattr(part, bound)) for part in parts)


# The models


def kept() -> list[Path]:
    """The exports of the repository, and those of the onnx package whose weights are computed."""
    return [*(EXPORTS / f"{name}.onnx" for name in exports()), *light_models()]


@cache
def light_models() -> tuple[Path, ...]:
    """Models of the onnx package whose weights the graph computes; their batch is fixed at 1."""
    import onnx.backend.test

    folder = Path(onnx.backend.test.__file__).parent / "data" / "light"
    return tuple(sorted(folder.glob("*.onnx")))


def found_in(paths: Sequence[Path]) -> list[Path]:
    """Model files, and those in folders."""
    found = (path.glob("*.onnx") if path.is_dir() else [path] for path in paths)
    return sorted(path for group in found for path in group)


@cache
def is_quantized(path: Path) -> bool:
    return "DequantizeLinear" in read_model(path).graph.by_op


def quantize(source: Path, folder: Path) -> Path:
    """The export at 8 bits as ONNX Runtime writes it for TensorRT: Q and DQ, symmetric."""
    import onnx
    import onnxruntime as ort
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class RandomImage(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self, path: Path) -> None:
            session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            value = session.get_inputs()[0]
            shape = [size if isinstance(size, int) else 1 for size in value.shape]
            self._left = iter([{value.name: _noise(shape)}])

        def get_next(self) -> dict[str, Any] | None:
            return next(self._left, None)

    path = folder / source.name
    if path.exists():
        return path
    with tempfile.TemporaryDirectory() as scratch:
        full, fused = Path(scratch) / "full.onnx", Path(scratch) / "fused.onnx"
        onnx.save(onnx.load(materialise(source.stem, Path(scratch), random=True)), full)
        quant_pre_process(full, fused, skip_symbolic_shape=True)
        quantization.quantize_static(
            fused,
            path,
            RandomImage(fused),
            per_channel=True,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "QuantizeBias": False,
            },
        )
    return path


def cases(runtime: str, sources: Sequence[Path], capability: str = CAPABILITY) -> Iterator[Case]:
    for source in sources:
        model = read_model(source)
        batches = (1,) if _has_fixed_batch(model) else BATCHES[runtime]
        for precision in _precisions(source, model, runtime):
            yield from (
                Case(str(source), batch, precision, runtime, capability) for batch in batches
            )


def _precisions(source: Path, model: Model, runtime: str) -> tuple[str | None, ...]:
    if source in light_models():
        return ("fp32",)
    return (None,) if _is_narrow(model) else PRECISIONS[runtime]


def _is_narrow(model: Model) -> bool:
    """Return True if the model is stored below 32 bits: quantized, or in half precision."""
    graph = model.graph
    return "DequantizeLinear" in graph.by_op or any(
        value.dtype is not None and value.dtype.name in ("float16", "bfloat16")
        for value in graph.initializers
    )


def _has_fixed_batch(model: Model) -> bool:
    return all(isinstance(value.shape[0], int) for value in model.inputs if value.shape)


def prepare(case: Case, folder: Path) -> Path:
    """The model with random weights, its input shapes fixed, at the case's precision."""
    import onnx

    source = Path(case.source)
    if source.parent == EXPORTS:
        source = materialise(case.model, folder, random=True)
    view = read_model(source)
    shapes = settle(view, case.deployment).deployment.shapes
    model = onnx.load(source)
    for value in model.graph.input:
        if value.name in shapes:
            for dim, size in zip(
                value.type.tensor_type.shape.dim, shapes[value.name].maximum, strict=True
            ):
                dim.dim_value = size
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    if case.precision == "fp16":
        from onnxruntime.transformers.float16 import convert_float_to_float16

        model = convert_float_to_float16(model, keep_io_types=False, disable_shape_infer=True)
    path = folder / "case.onnx"
    onnx.save(model, path, save_as_external_data=True, location="case.data")
    return path


# Planners


def plan_with_tensorrt_rtx(path: Path, case: Case) -> Plan:
    import tensorrt_rtx_bindings as trt

    lines: list[str] = []

    class Logger(trt.ILogger):  # type: ignore[misc]
        def log(self, severity: Any, message: str) -> None:
            lines.append(f"{severity}: {message}")

    builder = trt.Builder(logger := Logger())
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(path)):
        return Plan(0, None, parser.get_error(0).desc())
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(getattr(trt.ComputeCapability, case.capability), 0)
    if builder.build_serialized_network(network, config) is None:
        return Plan(0, None, next((line for line in lines if "ERROR" in line), "no engine"))
    log = "\n".join(lines)
    return Plan(_bytes_in(log, "Total Activation Memory"), _bytes_in(log, "Total Weights Memory"))


def _bytes_in(log: str, label: str) -> int:
    found = re.search(rf"{label}\D+(\d+)", log)
    if found is None:
        raise SystemExit(f"the planner's log no longer says {label!r}")
    return int(found[1])


def plan_with_onnxruntime(path: Path, case: Case) -> Plan:
    """Runs twice: the first run records the pattern, the second allocates it in one block.

    The block stands in the log only if none of the arena's regions, which the first run left and
    which are powers of two, is large enough for it.
    """
    import onnxruntime as ort

    ort.set_default_logger_severity(1)
    options = ort.SessionOptions()
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feeds = _feeds(session)
    for _ in range(2):
        sys.stderr.write("== run\n")
        sys.stderr.flush()
        session.run(None, feeds)
    return Plan(0, None)  # the figure stands in the log, which the parent reads


def _planned_block(log: str) -> Plan:
    second = log.split("== run\n")[-1]
    asked = [int(size) for size in re.findall(r"\(requested\) num_bytes: (\d+)", second)]
    return Plan(asked[0], None) if asked else Plan(0, None, SILENT)


def measure_with_cuda(path: Path, case: Case) -> Plan:
    """Device memory in use by this process after a run, less that of an empty session."""
    import onnxruntime as ort
    import pynvml

    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)

    def used() -> int:
        return int(pynvml.nvmlDeviceGetMemoryInfo(handle).used)

    providers = [("CUDAExecutionProvider", {"arena_extend_strategy": "kSameAsRequested"})]
    ort.InferenceSession(_tiny_model(), providers=providers).run(None, {"x": _ones((1,))})
    before = used()
    session = ort.InferenceSession(str(path), providers=providers)
    if session.get_providers()[0] != "CUDAExecutionProvider":
        return Plan(0, None, "ONNX Runtime has no CUDA provider here")
    weights = used() - before
    session.run(None, _feeds(session))
    return Plan(used() - before - weights, weights)


def _tiny_model() -> bytes:
    import onnx.parser

    text = '<ir_version: 8, opset_import: ["": 17]> g (float[1] x) => (float[1] y) {y = Relu(x)}'
    return bytes(onnx.parser.parse_model(text).SerializeToString())


def _ones(shape: tuple[int, ...], dtype: str = "float32") -> Any:
    """Not zeros: a mask of zeros leaves no position to look at."""
    import numpy as np

    return np.ones(shape, dtype)


def _noise(shape: Sequence[int]) -> Any:
    import numpy as np

    return np.random.default_rng(0).standard_normal(tuple(shape), dtype=np.float32)


def _feeds(session: Any) -> dict[str, Any]:
    types = {
        "tensor(float)": "float32",
        "tensor(float16)": "float16",
        "tensor(int64)": "int64",
        "tensor(bool)": "bool",
        "tensor(int32)": "int32",
    }
    return {
        value.name: _ones(tuple(value.shape), types[value.type]) for value in session.get_inputs()
    }


PLANNERS = {
    "tensorrt-rtx": plan_with_tensorrt_rtx,
    "onnxruntime": plan_with_onnxruntime,
    "cuda": measure_with_cuda,
}
RUNTIMES = {"tensorrt-rtx": "tensorrt-rtx", "onnxruntime": "onnxruntime", "cuda": "onnxruntime"}
PACKAGES = {
    "tensorrt-rtx": "tensorrt-rtx-cu13-bindings",
    "onnxruntime": "onnxruntime",
    "cuda": "onnxruntime-gpu",
}


@cache
def planner_version(planner: str) -> str:
    try:
        return version(PACKAGES[planner])
    except PackageNotFoundError:
        return "not installed"


def missing(planner: str) -> str | None:
    """Return the reason why a planner cannot run on this machine."""
    from importlib.util import find_spec

    needs = {
        "tensorrt-rtx": ["tensorrt_rtx_bindings"],
        "onnxruntime": ["onnxruntime"],
        "cuda": ["onnxruntime", "pynvml"],
    }
    absent = [name for name in needs[planner] if find_spec(name) is None]
    if absent:
        return f"{', '.join(absent)} is not installed"
    if planner == "cuda":
        import onnxruntime as ort

        if "CUDAExecutionProvider" not in ort.get_available_providers():
            return "ONNX Runtime sees no CUDA device here"
    return None


# The run


class Cache:
    """Plans already made, one a line, so that a run which was stopped goes on where it was."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        lines = path.read_text("utf-8").splitlines() if path is not None and path.exists() else []
        self._plans = dict(json.loads(line) for line in lines)

    def get(self, key: str) -> Plan | None:
        return Plan(**self._plans[key]) if key in self._plans else None

    def add(self, key: str, plan: Plan) -> None:
        if self._path is not None and plan.error in (None, SILENT):
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, asdict(plan)]) + "\n")


class Page:
    """An earlier page, whose plans are compared again."""

    def __init__(self, text: str) -> None:
        headings = _headings(TEMPLATE.read_text(encoding="utf-8"))
        self.versions: dict[str, str] = {}
        self._plans: dict[tuple[str, str, str, str], Plan] = {}
        table = ""
        for line in text.splitlines():
            if line.startswith("## "):
                table = next((name for head, name in headings.items() if line.startswith(head)), "")
            elif (found := re.match(r"Version (\S+?)\.? ", line + " ")) and table in TABLES:
                self.versions.setdefault(TABLES[table], found[1])
            elif found := re.match(r"\| (\S+) \| (\d+) \| ([\w ]+) \| ([\d.]+) \|", line):
                weights = None if table == "onnxruntime" else 0
                total = round(float(found[4]) * MB)
                self._plans[table, found[1], found[2], found[3]] = Plan(0, weights, None, total)
            elif found := re.match(r"Not compared, because (.*?): (\w+ \(.*)\.$", line):
                for who in re.finditer(r"(\w+) \(([\w ]+), batch (\d+)\)", found[2]):
                    self._plans[table, who[1], who[3], who[2]] = Plan(0, None, found[1])

    def get(self, table: str, case: Case) -> Plan | None:
        precision = case.precision or "as stored"
        return self._plans.get((table, case.model, str(case.batch), precision))


def _headings(template: str) -> dict[str, str]:
    """The table after each heading, the heading up to what is filled in."""
    found, heading = {}, ""
    for line in template.splitlines():
        if line.startswith("## "):
            heading = line.partition("<!--")[0].rstrip()
        elif line.startswith("<!-- table: "):
            found[heading] = line.removeprefix("<!-- table: ").removesuffix(" -->")
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))


def _key(planner: str, case: Case) -> str:
    """The same case of the same file, planned by the same version."""
    content = hashlib.sha256(Path(case.source).read_bytes()).hexdigest()[:16]
    parts = (planner, planner_version(planner), case.model, content, case.batch, case.precision)
    return " ".join(map(str, [*parts, case.capability] if planner == "tensorrt-rtx" else parts))


def plan_apart(planner: str, case: Case) -> Plan:
    """The plan, made in a process of its own: a crash of the planner does not affect this one."""
    command = [sys.executable, __file__, "--worker", planner, json.dumps(asdict(case))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return Plan(0, None, f"no plan within {TIMEOUT} s")
    if done.returncode:
        return Plan(0, None, f"the planner ended with {done.returncode}: {done.stderr[-300:]}")
    plan = Plan(**json.loads(done.stdout.splitlines()[-1]))
    return _planned_block(done.stderr) if planner == "onnxruntime" else plan


def worker(planner: str, case: Case) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plan = PLANNERS[planner](prepare(case, Path(folder)), case)
    sys.stdout.write("\n" + json.dumps(asdict(plan)) + "\n")


def validate(
    table: str, sources: Sequence[Path], capability: str, plans: Cache, page: Page | None
) -> list[Row]:
    rows, planner = [], TABLES[table]
    for case in cases(RUNTIMES[planner], sources, capability):
        key = _key(planner, case)
        plan = plans.get(key) or (page.get(table, case) if page is not None else None)
        if plan is None:
            if page is not None:
                continue
            plan = plan_apart(planner, case)
            plans.add(key, plan)
        row = Row(case, plan, memory(read_model(Path(case.source)), case.deployment))
        rows.append(row)
        sys.stdout.write(f"{planner}: {_line(row)}\n")
        sys.stdout.flush()
    return rows


def compare(
    table: str, options: argparse.Namespace, plans: Cache, page: Page | None
) -> list[Row] | str:
    """The rows of a table, or why there are none."""
    if table not in (options.table or TABLES):
        return "not asked for"
    planner = TABLES[table]
    reason = None if page is not None and planner != "cuda" else missing(planner)
    if reason is not None:
        return reason
    if table.startswith("held-out") and not options.held_out:
        return "name exports with `--held-out`"
    with tempfile.TemporaryDirectory() as folder:
        if table.startswith("held-out"):
            wanted = table == "held-out-int8"
            sources = [path for path in found_in(options.held_out) if is_quantized(path) is wanted]
        elif table == "int8":
            sources = [
                quantize(EXPORTS / f"{name}.onnx", options.quantized or Path(folder))
                for name in QUANTIZED
                if name in (options.model or QUANTIZED)
            ]
        else:
            sources = kept()
        chosen = [path for path in sources if not options.model or path.stem in options.model]
        return validate(table, chosen, options.capability, plans, page)


# The page


def _line(row: Row) -> str:
    case = row.case
    head = f"| {case.model} | {case.batch} | {case.precision or 'as stored'} |"
    if row.plan.error is not None:
        return f"{head} no plan: {_shorten(row.plan.error, 120)} |"
    sizes = (row.planned, row.low, row.expected, row.high)
    figures = " | ".join(f"{size / MB:.1f}" for size in sizes)
    return f"{head} {figures} | {row.error:+.1%} | {'yes' if row.is_inside else '**no**'} |"


def _shorten(text: str, length: int) -> str:
    return " ".join(text.split())[:length]


def summary(rows: list[Row], table: str) -> str:
    good = [row for row in rows if row.plan.error is None]
    if not good:
        return "No model could be planned."
    errors = [abs(row.error) for row in good]
    larger = [abs(row.error) for row in good if row.case.batch > 1] or errors
    tensors = [abs(row.error_without_weights) for row in good if row.plan.activations]
    inside = sum(row.is_inside for row in good) / len(good)
    apart = f"{statistics.median(tensors):.1%} at the median" if tensors else "not known"
    models = len({row.case.model for row in good})
    worst = GOAL_WORST_INTEGERS if table.endswith("int8") else GOAL_WORST
    return (
        f"{len(good)} plans of {models} models: the error of the expected total is "
        f"{statistics.median(errors):.1%} at the median (goal {GOAL_MEDIAN:.0%}) and "
        f"{max(errors):.1%} at worst (goal {worst:.0%}); the planner's total lies between low "
        f"and high in {inside:.0%} of them (goal {GOAL_INSIDE:.0%}). Without weights, inputs and "
        f"outputs the error is {apart}; above batch 1 that "
        f"of the total is {statistics.median(larger):.1%}."
    )


def _unplanned(rows: list[Row]) -> list[str]:
    """Group by reason what could not be compared."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.plan.error is not None:
            case = f"{row.case.model} ({row.case.precision or 'as stored'}, batch {row.case.batch})"
            reasons.setdefault(_shorten(row.plan.error, 160), []).append(case)
    return [f"\nNot compared, because {why}: {', '.join(who)}." for why, who in reasons.items()]


def _table(rows: list[Row] | str, table: str) -> str:
    if isinstance(rows, str):
        return f"Not run: {rows}."
    planned = [row for row in rows if row.plan.error is None]
    lines = [HEADER, *map(_line, planned)] if planned else []
    return "\n".join([summary(rows, table), "", *lines, *_unplanned(rows)])


def report(tables: dict[str, list[Row] | str], capability: str, page: Page | None) -> str:
    """The template, its tables and versions filled in."""
    text = TEMPLATE.read_text(encoding="utf-8").replace("<!-- capability -->", capability)
    for planner in PACKAGES:
        version = page.versions.get(planner) if page is not None else None
        text = text.replace(f"<!-- version: {planner} -->", version or planner_version(planner))
    for table, rows in tables.items():
        text = text.replace(f"<!-- table: {table} -->", _table(rows, table))
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--table", choices=TABLES, action="append", help="only this table")
    parser.add_argument("--model", action="append", default=[], help="only this model")
    parser.add_argument(
        "--held-out",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="exports, or folders of them, that the estimate was not written by",
    )
    parser.add_argument(
        "--capability",
        choices=CAPABILITIES,
        default=CAPABILITY,
        help="the GPU that TensorRT for RTX builds for",
    )
    parser.add_argument("--cache", type=Path, help="a file for the plans, to go on from")
    parser.add_argument(
        "--again",
        type=Path,
        metavar="PAGE",
        help="plan nothing: take the plans of this page",
    )
    parser.add_argument("--quantized", type=Path, help="a folder to keep quantized exports in")
    parser.add_argument("--output", type=Path, help="docs/accuracy.md, when all tables are made")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker[0], Case(**json.loads(options.worker[1])))
        return
    plans = Cache(options.cache)
    page = Page(options.again.read_text("utf-8")) if options.again else None
    tables = {}
    for table in TABLES:
        rows = tables[table] = compare(table, options, plans, page)
        if rows != "not asked for":
            line = rows if isinstance(rows, str) else summary(rows, table)
            sys.stdout.write(f"{table}: {line}\n")
    is_whole = not options.table and not options.model and options.held_out
    output = options.output or (ROOT / "docs" / "accuracy.md" if is_whole else None)
    if output is not None:
        output.write_text(report(tables, options.capability, page), encoding="utf-8")


if __name__ == "__main__":
    main()
