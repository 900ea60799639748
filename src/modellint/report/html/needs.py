"""Memory and time of a model: cards for the first screen, and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modellint.base.text import counted, quantity, timing, work
from modellint.base.units import format_bandwidth, format_bytes, format_rate
from modellint.report.html.markup import Markup, element, joined, name
from modellint.report.html.parts import (
    Cell,
    Sorted,
    bar,
    card,
    columns,
    facts,
    panel,
    quiet,
    table,
)
from modellint.results.inspection import (
    Engine,
    Estimate,
    Inspection,
    LanguageModel,
    Memory,
    Placed,
    Roofline,
    Time,
)

TONES = {"fits": "good", "tight": "fair", "does not fit": "poor", None: ""}
PARTS = ("weights", "activations", "workspace", "inputs-outputs", "kv-cache", "overhead")


def parts_of(needs: Memory) -> list[tuple[str, Estimate]]:
    weights = Estimate(needs.weights, needs.weights, needs.weights, "derived")
    return [
        ("weights", weights),
        ("activations", needs.activations),
        ("workspace", needs.workspace),
        ("inputs-outputs", needs.inputs_outputs),
        ("kv-cache", needs.kv_cache),
        ("overhead", needs.overhead),
    ]


WORDS = {
    "inputs-outputs": "inputs and outputs",
    "kv-cache": "cache of keys and values",
    "overhead": "the runtime's own",
}


def memory_bar(needs: Memory) -> Markup:
    parts = [
        (kind, float(size.expected), f"{WORDS.get(kind, kind)}: {format_bytes(size.expected)}")
        for kind, size in parts_of(needs)
    ]
    whole = float(needs.usable or needs.total.expected)
    said = "; ".join(told for _, size, told in parts if size)
    return bar(said, parts, whole)


def memory_card(needs: Memory) -> Markup:
    total = format_bytes(needs.total.expected)
    if needs.cache_unknown is not None:
        total = f"at least {format_bytes(needs.total.low)}"
    of = f"of {format_bytes(needs.usable)}" if needs.usable is not None else "expected"
    verdict = {"fits": "fits", "tight": "tight", "does not fit": "does not fit", None: ""}
    return card(
        f"Memory{f' on {needs.device}' if needs.device else ''}",
        total,
        quiet(f" {of}{f', {verdict[needs.verdict]}' if needs.verdict else ''}"),
        memory_bar(needs),
        tone=TONES[needs.verdict],
    )


def time_card(needs: Memory, time: Time | None) -> Markup | None:
    """Return the expected time of a run, or else the bound on it."""
    bound = needs.roofline
    on = f" on {needs.device}" if needs.device else ""
    least = f"at least {timing(bound.seconds)}" if bound is not None else ""
    if time is not None:
        parts = [
            ("compute-bound", time.parts.compute, f"arithmetic {timing(time.parts.compute)}"),
            ("memory-bound", time.parts.memory, f"memory {timing(time.parts.memory)}"),
            ("overhead", time.parts.overhead, f"launching {timing(time.parts.overhead)}"),
        ]
        said = ", ".join(told for _, _, told in parts)
        more = [said, f"confidence: {time.confidence}", least]
        return card(
            f"Expected time per run{on}",
            timing(time.expected),
            quiet(f" {timing(time.low)} to {timing(time.high)}, {time.precision}"),
            bar(said, parts, time.expected),
            element("p", " · ".join(filter(None, more)), class_="quiet"),
        )
    if bound is None:
        return None
    waits = f"{bound.memory_share:.0%} of it waiting for memory"
    parts = [
        ("memory-bound", bound.memory_share, "waiting for memory"),
        ("compute-bound", 1 - bound.memory_share, "computing"),
    ]
    return card(
        f"Minimum time per run{on}",
        timing(bound.seconds),
        quiet(f" in {bound.precision}, {waits}"),
        bar(waits, parts, 1.0),
    )


def engine_card(engine: Engine) -> Markup:
    """Return what types an engine's layers compute in, and how many only convert."""
    said = ", ".join(f"{count:,} in {kind}" for kind, count in engine.types.items())
    reformats = counted(engine.reformats, "reformat")
    parts = [("plain", float(sum(engine.types.values())), said)]
    parts.append(("overhead", float(engine.reformats), reformats))
    return card(
        "Layers of the engine",
        f"{len(engine.layers):,}",
        quiet(f" {said}" if said else ""),
        bar(f"{said}; {reformats}", parts, float(len(engine.layers))),
        element("p", reformats, class_="quiet") if engine.reformats else None,
    )


def placement_card(placed: Placed) -> Markup:
    """Return how many nodes the accelerator takes, and in how many pieces."""
    taken, whole = placed.nodes.get(placed.accelerator, 0), sum(placed.nodes.values())
    left = whole - taken
    said = f"{left:,} left to the {placed.fallback or 'host'}" if left else "all of them"
    pieces = counted(placed.partitions, "partition")
    parts = [("weights", float(taken), f"{taken:,} taken"), ("activations", float(left), said)]
    return card(
        f"Nodes on {placed.accelerator}",
        f"{taken:,}",
        quiet(f" of {whole:,} nodes in {pieces}, {said}"),
        bar(said, parts, float(whole)),
        tone="good" if taken == whole else "fair" if taken else "poor",
    )


def size_card(told: Inspection) -> Markup | None:
    if told.parameters is None and told.nodes is None:
        return None
    figure = quantity(told.parameters) if told.parameters is not None else f"{told.nodes:,}"
    unit = " parameters" if told.parameters is not None else " nodes"
    more = []
    if told.parameters is not None and told.nodes is not None:
        more.append(f"{told.nodes:,} nodes")
    if told.known_macs:
        more.append(f"{'' if told.macs is not None else '≥ '}{work(told.known_macs)} MACs")
    if told.identity is not None:
        more.append(format_bytes(told.identity.all_bytes))
    return card("Size", figure, quiet(unit), element("p", " · ".join(more), class_="quiet"))


def language_card(told: LanguageModel) -> Markup | None:
    if not told.contexts:
        return None
    longest = told.contexts[-1]
    of = f"of {format_bytes(told.room)}" if told.room is not None else "expected"
    parts = [
        ("weights", float(longest.weights), f"weights: {format_bytes(longest.weights)}"),
        ("kv-cache", float(longest.cache), f"cache: {format_bytes(longest.cache)}"),
        ("workspace", float(longest.compute), f"compute: {format_bytes(longest.compute)}"),
        ("overhead", float(longest.overhead), f"runtime: {format_bytes(longest.overhead)}"),
    ]
    return card(
        f"Memory with {longest.tokens:,} tokens",
        format_bytes(longest.total),
        quiet(f" {of}{f', {longest.verdict}' if longest.verdict else ''}"),
        bar("; ".join(said for _, _, said in parts), parts, float(told.room or longest.total)),
        tone=TONES[longest.verdict],
    )


def needs_panels(told: Inspection) -> Iterator[Markup | None]:
    estimates = told.estimates
    if len(estimates) == 1:
        yield from _one(estimates[0])
    elif estimates:
        yield panel("Devices", _devices(estimates), is_wide=True)
    if told.llm is not None:
        yield panel("Memory by length of the context", _contexts(told.llm), is_wide=True)


def _one(needs: Memory) -> Iterator[Markup | None]:
    rows: list[list[Cell | Sorted]] = [
        [
            joined([element("span", class_=f"swatch {kind}"), WORDS.get(kind, kind)]),
            *(Sorted(format_bytes(each), each) for each in (size.low, size.expected, size.high)),
            size.confidence,
        ]
        for kind, size in [*parts_of(needs), ("total", needs.total)]
        if size.high
    ]
    if needs.cache_unknown is not None:
        rows.insert(-1, [WORDS["kv-cache"], "", "", "", "not known"])
        rows[-1][0] = "at least"
    yield panel(
        f"Memory{f' on {needs.device}' if needs.device else ''}",
        table(
            "memory by part",
            columns("part", "#low", "#expected", "#high", "confidence"),
            rows,
        ),
        facts(
            [
                ("runtime", " ".join(filter(None, (needs.runtime, needs.version)))),
                ("precision", needs.precision),
                ("largest batch", f"{needs.largest_batch:,}" if needs.largest_batch else None),
                ("smallest device", needs.smallest_target),
                (
                    "not counted",
                    f"{needs.unknown_tensors:,} tensors of unknown size"
                    if needs.unknown_tensors
                    else None,
                ),
            ]
        ),
    )
    if needs.peak is not None:
        yield panel(
            "Activations at their peak",
            element("p", f"{needs.peak.op_type} ", name(needs.peak.node)),
            table(
                "tensors alive at the peak",
                columns("tensor", "type", "#bytes"),
                [
                    [
                        name(each.name),
                        each.dtype or "?",
                        Sorted(format_bytes(each.bytes), each.bytes),
                    ]
                    for each in needs.peak.tensors
                ],
            ),
        )
    if needs.roofline is not None:
        yield _time(needs.roofline)
    if needs.table:
        yield panel("Batches", _batches(needs))


def _time(bound: Roofline) -> Markup | None:
    rows: list[list[Cell | Sorted]] = [
        [
            name(each.node),
            each.op_type,
            Sorted(timing(each.seconds), each.seconds),
            Sorted(f"{each.share:.1%}", each.share),
            each.bound,
        ]
        for each in bound.slowest
    ]
    return panel(
        "Time, at least",
        facts(
            [
                ("peak", f"{format_rate(bound.peak)} TOPS in {bound.precision}"),
                ("bandwidth", format_bandwidth(bound.bandwidth)),
                (
                    "intensity",
                    f"{bound.intensity:.3g} operations per byte; both are busy at {bound.ridge:.3g}"
                    if bound.intensity is not None
                    else None,
                ),
                (
                    "runs",
                    f"{bound.per_second:,.0f} per second at most" if bound.per_second else None,
                ),
            ]
        ),
        table(
            "slowest nodes", columns("slowest", "operator", "#time", "#share", "waits for"), rows
        ),
    )


def _batches(needs: Memory) -> Markup:
    assert needs.table
    batches = [cell.batch for cell in needs.table[0].cells]
    return table(
        "memory by precision and batch",
        columns("precision", *(f"#batch {batch:,}" for batch in batches)),
        [
            [
                row.precision,
                *(
                    element(
                        "span",
                        format_bytes(cell.expected) if cell.expected is not None else "–",
                        class_=TONES[cell.verdict],
                        title=cell.verdict,
                    )
                    for cell in row.cells
                ),
            ]
            for row in needs.table
        ],
    )


def _devices(estimates: Sequence[Memory]) -> Markup:
    return table(
        "memory and time by device",
        columns("device", "verdict", "#memory", "#usable", "#time, at least", "precision"),
        [
            [
                each.device or each.target or "any",
                element("span", each.verdict or "", class_=TONES[each.verdict]),
                Sorted(format_bytes(each.total.expected), each.total.expected),
                Sorted(format_bytes(each.usable), each.usable) if each.usable else "",
                Sorted(timing(each.roofline.seconds), each.roofline.seconds)
                if each.roofline is not None
                else "",
                each.precision,
            ]
            for each in estimates
        ],
    )


def _contexts(told: LanguageModel) -> Markup:
    return table(
        "memory by length of the context",
        columns("#tokens", "#weights", "#cache", "#compute", "#total", "verdict", "#tokens/s"),
        [
            [
                each.tokens,
                Sorted(format_bytes(each.weights), each.weights),
                Sorted(format_bytes(each.cache), each.cache),
                Sorted(format_bytes(each.compute), each.compute),
                Sorted(format_bytes(each.total), each.total),
                element("span", each.verdict or "", class_=TONES[each.verdict]),
                Sorted(f"{each.decode:,.1f}", each.decode) if each.decode else "",
            ]
            for each in told.contexts
        ],
    )
