"""Discovery, validation and merging of configuration files and the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import field, fields, replace
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from modellint.base.data import cache_dir, parse_toml
from modellint.base.errors import UsageError
from modellint.base.files import MOST_TEXT, read_regular, read_text
from modellint.base.mistakes import FileMistake, syntax_mistake
from modellint.base.paths import Folders, leads_out, real_path, tool_folder, why_outside
from modellint.base.rebuild import from_plain
from modellint.base.records import dataclass
from modellint.base.standins import stand_ins
from modellint.config.places import PYPROJECT
from modellint.config.settings import ADDED, Settings

NAMES = (".modellint.toml", "modellint.toml", PYPROJECT)
"""The first of these in a folder wins; a pyproject.toml without our table does not count."""


TITLE = "modellint configuration"
READ = frozenset({"rules", "target-dirs"})
"""Settings that name folders which are only read."""


class ConfigError(UsageError):
    """Invalid configuration file."""

    def __init__(self, file: Path, *mistakes: FileMistake) -> None:
        super().__init__(file, *mistakes)
        self.file = file
        self.mistakes = mistakes

    def __str__(self) -> str:
        from modellint.config.mistakes import describe

        return describe(self.file, self.mistakes)


@dataclass(frozen=True, slots=True, eq=False)
class Config:
    """Settings, and the base folder of their relative paths and globs."""

    settings: Settings
    root: Path
    file: Path | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Values from the command line that override the file, by field name."""
    is_chosen: bool = False
    """True if the user named the file, rather than a repository brought it."""

    def mistake(self, keys: Sequence[str | int], text: str) -> UsageError:
        """Return an error about a setting that passed validation, with its key, file and line."""
        from modellint.config.mistakes import dotted

        text = f"{dotted(keys)}: {text}"
        if self.file is not None and not self._is_overridden(keys):
            return ConfigError(self.file, FileMistake(text, tuple(keys)))
        return UsageError(text)

    def _is_overridden(self, keys: Sequence[str | int]) -> bool:
        given = self.overrides.get(str(keys[0]).replace("-", "_"))
        return keys[1] in given if isinstance(given, Mapping) else given is not None

    def path(self, key: str, text: str) -> Path:
        """Return the file or folder that a setting names.

        The command line may name anything; a configuration file comes with a repository that may
        not be trusted, so it may only name what is below its own folder.
        """
        if self._is_overridden((key,)):
            return Path(os.path.expanduser(text))  # noqa: PTH111 - that of Path raises for unknown users
        reason = why_outside(self.root, text)
        if reason is None and key not in READ and (tool := tool_folder(self.root, text)):
            reason = f"is in {tool!r}"
        if reason is not None:
            raise self.mistake(
                (key,),
                f"{text!r} {reason}; a configuration file may only name what is below its own "
                "folder, the command line may name anything",
            )
        return self.root / text

    def interpreter(self, runtime: str) -> str | None:
        """Return the Python interpreter that a setting names for a runtime.

        It is a program that will run, so a file that merely lies in a repository may not name it.
        """
        table = self.settings.probes.get(runtime)
        if table is None:
            return None
        if self._is_overridden(("probes", runtime)):
            return table.python
        if not self.is_chosen:
            raise self.mistake(
                ("probes", runtime, "python"),
                "a program that a repository names is not run; if you trust it, give "
                f"--probe-python {runtime}={table.python}, or name the file itself with --config",
            )
        return str((self.root / os.path.expanduser(table.python)).absolute())  # noqa: PTH111

    @property
    def cache_folder(self) -> Path | None:
        """Return the cache folder; None if caching is off."""
        if not self.settings.cache:
            return None
        folder = self.settings.cache_dir
        return self.path("cache-dir", folder) if folder else cache_dir()

    def relative(self, path: Path) -> str:
        """Return the path relative to this configuration, as its globs match it.

        A remote model has the path of its address: ``bucket/models/a.onnx``.
        """
        standing = stand_ins(path)
        if standing is not None:
            return standing.shown(path).partition("://")[2]
        full = _resolved(path.parent.absolute()) + "/" + path.name
        root = _resolved(self.root.absolute()).rstrip("/") + "/"
        return full.removeprefix(root).lstrip("/")


@lru_cache(maxsize=4096)
def _resolved(folder: Path) -> str:
    return real_path(folder).as_posix()


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Values given on the command line, by field name of Settings; they override every file."""

    values: Mapping[str, Any]
    file: Path | None = None
    """The file to use instead of the nearest one."""
    isolated: bool = False
    top: Path | None = None
    """The folder, without links, outside of which no file counts; None for no limit."""


class Configs:
    """Configuration of each folder: the nearest file, overridden by the command line."""

    def __init__(self, command_line: CommandLine) -> None:
        self._command_line = command_line
        self._folders = Folders()
        self._by_folder: dict[Path, Config] = {}
        self._by_file: dict[Path | None, Config] = {}

    def of(self, folder: Path) -> Config:
        """Return the configuration for files in a folder; for remote ones, that of their home."""
        standing = stand_ins(folder)
        if standing is not None:
            folder = standing.home
        if folder not in self._by_folder:
            self._by_folder[folder] = self._find(folder)
        return self._by_folder[folder]

    def _find(self, folder: Path) -> Config:
        if self._command_line.isolated:
            return self._merged(None)
        if self._command_line.file is not None:
            return self._merged(self._command_line.file)
        return self._nearest(self._folders.resolved(folder))

    def _nearest(self, folder: Path) -> Config:
        """Return the configuration of a folder, or of the nearest one above it that has any."""
        passed, top = [], self._command_line.top
        for each in chain((folder,), folder.parents):
            if top is not None and not each.is_relative_to(top):
                continue
            config = self._by_folder.get(each) or self._own(each)
            if config is not None:
                break
            passed.append(each)
        else:
            config = self._merged(None)
        self._by_folder.update(dict.fromkeys(passed, config))
        return config

    def _own(self, folder: Path) -> Config | None:
        """Return the configuration that a folder itself contains."""
        for name in NAMES:
            file = folder / name
            is_there = os.path.isfile(file) and not self._leads_out(file)  # noqa: PTH113 - any length
            if is_there and read_table(file) is not None:
                return self._merged(file)
        return None

    def _leads_out(self, file: Path) -> bool:
        top = self._command_line.top
        return top is not None and leads_out(top, file)

    def _merged(self, file: Path | None) -> Config:
        """Return the Config of a file, shared by all folders it applies to."""
        if file not in self._by_file:
            config = Config(Settings(), Path.cwd()) if file is None else read_config(file)
            overrides = self._command_line.values
            settings = merge(config.settings, overrides)
            self._by_file[file] = replace(
                config,
                settings=settings,
                overrides=overrides,
                is_chosen=file is not None and file == self._command_line.file,
            )
        return self._by_file[file]


def merge(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Override settings by the command line's values; tables and lists in `ADDED` are merged."""
    merged = {}
    for name, value in values.items():
        current = getattr(settings, name)
        if name in ADDED:
            value = (*current, *value)
        elif isinstance(value, Mapping):
            value = {**current, **value}
        merged[name] = value
    return replace(settings, **merged)


def read_config(file: Path) -> Config:
    """Read and validate the settings of a file."""
    if not file.exists():
        raise UsageError(f"configuration file {file} does not exist")
    return _config(read_table(file), file)


def parse_config(text: str, file: Path) -> Config:
    """Validate the settings in the text of a file, which may not have been saved."""
    return _config(_own_table(_parsed(text, file), file), file)


def _config(table: dict[str, Any] | None, file: Path) -> Config:
    settings = validate(table, file) if table else Settings()
    return Config(settings, file.parent, file)


def read_table(file: Path) -> dict[str, Any] | None:
    """Read the settings table of a file; None for a pyproject.toml without one."""
    try:
        if file.name == PYPROJECT and b"modellint" not in read_regular(file, MOST_TEXT):
            return None  # most pyproject.toml files have no such table, and need no parser
        text = read_text(file)
    except OSError as error:
        mistake = FileMistake(f"cannot read file: {error.strerror}")
        raise ConfigError(file, mistake) from error
    except ValueError as error:  # of the encoding
        raise ConfigError(file, FileMistake(f"invalid TOML: {error}")) from error
    return _own_table(_parsed(text, file), file)


def _parsed(text: str, file: Path) -> dict[str, Any]:
    try:
        return parse_toml(text)
    except ValueError as error:
        raise ConfigError(file, syntax_mistake(f"invalid TOML: {error}")) from error


def _own_table(table: dict[str, Any], file: Path) -> dict[str, Any] | None:
    if file.name != PYPROJECT:
        return table
    tool = table.get("tool", {})
    return tool.get("modellint") if isinstance(tool, dict) else None


def validate(table: dict[str, Any], file: Path) -> Settings:
    """Convert the table to Settings, or raise an error with key, line and suggestion.

    A table that passed validation before is not validated again, so most runs need no pydantic.
    """
    from modellint.config.known import is_known_valid, remember_valid

    if is_known_valid(table):
        return from_plain(Settings, table)
    settings = _validated(table, file)
    with suppress(ValueError):  # a date in a form that only pydantic reads
        if from_plain(Settings, table) == settings:
            remember_valid(table)
    return settings


def _validated(table: dict[str, Any], file: Path) -> Settings:
    from pydantic import ValidationError

    from modellint.config.known import as_json
    from modellint.config.mistakes import found_in

    try:
        # JSON mode, unlike strict Python mode, converts a list of strings to a tuple of strings.
        text = as_json(table)
        settings: Settings = adapter().validate_json(text, strict=True)
    except ValidationError as error:
        raise ConfigError(file, *found_in(table, error.errors())) from None
    return settings


@cache
def adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Settings)


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the configuration, with a description of each setting."""
    schema: dict[str, Any] = adapter().json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = TITLE
    for item in fields(Settings):
        key = item.name.replace("_", "-")
        schema["properties"][key]["description"] = item.metadata["help"]
    simple: dict[str, Any] = _simplified(schema)
    return simple


def _simplified(schema: Any) -> Any:
    """Remove null, which TOML lacks, and titles that repeat a property's name."""
    if isinstance(schema, list):
        return [_simplified(each) for each in schema if each != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    simple = {
        key: _simplified(value)
        for key, value in schema.items()
        if not (key == "title" and value != TITLE) and not (key == "default" and value is None)
    }
    choices = simple.get("anyOf", ())
    if len(choices) == 1:
        del simple["anyOf"]
        simple = {**choices[0], **simple}
    return simple
