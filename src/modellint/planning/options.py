"""Options of rules, as configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modellint.base.suggest import did_you_mean
from modellint.config.load import Config
from modellint.rules.rule import Option, Rule


def rule_options(config: Config, catalogue: Mapping[str, Rule]) -> dict[str, dict[str, Any]]:
    """Return the configured options by rule code, validated against each rule's declaration."""
    by_code: dict[str, dict[str, Any]] = {}
    for named, values in config.settings.rule_options.items():
        rule = catalogue.get(named) or next(
            (rule for rule in catalogue.values() if rule.name == named), None
        )
        if rule is None:
            names = [*catalogue, *(rule.name for rule in catalogue.values())]
            hint = did_you_mean(named, names, "see 'modellint rules'")
            raise config.mistake(("rule-options", named), f"unknown rule; {hint}")
        for name, value in values.items():
            wrong = wrong_option(rule, name, value)
            if wrong:
                raise config.mistake(("rule-options", named, name), wrong)
        by_code.setdefault(rule.code, {}).update(values)
    return by_code


def wrong_option(rule: Rule, name: str, value: object) -> str | None:
    """Describe the error in a value of a rule's option; None if it is valid."""
    option = rule.options.get(name)
    if option is None:
        known = ", ".join(rule.options) or "none"
        hint = did_you_mean(name, rule.options, f"options of {rule.code}: {known}")
        return f"unknown option; {hint}"
    if not _fits(value, option.default):
        return f"expected {_kind(option)}, found {value!r}"
    values = value if isinstance(value, list) else [value]
    strays = [each for each in values if option.choices and each not in option.choices]
    if strays:
        hint = did_you_mean(str(strays[0]), option.choices)
        tail = f"; {hint}" if hint else ""
        return f"{strays[0]!r} is not one of {', '.join(option.choices)}{tail}"
    return None


def _fits(value: object, default: object) -> bool:
    if default is None:
        return True
    if isinstance(default, list):
        example = default[0] if default else None
        return isinstance(value, list) and all(_fits(item, example) for item in value)
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, (int, float))
    return isinstance(value, type(default))


def _kind(option: Option) -> str:
    if isinstance(option.default, list):
        return f"a list (example: {option.default})"
    names = {bool: "true or false", int: "an integer", float: "a number", str: "a string"}
    return names[type(option.default)]
