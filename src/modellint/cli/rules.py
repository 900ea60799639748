"""`modellint rules`: the list of rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO, get_args

import click

from modellint.base.errors import UsageError
from modellint.base.suggest import did_you_mean
from modellint.base.text import counted
from modellint.cli.command import Command, option
from modellint.cli.completion import complete_families, complete_rules, complete_runtimes
from modellint.cli.configuration import catalogue, configurable
from modellint.cli.given import one_of
from modellint.cli.outputs import JSON, list_options, write_list
from modellint.report.options import Options
from modellint.report.page import ListPage
from modellint.report.table import Row, names, prose
from modellint.report.text import SEVERITIES, Text
from modellint.rules.rule import Rule, SeverityName
from modellint.rules.selection import covers, unknown_selectors

FILTER = "Filter"


class RulesCommand(Command):
    """Command that lists rules, unless the first word is a verb for rule authors."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        if args and args[0] in AUTHORING:
            from modellint.cli import rule_files

            verb: click.Command = getattr(rule_files, args[0])
            return verb.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


AUTHORING = ("new", "test")
EPILOG = """Writing rules:
  modellint rules new CODE [NAME]    write a starter rule file
  modellint rules test [PATH]...     run the examples of rule files
"""


@click.command(cls=RulesCommand, epilog=EPILOG)
@click.argument("selectors", nargs=-1, metavar="[RULES]...", shell_complete=complete_rules)
@option(
    "--family",
    group=FILTER,
    metavar="NAME",
    shell_complete=complete_families,
    help="Only rules of this family.",
)
@option(
    "--severity",
    group=FILTER,
    metavar="LEVEL",
    callback=one_of(*get_args(SeverityName)),
    help="Only rules of this severity: error, warning, info.",
)
@option(
    "--runtime",
    group=FILTER,
    metavar="NAME",
    shell_complete=complete_runtimes,
    help="Only rules that apply to this runtime.",
)
@list_options()
@configurable
def command(
    selectors: tuple[str, ...],
    family: str | None,
    severity: str | None,
    runtime: str | None,
    config: Path | None,
    isolated: bool,
    **given: Any,
) -> None:
    """List all rules, or those selected by codes, prefixes, families or names."""
    everything = catalogue(config, isolated)
    for sentence in unknown_selectors(selectors, everything):
        raise UsageError(sentence)
    rules = list(everything.values())
    _require(family, {rule.family for rule in rules}, "family")
    _require(runtime, {each for rule in rules for each in rule.runtimes}, "runtime")
    chosen = [
        rule
        for rule in rules
        if (not selectors or any(covers(selector, rule) for selector in selectors))
        and family in (None, rule.family)
        and severity in (None, rule.severity)
        and (runtime is None or not rule.runtimes or runtime in rule.runtimes)
    ]

    def draw(name: str, stream: TextIO, options: Options) -> None:
        if name == JSON:
            from modellint.report.strict import dumps

            click.echo(dumps([entry(rule) for rule in chosen], indent=2), file=stream)
        else:
            _print(chosen, ListPage(stream, options))

    write_list(given, draw)


def _require(name: str | None, known: Iterable[str], what: str) -> None:
    names = sorted(known)
    if name is not None and name not in names:
        hint = did_you_mean(name, names, f"choose from {', '.join(names)}")
        raise UsageError(f"unknown {what} {name!r}; {hint}")


def entry(rule: Rule) -> dict[str, Any]:
    """Return a rule as JSON: the texts of its file, without the check."""
    return {
        "code": rule.code,
        "name": rule.name,
        "family": rule.family,
        "severity": rule.severity,
        "default": rule.default,
        "summary": rule.summary,
        "message": rule.message,
        "why": rule.why.strip(),
        "fix": rule.fix.strip(),
        "runtimes": list(rule.runtimes),
        "reads": [each.value for each in rule.reads],
        "dialect": rule.dialect or None,
        "needs": [*rule.reads, *rule.needs],  # of the model and of the run
        "per": list(rule.per),
        "options": {
            name: {"default": each.default, "help": each.help, "choices": list(each.choices)}
            for name, each in rule.options.items()
        },
        "sources": list(rule.sources),
        "since": rule.since,
        "path": str(rule.path) if rule.path is not None else None,
    }


COLUMNS = (names(), names(), names(least=32), prose())


def _print(rules: Sequence[Rule], page: ListPage) -> None:
    """Print one line per rule, by family."""
    blocks: dict[str, list[Row]] = {}
    for rule in sorted(rules, key=lambda rule: rule.family):
        blocks.setdefault(rule.family, []).append(_row(rule, page))
    page.blocks(COLUMNS, blocks)
    page.print(f"{counted(len(rules), 'rule')}; to explain one: modellint rule CODE")


def _row(rule: Rule, page: ListPage) -> Row:
    off = "" if rule.default else "(off by default) "
    severity = Text(rule.severity, SEVERITIES[rule.severity])
    return rule.code, severity, page.words(rule.name), page.words(f"{off}{rule.summary}")
