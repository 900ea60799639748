"""`--show-settings`: the effective settings for each path, and their sources."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

import click

from modellint.base.errors import UsageError
from modellint.base.text import escaped
from modellint.config.load import CommandLine, Config, Configs, read_config
from modellint.config.places import shown
from modellint.config.settings import Settings, kebab
from modellint.discovery import shown_path


def show_settings(paths: Sequence[Path], configs: Configs, command_line: CommandLine) -> None:
    """Print one block of TOML for each configuration that applies to some of the paths."""
    by_config: dict[Config, list[Path]] = {}
    for path in paths:
        by_config.setdefault(configs.of(path if path.is_dir() else path.parent), []).append(path)
    for config, mine in by_config.items():
        file = shown(config.file) if config.file is not None else "no configuration file"
        click.echo(escaped(f"# {', '.join(map(shown_path, mine))}: {file}"))
        below = read_config(config.file).settings if config.file is not None else Settings()
        for item in fields(Settings):
            value = getattr(config.settings, item.name)
            source = _source(item.name, value, below, command_line)
            text = escaped(f"{kebab(item.name)} = {_toml(value)}")
            click.echo(f"# {text}" if value is None else f"{text}  # {source}")
        for text in _deployments(config):
            click.echo(escaped(f"# {text}"))


def _deployments(config: Config) -> Iterator[str]:
    """Iterate over the deployments and what is assumed, or what is wrong with the settings."""
    from modellint.planning.deployments import deployments
    from modellint.report.assumed import sentence
    from modellint.rules.registry import load_rules

    try:
        for deployment in deployments(config, load_rules(examples=False)):
            yield sentence(deployment.assumptions())
    except UsageError as error:
        yield str(error)


def _source(name: str, value: object, file: Settings, command_line: CommandLine) -> str:
    if name in command_line.values:
        return "command line"
    return "default" if value == getattr(Settings(), name) else "file"


def _toml(value: object) -> str:
    if value is None:
        return "(not set)"
    if is_dataclass(value) and not isinstance(value, type):
        value = {kebab(item.name): getattr(value, item.name) for item in fields(value)}
    if isinstance(value, Mapping):
        entries = [
            f"{_key(key)} = {_toml(each)}" for key, each in value.items() if each is not None
        ]
        return f"{{ {', '.join(entries)} }}" if entries else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, datetime.date):
        return value.isoformat()
    return _quoted(value)


def _key(key: object) -> str:
    text = str(key)
    bare = text.replace("-", "").replace("_", "")
    return text if bare.isascii() and bare.isalnum() else _quoted(text)


def _quoted(value: object) -> str:
    """Quote a value; write what terminals could interpret as an escape."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)
