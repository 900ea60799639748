"""A measured run of a model: all that profiles are read to, and that reports know of one.

The JSON form is a contract, described in docs/profiles.md: fields may be added but not changed.
tools/generate_run_schema.py generates docs/schemas/run.schema.json from these types.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, field, fields, is_dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

from modellint.base.rebuild import checked_from_plain
from modellint.base.records import dataclass
from modellint.base.text import bounded

KIND = "modellint-run"
NARROW = 0.05
"""Width of the interval of a median, as a share of it, up to which it is narrow."""
MOST = 1e18
"""Limit on all numbers of a run, which are seconds, bytes and counts."""


@dataclass(frozen=True, slots=True)
class RunModel:
    """The model that ran."""

    name: Annotated[str, "File name, without folders."]
    format: Annotated[str | None, "Format by modellint's name: onnx, tflite, …"] = None
    sha256: Annotated[str | None, "Digest of the file, without external data."] = None
    nbytes: Annotated[int | None, "Size of the file, without external data."] = None


@dataclass(frozen=True, slots=True)
class RunDevice:
    """The device that it ran on."""

    name: str | None = None
    kind: Annotated[str | None, "cpu, gpu or npu."] = None
    target: Annotated[str | None, "Id of its target file."] = None
    units: Annotated[int | None, "Cores or multiprocessors."] = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class RunRuntime:
    """The runtime that ran it."""

    name: Annotated[str, "Id by modellint's name: onnxruntime, tensorrt, …"]
    version: str | None = None
    provider: Annotated[str | None, "Execution provider, delegate or plugin."] = None


@dataclass(frozen=True, slots=True)
class RunConditions:
    """The inputs and settings of the run."""

    batch: int | None = None
    shapes: Annotated[dict[str, tuple[int, ...]], "Shape of each input."] = field(
        default_factory=dict
    )
    precision: Annotated[str | None, "Precision of most of the work: fp32, fp16, …"] = None
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class RunTimes:
    """Time of one inference in seconds."""

    count: Annotated[int, "Number of inferences that were timed."]
    median: float
    mean: float | None = None
    minimum: float | None = None
    p10: Annotated[float | None, "Time that a tenth of the inferences stays below."] = None
    p90: float | None = None
    p99: float | None = None
    low: Annotated[float | None, "Lower end of the interval of the median."] = None
    high: Annotated[float | None, "Upper end of the interval of the median."] = None
    confidence: Annotated[float | None, "Probability that the median is in the interval."] = None
    narrow: Annotated[bool | None, "True if the interval is at most 5% of the median wide."] = None
    rounds: Annotated[tuple[float, ...], "Median of each round, in processes of their own."] = ()
    first: Annotated[float | None, "Time of the first inference, without any warm-up."] = None
    load: Annotated[float | None, "Time from the file to a model that is ready to run."] = None
    processor: Annotated[float | None, "Median of the processor time, all threads together."] = None
    host: Annotated[float | None, "Part of the median for copies to and from the device."] = None


@dataclass(frozen=True, slots=True)
class RunSpeed:
    """Speed of a language model over a number of tokens, in one sequence."""

    tokens: int
    per_second: Annotated[float, "Median of the rounds."]
    low: Annotated[float | None, "Lower end of the interval of the median."] = None
    high: Annotated[float | None, "Upper end of the interval of the median."] = None
    slowest: Annotated[float | None, "Speed that nine of ten requests exceed."] = None


@dataclass(frozen=True, slots=True)
class RunGeneration:
    """Speeds of a language model. An inference is a request: a prompt, and tokens after it."""

    prompt: RunSpeed
    generated: RunSpeed


@dataclass(frozen=True, slots=True)
class RunLayer:
    """A layer, kernel or operator as the runtime ran it."""

    name: str
    op: Annotated[str | None, "Operator or kind of layer, by the runtime's name."]
    seconds: Annotated[float, "Median time per inference; the mean where only that is known."]
    fastest: Annotated[float | None, "Least time in an inference, which noise hardly adds to."] = (
        None
    )
    calls: Annotated[float | None, "Times that it ran in an inference."] = None
    kind: Literal["compute", "reformat", "copy", "overhead"] = "compute"
    precision: Annotated[str | None, "Type that it computes in: fp32, fp16, int8, …"] = None
    kernel: Annotated[str | None, "Kernel, tactic or implementation."] = None
    unit: Annotated[str | None, "Provider or unit that ran it."] = None
    nodes: Annotated[tuple[str, ...], "Nodes of the model that it is made of."] = ()
    inputs: Annotated[tuple[tuple[int, ...], ...], "Shapes of inputs."] = ()
    outputs: Annotated[tuple[tuple[int, ...], ...], "Shapes of outputs."] = ()
    produces: Annotated[tuple[str, ...], "Names of the values that it computes."] = ()
    operators: Annotated[tuple[str, ...], "Operators of the nodes."] = ()
    flops: Annotated[int | None, "Operations of the nodes in an inference."] = None
    nbytes: Annotated[int | None, "Bytes that the layer must read and write."] = None
    grid: Annotated[tuple[int, ...], "Blocks of the kernel, in up to three dimensions."] = ()


@dataclass(frozen=True, slots=True)
class RunMemory:
    """Memory of the process in bytes."""

    peak: int | None = None
    before: Annotated[int | None, "Peak before the model was loaded: the runtime itself."] = None


@dataclass(frozen=True, slots=True)
class RunEnergy:
    """Energy while inferences ran, of everything that the counter covers."""

    joules: Annotated[float, "Energy per inference."]
    source: Annotated[str, "Counter: rapl or nvml."]


@dataclass(frozen=True, slots=True)
class RunEnvironment:
    """The system around the run."""

    system: str | None = None
    python: str | None = None
    load: Annotated[float | None, "Load average before, per core."] = None
    waiting: Annotated[float | None, "Share of the time in which it waited for a processor."] = None
    stolen: Annotated[float | None, "Share of the time that the hypervisor took."] = None


@dataclass(frozen=True, slots=False)
class MeasuredRun:
    """A measured run of a model. Whatever was not measured is null."""

    model: RunModel
    runtime: RunRuntime
    source: Annotated[str, "Origin of the figures: bench, or the format of a profile."]
    kind: Literal["modellint-run"] = "modellint-run"
    version: Annotated[Literal[1], "Version of this schema."] = 1
    device: RunDevice = RunDevice()
    conditions: RunConditions = RunConditions()
    times: RunTimes | None = None
    generation: RunGeneration | None = None
    layers: tuple[RunLayer, ...] = ()
    memory: RunMemory | None = None
    energy: RunEnergy | None = None
    environment: RunEnvironment = RunEnvironment()
    created: Annotated[str | None, "Time of the measurement: 2026-11-29T21:43:00Z."] = None
    id: Annotated[str | None, "Name in a registry."] = None
    notes: Annotated[tuple[str, ...], "Doubts about the figures, in sentences."] = ()

    @cached_property
    def layer_seconds(self) -> float:
        """Return the time of all layers together."""
        return math.fsum(layer.seconds for layer in self.layers)

    @property
    def seconds(self) -> float | None:
        """Return the time of an inference: the median, else that of all layers."""
        if self.times is not None:
            return self.times.median
        return self.layer_seconds if self.layers else None

    @property
    def label(self) -> str:
        """Return the model and what distinguishes runs of it."""
        parts = [self.runtime.name, self.conditions.precision, self.device.target]
        if self.conditions.batch is not None:
            parts.append(f"batch {self.conditions.batch}")
        return f"{self.model.name} ({', '.join(filter(None, parts))})"

    def to_json(self) -> dict[str, Any]:
        """Return the run as JSON data."""
        return {"kind": KIND, "version": self.version, **asdict(self)}


def run_from_json(table: object) -> MeasuredRun:
    """Return the run that JSON data holds; raise ValueError if anything in it is not as it should.

    Fields that have a default may be missing.
    """
    if not isinstance(table, Mapping) or table.get("kind") != KIND:
        raise ValueError(f'it lacks "kind": "{KIND}"')
    run = checked_from_plain(MeasuredRun, _with_shapes(table))
    require_possible(run)
    return run


def require_possible(run: MeasuredRun) -> None:
    """Raise ValueError unless all numbers are finite and none is below zero."""
    for name, number in _numbers(run, ""):
        if not 0 <= number < MOST:
            raise ValueError(f"{name.lstrip('.')} is out of range")


def parse_json(text: str) -> object:
    """Parse strict JSON: no NaN, no infinities; raise ValueError for all else."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("brackets within brackets") from None


def shown(name: object) -> str:
    """Return a name from a profile, up to a length."""
    return bounded(str(name)) if name is not None else ""


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number")


def _with_shapes(content: Mapping[str, Any]) -> dict[str, Any]:
    """Turn lists of lists into tuples of tuples, which nothing else here is read to."""
    made = dict(content)
    conditions = made.get("conditions")
    if isinstance(conditions, Mapping) and isinstance(conditions.get("shapes"), Mapping):
        shapes = {name: _tuple(shape) for name, shape in conditions["shapes"].items()}
        made["conditions"] = {**conditions, "shapes": shapes}
    if isinstance(made.get("layers"), list | tuple):
        made["layers"] = [
            {
                **layer,
                **{key: _tuple(map(_tuple, layer[key])) for key in _SHAPES if _is_list(layer, key)},
            }
            if isinstance(layer, Mapping)
            else layer
            for layer in made["layers"]
        ]
    return made


_SHAPES = ("inputs", "outputs")


def _is_list(layer: Mapping[str, Any], key: str) -> bool:
    return isinstance(layer.get(key), list | tuple)


def _tuple(items: Any) -> Any:
    return tuple(items) if isinstance(items, list | tuple | map) else items


def _numbers(value: object, name: str) -> Iterator[tuple[str, float]]:
    """Iterate over the numbers in a run, with their places."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield name, value
    elif is_dataclass(value):
        for item in fields(value):
            yield from _numbers(getattr(value, item.name), f"{name}.{item.name}")
    elif isinstance(value, tuple):
        for place, each in enumerate(value):
            yield from _numbers(each, f"{name}[{place}]")
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _numbers(each, f"{name}.{key}")


__all__ = [
    "KIND",
    "NARROW",
    "MeasuredRun",
    "RunConditions",
    "RunDevice",
    "RunEnergy",
    "RunEnvironment",
    "RunLayer",
    "RunMemory",
    "RunModel",
    "RunRuntime",
    "RunTimes",
    "parse_json",
    "require_possible",
    "run_from_json",
    "shown",
]
