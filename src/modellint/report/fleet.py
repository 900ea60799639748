"""Pages about runs over many models: what was found, where, and what is different from before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from modellint.base.text import counted, duration, listed
from modellint.base.units import format_bytes
from modellint.report.markdown import MARK, code, prose
from modellint.report.options import Options
from modellint.report.overview import NOUNS
from modellint.report.page import Page
from modellint.report.table import Row, figures, markdown, names
from modellint.report.table import prose as prose_column
from modellint.report.text import GOOD, POOR, SEVERITIES, Text
from modellint.results.finding import Severity
from modellint.results.surveyed import (
    Counts,
    FleetTrend,
    Survey,
    SurveyedGroup,
    SurveyedModel,
    SurveyedRun,
)

MOST_GROUPS, MOST_MODELS, MOST_RULES = 30, 10, 8
"""Rows without --verbose."""
LEVELS = sorted(Severity, reverse=True)


def write_run(run: SurveyedRun, earlier: int, stream: TextIO, options: Options) -> None:
    """Write what a run has done; `earlier` models were done before this session."""
    page = Page(stream, options)
    page.heading(page.path(run.results))
    page.field("Found", found_in(run))
    page.field("Run", ran(run))
    if earlier:
        page.field(
            "Resumed",
            f"{counted(earlier, 'model')} {'was' if earlier == 1 else 'were'} done before",
        )
    page.field("Next", page.path(f"modellint fleet report {run.results}"))


def write_survey(survey: Survey, stream: TextIO, options: Options) -> None:
    page = Page(stream, options)
    run, trend = survey.run, survey.trend
    page.heading(page.path(run.results))
    page.field("Found", found_in(run))
    page.field("Models", fit(survey))
    page.field("For", page.words(listed(run.deployments, 3)))
    page.field("Run", f"{ran(run)}, {when(run)}")
    if survey.against is not None and trend is not None:
        page.field("Against", page.path(f"{survey.against.results}, {when(survey.against)}"))
        page.field("New", _colored(trend.new, POOR))
        page.field("Fixed", _colored(trend.fixed, GOOD))
        page.field("Changes", models_changed(trend))
    if survey.died:
        page.field("Died", page.path(f"{listed(survey.died, 3)}"))
    for note in survey.notes:
        page.field("Note", page.words(note))
    _write_groups(page, survey, options)
    if trend is not None:
        _write_rules(page, "New by rule", trend.new_by_rule, options)
        _write_rules(page, "Fixed by rule", trend.fixed_by_rule, options)
    _write_worst(page, survey, options)
    _write_slowest(page, survey, options)


def found_in(run: SurveyedRun) -> str:
    hidden = f"; {run.suppressed:,} suppressed" if run.suppressed else ""
    return f"{tally(run.counts)} in {counted(run.models, 'model')}{hidden}"


def fit(survey: Survey) -> str:
    """Return `450 of 518 models (87%) have no errors`."""
    fine, models = survey.without_errors, survey.run.models
    share = f" ({fine / models:.0%})" if models else ""
    return f"{fine:,} of {counted(models, 'model')}{share} have no errors"


def ran(run: SurveyedRun) -> str:
    workers = counted(run.workers, "worker")
    rate = f", {run.models / run.seconds:.1f} models per second" if run.seconds > 1 else ""
    state = "" if run.finished is not None else "not finished; "
    return f"{state}{workers} of {run.engine}, {duration(run.seconds)}{rate}"


def when(run: SurveyedRun) -> str:
    """Return `2026-11-30 01:50 UTC`."""
    day, _, time = run.started.partition("T")
    return f"{day} {time[:5]} UTC"


def tally(counts: Counts) -> str:
    """Return `2 errors, 1 warning`."""
    numbers = zip(LEVELS, counts.rank, strict=True)
    return ", ".join(counted(n, *NOUNS[each]) for each, n in numbers if n) or "nothing"


def models_changed(trend: FleetTrend) -> str:
    numbers = {"added": trend.added, "removed": trend.removed, "changed": trend.changed}
    return ", ".join(f"{number:,} {name}" for name, number in numbers.items() if number) or "none"


def change(group: SurveyedGroup) -> int | None:
    """Return how many findings there are more than before."""
    return group.counts.total - group.before.total if group.before is not None else None


def signed(number: int | None) -> str:
    return "" if number is None else f"{number:+,}" if number else "0"


def share_clean(group: SurveyedGroup) -> str:
    return f"{group.clean / group.models:.0%}" if group.models else ""


def whose_models(survey: Survey) -> bool:
    """Return True if groups have models of their own, with and without findings."""
    return survey.by in ("owner", "team")


def _colored(counts: Counts, style: str) -> Text:
    return Text(tally(counts), style if counts.total else "")


def _write_groups(page: Page, survey: Survey, options: Options) -> None:
    groups = survey.groups if options.verbose else survey.groups[:MOST_GROUPS]
    if not groups:
        return
    page.blank()
    page.table(
        (
            names(survey.by, least=12),
            prose_column("", drop=3, least=16),
            figures("models"),
            figures("clean", drop=2),
            *(figures(NOUNS[level][1]) for level in LEVELS),
            figures("change", drop=1),
        ),
        [_row(page, survey, group) for group in groups],
    )
    _write_left(page, len(survey.groups) - len(groups))


def _row(page: Page, survey: Survey, group: SurveyedGroup) -> Row:
    more = change(group)
    return [
        page.words(group.name),
        page.words(group.title),
        f"{group.models:,}",
        share_clean(group) if whose_models(survey) else "",
        *_numbers(group.counts),
        Text(signed(more), POOR if (more or 0) > 0 else GOOD if more else ""),
    ]


def _numbers(counts: Counts) -> list[Text]:
    return [
        Text(f"{number:,}", SEVERITIES[str(level)] if number else "")
        for level, number in zip(LEVELS, counts.rank, strict=True)
    ]


def _write_rules(page: Page, label: str, rules: Mapping[str, int], options: Options) -> None:
    items = [f"{code} {number:,}" for code, number in rules.items()]
    shown = items if options.verbose else items[:MOST_RULES]
    if len(shown) < len(items):
        shown.append(f"{len(items) - len(shown):,} more")
    if shown:
        page.blank()
        page.field(label, ", ".join(shown))


def _write_worst(page: Page, survey: Survey, options: Options) -> None:
    rows = _shown(survey.worst, options)
    if not rows:
        return
    page.blank()
    page.table(
        (
            names("most findings", least=48),
            *(figures(NOUNS[level][1]) for level in LEVELS),
            prose_column("owners", drop=1, least=10),
        ),
        [[page.path(m.path), *_numbers(m.counts), page.words(" ".join(m.owners))] for m in rows],
    )


def _write_slowest(page: Page, survey: Survey, options: Options) -> None:
    rows = _shown(survey.slowest, options)
    if not rows:
        return
    page.blank()
    page.table(
        (names("slowest", least=48), figures("time"), figures("size")),
        [[page.path(m.path), duration(m.seconds), format_bytes(m.bytes)] for m in rows],
    )


def _shown(models: Sequence[SurveyedModel], options: Options) -> Sequence[SurveyedModel]:
    return models if options.verbose else models[:MOST_MODELS]


def _write_left(page: Page, left: int) -> None:
    if left:
        page.line(f"and {left:,} more; --verbose shows all")


# Markdown


def markdown_of(survey: Survey) -> str:
    return "".join(f"{line}\n" for line in _lines(survey))


def _lines(survey: Survey) -> Iterator[str]:
    run, trend = survey.run, survey.trend
    yield MARK
    yield "## modellint fleet"
    yield ""
    yield f"**{found_in(run)}**"
    yield ""
    yield prose(f"{listed(run.deployments, 3)}; {ran(run)}, {when(run)}")
    if trend is not None and survey.against is not None:
        yield ""
        against = f"Against the run of {when(survey.against)}"
        yield prose(
            f"{against}: new {tally(trend.new)}; fixed {tally(trend.fixed)}; "
            f"models: {models_changed(trend)}."
        )
    for note in survey.notes:
        yield ""
        yield prose(f"Note: {note}.")
    yield ""
    yield from _markdown_groups(survey)
    if survey.worst:
        yield ""
        titles = ("most findings", *(NOUNS[level][1] for level in LEVELS))
        rows = survey.worst[:MOST_MODELS]
        yield from markdown(titles, [[code(m.path), *map(str, m.counts.rank)] for m in rows])


def _markdown_groups(survey: Survey) -> Iterator[str]:
    owned, compared = whose_models(survey), survey.trend is not None
    titles = [survey.by, "models", *(["clean"] if owned else [])]
    titles += [NOUNS[level][1] for level in LEVELS] + (["change"] if compared else [])
    rows = [
        [
            prose(f"{group.name} {group.title}".strip()),
            f"{group.models:,}",
            *([share_clean(group)] if owned else []),
            *(f"{number:,}" for number in group.counts.rank),
            *([signed(change(group))] if compared else []),
        ]
        for group in survey.groups[:MOST_GROUPS]
    ]
    yield from markdown(titles, rows)
    if len(survey.groups) > MOST_GROUPS:
        yield ""
        yield f"and {len(survey.groups) - MOST_GROUPS:,} more"
