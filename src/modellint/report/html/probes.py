"""Answers of runtimes about a model, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from modellint.base.text import counted
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
        ", ".join(f"{name} {value:,.4g}" for name, value in probed.figures.items()),
        ", ".join(
            f"{counted(nodes, 'node')} on {unit}" for unit, nodes in probed.placement.items()
        ),
    ]


def _layers(probed: Probed) -> Markup:
    return element(
        "details",
        element("summary", counted(len(probed.layers), "layer")),
        element("pre", "\n".join(probed.layers)),
    )
