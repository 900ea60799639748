"""Configuration options of verbs that need the user's own rules and targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modellint.cli.command import option

if TYPE_CHECKING:
    from modellint.config.load import Config
    from modellint.rules.rule import Rule

GROUP = "Configuration"
VARIABLE = "MODELLINT_CONFIG"


def configurable(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--config` and `--isolated`."""
    isolated = option(
        "--isolated", group=GROUP, is_flag=True, help="Ignore all configuration files."
    )
    config = option(
        "--config",
        group=GROUP,
        metavar="FILE",
        type=click.Path(path_type=Path),
        envvar=VARIABLE,
        help="Use this file, not the nearest one.",
    )
    decorated: Callable[..., Any] = config(isolated(command))
    return decorated


def configuration(config: Path | None, isolated: bool) -> Config:
    """Return the configuration of the working folder."""
    from modellint.config.load import CommandLine, Configs

    return Configs(CommandLine({}, config, isolated)).of(Path.cwd())


def catalogue(config: Path | None, isolated: bool) -> Mapping[str, Rule]:
    """Return all rules, including those in the configuration's folders."""
    from modellint.rules.registry import load_rules

    settings = configuration(config, isolated)
    return load_rules([settings.path("rules", folder) for folder in settings.settings.rules])
