"""Commands with grouped help, and with suggestions for misspelled options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from modellint.cli.given import OneOf

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

OTHER = "Other"


class GroupedOption(click.Option):
    """Option listed under a heading of the help."""

    def __init__(self, *args: Any, group: str = OTHER, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        if isinstance(self.callback, OneOf):
            return starting_with(incomplete, self.callback.choices)
        return super().shell_complete(ctx, incomplete)


def starting_with(incomplete: str, words: Iterable[str]) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def option(*names: str, group: str = OTHER, **kwargs: Any) -> Callable[[Any], Any]:
    return click.option(*names, cls=GroupedOption, group=group, **kwargs)


class Command(click.Command):
    """Command that lists its options by group, in the order in which groups first appear."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                groups.setdefault(getattr(parameter, "group", OTHER), []).append(record)
        other = groups.pop(OTHER, [])
        for title, records in [*groups.items(), (OTHER if groups else "Options", other)]:
            with formatter.section(heading(title)):
                formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_epilog(self.epilog, formatter)


class VerbGroup(click.Group):
    """Group that can summarize its verbs without importing them."""

    def summaries(self, ctx: click.Context) -> Sequence[tuple[str, str]]:
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        return [(name, each.get_short_help_str()) for name, each in commands if each is not None]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section(heading("Commands")):
            formatter.write_dl(list(self.summaries(ctx)))
        records = [parameter.get_help_record(ctx) for parameter in self.get_params(ctx)]
        with formatter.section(heading("Options")):
            formatter.write_dl([record for record in records if record is not None])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_epilog(self.epilog, formatter)


def heading(text: str) -> str:
    return click.style(text, bold=True)


def _write_epilog(epilog: str | None, formatter: click.HelpFormatter) -> None:
    """Write the epilog verbatim: no indentation, no wrapping."""
    if epilog:
        title, _, body = epilog.removeprefix("\b\n").partition("\n")
        formatter.write(f"\n{heading(title)}\n{body}")
