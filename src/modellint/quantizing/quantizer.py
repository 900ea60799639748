"""Quantizes a model by a recipe, and keeps in float what costs too much accuracy."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Container, Sequence
from dataclasses import asdict, replace
from itertools import starmap
from pathlib import Path
from typing import Any

from modellint.analysis.quantization import QuantizationMap, WeightedOp
from modellint.base.drafts import own_draft
from modellint.base.errors import ModellintError, UsageError
from modellint.base.paths import real_path
from modellint.base.records import dataclass
from modellint.base.temporary import temporary_folder
from modellint.execution import Arrays, Deviation, Point, Tally, TracedModel, arrays, run, trace
from modellint.execution.limits import Limit
from modellint.formats import read_model
from modellint.model import Model, Node
from modellint.operators import Trait, having
from modellint.probes import CHILD, memory_to_spare
from modellint.probes.runner import Limits, run_child
from modellint.quantizing.recipes import Recipe
from modellint.results.quantized import LayerNoise, OutputLoss, Quantized
from modellint.targets.deployment import Deployment

SECONDS = 1800.0
TRIALS = 12
"""Most times that a model is quantized to find which layers to keep in float."""
EVALUATED = 16
"""Inputs that outputs are compared on; layers are compared on `TRACED`."""
TRACED = 4
SAME = 1e-3
"""Difference, as a share of an output's range, above which pre-processing broke the model."""

Tell = Callable[[str], None]


class QuantizationError(ModellintError):
    """The quantizer, or a runtime, cannot do it."""


@dataclass(frozen=True, slots=True)
class Order:
    """A model to quantize, and how."""

    model: Model
    recipe: Recipe
    feeds: Sequence[Arrays]
    """For calibration and evaluation."""
    data: str
    """Description of these inputs, which the result records."""
    is_random: bool = False
    limit: Limit | None = None
    kept: tuple[str, ...] = ()
    """Nodes that stay in float in any case."""
    calibration: str = "MinMax"
    reduce_range: bool = False


def quantize(order: Order, out: Path, tell: Tell = lambda _: None) -> Quantized:
    """Quantize a model and write the result; raise QuantizationError if that is impossible."""
    if order.model.format not in ("onnx", "onnx-text"):
        raise UsageError(f"{order.model.path}: ONNX Runtime's quantizer only reads ONNX models")
    with temporary_folder() as folder:
        return _Work(order, folder, out.name, tell).result(out)


class _Work:
    """The model in its stages, in a folder of their own."""

    def __init__(self, order: Order, folder: Path, name: str, tell: Tell) -> None:
        self.order = order
        self.folder = folder
        self.tell = tell
        self.prepared_file = folder / "prepared.onnx"
        self.file = folder / "out" / name
        self.file.parent.mkdir()
        self.trials = 0
        self.version = ""
        self.notes: list[str] = []
        self.feeds = list(order.feeds)[:EVALUATED]
        self.expected = self._run(order.model, "the model")
        self._listings = self._write_feeds()

    def _write_feeds(self) -> list[arrays.Listing]:
        listings = []
        for number, feed in enumerate(self.order.feeds if self.order.recipe.calibrates else ()):
            place = self.folder / str(number)
            place.mkdir()
            listings.append(arrays.write(feed.items(), place))
        return listings

    def result(self, out: Path) -> Quantized:
        self.tell("preparing")
        self._prepare()
        self.tell("quantizing")
        excluded = list(self.order.kept)
        deviations = self._quantize(excluded)
        noises = self._noises()
        limit = self.order.limit
        if limit is not None and not limit.holds(deviations.values()):
            ranked = [each.name for each in noises if each.name not in excluded]
            fewest = self._fewest(ranked)
            excluded = [*self.order.kept, *ranked[:fewest]]
            deviations = self._quantize(excluded)
        layers = _layers(read_model(self.file))
        quantized = sum(map(_is_quantized, layers))
        if not quantized:
            raise QuantizationError(
                nothing_quantized(self.order.recipe, [op.node for op in layers])
                if not excluded
                else "every layer would have to stay in float"
            )
        old, new = _bytes(self.order.model.path), _bytes(self.file)
        _move(self.file, out)
        recipe = self.order.recipe
        return Quantized(
            recipe.name,
            recipe.summary,
            str(out),
            f"ONNX Runtime {self.version}",
            old,
            new,
            len(layers),
            quantized,
            tuple(starmap(_loss, deviations.items())),
            tuple(replace(each, kept=each.name in excluded) for each in noises),
            tuple(excluded),
            str(limit) if limit is not None else "",
            limit.holds(deviations.values()) if limit is not None else None,
            self.trials,
            self.order.data,
            self.order.is_random,
            len(self.order.feeds) if recipe.calibrates else 0,
            len(self.feeds),
            tuple(self.notes),
        )

    # Steps

    def _child(self, step: str, excluded: Sequence[str] = ()) -> dict[str, Any]:
        order = self.order
        request = {
            "code": "modellint.quantizing.child",
            "step": step,
            "path": str(real_path(order.model.path)),
            "format": order.model.format,
            "prepared": str(self.prepared_file),
            "out": str(self.file),
            "recipe": asdict(order.recipe),
            "excluded": list(excluded),
            "feeds": self._listings,
            "folder": str(self.folder),
            "calibration": order.calibration,
            "reduce_range": order.reduce_range,
            "record": self._record(),
        }
        ended = run_child(CHILD, request, Limits(SECONDS, memory_to_spare()))
        said = ended.answer or {}
        error = said.get("error") or ended.detail
        if error:
            raise QuantizationError(f"ONNX Runtime's quantizer failed: {error}")
        self.version = said.get("version", "")
        return said

    def _record(self) -> dict[str, str]:
        record = {"quantization.recipe": self.order.recipe.name}
        if self.order.recipe.calibrates:
            record["calibration.method"] = self.order.calibration
            record["calibration.dataset"] = self.order.data
        return record

    def _prepare(self) -> None:
        if self._child("prepare").get("raised_opset"):
            self.notes.append("The opset was raised to 17 for the quantizer.")
        self.prepared = read_model(self.prepared_file)
        self.layers = {op.node.label: op.node for op in _layers(self.prepared)}
        unknown = [name for name in self.order.kept if name not in self.layers]
        if unknown:
            raise UsageError(f"the prepared model has no layer {unknown[0]!r}")
        changed = self._deviations(self._run(self.prepared, "the pre-processed model"))
        if any(each.to_range > SAME or not each.same_nonfinite for each in changed.values()):
            raise QuantizationError("pre-processing changed the outputs of the model")

    def _quantize(self, excluded: Sequence[str]) -> dict[str, Deviation]:
        self.trials += 1
        for stale in self.file.parent.glob(f"{self.file.name}*"):
            stale.unlink()
        self._child("quantize", excluded)
        return self._deviations(self._run(read_model(self.file), "the quantized model"))

    def _run(self, model: Model, what: str) -> list[Arrays]:
        done = run(model.path, model.format, self.feeds)
        if done.error:
            raise QuantizationError(f"{what} does not run: {done.error}")
        return [each.outputs for each in done.runs]

    def _deviations(self, outputs: Sequence[Arrays]) -> dict[str, Deviation]:
        found = {}
        for name in self.expected[0]:
            tally = Tally()
            for old, new in zip(self.expected, outputs, strict=True):
                if name in new:
                    tally.add(old[name], new[name])
            found[name] = tally.result()
        return found

    # Layers

    def _noises(self) -> list[LayerNoise]:
        """Return the quantized layers, those that add most noise to their inputs' noise first."""
        quantized = read_model(self.file)
        floats = {op.node.label for op in _layers(quantized) if not _is_quantized(op)}
        layers = {name: node for name, node in self.layers.items() if name not in floats}
        feeds = self.feeds[:TRACED]
        there = quantized.graph.values.keys()
        names = {
            name
            for node in layers.values()
            for name in (*_read(node), _result(node, there))
            if name in there
        }
        shares = {
            seen.point.old: 10 ** (-seen.deviation.sqnr / 10)
            for seen in trace(
                TracedModel(self.prepared, feeds),
                TracedModel(quantized, feeds),
                [Point(name, _clipped(self.prepared, quantized, name)) for name in sorted(names)],
            )
            if seen.deviation is not None and seen.deviation.sqnr > -math.inf
        }
        found = []
        for name, node in layers.items():
            after = shares.get(_result(node, there))
            if after is not None:
                before = sum(shares.get(read, 0.0) for read in _read(node))
                sqnr = -10 * math.log10(after) if after else math.inf
                found.append(LayerNoise(name, node.op_type, sqnr, max(0.0, after - before)))
        return sorted(found, key=lambda each: -each.added)

    def _fewest(self, ranked: Sequence[str]) -> int:
        """Return the smallest number of layers that have to stay in float, the worst first."""
        low, high = 0, 1
        while high < len(ranked) and not self._suffices(ranked[:high]):
            low, high = high, 2 * high
        high = min(high, len(ranked))
        while high - low > 1 and self.trials < TRIALS:
            middle = (low + high) // 2
            if self._suffices(ranked[:middle]):
                high = middle
            else:
                low = middle
        return high

    def _suffices(self, names: Sequence[str]) -> bool:
        self.tell(f"quantizing with {len(names)} layers in float")
        limit = self.order.limit
        deviations = self._quantize([*self.order.kept, *names])
        return limit is None or limit.holds(deviations.values())


def _loss(name: str, deviation: Deviation) -> OutputLoss:
    return OutputLoss(
        name,
        deviation.sqnr,
        deviation.cosine,
        deviation.top1,
        deviation.max_abs,
        deviation.same_nonfinite,
    )


def _read(node: Node) -> list[str]:
    """Return the activations that a layer reads."""
    return [v.name for v in node.inputs if v is not None and v.producer and not v.is_constant]


def _result(node: Node, there: Container[str]) -> str:
    """Return the layer's result, or that of an activation that the quantizer fused with it."""
    value = node.output()
    while value is not None and value.name not in there and value.sole_consumer is not None:
        value = value.sole_consumer.output()
    return value.name if value is not None else ""


def _clipped(old: Model, new: Model, name: str) -> str:
    """Return the value of the quantized model to compare with one of the float model.

    What an activation gave has its range only after the quantizer that it is fused with.
    """
    makers = [model.graph.values[name].producer for model in (old, new)]
    if makers[0] is None or makers[1] is None or makers[0].op_type == makers[1].op_type:
        return name
    value = new.graph.values[name]
    for ops in (having(Trait.QUANTIZE), having(Trait.DEQUANTIZE)):
        reader = next((use.node for use in value.consumers if use.node.op_type in ops), None)
        made = reader.output() if reader is not None else None
        if made is None:
            return name
        value = made
    return value.name


def nothing_quantized(recipe: Recipe, layers: Sequence[Node]) -> str:
    """Return that a recipe quantizes no layer, and which operators it would."""
    said = f"{recipe.name} quantizes no layer of this model"
    there = ", ".join(sorted({node.op_type for node in layers}))
    if not there:
        return f"{said}: it has none"
    if not recipe.operators:
        return said
    return f"{said}: it takes {', '.join(recipe.operators)}, and the layers here are {there}"


def _layers(model: Model) -> list[WeightedOp]:
    ops = QuantizationMap(model, Deployment()).ops
    return [op for op in ops if op.node.graph is model.graph]


def _is_quantized(op: WeightedOp) -> bool:
    return op.is_quantized or op.is_weight_only


def _bytes(path: Path) -> int:
    model = read_model(path)
    return model.file_size + sum(f.stat().st_size for f in model.external_files if f.is_file())


def _move(file: Path, out: Path) -> None:
    """Move a model into place, its weights first: readers see the old model or a whole one."""
    for each in sorted(file.parent.iterdir(), key=lambda each: each == file):
        draft = out.with_name(f"{own_draft()}{each.name}")
        try:
            shutil.copyfile(each, draft)
            draft.replace(out.with_name(each.name))
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
