"""Fixing of a file: a workspace for drafts, and the result moved into place."""

from __future__ import annotations

import filecmp
import itertools
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from modellint.base.drafts import DRAFT, is_abandoned, own_draft
from modellint.base.errors import UsageError
from modellint.base.files import require_replaceable
from modellint.base.paths import real_path
from modellint.base.records import dataclass
from modellint.base.temporary import temporary_folder
from modellint.base.weight_layout import WeightLayout
from modellint.fixing.changes import changes, size_of
from modellint.fixing.gains import gains
from modellint.fixing.rounds import Fixing, Wanted
from modellint.formats import read_model
from modellint.formats.registry import editor_of, title_of
from modellint.model import Model
from modellint.model.edits import EditError
from modellint.plan import Plan
from modellint.results.fixed import FileFixes

if TYPE_CHECKING:
    from modellint.execution import Arrays
    from modellint.formats.format import WeightRelocation


ENDING = "-draft.onnx"
STAGE = "stage"
MOST_GIVEN = 16
"""Inputs of the user's that the proof runs."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Place of a fixed model: by default it replaces the original."""

    nowhere: bool = False
    """True to only tell what would change."""
    file: Path | None = None
    """Another file to write; the original stays."""
    force: bool = False
    """True to overwrite that file."""
    always: bool = False
    """True to write it even if nothing was fixed."""
    measures: bool = False
    """True to tell what the model needs before and after."""
    records_shapes: bool = False
    """True to state all shapes that are known."""
    weights: WeightLayout | None = None
    """Place that the weights are to have; None to leave them."""


def fix_file(
    path: Path,
    shown: str,
    plan: Plan,
    wanted: Wanted,
    destination: Destination,
    data: Path | None = None,
) -> FileFixes:
    """Fix a file, prove the result, and write it. Nothing is written if nothing is proved.

    `data` names inputs that the proof uses besides those that are made up.
    """
    model = read_model(path)
    if editor_of(model.format) is None:
        reason = f"files of the format {title_of(model.format)} cannot be fixed"
        return FileFixes(shown, problem=reason, is_fixable=False)
    obstacle = _obstacle(model, path, destination)
    if obstacle:
        return FileFixes(shown, problem=obstacle)
    identity = _identity(path)
    try:
        with _drafts(model) as drafts:
            given = _inputs(model, data) if data is not None else ()
            fixing = Fixing(path, shown, plan, wanted, drafts, given)
            course = fixing.run()
            if destination.records_shapes:
                fixing.record_shapes()
            result = read_model(course.result)
            told = FileFixes(
                shown,
                before=size_of(model),
                after=size_of(result),
                fixed=tuple(course.fixed),
                refused=tuple(course.refused),
                offered=tuple(course.offered),
                changes=tuple(changes(model, result, course.rewritten)),
                proof=fixing.proof.sentence if course.result != path else "",
                recorded_shapes=course.shapes,
                gains=tuple(gains(model, result, plan)) if destination.measures else (),
                largest_difference=fixing.proof.largest_difference,
            )
            is_new = course.result != path or destination.always
            if is_new and not destination.nowhere:
                if _identity(path) != identity:
                    raise UsageError("it has changed in the meantime")
                return _written(fixing, model, destination, told)
            return told
    except (OSError, EditError, UsageError) as error:
        said = error.strerror if isinstance(error, OSError) else None
        return FileFixes(shown, problem=said or str(error))


def _written(fixing: Fixing, model: Model, destination: Destination, told: FileFixes) -> FileFixes:
    """Move the result into place, its weights elsewhere if they are to be."""
    draft, target = fixing.course.result, destination.file
    editor = editor_of(model.format)
    if destination.weights is not None and target is not None and editor is not None:
        with editor.relocation(draft, destination.weights, target.name) as relocation:
            if relocation.is_needed:
                _put_apart(relocation, fixing, model, destination, target)
                return _told_anew(told, fixing, target, relocation.names)
    return replace(told, written=str(put(draft, model, destination)))


def _put_apart(
    relocation: WeightRelocation,
    fixing: Fixing,
    model: Model,
    destination: Destination,
    target: Path,
) -> None:
    """Write a model and its data files apart, prove them, and move them into place, the model last.

    Nothing is overwritten but the model, if it may be.
    """
    places = [target.with_name(name) for name in relocation.names]
    for place in places:
        if os.path.lexists(place):
            raise _exists(place)
    with _stage(target.parent) as stage:
        relocation.write(stage)
        failure = fixing.proof.failure_of_move(stage / target.name)
        if failure is not None:
            raise UsageError(f"the weights were not moved: {failure.detail}")
        mode = stat.S_IMODE(model.path.stat().st_mode)
        try:
            for place in places:
                (stage / place.name).chmod(mode)
                _flush(stage / place.name)
                _place_new(stage / place.name, place)
            put(stage / target.name, model, destination, brings_data=False)
        except BaseException:
            for place in places:
                _withdraw(stage / place.name, place)
            raise


def _told_anew(
    told: FileFixes, fixing: Fixing, target: Path, data_files: Sequence[str]
) -> FileFixes:
    """Return the report on a model whose weights have moved."""
    size = size_of(read_model(target))
    gains = (
        replace(each, after=size.file_bytes) if each.name == "file" else each for each in told.gains
    )
    return replace(
        told,
        written=str(target),
        data_files=tuple(data_files),
        proof=fixing.proof.sentence,
        after=size,
        gains=tuple(gains),
    )


def _exists(place: Path) -> UsageError:
    return UsageError(f"{place} exists, and data is never overwritten")


@contextmanager
def _stage(home: Path) -> Iterator[Path]:
    """Yield a folder next to the files' destination; its remaining contents are removed."""
    home.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(home)
    stage = home / f"{own_draft()}{STAGE}"
    stage.mkdir()
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _place_new(file: Path, place: Path) -> None:
    """Give a file its place, where nothing may be; it stays in the stage as well if it can."""
    try:
        os.link(file, place)
    except FileExistsError:
        raise _exists(place) from None
    except OSError:  # no links there
        if os.path.lexists(place):
            raise _exists(place) from None
        file.rename(place)


def _withdraw(file: Path, place: Path) -> None:
    """Remove a file from its place, if it is the one that was put there."""
    with suppress(OSError):
        if not file.exists() or file.samefile(place):
            place.unlink()


def _inputs(model: Model, data: Path) -> Sequence[Arrays]:
    from modellint.execution.given import InputReader

    return InputReader(model, samples=MOST_GIVEN).read(data)


def _obstacle(model: Model, path: Path, destination: Destination) -> str:
    """Return the reason why a file cannot be fixed, before anything is tried."""
    if any(problem.fatal for problem in model.problems):
        return "it cannot be read"
    if destination.nowhere:
        return ""
    if destination.file is not None:
        try:
            require_replaceable(destination.file, force=destination.force)
        except UsageError as error:
            return str(error)
        return ""
    if path.is_symlink():
        return "it is a link: name the file itself, or write elsewhere with --fix-to"
    if not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        return "it is read-only"
    return ""


def _identity(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


@contextmanager
def _drafts(model: Model) -> Iterator[Iterator[Path]]:
    """Yield paths for drafts, at which they find the model's external data."""
    numbers = itertools.count()
    if not model.external_files:
        with temporary_folder() as folder:
            yield (folder / f"{number}.onnx" for number in numbers)
        return
    # Links to the data elsewhere would not do: onnx refuses links of both kinds.
    home = model.path.parent
    _remove_abandoned(home)
    start = own_draft()
    try:
        yield (home / f"{start}{number}{ENDING}" for number in numbers)
    finally:
        for draft in home.glob(f"{start}*{ENDING}"):
            draft.unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove drafts of processes that were killed."""
    for draft in (*folder.glob(f"{DRAFT}*{ENDING}"), *folder.glob(f"{DRAFT}*{STAGE}")):
        if is_abandoned(draft):
            if draft.is_file():
                with suppress(OSError):
                    draft.unlink()
            elif draft.is_dir() and not draft.is_symlink() and draft.name.endswith(STAGE):
                shutil.rmtree(draft, ignore_errors=True)


def put(draft: Path, model: Model, destination: Destination, *, brings_data: bool = True) -> Path:
    """Move the result into place: at any moment, the old file or the new one is there, whole."""
    target = destination.file or model.path
    mode = stat.S_IMODE(model.path.stat().st_mode)
    if destination.file is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target.parent)
    if destination.file is not None and brings_data:
        _bring_external_data(model, target.parent)
    with _written_beside(target, "new") as beside:
        if draft.stat().st_dev == target.parent.stat().st_dev and draft != model.path:
            draft.replace(beside)
        else:
            shutil.copyfile(draft, beside)
        beside.chmod(mode)
    _flush(target.parent)
    return target


def _bring_external_data(model: Model, folder: Path) -> None:
    home = real_path(model.path.parent)
    for file in model.external_files:
        leads_to = real_path(file)  # of a link to itself, too
        place = folder / leads_to.relative_to(home)
        if file.exists() and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            with _written_beside(place, "data") as beside:
                shutil.copyfile(file, beside)
        elif place.exists() and not place.samefile(file) and not _are_equal(place, file):
            raise UsageError(f"{place} exists, and is not the model's external data")


@contextmanager
def _written_beside(target: Path, kind: str) -> Iterator[Path]:
    """Give a place next to a file to write to, which takes the file's place once it is whole."""
    beside = target.with_name(f"{own_draft()}{kind}{ENDING}")
    try:
        yield beside
        _flush(beside)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _are_equal(one: Path, other: Path) -> bool:
    return filecmp.cmp(one, other, shallow=False)


def _flush(path: Path) -> None:
    """Wait until a file or folder is on the disk, where the system can."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:  # folders, on Windows
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
