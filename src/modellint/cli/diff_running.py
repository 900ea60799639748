"""`modellint diff --run`: both models run on the same inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any

from modellint.base.text import counted
from modellint.cli.command import option
from modellint.cli.running import DATA, input_options, read_inputs

if TYPE_CHECKING:
    from modellint.differ.matched import Matching
    from modellint.execution.limits import Limit
    from modellint.results.difference import Difference, OutputDeviation, RunDifference
    from modellint.targets.deployment import Deployment


def run_options(command: Any) -> Any:
    """Add `--run` and what says how."""
    command = input_options(command)
    command = option(
        "--max-drop",
        group=DATA,
        metavar="LIMIT",
        help="Accuracy that an output may lose: top1=1%, cosine=0.01 or sqnr=20 (dB).",
    )(command)
    return option(
        "--run", group=DATA, is_flag=True, help="Run both models, and compare outputs and layers."
    )(command)


class Running:
    """Options about running models, and what follows from them."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self._limit: Limit | None = None
        if given["max_drop"]:
            from modellint.execution.limits import parse_limit

            self._limit = parse_limit(given["max_drop"])

    def add_to(
        self, difference: Difference, matching: Matching | None, deployment: Deployment
    ) -> Difference:
        """Run both models if that was asked for, on inputs that are given or on random ones."""
        if not self._given["run"] and self._limit is None:
            return difference
        return replace(difference, run=self._result(matching, deployment))

    def _result(self, matching: Matching | None, deployment: Deployment) -> RunDifference:
        """Return the comparison, or the reason why there is none."""
        from modellint.execution import NoInputsError, NoRuntimeError
        from modellint.results.difference import RunDifference

        try:
            if matching is None:
                raise NoInputsError("only models with a graph can be run")
            return self._run(matching, deployment)
        except (NoInputsError, NoRuntimeError) as error:
            return RunDifference([], "", 0, [], str(error))

    def _run(self, matching: Matching, deployment: Deployment) -> RunDifference:
        from modellint.differ.running import run_difference, seeded_inputs

        given = self._given
        if given["data"] is not None:
            feeds = read_inputs(matching.old, given)
            described = f"{counted(len(feeds), 'input')} from {given['data'].name}"
        else:
            feeds = seeded_inputs(matching, given["seed"], deployment)
            described = counted(len(feeds), "random input")
        return run_difference(matching, feeds, described)

    def fails(self, difference: Difference) -> bool:
        """Return True if an output loses more than it may."""
        run, limit = difference.run, self._limit
        if limit is None or run is None:
            return False
        return bool(run.error) or not all(
            each.same_nonfinite and limit.allows(_decibels(each), each.cosine, each.top1)
            for each in run.outputs
        )


def _decibels(output: OutputDeviation) -> float | None:
    """Return infinity for equal numbers; None if the shapes differ."""
    return inf if output.sqnr is None and output.cosine is not None else output.sqnr
