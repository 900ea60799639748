"""A device in a line or two, where a page of facts would be too much."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.base.units import format_bandwidth, format_bytes
from modellint.targets.deployment import version_of
from modellint.targets.target import Target


def in_brief(target: Target) -> str:
    """Return `NVIDIA A10: 24 GiB GDDR6 at 600 GB/s; fp16 125 T(FL)OPS; tensorrt 11.5`."""
    return f"{target.name}: {'; '.join(_facts(target))}"


def _facts(target: Target) -> Iterator[str]:
    memory = target.memory
    speed = f"at {format_bandwidth(memory.bandwidth)}" if memory.bandwidth else ""
    yield " ".join(filter(None, (format_bytes(memory.nominal), memory.kind, speed)))
    rates = [f"{name} {rate / 1e12:.4g}" for name, rate in target.rates.items()]
    if rates:
        yield f"{', '.join(rates)} T(FL)OPS"
    name = target.default_runtime
    yield " ".join(filter(None, (name, version_of(name, None, target))))
