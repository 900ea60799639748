"""`modellint rule`: the explanation of a rule."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import click

from modellint.base.errors import UsageError
from modellint.base.terminal import terminal_width
from modellint.base.text import listed
from modellint.cli.command import Command, option
from modellint.cli.completion import complete_rules
from modellint.cli.configuration import catalogue, configurable
from modellint.cli.outputs import JSON, LIST_FORMATS, MARKDOWN, list_options, write_list
from modellint.report.options import Options
from modellint.report.text import SEVERITIES, Text
from modellint.rules.message import as_prose
from modellint.rules.rule import Example, Rule
from modellint.rules.selection import covers, find_rule, unknown

WIDEST = 100
INDENT = "  "
FORMATS = (*LIST_FORMATS, MARKDOWN)


@click.command(cls=Command)
@click.argument("names", nargs=-1, required=True, metavar="CODE...", shell_complete=complete_rules)
@list_options(FORMATS)
@option("--markdown", is_flag=True, help="Same as --output markdown: the documentation page.")
@configurable
def command(
    names: tuple[str, ...],
    markdown: bool,
    config: Path | None,
    isolated: bool,
    **given: Any,
) -> None:
    """Explain a rule: what it finds, why it matters, and how to fix it, with examples."""
    everything = catalogue(config, isolated)
    rules = [_find(name, everything) for name in names]
    if markdown:
        given["reports"] = (*given["reports"], MARKDOWN)
    write_list(given, partial(_draw, rules), FORMATS)


def _draw(rules: Sequence[Rule], name: str, stream: TextIO, _: Options) -> None:
    if name == JSON:
        from modellint.cli.rules import entry
        from modellint.report.strict import dumps

        entries = [entry(rule) for rule in rules]
        click.echo(dumps(entries[0] if len(entries) == 1 else entries, indent=2), file=stream)
    elif name == MARKDOWN:
        click.echo("\n".join(rule.markdown() for rule in rules), nl=False, file=stream)
    else:
        click.echo("\n\n".join(explain(rule) for rule in rules), file=stream)


def _find(name: str, rules: Mapping[str, Rule]) -> Rule:
    found = find_rule(name, rules)
    if found is not None:
        return found
    several = [rule.code for rule in rules.values() if covers(name, rule)]
    if several:
        raise UsageError(f"{name!r} matches {len(several)} rules; see 'modellint rules {name}'")
    raise UsageError(unknown(name, rules))


def explain(rule: Rule) -> str:
    """Return the rule's explanation for a terminal."""
    width = min(terminal_width(), WIDEST)
    return "\n".join(_explanation(rule, width))


def _explanation(rule: Rule, width: int) -> Iterator[str]:
    severity = Text(rule.severity, SEVERITIES[rule.severity]).ansi()
    yield f"{click.style(rule.code, bold=True)} {rule.name}"
    yield " · ".join([severity, rule.family, *_traits(rule)])
    yield ""
    yield from _wrapped(rule.summary, width, "")
    yield from _section("Messages", rule.wordings, width)
    yield from _section("Why", [rule.why], width)
    yield from _section("Fix", rule.all_fixes, width)
    if rule.fused_by:
        answers = [f"{runtime}: {fuser.answer}" for runtime, fuser in rule.fused_by.items()]
        yield from _section("Fused by", answers, width)
    if rule.options:
        yield from ("", _title("Options"))
        for name, each in rule.options.items():
            yield f"{INDENT}{name} = {json.dumps(each.default, ensure_ascii=False)}"
            choices = f" One of {', '.join(each.choices)}." if each.choices else ""
            yield from _wrapped(each.help + choices, width, INDENT * 3)
    yield from _examples("Fires on", rule.examples.invalid, width)
    yield from _examples("Stays silent on", rule.examples.valid, width)
    if rule.sources:
        yield from ("", _title("Sources"), *(f"{INDENT}{source}" for source in rule.sources))


def _traits(rule: Rule) -> Iterator[str]:
    if rule.runtimes:
        yield f"for {', '.join(rule.runtimes)}"
    if rule.reads:
        yield f"reads {', '.join(rule.reads)}"
    if rule.dialect:
        dialects = rule.dialect.split()
        yield f"only for {listed(dialects, len(dialects))}"
    if not rule.default:
        yield "off unless selected"
    yield f"since {rule.since}"


def _section(title: str, texts: Iterable[str], width: int) -> Iterator[str]:
    yield from ("", _title(title))
    for text in texts:
        yield from _paragraphs(as_prose(text), width)


def _paragraphs(text: str, width: int) -> Iterator[str]:
    """Wrap paragraphs; keep lists and indented text as they are."""
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        if number:
            yield ""
        if any(line.startswith((" ", "- ", "* ", "```")) for line in paragraph.splitlines()):
            yield textwrap.indent(paragraph, INDENT)
        else:
            yield from _wrapped(paragraph, width, INDENT)


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _examples(title: str, examples: Iterable[Example], width: int) -> Iterator[str]:
    shown = [example for example in examples if example.model or example.files]
    if shown:
        yield from ("", _title(title))
    for number, example in enumerate(shown):
        if number:
            yield ""
        yield from _wrapped(example.note, width, INDENT)
        if example.circumstances:
            yield from _wrapped(f"With {example.circumstances}:", width, INDENT)
        for name, content in ({"": example.model} if example.model else example.files).items():
            yield from ([f"{INDENT}{name}:"] if name else [])
            body = textwrap.indent(textwrap.dedent(content).strip("\n"), INDENT * 2)
            yield click.style(body, dim=True)


def _title(text: str) -> str:
    return click.style(text, bold=True)
