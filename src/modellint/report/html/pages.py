"""Pages: the answer first, then findings, the graph, charts and details of each model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace

from modellint.base.records import dataclass
from modellint.base.text import counted, quantity, timing
from modellint.base.units import format_bytes
from modellint.base.version import __version__
from modellint.report.assumed import sentences
from modellint.report.grouping import Section, sections
from modellint.report.html.charts import charts_section
from modellint.report.html.details import details_section
from modellint.report.html.document import data, document
from modellint.report.html.findings import findings_section, first_steps, told_apart
from modellint.report.html.graph import graph_section
from modellint.report.html.markup import Markup, element, name
from modellint.report.html.needs import (
    TONES,
    engine_card,
    language_card,
    memory_card,
    placement_card,
    size_card,
    time_card,
)
from modellint.report.html.parts import Cell, Sorted, card, columns, quiet, section, table
from modellint.report.html.probes import probes_table
from modellint.report.options import Options
from modellint.report.overview import NOUNS
from modellint.report.strict import dumps
from modellint.results.drawing import Drawing
from modellint.results.finding import Finding, ModelSummary, Probed, Result, Severity
from modellint.results.inspection import Engine, Inspection, Memory, Together, Verdict

Look = tuple[Inspection, "Drawing | None"]
"""A model as it was inspected and drawn."""
Row = list["Cell | Sorted"]
FITS: Mapping[Verdict, str] = {
    "fits": "Fits",
    "tight": "Fits, but only just",
    "does not fit": "Does not fit",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The first words of a page."""

    said: str
    tone: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class ModelPage:
    """One model of a page, ready to be put together."""

    path: str
    answer: Answer
    cards: Sequence[Markup | None]
    sections: Sequence[Markup | None]
    row: Row
    """Its row in the table of several models, after its name."""
    steps: Markup | None = None


def page(
    what: str,
    models: Sequence[ModelPage],
    heads: Sequence[str],
    json: object,
    notes: Iterable[str] = (),
    answer: Answer | None = None,
    first: Markup | None = None,
) -> str:
    """Return the whole file; several models get an index, and show one at a time."""
    several = len(models) > 1
    articles = [_article(f"m{at}", model, several=several) for at, model in enumerate(models)]
    title = models[0].path.replace("\\", "/").rpartition("/")[2] if len(models) == 1 else what
    body = [
        element("a", "Skip to the answer", href="#answer", class_="skip"),
        _top(what),
        element(
            "main",
            _index(models, heads, answer) if several else None,
            first,
            articles,
            id="answer",
        ),
        element(
            "footer",
            [element("p", note) for note in notes],
            element("p", f"Written by modellint {__version__}. Nothing in this file is fetched."),
        ),
        data("report-data", dumps(json)),
    ]
    return document(f"{title} · modellint", body)


def _top(what: str) -> Markup:
    buttons = [
        element("button", "JSON", type="button", id="save-json", title="Save the data as JSON"),
        element("button", "Print", type="button", id="print"),
        element(
            "button", "Theme", type="button", id="theme", title="Light, dark, or as the system"
        ),
    ]
    logo = element("span", class_="logo", aria_hidden="true")
    return element(
        "header",
        element("span", logo, "modellint", class_="brand"),
        element("span", what, class_="quiet"),
        element("div", buttons, class_="buttons scripted"),
        class_="top",
    )


def _article(key: str, model: ModelPage, *, several: bool) -> Markup:
    nav = element("nav", class_="sections scripted", aria_label="Sections")
    back = element("a", "All models", href="#", class_="back") if several else None
    folder, _, last = model.path.replace("\\", "/").rpartition("/")
    title = "h2" if several else "h1"
    return element(
        "article",
        back,
        element(
            "div",
            element("p", name(f"{folder}/") if folder else None, class_="folder"),
            element(title, name(last), class_="file"),
            element("p", model.answer.said, class_=f"verdict {model.answer.tone}"),
            element("p", model.answer.more, class_="more") if model.answer.more else None,
            element("dl", model.cards, class_="cards") if any(model.cards) else None,
            model.steps,
            class_=f"hero {model.answer.tone}",
        ),
        nav,
        model.sections,
        class_="model",
        id=key,
        data_path=model.path,
    )


def _index(models: Sequence[ModelPage], heads: Sequence[str], answer: Answer | None) -> Markup:
    above = common_folder([model.path for model in models])
    rows = [
        [element("a", name(model.path.removeprefix(above)), href=f"#m{at}"), *model.row]
        for at, model in enumerate(models)
    ]
    said = answer or Answer(counted(len(models), "model"), "")
    return element(
        "section",
        element("h1", said.said, class_=f"verdict {said.tone}"),
        element("p", said.more, class_="more") if said.more else None,
        element("p", name(above), class_="folder") if above else None,
        table("models", columns("model", *heads), rows, key="models"),
        class_="index",
        id="index",
    )


def common_folder(paths: Sequence[str]) -> str:
    """Return the folder that all paths begin with, with its last slash."""
    least, most = min(paths), max(paths)
    same = next((at for at, (a, b) in enumerate(zip(least, most, strict=False)) if a != b), 0)
    return least[: least.rfind("/", 0, same) + 1]


# Check


def check_page(result: Result, options: Options, looks: Sequence[Look] = ()) -> str:
    """Return the page of a run; with looks at its models, it shows their graphs and needs."""
    from modellint.report.contract import document as as_json

    by_path = {inspection.path: (inspection, drawing) for inspection, drawing in looks}
    models = [
        _checked(f"m{at}", part, *by_path.get(part.path, (None, None)))
        for at, part in enumerate(sections(result))
    ]
    heads = ("verdict", *(f"#{NOUNS[each][1]}" for each in sorted(Severity, reverse=True)))
    figures = ("#nodes", "#parameters", "#weights", "memory", "#expected time")
    return page(
        "Check",
        models,
        (*heads, *figures),
        as_json(replace(result, seconds=0.0)),  # the same result is the same file
        [*sentences(result)],
        _verdict(result.active, len(result.models)),
    )


def _verdict(findings: Sequence[Finding], models: int = 1) -> Answer:
    numbers = [
        counted(count, *NOUNS[severity])
        for severity in sorted(NOUNS, reverse=True)
        if (count := sum(finding.severity is severity for finding in findings))
    ]
    of = f" in {models:,} models" if models > 1 else ""
    if not numbers:
        return Answer(f"Passes, nothing found{of}", "good")
    said = f"{', '.join(numbers)}{of}"
    worst = max(finding.severity for finding in findings)
    if worst is Severity.ERROR:
        return Answer(said, "poor")
    return Answer(f"No errors, {said}", "fair" if worst is Severity.WARNING else "good")


def _checked(
    key: str, part: Section, told: Inspection | None, drawing: Drawing | None
) -> ModelPage:
    answer = _verdict(part.findings)
    groups = part.groups
    return ModelPage(
        part.path,
        Answer(answer.said, answer.tone, _traits(part.model, told)),
        _cards(told) if told is not None else [_plain_size(part.model)],
        [
            findings_section(key, groups, part.suppressed),
            *_pictures(key, told, drawing, told_apart(groups)),
        ],
        [
            _worst(part.findings),
            *(_count(part, severity) for severity in sorted(Severity, reverse=True)),
            *_summary_cells(part.model),
            *_need_cells(told),
        ],
        first_steps(key, groups),
    )


def _worst(findings: Sequence[Finding]) -> Sorted:
    worst = max((finding.severity for finding in findings), default=None)
    if worst is None:
        return Sorted(element("span", "passes", class_="chip good"), 0)
    return Sorted(element("span", str(worst), class_=f"chip {worst}"), int(worst))


def _count(part: Section, severity: Severity) -> Sorted:
    count = part.count(severity)
    tone = str(severity) if count else "quiet"
    return Sorted(element("span", f"{count:,}", class_=tone), count)


def _traits(model: ModelSummary | None, told: Inspection | None) -> str:
    parts = [model.format] if model is not None and model.format != "unknown" else []
    if told is not None and told.identity is not None and told.identity.producer:
        parts.append(told.identity.producer)
    if told is not None and told.assumptions:
        parts += [each.deployment for each in told.assumptions[:2]]
    if model is not None and model.rules_planned:
        parts.append(f"{model.rules_asked} of {model.rules_planned} rules apply")
    return " · ".join(parts)


def _plain_size(model: ModelSummary | None) -> Markup | None:
    if model is None or model.parameters is None:
        return None
    return card("Size", quantity(model.parameters), quiet(" parameters"))


def _summary_cells(model: ModelSummary | None) -> Row:
    if model is None:
        return ["", "", ""]
    return [
        model.nodes if model.nodes is not None else "",
        Sorted(quantity(model.parameters), model.parameters) if model.parameters else "",
        Sorted(format_bytes(model.weight_bytes), model.weight_bytes) if model.weight_bytes else "",
    ]


def _need_cells(told: Inspection | None) -> Row:
    estimates = told.estimates if told is not None else []
    if not estimates:
        return ["", ""]
    needs = estimates[0]
    time = (told.time or {}).get(needs.target or "") if told is not None else None
    return [
        Sorted(_memory(needs), needs.total.expected),
        Sorted(timing(time.expected), time.expected) if time is not None else "",
    ]


def _memory(needs: Memory) -> Markup:
    said = format_bytes(needs.total.expected)
    verdict = f", {needs.verdict}" if needs.verdict else ""
    return element("span", f"{said}{verdict}", class_=TONES[needs.verdict])


def _cards(told: Inspection) -> list[Markup | None]:
    needs = told.estimates[0] if told.estimates else None
    return [
        memory_card(needs) if needs is not None else None,
        language_card(told.llm) if told.llm is not None and needs is None else None,
        time_card(needs, (told.time or {}).get(needs.target or "")) if needs is not None else None,
        engine_card(told.engine) if told.engine is not None else None,
        *(placement_card(each) for each in [*(told.placement or {}).values()][:1]),
        size_card(told),
    ]


def _pictures(
    key: str, told: Inspection | None, drawing: Drawing | None, findings: Sequence[Finding]
) -> list[Markup | None]:
    return [
        graph_section(key, drawing, findings) if drawing is not None and drawing.nodes else None,
        charts_section(key, told) if told is not None else None,
        details_section(key, told) if told is not None else None,
    ]


# Inspect


def inspect_page(looks: Sequence[Look], total: Together | None = None) -> str:
    models = [_inspected(f"m{at}", *look) for at, look in enumerate(looks)]
    json: list[object] = [inspection.to_json() for inspection, _ in looks]
    if total is not None:
        json.append({"together": asdict(total)})
    figures = ("#nodes", "#parameters", "#MACs", "#weights", "memory", "#expected time")
    one_or_all = json if len(json) > 1 else json[0]
    return page("Inspect", models, ("format", *figures), one_or_all, answer=_fits(looks))


def _fits(looks: Sequence[Look]) -> Answer | None:
    """Answer how many of several models fit, if that is known of all."""
    verdicts = [told.estimates[0].verdict for told, _ in looks if told.estimates]
    if len(verdicts) < len(looks) or None in verdicts:
        return None
    fitting = sum(verdict != "does not fit" for verdict in verdicts)
    device = looks[0][0].estimates[0].device
    on = f" on {device}" if device else ""
    tone = "good" if fitting == len(looks) else "poor"
    return Answer(f"{fitting:,} of {counted(len(looks), 'model')} fit{on}", tone)


def _inspected(key: str, told: Inspection, drawing: Drawing | None) -> ModelPage:
    return ModelPage(
        told.path,
        _fit(told),
        _cards(told),
        _pictures(key, told, drawing, ()),
        _inspected_row(told),
    )


def _fit(told: Inspection) -> Answer:
    """Answer whether a model fits its device, or else what it is."""
    more = _traits(None, told)
    if not told.is_readable:
        return Answer("Cannot be read", "poor", " ".join(each.message for each in told.problems))
    estimates = told.estimates
    if len(estimates) > 1:
        fitting = sum(each.verdict == "fits" for each in estimates)
        said = f"Fits {fitting:,} of {counted(len(estimates), 'device')}"
        return Answer(said, "good" if fitting else "poor", more)
    if told.llm_devices:
        fitting = sum(each.verdict == "fits" for each in told.llm_devices)
        said = f"Fits {fitting:,} of {counted(len(told.llm_devices), 'device')}"
        return Answer(said, "good" if fitting else "poor", more)
    verdict = estimates[0].verdict if estimates else None
    device = estimates[0].device if estimates else None
    if verdict is None and told.llm is not None and told.llm.contexts:
        verdict, device = told.llm.contexts[-1].verdict, told.llm.target
    if verdict is not None:
        said = f"{FITS[verdict]}{f' on {device}' if device else ''}"
        return Answer(said, TONES[verdict], more)
    if told.engine is not None:
        return Answer(_became(told.engine), "poor" if _is_worse(told.engine) else "", more)
    kinds = [f"{each.kind} ×{each.count}" for each in told.blocks or ()]
    return Answer(", ".join(kinds) or told.format, "", more)


def _became(engine: Engine) -> str:
    layers = counted(len(engine.layers), "layer")
    if engine.became is None:
        return layers
    return f"{counted(engine.became.nodes, 'node')} became {layers}"


def _is_worse(engine: Engine) -> bool:
    """Return True if an engine computes in wider types than it was to."""
    return bool(engine.became is not None and engine.became.left_float)


def _inspected_row(told: Inspection) -> Row:
    weights = sum((told.weight_bytes or {}).values())
    return [
        told.format,
        told.nodes if told.nodes is not None else "",
        Sorted(quantity(told.parameters), told.parameters) if told.parameters is not None else "",
        Sorted(quantity(told.known_macs), told.known_macs) if told.known_macs is not None else "",
        Sorted(format_bytes(weights), weights),
        *_need_cells(told),
    ]


# Probe


def probe_page(result: Result, options: Options, looks: Sequence[Look] = ()) -> str:
    """Return the page of probes: what each runtime answered, and what rules say about it."""
    from modellint.report.probe import to_json

    by_path = {inspection.path: (inspection, drawing) for inspection, drawing in looks}
    models = [
        _probed(
            f"m{at}",
            part,
            [probed for probed in result.probes if probed.path == part.path],
            *by_path.get(part.path, (None, None)),
        )
        for at, part in enumerate(sections(result))
    ]
    heads = ("verdict", "#answers", "#errors", "#warnings")
    return page("Probe", models, heads, to_json(result), [*sentences(result)])


def _probed(
    key: str,
    part: Section,
    probes: Sequence[Probed],
    told: Inspection | None,
    drawing: Drawing | None,
) -> ModelPage:
    answer = _answers(probes)
    groups = part.groups
    return ModelPage(
        part.path,
        Answer(answer.said, answer.tone, _traits(None, told)),
        _cards(told) if told is not None else [_plain_size(part.model)],
        [
            section(f"{key}-probes", "Answers", probes_table(probes)) if probes else None,
            findings_section(key, groups, part.suppressed),
            *_pictures(key, told, drawing, told_apart(groups)),
        ],
        [
            element("span", answer.said, class_=answer.tone),
            len(probes),
            part.count(Severity.ERROR),
            part.count(Severity.WARNING),
        ],
        first_steps(key, groups),
    )


def _answers(probes: Sequence[Probed]) -> Answer:
    answered = [probed for probed in probes if probed.status != "unanswered"]
    taken = sum(probed.status == "accepted" for probed in answered)
    if not answered:
        return Answer("No runtime has answered", "fair")
    if len(answered) == 1:
        who = answered[0].backend
        return Answer(f"{who} {'takes it' if taken else 'refuses it'}", "good" if taken else "poor")
    tone = "good" if taken == len(answered) else "poor"
    return Answer(f"Taken in {taken:,} of {len(answered):,} probes", tone)
