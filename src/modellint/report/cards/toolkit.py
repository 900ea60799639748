"""A model card as the JSON of Model Card Toolkit, in version 0.0.2 of its schema."""

from __future__ import annotations

from typing import Any

from modellint.base.text import clean, counted
from modellint.report.cards import card as parts
from modellint.report.cards.card import Card
from modellint.report.summary import port_type
from modellint.results.inspection import Inspection, Port

SCHEMA = "0.0.2"
TODO = "To be written by a person: "


def toolkit_card(card: Card) -> dict[str, Any]:
    """Return the document. Its metrics are figures of the model, not of its accuracy."""
    inspection = card.inspection
    return {
        "schema_version": SCHEMA,
        "model_details": {
            "name": card.name,
            "overview": card.overview,
            "documentation": _documentation(inspection),
            "owners": [{"name": f"{TODO}who owns it", "contact": f"{TODO}who answers questions"}],
            "licenses": [{"custom_text": f"{TODO}the license of the weights"}],
        },
        "model_parameters": {
            "model_architecture": _architecture(inspection),
            "data": [{"description": f"{TODO}what it was trained and evaluated on"}],
            "input_format": _format(inspection.inputs),
            "input_format_map": _format_map(inspection.inputs),
            "output_format": _format(inspection.outputs),
            "output_format_map": _format_map(inspection.outputs),
        },
        "quantitative_analysis": {"performance_metrics": _metrics(inspection)},
        "considerations": {
            "users": [{"description": f"{TODO}who uses it"}],
            "use_cases": [{"description": f"{TODO}what it is for, and what it is not for"}],
            "limitations": [
                *({"description": clean(risk)} for risk in card.risks),
                {"description": f"{TODO}inputs that it does not handle well"},
            ],
            "tradeoffs": [{"description": f"{TODO}what accuracy was given up for"}],
            "ethical_considerations": [
                {
                    "name": f"{TODO}whom mistakes could harm",
                    "mitigation_strategy": f"{TODO}what is done about it",
                }
            ],
        },
    }


def _documentation(inspection: Inspection) -> str:
    rows = parts.identity(inspection) + parts.sizes(inspection) + parts.precision(inspection)
    return "\n".join(f"{clean(name)}: {clean(value)}" for name, value in rows if value)


def _architecture(inspection: Inspection) -> str:
    if inspection.llm is not None:
        return clean(inspection.llm.architecture)
    blocks = ", ".join(f"{each.kind} ×{each.count}" for each in inspection.blocks or ())
    ops = ", ".join(f"{op} {count}" for op, count in [*(inspection.ops or {}).items()][:8])
    return clean(blocks or ops or counted(inspection.nodes or 0, "node"))


def _format(ports: list[Port] | None) -> str:
    return "; ".join(f"{clean(port.name)}: {port_type(port)}" for port in ports or ())


def _format_map(ports: list[Port] | None) -> list[dict[str, str]]:
    return [{"key": clean(port.name), "value": port_type(port)} for port in ports or ()]


def _metrics(inspection: Inspection) -> list[dict[str, Any]]:
    stored = sum((inspection.weight_bytes or {}).values())
    metrics = [
        _metric("parameters", inspection.parameters),
        _metric("MACs", inspection.macs),
        _metric("bytes of weights", stored or None),
    ]
    for memory in inspection.estimates:
        target, total = memory.target or "", memory.total
        bounds = (total.low, total.high)
        metrics.append(_metric("bytes of memory, expected", total.expected, target, bounds))
        time = (inspection.time or {}).get(target)
        if time is not None:
            said = "seconds of a run, expected"
            metrics.append(_metric(said, time.expected, target, (time.low, time.high)))
        elif memory.roofline is not None:
            metrics.append(_metric("seconds of a run, at least", memory.roofline.seconds, target))
    return [each for each in metrics if each]


def _metric(
    name: str, value: float | None, on: str = "", bounds: tuple[float, float] | None = None
) -> dict[str, Any]:
    """Return a metric, whose figures are texts in this schema; nothing if it is not known."""
    if value is None:
        return {}
    metric: dict[str, Any] = {"type": name, "value": _text(value)}
    if on:
        metric["slice"] = on
    if bounds is not None:
        low, high = bounds
        metric["confidence_interval"] = {"lower_bound": _text(low), "upper_bound": _text(high)}
    return metric


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"
