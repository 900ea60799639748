"""The record of a file, extended by each stage of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.base.records import dataclass
from modellint.base.text import clean
from modellint.config.load import Config, Configs
from modellint.discovery import Found
from modellint.plan import FileReport, Plan
from modellint.planning.setup import Setup, make_setup
from modellint.results.finding import Finding


@dataclass(slots=True, eq=False)
class FileRecord:
    """A file in a run."""

    found: Found
    setup: Setup
    plan: Plan
    report: FileReport = field(init=False)
    """Set once the file has been linted or its report was found in the cache."""
    findings: tuple[Finding, ...] = ()
    """The report's findings with accepted ones marked; set once they have been judged."""

    @property
    def is_finished(self) -> bool:
        return hasattr(self, "report")


def plan_files(
    files: Iterable[Found], shown_as: Mapping[Path, str], configs: Configs
) -> list[FileRecord]:
    """Return a record for each file, with its plan and the setup of its configuration."""
    setups: dict[Config, Setup] = {}
    plans: dict[int, Plan] = {}
    records = []
    for file in files:
        found = _renamed(file, shown_as, configs)
        if found.config not in setups:
            setups[found.config] = make_setup(found.config)
        setup = setups[found.config]
        plan = setup.plan_for(found.place)
        if found.is_remote and found.is_verified:
            raise UsageError(
                f"{clean(found.shown)}: --verify needs the whole file; download it first"
            )
        if found.is_remote and plan.weights_budget is None:
            plan = plans.setdefault(id(plan), replace(plan, read_weights=False))
        records.append(FileRecord(found, setup, plan))
    return records


def _renamed(found: Found, shown_as: Mapping[Path, str], configs: Configs) -> Found:
    shown = shown_as.get(found.path)
    if shown is None:
        return found
    place = Path(shown)
    config = configs.of(place.parent if place.parent.is_dir() else Path.cwd())
    return replace(found, shown=shown, config=config, stands_for=place)
