"""Models of a run as reports draw them: inspected for their deployments, with their graphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from modellint.cli.console import note
from modellint.cli.outputs import HTML, Output

if TYPE_CHECKING:
    from modellint.config.load import Config, Configs
    from modellint.differ.matched import Matching
    from modellint.inspector import Asked
    from modellint.results.difference import Difference
    from modellint.results.drawing import Drawing
    from modellint.results.inspection import Inspection
    from modellint.targets.deployment import Deployment

    Look = tuple[Inspection, Drawing | None]

MOST_MODELS = 50
"""Models that are looked into; a report of more shows findings alone for the others."""
MOST_NODES = 300_000
"""Nodes that are drawn in one report."""


class Drawings(list["Drawing | None"]):
    """Graphs of differences, as long as a page can show them."""

    def add(
        self, difference: Difference, matching: Matching | None, deployment: Deployment
    ) -> None:
        from modellint.differ.drawing import draw_difference

        nodes = sum(len(drawing.nodes) for drawing in self if drawing is not None)
        is_wanted = nodes <= MOST_NODES and not difference.is_unchanged
        self.append(draw_difference(difference, matching, deployment) if is_wanted else None)


def wants_looks(outputs: Sequence[Output]) -> bool:
    return any(output.format == HTML for output in outputs)


def looks_at(
    paths: Sequence[Path], shown_as: Mapping[Path, str], configs: Configs
) -> Iterator[Look]:
    """Inspect and draw the first models that a run finds in these paths."""
    from modellint.discovery import discover
    from modellint.inspector import inspect_and_draw

    files = discover(paths, configs).files
    asked: dict[int, Asked] = {}
    nodes = 0
    for file in files[:MOST_MODELS]:
        key = id(file.config)  # files of one folder share theirs
        if key not in asked:
            asked[key] = _asked(file.config)
        inspection, drawing = inspect_and_draw(
            file.path, shown_as.get(file.path, file.shown), asked[key]
        )
        nodes += len(drawing.nodes) if drawing is not None else 0
        yield inspection, drawing if nodes <= MOST_NODES else None
    if len(files) > MOST_MODELS:
        note(f"only the first {MOST_MODELS} of {len(files):,} models have a graph on the page")


def _asked(config: Config) -> Asked:
    from modellint.inspector import Asked
    from modellint.planning.deployments import deployments
    from modellint.rules.registry import load_rules
    from modellint.targets import load_targets

    folders = [config.path("target-dirs", folder) for folder in config.settings.target_dirs]
    rules = load_rules([config.path("rules", folder) for folder in config.settings.rules])
    return Asked(
        deployments(config, rules),
        rules,
        placement=True,
        every_layer=True,
        targets=cache(lambda: load_targets(folders)),
    )
