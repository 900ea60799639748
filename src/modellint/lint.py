"""The run itself: paths in; files found, linted or remembered, findings weighed; result out."""

from __future__ import annotations

import datetime
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from modellint.base.data import cache_dir
from modellint.base.suggest import nearest
from modellint.cache import Cache, identify, plan_key
from modellint.config.load import CommandLine, Config, Configs
from modellint.config.settings import FailOn
from modellint.discovery import Discovery, Found, discover, shown_path
from modellint.finding import Finding, ModelSummary, Probed, Result, RuleInfo, Severity
from modellint.plan import FileReport, Plan
from modellint.planning import Scope, make_scope
from modellint.rules.baseline import DEFAULT_NAME, Baseline, read_baseline, write_baseline
from modellint.rules.remark import remark
from modellint.rules.suppression import EXPIRED, UNUSED, Suppression, suppress

if TYPE_CHECKING:
    from modellint.probes import Outcome as ProbeOutcome

FINDINGS, INTERNAL_ERROR = 1, 3
"""Exit codes; 0 is none of these, and 2 and 130 end a run before there is a result."""

DEPLOYMENT_SETTINGS = frozenset(
    {"targets", "runtime", "precision", "batch", "shapes", "symbols", "dla"}
)

Progress = Callable[[int, int], None]
"""Is told how many files are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of one run."""

    paths: Sequence[Path]
    command_line: CommandLine = field(default_factory=lambda: CommandLine({}))
    write_baseline: bool = False
    exit_zero: bool = False
    shown_as: Mapping[Path, str] = field(default_factory=dict)
    """Other names for files in findings, for what came through standard input."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result, and what the user may want to know besides."""

    result: Result
    notes: tuple[str, ...] = ()


def lint(request: Request, progress: Progress | None = None) -> Outcome:
    """Lint everything the request names."""
    return _Run(request, progress).outcome()


class _Run:
    def __init__(self, request: Request, progress: Progress | None) -> None:
        self.started = time.perf_counter()
        self.request = request
        self.progress = progress
        self.configs = Configs(request.command_line)
        self.notes: list[str] = []
        self.scopes: dict[Config, Scope] = {}
        self.baselines: dict[Path, Baseline] = {}

    def outcome(self) -> Outcome:
        here = self.configs.of(Path.cwd())
        discovery = discover(self.request.paths, self.configs)
        files = [self._renamed(found) for found in discovery.files]
        self._note_discovery(discovery)
        plans = {found: self._scope(found).plan_for(found.place) for found in files}
        reports = self._reports(files, plans, here)
        findings = self._weigh(files, reports, plans, discovery)
        self._note_unanswered(reports)
        self._note_unbound(reports.values())
        for scope in self.scopes.values():
            self.notes += scope.notes
        return Outcome(self._result(files, reports, plans, findings), tuple(self.notes))

    def _renamed(self, found: Found) -> Found:
        shown = self.request.shown_as.get(found.path)
        if shown is None:
            return found
        place = Path(shown)
        config = self.configs.of(place.parent if place.parent.is_dir() else Path.cwd())
        return replace(found, shown=shown, config=config, stands_for=place)

    def _scope(self, found: Found) -> Scope:
        if found.config not in self.scopes:
            self.scopes[found.config] = make_scope(found.config)
        return self.scopes[found.config]

    def _note_discovery(self, discovery: Discovery) -> None:
        self.notes += discovery.notes
        if discovery.hidden_by_git:
            count = _counted(discovery.hidden_by_git, "model file")
            self.notes.append(f"{count} left out because git ignores them (--no-respect-gitignore)")
        if not discovery.files:
            self.notes.append("no model files found")

    def _note_unanswered(self, reports: Mapping[Found, FileReport]) -> None:
        for found, report in reports.items():
            for outcome in report.probes:
                if not outcome.asked:
                    self.notes.append(f"{found.shown} was not probed: {outcome.detail}")
                elif outcome.detail and not outcome.died:
                    self.notes.append(f"{found.shown}: {outcome.detail}")

    def _note_unbound(self, reports: Iterable[FileReport]) -> None:
        """Sizes given on the command line for what none of the models has."""
        names = list(dict.fromkeys(name for report in reports for name in report.bindable))
        given = self.request.command_line.values
        for option, kind in (("shapes", "input"), ("symbols", "dim")):
            for name in given.get(option, ()):
                if names and name not in names:
                    near = nearest(name, names)
                    hint = f"; did you mean {near!r}?" if near else ""
                    self.notes.append(f"no {kind} is called {name!r}{hint}")

    # Linting, or remembering.

    def _reports(
        self, files: Sequence[Found], plans: Mapping[Found, Plan], here: Config
    ) -> dict[Found, FileReport]:
        keys = _PlanKeys()
        reports = {}
        cache = self._cache(here)
        if cache is not None:
            for found in files:
                probing = plans[found].probe
                if probing is not None and probing.save_engines is not None:
                    continue  # an engine is wanted, not what is remembered of it
                report = cache.load(found.path, found.shown, keys.of(plans[found]))
                if report is not None:
                    reports[found] = report
        left = [found for found in files if found not in reports]
        if left:
            reports |= self._lint(left, plans, here, cache, keys)
        return reports

    def _cache(self, here: Config) -> Cache | None:
        settings = here.settings
        if not settings.cache or self.request.shown_as:
            return None
        return Cache(here.path(settings.cache_dir) if settings.cache_dir else cache_dir())

    def _lint(
        self,
        files: Sequence[Found],
        plans: Mapping[Found, Plan],
        here: Config,
        cache: Cache | None,
        keys: _PlanKeys,
    ) -> dict[Found, FileReport]:
        # A run that finds all it needs in the cache needs no workers, nor what they load.
        from modellint.workers import Job, run

        different = list({id(plans[found]): plans[found] for found in files}.values())
        places = {id(plan): place for place, plan in enumerate(different)}
        jobs = {Job(found.path, found.shown, places[id(plans[found])]): found for found in files}
        before = {found: identify(found.path) for found in files} if cache is not None else {}
        reports: dict[Found, FileReport] = {}

        def done(job: Job, report: FileReport) -> None:
            found = jobs[job]
            reports[found] = report
            if cache is not None and _is_lasting(report):
                key = keys.of(plans[found])
                cache.store(found.path, found.shown, key, before[found], report)
            if self.progress is not None:
                self.progress(len(reports), len(files))

        # One probe at a time: each takes all cores, and its limits are meant for it alone.
        probing = any(plan.probe is not None for plan in different)
        run(list(jobs), different, 1 if probing else here.settings.jobs, done)
        return reports

    # Weighing what was found.

    def _weigh(
        self,
        files: Sequence[Found],
        reports: Mapping[Found, FileReport],
        plans: Mapping[Found, Plan],
        discovery: Discovery,
    ) -> list[tuple[Finding, FailOn]]:
        """Every finding, marked where it is suppressed, with the severity that fails its file."""
        weighed = []
        used: dict[Config, set[Suppression]] = defaultdict(set)
        stale = 0
        today = datetime.date.today()
        for found in files:
            scope = self.scopes[found.config]
            name = found.config.relative(found.place)
            findings, hits = suppress(reports[found].findings, name, scope.suppressions, today)
            used[found.config] |= hits
            baseline = self._baseline(found.config)
            if baseline is not None:
                path = _below(self._baseline_path(found.config), found.place)
                if self.request.write_baseline:
                    baseline.record(findings, path)
                findings, gone = baseline.apply(findings, path)
                stale += gone
            weighed += [(finding, found.config.settings.fail_on) for finding in findings]
        for config, scope in self.scopes.items():
            mine = [found for found in files if found.config is config]
            remarks = _Judge(scope, mine, plans, discovery.walked, self.request.command_line)
            weighed += [
                (finding, config.settings.fail_on)
                for finding in remarks.about_suppressions(used[config], today)
            ]
        if self.request.write_baseline:
            for file, known in self.baselines.items():
                write_baseline(file, known)
                self.notes.append(
                    f"{_counted(len(known), 'finding')} written to baseline {shown_path(file)}"
                )
        if stale:
            self.notes.append(
                f"{_counted(stale, 'baseline entry', 'baseline entries')} no longer found; "
                "--write-baseline drops them"
            )
        return weighed

    def _baseline(self, config: Config) -> Baseline | None:
        path = self._baseline_path(config)
        if config.settings.baseline is None and not self.request.write_baseline:
            return None
        if path not in self.baselines:
            fresh = self.request.write_baseline and not path.exists()
            self.baselines[path] = Baseline() if fresh else read_baseline(path)
        return self.baselines[path]

    def _baseline_path(self, config: Config) -> Path:
        if "baseline" in self.request.command_line.values:
            return Path(config.settings.baseline or DEFAULT_NAME)
        return config.path(config.settings.baseline or DEFAULT_NAME)

    def _result(
        self,
        files: Sequence[Found],
        reports: Mapping[Found, FileReport],
        plans: Mapping[Found, Plan],
        weighed: Sequence[tuple[Finding, FailOn]],
    ) -> Result:
        findings = tuple(finding for finding, _ in weighed)
        timings: Counter[str] = Counter()
        for report in reports.values():
            timings.update(report.timings)
        deployments = dict.fromkeys(
            deployment.describe() for found in files for deployment in plans[found].deployments
        )
        return Result(
            models=tuple(_summary(reports[found], found) for found in files),
            findings=findings,
            rules=self._rule_infos(files, plans, findings),
            exit_code=exit_code(weighed, exit_zero=self.request.exit_zero),
            seconds=time.perf_counter() - self.started,
            deployments=tuple(deployments),
            timings=dict(timings),
            probes=tuple(
                _probed(found, outcome) for found in files for outcome in reports[found].probes
            ),
        )

    def _rule_infos(
        self,
        files: Sequence[Found],
        plans: Mapping[Found, Plan],
        findings: Iterable[Finding],
    ) -> dict[str, RuleInfo]:
        """Every rule that ran, and every one that a finding is of."""
        rules = {rule.code: rule for found in files for rule in plans[found].rules}
        for scope in self.scopes.values():
            for finding in findings:
                if finding.code in scope.catalogue:
                    rules.setdefault(finding.code, scope.catalogue[finding.code])
        return {code: rule.info() for code, rule in sorted(rules.items())}


class _PlanKeys:
    """The cache key of each plan; most files share one plan."""

    def __init__(self) -> None:
        self._keys: dict[int, tuple[Plan, str]] = {}

    def of(self, plan: Plan) -> str:
        if id(plan) not in self._keys:
            self._keys[id(plan)] = plan, plan_key(plan)
        return self._keys[id(plan)][1]


@dataclass(frozen=True, slots=True)
class _Judge:
    """Says which suppressions of a configuration this run shows to be unused or expired."""

    scope: Scope
    files: Sequence[Found]
    plans: Mapping[Found, Plan]
    walked: Sequence[Path]
    command_line: CommandLine

    def about_suppressions(self, used: set[Suppression], today: datetime.date) -> Iterable[Finding]:
        config = self.scope.config
        place = shown_path(config.file) if config.file is not None else "."
        for entry in self.scope.suppressions:
            facts: dict[str, object] = {"entry": entry.describe(), "reason": entry.reason}
            if entry.expired(today):
                yield from self._remark(EXPIRED, place, {**facts, "expires": str(entry.expires)})
            elif entry not in used and self._was_put_to_the_test(entry):
                yield from self._remark(UNUSED, place, facts)

    def _remark(self, code: str, place: str, facts: Mapping[str, object]) -> Iterable[Finding]:
        running = {rule.code: rule for rule in self.scope.plan.rules}
        if code in running:
            yield remark(running[code], place, facts, self.scope.plan.severities.get(code))

    def _was_put_to_the_test(self, entry: Suppression) -> bool:
        """Whether this run would have used the entry if it were of any use.

        A run over some of the files, with some of the rules, or for another deployment than the
        configured one, proves nothing.
        """
        if not any(folder in self._reach(entry) for folder in self.walked):
            return False
        rules = [rule for rule in self.scope.catalogue.values() if entry.covers(rule)]
        if not all(rule in self.scope.plan.rules for rule in rules if rule.default):
            return False
        return not (
            DEPLOYMENT_SETTINGS & self.command_line.values.keys()
            and any(rule.per or rule.runtimes for rule in rules)
        )

    def _reach(self, entry: Suppression) -> tuple[Path, ...]:
        """The folders of which one must have been walked for every file of the entry to be seen."""
        folder = self.scope.config.root.resolve()
        for part in entry.path.strip("/").split("/")[:-1]:
            if any(character in part for character in "*?[\\"):
                break
            folder /= part
        return (folder, *folder.parents)


def exit_code(weighed: Iterable[tuple[Finding, FailOn]], *, exit_zero: bool = False) -> int:
    """3 when modellint itself failed somewhere, 1 when a finding is severe enough, else 0."""
    weighed = [(finding, fail_on) for finding, fail_on in weighed if finding.suppressed is None]
    if _is_internal(finding for finding, _ in weighed):
        return INTERNAL_ERROR
    fails = any(
        fail_on != "never" and finding.severity >= Severity.parse(fail_on)
        for finding, fail_on in weighed
    )
    return FINDINGS if fails and not exit_zero else 0


def _is_lasting(report: FileReport) -> bool:
    """Whether the same would be found tomorrow: a runtime may have died of this machine's load."""
    return not _is_internal(report.findings) and not any(each.died for each in report.probes)


def _is_internal(findings: Iterable[Finding]) -> bool:
    return any(finding.family == "internal" for finding in findings)


def _probed(found: Found, outcome: ProbeOutcome) -> Probed:
    figures = {key: value for key, value in asdict(outcome.figures).items() if value is not None}
    return Probed(
        path=found.shown,
        backend=outcome.backend,
        version=outcome.version,
        target=outcome.target,
        status=outcome.status,
        level=outcome.level,
        detail=outcome.detail,
        figures=figures,
        placement=outcome.placement,
        layers=outcome.layers,
        cached=outcome.cached,
    )


def _summary(report: FileReport, found: Found) -> ModelSummary:
    return replace(report.summary, path=found.shown)


def _below(baseline: Path, model: Path) -> str:
    """A model's path as its baseline knows it."""
    full, folder = model.resolve(), baseline.parent.resolve()
    return (full.relative_to(folder) if full.is_relative_to(folder) else full).as_posix()


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
