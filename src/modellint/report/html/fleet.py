"""The page of a run over many models: what was found, by what, where, and what is new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from modellint.base.text import duration, listed
from modellint.base.units import format_bytes
from modellint.report.fleet import (
    LEVELS,
    change,
    fit,
    found_in,
    models_changed,
    ran,
    share_clean,
    signed,
    tally,
    when,
    whose_models,
)
from modellint.report.html.markup import Markup, element, name
from modellint.report.html.pages import Answer, ModelPage, page
from modellint.report.html.parts import (
    Cell,
    Sorted,
    card,
    columns,
    names,
    panel,
    quiet,
    rule_link,
    section,
    table,
)
from modellint.report.overview import NOUNS
from modellint.results.surveyed import Counts, FleetTrend, Survey, SurveyedGroup, SurveyedRun

COUNTED = tuple(f"#{NOUNS[level][1]}" for level in LEVELS)


def fleet_page(survey: Survey) -> str:
    run = survey.run
    told = ModelPage(
        run.results.rstrip("/\\") or run.results,
        Answer(found_in(run), _tone(run.counts), " · ".join(_setup(run))),
        [_models(survey), *_trend_cards(survey), _time(run)],
        [
            section("groups", f"By {survey.by}", _panel(_groups(survey))),
            _trend_section(survey.trend) if survey.trend is not None else None,
            section("models", "Models", _panel(_worst(survey)), _panel(_slowest(survey))),
            section("died", "Killed their process", _panel(names(survey.died, 60)))
            if survey.died
            else None,
        ],
        [],
    )
    return page("Fleet", [told], (), survey.to_json(), survey.notes)


def _tone(counts: Counts) -> str:
    return "poor" if counts.errors else "fair" if counts.warnings else "good"


def _setup(run: SurveyedRun) -> list[str]:
    return [listed(run.deployments, 3), when(run), f"modellint {run.modellint}"]


def _panel(*children: Markup | None) -> Markup | None:
    return element("div", children, class_="panel wide") if any(children) else None


def _models(survey: Survey) -> Markup:
    run = survey.run
    hidden = f", {run.suppressed:,} findings suppressed" if run.suppressed else ""
    said = f"{fit(survey)}{hidden}"
    return card("Models", f"{run.models:,}", element("p", said, class_="quiet"))


def _trend_cards(survey: Survey) -> Iterable[Markup]:
    trend = survey.trend
    if trend is None or survey.against is None:
        return
    since = quiet(f" since {when(survey.against)}")
    new, fixed = trend.new, trend.fixed
    yield card("New findings", f"{new.total:,}", since, element("p", tally(new), class_="quiet"))
    yield card(
        "Fixed findings", f"{fixed.total:,}", since, element("p", tally(fixed), class_="quiet")
    )


def _time(run: SurveyedRun) -> Markup:
    return card("Time", duration(run.seconds), element("p", ran(run), class_="quiet"))


def _groups(survey: Survey) -> Markup:
    owned, compared = whose_models(survey), survey.trend is not None
    heads = [survey.by, *([""] if survey.by == "rule" else []), "#models"]
    heads += [*(["#clean"] if owned else []), *COUNTED, *(["#change"] if compared else [])]
    rows = [_group(survey, group) for group in survey.groups]
    return table(f"by {survey.by}", columns(*heads), rows)


def _group(survey: Survey, group: SurveyedGroup) -> list[Cell | Sorted]:
    is_rule = survey.by == "rule"
    title = rule_link(group.name) if is_rule else name(group.name)
    row: list[Cell | Sorted] = [title, *([group.title] if is_rule else []), group.models]
    if whose_models(survey):
        row.append(Sorted(share_clean(group), group.clean / max(group.models, 1)))
    row += _counts(group.counts)
    if survey.trend is not None:
        more = change(group) or 0
        tone = "poor" if more > 0 else "good" if more < 0 else "quiet"
        row.append(Sorted(element("span", signed(more), class_=tone), more))
    return row


def _counts(counts: Counts) -> list[Cell | Sorted]:
    return [
        Sorted(element("span", f"{number:,}", class_=str(level) if number else "quiet"), number)
        for level, number in zip(LEVELS, counts.rank, strict=True)
    ]


def _trend_section(trend: FleetTrend) -> Markup | None:
    worse = table(
        "worse", columns("model", *COUNTED), [[name(p), *_counts(c)] for p, c in trend.worse]
    )
    return section(
        "trend",
        "Since the earlier run",
        element("p", f"Models: {models_changed(trend)}.", class_="quiet"),
        element(
            "div",
            panel("New by rule", _rules(trend.new_by_rule)),
            panel("Fixed by rule", _rules(trend.fixed_by_rule)),
            panel("Models with most that is new", worse, is_wide=True),
            class_="panels",
        ),
    )


def _rules(rules: Mapping[str, int]) -> Markup | None:
    if not rules:
        return None
    rows: list[list[Cell | Sorted]] = [[rule_link(code), number] for code, number in rules.items()]
    return table("rules", columns("rule", "#findings"), rows)


def _worst(survey: Survey) -> Markup | None:
    if not survey.worst:
        return None
    rows: list[list[Cell | Sorted]] = [
        [name(model.path), *_counts(model.counts), " ".join(model.owners)] for model in survey.worst
    ]
    return table("most findings", columns("most findings", *COUNTED, "owners"), rows)


def _slowest(survey: Survey) -> Markup | None:
    if not survey.slowest:
        return None
    rows: list[list[Cell | Sorted]] = [
        [
            name(model.path),
            Sorted(duration(model.seconds), model.seconds),
            Sorted(format_bytes(model.bytes), model.bytes),
        ]
        for model in survey.slowest
    ]
    return table("slowest", columns("slowest", "#time", "#size"), rows)
