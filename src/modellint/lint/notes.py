"""Notes for the user about a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modellint.base.suggest import did_you_mean
from modellint.base.text import counted
from modellint.config.load import CommandLine
from modellint.discovery import Discovery
from modellint.lint.record import FileRecord
from modellint.targets.deployment import ONLY_INPUT


def about_discovery(discovery: Discovery) -> Iterator[str]:
    yield from discovery.notes
    if discovery.hidden_by_git:
        count = counted(discovery.hidden_by_git, "model file")
        yield f"{count} skipped because git ignores them (--no-respect-gitignore includes them)"
    if not discovery.files:
        yield "no model files found"


def about_coverage(records: Sequence[FileRecord]) -> Iterator[str]:
    """Report files whose format has no graph, to which most rules do not apply."""
    for record in records:
        summary = record.report.summary
        if summary.capabilities and "graph" not in summary.capabilities:
            asked, planned = summary.rules_asked, summary.rules_planned
            yield f"{record.found.shown}: {asked} of {planned} rules apply: the file has no graph"


def about_weights(records: Sequence[FileRecord]) -> Iterator[str]:
    """Report rules that are not asked about remote models."""
    unread = [each for each in records if each.found.is_remote and not each.plan.read_weights]
    wanted = [
        each.plan.weights_budget is None
        and any("weights" in rule.reads for rule in each.plan.rules)
        for each in unread
    ]
    if any(wanted):
        yield (
            "rules that read weights did not run on remote models; --weights-budget SIZE runs them"
        )


def about_probes(records: Sequence[FileRecord]) -> Iterator[str]:
    """Report models that could not be probed, and remarks of runtimes."""
    for record in records:
        for outcome in record.report.probes:
            if outcome.detail and not outcome.died:
                yield about_probe(record.found.shown, outcome.asked, outcome.detail)


def about_probe(path: str, asked: bool, detail: str) -> str:
    return f"{path}: {detail}" if asked else f"{path} was not probed: {detail}"


def about_unbound(records: Sequence[FileRecord], command_line: CommandLine) -> Iterator[str]:
    """Report sizes given on the command line for inputs or dimensions that no model has."""
    names = list(dict.fromkeys(name for record in records for name in record.report.bindable))
    for option, kind in (("shapes", "input"), ("symbols", "dim")):
        for name in command_line.values.get(option, ()):
            if name == ONLY_INPUT and names and name not in names:
                yield "a shape without the name of an input is for models with one input"
            elif names and name not in names:
                hint = did_you_mean(name, names)
                yield f"no {kind} named {name!r}" + (f"; {hint}" if hint else "")
