"""Makes the list of devices, docs/devices.md, from the target files."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from generated import DOCS, Contents, bring_up_to_date

from modellint.base.units import format_bandwidth, format_rate, format_watts
from modellint.targets import Target, format_bytes, load_targets, target_groups
from modellint.targets.target import Precision, natural_order, vendor_name

RATES: tuple[Precision, ...] = ("fp32", "bf16", "fp16", "fp8", "int8", "fp4", "int4")


def contents() -> Contents:
    return {DOCS / "devices.md": "\n".join(_lines(load_targets())) + "\n"}


def _lines(targets: list[Target]) -> Iterator[str]:
    yield "# Devices"
    yield ""
    yield f"{len(targets)} devices, generated from [hardware_targets/](../hardware_targets): each"
    yield "file there names the source of every figure, and how well it is known. How to add one:"
    yield "[targets.md](targets.md)."
    yield ""
    yield "Rates are dense peaks in TFLOPS (TOPS for integers), never the figure with sparsity."
    yield "A dash: the hardware does not compute in it. A question mark: it does, but no rate is"
    yield "published."
    for vendor in sorted({target.vendor for target in targets}):
        yield from _table(vendor, [target for target in targets if target.vendor == vendor])
    yield from ("", "## Groups", "", "`--target GROUP` stands for all of them; so do a vendor and")
    yield from ("`all`.", "", "| group | devices |", "| --- | --- |")
    vendors = {target.vendor for target in targets}
    for group, members in target_groups().items():
        if group not in vendors:
            yield f"| `{group}` | {', '.join(sorted(members, key=natural_order))} |"


def _table(vendor: str, targets: list[Target]) -> Iterator[str]:
    columns = ("device", "id", "memory", "bandwidth", *RATES, "power")
    yield from ("", f"## {vendor_name(vendor)}", "", _row(columns), _row("---" for _ in columns))
    for target in sorted(targets, key=lambda target: natural_order(target.id)):
        memory, power = target.memory, target.tdp_watts
        yield _row(
            (
                f"[{target.name}](../hardware_targets/{target.vendor}/{target.id}.toml)",
                f"`{target.id}`",
                format_bytes(memory.nominal) + (" shared" if memory.unified else ""),
                format_bandwidth(memory.bandwidth) if memory.bandwidth else "?",
                *(_rate(target, precision) for precision in RATES),
                format_watts(power) if power else "?",
            )
        )


def _rate(target: Target, precision: Precision) -> str:
    rate = target.peak(precision)
    if rate is not None:
        return format_rate(rate)
    return "-" if target.lacks(precision) else "?"


def _row(cells: Iterator[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(bring_up_to_date(contents()))
