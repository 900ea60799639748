"""`modellint completion`, and the completion of option values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modellint.cli.command import Command, starting_with
from modellint.cli.given import one_of

if TYPE_CHECKING:
    from modellint.config.load import Config
    from modellint.rules.rule import Rule

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_MODELLINT_COMPLETE"
HOW = {
    "bash": '# Add to ~/.bashrc:  eval "$(modellint completion bash)"',
    "zsh": '# Add to ~/.zshrc:  eval "$(modellint completion zsh)"',
    "fish": "# Save as ~/.config/fish/completions/modellint.fish",
}


@click.command(cls=Command)
@click.argument(
    "shell",
    metavar=f"[{'|'.join(SHELLS)}]",
    callback=one_of(*SHELLS),
    shell_complete=lambda ctx, parameter, incomplete: starting_with(incomplete, SHELLS),
)
def command(shell: str) -> None:
    """Print a shell completion script for verbs, options, rules, targets and files."""
    from click.shell_completion import get_completion_class

    from modellint.cli.app import program

    completion = get_completion_class(shell)
    assert completion is not None
    click.echo(f"{HOW[shell]}\n{completion(program, {}, 'modellint', VARIABLE).source()}")


def complete_rules(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete codes, families and, after the first letter, names; also after a comma."""
    rules = _rules(ctx)
    names = [rule.name for rule in rules] if incomplete else []
    return _after_comma([*(rule.code for rule in rules), *_families(rules), *names], incomplete)


def complete_families(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return _after_comma(_families(_rules(ctx)), incomplete)


def complete_runtimes(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from modellint.runtimes import runtimes

    return _after_comma(list(runtimes()), incomplete)


def complete_targets(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from modellint.targets import target_groups, target_ids

    folders = _folders(ctx, "target_dirs")
    return _after_comma([*target_ids(folders), *target_groups(folders), "host"], incomplete)


def _rules(ctx: click.Context) -> list[Rule]:
    from modellint.rules.registry import load_rules

    return list(load_rules(_folders(ctx, "rules")).values())


def _families(rules: Sequence[Rule]) -> list[str]:
    return sorted({rule.family for rule in rules})


def _after_comma(words: Sequence[str], incomplete: str) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{word}" for word in words if word.startswith(last)]


def _folders(ctx: click.Context, setting: str) -> list[Path]:
    """Return folders named by the configuration; ignore a broken configuration while completing."""
    from modellint.base.errors import UsageError
    from modellint.cli.configuration import configuration

    try:
        config: Config = configuration(ctx.params.get("config"), bool(ctx.params.get("isolated")))
        texts = getattr(config.settings, setting)
        folders = [config.path(setting.replace("_", "-"), text) for text in texts]
    except UsageError:
        return []
    return [folder for folder in folders if folder.is_dir()]
