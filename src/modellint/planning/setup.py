"""Rules and deployments for linting a file, from its configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.base.records import dataclass
from modellint.config.load import Config
from modellint.config.settings import Budgets
from modellint.plan import Plan
from modellint.planning.asking import measured_run, probe_request, require_probe, verifier
from modellint.planning.budgets import budget_limits, with_budgets
from modellint.planning.deployments import deployments, matching_globs, with_shapes
from modellint.planning.options import rule_options
from modellint.planning.values import size
from modellint.rules.registry import load_rules
from modellint.rules.rule import Rule
from modellint.rules.selection import (
    Selection,
    covers,
    unknown_selectors,
)
from modellint.rules.suppression import Suppression


@dataclass(frozen=True, eq=False)
class Setup:
    """A configuration, ready to lint the files it applies to."""

    config: Config
    catalogue: Mapping[str, Rule]
    """All rules, including those that do not run."""
    plan: Plan
    _plans: dict[tuple[str, ...], Plan] = field(default_factory=dict)
    """Plans of files with their own settings, by the globs that match them."""

    @cached_property
    def suppressions(self) -> tuple[Suppression, ...]:
        return tuple(entry.suppression() for entry in self.config.settings.suppress)

    @property
    def notes(self) -> list[str]:
        return list(map(str, self.doubts))

    @cached_property
    def doubts(self) -> list[UsageError]:
        """Return unknown selectors where they are harmless: rules may be removed."""
        settings = self.config.settings
        lenient = {
            "ignore": settings.ignore,
            "severity": tuple(settings.severity),
            "per-file-ignores": tuple(chain.from_iterable(settings.per_file_ignores.values())),
            "suppress": tuple(entry.rule for entry in settings.suppress),
        }
        return [
            self.config.mistake((key, name) if key == "severity" else (key,), sentence)
            for key, selectors in lenient.items()
            for name in dict.fromkeys(selectors)
            for sentence in unknown_selectors([name], self.catalogue)
        ]

    def check_globs(self) -> None:
        """Raise for a mistake in a setting of files that match a glob, whether any does or not."""
        for glob in self._globs:
            self._particular_plan([glob])

    @property
    def _globs(self) -> list[str]:
        settings = self.config.settings
        tables = (settings.per_file_ignores, settings.per_file_budgets, settings.per_file_shapes)
        return list(dict.fromkeys(chain.from_iterable(tables)))

    def plan_for(self, path: Path) -> Plan:
        """Return the plan of a file, including its per-file settings."""
        matching = matching_globs(self.config, path, self._globs)
        if not matching:
            return self.plan
        if matching not in self._plans:
            self._plans[matching] = self._particular_plan(matching)
        return self._plans[matching]

    def _particular_plan(self, globs: Iterable[str]) -> Plan:
        ignores, budgets = (
            self.config.settings.per_file_ignores,
            self.config.settings.per_file_budgets,
        )
        ignored = list(chain.from_iterable(ignores.get(glob, ()) for glob in globs))
        rules = tuple(
            rule
            for rule in self.plan.rules
            if not any(covers(selector, rule) for selector in ignored)
        )
        limits: dict[str, float] = {}
        for glob in globs:
            if glob in budgets:
                limits |= budget_limits(budgets[glob], self.config, ("per-file-budgets", glob))
        options = with_budgets(self.plan.options, rules, limits)
        shaped = with_shapes(self.plan.deployments, self.config, globs)
        return replace(self.plan, rules=rules, options=options, deployments=shaped)


def make_setup(config: Config) -> Setup:
    """Load the rules and targets that a configuration names, and validate their settings."""
    settings = config.settings
    _require_folders(config)
    _require_positive(config)
    folders = [config.path("rules", folder) for folder in settings.rules]
    catalogue = load_rules(folders, examples=False)
    for key in ("select", "extend-select"):
        unknown = unknown_selectors(getattr(settings, key.replace("-", "_")) or (), catalogue)
        if unknown:
            raise config.mistake((key,), unknown[0])
    selection = Selection(
        settings.select, settings.extend_select, settings.ignore, settings.severity
    )
    rules = tuple(rule for rule in catalogue.values() if selection.runs(rule))
    options = rule_options(config, catalogue)
    limits = budget_limits(settings.budgets or Budgets(), config, ("budgets",))
    plan = Plan(
        rules=rules,
        deployments=deployments(config, catalogue),
        options=with_budgets(options, rules, limits),
        severities=selection.severities(rules),
        read_weights=settings.weights,
        weights_budget=size(config, "weights-budget"),
        most_findings=settings.max_findings_per_rule,
        inline_suppressions=settings.inline_suppressions,
        verify=verifier(config),
        probe=probe_request(config),
        profile=measured_run(config),
    )
    return Setup(config, catalogue, plan)


def check_config(config: Config) -> Setup:
    """Raise for a mistake in a configuration, but run nothing and read no profile that it names."""
    from modellint.rules.baseline import read_baseline

    settings = config.settings
    harmless = replace(settings, probe=None, verify=None, profile=())
    setup = make_setup(replace(config, settings=harmless))
    setup.check_globs()
    if settings.probe is not None:
        require_probe(config)
    for key in ("baseline", "save-engine", "cache-dir"):
        name = getattr(settings, key.replace("-", "_"))
        if name is not None:
            config.path(key, name)
    if settings.baseline is not None:
        read_baseline(config.path("baseline", settings.baseline))
    return setup


def _require_folders(config: Config) -> None:
    for key in ("rules", "target-dirs"):
        for place, text in enumerate(getattr(config.settings, key.replace("-", "_"))):
            if not config.path(key, text).is_dir():
                raise config.mistake((key, place), f"no such folder: {config.path(key, text)}")


def _require_positive(config: Config) -> None:
    settings = config.settings
    numbers: dict[tuple[str, ...], int | None] = {
        ("jobs",): settings.jobs,
        ("batch",): settings.batch,
        ("max-findings-per-rule",): settings.max_findings_per_rule,
        **{("symbols", name): value for name, value in settings.symbols.items()},
    }
    for keys, number in numbers.items():
        if number is not None and number < 1:
            raise config.mistake(keys, f"{number} is less than 1")
