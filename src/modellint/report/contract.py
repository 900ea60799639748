"""The JSON contract, described in docs/output.md: fields may be added but not changed.

tools/generate_report_schema.py generates docs/schemas/report.schema.json from these types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypedDict

from modellint.base.links import rule_url
from modellint.base.version import __version__
from modellint.report.grouping import ordered
from modellint.results.finding import Assumptions, Finding, ModelSummary, Probed, Result, Severity
from modellint.results.fixed import FileFixes, FixEntry, ModelSize, RefusedFix


class LocationEntry(TypedDict):
    """A place in a model. All null means the file as a whole."""

    graph: Annotated[str | None, "Path of the graph; subgraphs and functions follow their owners."]
    node: Annotated[str | None, "The node's name, or its first output if it has none."]
    index: Annotated[int | None, "The node's position in its graph, from 0."]
    op_type: Annotated[str | None, "The op type, with its domain unless that is ONNX's own."]
    value: Annotated[str | None, "A tensor, an input or output, or the node's first output."]


class FindingEntry(TypedDict):
    """One result of a rule about a place in a model."""

    code: Annotated[str, "The rule's code, for example FUS002."]
    rule: Annotated[str, "The rule's name."]
    family: Annotated[str, "The rule's family; `internal` is about modellint itself."]
    severity: Literal["error", "warning", "info"]
    message: Annotated[str, "The problem, with names and numbers."]
    path: Annotated[str, "The model's file, as in `models`, or a configuration file."]
    location: LocationEntry
    why: Annotated[str | None, "Why it matters for the deployment."]
    fix: Annotated[str | None, "How to fix it."]
    runtime: Annotated[str | None, "The runtime it applies to; null for any."]
    target: Annotated[str | None, "The device it applies to; null for any."]
    confidence: Annotated[
        str | None, "Confidence of an estimate: measured, calibrated, derived, theoretical."
    ]
    evidence: Annotated[dict[str, Any], "The facts of the message, specific to each rule."]
    count: Annotated[int, "Number of occurrences that the finding stands for."]
    fingerprint: Annotated[str, "Stable across runs, even if names or order change."]
    suppressed: Annotated[str | None, "Why the finding does not count; null if it counts."]
    fails: Annotated[bool, "True if it is at or above --fail-on, so that the run fails."]
    url: Annotated[str | None, "The page of the rule; none for a rule that is not built in."]
    fixable: Annotated[
        str | None,
        "Safety of the rule's fixes: safe, exact, numbers or choice; null without fixes.",
    ]


class RulesEntry(TypedDict):
    """Number of a run's rules that apply to a file."""

    asked: Annotated[int, "Rules that apply to the file."]
    of: Annotated[int, "Rules of the run."]


class ModelEntry(TypedDict):
    """One linted file."""

    path: str
    format: Annotated[str, "`unknown` if the file could not be read as a model."]
    capabilities: Annotated[
        list[str], "A subset of architecture, graph, layers, metadata, quantization, weights."
    ]
    nodes: Annotated[int | None, "Nodes of all graphs; null without a graph."]
    parameters: int | None
    weight_bytes: int | None
    rules: Annotated[RulesEntry, "How many of the run's rules apply to the file."]


class ProbeEntry(TypedDict):
    """Outcome of probing a model with a real runtime for a deployment."""

    path: Annotated[str, "The model's file, as in `models`."]
    backend: Annotated[str | None, "The runtime used; null if none was available."]
    version: Annotated[str | None, "Its version."]
    target: Annotated[str | None, "The target device."]
    status: Annotated[str, "accepted, refused, unanswered, or how the runtime crashed."]
    level: Annotated[str, "Depth of the probe: parse or build."]
    detail: Annotated[str | None, "Why the probe stopped early, or how the runtime crashed."]
    reason: Annotated[str | None, "Why the answer is not a plain yes: the first reason."]
    figures: Annotated[dict[str, Any], "Seconds, bytes and counts, as reported by the runtime."]
    placement: Annotated[dict[str, Any], "Nodes by ONNX Runtime execution provider."]
    layers: Annotated[list[str], "Layers of the engine, or fused ops."]
    cached: Annotated[bool, "True if the outcome was cached by an earlier run."]


class PartEntry(TypedDict):
    """A part of a deployment."""

    value: Annotated[str | int | None, "Its value; null for any, or as in the model."]
    origin: Annotated[
        Literal["given", "configured", "assumed"],
        "Where it is from: the command line, a configuration file, or a default.",
    ]
    option: Annotated[str, "The option that changes it."]


class AssumptionsEntry(TypedDict):
    """A deployment that the models were linted for, part by part."""

    deployment: Annotated[str, "Its description, such as `a10 (tensorrt 11.5, fp16)`."]
    parts: Annotated[
        dict[str, PartEntry], "device, runtime, version, precision, batch, shapes and dla."
    ]


class FixedEntry(TypedDict):
    """A fix of one finding."""

    code: Annotated[str, "The rule's code."]
    rule: Annotated[str, "The rule's name."]
    says: Annotated[str, "One sentence of what it does."]
    applicability: Literal["safe", "exact", "numbers", "choice"]
    graph: Annotated[str | None, "Path of the graph; null for the file as a whole."]
    place: Annotated[str | None, "Label of the node or value."]
    option: Annotated[str | None, "The choice that it needs, if any."]
    refused_by: Annotated[
        str | None,
        "The step of the proof that failed: edit, file, interface, checker, loading, outputs, "
        "findings, not-run; null if none did.",
    ]
    reason: Annotated[str | None, "How it failed."]


class ChangeEntry(TypedDict):
    """One difference between a model before and after."""

    kind: Literal["removed", "added", "changed"]
    graph: Annotated[str | None, "Path of the graph; null for the file as a whole."]
    what: Annotated[str, "A node's operator, or input, output, tensor, opset, metadata."]
    name: str
    detail: Annotated[str, "Inputs, outputs and attributes of a node; the type of a value."]
    before: Annotated[str | None, "The detail before, if it changed."]


class SizeEntry(TypedDict):
    """Size of a model."""

    nodes: Annotated[int, "Nodes of all graphs and functions."]
    weight_bytes: int
    file_bytes: int


class GainEntry(TypedDict):
    """One figure of a model before and after."""

    name: str
    unit: Literal["count", "bytes", "seconds"]
    before: float
    after: float
    target: Annotated[str | None, "The device that it is for, if it depends on one."]


class FixesEntry(TypedDict):
    """Fixes of one file."""

    path: Annotated[str, "The model's file."]
    written: Annotated[str | None, "The file that was written; null if none was."]
    recorded_shapes: Annotated[int, "Number of shapes that the file states now, and did not."]
    data_files: Annotated[list[str], "Files of weights that were written with it, by name."]
    fixed: list[FixedEntry]
    refused: Annotated[list[FixedEntry], "Fixes whose proof failed."]
    offered: Annotated[list[FixedEntry], "Fixes that were not requested."]
    changes: list[ChangeEntry]
    before: SizeEntry | None
    after: SizeEntry | None
    gains: Annotated[list[GainEntry], "What the model needs, from `optimize`."]
    proof: Annotated[str | None, "How the fixes were proved."]
    largest_difference: Annotated[
        float, "Largest difference of an output, relative to its largest element."
    ]
    problem: Annotated[str | None, "Why nothing could be fixed or written."]


class SummaryEntry(TypedDict):
    """Counts of findings that are not suppressed, and the run's time."""

    error: int
    warning: int
    info: int
    models: int
    seconds: float


class Document(TypedDict):
    """One run. All fields are present; those that do not apply are null."""

    version: Literal[1]
    modellint: Annotated[str, "The version of modellint that wrote this."]
    assumptions: Annotated[
        list[AssumptionsEntry], "The deployments: what was stated, and what was assumed."
    ]
    models: Annotated[list[ModelEntry], "All linted files, in the order of the run."]
    findings: Annotated[
        list[FindingEntry], "All findings, including suppressed ones, most severe first."
    ]
    probes: Annotated[list[ProbeEntry] | None, "Null if the run did not probe."]
    fixes: Annotated[list[FixesEntry] | None, "Null if the run was not asked to fix anything."]
    summary: SummaryEntry


def document(result: Result) -> Document:
    return {
        "version": 1,
        "modellint": __version__,
        "assumptions": [assumptions_entry(each) for each in result.assumptions],
        "models": [model_entry(model) for model in result.models],
        "findings": [finding_entry(finding) for finding in ordered(result)],
        "probes": [probe_entry(probed) for probed in result.probes] or None,
        "fixes": [fixes_entry(each) for each in result.fixes] or None,
        "summary": {
            "error": result.count(Severity.ERROR),
            "warning": result.count(Severity.WARNING),
            "info": result.count(Severity.INFO),
            "models": len(result.models),
            "seconds": round(result.seconds, 3),
        },
    }


def fixes_entry(fixes: FileFixes) -> FixesEntry:
    return {
        "path": fixes.path,
        "written": fixes.written or None,
        "recorded_shapes": fixes.recorded_shapes,
        "data_files": list(fixes.data_files),
        "fixed": [_fixed_entry(each) for each in fixes.fixed],
        "refused": [_fixed_entry(each.entry, each) for each in fixes.refused],
        "offered": [_fixed_entry(each) for each in fixes.offered],
        "changes": [
            {
                "kind": each.kind,
                "graph": each.graph or None,
                "what": each.what,
                "name": each.name,
                "detail": each.detail,
                "before": each.before or None,
            }
            for each in fixes.changes
        ],
        "before": _size_entry(fixes.before),
        "after": _size_entry(fixes.after),
        "gains": [
            {
                "name": each.name,
                "unit": each.unit,
                "before": each.before,
                "after": each.after,
                "target": each.target or None,
            }
            for each in fixes.gains
        ],
        "proof": fixes.proof or None,
        "largest_difference": fixes.largest_difference,
        "problem": fixes.problem or None,
    }


def _fixed_entry(entry: FixEntry, refused: RefusedFix | None = None) -> FixedEntry:
    return {
        "code": entry.code,
        "rule": entry.rule,
        "says": entry.says,
        "applicability": entry.applicability,
        "graph": entry.graph or None,
        "place": entry.place or None,
        "option": entry.option or None,
        "refused_by": refused.step if refused is not None else None,
        "reason": refused.detail if refused is not None else None,
    }


def _size_entry(size: ModelSize | None) -> SizeEntry | None:
    if size is None:
        return None
    return {
        "nodes": size.nodes,
        "weight_bytes": size.weight_bytes,
        "file_bytes": size.file_bytes,
    }


def assumptions_entry(assumptions: Assumptions) -> AssumptionsEntry:
    return {
        "deployment": assumptions.deployment,
        "parts": {
            name: {"value": part.value, "origin": part.origin, "option": part.option}
            for name, part in assumptions.parts.items()
        },
    }


def model_entry(model: ModelSummary) -> ModelEntry:
    return {
        "path": model.path,
        "format": model.format,
        "capabilities": list(model.capabilities),
        "nodes": model.nodes,
        "parameters": model.parameters,
        "weight_bytes": model.weight_bytes,
        "rules": {"asked": model.rules_asked, "of": model.rules_planned},
    }


def probe_entry(probed: Probed) -> ProbeEntry:
    return {
        "path": probed.path,
        "backend": probed.backend or None,
        "version": probed.version or None,
        "target": probed.target,
        "status": probed.status,
        "level": probed.level,
        "detail": probed.detail or None,
        "reason": probed.reason or None,
        "figures": dict(probed.figures),
        "placement": dict(probed.placement),
        "layers": list(probed.layers),
        "cached": probed.cached,
    }


SEVERITIES: Mapping[Severity, Literal["error", "warning", "info"]] = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "info",
}


def finding_entry(finding: Finding) -> FindingEntry:
    place = finding.location
    return {
        "code": finding.code,
        "rule": finding.rule,
        "family": finding.family,
        "severity": SEVERITIES[finding.severity],
        "message": finding.message,
        "path": finding.path,
        "location": {
            "graph": place.graph,
            "node": place.node,
            "index": place.index,
            "op_type": place.op_type,
            "value": place.value,
        },
        "why": finding.why or None,
        "fix": finding.fix or None,
        "runtime": finding.runtime,
        "target": finding.target,
        "confidence": finding.confidence,
        "evidence": dict(finding.evidence),
        "count": finding.count,
        "fingerprint": finding.fingerprint,
        "suppressed": finding.suppressed,
        "fails": finding.fails,
        "url": rule_url(finding.code) or None,
        "fixable": finding.fixable,
    }
