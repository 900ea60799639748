"""The files of a run, the plan for each, and a key of everything that findings depend on."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.base.records import dataclass
from modellint.base.standins import lasting_name, stand_ins
from modellint.cache import plan_key
from modellint.config.load import CommandLine, Config, Configs
from modellint.discovery import discover
from modellint.fleets.task import FleetTask, Policy, printable
from modellint.lint.judging import baseline_file, name_in_baseline
from modellint.lint.notes import about_discovery, about_weights
from modellint.lint.record import FileRecord, plan_files
from modellint.plan import Plan
from modellint.planning.setup import Setup
from modellint.rules.baseline import read_baseline


@dataclass(frozen=True, slots=True)
class FleetFiles:
    """The tasks of a run, with the plans and policies that they name by number."""

    tasks: tuple[FleetTask, ...]
    plans: tuple[Plan, ...]
    policies: tuple[Policy, ...]
    deployments: tuple[str, ...]
    key: str
    """Changes with the settings, the rules and the program."""
    notes: tuple[str, ...]


def gather(paths: Sequence[Path], command_line: CommandLine) -> FleetFiles:
    configs = Configs(command_line)
    discovery = discover(paths, configs)
    records = plan_files(discovery.files, {}, configs)
    plans = list({id(record.plan): record.plan for record in records}.values())
    if any(plan.probe is not None or plan.profile is not None for plan in plans):
        raise UsageError("fleet neither probes nor reads profiles; use 'modellint check'")
    setups = list(dict.fromkeys(record.setup for record in records))
    baselines = {setup: baseline_file(setup.config, command_line) for setup in setups}
    policies = [_policy(setup, baselines[setup]) for setup in setups]
    plan_at = {id(plan): at for at, plan in enumerate(plans)}
    setup_at = {setup: at for at, setup in enumerate(setups)}
    tasks = [
        _task(record, plan_at[id(record.plan)], setup_at[record.setup], baselines[record.setup])
        for record in records
    ]
    return FleetFiles(
        tasks=tuple(tasks),
        plans=tuple(plans),
        policies=tuple(policies),
        deployments=tuple(
            dict.fromkeys(each.describe() for plan in plans for each in plan.deployments)
        ),
        key=_key(plans, policies),
        notes=(
            *about_discovery(discovery),
            *about_weights(records),
            *(note for setup in setups for note in setup.notes),
        ),
    )


def _policy(setup: Setup, baseline: Path | None) -> Policy:
    return Policy(
        setup.suppressions,
        read_baseline(baseline) if baseline is not None else None,
        setup.config.settings.fail_on,
    )


def _task(record: FileRecord, plan: int, policy: int, baseline: Path | None) -> FleetTask:
    path = record.found.path
    size, edition = _measured(path)
    config: Config = record.setup.config
    return FleetTask(
        path=lasting_name(path.absolute()),
        shown=printable(record.found.shown),
        size=size,
        edition=edition,
        plan=plan,
        policy=policy,
        configured=config.relative(path) if record.setup.suppressions else "",
        recorded=name_in_baseline(baseline, path) if baseline is not None else "",
    )


def _measured(path: Path) -> tuple[int, str]:
    """Return the size of a model, and a text that changes with its files."""
    standing = stand_ins(path)
    states = [(0, "")]
    for each in [str(path), *_inside(path)]:
        with suppress(OSError, ValueError):  # broken links are worth reporting
            status = os.stat(each)  # noqa: PTH116 - half the time for many thousands
            if not stat.S_ISDIR(status.st_mode):
                tag = standing.identity(Path(each)) if standing is not None else None
                states.append((status.st_size, f"{tag or status.st_mtime_ns}"))
    size = sum(size for size, _ in states)
    edition = states[-1][1] if len(states) == 2 else _digest(map(repr, states))
    return size, f"{size}:{edition}"


def _inside(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        for here, _, names in os.walk(folder):
            yield from (os.path.join(here, name) for name in names)  # noqa: PTH118


def _key(plans: Iterable[Plan], policies: Iterable[Policy]) -> str:
    return _digest([*map(plan_key, plans), *map(repr, policies)])


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
