"""Quantities as people write them."""

from __future__ import annotations

import pytest

from modellint.base.errors import UsageError
from modellint.base.units import (
    format_bandwidth,
    format_bytes,
    format_hertz,
    format_rate,
    format_watts,
    parse_bandwidth,
    parse_bytes,
    parse_hertz,
    parse_watts,
)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("24GB", 24 * 10**9),
        ("24 GiB", 24 * 2**30),
        ("24gib", 24 * 2**30),
        ("1.5M", 1_500_000),
        ("512Ki", 512 * 1024),
        ("7", 7),
        (7, 7),
        ("1 TB", 10**12),
    ],
)
def test_bytes(text: str | int, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "GB", "24 GBit", "-1GB", "24GB/s", "1e9", "１２GB x"])
def test_what_is_not_bytes_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="24GB"):
        parse_bytes(text)


def test_other_quantities() -> None:
    assert parse_bandwidth("3.35 TB/s") == 3.35e12
    assert parse_watts("150 W") == 150
    assert parse_hertz("1695 MHz") == 1.695e9
    assert parse_hertz("1.8 GHz") == 1.8e9
    with pytest.raises(UsageError):
        parse_bandwidth("600 GB")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (1536, "1.5 KiB"),
        (23028 * 2**20, "22.5 GiB"),
        (2**50, "1 PiB"),
        (2**20 - 1, "1 MiB"),
    ],
)
def test_formatting(count: int, text: str) -> None:
    assert format_bytes(count) == text


def test_formatting_as_datasheets_do() -> None:
    assert format_bandwidth(600e9) == "600 GB/s"
    assert format_bandwidth(3.35e12) == "3.35 TB/s"
    assert [format_rate(rate) for rate in (1979e12, 125e12, 31.2e12, 0.472e12)] == [
        "1,979",
        "125",
        "31.2",
        "0.472",
    ]
    assert format_hertz(1.695e9) == "1,695 MHz"
    assert format_watts(150.0) == "150 W"


def test_numbers_past_all_floats_are_shown() -> None:
    assert format_bytes(2**5000).endswith(" PiB")
    assert format_bandwidth(2**5000).endswith(" TB/s")
