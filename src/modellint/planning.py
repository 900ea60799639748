"""Planning: derives the rules and deployments for linting a file from its configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellint.base.errors import UsageError
from modellint.base.globs import Globs
from modellint.base.records import dataclass
from modellint.base.suggest import did_you_mean
from modellint.base.text import LONGEST_WORD, shorten
from modellint.config.load import Config
from modellint.config.settings import Budgets, ProfileTable, kebab
from modellint.finding import Origin
from modellint.plan import Plan
from modellint.rules.registry import load_rules
from modellint.rules.rule import Option, Rule
from modellint.rules.selection import (
    Selection,
    covers,
    unknown_selectors,
)
from modellint.rules.suppression import Suppression
from modellint.runtimes import find_runtime, runtimes
from modellint.runtimes.versions import is_version
from modellint.targets import UnknownTarget, expand_targets, load_targets, parse_bytes
from modellint.targets.deployment import (
    PINS,
    Deployment,
    Serving,
    ShapeProfile,
    split_runtime,
    usual_precision,
    version_of,
)
from modellint.targets.shapes import parse_shape

if TYPE_CHECKING:
    from modellint.measured import MeasuredRun
    from modellint.probes import ProbeRequest
    from modellint.remote.origin import FetchLimits

BUDGET_FAMILY = "budget"
_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")
_COUNT = re.compile(r"(\d{1,30}(?:\.\d{1,30})?)\s*([kKMGTB]?)")
_DURATION = re.compile(r"(\d{1,30}(?:\.\d{1,30})?)\s*(s|ms|us|µs|ns)")
_TOKENS = re.compile(r"(\d{1,12})([kKmM]?)", re.ASCII)
_THOUSANDS = {"": 1, "k": 1 << 10, "m": 1 << 20}
MOST_TOKENS = 1 << 30
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_FACTORS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}


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
            "per-file-ignores": tuple(_flat(settings.per_file_ignores.values())),
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
        return list(dict.fromkeys(_flat(tables)))

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
        ignored = list(_flat(ignores.get(glob, ()) for glob in globs))
        rules = tuple(
            rule
            for rule in self.plan.rules
            if not any(covers(selector, rule) for selector in ignored)
        )
        limits: dict[str, float] = {}
        for glob in globs:
            if glob in budgets:
                limits |= budget_limits(budgets[glob], self.config, ("per-file-budgets", glob))
        options = _with_budgets(self.plan.options, rules, limits)
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
        options=_with_budgets(options, rules, limits),
        severities=selection.severities(rules),
        read_weights=settings.weights,
        weights_budget=_size(config, "weights-budget"),
        most_findings=settings.max_findings_per_rule,
        inline_suppressions=settings.inline_suppressions,
        verify=_verify(config),
        probe=_probe(config),
        profile=_profile(config),
    )
    return Setup(config, catalogue, plan)


def fetch_limits(config: Config) -> FetchLimits:
    """Return what may be spent on a remote model."""
    from modellint.remote.origin import FetchLimits

    seconds = config.settings.fetch_timeout
    if seconds <= 0:
        raise config.mistake(("fetch-timeout",), "must be positive")
    most = _size(config, "max-fetch")
    return FetchLimits(seconds=seconds) if most is None else FetchLimits(most, seconds)


def check_config(config: Config) -> Setup:
    """Raise for a mistake in a configuration, but run nothing and read no profile that it names."""
    from modellint.rules.baseline import read_baseline

    settings = config.settings
    harmless = replace(settings, probe=None, verify=None, profile=())
    setup = make_setup(replace(config, settings=harmless))
    setup.check_globs()
    if settings.probe is not None:
        _require_probe(config)
    for key in ("baseline", "save-engine", "cache-dir"):
        name = getattr(settings, key.replace("-", "_"))
        if name is not None:
            config.path(key, name)
    if settings.baseline is not None:
        read_baseline(config.path("baseline", settings.baseline))
    return setup


def _require_probe(config: Config) -> dict[str, str]:
    """Return the interpreters that are named; raise for an unknown probe."""
    from modellint.probes import UnknownProbe, require

    pythons = _interpreters(config)
    try:
        require(str(config.settings.probe), pythons)
    except UnknownProbe as error:
        raise config.mistake(("probe",), str(error)) from None
    return pythons


def _verify(config: Config) -> str | None:
    if config.settings.verify is None:
        return None
    from modellint.verify.optimized import require

    return require(config.settings.verify)


def _probe(config: Config) -> ProbeRequest | None:
    settings = config.settings
    if settings.probe is None:
        return None
    from modellint.probes import ProbeRequest, installed_versions, memory_to_spare

    pythons = _require_probe(config)
    if settings.probe_timeout <= 0:
        raise config.mistake(("probe-timeout",), "must be positive")
    folder = config.path("save-engine", settings.save_engine) if settings.save_engine else None
    if folder is not None and not folder.is_dir():
        raise config.mistake(("save-engine",), f"no such folder: {folder}")
    return ProbeRequest(
        settings.probe,
        settings.probe_level,
        settings.probe_timeout,
        _size(config, "probe-memory") or memory_to_spare(),
        workspace=_size(config, "probe-workspace"),
        save_engines=folder,
        cache=config.cache_folder,
        pythons=pythons,
        versions=installed_versions(pythons),
    )


def _interpreters(config: Config) -> dict[str, str]:
    """Return the interpreter of each runtime that may be probed and has one of its own."""
    from modellint.probes import AUTO
    from modellint.probes.installations import named_by_environment

    asked = [name for name in config.settings.probes if config.settings.probe in (AUTO, name)]
    given = config.overrides.get("probes", {})
    named = [name for name in asked if name in given or not named_by_environment(name)]
    found = {name: config.interpreter(name) for name in named}
    return {name: python for name, python in found.items() if python is not None}


def _profile(config: Config) -> MeasuredRun | None:
    if not config.settings.profile:
        return None
    from modellint.profiles import read_run

    return read_run([config.path("profile", name) for name in config.settings.profile])


def _size(config: Config, key: str) -> int | None:
    value = getattr(config.settings, key.replace("-", "_"))
    if value is None:
        return None
    try:
        return parse_bytes(str(value))
    except UsageError as error:
        raise config.mistake((key,), str(error)) from None


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


def deployments(config: Config, catalogue: Mapping[str, Rule]) -> tuple[Deployment, ...]:
    """Return one deployment per target; without targets, one from the other settings."""
    settings = config.settings
    folders = [config.path("target-dirs", folder) for folder in settings.target_dirs]
    try:
        targets = expand_targets(settings.targets, folders) if settings.targets else []
    except UnknownTarget as error:
        raise config.mistake(("targets",), str(error)) from None
    runtime, version = _runtime(config, catalogue)
    common = Deployment(
        runtime=runtime,
        precision=settings.precision,
        batch=settings.batch,
        shapes=_shapes(config, ("shapes",), settings.shapes),
        symbols=settings.symbols,
        dla=settings.dla,
        serving=_serving(config),
    )
    if settings.dla and not any(target.dla_cores for target in targets):
        raise config.mistake(
            ("dla",), "none of the targets has a DLA (example: jetson-agx-orin-64gb)"
        )
    each = [
        replace(common, target=target, runtime=runtime or target.default_runtime)
        for target in targets
    ] or [common]
    named = {deployment.runtime for deployment in each}
    if version is not None and (len(named) > 1 or None in named):
        raise config.mistake(("runtime-version",), "name the runtime that it is a version of")
    origins = _origins(config, version)
    return tuple(_completed(deployment, version, origins) for deployment in each)


def _completed(
    deployment: Deployment, version: str | None, origins: Mapping[str, Origin]
) -> Deployment:
    """Add the parts that were not stated."""
    precision = deployment.precision
    if precision is None:
        precision = usual_precision(deployment.runtime, deployment.target)
    return replace(
        deployment,
        runtime_version=version_of(deployment.runtime, version, deployment.target, deployment.dla),
        precision=precision,
        origins=origins,
    )


def _origins(config: Config, version: str | None) -> dict[str, Origin]:
    pinned = PINS in (config.settings.runtime or "")
    version_key = "runtime" if pinned else "runtime_version"
    return {
        "target": _origin(config, "targets"),
        "runtime": _origin(config, "runtime"),
        "runtime_version": "assumed" if version is None else _origin(config, version_key),
        "precision": _origin(config, "precision"),
        "batch": _origin(config, "batch"),
        "shapes": _origin(config, "shapes", "symbols"),
        "dla": _origin(config, "dla"),
    }


def _serving(config: Config) -> Serving:
    settings = config.settings
    if settings.devices < 1:
        raise config.mistake(("devices",), "must be positive")
    return Serving(
        tuple(sorted({_tokens(config, text) for text in settings.contexts})),
        settings.kv_precision,
        settings.flash_attention,
        settings.devices,
        settings.parallel,
    )


def _tokens(config: Config, text: str) -> int:
    """Return a number of tokens: ``8192``, ``8k``, ``1M``."""
    found = _TOKENS.fullmatch(text)
    tokens = int(found[1]) * _THOUSANDS[found[2].lower()] if found else 0
    if not 0 < tokens <= MOST_TOKENS:
        raise config.mistake(("contexts",), f"{_quoted(text)} is not a length (example: 8k)")
    return tokens


def _origin(config: Config, *keys: str) -> Origin:
    if any(key in config.overrides for key in keys):
        return "given"
    return "configured" if any(getattr(config.settings, key) for key in keys) else "assumed"


def _runtime(config: Config, catalogue: Mapping[str, Rule]) -> tuple[str | None, str | None]:
    """Return the runtime and the version that the settings name."""
    settings, version = config.settings, config.settings.runtime_version
    if settings.runtime is None:
        return None, _valid_version(config, "runtime-version", version)
    name, pinned = split_runtime(settings.runtime)
    _require_runtime(name, catalogue, config)
    if "runtime" in config.overrides:
        version = None  # a version in the file belongs to the runtime in the file
    if version is not None and pinned not in (None, version):
        raise config.mistake(("runtime-version",), f"runtime already names version {pinned}")
    if pinned is not None:
        return name, _valid_version(config, "runtime", pinned)
    return name, _valid_version(config, "runtime-version", version)


def _valid_version(config: Config, key: str, version: str | None) -> str | None:
    if version is None or is_version(version):
        return version
    raise config.mistake((key,), f"{_quoted(version)} is not a version (example: 10.15)")


def _require_runtime(runtime: str, catalogue: Mapping[str, Rule], config: Config) -> None:
    if find_runtime(runtime) is not None:
        return
    known = {*runtimes(), *_flat(rule.runtimes for rule in catalogue.values())}
    known |= {target.default_runtime for target in load_targets()}
    if runtime not in known:
        hint = did_you_mean(runtime, sorted(known), f"known: {', '.join(sorted(known))}")
        raise config.mistake(("runtime",), f"unknown runtime {runtime!r}; {hint}")


def _shapes(
    config: Config, key: tuple[str, ...], given: Mapping[str, str | ProfileTable]
) -> dict[str, ShapeProfile]:
    shapes = {}
    for name, shape in given.items():
        try:
            shapes[name] = parse_shape(shape if isinstance(shape, str) else shape.text())
        except UsageError as error:
            raise config.mistake((*key, name), str(error)) from None
    return shapes


def deployments_for(
    path: Path, config: Config, deployments: tuple[Deployment, ...]
) -> tuple[Deployment, ...]:
    """Return a configuration's deployments with the shapes of a file."""
    return with_shapes(
        deployments, config, matching_globs(config, path, config.settings.per_file_shapes)
    )


def matching_globs(config: Config, path: Path, globs: Iterable[str]) -> tuple[str, ...]:
    """Return the globs of a configuration that match a file."""
    globs = list(globs)
    name = config.relative(path) if globs else ""
    return tuple(glob for glob in globs if Globs.of_setting([glob]).match(name))


def with_shapes(
    deployments: tuple[Deployment, ...], config: Config, globs: Iterable[str]
) -> tuple[Deployment, ...]:
    """Return deployments with the shapes of globs, unless the command line states shapes."""
    shapes: dict[str, ShapeProfile] = {}
    for glob in globs:
        given = config.settings.per_file_shapes.get(glob, {})
        shapes |= _shapes(config, ("per-file-shapes", glob), given)
    return tuple(
        each
        if each.origins.get("shapes") == "given" or not shapes
        else replace(
            each,
            shapes={**each.shapes, **shapes},
            origins={**each.origins, "shapes": "configured"},
        )
        for each in deployments
    )


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


def _with_budgets(
    options: Mapping[str, Mapping[str, Any]],
    rules: Iterable[Rule],
    limits: Mapping[str, float],
) -> Mapping[str, Mapping[str, Any]]:
    """Add budgets to the options: each is an option of the same name of the rule that checks it."""
    if not limits:
        return options
    merged = {code: dict(values) for code, values in options.items()}
    for rule in rules:
        mine = {name: limits[kebab(name)] for name in rule.options if kebab(name) in limits}
        if rule.family == BUDGET_FAMILY and mine:
            merged.setdefault(rule.code, {}).update(mine)
    return merged


def budget_limits(budgets: Budgets, config: Config, keys: tuple[str, ...]) -> dict[str, float]:
    """Return the limits that are set, as plain numbers: counts, bytes, seconds."""
    stated = {kebab(item.name): getattr(budgets, item.name) for item in fields(budgets)}
    limits = {}
    for key, value in stated.items():
        if value is not None:
            try:
                limits[key] = _quantity(key, value)
            except UsageError as error:
                raise config.mistake((*keys, key), str(error)) from None
    return limits


def _quantity(key: str, value: float | str) -> float:
    if key == "min-share-on-accelerator":
        return _share(value)
    if isinstance(value, (int, float)):
        return value
    if key in ("max-file-size", "max-vram"):
        return parse_bytes(value)
    if key == "max-latency-bound":
        duration = _DURATION.fullmatch(value)
        if duration is None:
            raise UsageError(f"invalid duration {_quoted(value)} (example: 5ms)")
        return float(duration[1]) * _SECONDS[duration[2]]
    count = _COUNT.fullmatch(value)
    if count is None:
        raise UsageError(f"invalid number {_quoted(value)} (example: 25M)")
    return round(float(count[1]) * _FACTORS[count[2]])


def _share(value: float | str) -> float:
    percent = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    share = float(percent[1]) / 100 if percent is not None else value
    if isinstance(share, str) or not 0 <= share <= 1:
        raise UsageError(f"invalid share {_quoted(value)} (examples: '95%', 0.95)")
    return share


def _quoted(value: float | str) -> str:
    return shorten(repr(value), LONGEST_WORD)


def _flat(groups: Iterable[Iterable[str]]) -> Iterator[str]:
    for group in groups:
        yield from group
