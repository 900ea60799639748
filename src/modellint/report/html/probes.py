"""Answers of runtimes about a model, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from modellint.base.text import counted, timing, work
from modellint.base.units import format_bytes
from modellint.report.html.markup import Markup, element, joined
from modellint.report.html.parts import columns, table
from modellint.report.probe import answer
from modellint.results.finding import Probed

TONES = {"accepted": "good", "unanswered": "fair"}


def probes_table(probes: Sequence[Probed]) -> Markup:
    return joined(
        [
            table(
                "answers of runtimes",
                columns("device", "runtime", "answer", "figures", "placement"),
                [_row(probed) for probed in probes],
            ),
            [_layers(probed) for probed in probes if probed.layers],
        ]
    )


def _row(probed: Probed) -> list[Markup | str]:
    said = answer(probed)
    return [
        probed.target or "any",
        f"{probed.backend} {probed.version}".strip(),
        joined(
            [
                element("span", said, class_=TONES.get(probed.status, "poor")),
                f": {probed.detail}" if probed.detail else None,
            ]
        ),
        ", ".join(_figure(name, value) for name, value in probed.figures.items()),
        ", ".join(
            f"{counted(nodes, 'node')} on {unit}" for unit, nodes in probed.placement.items()
        ),
    ]


def _figure(name: str, value: float) -> str:
    """Return a figure in the unit that its name ends with: `build 195 ms`."""
    what, _, unit = name.rpartition("_")
    if unit == "seconds":
        return f"{what} {timing(value)}"
    if unit == "bytes":
        return f"{what} {format_bytes(int(value))}"
    return f"{name.replace('_', ' ')} {work(value)}"


def _layers(probed: Probed) -> Markup:
    return element(
        "details",
        element("summary", counted(len(probed.layers), "layer")),
        element("pre", "\n".join(probed.layers)),
    )
