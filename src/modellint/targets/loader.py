"""Discovery and loading of target files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from modellint.base.data import data_dir, files_below, parse_toml, read_toml
from modellint.base.errors import UsageError
from modellint.base.mistakes import FileMistake, syntax_mistake
from modellint.base.paths import leads_out, real_path
from modellint.base.suggest import similar
from modellint.targets.target import HOST, Target

ALL = "all"
EXTENDS = ("extends",)

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_Table = dict[str, Any]


class UnknownTarget(UsageError):  # noqa: N818 - a name fit to be read in `except`
    """Unknown device, alias or group."""

    def __init__(self, name: str, suggestions: Sequence[str] = ()) -> None:
        hint = f"did you mean {_either(suggestions)}?" if suggestions else "see 'modellint targets'"
        super().__init__(f"unknown target {name!r}; {hint}")
        self.name = name
        self.suggestions = tuple(suggestions)


class TargetFileError(UsageError):
    """Invalid target file."""

    def __init__(self, text: str, *mistakes: FileMistake) -> None:
        super().__init__(text)
        self.mistakes = mistakes
        """Mistakes in the file, if it is read; the text names all."""


def _error(path: Path, *mistakes: FileMistake) -> TargetFileError:
    return TargetFileError(f"{path}: {'; '.join(each.text for each in mistakes)}", *mistakes)


def load_targets(extra_dirs: Sequence[Path] = ()) -> list[Target]:
    """Return all devices, sorted by id; those of later folders override earlier ones."""
    index = _index(extra_dirs)
    return _load_all(index, sorted(index))


def load_smaller(target: Target, usable: float) -> list[Target]:
    """Return the devices akin to a target with less usable memory than that.

    Only these are loaded: there are few, or none.
    """
    from modellint.targets.kept import keep_briefs, load_briefs

    index = _index(())
    state = _state(index)
    briefs = load_briefs(state)
    if briefs is None:  # of most devices that is all that is ever asked: they are not kept
        briefs = keep_briefs((_validated(index, each) for each in sorted(index)), state)
    smaller = (each for each, brief in briefs.items() if brief.is_below(target, usable))
    return _load_all(index, smaller)


def find_target(name: str, extra_dirs: Sequence[Path] = ()) -> Target:
    """Return the device with this id, alias or full name (any case); ``host`` is this machine."""
    key = normalize(name)
    if key == HOST:
        from modellint.targets.host import host_target

        return host_target(lambda name: _find(name, extra_dirs), lambda: load_targets(extra_dirs))
    return _find_known(key, name, extra_dirs)


def _find(name: str, extra_dirs: Sequence[Path]) -> Target | None:
    try:
        return _find_known(normalize(name), name, extra_dirs)
    except UnknownTarget:
        return None


def _find_known(key: str, name: str, extra_dirs: Sequence[Path]) -> Target:
    index = _index(extra_dirs)
    if key in index:
        return _load(index, key)
    tables = {target_id: _table(index, target_id) for target_id in index}
    squashed = _squash(key)
    for target_id, table in reversed(tables.items()):  # the user's folders come last
        if squashed in map(_squash, (target_id, *_spellings(table))):
            return _load(index, target_id)
    raise UnknownTarget(name, _near(key, tables))


def find_target_or_file(name: str) -> Target:
    """Return the device with this id, or in this target file."""
    path = Path(name)
    if path.suffix != ".toml":
        return find_target(name)
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    return target_in(path)


def target_in(path: Path) -> Target:
    """Return the device that a file describes, which extends no other."""
    return _target(_read_table(path), path)


def parse_target(text: str, path: Path, extra_dirs: Sequence[Path] = ()) -> Target:
    """Return the device in the text of a file of one of the folders, which may not be saved."""
    index = _index(extra_dirs)
    layers = index.get(path.stem, ())
    here = real_path(path)
    layer = next((at for at, each in enumerate(layers) if real_path(each) == here), len(layers))
    try:
        table = parse_toml(text)
    except ValueError as error:
        raise _error(path, syntax_mistake(str(error))) from error
    index = {**index, path.stem: (*layers[:layer], path, *layers[layer + 1 :])}
    return _target(_over_base(index, table, path.stem, layer, ()), path)


def _target(table: _Table, path: Path) -> Target:
    """Return the device of a table, which is that of a file and of what the file extends."""
    from pydantic import ValidationError

    from modellint.targets.schema import TargetFile, mistakes

    try:
        return TargetFile.model_validate(table).target(path.stem)
    except ValidationError as error:
        raise _error(path, *mistakes(error)) from error


def expand_targets(names: Iterable[str], extra_dirs: Sequence[Path] = ()) -> list[Target]:
    """Expand ids, aliases, groups, vendors and ``all`` to devices, without duplicates."""
    found: dict[str, Target] = {}
    for name in names:
        for target in _expand(name, extra_dirs):
            found.setdefault(target.id, target)
    return list(found.values())


def filter_targets(
    targets: Iterable[Target],
    *,
    min_memory: int | None = None,
    max_tdp: float | None = None,
    vendor: str | None = None,
    supports: str | Iterable[str] | None = None,
) -> list[Target]:
    """Filter by minimum memory in bytes, maximum stated power in watts, vendor and supported
    precisions."""
    precisions = [supports] if isinstance(supports, str) else list(supports or ())
    return [
        target
        for target in targets
        if (min_memory is None or target.memory.nominal >= min_memory)
        and (max_tdp is None or (target.tdp_watts is not None and target.tdp_watts <= max_tdp))
        and (vendor is None or target.vendor == normalize(vendor))
        and all(target.supports(precision) for precision in precisions)
    ]


def target_ids(extra_dirs: Sequence[Path] = ()) -> list[str]:
    """Return all ids without reading files: fast enough for shell completion."""
    return sorted(_index(extra_dirs))


def target_groups(extra_dirs: Sequence[Path] = ()) -> dict[str, list[str]]:
    """Return the ids of each group; vendors are groups as well."""
    index = _index(extra_dirs)
    groups: dict[str, list[str]] = {}
    for target_id in sorted(index):
        for group in _groups(_table(index, target_id)):
            groups.setdefault(group, []).append(target_id)
    return dict(sorted(groups.items()))


def normalize(name: str) -> str:
    """Normalize a name, so that ``NVIDIA H100 80GB`` equals ``nvidia_h100-80gb``."""
    return re.sub(r"[^a-z0-9.+]+", "-", name.casefold()).strip("-")


def _squash(key: str) -> str:
    """Remove hyphens, so that ``rtx4090`` finds ``rtx-4090``."""
    return key.replace("-", "")


def _expand(name: str, extra_dirs: Sequence[Path]) -> list[Target]:
    key = normalize(name)
    if key == ALL:
        return load_targets(extra_dirs)
    try:
        return [find_target(name, extra_dirs)]
    except UnknownTarget:
        members = target_groups(extra_dirs).get(key)
        if members is None:
            raise
        return _load_all(_index(extra_dirs), members)


_Index = Mapping[str, Sequence[Path]]
"""Files of each id, in order of folders; the last one wins."""


def _index(extra_dirs: Sequence[Path]) -> _Index:
    index: dict[str, list[Path]] = {}
    for folder in extra_dirs:
        if not folder.is_dir():
            raise TargetFileError(f"target folder {folder} does not exist")
    for folder in (data_dir("hardware_targets"), *extra_dirs):
        here: dict[str, Path] = {}
        for path in _files(folder) if folder in extra_dirs else _built_in_files(folder):
            target_id = path.stem
            if folder in extra_dirs and path.is_symlink() and leads_out(folder, path):
                raise TargetFileError(f"{path} is a link that points outside the target folder")
            if not _ID.fullmatch(target_id) or target_id in (ALL, HOST):
                raise TargetFileError(
                    f"{path}: invalid target id {target_id!r}; "
                    "use lower-case letters, digits and hyphens (example: h100-sxm.toml)"
                )
            if target_id in here:
                raise TargetFileError(f"{path}: {here[target_id]} has the same id")
            here[target_id] = path
            index.setdefault(target_id, []).append(path)
    return index


def _files(folder: Path) -> list[Path]:
    return [Path(each) for each in files_below(folder, ".toml")]


_built_in_files = cache(_files)
"""The files of the devices at hand, listed once."""


def _load(index: _Index, target_id: str) -> Target:
    return _load_all(index, [target_id])[0]


def _load_all(index: _Index, target_ids: Iterable[str]) -> list[Target]:
    from modellint.targets.kept import keep, load_kept

    state = _state(index)
    targets = []
    for target_id in target_ids:
        target = load_kept(target_id, state)
        if target is None:
            target = _validated(index, target_id)
            keep(target, state)
        targets.append(target)
    return targets


def _state(index: _Index) -> str:
    from modellint.targets.kept import state_of

    return state_of(path for layers in index.values() for path in layers)


def _validated(index: _Index, target_id: str) -> Target:
    return _target(_table(index, target_id), index[target_id][-1])


def _table(index: _Index, target_id: str) -> _Table:
    return _extended(index, target_id, len(index[target_id]) - 1, ())


def _extended(
    index: _Index, target_id: str, layer: int, below: tuple[tuple[str, int], ...]
) -> _Table:
    """Merge a file's table over that of the device it extends, which may have the same id."""
    return _over_base(index, _read_table(index[target_id][layer]), target_id, layer, below)


def _over_base(
    index: _Index, table: _Table, target_id: str, layer: int, below: tuple[tuple[str, int], ...]
) -> _Table:
    path = index[target_id][layer]
    base = table.pop("extends", None)
    if base is None:
        return table
    layers = index.get(base, ()) if isinstance(base, str) else ()
    base_layer = layer - 1 if base == target_id else len(layers) - 1
    if base_layer < 0:
        raise _error(path, FileMistake(f"extends {base!r}, which is not a target id", EXTENDS))
    here = (*below, (target_id, layer))
    if (base, base_layer) in here:
        raise _error(path, FileMistake(f"extends itself through {base!r}", EXTENDS))
    parent = _extended(index, base, base_layer, here)
    if base != target_id:  # a different device does not inherit names
        parent.pop("name", None)
        parent.pop("aliases", None)
    return _merged(parent, table)


def _merged(below: _Table, above: _Table) -> _Table:
    both = {
        key: _merged(below[key], value)
        for key, value in above.items()
        if isinstance(value, dict) and isinstance(below.get(key), dict)
    }
    return {**below, **above, **both}


def _read_table(path: Path) -> _Table:
    try:
        return read_toml(path)
    except OSError as error:
        raise TargetFileError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # of TOML, or of its encoding
        raise TargetFileError(f"{path}: {error}") from error


def _spellings(table: _Table) -> Iterator[str]:
    """Iterate over a device's names other than its id, from a table that is not validated yet."""
    for name in (table.get("name"), *_list(table, "aliases")):
        yield normalize(str(name))


def _groups(table: _Table) -> Iterator[str]:
    yield from dict.fromkeys(
        normalize(str(name)) for name in (table.get("vendor"), *_list(table, "groups"))
    )


def _list(table: _Table, key: str) -> list[object]:
    found = table.get(key, [])
    return found if isinstance(found, list) else []


def _near(key: str, tables: Mapping[str, _Table]) -> list[str]:
    """Return ids that contain the key, then ids and groups with similar spelling."""
    named = {target_id: target_id for target_id in tables}
    for target_id, table in tables.items():
        named.update(dict.fromkeys(_spellings(table), target_id))
        named.update({group: group for group in _groups(table)})
    containing = [target_id for target_id in tables if key and key in target_id]
    alike = [named[name] for name in similar(key, named, most=5)]
    return list(dict.fromkeys([*sorted(containing), *alike]))[:4]


def _either(names: Sequence[str]) -> str:
    *rest, last = map(repr, names)
    return f"{', '.join(rest)} or {last}" if rest else last
