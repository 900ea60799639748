"""Deployments of a configuration, and the origin of their parts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.base.globs import Globs
from modellint.base.suggest import did_you_mean
from modellint.config.load import Config
from modellint.config.settings import ProfileTable
from modellint.planning.values import quoted
from modellint.results.finding import Origin
from modellint.rules.rule import Rule
from modellint.runtimes import find_runtime, runtimes
from modellint.runtimes.versions import is_version
from modellint.targets import UnknownTarget, expand_targets, load_targets
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

_TOKENS = re.compile(r"(\d{1,12})([kKmM]?)", re.ASCII)
_THOUSANDS = {"": 1, "k": 1 << 10, "m": 1 << 20}
MOST_TOKENS = 1 << 30


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
        raise config.mistake(("dla",), "no target has a DLA (example: jetson-agx-orin-64gb)")
    each = [
        replace(common, target=target, runtime=runtime or target.default_runtime)
        for target in targets
    ] or [common]
    named = {deployment.runtime for deployment in each}
    if version is not None and (len(named) > 1 or None in named):
        raise config.mistake(("runtime-version",), "give the runtime that this is a version of")
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
        raise config.mistake(("contexts",), f"{quoted(text)} is not a length (example: 8k)")
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
    raise config.mistake((key,), f"{quoted(version)} is not a version (example: 10.15)")


def _require_runtime(runtime: str, catalogue: Mapping[str, Rule], config: Config) -> None:
    if find_runtime(runtime) is not None:
        return
    known = {*runtimes(), *chain.from_iterable(rule.runtimes for rule in catalogue.values())}
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
