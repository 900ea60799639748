"""Discovery of the files to lint: files named on the command line, and models in folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field, replace
from functools import cache
from io import FileIO
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.base.files import open_regular, read_text
from modellint.base.globs import Globs
from modellint.base.paths import NEVER_WALKED, Folders, is_address, real_path
from modellint.base.records import dataclass
from modellint.base.standins import expect, is_stand_in, settle_search, stand_ins
from modellint.config.load import Config, Configs
from modellint.formats import is_by_content
from modellint.formats.format import Format
from modellint.formats.registry import (
    first_part,
    folder_format,
    is_member,
    is_model,
    is_model_folder,
    is_piece,
    looks_like_data,
    plugin_mistakes,
    sharing,
    with_companions,
)

MOST_PATTERNS = 1 << 20
"""Maximum size of a `.gitignore` file. Larger ones are not read."""
PART = 1 << 20
MOST_HIDDEN = 5000
"""Limit on entries of git-ignored folders to search, for the hint that models are there."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to lint, and its name in findings."""

    path: Path
    shown: str
    config: Config
    stands_for: Path | None = None
    """Nominal location of a model from standard input."""

    @property
    def place(self) -> Path:
        """Path that a configuration's globs and baselines are matched against."""
        return self.stands_for or self.path

    def read_from(self, path: Path | None) -> Found:
        """Return the file as read from another place, if there is one."""
        return self if path is None else replace(self, path=path, stands_for=self.place)

    @property
    def is_verified(self) -> bool:
        """True if a runtime's optimizer gets the file, which therefore has to be here."""
        return self.config.settings.verify is not None

    @property
    def is_remote(self) -> bool:
        """True if its content is fetched from elsewhere."""
        return is_stand_in(self.path) and is_address(self.shown)


@dataclass(slots=True)
class Discovery:
    """Files found, and facts for notes to the user."""

    files: list[Found] = field(default_factory=list)
    walked: list[Path] = field(default_factory=list)
    """Folders that were searched, resolved."""
    hidden_by_git: int = 0
    notes: list[str] = field(default_factory=list)


def require_existing(paths: Iterable[Path]) -> None:
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")


def discover(paths: Sequence[Path], configs: Configs) -> Discovery:
    """Find the files to lint, without duplicates, in argument order and then by name."""
    discovery = Discovery()
    seen: set[str] = set()
    folders = Folders()
    for path in paths:
        if path.is_dir() and not is_model_folder(path):
            discovery.walked.append(real_path(path))
            found = _Walk(path, configs, discovery, folders).models(path)
        else:
            require_existing([path])
            found = _named(path, configs, discovery)
        for model in found:
            identity = folders.identity(model)
            if identity not in seen:
                seen.add(identity)
                config = configs.of(_home(model))
                discovery.files.append(Found(model, shown_path(model), config))
    discovery.notes += [*plugin_mistakes(), *settle_search()]
    return discovery


def _home(model: Path) -> Path:
    """Return the folder of a model: itself, if it is one because of the files in it."""
    known = is_model(model) or is_model_folder(model)
    return model if not known and model.is_dir() else model.parent


def shown_path(path: Path) -> str:
    """Format a path with forward slashes, relative to the working folder if inside it; for remote
    files, their address."""
    standing = stand_ins(path)
    if standing is not None:
        return standing.shown(path)
    if path.is_absolute():
        try:
            path = path.relative_to(Path.cwd())
        except ValueError:
            return path.as_posix()
    return os.path.normpath(path).replace(os.sep, "/")


def _named(path: Path, configs: Configs, discovery: Discovery) -> Iterator[Path]:
    """Iterate over files named on the command line, whatever the suffix, except external data."""
    config = configs.of(path.parent)
    if config.settings.force_exclude and _exclude(config.settings.exclude).match(
        config.relative(path)
    ):
        return
    if is_model_folder(path):
        yield path
        return
    if is_member(path.name):
        leads = config.settings.force_exclude or is_piece(path.name)
        if leads and folder_format(_names(path.parent)) is not None:
            yield path.parent
            return
        if config.settings.force_exclude and not is_model(path):
            return  # chosen for its name, as a hook does
    if is_model(path):
        yield first_part(path)
        return
    owners = [model for model in _models_near(path) if _is_owner(model, path)]
    if owners:
        yield from owners
    elif config.settings.force_exclude and _is_ambiguous(path) and not is_by_content(path):
        return  # likewise
    elif looks_like_data(path):
        discovery.notes.append(
            f"{shown_path(path)}: looks like external data, but no model next to it refers to it"
        )
    else:
        yield path


def _is_ambiguous(path: Path) -> bool:
    """Return True for a name that models share with other files, and that a search looks at."""
    return any(format.searched for format in sharing(path))


def _models_near(path: Path) -> Iterator[Path]:
    """Iterate over models with companion files in a data file's folder and its parent."""
    for folder in (path.parent, path.parent.parent):
        if folder.is_dir():
            yield from sorted(each for each in folder.iterdir() if with_companions(each))


def _is_owner(model: Path, data: Path) -> bool:
    """Return True if the data file is a companion of the model."""
    return model != data and any(
        _names_data(model, data)
        if format.names_companions
        else format.companion_of(model, data) and _is_of(format, model)
        for format in with_companions(model)
    )


def _is_of(format: Format, model: Path) -> bool:
    """Return True if a model has the format, by its name or, for shared suffixes, its content."""
    if format.is_named(model):
        return True
    from modellint.formats import detect

    return detect(model).name in (format.name, format.title)


def _names_data(model: Path, data: Path) -> bool:
    """Return True if a model's bytes contain the data file's path, as `external_data` does."""
    try:
        location = data.relative_to(model.parent).as_posix().encode()
        with open_regular(model) as file:
            return _contains(file, location)
    except (OSError, ValueError):
        return False


def _contains(file: FileIO, words: bytes) -> bool:
    """Return True if a file contains the words; it is read in parts, and not mapped."""
    tail = b""
    while part := file.read(PART):
        if words in tail + part:
            return True
        tail = (tail + part)[-len(words) :]
    return False


class _Walk:
    """Search of one folder on the command line."""

    def __init__(self, top: Path, configs: Configs, discovery: Discovery, folders: Folders) -> None:
        self.top = top
        self.configs = configs
        self.discovery = discovery
        self.ignores = GitIgnores(top, folders)

    def models(self, top: Path) -> Iterator[Path]:
        """Iterate over the models below a folder: first its own, then those of each subfolder."""
        waiting = [top]
        while waiting:
            folders: list[Path] = []
            yield from self._models_in(waiting.pop(), folders)
            waiting += reversed(folders)

    def _models_in(self, folder: Path, folders: list[Path]) -> Iterator[Path]:
        """Iterate over the models in a folder, and add its subfolders to `folders`."""
        config = self.configs.of(folder)
        models: list[Path] = []
        parts: list[Path] = []
        entries = sorted(_entries(folder), key=lambda entry: entry.name)
        if stand_ins(folder) is not None:  # what is looked at comes from a server
            expect(path for each in entries if _is_ambiguous(path := folder / each.name))
        for entry in entries:
            path = folder / entry.name
            # A linked folder is outside the tree, and may form a cycle.
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and entry.name in NEVER_WALKED:
                continue
            is_walked = is_folder and not is_model_folder(path)
            is_wanted = is_folder or (_is_file(entry) and _is_wanted(path, config))
            if not is_wanted and (is_folder or not is_member(entry.name)):
                continue
            if _is_excluded(path, config, is_folder=is_folder):
                continue
            if config.settings.respect_gitignore and self.ignores.ignored(path, is_folder):
                self.discovery.hidden_by_git += _count_models(path) if is_walked else is_wanted
            elif is_walked:
                folders.append(path)
            else:
                models += [path] if is_wanted and first_part(path) == path else []
                parts += [] if is_folder else [path]
        whole = folder_format([path.name for path in parts])
        if whole is not None:
            yield folder
        yield from (path for path in models if whole is None or not is_member(path.name, whole))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Return True for all but folders: broken links and special files are worth reporting."""
    try:
        return not entry.is_dir()
    except OSError:  # a link to itself
        return True


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in _entries(folder)]


def _is_wanted(path: Path, config: Config) -> bool:
    include = config.settings.include
    if is_model(path) or bool(include and _exclude(include).match(config.relative(path))):
        return True
    return is_by_content(path)


def _is_excluded(path: Path, config: Config, *, is_folder: bool) -> bool:
    exclude = config.settings.exclude
    return bool(exclude) and bool(
        _exclude(exclude).decide(config.relative(path), is_folder=is_folder)
    )


@cache
def _exclude(patterns: tuple[str, ...]) -> Globs:
    return Globs.of_setting(patterns)


def _count_models(folder: Path) -> int:
    """Count the models in a git-ignored folder, up to a limit."""
    count = looked = 0
    for _, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in NEVER_WALKED]
        looked += len(folders) + len(files)
        count += sum(is_model(Path(name)) for name in files)
        if looked > MOST_HIDDEN:
            break
    return count


class GitIgnores:
    """Files that git ignores in a folder, by every `.gitignore` from the repository's root down."""

    def __init__(self, top: Path, folders: Folders) -> None:
        self._chains: dict[Path, _Chain] = {}
        self._root = _repository(real_path(top)) or real_path(top)
        self._folders = folders

    def ignored(self, path: Path, is_folder: bool) -> bool:
        """Return True if git ignores the path; the nearest `.gitignore` with a match decides."""
        folder = self._folders.resolved(path.parent)
        chain = self._chain(folder)
        full = f"{folder}/{path.name}" if chain else ""
        for length, globs in reversed(chain):
            decision = globs.decide(full[length:].lstrip("/"), is_folder=is_folder)
            if decision is not None:
                return decision
        return False

    def _chain(self, folder: Path) -> _Chain:
        """Return the patterns that apply in a folder: those of the folders above, then its own."""
        new: list[Path] = []
        while folder not in self._chains:
            new.append(folder)
            if folder in (self._root, folder.parent):
                break
            folder = folder.parent
        chain = self._chains.get(folder, ())
        for each in reversed(new):
            lines = _read_lines(each / ".gitignore")
            if each == self._root:  # .git/info/exclude has lower priority than .gitignore
                lines = _read_lines(each / ".git/info/exclude") + lines
            if lines:
                chain = (*chain, (len(str(each)), Globs(lines)))
            self._chains[each] = chain
        return chain


_Chain = tuple[tuple[int, Globs], ...]
"""Patterns of folders, outer before inner, each with the length of the folder's path."""


def _repository(folder: Path) -> Path | None:
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), None)


def _read_lines(path: Path) -> list[str]:
    try:
        return read_text(path, MOST_PATTERNS, errors="replace").splitlines()
    except OSError:
        return []
