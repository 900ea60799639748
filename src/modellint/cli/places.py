"""Models on the command line: paths, or addresses of remote ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modellint.base.paths import is_address
from modellint.base.units import format_bytes
from modellint.cli.console import note

if TYPE_CHECKING:
    from modellint.base.standins import Fetched
    from modellint.config.load import Config, Configs
    from modellint.discovery import Discovery

Place = Path | str
"""A path, or the text of an address."""


class PlaceType(click.Path):
    """A path; an address stays the text that it is."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if is_address(str(value)) else super().convert(value, param, ctx)


@contextmanager
def reached_from(places: Sequence[Place], config: Config) -> Iterator[tuple[Path, ...]]:
    """Yield paths to read; those of addresses are there for as long as the context lasts."""
    if all(isinstance(each, Path) for each in places):
        yield tuple(map(Path, places))
        return
    from modellint.planning.asking import fetch_limits
    from modellint.remote.reaching import reached

    with reached(places, fetch_limits(config)) as (paths, remarks):
        for text in remarks:
            note(text)
        yield tuple(paths)


@contextmanager
def found_in(places: Sequence[Place], configs: Configs) -> Iterator[Discovery]:
    """Yield the models in these places, as long as they can be read."""
    from modellint.discovery import discover
    from modellint.lfs import pointers_resolved

    with reached_from(places, configs.of(Path.cwd())) as paths:
        found = discover(paths, configs)
        with pointers_resolved(each.path for each in found.files) as kept:
            found.files = [each.read_from(kept.get(each.path)) for each in found.files]
            yield found


def are_remote(places: Sequence[Place]) -> bool:
    return any(isinstance(each, str) for each in places)


def note_fetched(fetched: Mapping[str, Fetched]) -> None:
    """Say what reading remote models took."""
    from modellint.base.standins import Fetched

    for name, each in fetched.items():
        note(f"{name}: {_amount(each)}")
    if len(fetched) > 1:
        note(f"together: {_amount(sum(fetched.values(), Fetched()))}")


def _amount(fetched: Fetched) -> str:
    requests = "request" if fetched.requests == 1 else "requests"
    return f"{format_bytes(fetched.nbytes)} fetched in {fetched.requests:,} {requests}"
