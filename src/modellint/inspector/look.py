"""Inspection of a file, which always returns an `Inspection`."""

from __future__ import annotations

import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from modellint.analysis.assume import Settled, settle
from modellint.analysis.blocks import Blocks
from modellint.analysis.cost import ModelCost
from modellint.analysis.cost.traffic import nbytes, total_of
from modellint.analysis.kv_cache import kv_cache, states
from modellint.analysis.quantization import quantization_summary
from modellint.analysis.shapes import DeployedTypes
from modellint.base.errors import UsageError
from modellint.base.files import regular_size
from modellint.base.garbage import no_garbage_collection
from modellint.base.records import dataclass
from modellint.base.standins import settled
from modellint.capability import Capability
from modellint.formats.onnx.facts import onnx_facts
from modellint.formats.trt import ENGINE
from modellint.inspector.annotating import annotate
from modellint.inspector.drawing import draw
from modellint.inspector.efficiency import efficiency
from modellint.inspector.engine import engine_of
from modellint.inspector.formula import macs_formula
from modellint.inspector.layers import largest_layers
from modellint.inspector.needs import Needs
from modellint.inspector.sweep import Sweep, candidates
from modellint.inspector.timed import timed_on
from modellint.model import Model, Problem, Value
from modellint.results.drawing import Drawing
from modellint.results.inspection import (
    Assumed,
    AssumedPart,
    Attention,
    Block,
    Cache,
    Identity,
    Inspection,
    Port,
    States,
    Trouble,
)
from modellint.rules.rule import Rule
from modellint.session import OpenModel, Session
from modellint.targets.deployment import Deployment
from modellint.targets.profiles import InputProfile, bound_to, input_profiles

if TYPE_CHECKING:
    from modellint.results.measured import MeasuredRun


@dataclass(frozen=True, slots=True)
class Asked:
    """Options of an inspection."""

    deployments: tuple[Deployment, ...]
    rules: Mapping[str, Rule]
    """Rules whose messages describe problems of a file."""
    quantization: bool = False
    placement: bool = False
    profile: bool = False
    every_layer: bool = False
    weights: bool = False
    """Figures of stored weights, which are read in samples."""
    targets: Callable[[], Iterable[Any]] = tuple
    """Candidates for the smallest device that fits."""
    layers: Model | None = None
    """Those of an engine built from the model, where they are given."""
    run: MeasuredRun | None = None
    """A measured run of the model."""
    draft: Path | None = None
    """A smaller language model that drafts tokens."""
    sweep: Sweep = Sweep()
    """Other batches and precisions, and requirements that they are checked against."""
    memory: Literal["full", "brief", "none"] = "full"
    """Estimates of memory and time: `full` with other batch sizes and precisions."""


def inspect_model(path: Path, shown: str, asked: Asked) -> Inspection:
    """Inspect a file. Returns whatever its content."""
    with _undisturbed():
        return settled(path, lambda: inspect_opened(_opened(path, shown, asked), asked))


def inspect_and_draw(path: Path, shown: str, asked: Asked) -> tuple[Inspection, Drawing | None]:
    """Inspect a file, and return its graph as well, for reports that draw it."""

    def look() -> tuple[Inspection, Drawing | None]:
        opened = _opened(path, shown, asked)
        told, drawing = inspect_opened(opened, asked), draw(opened, asked.deployments[0])
        if drawing is not None:
            annotate(drawing, told)
        return told, drawing

    with _undisturbed():
        return settled(path, look)


def _opened(path: Path, shown: str, asked: Asked) -> OpenModel:
    return Session(asked.deployments).open(path, shown)


@contextmanager
def _undisturbed() -> Iterator[None]:
    with no_garbage_collection(), warnings.catch_warnings():
        # Shapes and scales may be any numbers; numpy's warnings add nothing.
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def inspect_opened(opened: OpenModel, asked: Asked) -> Inspection:
    """Inspect a model that a session of the same deployments has opened."""
    problems = [_trouble(problem, opened, asked.rules) for problem in opened.model.problems]
    if any(problem.fatal for problem in problems):
        return Inspection(opened.shown, opened.model.format, problems)
    bound = [bound_to(opened.model, deployment) for deployment in asked.deployments]
    return _Look(opened, replace(asked, deployments=tuple(bound)), problems).inspection()


def _assumed(deployment: Deployment) -> Assumed:
    found = deployment.assumptions()
    parts = {
        name: AssumedPart(part.value, part.origin, part.option)
        for name, part in found.parts.items()
    }
    return Assumed(found.deployment, parts)


class _Look:
    """Inspection of a model that could be read."""

    def __init__(self, opened: OpenModel, asked: Asked, problems: list[Trouble]) -> None:
        self.opened = opened
        self.model = opened.model
        self.asked = asked
        self.problems = problems
        self.export = self._export()

    @property
    def _is_of_engine(self) -> bool:
        return self.model.capabilities in ({Capability.METADATA}, {Capability.LAYERS})

    @property
    def _tells_weights(self) -> bool:
        """True unless the weights are where the reader does not find them, with all they need."""
        told = self.model.capabilities
        return not told or Capability.WEIGHTS in told

    def _export(self) -> Model | None:
        """The layers of the engine that the file is, or that was built from it."""
        if Capability.LAYERS in self.model.capabilities:
            return self.model
        if self.asked.layers is not None or self.model.format != ENGINE.name:
            return self.asked.layers
        try:
            return self.opened.engine_layers()
        except UsageError as error:
            said = f"{error}; --layers takes an export of its layers."
            self.problems.append(Trouble(None, "layers", said, fatal=False))
            return None

    def inspection(self) -> Inspection:
        plain = Inspection(
            self.opened.shown,
            self.model.format,
            self.problems,
            assumptions=[_assumed(deployment) for deployment in self.asked.deployments],
            identity=_identity(self.model),
            weight_bytes=_stored(self.model) if self._tells_weights else None,
        )
        if self.export is not None and self._is_of_engine:
            return self._graph(replace(plain, engine=engine_of(self.export)), self.export)
        if self.export is not None:
            plain = replace(plain, engine=engine_of(self.export, self.model))
        with_graph = self._graph(plain, self.model) if self.model.has_graph else plain
        return self._deployed(with_graph) if self._tells_weights else with_graph

    def _graph(self, plain: Inspection, model: Model) -> Inspection:
        graphs = list(model.graphs())
        ops = Counter(node.qualified_op for each in graphs for node in each.nodes)
        return replace(
            plain,
            inputs=[_port(value) for value in model.inputs if not value.is_constant],
            outputs=[_port(value) for value in model.outputs],
            nodes=sum(ops.values()),
            subgraphs=len(graphs) - 1,
            functions=len(model.functions),
            ops=dict(ops.most_common()),
        )

    def _deployed(self, plain: Inspection) -> Inspection:
        """Add what depends on the deployment; sizes are those of the first deployment."""
        first = self.asked.deployments[0]
        looks: dict[str, Callable[[], dict[str, Any]]] = {
            "cost": lambda: self._cost(first),
            "blocks": lambda: self._structure(first),
            "memory": self._memory,
            "time": self._time,
            "the language model": lambda: self._language(first),
        }
        if self.asked.quantization:
            looks["quantization"] = lambda: self._quantization(first)
        if self.asked.placement:
            looks["placement"] = self._placement
        if self.asked.every_layer:
            looks["each layer"] = lambda: self._every_layer(first)
        if self.asked.weights:
            looks["figures of weights"] = self._weights
        if self.asked.run is not None:
            looks["the measured run"] = lambda: self._measured(first)
        if self.asked.profile:
            looks["profiles"] = lambda: self._profile(first)
        found: dict[str, Any] = {}
        for what, look in looks.items():
            found |= self._try(what, look)
        if self.model.died:
            self.problems.append(Trouble("INT002", "internal", f"{self.model.died}.", fatal=False))
        told = replace(plain, **found)
        return replace(told, **self._try("efficiency", lambda: {"efficiency": efficiency(told)}))

    def _try(self, what: str, look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Run one part of the inspection; a failure must not abort the others."""
        try:
            return look()
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            said = f"modellint failed to compute {what}: {type(error).__name__} ({place})."
            self.problems.append(Trouble(None, "internal", said, fatal=False))
            return {}

    def _measured(self, deployment: Deployment) -> dict[str, Any]:
        from modellint.inspector.measured import measured_layers

        assert self.asked.run is not None
        return {"measured": measured_layers(self.asked.run, self.model, deployment.target)}

    def _cost(self, deployment: Deployment) -> dict[str, Any]:
        if not (self.model.has_graph or self.model.tensors):
            return {}
        settled = self.opened.under(deployment).get(settle)
        cost = self.opened.under(settled.deployment).get(ModelCost)
        if not self.model.has_graph:
            return {"parameters": cost.parameters}
        return {
            "parameters": cost.parameters,
            "macs": cost.total.macs,
            "flops": cost.total.flops,
            "known_macs": cost.known_macs,
            "uncounted": len(cost.uncounted),
            "sizes": _sizes(self.model, settled),
            "assumed": dict(settled.assumed),
            "macs_formula": macs_formula(self.model, deployment),
            "layers": largest_layers(self.model, cost),
        }

    def _structure(self, deployment: Deployment) -> dict[str, Any]:
        if not self.model.has_graph:
            return {}
        settled = self.opened.under(deployment).get(settle)
        blocks = self.opened.under(settled.deployment).get(Blocks)
        usual = blocks.attention
        cache = self.opened.under(deployment).get(kv_cache)
        return {
            "blocks": [Block(each.kind, each.count) for each in blocks.summary],
            "attention": usual
            and Attention(
                usual.variant,
                len(blocks.attention_layers),
                usual.query_heads,
                usual.kv_heads,
                usual.head_size,
            ),
            "kv_cache": cache
            and Cache(cache.layers, cache.kv_heads, cache.head_size, cache.bytes_per_token),
            "states": self._states(settled.deployment),
        }

    def _states(self, deployment: Deployment) -> States | None:
        carried = states(self.model)
        if not carried:
            return None
        types = self.opened.under(deployment).get(DeployedTypes)
        sizes = [nbytes(pair.past, types, deployment.precision) for pair in carried]
        return States(len(carried), total_of(sizes))

    def _language(self, deployment: Deployment) -> dict[str, Any]:
        from modellint.inspector.language import language_devices, language_model

        draft = self.asked.draft
        opening = None if draft is None else cache(lambda: _opened_draft(draft, self.asked))
        found = language_model(self.opened, deployment, opening)
        if opening is not None and found is not None and found.draft is None:
            said = f"{draft} {_why_no_draft(opening().model)}."
            self.problems.append(Trouble(None, "draft", said, fatal=False))
        stated = self.model.architecture
        return {
            "llm": found,
            "llm_unknown": stated.doubt or None if stated is not None else None,
            "llm_devices": language_devices(self.opened, self.asked.deployments),
        }

    def _memory(self) -> dict[str, Any]:
        stated = self.model.architecture
        is_told_by_context = stated is not None and not stated.doubt
        has_any = self.model.has_graph or (self.model.tensors and not is_told_by_context)
        if not has_any or self.asked.memory == "none":
            return {}
        deployments = self.asked.deployments
        brief = len(deployments) > 1 or self.asked.memory == "brief"
        needs = Needs(self.opened, self.asked.targets, brief=brief)
        told = [needs.of(deployment) for deployment in deployments]
        if deployments[0].target is None:
            return {"anywhere": told[0]}
        return {"memory": {each.target: each for each in told}}

    def _time(self) -> dict[str, Any]:
        deployments = self.asked.deployments
        if not self.model.has_graph or deployments[0].target is None or self.asked.memory == "none":
            return {}
        brief = len(deployments) > 1 or self.asked.memory == "brief"
        timed = {each.target_id: timed_on(self.opened, each, brief=brief) for each in deployments}
        told: dict[str, Any] = {"time": timed}
        if self.asked.sweep.is_asked:
            told["sweep"] = candidates(self.opened, deployments, self.asked.sweep)
        return told

    def _quantization(self, deployment: Deployment) -> dict[str, Any]:
        if not self.model.has_graph:
            return {}
        return {"quantization": quantization_summary(self.model, deployment).to_json()}

    def _placement(self) -> dict[str, Any]:
        from modellint.inspector.placing import not_placed, placed

        named = {each.target_id or each.runtime_name: each for each in self.asked.deployments}
        found = {name: placed(self.opened, each) for name, each in named.items()}
        why = {name: not_placed(self.opened, named[name]) for name in named if not found[name]}
        return {
            "placement": {name: each for name, each in found.items() if each is not None},
            "not_placed": {name: words for name, words in why.items() if words},
        }

    def _every_layer(self, deployment: Deployment) -> dict[str, Any]:
        from modellint.inspector.every import every_layer

        if not self.model.has_graph:
            return {}
        return {"every_layer": every_layer(self.opened, deployment)}

    def _weights(self) -> dict[str, Any]:
        from modellint.inspector.weighing import weight_figures

        return {"weights": weight_figures(self.model)}

    def _profile(self, deployment: Deployment) -> dict[str, Any]:
        if not self.model.has_graph:
            return {}
        profiles = [p for p in input_profiles(self.model, deployment) if p.is_dynamic]
        return {
            "profile": {
                each.value.name: input_bounds(each) for each in profiles if not each.open_axes
            },
            "profile_open": {
                each.value.name: _open_dims(each) for each in profiles if each.open_axes
            },
        }


def _opened_draft(path: Path, asked: Asked) -> OpenModel:
    return Session(asked.deployments).open(path, str(path))


def _why_no_draft(model: Model) -> str:
    stated = model.architecture
    if stated is not None and stated.doubt:
        return f"is not compared as a draft, since its cache is not known: {stated.doubt}"
    return "is not a language model, so it cannot draft"


def _tells_anything(model: Model) -> bool:
    """Return False for a file that a reader learns nothing about, such as an arbitrary pickle."""
    return bool(model.tensors or model.metadata or model.capabilities - {Capability.METADATA})


def _trouble(problem: Problem, opened: OpenModel, rules: Mapping[str, Rule]) -> Trouble:
    """Describe a problem of the file with the message of its rule."""
    model = opened.model
    is_fatal = problem.fatal or not _tells_anything(model)
    rule = next((rule for rule in rules.values() if rule.problem == problem.kind), None)
    if rule is None:
        return Trouble(None, problem.kind, f"{problem.kind}.", is_fatal)
    return Trouble(rule.code, problem.kind, opened.describe(problem, rule), is_fatal)


def _identity(model: Model) -> Identity:
    stated = onnx_facts(model)
    sizes = [regular_size(file) for file in model.external_files]
    there = [size for size in sizes if size is not None]
    producer = f"{model.producer_name} {model.producer_version}".strip()
    return Identity(
        producer=producer or None,
        ir_version=stated.ir_version,
        opsets={domain or "ai.onnx": version for domain, version in stated.opsets.items()},
        file_bytes=model.file_size,
        external_files=len(model.external_files),
        external_missing=len(model.external_files) - len(there),
        external_bytes=sum(there),
        metadata=dict(model.metadata),
    )


def _stored(model: Model) -> dict[str, int]:
    """Return the bytes of stored tensors by element type, largest first."""
    sizes: Counter[str] = Counter()
    for tensor in model.tensors:
        sizes[tensor.dtype.name] += tensor.nbytes
    return dict(sizes.most_common())


def _port(value: Value) -> Port:
    shape = value.shape
    return Port(
        value.name,
        value.dtype.name if value.dtype is not None else None,
        list(shape) if shape is not None else None,
        value.type_name,
    )


def _sizes(model: Model, settled: Settled) -> dict[str, int]:
    """Return the sizes of the inputs' open dims, without other names in the configuration."""
    declared: Sequence[Any] = [
        dim for value in model.inputs for dim in value.declared_shape or () if isinstance(dim, str)
    ]
    symbols = settled.deployment.symbols
    return {name: symbols[name] for name in declared if name in symbols} | dict(settled.assumed)


def input_bounds(profile: InputProfile) -> dict[str, list[int]]:
    return {name: list(profile.bound(at)) for at, name in enumerate(("min", "opt", "max"))}


def _open_dims(profile: InputProfile) -> list[str]:
    """Return the symbols, or axes of unnamed dims, that have no size."""
    dims = ((axis, profile.declared[axis]) for axis in profile.open_axes)
    return [dim if isinstance(dim, str) else f"axis {axis}" for axis, dim in dims]
