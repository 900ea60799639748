"""Suppressions and baselines, and findings about suppressions themselves."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.base.files import TO_OVERWRITE
from modellint.base.paths import real_path
from modellint.base.records import dataclass
from modellint.base.standins import stand_ins
from modellint.base.text import clean, counted, listed
from modellint.config.load import CommandLine, Config
from modellint.discovery import shown_path
from modellint.lint.record import FileRecord
from modellint.lint.request import Request
from modellint.planning.setup import Setup
from modellint.results.finding import Finding, Severity
from modellint.rules.baseline import DEFAULT_NAME, Baseline, read_baseline, write_baseline
from modellint.rules.moot import without_moot
from modellint.rules.remark import remark
from modellint.rules.suppression import EXPIRED, UNUSED, Suppression, suppress

DEPLOYMENT_SETTINGS = frozenset(
    {"targets", "runtime", "precision", "batch", "shapes", "symbols", "dla"}
)

_GONE = "models that no longer exist"
MOST_NAMED = 3
"""Models named in a note."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Additional results of judging: findings about suppressions, and notes."""

    remarks: Mapping[Setup, tuple[Finding, ...]]
    notes: tuple[str, ...]


def judge(
    records: Sequence[FileRecord],
    setups: Sequence[Setup],
    walked: Sequence[Path],
    request: Request,
) -> Judged:
    """Add findings to each record, with suppressed and known ones marked."""
    today = datetime.date.today()
    baselines = _Baselines(request)
    used: dict[Setup, set[Suppression]] = defaultdict(set)
    for record in records:
        config = record.setup.config
        name = config.relative(record.found.place)
        findings, hits = suppress(record.report.findings, name, record.setup.suppressions, today)
        used[record.setup] |= hits
        told = without_moot(findings, record.plan.rules)
        record.findings = tuple(baselines.judge(told, config, record.found.place))
    remarks = {
        setup: tuple(_Review(setup, walked, request.command_line).remarks(used[setup], today))
        for setup in setups
    }
    return Judged(remarks, tuple(baselines.finish()))


class _Baselines:
    """Baselines of a run's configurations, to read or write."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._by_path: dict[Path, Baseline] = {}
        self._stale = 0
        self._unreadable: list[str] = []
        self._files: dict[Config, Path | None] = {}

    def judge(self, findings: Sequence[Finding], config: Config, model: Path) -> Sequence[Finding]:
        """Return the findings of a model with known ones marked."""
        file = self._file(config)
        if file is None:
            return findings
        baseline, path = self._read(file), name_in_baseline(file, model)
        if self._request.write_baseline:
            baseline.record(findings, path)
            if any(each.family == "file" and each.severity is Severity.ERROR for each in findings):
                self._unreadable.append(path)
        marked, stale = baseline.apply(findings, path)
        self._stale += stale
        return marked

    def finish(self) -> Iterator[str]:
        """Write the baselines, if requested, and iterate over notes about them."""
        for file, baseline in self._by_path.items():
            if self._request.write_baseline:
                write_baseline(file, baseline)
                yield from self._written(file, baseline)
            elif gone := baseline.missing(file.parent):
                models = counted(len(gone), "model that no longer exists", _GONE)
                named = listed([clean(path) for path in gone], MOST_NAMED)
                yield f"baseline {shown_path(file)} lists {models}: {named}"
        if self._stale:
            stale = counted(self._stale, "baseline entry", "baseline entries")
            yield f"{stale} no longer found; use --write-baseline to remove them"

    def _written(self, file: Path, baseline: Baseline) -> Iterator[str]:
        written = f"{counted(len(baseline), 'finding')} written to baseline {shown_path(file)}"
        yield f"{written}; they do not count while it is there"
        if self._unreadable:
            models = counted(len(self._unreadable), "model")
            named = listed([clean(path) for path in self._unreadable], MOST_NAMED)
            yield f"the baseline accepts errors of the files of {models}: {named}"

    def _file(self, config: Config) -> Path | None:
        """Return the baseline to use: the configured one, or one of the usual name."""
        if config not in self._files:
            self._files[config] = baseline_file(config, self._request.command_line)
        if self._files[config] is None and self._request.write_baseline:
            return config.path("baseline", DEFAULT_NAME)
        return self._files[config]

    def _existing(self, file: Path) -> Baseline:
        try:
            return read_baseline(file)
        except UsageError as error:
            if not (self._request.write_baseline and file.is_file()):
                raise
            raise UsageError(f"{error}; {TO_OVERWRITE}") from None

    @property
    def _is_forced(self) -> bool:
        return self._request.force and "baseline" in self._request.command_line.values

    def _read(self, file: Path) -> Baseline:
        if file not in self._by_path:
            is_fresh = self._request.write_baseline and (self._is_forced or not file.exists())
            self._by_path[file] = Baseline() if is_fresh else self._existing(file)
        return self._by_path[file]


def baseline_file(config: Config, command_line: CommandLine) -> Path | None:
    """Return the baseline of a configuration: the one that it names, or one of the usual name."""
    if config.settings.baseline is not None:
        return config.path("baseline", config.settings.baseline)
    usual = config.path("baseline", DEFAULT_NAME)
    return usual if not command_line.isolated and usual.is_file() else None


def name_in_baseline(baseline: Path, model: Path) -> str:
    """Return a model's path as recorded in its baseline."""
    standing = stand_ins(model)
    if standing is not None:
        return standing.shown(model)
    full, folder = real_path(model), real_path(baseline.parent)
    return (full.relative_to(folder) if full.is_relative_to(folder) else full).as_posix()


@dataclass(frozen=True, slots=True)
class _Review:
    """Finds suppressions of a configuration that are unused or expired."""

    setup: Setup
    walked: Sequence[Path]
    command_line: CommandLine

    def remarks(self, used: set[Suppression], today: datetime.date) -> Iterator[Finding]:
        for entry in self.setup.suppressions:
            facts: dict[str, object] = {"entry": entry.describe(), "reason": entry.reason}
            if entry.expired(today):
                yield from self._remark(EXPIRED, {**facts, "expires": str(entry.expires)})
            elif entry not in used and self._was_put_to_the_test(entry):
                yield from self._remark(UNUSED, facts)

    def _remark(self, code: str, facts: Mapping[str, object]) -> Iterator[Finding]:
        file, plan = self.setup.config.file, self.setup.plan
        place = shown_path(file) if file is not None else "."
        for rule in plan.rules:
            if rule.code == code:
                yield remark(rule, place, facts, plan.severities.get(code))

    def _was_put_to_the_test(self, entry: Suppression) -> bool:
        """Check that the run would have used the entry if anything matched it.

        A run over a subset of files or rules, or for a deployment other than the configured one,
        proves nothing.
        """
        if not any(folder in self._reach(entry) for folder in self.walked):
            return False
        rules = [rule for rule in self.setup.catalogue.values() if entry.covers(rule)]
        if not all(rule in self.setup.plan.rules for rule in rules if rule.default):
            return False
        return not (
            DEPLOYMENT_SETTINGS & self.command_line.values.keys()
            and any(rule.per or rule.runtimes for rule in rules)
        )

    def _reach(self, entry: Suppression) -> tuple[Path, ...]:
        """Return the folders, one of which must have been walked to cover the entry's files."""
        folder = real_path(self.setup.config.root)
        for part in entry.path.strip("/").split("/")[:-1]:
            if any(character in part for character in "*?[\\"):
                break
            folder /= part
        return (folder, *folder.parents)
