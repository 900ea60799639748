"""A model in one paragraph, by a template: nothing in it is made up."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.base.text import clean, counted, listed, quantity, work
from modellint.base.units import format_bytes
from modellint.report.charts.scales import short
from modellint.results.inspection import Dims, Inspection, LanguageModel, Memory, Port, Time

MOST_PORTS = 3
MOST_DEVICES = 4


def summary(inspection: Inspection) -> str:
    """Return the sentences that there are facts for."""
    if not inspection.is_readable:
        reasons = " ".join(problem.message for problem in inspection.problems if problem.fatal)
        return clean(f"{inspection.path} cannot be read. {reasons}".strip())
    return " ".join(_sentences(inspection))


def _sentences(inspection: Inspection) -> Iterator[str]:
    yield _what(inspection)
    if inspection.inputs and inspection.outputs:
        yield f"It takes {_ports(inspection.inputs)} and returns {_ports(inspection.outputs)}."
    if inspection.macs:
        sizes = ", ".join(f"{name} {size}" for name, size in (inspection.sizes or {}).items())
        per = f" at {clean(sizes)}" if sizes else ""
        yield f"A run{per} takes {work(inspection.macs)} MACs."
    if inspection.llm is not None:
        yield _language(inspection.llm)
    for memory in inspection.estimates[:MOST_DEVICES]:
        if memory.target is not None:
            yield _device(memory, (inspection.time or {}).get(memory.target))
    if len(inspection.estimates) > MOST_DEVICES:
        yield f"{len(inspection.estimates) - MOST_DEVICES} more devices were considered."
    if inspection.problems:
        yield f"Its file has {counted(len(inspection.problems), 'problem')}."


def _what(inspection: Inspection) -> str:
    identity = inspection.identity
    producer = f" from {clean(identity.producer)}" if identity and identity.producer else ""
    said = f"{clean(inspection.path)} is a model in the format {inspection.format}{producer}"
    parts = []
    if inspection.nodes:
        parts.append(counted(inspection.nodes, "node"))
    if inspection.parameters:
        parts.append(f"{quantity(inspection.parameters)} parameters")
    stored = {name: size for name, size in (inspection.weight_bytes or {}).items() if size}
    if stored:
        types = listed(list(stored), 3)
        parts.append(f"{format_bytes(sum(stored.values()))} of weights in {types}")
    blocks = [f"{block.count} {block.kind} blocks" for block in inspection.blocks or ()]
    made = f", made of {listed(blocks, 3)}" if blocks else ""
    has = f", with {listed(parts, 4)}" if parts else ""
    return f"{said}{has}{made}."


def _ports(ports: list[Port]) -> str:
    return listed([f"{clean(port.name)} ({port_type(port)})" for port in ports], MOST_PORTS)


def port_type(port: Port) -> str:
    """``float32 batch×3×224×224``"""
    if port.shape is None:
        return port.dtype or port.type
    return f"{port.dtype or port.type} {shape_text(port.shape)}"


def shape_text(shape: Dims) -> str:
    return "×".join("?" if dim is None else clean(str(dim)) for dim in shape) or "scalar"


def _language(model: LanguageModel) -> str:
    layers = sum(kind.count for kind in model.layers)
    trained = f", trained for {model.trained_context:,} tokens" if model.trained_context else ""
    return (
        f"It is a language model ({clean(model.architecture)}) of {layers} layers{trained}; "
        f"a token takes {format_bytes(model.cache_per_token)} of cache in {model.kv_precision}."
    )


def _device(memory: Memory, time: Time | None) -> str:
    fits = {
        "fits": "it fits",
        "tight": "it is tight",
        "does not fit": "it does not fit",
        None: "it is unknown whether it fits",
    }[memory.verdict]
    usable = f" of {format_bytes(memory.usable)}" if memory.usable is not None else ""
    said = (
        f"On {memory.target} in {memory.precision}, {fits}: it is expected to take "
        f"{format_bytes(memory.total.expected)}{usable}"
    )
    if time is not None:
        said += (
            f", and a run {short(time.expected, 'seconds')} "
            f"({short(time.low, 'seconds')} to {short(time.high, 'seconds')})"
        )
    elif memory.roofline is not None:
        said += f", and a run at least {short(memory.roofline.seconds, 'seconds')}"
    return f"{said}."
