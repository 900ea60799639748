"""Options of verbs that run models: the inputs to run them on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modellint.cli.command import option
from modellint.config.settings import FIXING

if TYPE_CHECKING:
    from modellint.execution import Arrays
    from modellint.model import Model

DATA = "Inputs"
_OPTIONS = (
    option(
        "--data",
        group=DATA,
        metavar="PATH",
        type=click.Path(path_type=Path, exists=True),
        help="Inputs: npz, npy, or a folder of arrays, images or texts.",
    ),
    option(
        "--samples",
        group=DATA,
        metavar="N",
        type=click.IntRange(min=1),
        default=128,
        help="Maximum number of inputs to read.  [default: 128]",
    ),
    option(
        "--normalize",
        group=DATA,
        type=click.Choice(["unit", "imagenet", "none"]),
        default="unit",
        help="Range of images: 0 to 1, by ImageNet's mean, or 0 to 255.  [default: unit]",
    ),
    option(
        "--tokenizer",
        group=DATA,
        metavar="FILE",
        type=click.Path(path_type=Path, exists=True),
        help="The tokenizer.json for texts.",
    ),
    option(
        "--seed",
        group=DATA,
        metavar="N",
        type=click.IntRange(min=0),
        default=0,
        help="Seed of random inputs.  [default: 0]",
    ),
)

fix_data_option = option(
    "--fix-data",
    group=FIXING,
    metavar="PATH",
    type=click.Path(path_type=Path, exists=True),
    help="Inputs to prove fixes with, in addition to random ones: npz, npy, or a folder.",
)


def input_options(command: Any) -> Any:
    """Add the options that say what a model is run on."""
    for each in reversed(_OPTIONS):
        command = each(command)
    return command


def read_inputs(model: Model, given: Mapping[str, Any]) -> list[Arrays]:
    """Return the inputs that `--data` names."""
    from modellint.execution.given import InputReader

    reader = InputReader(model, given["normalize"], given["tokenizer"], given["samples"])
    return reader.read(given["data"])
