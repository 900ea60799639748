"""`modellint targets`: devices, filtered, and ranked for a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from modellint.base.errors import UsageError
from modellint.base.units import (
    parse_bytes,
    parse_watts,
)
from modellint.cli.command import Command, option
from modellint.cli.completion import complete_targets
from modellint.cli.configuration import configurable, configuration
from modellint.cli.console import note
from modellint.cli.given import Count, comma_lists, one_of
from modellint.cli.outputs import JSON, list_options, write_list
from modellint.cli.target_pages import PRECISIONS, print_comparison, print_device, print_list
from modellint.report.options import Options
from modellint.report.page import ListPage

if TYPE_CHECKING:
    from modellint.analysis.latency import TimeEstimate
    from modellint.targets.target import Target

FILTERS, RANKING = "Filters", "Ranking"

EPILOG = """Examples:
  modellint targets                                      all devices
  modellint targets nvidia-datacenter --supports fp8     devices of a group
  modellint targets a10                                  one device in full, with sources
  modellint targets compare a10 l4                       side by side
  modellint targets compare jetson --model model.onnx    the fastest for a model first
"""


def _quantity(parse: Callable[[str], float]) -> Callable[..., float | None]:
    def read(ctx: click.Context, parameter: click.Parameter, given: str | None) -> float | None:
        if given is None:
            return None
        try:
            return parse(given)
        except UsageError as error:
            raise click.BadParameter(str(error), ctx, parameter) from error

    return read


def _precisions(
    ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    names = tuple(name.lower() for name in comma_lists(ctx, parameter, given))
    for name in names:
        one_of(*PRECISIONS)(ctx, parameter, name)
    return names


@click.command(cls=Command, epilog=EPILOG)
@click.argument(
    "names", nargs=-1, metavar="[list|show|compare] [NAME]...", shell_complete=complete_targets
)
@option(
    "--min-memory",
    group=FILTERS,
    metavar="SIZE",
    callback=_quantity(parse_bytes),
    help="Minimum memory (example: 24GB).",
)
@option(
    "--max-tdp",
    group=FILTERS,
    metavar="POWER",
    callback=_quantity(parse_watts),
    help="Maximum power (example: 75W).",
)
@option("--vendor", group=FILTERS, metavar="NAME", help="Vendor, for example nvidia.")
@option(
    "--supports",
    group=FILTERS,
    metavar="PRECISION",
    multiple=True,
    callback=_precisions,
    help=f"Precision with hardware support: {', '.join(PRECISIONS)}; repeatable.",
)
@option(
    "--model",
    group=RANKING,
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True),
    help="With compare: order devices by the expected time of this model.",
)
@option("--batch", group=RANKING, metavar="N", type=Count(), help="Batch size of the model.")
@option(
    "--precision",
    group=RANKING,
    metavar="NAME",
    callback=one_of(*PRECISIONS),
    help="Precision of the model.",
)
@list_options()
@configurable
def command(names: tuple[str, ...], **given: Any) -> None:
    """List devices, show one in full, or compare several.

    NAME is an id, an alias, a group such as jetson, a vendor, 'all', or 'host' for this machine.
    """
    from modellint.targets.loader import expand_targets

    verb, names = _verb(names)
    config = configuration(given["config"], given["isolated"])
    folders = [config.path("target-dirs", folder) for folder in config.settings.target_dirs]
    asked = expand_targets(names or ("all",), folders)
    targets = _filtered(asked, given)
    if given["model"] is not None and verb != "compare":
        raise UsageError("--model goes with compare (example: modellint targets compare jetson)")
    in_full = verb == "show" or (verb is None and len(names) == len(asked) == 1)

    def draw(name: str, stream: TextIO, options: Options) -> None:
        page = ListPage(stream, options)
        if name == JSON:
            _write_json(targets, stream)
        elif not targets:
            note("no device matches all filters")
        elif in_full:
            for target in targets:
                print_device(target, page)
        elif verb == "compare":
            print_comparison(targets, _times(targets, given), page)
        else:
            print_list(targets, page)

    write_list(given, draw)


def _verb(words: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Split the words into a verb and device names."""
    if not words or words[0] not in ("list", "show", "compare"):
        return None, words
    verb, names = words[0], words[1:]
    if verb == "show" and not names:
        raise UsageError("name a device to show (example: modellint targets show a10)")
    if verb == "compare" and not names:
        raise UsageError("name devices to compare (example: modellint targets compare a10 l4)")
    return verb, names


def _filtered(targets: Sequence[Target], given: Mapping[str, Any]) -> list[Target]:
    from modellint.base.suggest import did_you_mean
    from modellint.targets.loader import filter_targets, load_targets, normalize

    vendor = given["vendor"]
    if vendor is not None:
        vendors = sorted({target.vendor for target in (*load_targets(), *targets)})
        if normalize(vendor) not in vendors:
            hint = did_you_mean(vendor, vendors, f"choose from {', '.join(vendors)}")
            raise UsageError(f"unknown vendor {vendor!r}; {hint}")
    return filter_targets(
        targets,
        min_memory=given["min_memory"],
        max_tdp=given["max_tdp"],
        vendor=vendor,
        supports=given["supports"],
    )


def _write_json(targets: Sequence[Target], stream: TextIO) -> None:
    """Write JSON: sizes in bytes, rates in operations and bytes per second."""
    from dataclasses import asdict

    from modellint.report.strict import dumps

    document = {"version": 1, "targets": [asdict(target) for target in targets]}
    click.echo(dumps(document, indent=2), file=stream)


def _times(targets: Sequence[Target], given: Mapping[str, Any]) -> dict[str, TimeEstimate | None]:
    """Return the expected time of the given model on each device; empty without one."""
    path: Path | None = given["model"]
    if path is None:
        return {}
    from modellint.placement.timed import latency_on_units
    from modellint.session import Session
    from modellint.targets.deployment import Deployment, usual_precision

    opened = Session().open(path, str(path))
    if not opened.model.has_graph:
        raise UsageError(f"{path} contains no graph ({opened.model.format})")
    found = {}
    for target in targets:
        runtime = target.default_runtime
        precision = given["precision"] or usual_precision(runtime, target)
        deployment = Deployment(target, runtime, precision=precision, batch=given["batch"])
        found[target.id] = opened.under(deployment).get(latency_on_units)
    return found
