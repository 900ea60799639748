"""Chips that Qualcomm's library compiles for, as it names them itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from modellint.base.records import dataclass
from modellint.base.store import kept_toml
from modellint.runtimes.probe import Device
from modellint.runtimes.versions import find_table


@dataclass(frozen=True, slots=True)
class Chip:
    """A chip, as `tools/measure_chips.py` found it."""

    number: str
    """The number that stands for it in the option `soc_model`."""
    name: str
    """Empty if the library prints none."""
    architecture: str
    floats: bool
    """True if it took a float model, which it computes in float16."""
    integers: bool


@cache
def chips() -> Mapping[str, Chip]:
    """Return the chips of the newest release by name, in lower case."""
    table = find_table("qnn", "chips", None)
    stated = kept_toml(table.path)["chips"] if table is not None else {}
    found = [Chip(number, **facts) for number, facts in stated.items()]
    return {each.name.lower(): each for each in found if each.name}


def chip_of(device: Device) -> Chip | None:
    """Return the chip of a target, which has the chip's name as its id or an alias."""
    names = (device.id, *device.aliases)
    return next((chips()[name] for name in names if name in chips()), None)
