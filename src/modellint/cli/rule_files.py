"""`modellint rules new` and `modellint rules test`: tools for rule authors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modellint.base.errors import ModellintError, UsageError
from modellint.base.text import counted
from modellint.cli.command import Command, option
from modellint.cli.configuration import configurable, configuration
from modellint.cli.console import printable

if TYPE_CHECKING:
    from modellint.rules.rule import Rule

FAILED = 1


@click.command(cls=Command)
@click.argument("code")
@click.argument("name", default="new-rule")
@option(
    "--folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to write it.  [default: the first configured rule folder]",
)
@configurable
def new(code: str, name: str, folder: Path | None, config: Path | None, isolated: bool) -> None:
    """Write a starter rule file. CODE is a code, or a prefix for its next free number.

    NAME describes the problem, for example relu-after-relu.
    """
    from modellint.base.files import write_atomically
    from modellint.discovery import shown_path
    from modellint.rules.registry import load_rules
    from modellint.rules.template import TEMPLATE, file_name, next_code

    folders = _configured_folders(config, isolated)
    if folder is None:
        folder = _at_least_one(folders)[0]
    rules = load_rules([each for each in folders if each != folder or each.is_dir()])
    taken = [*rules, *(path.name.partition("-")[0] for path in folder.rglob("*-*.toml"))]
    code = next_code(code, taken)
    families = (rule.family for rule in rules.values() if rule.code[:-3] == code[:-3])
    inside = folder / next(families, "")
    file = (inside if inside.is_dir() else folder) / file_name(code, name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, TEMPLATE)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from error
    shown = printable(shown_path(file))
    click.echo(f"Wrote {shown}; next: modellint rules test {shown}")


@click.command(
    cls=Command,
    epilog="""\b
Exit codes:
  0  all examples pass    1  an example fails, or a rule file is invalid
""",
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@configurable
def test(paths: tuple[Path, ...], config: Path | None, isolated: bool) -> int:
    """Run the examples of rule files: given files or folders, or the configured rule folders."""
    from modellint.rules.registry import rule_files

    paths = paths or tuple(_at_least_one(_configured_folders(config, isolated)))
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")
    files = [file for path in paths for file in ([path] if path.is_file() else rule_files(path))]
    if not files:
        raise UsageError(f"no rule files in {', '.join(map(str, paths))}")
    report = _TestReport()
    for rule in _read(files, report):
        report.run(rule)
    click.echo(report.summary())
    return FAILED if report.failures else 0


def _configured_folders(config: Path | None, isolated: bool) -> Sequence[Path]:
    settings = configuration(config, isolated)
    return [settings.path("rules", folder) for folder in settings.settings.rules]


def _at_least_one(folders: Sequence[Path]) -> Sequence[Path]:
    if not folders:
        raise UsageError("name a folder, or set your rule folders in the configuration (rules)")
    return folders


def _read(files: Sequence[Path], report: _TestReport) -> Iterator[Rule]:
    """Iterate over the rules of the files; record a failure for each file without a valid rule."""
    from modellint.rules.registry import read_tested_rule

    codes: dict[str, Path] = {}
    for file in files:
        try:
            rule = read_tested_rule(file)
            other = codes.setdefault(rule.code, file)
            if other != file:
                raise UsageError(f"{file}: code {rule.code} is already used by {other}")
        except ModellintError as error:
            report.fail(str(error))
        else:
            yield rule


class _TestReport:
    """Prints failures and counts results."""

    def __init__(self) -> None:
        self.rules = self.passed = self.failures = self.skipped = 0

    def run(self, rule: Rule) -> None:
        from modellint.examples import cases_of, lacks_examples

        self.rules += 1
        if lack := lacks_examples(rule):
            self.fail(f"{rule.path}: {lack}")
        for case in cases_of(rule):
            if case.missing:
                self.skipped += 1
                click.echo(
                    f"{click.style('skipped', fg='yellow')} {printable(case.name)}: {case.missing}"
                )
            elif failure := case.failure():
                self.fail(f"{rule.path}: examples.{case.kind}[{case.number}]: {failure}")
            else:
                self.passed += 1

    def fail(self, text: str) -> None:
        self.failures += 1
        click.echo(f"{click.style('failed', fg='red')} {printable(text)}")

    def summary(self) -> str:
        parts = [f"{counted(self.rules, 'rule')}: {counted(self.passed, 'example')} passed"]
        parts += [f"{self.failures} failed"] if self.failures else []
        parts += [f"{self.skipped} skipped"] if self.skipped else []
        return ", ".join(parts)
