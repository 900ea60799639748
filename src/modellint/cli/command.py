"""Commands with grouped help, and with suggestions for misspelled options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from modellint.base.errors import UsageError
from modellint.base.paths import is_address, public_address

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

OTHER = "Other"


class GroupedOption(click.Option):
    """Option listed under a heading of the help."""

    def __init__(self, *args: Any, group: str = OTHER, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from modellint.cli.given import OneOf

        if isinstance(self.callback, OneOf):
            return starting_with(incomplete, self.callback.choices)
        return super().shell_complete(ctx, incomplete)


def starting_with(incomplete: str, words: Iterable[str]) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def option(*names: str, group: str = OTHER, **kwargs: Any) -> Callable[[Any], Any]:
    return click.option(*names, cls=GroupedOption, group=group, **kwargs)


class Command(click.Command):
    """Command that lists its options by group, in order of first appearance."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        address = next(filter(is_address, self._local_paths(ctx, args)), None)
        if address is not None:
            shown, verb = public_address(address), ctx.info_name
            raise UsageError(f"{shown} is a URL; 'modellint {verb}' reads only local files")
        return super().parse_args(ctx, args)

    def _local_paths(self, ctx: click.Context, args: list[str]) -> Iterator[str]:
        """Iterate over arguments that can only be paths on this machine."""
        names = {each.name for each in self.params if _is_local(each)}
        if not names or not any(map(is_address, args)):
            return
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        for value in (given.get(name) for name in names):
            texts = value if isinstance(value, tuple) else (value,)
            yield from (text for text in texts if isinstance(text, str))

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


def _is_local(parameter: click.Parameter) -> bool:
    """Return True for arguments that are paths on this machine and nothing else."""
    return isinstance(parameter, click.Argument) and type(parameter.type) is click.Path


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
