"""Runtimes available for probing, and the choice of one for a deployment."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import metadata

from modellint.base.errors import UsageError
from modellint.base.modules import is_installed
from modellint.base.records import dataclass
from modellint.base.suggest import did_you_mean
from modellint.probes import installations
from modellint.probes.installations import Installation
from modellint.runtimes import runtimes
from modellint.runtimes.probe import Capability, Level, Probe, Reach
from modellint.targets.deployment import Deployment

AUTO = "auto"
ONNX = "onnx"
NONE_NAMED: Mapping[str, str] = {}
"""Interpreters by runtime: none."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A runtime that can be probed, and its installation."""

    name: str
    title: str
    probe: Probe
    named: str = ""
    """The interpreter to run it in, if the user named one for this run."""

    @property
    def installation(self) -> Installation | None:
        """Return where probes run it: where the user says, here, or where it was set up."""
        by_environment = installations.named_by_environment(self.name)
        if self.named:
            return installations.installed_in(self.named, self.probe, f"interpreter of {self.name}")
        if by_environment:
            variable = installations.variable_of(self.name)
            return installations.installed_in(by_environment, self.probe, variable)
        if self.module is not None:
            return Installation(sys.executable, self.module, self.version)
        folder = self.probe.named_folder()
        if folder is not None:
            return Installation(sys.executable, "", folder.version, folder.path)
        return installations.set_up(self.probe.shares or self.name)

    @property
    def module(self) -> str | None:
        """Return the name of its Python module in this interpreter, or None."""
        return next((name for name in self.probe.modules if is_installed(name)), None)

    @property
    def version(self) -> str:
        """Return its version in this interpreter."""
        for package in self.probe.packages:
            try:
                return metadata.version(package)
            except metadata.PackageNotFoundError:
                continue
        return ""

    @property
    def install(self) -> str:
        """Return the command that installs it."""
        if self.probe.environment is not None:
            return f"modellint probe --setup {self.name}"
        return self.probe.install

    @property
    def answers_for(self) -> tuple[str, ...]:
        """Return the runtimes that its answers are valid for."""
        return (self.name, *self.probe.stands_in_for)


@cache
def known_backends() -> Mapping[str, Backend]:
    """Return all runtimes that can be probed if installed, by name."""
    return {
        each.name: Backend(each.name, each.title, each.probe)
        for each in runtimes().values()
        if each.probe is not None
    }


def backend_of(name: str, pythons: Mapping[str, str] = NONE_NAMED) -> Backend:
    """Return a known backend, in the interpreter that the user named for it, if any."""
    return replace(known_backends()[name], named=pythons.get(name, ""))


@dataclass(frozen=True, slots=True)
class Choice:
    """The runtime to probe, and the depth."""

    backend: Backend
    reach: Reach


def choose(
    name: str,
    level: Level,
    deployment: Deployment,
    pythons: Mapping[str, str] = NONE_NAMED,
    format: str = ONNX,
) -> Choice | str:
    """Return the best installed backend for a deployment, or the reason why there is none."""
    if name != AUTO:
        return _choice(backend_of(name, pythons), level, deployment)
    candidates = _candidates(deployment)
    if not candidates:
        return f"no probe exists for the runtime {deployment.runtime!r}"
    readers = [each for each in candidates if format in each.probe.formats]
    if not readers:
        return not_about(candidates, format)
    order = [backend_of(each.name, pythons) for each in readers]
    answers = [_choice(backend, level, deployment) for backend in order if backend.installation]
    choices = [answer for answer in answers if isinstance(answer, Choice)]
    deepest = max(choices, key=lambda choice: choice.reach.level == level, default=None)
    if deepest is not None:
        return deepest
    if answers:
        return "; ".join(answer for answer in answers if isinstance(answer, str))
    missing = " or ".join(f"{backend.title} ({backend.install})" for backend in order)
    return f"no installed runtime can probe for {deployment.describe()}: {missing}"


def not_about(backends: Sequence[Backend], format: str) -> str:
    """Return why runtimes are not asked about files of a format, and how to get what one loads."""
    asked = " and ".join(each.title for each in backends)
    loads = runtimes()[backends[0].name].input
    advice = (
        f". {backends[0].title} loads {loads.title}. {loads.advice}" if loads is not None else ""
    )
    return f"{asked} cannot be asked about {format} files{advice}"


def _candidates(deployment: Deployment) -> list[Backend]:
    """Return the deployment's own runtime first, then substitutes."""
    every = known_backends().values()
    if deployment.runtime is None and deployment.target is None:
        return [each for each in every if each.probe.asked_by_default]
    fit = [each for each in every if deployment.runtime in each.answers_for]
    return sorted(fit, key=lambda each: each.name != deployment.runtime)


def _choice(backend: Backend, level: Level, deployment: Deployment) -> Choice | str:
    reach = backend.probe.reach(level, deployment.target, gpu_capability)
    return reach if isinstance(reach, str) else Choice(backend, reach)


@cache
def gpu_capability() -> Capability | None:
    """Return the compute capability of this machine's first NVIDIA GPU."""
    from modellint.targets import HOST, find_target

    return find_target(HOST).compute_capability


class UnknownProbe(UsageError):  # noqa: N818 - a name fit to be read in `except`
    """Unknown name of a runtime."""


def require(name: str, pythons: Mapping[str, str] = NONE_NAMED) -> None:
    """Raise if a backend is unknown or not installed, with a suggestion."""
    known = known_backends()
    for each in pythons:
        _require_known(each, tuple(known))
    if name == AUTO:
        if not any(backend_of(each, pythons).installation for each in known):
            ways = ", ".join(f"{each.install} for {each.title}" for each in known.values())
            raise UsageError(f"no runtime is installed for probing: {ways}")
        return
    _require_known(name, (AUTO, *known))
    backend = backend_of(name, pythons)
    if backend.installation is None:
        raise UsageError(f"{backend.title} is not installed: {backend.install}")


def _require_known(name: str, names: Sequence[str]) -> None:
    if name not in names:
        hint = did_you_mean(name, names, f"choose from {', '.join(names)}")
        raise UnknownProbe(f"unknown probe {name!r}; {hint}")


@dataclass(frozen=True, slots=True)
class Availability:
    """Availability of a backend, for `doctor`."""

    backend: Backend
    version: str | None
    """None if not installed."""
    detail: str


def available() -> list[Availability]:
    """Return the availability of all backends."""
    return [_availability(backend) for backend in known_backends().values()]


def _availability(backend: Backend) -> Availability:
    found = backend.installation
    if found is None:
        return Availability(backend, None, f"not installed: {backend.install}")
    detail = backend.probe.ability(gpu_capability)
    if not found.is_own or found.folder:
        detail += f"; in {found.folder or found.python}"
    return Availability(backend, found.version or "unknown version", detail)
