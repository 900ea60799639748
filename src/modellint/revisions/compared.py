"""Two versions of the models at given paths of a repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.base.records import dataclass
from modellint.base.temporary import temporary_folder
from modellint.base.text import brief, counted
from modellint.formats.registry import is_model, looks_like_data
from modellint.revisions.models import Names, copy_model, owners
from modellint.revisions.places import Place, Stored, Working
from modellint.revisions.repository import GitFile, Objects, Repository

STAGED = "staged"

_Listing = Callable[[str], dict[str, GitFile]]


@dataclass(frozen=True, slots=True)
class Versions:
    """One model: where its two versions can be read, None where there is none."""

    name: str
    """Its path in the repository."""
    old: Path | None
    new: Path | None


@dataclass(slots=True)
class Compared:
    """The models of which two versions are compared."""

    old: str
    """Name of the place of the old versions: ``main``."""
    new: str
    """Name of the place of the new versions; empty for the working tree."""
    top: Path
    """Folder of the repository."""
    models: list[Versions] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@contextmanager
def compared(
    paths: Sequence[Path], revisions: str = "HEAD", *, staged: bool = False
) -> Iterator[Compared]:
    """Yield the models at the paths, in a revision and in the working tree.

    `revisions` may be two (``main..topic``, ``main...topic`` from where they went apart); with
    `staged`, the new version is what a commit would contain. Of a folder, only models that differ
    are looked at. Copies are gone when the context ends.
    """
    repository = Repository(_existing(paths[0]))
    old, new = _two(repository, revisions)
    if staged and new is not None:
        raise UsageError("--staged compares with one revision")
    with temporary_folder() as folder, repository.objects() as objects:
        source = _Source(repository, objects, [_home(repository, path) for path in paths], folder)
        is_first = staged and old == "HEAD" and not repository.has_commits
        before = source.nothing("old") if is_first else source.commit(old, "old")
        if staged:
            after: Place = source.index("new")
        else:
            after = source.commit(new, "new") if new is not None else source.working()
        found = Compared(before.label, after.label, repository.top)
        names = Names(before), Names(after)
        for key in dict.fromkeys(_models(repository, paths, names)):
            versions = [copy_model(key, each) for each in names]
            if versions != [None, None]:
                found.models.append(Versions(key or repository.top.name, *versions))
        for place in (before, after):
            _require_objects(place, found)
        yield found


@dataclass(frozen=True, slots=True)
class _Source:
    """Everything that the locations of files are derived from."""

    repository: Repository
    objects: Objects
    homes: Sequence[str]
    folder: Path

    def commit(self, revision: str, kind: str) -> Stored:
        commit = self.repository.commit(revision)
        label = commit[:12] if revision == commit else revision
        return self._stored(label, kind, lambda home: self.repository.files(commit, home))

    def nothing(self, kind: str) -> Stored:
        """Return the place before the first commit."""
        return self._stored("nothing", kind, lambda home: {})

    def index(self, kind: str) -> Stored:
        return self._stored(STAGED, kind, self.repository.staged)

    def working(self) -> Working:
        listed = (self.repository.working(home) for home in dict.fromkeys(self.homes))
        return Working(self.repository.top, (name for names in listed for name in names))

    def _stored(self, label: str, kind: str, listing: _Listing) -> Stored:
        entries: dict[str, GitFile] = {}
        for home in dict.fromkeys(self.homes):
            entries |= listing(home)
        folder = self.folder / kind
        folder.mkdir()
        return Stored(self.repository, self.objects, entries, folder, label)


def _existing(path: Path) -> Path:
    """Return the folder of a path, or the first above it that exists."""
    folders = (path, *path.absolute().parents)
    return next(folder for folder in folders if folder.is_dir())


def _home(repository: Repository, path: Path) -> str:
    """Return the name of the folder in which a model's files are; data may be in one below it."""
    name = repository.name_of(path)
    if path.is_dir():
        return name
    folder = name.rpartition("/")[0]
    return folder if is_model(path) else folder.rpartition("/")[0]


def _two(repository: Repository, revisions: str) -> tuple[str, str | None]:
    old, dots, new = revisions.partition("..")
    if not dots:
        return revisions, None
    since = new.startswith(".")
    old, new = old or "HEAD", new.removeprefix(".") or "HEAD"
    if since:
        old = repository.merge_base(repository.commit(old), repository.commit(new))
    return old, new


def _models(
    repository: Repository, paths: Sequence[Path], names: tuple[Names, Names]
) -> Iterator[str]:
    """Iterate over the models at the paths, by the name of their file or folder."""
    for path in paths:
        name = repository.name_of(path)
        if any(side.has_file(name) for side in names):
            found = owners(name, names)
            yield from found or ([] if looks_like_data(path) else [name])
        elif any(side.is_model(name) for side in names):
            yield name
        elif any(side.has_folder(name) for side in names):
            yield from _changed(name, names)
        else:
            where = " or ".join(side.place.label or "the working tree" for side in names)
            raise UsageError(f"{path}: no such file or folder in {where}")


def _changed(folder: str, names: tuple[Names, Names]) -> Iterator[str]:
    """Iterate over the models below a folder that differ."""
    old, new = names
    for name in sorted({*old.below(folder), *new.below(folder)}):
        both = old.has_file(name) and new.has_file(name)
        if not (both and old.is_same(name, new)):
            yield from owners(name, names)


def _require_objects(place: Place, found: Compared) -> None:
    """Raise if a model is only a Git LFS pointer, and note what else is."""
    missing = dict.fromkeys(place.missing)
    models = [each for each in found.models if each.name in missing]
    if models:
        where = f"{place.label}:{models[0].name}"
        raise UsageError(
            f"{brief(where)} is kept in Git LFS, and its content is not here; run git lfs fetch "
            f"origin {brief(place.label) if place.label != STAGED else ''}".rstrip()
        )
    if missing:
        files = counted(len(missing), "file")
        found.notes.append(
            f"{place.label}: the content of {files} is not here but in Git LFS "
            f"(first: {brief(next(iter(missing)))})"
        )
