"""Requirements on rules in users' folders, beyond the form of a rule file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellint.base.errors import UsageError
from modellint.base.expressions import late
from modellint.base.mistakes import FileMistake, KeyPath
from modellint.base.rebuild import to_plain
from modellint.base.records import dataclass
from modellint.base.suggest import did_you_mean
from modellint.base.text import LONGEST_TEXT, escaped
from modellint.rules.message import COMMON_FACTS, mistake_in
from modellint.rules.rule import Match, MatchCase, Rule

if TYPE_CHECKING:
    from modellint.rules.pattern import PatternError


PLUGIN_GROUP = "modellint.rules"


class RuleFileError(UsageError):
    """Invalid rule file."""

    def __init__(self, path: Path | None, *mistakes: FileMistake) -> None:
        super().__init__(path, *mistakes)
        self.path = path
        self.mistakes = mistakes

    def __str__(self) -> str:
        return f"{self.path}: {'; '.join(each.text for each in self.mistakes)}"


def rule_error(path: Path | None, text: str, *keys: str | int) -> RuleFileError:
    return RuleFileError(path, FileMistake(text, keys))


def require_check(rule: Rule, path: Path, built_in: Iterable[Rule]) -> None:
    """Let a rule use the checks of modellint's own rules: not all that a name can reach."""
    check = rule.check
    if check is None:
        return
    if ":" in check:
        text = (
            f"check {check!r} imports Python code, which only an installed plugin may do "
            f"(entry point group {PLUGIN_GROUP!r})"
        )
        raise rule_error(path, text, "check")
    known = {each.check: set(each.options) for each in built_in if each.check is not None}
    if check not in known:
        hint = did_you_mean(check, known)
        text = f"no rule of modellint has the check {check!r}"
        raise rule_error(path, text + (f"; {hint}" if hint else ""), "check")
    for name in sorted(known[check] - set(rule.options)):
        raise rule_error(path, f"the check {check!r} needs the option {name!r}", "options")


def require_texts(rule: Rule, path: Path) -> None:
    for key, text in _strings(to_plain(replace(rule, file=""))):
        if text != escaped(text, keep="\n\t"):
            shown = escaped(text)[:200]
            raise rule_error(path, f"{key} has control characters: {shown}", *key.split("."))
    facts = _facts(rule)
    for key, text in _templates(rule):
        mistake = mistake_in(text, facts)
        if len(text) > LONGEST_TEXT:
            mistake = f"has more than {LONGEST_TEXT:,} characters"
        if mistake is not None:
            raise rule_error(path, f"{key}: {mistake}", *key.split("."))
    for variant in rule.fixes:
        if variant not in rule.messages:
            hint = did_you_mean(variant, rule.messages)
            text = f"fixes: {variant!r} is not in [messages]"
            raise rule_error(path, text + (f"; {hint}" if hint else ""), "fixes", variant)


def _templates(rule: Rule) -> Iterator[tuple[str, str]]:
    """Iterate over the texts that facts are filled into, each with its key."""
    yield from (("message", rule.message), ("why", rule.why), ("fix", rule.fix))
    yield ("note", rule.note)
    yield from ((f"messages.{variant}", text) for variant, text in rule.messages.items())
    yield from ((f"fixes.{variant}", text) for variant, text in rule.fixes.items())


def _facts(rule: Rule) -> set[str] | None:
    """Return the facts that texts can name; None if they depend on more than the rule's file."""
    if not rule.match or rule.fused_by:
        return None
    blocks: list[Match | MatchCase] = [*rule.match]
    blocks += (case for match in rule.match for case in match.cases)
    of_matches = {fact for block in blocks for fact in block.facts}
    return of_matches | COMMON_FACTS | ({"rest", "nodes"} if rule.together else set())


def _strings(table: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Iterate over the texts of a table, each with its key."""
    if isinstance(table, str):
        yield key, table
    elif isinstance(table, dict):
        for name, value in table.items():
            yield from ((f"a key of {key}", name), *_strings(value, f"{key}.{name}".lstrip(".")))
    elif isinstance(table, list):
        for value in table:
            yield from _strings(value, key)


def require_patterns(rule: Rule, path: Path) -> None:
    """Ours are compiled in the tests; a user's mistake should not wait for a model to appear."""
    from modellint.rules.pattern import PatternError, compile_match

    for index, match in enumerate(rule.match):
        place = _FileBlock(path, index if len(rule.match) > 1 else None)
        try:
            compile_match(match)
        except PatternError as error:
            raise place.pattern_error(error) from error
        outcomes: tuple[Match | MatchCase, ...] = (match, *match.cases)
        for each in outcomes:
            place.require_known(each.variant, rule.messages, "variant", "messages")
            for runtime in each.stopped:
                place.require_known(runtime, rule.fused_by, "stopped", "fused_by")


@dataclass(frozen=True, slots=True)
class _FileBlock:
    """A `[match]` block of a file, or one of several."""

    path: Path
    index: int | None

    @property
    def name(self) -> str:
        return "match" if self.index is None else f"match[{self.index}]"

    @property
    def keys(self) -> KeyPath:
        return ("match",) if self.index is None else ("match", self.index)

    def pattern_error(self, error: PatternError) -> RuleFileError:
        inside = (int(index) if index else name for name, index in _PARTS.findall(error.part))
        keys = (*self.keys, *inside)
        text = f"{self.name}: {error}"
        return RuleFileError(self.path, FileMistake(text, keys, error.line, error.column))

    def require_known(self, name: str, known: Collection[str], key: str, table: str) -> None:
        if name and name not in known:
            hint = did_you_mean(name, known)
            text = f"{self.name}: {key} {name!r} is not in [{table}]"
            raise rule_error(self.path, text + (f"; {hint}" if hint else ""), *self.keys, key)


_PARTS = late(r"([A-Za-z_]+)|\[(\d+)\]")
"""Parts of the name of a part of a block: `cases[0].when`."""
