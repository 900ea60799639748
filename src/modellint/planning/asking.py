"""Programs that a configuration asks besides the rules: probes, optimizers, profiles, servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellint.config.load import Config
from modellint.planning.values import size

if TYPE_CHECKING:
    from modellint.probes import ProbeRequest
    from modellint.remote.origin import FetchLimits
    from modellint.results.measured import MeasuredRun


def fetch_limits(config: Config) -> FetchLimits:
    """Return what may be spent on a remote model."""
    from modellint.remote.origin import FetchLimits

    seconds = config.settings.fetch_timeout
    if seconds <= 0:
        raise config.mistake(("fetch-timeout",), "must be positive")
    most = size(config, "max-fetch")
    return FetchLimits(seconds=seconds) if most is None else FetchLimits(most, seconds)


def require_probe(config: Config) -> dict[str, str]:
    """Return the interpreters that are named; raise for an unknown probe."""
    from modellint.probes import UnknownProbe, require

    pythons = _interpreters(config)
    try:
        require(str(config.settings.probe), pythons)
    except UnknownProbe as error:
        raise config.mistake(("probe",), str(error)) from None
    return pythons


def verifier(config: Config) -> str | None:
    if config.settings.verify is None:
        return None
    from modellint.verify.optimized import require

    return require(config.settings.verify)


def probe_request(config: Config) -> ProbeRequest | None:
    settings = config.settings
    if settings.probe is None:
        return None
    from modellint.probes import ProbeRequest, installed_versions, memory_to_spare

    pythons = require_probe(config)
    if settings.probe_timeout <= 0:
        raise config.mistake(("probe-timeout",), "must be positive")
    folder = config.path("save-engine", settings.save_engine) if settings.save_engine else None
    if folder is not None and not folder.is_dir():
        raise config.mistake(("save-engine",), f"no such folder: {folder}")
    return ProbeRequest(
        settings.probe,
        settings.probe_level,
        settings.probe_timeout,
        size(config, "probe-memory") or memory_to_spare(),
        workspace=size(config, "probe-workspace"),
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


def measured_run(config: Config) -> MeasuredRun | None:
    if not config.settings.profile:
        return None
    from modellint.profiles import read_run

    return read_run([config.path("profile", name) for name in config.settings.profile])
