"""Sources of `modellint diff`: two files, two folders, or versions in a git repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modellint.api.comparing import DiffSource
from modellint.base.errors import UsageError
from modellint.base.records import dataclass
from modellint.base.standins import lasting_name
from modellint.cli.command import Command, option
from modellint.cli.console import note
from modellint.cli.places import Place, are_remote
from modellint.config.load import Configs
from modellint.config.settings import DIFFERENCES

if TYPE_CHECKING:
    from modellint.evaluation import Evaluation

VERSIONS, METRICS = "Versions", "--metrics"


def versions_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--git` and `--staged`."""
    staged = option(
        "--staged",
        group=VERSIONS,
        is_flag=True,
        help="Compare what a commit would contain with HEAD, or with --git.",
    )
    revisions = option(
        "--git",
        "revisions",
        group=VERSIONS,
        metavar="REV[..REV]",
        help="Compare models or folders with a git revision, or those of two revisions.",
    )
    decorated: Callable[..., Any] = revisions(staged(command))
    return decorated


metrics_option = option(
    "--metrics",
    group=DIFFERENCES,
    multiple=True,
    metavar="FILE...",
    type=click.Path(path_type=Path),
    help="Evaluation results of each model, in the same order.",
)


class DiffCommand(Command):
    """Command that takes all files after `--metrics` that can be results of an evaluation."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        from modellint.evaluation.results import SUFFIXES

        given: list[str] = []
        is_inside = False
        for each in args:
            if is_inside and given[-1] != METRICS and each.lower().endswith(SUFFIXES):
                given.append(METRICS)
            elif is_inside and given[-1] != METRICS:
                is_inside = False
            is_inside = is_inside or each == METRICS
            given.append(each)
        return super().parse_args(ctx, given)


def require_one_each(evaluations: Sequence[Evaluation], found: Sources) -> None:
    """Raise unless there is one evaluation for each model."""
    is_plain = found.are_variants or not found.is_several
    models = len(found.pairs) + 1
    if evaluations and not is_plain:
        raise UsageError("--metrics needs models, not folders")
    if evaluations and len(evaluations) != models:
        raise UsageError(f"--metrics needs {models} files, one per model in the same order")


@dataclass(frozen=True, slots=True)
class Sources:
    """Pairs of models. One that only one side has is paired with None."""

    pairs: Sequence[tuple[DiffSource | None, DiffSource | None]]
    old: str = ""
    new: str = ""
    is_several: bool = False
    are_variants: bool = False
    """True for one model that is compared with several others."""


def require_here(models: Sequence[Place], given: dict[str, Any]) -> None:
    """Raise for addresses where only files here will do."""
    if are_remote(models):
        for name, option_name in (("revisions", "--git"), ("staged", "--staged"), ("run", "--run")):
            if given.get(name):
                raise UsageError(f"{option_name} needs local files; download the models first")


@contextmanager
def sources(models: Sequence[Path], given: dict[str, Any], configs: Configs) -> Iterator[Sources]:
    """Yield the models to compare; copies from a repository are removed afterwards."""
    from modellint.discovery import require_existing

    if given["revisions"] is not None or given["staged"]:
        with _in_git(models, given["revisions"] or "HEAD", staged=given["staged"]) as found:
            yield found
        return
    if len(models) < 2:
        raise UsageError(
            f"{len(models) or 'no'} model{'s' if len(models) != 1 else ''} to compare; give an old "
            "and a new one, or --git REV for versions of one"
        )
    require_existing(models)
    if len(models) == 2 and all(_is_plain_folder(each, configs) for each in models):
        yield _in_folders(models[0], models[1], configs)
        return
    files = [_one(path, configs) for path in models]
    pairs = [(files[0], other) for other in files[1:]]
    several = len(pairs) > 1
    new = ", ".join(other.shown for other in files[1:])
    yield Sources(pairs, files[0].shown, new, is_several=several, are_variants=several)


@contextmanager
def _in_git(models: Sequence[Path], revisions: str, *, staged: bool) -> Iterator[Sources]:
    from modellint.differ.pairing import ModelFile, pair_models
    from modellint.discovery import shown_path
    from modellint.revisions import compared

    is_several = not models or len(models) > 1 or any(_is_walked(each) for each in models)
    with compared(models or [Path()], revisions, staged=staged) as found:
        for text in found.notes:
            note(text)

        def source(file: ModelFile | None, label: str) -> DiffSource | None:
            if file is None:
                return None
            place = found.top / file.name
            shown = f"{label}:{file.name}" if label else shown_path(place)
            return DiffSource(file.path, shown, file.name, place)

        pairs = pair_models(
            [ModelFile(each.name, each.old) for each in found.models if each.old is not None],
            [ModelFile(each.name, each.new) for each in found.models if each.new is not None],
        )
        both = [(source(each.old, found.old), source(each.new, found.new)) for each in pairs]
        several = is_several or len(both) != 1 or None in both[0]
        yield Sources(both, found.old, found.new, is_several=several)


def _is_walked(path: Path) -> bool:
    from modellint.formats.registry import folder_format, is_model_folder

    if not path.is_dir() or is_model_folder(path):
        return False
    return folder_format([each.name for each in path.iterdir()]) is None


def _is_plain_folder(path: Path, configs: Configs) -> bool:
    """Return True for a folder of models, rather than one that is a model."""
    from modellint.discovery import discover

    if not _is_walked(path):
        return False
    if not discover((path,), configs).files:
        raise UsageError(f"{path}: contains no models")
    return True


def _in_folders(old: Path, new: Path, configs: Configs) -> Sources:
    from modellint.differ.pairing import ModelFile, pair_models
    from modellint.discovery import discover

    sides: list[dict[str, DiffSource]] = []
    for folder in (old, new):
        found = discover((folder,), configs)
        for text in found.notes:
            note(text)
        named = {each.path.relative_to(folder).as_posix(): each for each in found.files}
        sides.append(
            {name: DiffSource(f.path, f.shown, name, f.place) for name, f in named.items()}
        )
    files = [[ModelFile(name, source.path) for name, source in side.items()] for side in sides]
    pairs = [
        (
            sides[0][pair.old.name] if pair.old is not None else None,
            sides[1][pair.new.name] if pair.new is not None else None,
        )
        for pair in pair_models(*files)
    ]
    return Sources(pairs, lasting_name(old), lasting_name(new), is_several=True)


def _one(path: Path, configs: Configs) -> DiffSource:
    from modellint.discovery import discover

    discovery = discover((path,), configs)
    for text in discovery.notes:
        note(text)
    if len(discovery.files) != 1:
        raise UsageError(f"{path}: {len(discovery.files)} models; expected one")
    found = discovery.files[0]
    return DiffSource(found.path, found.shown, found.shown, found.place)
