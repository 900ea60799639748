"""Outcomes of probes, as hits at the nodes they concern."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from modellint.analysis.memory import memory
from modellint.checks.api import Context, Hit
from modellint.checks.repeats import folded
from modellint.model import Model, Node, Value
from modellint.probes import Outcome, Remark, known_backends
from modellint.results.finding import Severity
from modellint.runtimes import builder_of, title_of
from modellint.runtimes.builder import is_strongly_typed
from modellint.runtimes.support import support
from modellint.targets.deployment import Deployment

REFUSALS = ("node-refused", "no-importer", "no-plugin", "no-kernel")
REASONS = (*REFUSALS, "shape-conflict", "build-failed", "model-refused")
WITH_RULES = ("onnxruntime", "tensorrt")
"""Builders whose refusals have rules of their own."""
TRT_PREFIX = "node_of_"
TRT_SUFFIX = "_OutputLayer"
"""Name that TensorRT's parser gives an unnamed node, from the name of its output."""

WARNINGS = {
    "unused-input": Severity.INFO,
    "old-opset": Severity.INFO,
    "int64-narrowed": Severity.INFO,
    "int64-clamped": Severity.WARNING,
    "fp16-layernorm": Severity.WARNING,
    "subnormal-weights": Severity.WARNING,
    "overflowing-weights": Severity.WARNING,
}
CPU = "CPUExecutionProvider"
SLACK = 1.1
"""Tolerance of the estimate: a planner rounds, aligns, and folds constants."""


def runtime_died(context: Context) -> Iterator[Hit]:
    """The runtime crashed, hung or ran out of memory."""
    outcome = context.outcome
    if outcome is not None and outcome.died:
        facts = {"compiler": compiler(outcome), "level": outcome.level, "detail": outcome.detail}
        yield Hit(None, facts, variant=outcome.status)


def node_refused(context: Context) -> Iterator[Hit]:
    """A node that the runtime refuses."""
    for outcome, remark in _remarks(context, *REFUSALS):
        place = find_node(context.model, remark)
        facts = {
            **_facts(context, outcome, remark),
            "op": place.qualified_op if place is not None else remark.op,
            "where": f"node '{place.label}'" if place is not None else "a node without a name",
            "parts": _parts(context.model, outcome),
        }
        variant = "" if remark.kind == "node-refused" else remark.kind
        severity = _severity(context, outcome)
        if severity is not None and _is_missing(remark) and _has(context.deployment, remark):
            severity = Severity.INFO
            facts["proviso"] = f"; {_stand_in_for(context, outcome)} itself has it"
        yield Hit(place, facts, variant=variant, severity=severity)


def refused(context: Context) -> Iterator[Hit]:
    """Refusals of a runtime that has no family of rules."""
    outcome = context.outcome
    if outcome is not None and builder_of(outcome.backend) not in WITH_RULES:
        yield from folded(_refusals(context, outcome))


def _refusals(context: Context, outcome: Outcome) -> Iterator[Hit]:
    for remark in outcome.of(*REASONS) if outcome.status == "refused" else ():
        place = find_node(context.model, remark)
        op = place.qualified_op if place is not None else remark.op
        facts = {**_facts(context, outcome, remark), "op": op}
        variant = "node" if place is not None else "operator" if op else ""
        yield Hit(place, facts, variant=variant, severity=_severity(context, outcome))


def _is_missing(remark: Remark) -> bool:
    """Return True if the runtime lacks the operator, rather than refusing its form."""
    return remark.kind in ("no-importer", "no-plugin") or "plugin registry" in remark.text


def _has(deployment: Deployment, remark: Remark) -> bool:
    table = support(deployment.runtime or "", deployment.runtime_version)
    return table is not None and table.takes(remark.op) is True


def _severity(context: Context, outcome: Outcome) -> Severity | None:
    """Return a lower severity for a substitute: the actual runtime may accept the model."""
    return Severity.WARNING if _stand_in_for(context, outcome) else None


def _stand_in_for(context: Context, outcome: Outcome) -> str:
    """Return the deployment's runtime if a substitute was probed."""
    meant = context.deployment.runtime
    backend = known_backends().get(meant or "")
    return backend.title if backend is not None and meant != outcome.backend else ""


def _parts(model: Model, outcome: Outcome) -> str:
    """Describe the parts that would run if the graph were split at refused nodes."""
    taken, pieces = outcome.figures.nodes_taken, outcome.figures.subgraphs_taken
    if not taken or not pieces:
        return ""
    of = len(model.graph.nodes)
    where = "one part" if pieces == 1 else f"{pieces} parts"
    return f"; it takes the other nodes, {taken} of {of}, in {where}"


def model_refused(context: Context) -> Iterator[Hit]:
    """The runtime refuses the model without naming a node."""
    for outcome, remark in _remarks(context, "model-refused"):
        facts = _facts(context, outcome, remark)
        yield Hit(None, facts, severity=_severity(context, outcome))


def shape_conflict(context: Context) -> Iterator[Hit]:
    """Contradictory shapes, according to the runtime."""
    for outcome, remark in _remarks(context, "shape-conflict"):
        yield Hit(find_node(context.model, remark), _facts(context, outcome, remark))


def build_failed(context: Context) -> Iterator[Hit]:
    """The parser accepts the model, but the build fails."""
    for outcome, remark in _remarks(context, "build-failed"):
        place = find_node(context.model, remark)
        facts = _facts(context, outcome, remark)
        yield Hit(place, facts, severity=_severity(context, outcome))


def profile_missing(context: Context) -> Iterator[Hit]:
    """Dynamic inputs without a range, for which no engine was built."""
    outcome = _answer(context)
    missing = outcome.of("profile-missing") if outcome else []
    if outcome is None or outcome.status != "accepted" or not missing:
        return
    shapes = ", ".join(f"'{remark.value}' ({remark.text})" for remark in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    first = missing[0]
    facts = {
        **_facts(context, outcome, first),
        "inputs": shapes + more,
        "count": len(missing),
        "option": " ".join(f"--shape '{each.value}={_suggestion(each)}'" for each in missing[:3]),
    }
    yield Hit(_input(context.model, first.value), facts)


def _suggestion(remark: Remark) -> str:
    if "×" not in remark.text:
        return "MIN..OPT..MAX"
    dims = [dim if dim.isdigit() else dim.upper() for dim in remark.text.split("×")]
    low = "x".join("1" if not dim.isdigit() else dim for dim in dims)
    return f"{low}.." + "x".join(dim if dim.isdigit() else "N" for dim in dims)


def profile_invalid(context: Context) -> Iterator[Hit]:
    """Configured shapes that the input or the builder does not accept."""
    for outcome, remark in _remarks(context, "profile-invalid"):
        yield Hit(_input(context.model, remark.value), _facts(context, outcome, remark))


def compiler_warning(context: Context) -> Iterator[Hit]:
    """Compiler warnings that the model's author can fix."""
    for outcome, remark in _remarks(context, *WARNINGS):
        place = _input(context.model, remark.value)
        facts = {**_facts(context, outcome, remark), "value": remark.value}
        yield Hit(place, facts, variant=remark.kind, severity=WARNINGS[remark.kind])


def engine_exceeds_target(context: Context) -> Iterator[Hit]:
    """The planned memory exceeds that of the device."""
    for outcome, remark in _remarks(context, "workspace-exceeded"):
        yield Hit(
            None, {**_facts(context, outcome), "limit": int(remark.text)}, variant="workspace"
        )
    answer, target = _answer(context), context.deployment.target
    if answer is None or not answer.built or target is None:
        return
    weights, activations = answer.figures.weight_bytes, answer.figures.activation_bytes
    if weights is None or activations is None:
        return
    overhead = target.overhead(context.deployment.runtime)
    parts = weights + activations + (overhead.low if overhead else 0)
    if parts > target.memory.usable:
        facts = {
            **_facts(context, answer),
            "weights": weights,
            "activations": activations,
            "overhead": overhead.low if overhead else 0,
            "total": parts,
            "usable": target.memory.usable,
        }
        yield Hit(None, facts, confidence="measured")


def plan_beyond_estimate(context: Context) -> Iterator[Hit]:
    """The planned memory is outside the range of the estimate."""
    outcome = _answer(context)
    if outcome is None or not outcome.built or _is_range(outcome):
        return
    weights, activations = outcome.figures.weight_bytes, outcome.figures.activation_bytes
    if weights is None or activations is None:
        return
    estimate = memory(context.model, _as_built(context, outcome))
    parts = estimate.weights, estimate.activations, estimate.workspace
    low, high = sum(part.low for part in parts), sum(part.high for part in parts)
    planned = weights + activations
    if estimate.unknown or low / SLACK <= planned <= high * SLACK:
        return
    facts = {**_facts(context, outcome), "planned": planned, "low": low, "high": high}
    yield Hit(None, facts, confidence="measured")


def _as_built(context: Context, outcome: Outcome) -> Deployment:
    """Return the deployment in the precision of the engine that was built."""
    deployment = context.deployment
    if is_strongly_typed(outcome.backend, outcome.version or None):
        return replace(deployment, precision=None)
    return deployment


def _is_range(outcome: Outcome) -> bool:
    """Return True if the engine was planned for larger shapes than the estimate."""
    return any(len(set(shapes)) > 1 for shapes in outcome.profiles.values())


def split_between_providers(context: Context) -> Iterator[Hit]:
    """Nodes that fall back to the CPU: each border copies between devices."""
    outcome = _answer(context)
    if outcome is None or len(outcome.placement) < 2 or CPU not in outcome.placement:
        return
    left = outcome.of("on-cpu")
    total, here = sum(outcome.placement.values()), outcome.placement[CPU]
    ops = Counter(remark.op for remark in left)
    named = ", ".join(f"{op} ×{count}" for op, count in ops.most_common(4))
    first = next((node for each in left if (node := find_node(context.model, each))), None)
    provider = next(name for name in outcome.placement if name != CPU)
    facts = {
        **_facts(context, outcome),
        "here": here,
        "total": total,
        "provider": provider.removesuffix("ExecutionProvider"),
        "ops": named,
    }
    yield Hit(first, facts, count=max(1, here))


def provider_failed(context: Context) -> Iterator[Hit]:
    """A provider that is installed but failed to start, so everything runs on the CPU."""
    for outcome, remark in _remarks(context, "provider-failed"):
        yield Hit(None, {**_facts(context, outcome, remark), "provider": remark.value})


def _answer(context: Context) -> Outcome | None:
    """Return the outcome if it is of a runtime that the rule's family covers."""
    outcome = context.outcome
    if outcome is None or not outcome.asked:
        return None
    return outcome if builder_of(outcome.backend) == context.rule.family else None


def _remarks(context: Context, *kinds: str) -> list[tuple[Outcome, Remark]]:
    outcome = _answer(context)
    return [(outcome, remark) for remark in outcome.of(*kinds)] if outcome is not None else []


def compiler(outcome: Outcome) -> str:
    """Return name and version: ``TensorRT for RTX 1.7.1.116``."""
    return f"{title_of(outcome.backend)} {outcome.version}".strip()


def _facts(context: Context, outcome: Outcome, remark: Remark | None = None) -> dict[str, object]:
    meant = _stand_in_for(context, outcome)
    proviso = f"; {meant} itself, which was not asked, may differ" if meant else ""
    facts: dict[str, object] = {"compiler": compiler(outcome), "proviso": proviso}
    if remark is None:
        return facts
    reason = remark.text.removeprefix(f"{remark.node}: ") if remark.node else remark.text
    return {**facts, "reason": reason}


def find_node(model: Model, remark: Remark) -> Node | None:
    """Return the node that a remark is about; None if ambiguous."""
    named = _by_name(model, remark.node, remark.op)
    if named is not None:
        return named
    at = remark.index
    if at is not None and at < len(model.graph.nodes):
        node = model.graph.nodes[at]
        if node.op_type == remark.op and remark.node in ("", node.name):
            return node
    if remark.value:
        value = model.graph.resolve(remark.value)
        if value is not None and value.producer is not None:
            return value.producer
    if remark.kind == "no-importer":  # none of the candidates runs, so report the first
        return next((node for node in model.nodes() if node.op_type == remark.op), None)
    if remark.op:
        return _only(node for node in model.nodes() if _could_be(node, remark))
    return _in_words(model, remark.text)


def _by_name(model: Model, name: str, op: str) -> Node | None:
    if not name:
        return None
    named = (node for node in model.nodes() if node.name == name and op in ("", node.op_type))
    return _unnamed(model, name) or _only(named)


def _unnamed(model: Model, name: str) -> Node | None:
    """Return the unnamed node that TensorRT names after its output."""
    if not name.startswith(TRT_PREFIX):
        return None
    value = model.graph.resolve(name.removeprefix(TRT_PREFIX).removesuffix(TRT_SUFFIX))
    return value.producer if value is not None else None


def _could_be(node: Node, remark: Remark) -> bool:
    return node.op_type == remark.op and not node.name and not remark.node


def _only(nodes: Iterator[Node]) -> Node | None:
    first = next(nodes, None)
    return first if next(nodes, None) is None else None


def _in_words(model: Model, text: str) -> Node | None:
    """Return the first node that a sentence names."""
    names = {node.name: node for node in model.nodes() if node.name}
    for word in text.split():
        name = word.strip("()[]{}:;,.'\"`")
        node = names.get(name) or _unnamed(model, name)
        if node is not None:
            return node
    return None


def _input(model: Model, name: str) -> Value | None:
    return model.graph.resolve(name) if name else None
