"""`modellint probe --setup`, `--list` and `--remove`: environments for probes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from modellint.base.errors import UsageError
from modellint.base.units import format_bytes
from modellint.report.page import ListPage
from modellint.report.table import Row, figures, names
from modellint.report.text import BOLD, FAIR, GOOD, Text

if TYPE_CHECKING:
    from modellint.probes.setup import EnvironmentSetup

PACKAGES = (names("  package"), names("version"), figures("download"), names("license"))
ABSENT, OUTDATED, PRESENT = "not set up", "outdated", "set up"
STYLES = {ABSENT: FAIR, OUTDATED: FAIR, PRESENT: GOOD}
LISTED = (names("name"), names("runtime"), names("version"), names("state"))


def set_up(wanted: Sequence[str], agreed: bool) -> int:
    """Install what the probes of some runtimes need, after listing it."""
    from modellint.probes.setup import make, setup_of

    missing = [each for each in map(setup_of, dict.fromkeys(wanted)) if not _is_there(each)]
    if not missing:
        return 0
    for each in missing:
        _announce(each)
    _agree(missing, agreed)
    for each in missing:
        make(each, partial(_say, each.name))
        click.echo(f"{each.name}: ready, in {each.folder}")
    return 0


def _say(name: str, text: str) -> None:
    click.echo(f"{name}: {text}")


def _is_there(setup: EnvironmentSetup) -> bool:
    if setup.is_current:
        click.echo(f"{setup.name}: already in {setup.folder}")
    return setup.is_current


def _announce(setup: EnvironmentSetup) -> None:
    stated = setup.environment
    size = format_bytes(int(stated.megabytes * 1e6))
    tool = {"pip": "PyPI", "npm": "npm"}[stated.installer]
    if stated.index:
        tool += f" and {stated.index}"
    page = ListPage(gutter=2)
    page.print(Text(setup.title, BOLD), f": about {size} from {tool}, into {setup.folder}")
    rows = [
        [f"  {each.name}", each.version, format_bytes(int(each.megabytes * 1e6)), each.license]
        for each in stated.packages
    ]
    for line in page.rows(PACKAGES, rows, page.width):
        page.print(line)
    if stated.agreement:
        page.field("", Text(f"{stated.agreement}.", FAIR))
    page.blank()


def _agree(setups: Sequence[EnvironmentSetup], agreed: bool) -> None:
    """Ask for consent; raise if it is denied, or if there is no terminal to ask on."""
    if agreed:
        return
    bound = [each.title for each in setups if each.environment.agreement]
    if not sys.stdin.isatty():
        terms = " and agree to the licenses" if bound else ""
        raise UsageError(f"nothing was installed: give --yes to install this{terms}")
    terms = f" and agree to the license of {' and '.join(bound)}" if bound else ""
    if not click.confirm(f"Install{terms}?"):
        raise UsageError("nothing was installed")


def list_all(as_json: bool) -> int:
    """List the environments that can be set up, and those that are."""
    from modellint.probes.setup import setups

    every = list(setups().values())
    if as_json:
        from modellint.report.strict import dumps

        click.echo(dumps([_entry(each) for each in every], indent=2))
        return 0
    page = ListPage(gutter=0)
    for line in page.rows(LISTED, [_listed(each) for each in every], page.width):
        page.print(line)
    return 0


def _listed(setup: EnvironmentSetup) -> Row:
    from modellint.probes.setup import bytes_of

    state = _state(setup)
    is_absent = state == ABSENT
    size = int(setup.environment.megabytes * 1e6) if is_absent else bytes_of(setup.folder)
    shown = f"{format_bytes(size)} to download" if is_absent else f"{state}, {format_bytes(size)}"
    return [setup.name, setup.title, setup.environment.version, Text(shown, STYLES[state])]


def _state(setup: EnvironmentSetup) -> str:
    if setup.is_current:
        return PRESENT
    return OUTDATED if setup.folder.is_dir() else ABSENT


def _entry(setup: EnvironmentSetup) -> dict[str, Any]:
    return {
        "name": setup.name,
        "title": setup.title,
        "state": _state(setup),
        "folder": str(setup.folder),
        **asdict(setup.environment),
    }


def remove(wanted: Sequence[str]) -> int:
    """Remove environments."""
    from modellint.probes.setup import remove, setup_of

    for each in map(setup_of, dict.fromkeys(wanted)):
        click.echo(f"{each.name}: {'removed' if remove(each) else 'was not set up'}")
    return 0
