"""Summarizes the results of a run, and compares them with those of an earlier one.

The tables are read once each, row by row, and all that is kept are counts, and of a comparison the
digests of findings: plain Python takes ten seconds for a million findings, and needs no database.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from modellint.base.errors import UsageError
from modellint.base.records import dataclass
from modellint.fleets.folders import results_folder
from modellint.fleets.owners import NONE, Owners
from modellint.fleets.results import read_findings, read_models, read_run
from modellint.results.surveyed import (
    By,
    Counts,
    FleetTrend,
    Survey,
    SurveyedGroup,
    SurveyedModel,
    SurveyedRun,
)

MOST = 20
"""Models in a list of the worst."""
ANY = "any device"
DIED = "INT002"
LEVELS = ("error", "warning", "info")
_COLUMNS = ("path", "code", "rule", "severity", "target", "fingerprint", "suppressed")

Tally = Counter[tuple[str, str]]
"""Numbers of findings by name and severity."""
Findings = dict[tuple[str, int], tuple[str, str]]


def survey(
    results: Path | str,
    by: By = "rule",
    against: Path | str | None = None,
    owners: Owners | None = None,
) -> Survey:
    """Summarize a run by rule, team, owner or target."""
    if by in ("team", "owner") and owners is None:
        raise UsageError(f"--by {by} needs --owners FILE")
    whose = owners or Owners()
    compares = against is not None
    now = _read(results, by, whose, compares=compares)
    before = _read(against, by, whose, compares=True) if against is not None else None
    names = {name for name, _ in now.tally} | now.models_of.keys()
    if before is not None:
        names |= {name for name, _ in before.tally} | before.models_of.keys()
    groups = [_group(name, now, before) for name in names]
    groups.sort(key=lambda group: (*(-count for count in group.counts.rank), group.name))
    return Survey(
        by=by,
        run=now.run,
        without_errors=sum(not model.counts.errors for model in now.models),
        groups=tuple(groups),
        worst=_most(now.models, lambda model: (*model.counts.rank, -len(model.path))),
        slowest=_most(now.models, lambda model: (model.seconds,)),
        died=tuple(sorted(now.died)),
        against=before.run if before is not None else None,
        trend=_trend(now, before) if before is not None else None,
        notes=tuple(_notes(now.run, before.run if before is not None else None)),
    )


@dataclass(slots=True)
class _Tables:
    """The contents of a run's tables, as far as they are kept."""

    run: SurveyedRun
    tally: Tally
    titles: dict[str, str]
    models_of: dict[str, int]
    """Models of each owner or team; empty for other groups."""
    affected: dict[str, set[str]]
    """Models with findings of each group."""
    models: list[SurveyedModel]
    editions: dict[str, str]
    findings: Findings
    """Code and severity by model and digest of what identifies a finding in it; empty unless runs
    are compared."""
    died: list[str]


def _read(results: Path | str, by: By, owners: Owners, *, compares: bool) -> _Tables:
    folder = results_folder(results)
    run = read_run(folder)
    keys = _keys(by, owners)
    tables = _Tables(
        run.surveyed(folder.shown), Counter(), {}, {}, defaultdict(set), [], {}, {}, []
    )
    for row in read_models(folder, run):
        _add_model(tables, row, by, owners)
    ordinals: Counter[tuple[str, int]] = Counter()
    for row in read_findings(folder, run, _COLUMNS):
        if row["code"] == DIED:
            tables.died.append(str(row["path"]))
        if row["suppressed"] is None:
            _add_finding(tables, row, keys(row), by)
            if compares:
                _identify(tables, row, ordinals)
    return tables


def _keys(by: By, owners: Owners) -> Callable[[Any], Sequence[str]]:
    if by == "rule":
        return lambda row: (row["code"],)
    if by == "target":
        return lambda row: (row["target"] or ANY,)
    return lambda row: _names(row["path"], by, owners)


def _names(path: str, by: By, owners: Owners) -> Sequence[str]:
    return owners.owners(path) if by == "owner" else owners.teams(path)


def _add_model(tables: _Tables, row: Any, by: By, owners: Owners) -> None:
    path = row["path"]
    counts = Counts(row["errors"], row["warnings"], row["infos"])
    whose = tuple(each for each in owners.owners(path) if each != NONE)
    tables.editions[path] = row["edition"]
    tables.models.append(SurveyedModel(path, counts, row["seconds"], row["bytes"], whose))
    if by in ("owner", "team"):
        for name in _names(path, by, owners):
            tables.models_of[name] = tables.models_of.get(name, 0) + 1


def _add_finding(tables: _Tables, row: Any, names: Sequence[str], by: By) -> None:
    for name in names:
        tables.tally[name, row["severity"]] += 1
        tables.affected[name].add(row["path"])
        if by == "rule":
            tables.titles[name] = row["rule"]


def _identify(tables: _Tables, row: Any, ordinals: Counter[tuple[str, int]]) -> None:
    digest = hash((row["code"], row["fingerprint"], row["target"]))
    ordinals[row["path"], digest] += 1
    key = row["path"], hash((digest, ordinals[row["path"], digest]))
    tables.findings[key] = row["code"], row["severity"]


def _group(name: str, now: _Tables, before: _Tables | None) -> SurveyedGroup:
    affected = len(now.affected.get(name, ()))
    models = now.models_of.get(name, affected)
    titles = (before.titles if before is not None else {}) | now.titles
    return SurveyedGroup(
        name=name,
        title=titles.get(name, ""),
        models=models,
        clean=models - affected,
        counts=_counts(now.tally, name),
        before=_counts(before.tally, name) if before is not None else None,
    )


def _counts(tally: Tally, name: str) -> Counts:
    return Counts(*(tally[name, level] for level in LEVELS))


def _most(
    models: Iterable[SurveyedModel], key: Callable[[SurveyedModel], tuple[float, ...]]
) -> tuple[SurveyedModel, ...]:
    """Return the models with the largest keys, of those that have one above zero."""
    found = [model for model in models if any(number > 0 for number in key(model))]
    found.sort(key=lambda model: model.path)
    return tuple(heapq.nlargest(MOST, found, key))


def _trend(now: _Tables, before: _Tables) -> FleetTrend:
    both = now.editions.keys() & before.editions.keys()
    new = _only(now.findings, before.findings, both)
    fixed = _only(before.findings, now.findings, both)
    worse: dict[str, list[str]] = defaultdict(list)
    for path, (_, severity) in new:
        worse[path].append(severity)
    counts = {path: _levels(severities) for path, severities in sorted(worse.items())}
    return FleetTrend(
        added=len(now.editions.keys() - both),
        removed=len(before.editions.keys() - both),
        changed=sum(now.editions[path] != before.editions[path] for path in both),
        new=_levels([severity for _, (_, severity) in new]),
        fixed=_levels([severity for _, (_, severity) in fixed]),
        new_by_rule=dict(Counter(code for _, (code, _) in new).most_common()),
        fixed_by_rule=dict(Counter(code for _, (code, _) in fixed).most_common()),
        worse=tuple(heapq.nlargest(MOST, counts.items(), lambda each: each[1].rank)),
    )


def _only(
    some: Findings, others: Findings, models: Collection[str]
) -> list[tuple[str, tuple[str, str]]]:
    """Return the findings of these models that are not among the others."""
    return [
        (path, found)
        for (path, digest), found in some.items()
        if path in models and (path, digest) not in others
    ]


def _levels(severities: Sequence[str]) -> Counts:
    return Counts(*(severities.count(level) for level in LEVELS))


def _notes(run: SurveyedRun, before: SurveyedRun | None) -> Iterator[str]:
    """Iterate over what makes figures partial, or hard to compare."""
    for each in (run, before):
        if each is not None and each.finished is None:
            yield f"{each.results} is not finished: figures are those of its models so far"
    if before is None:
        return
    if run.modellint != before.modellint:
        yield (
            f"the runs are of modellint {before.modellint} and {run.modellint}: what is new may "
            "come from new rules"
        )
    elif run.settings != before.settings and run.deployments == before.deployments:
        yield "the runs have different settings or rules, which is a reason for differences, too"
    if run.deployments != before.deployments:
        yield (
            f"the runs are for {'; '.join(before.deployments)} and for "
            f"{'; '.join(run.deployments)}: they differ for that reason, too"
        )
