"""Parsing and formatting of quantities: ``24 GiB``, ``600 GB/s``, ``150 W``, ``1695 MHz``."""

from __future__ import annotations

from modellint.base.errors import UsageError
from modellint.base.expressions import late
from modellint.base.text import LONGEST_WORD, shorten

_QUANTITY = late(r"(?P<number>\d+(?:_\d+)*(?:\.\d+)?)\s*(?P<unit>[A-Za-z/]*)")
MOST_DIGITS = 30
_PREFIXES = "kmgtp"
_BYTES = {
    "": 1,
    "b": 1,
    **{f"{p}{b}": 1000 ** (n + 1) for n, p in enumerate(_PREFIXES) for b in ("", "b")},
    **{f"{p}i{b}": 1024 ** (n + 1) for n, p in enumerate(_PREFIXES) for b in ("", "b")},
}
MOST = 1e300
"""Larger numbers are shown as this one: integers have no end, and floats have one."""
_HERTZ = {"hz": 1, "khz": 1e3, "mhz": 1e6, "ghz": 1e9}


def finite(number: float) -> float:
    """Return a number that floats can hold: itself, or the largest of its sign."""
    return max(-MOST, min(number, MOST))


def parse_bytes(text: str | int) -> int:
    """Parse ``24GB``, ``24 GiB``, ``512M`` or plain bytes; decimal units are powers of 1000."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    return round(_parse(text, _BYTES, "size", "24GB"))


def parse_bandwidth(text: str) -> float:
    """Parse ``600 GB/s`` or ``3.35 TB/s`` to bytes per second."""
    units = {f"{unit}/s": factor for unit, factor in _BYTES.items() if unit.endswith("b")}
    return _parse(text, units, "bandwidth", "600 GB/s")


def parse_watts(text: str) -> float:
    return _parse(text, {"w": 1, "kw": 1e3}, "power", "150 W")


def parse_hertz(text: str) -> float:
    return _parse(text, _HERTZ, "clock rate", "1695 MHz")


def format_bytes(count: float) -> str:
    """Format as ``512 B``, ``1.5 MiB``, ``22.5 GiB``: three significant digits, binary units."""
    count = finite(count)
    units = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
    for unit in units:
        if abs(count) < 1023.5 or unit == units[-1]:
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" or abs(count) >= 99.95 else f"{count:.3g} {unit}"


def format_bandwidth(rate: float) -> str:
    """Format like datasheets: ``600 GB/s``, ``3.35 TB/s``."""
    rate = finite(rate)
    return f"{rate / 1e12:.3g} TB/s" if rate >= 1e12 else f"{rate / 1e9:.3g} GB/s"


def format_rate(rate: float) -> str:
    """Format operations per second in T(FL)OPS: ``125``, ``31.2``, ``0.26``."""
    tera = rate / 1e12
    return f"{tera:,.0f}" if tera >= 100 else f"{tera:.3g}"


def format_hertz(rate: float) -> str:
    return f"{rate / 1e6:,.0f} MHz"


def format_watts(power: float) -> str:
    return f"{power:g} W"


def _parse(
    text: object, units: dict[str, int] | dict[str, float], kind: str, example: str
) -> float:
    match = _QUANTITY.fullmatch(text.strip()) if isinstance(text, str) else None
    factor = units.get(match["unit"].lower()) if match else None
    if match is None or factor is None or len(match["number"]) > MOST_DIGITS:
        shown = shorten(repr(text), LONGEST_WORD)
        raise UsageError(f"invalid {kind} {shown} (example: {example})")
    return float(match["number"]) * factor
