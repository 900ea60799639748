"""Details of a model: what it is, what it takes and gives, what it is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modellint.base.text import counted, quantity, work
from modellint.base.units import format_bytes
from modellint.report.efficiency import compared
from modellint.report.html.markup import Markup, element, name
from modellint.report.html.needs import needs_panels
from modellint.report.html.parts import (
    Sorted,
    bar,
    columns,
    dims,
    facts,
    names,
    panel,
    section,
    table,
)
from modellint.report.layers import facts as engine_facts
from modellint.results.inspection import Identity, Inspection, Placed, Port

MOST_OPS = 40
MOST_ENTRIES = 12


def details_section(key: str, told: Inspection) -> Markup | None:
    panels = [*_what(told), *_engine(told), *needs_panels(told), *_made_of(told), *_placement(told)]
    if not any(panels):
        return None
    return section(f"{key}-details", "Details", element("div", panels, class_="panels"))


def _what(told: Inspection) -> Iterator[Markup | None]:
    if told.problems:
        yield panel(
            "Problems of the file",
            element("ul", [element("li", each.message) for each in told.problems]),
        )
    if told.identity is not None:
        yield panel("Identity", facts(_identity(told, told.identity)))
    ports = [(*each, "input") for each in _ports(told.inputs)]
    ports += [(*each, "output") for each in _ports(told.outputs)]
    if ports:
        yield panel(
            "Inputs and outputs",
            table("inputs and outputs", columns("name", "type", "shape", "kind"), ports),
        )


def _identity(told: Inspection, found: Identity) -> Iterator[tuple[str, Markup | str | None]]:
    yield "format", told.format
    yield "written by", found.producer
    yield "opset", ", ".join(f"{domain} {version}" for domain, version in found.opsets.items())
    yield "IR", str(found.ir_version) if found.ir_version is not None else None
    yield "file", format_bytes(found.file_bytes)
    if found.external_files:
        missing = f", {found.external_missing:,} missing" if found.external_missing else ""
        files = counted(found.external_files, "file")
        yield "other files", f"{format_bytes(found.external_bytes)} in {files}{missing}"
    if told.nodes is not None:
        yield "nodes", f"{told.nodes:,}"
    if told.parameters is not None:
        yield "parameters", f"{quantity(told.parameters)} ({told.parameters:,})"
    if told.known_macs is not None:
        least = "" if told.macs is not None else "at least "
        yield "MACs", f"{least}{work(told.known_macs)}"
    if told.macs_per_parameter is not None:
        yield "efficiency", f"{work(told.macs_per_parameter)} MACs per parameter{compared(told)}"
    if told.parameters_per_megabyte is not None:
        yield "density", f"{work(told.parameters_per_megabyte)} parameters per MB"
    if told.llm_unknown is not None:
        yield "cache", f"not known: {told.llm_unknown}"
    if told.sizes:
        assumed = told.assumed or {}
        yield (
            "for sizes",
            ", ".join(
                f"{dim} {size}{' (assumed)' if dim in assumed else ''}"
                for dim, size in told.sizes.items()
            ),
        )
    yield from [*found.metadata.items()][:MOST_ENTRIES]


def _ports(ports: Sequence[Port] | None) -> Iterator[tuple[Markup, str, str]]:
    for port in ports or ():
        kind = "" if port.type == "tensor" else f"{port.type} of "
        yield name(port.name), kind + (port.dtype or "?"), dims(port.shape)


def _made_of(told: Inspection) -> Iterator[Markup | None]:
    if told.ops:
        yield panel("Operators", _counts(told.ops))
    if told.weight_bytes:
        yield panel(
            "Weights by type",
            table(
                "weights by type",
                columns("type", "#bytes", "share"),
                [
                    [
                        dtype,
                        Sorted(format_bytes(size), size),
                        _share(size, sum(told.weight_bytes.values())),
                    ]
                    for dtype, size in told.weight_bytes.items()
                ],
            ),
        )
    blocks = [(each.kind, f"×{each.count:,}") for each in told.blocks or ()]
    if told.attention is not None:
        heads = told.attention.query_heads
        said = f"{told.attention.variant or ''} {f'{heads} heads' if heads else ''}".strip()
        blocks.append(("attention", f"×{told.attention.layers:,} {said}"))
    if blocks:
        yield panel("Blocks", facts(blocks))
    if told.layers:
        yield panel(
            "Largest layers",
            table(
                "largest layers",
                columns("operator", "weight", "#times", "#parameters", "#bytes", "#MACs", "first"),
                [
                    [
                        layer.op_type,
                        dims(layer.shape),
                        layer.count,
                        Sorted(quantity(layer.parameters), layer.parameters),
                        Sorted(format_bytes(layer.weight_bytes), layer.weight_bytes),
                        Sorted(work(layer.macs), layer.macs) if layer.macs is not None else "",
                        name(layer.first),
                    ]
                    for layer in told.layers
                ],
            ),
            is_wide=True,
        )


def _engine(told: Inspection) -> Iterator[Markup | None]:
    engine = told.engine
    if engine is None:
        return
    rows = [element("li", f"{label}: {said}") for label, said in engine_facts(engine)]
    yield panel("Engine", element("ul", rows))
    has_nodes = any(layer.nodes for layer in engine.layers)
    layers = [
        [
            name(layer.name),
            layer.kind or "",
            layer.type or "",
            *([names(layer.nodes) if layer.nodes else ""] if has_nodes else []),
        ]
        for layer in engine.layers
    ]
    heads = columns("layer", "kind", "type", *(["nodes of the model"] if has_nodes else []))
    yield panel("Layers of the engine", table("layers of the engine", heads, layers), is_wide=True)


def _counts(counts: dict[str, int]) -> Markup:
    shown = [*counts.items()][:MOST_OPS]
    most = max(counts.values())
    return table(
        "operators",
        columns("operator", "#nodes", "share"),
        [[op, count, _share(count, most)] for op, count in shown],
    )


def _share(size: float, whole: float) -> Markup:
    return bar(f"{size / whole:.0%}" if whole else "", [("plain", size, "")], whole)


def _placement(told: Inspection) -> Iterator[Markup | None]:
    for target, placed in (told.placement or {}).items():
        yield panel(f"Placement on {target}", *_placed(placed), is_wide=True)
    for target, why in (told.not_placed or {}).items():
        yield panel(f"No placement on {target}", element("p", why))


def _placed(placed: Placed) -> Iterator[Markup | None]:
    yield element(
        "p",
        ", ".join(f"{count:,} nodes on {unit}" for unit, count in placed.nodes.items()),
        f", in {counted(placed.partitions, 'partition')}",
        f" of {placed.most_partitions} that a core loads" if placed.most_partitions else "",
    )
    if placed.left:
        yield table(
            "nodes that the accelerator does not support",
            columns("operator", "#nodes", "first", "reason"),
            [[left.op, left.nodes, name(left.first), left.reason] for left in placed.left],
        )
