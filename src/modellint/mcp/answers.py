"""The answers of tools, made in a process of their own: nothing outside the folder is read."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellint.base.errors import UsageError
from modellint.base.files import kind_of
from modellint.base.links import rule_url
from modellint.base.paths import leads_out, why_outside
from modellint.base.records import dataclass
from modellint.base.text import brief, clean
from modellint.config.load import CommandLine, Config, Configs
from modellint.mcp.tools import MOST_LISTED, USUAL
from modellint.serving.models import command_line, look_at

if TYPE_CHECKING:
    from modellint.results.finding import Finding, Result
    from modellint.rules.rule import Rule

LONGEST_PAGE = 60_000
"""Characters of a text; what follows is left out, and said to be."""
MOST_NOTES = 20
MOST_NEIGHBOURS = 10_000
"""Entries of a model's folder to look at."""
WIDTH = 120
DEPLOYMENT = ("targets", "runtime", "precision", "batch")
RULES = ("select", "ignore", "shapes")

Arguments = Mapping[str, Any]
Answer = tuple[str, dict[str, Any] | None]
"""The text, and the same as data where a tool has any."""


def check(arguments: Arguments) -> Answer:
    from modellint.lint import Request, lint

    line = _line(arguments, *DEPLOYMENT, *RULES)
    served = _served(arguments["path"], line)
    outcome = lint(Request(served.models, line))
    most, notes = arguments.get("most", USUAL), [*served.notes, *outcome.notes]
    while True:
        content = _findings(outcome.result, most, notes)
        text = _json(content)
        if len(text) <= LONGEST_PAGE or most == 1:
            return text, content
        most = max(most // 2, 1)


def inspect(arguments: Arguments) -> Answer:
    from modellint.report.inspect import write
    from modellint.report.options import Options

    line = _line(arguments, *DEPLOYMENT)
    models = _served(arguments["path"], line).models
    if len(models) != 1:
        raise UsageError(f"{len(models)} models; expected one")
    inspection, _ = look_at(models[0], line)
    page = io.StringIO()
    write(inspection, page, Options(color="never", width=WIDTH))
    return _bounded(page.getvalue()), None


def explain_rule(arguments: Arguments) -> Answer:
    from modellint.rules.selection import covers, find_rule, unknown

    name, rules = arguments["code"].strip(), _rules()
    found = find_rule(name, rules)
    if found is not None:
        return _bounded(found.markdown()), None
    several = [rule for rule in rules.values() if covers(name, rule)]
    if not several:
        raise UsageError(unknown(name, rules))
    lines = [f"{rule.code} {rule.name} ({rule.severity}): {rule.summary}" for rule in several]
    return _bounded("\n".join(lines)), None


def list_targets(arguments: Arguments) -> Answer:
    from modellint.targets import load_targets
    from modellint.targets.brief import in_brief
    from modellint.targets.loader import normalize

    config = _config()
    folders = [config.path("target-dirs", folder) for folder in config.settings.target_dirs]
    query = normalize(arguments.get("query", ""))
    found = [
        {"id": target.id, "groups": [target.vendor, *target.groups], "is": clean(in_brief(target))}
        for target in load_targets(folders)
        if query in normalize(" ".join((target.id, target.name, target.vendor, *target.groups)))
    ]
    content = {"targets": found[:MOST_LISTED], "left_out": max(len(found) - MOST_LISTED, 0)}
    return _json(content), content


ANSWERS: Mapping[str, Callable[[Arguments], Answer]] = {
    "check": check,
    "inspect": inspect,
    "explain_rule": explain_rule,
    "list_targets": list_targets,
}


def _line(arguments: Arguments, *names: str) -> CommandLine:
    given: dict[str, Any] = {}
    for name in names:
        value = arguments.get(name)
        if value is not None:
            given[name] = tuple(value) if isinstance(value, list) else value
    return command_line({**given, "cache": False}, Path.cwd())


def _config() -> Config:
    return Configs(_line({})).of(Path.cwd())


def _rules() -> Mapping[str, Rule]:
    from modellint.rules.registry import load_rules

    config = _config()
    return load_rules([config.path("rules", folder) for folder in config.settings.rules])


def _confined(text: str) -> Path:
    """Return a path below the folder; no other, and none that links lead out of it."""
    top = Path.cwd()
    if text != "." and (reason := why_outside(top, text)):
        raise UsageError(f"{brief(repr(text))} {reason}: only the folder itself is served")
    path = Path(text)
    try:
        status = path.stat()
    except OSError as error:
        raise UsageError(f"{brief(repr(text))}: {error.strerror}") from None
    if not path.is_dir() and not path.is_file():
        raise UsageError(f"{brief(repr(text))} is {kind_of(status.st_mode)}")
    return path


@dataclass(frozen=True, slots=True)
class Served:
    """The readable models at a path, and remarks about the others."""

    models: list[Path]
    notes: list[str]


def _served(text: str, line: CommandLine) -> Served:
    from modellint.discovery import discover

    found = discover([_confined(text)], Configs(line))
    models = [file.path for file in found.files]
    refused = {model: link for model in models if (link := _link_near(model)) is not None}
    refusals = [
        f"{brief(str(model))} was not read: a link points outside the folder: {brief(str(link))}"
        for model, link in refused.items()
    ]
    if refusals and len(refused) == len(models):
        raise UsageError(refusals[0])
    return Served(
        [model for model in models if model not in refused],
        [*found.notes, *refusals],
    )


def _link_near(model: Path) -> Path | None:
    """Return a file next to a model, or in one that is a folder, that is a link out of the folder.

    It could be a part of the model that is read along with it.
    """
    top = Path.cwd()
    for count, entry in enumerate(_entries(model)):
        if count == MOST_NEIGHBOURS:
            return Path(entry.path)
        if entry.is_symlink() and leads_out(top, Path(entry.path)):
            return Path(entry.path)
    return None


def _entries(model: Path) -> Iterator[os.DirEntry[str]]:
    """Iterate over files in the folder of a model, or all that is in a model that is a folder."""
    waiting = [model if model.is_dir() else model.parent]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if not entry.is_dir():
                    yield entry
                elif model.is_dir() and not entry.is_symlink():
                    waiting.append(Path(entry.path))


def _findings(result: Result, most: int, notes: Sequence[str]) -> dict[str, Any]:
    found = sorted(result.active, key=lambda each: -each.severity)
    shown = found[:most]
    codes = dict.fromkeys(each.code for each in shown)
    return {
        "ok": result.exit_code == 0,
        "models": len(result.models),
        "findings_in_all": len(found),
        "left_out": len(found) - len(shown),
        "linted_for": [brief(each.deployment) for each in result.assumptions[:MOST_LISTED]],
        "findings": [_finding(each) for each in shown],
        "rules": {
            code: {"summary": rule.summary, "fix": rule.fix.strip(), "url": rule_url(code) or None}
            for code, rule in ((code, result.rules[code]) for code in codes if code in result.rules)
        },
        "notes": [brief(note) for note in dict.fromkeys(notes)][:MOST_NOTES],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    location = finding.location
    entry = {
        "path": brief(finding.path),
        "severity": str(finding.severity),
        "code": finding.code,
        "rule": finding.rule,
        "message": brief(finding.message),
        "node": location.node and brief(location.node),
        "op": location.op_type and brief(location.op_type),
        "value": location.value and brief(location.value),
        "target": finding.target,
        "places": finding.count if finding.count > 1 else None,
        "fixable": finding.fixable,
    }
    return {name: value for name, value in entry.items() if value is not None}


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1)


def _bounded(text: str) -> str:
    """Return a text without the end of a very long one, line by line."""
    if len(text) <= LONGEST_PAGE:
        return text
    kept = text[: text.rfind("\n", 0, LONGEST_PAGE)]
    left = text.count("\n", len(kept))
    return f"{kept}\n… {left:,} more lines are left out"
