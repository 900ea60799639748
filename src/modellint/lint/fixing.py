"""Fixing of the models of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.base.garbage import no_garbage_collection
from modellint.base.weight_layout import WeightLayout
from modellint.config.load import CommandLine, Configs
from modellint.config.settings import Settings
from modellint.discovery import Found, discover
from modellint.fixing.files import Destination, fix_file
from modellint.fixing.rounds import Wanted
from modellint.lint.record import plan_files
from modellint.lint.request import Request
from modellint.plan import Plan
from modellint.results.fixed import FileFixes


def fix(
    request: Request,
    *,
    to: Path | None = None,
    nowhere: bool = False,
    force: bool = False,
    data: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[tuple[FileFixes, ...], Request]:
    """Fix all models of a request, one after the other: each is run, and may be large.

    Also returns a request for what is there afterwards.
    """
    configs = Configs(request.command_line)
    found = discover(request.paths, configs).files
    fixes = []
    places: list[Path] = []
    for record in plan_files(found, request.shown_as, configs):
        path = record.found.path
        say(f"fixing {record.found.shown}")
        file = _place(record.found, to) if to is not None else None
        destination = Destination(nowhere, file, force)
        wanted = wanted_by(record.setup.config.settings)
        with no_garbage_collection():
            done = fix_file(path, record.found.shown, record.plan, wanted, destination, data)
        if done.is_fixable or len(found) == 1:  # of a folder, other formats are passed over
            fixes.append(done)
        places.append(Path(done.written) if done.written else path)
    return tuple(fixes), replace(request, paths=places) if to is not None else request


def fix_one(
    path: Path,
    command_line: CommandLine,
    destination: Destination,
    data: Path | None = None,
    shown: str | None = None,
) -> FileFixes:
    """Fix one model, which is reported under another name if one is given."""
    configs = Configs(command_line)
    shown_as = {path: shown} if shown is not None else {}
    records = plan_files(discover([path], configs).files, shown_as, configs)
    if len(records) != 1:
        raise UsageError(f"{path}: {len(records)} models; expected one")
    (record,) = records
    wanted = wanted_by(record.setup.config.settings)
    with no_garbage_collection():
        return fix_file(
            record.found.path, record.found.shown, record.plan, wanted, destination, data
        )


def optimize(
    path: Path,
    to: Path,
    command_line: CommandLine,
    *,
    force: bool = False,
    data: Path | None = None,
    weights: WeightLayout | None = None,
    record_shapes: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> FileFixes:
    """Write a model with all fixes that leave its outputs as they are on this model."""
    configs = Configs(command_line)
    (record,) = plan_files(discover([path], configs).files, {}, configs)
    say(f"optimizing {record.found.shown}")
    wanted = replace(wanted_by(record.setup.config.settings), exact=True)
    destination = Destination(
        file=to,
        force=force,
        always=True,
        measures=True,
        records_shapes=record_shapes,
        weights=weights,
    )
    with no_garbage_collection():
        return fix_file(
            record.found.path,
            record.found.shown,
            _for_any_runtime(record.plan),
            wanted,
            destination,
            data,
        )


def _for_any_runtime(plan: Plan) -> Plan:
    """Return the plan with a deployment more, about which no runtime is known.

    Much that can be left out of a file is not a finding for a runtime that leaves it out itself.
    """
    first = plan.deployments[0]
    if first.runtime is None and first.target is None:
        return plan
    anywhere = replace(
        first, target=None, runtime=None, runtime_version=None, precision=None, dla=False
    )
    return replace(plan, deployments=(*plan.deployments, anywhere))


def wanted_by(settings: Settings) -> Wanted:
    dims = {f"dim:{name}": str(size) for name, size in settings.fix_dims.items()}
    return Wanted(
        settings.unsafe_fixes,
        settings.fixable,
        settings.unfixable,
        {**settings.fix_choices, **dims},
    )


def _place(found: Found, to: Path) -> Path:
    """Return the path of a fixed model: below the folder as it is below the working folder."""
    shown = Path(found.shown)
    inside = not shown.is_absolute() and ".." not in shown.parts
    return to / (shown if inside else shown.name)
