"""Deployment options shared by several verbs: target, runtime, precision, shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

import click

from modellint.cli.command import option
from modellint.cli.completion import complete_runtimes, complete_targets
from modellint.cli.given import comma_lists, one_of, pairs, sizes
from modellint.targets.target import Precision

GROUP = "Deployment"


def deployable(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--target`, `--runtime`, `--precision`, `--batch`, `--shape` and `--symbol`."""
    options = (
        option("--target", "-t", group=GROUP, metavar="ID", multiple=True, callback=comma_lists,
               shell_complete=complete_targets, help="Device, group, or 'host'; repeatable."),
        option("--runtime", group=GROUP, metavar="NAME", shell_complete=complete_runtimes,
               help="Runtime, for example tensorrt."),
        option("--precision", group=GROUP, metavar="NAME", callback=one_of(*get_args(Precision)),
               help=f"{', '.join(get_args(Precision))}."),
        option("--batch", group=GROUP, type=click.IntRange(min=1), metavar="N", help="Batch size."),
        option("--shape", group=GROUP, metavar="INPUT=SHAPE", multiple=True, callback=pairs,
               help="1x3x224x224, or a range: min..max or min..opt..max."),
        option("--symbol", group=GROUP, metavar="NAME=N", multiple=True, callback=sizes,
               help="Value of a symbolic dimension."),
    )  # fmt: skip
    for add in reversed(options):
        command = add(command)
    return command


def given_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given, by setting name."""
    values = {
        "targets": given["target"],
        "runtime": given["runtime"],
        "precision": given["precision"],
        "batch": given["batch"],
        "shapes": given["shape"],
        "symbols": given["symbol"],
    }
    return {name: value for name, value in values.items() if value not in (None, (), {})}
