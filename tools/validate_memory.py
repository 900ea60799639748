"""Compares memory estimates with what planners really plan, and writes docs/accuracy.md.

    python tools/validate_memory.py                       # every planner that works here
    python tools/validate_memory.py --planner onnxruntime --model resnet50
    python tools/validate_memory.py --device cuda         # measured on the GPU of this machine

Planners are TensorRT for RTX, which builds for a named GPU on a machine without one
(`tensorrt-rtx-cu13-libs`, `tensorrt-rtx-cu13-bindings`), and ONNX Runtime on the CPU, whose memory
pattern is read from its log. `--device cuda` runs the models with ONNX Runtime's CUDA provider and
reads the device's memory through NVML (`onnxruntime-gpu`, `nvidia-ml-py`).

The models are the real exports of tests/data/exports with random weights, and the models of the
onnx package whose weights are computed by the graph. Each case runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from modellint.analysis.assume import settle  # noqa: E402
from modellint.analysis.memory import MemoryEstimate, memory  # noqa: E402
from modellint.formats import read_model  # noqa: E402
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
GOAL_MEDIAN, GOAL_WORST, GOAL_INSIDE = 0.10, 0.25, 0.9
MB = 1_000_000


@dataclass(frozen=True)
class Case:
    model: str
    batch: int
    precision: str
    runtime: str
    capability: str = CAPABILITY

    @property
    def deployment(self) -> Deployment:
        return Deployment(
            runtime=self.runtime, precision=self.precision, batch=self.batch, symbols=SYMBOLS
        )


@dataclass(frozen=True)
class Plan:
    """What a planner says: bytes for tensors between inputs and outputs, and for weights."""

    activations: int
    weights: int | None
    """None where the planner does not say."""
    error: str | None = None


@dataclass(frozen=True)
class Row:
    case: Case
    plan: Plan
    estimate: MemoryEstimate

    @property
    def _given(self) -> int:
        """What both sides agree on: inputs and outputs, and weights where the planner is silent."""
        agreed = self.estimate.inputs_outputs.expected + self.estimate.kv_cache.high
        return agreed + (self.estimate.weights.expected if self.plan.weights is None else 0)

    @property
    def planned(self) -> int:
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
    def is_inside(self) -> bool:
        return self.low <= self.planned <= self.high

    def _sum(self, bound: str) -> int:
        estimate = self.estimate
        parts = [estimate.activations, estimate.workspace]
        if self.plan.weights is not None:
            parts.append(estimate.weights)
        return self._given + sum(int(getattr(part, bound)) for part in parts)


# The models


def light_models() -> dict[str, Path]:
    """Models of the onnx package whose weights the graph computes; their batch is fixed at 1."""
    import onnx.backend.test

    folder = Path(onnx.backend.test.__file__).parent / "data" / "light"
    return {path.stem: path for path in sorted(folder.glob("*.onnx"))}


def cases(runtime: str, names: list[str], capability: str = CAPABILITY) -> Iterator[Case]:
    for name in names or [*exports(), *light_models()]:
        batches = (1,) if _has_fixed_batch(_source(name)) else BATCHES[runtime]
        for precision in ("fp32",) if name in light_models() else PRECISIONS[runtime]:
            yield from (Case(name, batch, precision, runtime, capability) for batch in batches)


def _source(name: str) -> Path:
    return light_models().get(name) or EXPORTS / f"{name}.onnx"


def _has_fixed_batch(path: Path) -> bool:
    graph = read_model(path).graph
    inputs = graph.inputs if graph is not None else []
    return all(isinstance(value.shape[0], int) for value in inputs if value.shape)


def prepare(case: Case, folder: Path) -> Path:
    """The model with random weights, its input shapes fixed, at the case's precision."""
    import onnx

    source = light_models().get(case.model) or materialise(case.model, folder, random=True)
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


def _feeds(session: Any) -> dict[str, Any]:
    types = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(int64)": "int64",
             "tensor(bool)": "bool", "tensor(int32)": "int32"}  # fmt: skip
    return {
        value.name: _ones(tuple(value.shape), types[value.type]) for value in session.get_inputs()
    }


PLANNERS = {
    "tensorrt-rtx": plan_with_tensorrt_rtx,
    "onnxruntime": plan_with_onnxruntime,
    "cuda": measure_with_cuda,
}
RUNTIMES = {"tensorrt-rtx": "tensorrt-rtx", "onnxruntime": "onnxruntime", "cuda": "onnxruntime"}


def missing(planner: str) -> str | None:
    """Why a planner cannot run on this machine."""
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


def plan_apart(planner: str, case: Case) -> Plan:
    """The plan, made in a process of its own: a planner that crashes takes nobody along."""
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


def validate(planner: str, names: list[str], capability: str = CAPABILITY) -> list[Row]:
    rows = []
    for case in cases(RUNTIMES[planner], names, capability):
        plan = plan_apart(planner, case)
        row = Row(case, plan, memory(read_model(_source(case.model)), case.deployment))
        rows.append(row)
        sys.stdout.write(f"{planner}: {_line(row)}\n")
        sys.stdout.flush()
    return rows


def _line(row: Row) -> str:
    case = row.case
    head = f"| {case.model} | {case.batch} | {case.precision} |"
    if row.plan.error is not None:
        return f"{head} no plan: {' '.join(row.plan.error.split())[:120]} |"
    sizes = (row.planned, row.low, row.expected, row.high)
    figures = " | ".join(f"{size / MB:.1f}" for size in sizes)
    return f"{head} {figures} | {row.error:+.1%} | {'yes' if row.is_inside else '**no**'} |"


def summary(rows: list[Row]) -> str:
    good = [row for row in rows if row.plan.error is None]
    if not good:
        return "No model could be planned."
    errors = [abs(row.error) for row in good]
    inside = sum(row.is_inside for row in good) / len(good)
    models = len({row.case.model for row in good})
    return (
        f"{len(good)} plans of {models} models: the error of the expected total is "
        f"{statistics.median(errors):.1%} at the median (goal {GOAL_MEDIAN:.0%}) and "
        f"{max(errors):.1%} at worst (goal {GOAL_WORST:.0%}); the planner's total lies between low "
        f"and high in {inside:.0%} of them (goal {GOAL_INSIDE:.0%})."
    )


INTRODUCTION = """# How accurate the memory estimates are

Written by `tools/validate_memory.py`: real exports with random weights, and models of the onnx
package whose weights are computed by the graph (`light_…`), planned by real runtimes. Totals are in
MB (10^6 bytes) and leave out the runtime's own context."""
HEADER = """| model | batch | precision | planner, MB | low | expected | high | error | inside |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""
TITLES = {
    "tensorrt-rtx": "TensorRT for RTX",
    "onnxruntime": "ONNX Runtime on the CPU",
    "cuda": "ONNX Runtime on this machine's GPU",
}
NOTES = {
    "tensorrt-rtx": """\
The planner's total is its `Total Activation Memory`, scratch memory included, and `Total Weights
Memory`, plus the buffers of inputs and outputs, which are the caller's.

What the figures taught, and the estimate knows:

- Pointwise ops run in the kernel before them, and attention at 16 bits keeps its scores on the
  chip; at 32 bits scores exist twice, before and after the softmax.
- Tensors are placed first fit in the order of execution and never moved, so holes remain.
- A convolution or product asks for 8,192,000 bytes of scratch memory, and up to four branches with
  convolutions run at once, each with its own: most of what a small model takes. Products of
  constants alone are not folded, but run beside the others (DETR; folding them first takes 17 MB
  off its plan).
- What a Concat joins is written in its place at once. Images are copied into another layout, and
  the result of a batched product is copied to the caller.
- Constants made by ConstantOfShape (`light_…`) are made in every run and given back after their
  last use; equal ones are made once.

Where it is furthest off: at batch 8 GELU runs apart from the product before it (Swin, ConvNeXt),
GoogLeNet's branches take more, and SegFormer's joined features are only partly written in
place.

The plans hold for other GPUs, too: ResNet-50, BERT and MobileNetV2 take the same on SM89 and SM120.
On SM75 the library takes networks at 16 bits only, and unfolds depthwise convolutions: MobileNetV2
at batch 8 takes 471 MB there instead of 47. Explicitly quantized (Q and DQ around every Conv and
Gemm), VGG-16, ResNet-50 and SqueezeNet are within 5 %; depthwise convolutions at 8 bits are
unfolded again.""",
    "onnxruntime": """\
The planner's total is the block that the memory pattern asks for on the second run, plus inputs,
outputs and weights as estimated: the arena rounds those up to powers of two.

What the figures taught, and the estimate knows: memory is kept for the next tensor of the same
shape rather than given back, except between convolutions, whose layout hides the shapes; the sum of
a residual is written over the skipped tensor. Furthest off are models with many Resize, Slice and
Transpose (SegFormer, ShuffleNet).""",
    "cuda": "Device memory by NVML before and after loading and running the model.",
}


def _unplanned(rows: list[Row]) -> list[str]:
    """What could not be compared, by the reason."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.plan.error is not None:
            case = f"{row.case.model} ({row.case.precision}, batch {row.case.batch})"
            reasons.setdefault(" ".join(row.plan.error.split())[:160], []).append(case)
    return [f"\nNot compared, because {why}: {', '.join(who)}." for why, who in reasons.items()]


def report(sections: dict[str, list[Row] | str]) -> str:
    """docs/accuracy.md."""
    text = [INTRODUCTION]
    for planner, rows in sections.items():
        built = {row.case.capability for row in rows if isinstance(row, Row)}
        kind = f", built for {', '.join(built)}" if planner == "tensorrt-rtx" and built else ""
        text += ["", f"## {TITLES[planner]}{kind}", ""]
        if isinstance(rows, str):
            text.append(f"Not run: {rows}.")
            continue
        planned = [row for row in rows if row.plan.error is None]
        text += [NOTES[planner], "", summary(rows), "", HEADER, *map(_line, planned)]
        text += _unplanned(rows)
    return "\n".join(text) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--planner", choices=["tensorrt-rtx", "onnxruntime"], action="append")
    parser.add_argument("--device", choices=["cuda"], help="measure on a GPU as well")
    parser.add_argument(
        "--capability", choices=CAPABILITIES, default=CAPABILITY,
        help="the GPU that TensorRT for RTX builds for",
    )  # fmt: skip
    parser.add_argument("--model", action="append", default=[], help="only this export")
    parser.add_argument("--output", type=Path, help="docs/accuracy.md, when all models are run")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker[0], Case(**json.loads(options.worker[1])))
        return
    planners = options.planner or ["tensorrt-rtx", "onnxruntime"]
    sections: dict[str, list[Row] | str] = {}
    for planner in [*planners, "cuda"] if options.device or not options.planner else planners:
        reason = missing(planner)
        if reason is None and planner == "cuda" and not options.device:
            reason = "ask for it with `--device cuda`"
        sections[planner] = reason or validate(planner, options.model, options.capability)
        result = sections[planner]
        line = result if isinstance(result, str) else summary(result)
        sys.stdout.write(f"{planner}: {line}\n")
    everything = None if options.model else ROOT / "docs" / "accuracy.md"
    output = options.output or everything
    if output is not None:
        output.write_text(report(sections), encoding="utf-8")


if __name__ == "__main__":
    main()
