"""Selection of rules by code, prefix, family or name; the most specific selector wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Protocol, TypeVar

from modellint.base.expressions import late
from modellint.base.records import dataclass
from modellint.base.suggest import did_you_mean
from modellint.results.finding import Severity
from modellint.rules.rule import Rule

ALL = "ALL"
_EXACT = 100
"""Specificity of a code or name, above that of any prefix."""
_CODE_PREFIX = late(r"[A-Za-z]{1,5}\d{0,3}")

T = TypeVar("T")


class Identified(Protocol):
    """Subject of a selector: a rule or a finding."""

    @property
    def code(self) -> str: ...
    @property
    def family(self) -> str: ...


def specificity(selector: str, subject: Identified) -> int | None:
    """Return the specificity of a selector for a rule, or None if it does not match."""
    name = subject.name if isinstance(subject, Rule) else getattr(subject, "rule", "")
    if selector in (subject.code, name) or selector.upper() == subject.code:
        return _EXACT
    if selector == ALL:
        return 0
    if selector == subject.family:
        return 1 + len(subject.code.rstrip("0123456789"))  # like the letters of its codes
    if _CODE_PREFIX.fullmatch(selector) and subject.code.startswith(selector.upper()):
        return 1 + len(selector)
    return None


def covers(selector: str, subject: Identified) -> bool:
    return specificity(selector, subject) is not None


def find_rule(name: str, rules: Mapping[str, Rule]) -> Rule | None:
    """Return the rule with this code, in any case, or this name."""
    named = (rule for rule in rules.values() if rule.name == name)
    return rules.get(name.upper()) or next(named, None)


def best(selectors: Iterable[str], rule: Rule) -> int:
    """Return the highest specificity of the selectors for a rule; -1 if none matches."""
    found = (specificity(selector, rule) for selector in selectors)
    return max((value for value in found if value is not None), default=-1)


def closest(entries: Mapping[str, T], rule: Rule) -> T | None:
    """Return the value with the most specific key for a rule; the last of equals."""
    chosen, closeness = None, -1
    for selector, value in entries.items():
        found = specificity(selector, rule)
        if found is not None and found >= closeness:
            chosen, closeness = value, found
    return chosen


@dataclass(frozen=True, slots=True)
class Selection:
    """Selection and severities of rules from configuration and command line."""

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Mapping[str, str] = field(default_factory=dict)

    def runs(self, rule: Rule) -> bool:
        if closest(self.severity, rule) == "off":
            return False
        return self._wanted(rule) > best(self.ignore, rule)

    def _wanted(self, rule: Rule) -> int:
        """Return True if a rule runs; one that is off by default must be named, or by ALL."""
        asked = best((*(self.select or ()), *self.extend_select), rule)
        if not rule.default:
            everything = 0 if ALL in (*(self.select or ()), *self.extend_select) else -1
            return asked if asked == _EXACT else everything
        return max(asked, 0) if self.select is None else asked

    def severities(self, rules: Iterable[Rule]) -> dict[str, Severity]:
        """Return the severities that differ from the rules' own."""
        stated = {rule.code: closest(self.severity, rule) for rule in rules}
        return {
            code: Severity.parse(level)
            for code, level in stated.items()
            if level is not None and level != "off"
        }


def unknown_selectors(selectors: Iterable[str], rules: Mapping[str, Rule]) -> list[str]:
    """Return a message for each selector that matches no rule."""
    return [unknown(selector, rules) for selector in selectors if not _is_known(selector, rules)]


def _is_known(selector: str, rules: Mapping[str, Rule]) -> bool:
    return selector == ALL or any(covers(selector, rule) for rule in rules.values())


def unknown(selector: str, rules: Mapping[str, Rule]) -> str:
    """Return ``no rule, prefix or family is called 'FUS02'; did you mean 'FUS002'?``"""
    hint = did_you_mean(selector, _spellings(rules), "see 'modellint rules'")
    return f"no rule, prefix or family is called {selector!r}; {hint}"


def _spellings(rules: Mapping[str, Rule]) -> list[str]:
    families = sorted({rule.family for rule in rules.values()})
    prefixes = sorted({code.rstrip("0123456789") for code in rules})
    return [*rules, *prefixes, *families, *(rule.name for rule in rules.values()), ALL]
