"""`modellint doctor`: installed and missing dependencies, and this machine's setup."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

import click

from modellint.base.data import cache_dir, data_dir
from modellint.base.errors import ModellintError
from modellint.base.install import install_command, installed_version
from modellint.base.records import dataclass
from modellint.base.store import Store
from modellint.base.text import clean
from modellint.base.units import format_bytes
from modellint.base.version import __version__
from modellint.cli.command import Command
from modellint.cli.configuration import configurable, configuration
from modellint.cli.outputs import JSON, list_options, write_list
from modellint.report.options import Options
from modellint.report.page import ListPage
from modellint.report.text import BOLD, FAIR, GOOD, POOR, Text

EXTRAS: Mapping[str, str] = {
    "remote": "read models in buckets (s3://, gs://, az://) and other fsspec file systems",
    "parquet": "write tables of layers, and results of fleets, as Parquet",
    "dask": "run fleets on a Dask cluster",
    "ray": "run fleets on a Ray cluster",
    "spark": "run fleets on a Spark cluster",
    "png": "draw charts as PNG without a browser",
    "ort": "probe with ONNX Runtime: load models and report where nodes run",
    "trt": "probe with TensorRT: build engines for this machine's GPU",
    "trt-rtx": "probe with TensorRT for RTX: build for a named GPU without having one",
}
"""Purpose of each extra."""


@dataclass(frozen=True, slots=True)
class Package:
    """Distribution that modellint requires, or that an extra adds."""

    name: str
    version: str | None
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact about this machine or folder, with a remedy if it is a problem."""

    name: str
    value: str
    remedy: str = ""


@click.command(cls=Command)
@list_options()
@configurable
def command(config: Path | None, isolated: bool, **given: Any) -> int:
    """Report installed dependencies, what each extra adds, and what this machine has."""
    packages = [*required(), *optional()]
    facts = {
        "machine": list(machine()),
        "probes": list(probes()),
        "here": list(here(config, isolated)),
    }
    write_list(given, partial(_draw, packages, facts))
    missing = any(package.version is None and not package.extra for package in packages)
    wrong = any(fact.remedy for group in facts.values() for fact in group)
    return int(missing or wrong)


def _draw(
    packages: list[Package],
    facts: Mapping[str, list[Fact]],
    name: str,
    stream: TextIO,
    options: Options,
) -> None:
    if name != JSON:
        _print(packages, facts, stream, options)
        return
    found = {
        "modellint": __version__,
        "python": platform.python_version(),
        "packages": [asdict(package) for package in packages],
        **{title: [asdict(fact) for fact in group] for title, group in facts.items()},
    }
    from modellint.report.strict import dumps

    click.echo(dumps(found, indent=2), file=stream)


STATES = {True: Text("ok", GOOD), False: Text("missing", FAIR)}


def _print(
    packages: list[Package], facts: Mapping[str, list[Fact]], stream: TextIO, options: Options
) -> None:
    page = ListPage(stream, options, gutter=11)
    page.print(Text("modellint", BOLD), f" {installed_version()} in {Path(__file__).parents[1]}")
    page.print(f"Python {platform.python_version()}, {platform.platform()}")
    _title(page, "Required")
    for package in packages:
        if not package.extra:
            _required(page, package)
    _title(page, "Optional")
    for extra in dict.fromkeys(package.extra for package in packages if package.extra):
        _optional(page, extra, [each for each in packages if each.extra == extra])
    for title, group in zip(("This machine", "Probes", "Here"), facts.values(), strict=True):
        widest = max((len(fact.name) for fact in group), default=0)
        page = ListPage(stream, options, gutter=widest + 4)
        _title(page, title)
        for fact in group:
            is_copied = "/" in fact.value  # a path or an address stays whole
            show = page.beside if is_copied else page.field
            show(Text(fact.name), Text(clean(fact.value)))
            page.field("", Text(clean(fact.remedy), POOR))


def _title(page: ListPage, title: str) -> None:
    page.blank()
    page.print(Text(title, BOLD))


def _required(page: ListPage, package: Package) -> None:
    if package.version is None:
        page.field(Text("missing", POOR), f"{package.name}; reinstall modellint")
    else:
        page.field(STATES[True], f"{package.name} {package.version}")


def _optional(page: ListPage, extra: str, packages: list[Package]) -> None:
    there = all(package.version is not None for package in packages)
    names = ", ".join(f"{each.name} {each.version or ''}".rstrip() for each in packages)
    page.field(STATES[there], f"[{extra}] {names}")
    page.field("", EXTRAS.get(extra, ""))
    if not there:
        page.beside("", Text(install_command(extra)))


def required() -> list[Package]:
    return [_package(name) for name, extra in _requirements() if not extra]


def optional() -> list[Package]:
    return [_package(name, extra) for name, extra in _requirements() if extra]


@cache
def _requirements() -> tuple[tuple[str, str], ...]:
    """Return the name and extra of each distribution that modellint depends on."""
    try:
        lines = metadata.requires("modellint") or []
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return ()
    found = []
    for line in lines:
        name = re.match(r"[A-Za-z0-9._-]+", line)
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", line)
        if name is not None and _is_for_this_python(line):
            found.append((name[0], extra[1] if extra else ""))
    return tuple(found)


def _is_for_this_python(line: str) -> bool:
    """Return False for requirements of older Pythons only."""
    below = re.search(r"python_version\s*<\s*['\"](\d+)\.(\d+)", line)
    current = tuple(map(int, platform.python_version_tuple()[:2]))
    return below is None or current < (int(below[1]), int(below[2]))


def _package(name: str, extra: str = "") -> Package:
    try:
        return Package(name, metadata.version(name), extra)
    except metadata.PackageNotFoundError:
        return Package(name, None, extra)


def machine() -> Iterator[Fact]:
    """Return the device that `--target host` stands for."""
    from modellint.targets import find_target

    try:
        host = find_target("host")
    except ModellintError as error:
        yield Fact("host", f"not recognized: {error}")
        return
    memory = host.memory.usable or host.memory.nominal
    yield Fact("host", f"{host.name}, {format_bytes(memory)} of memory for models")
    if host.vendor == "cpu":
        yield Fact("gpu", "none found (nvidia-smi lists none)")
    else:
        yield Fact("gpu", host.name)


def probes() -> Iterator[Fact]:
    """Return the runtimes available for probing, with their devices."""
    from modellint.probes.backends import available
    from modellint.runtimes.versions import newest_version

    for each in available():
        version = f"{each.version}, " if each.version else ""
        newest = newest_version(each.backend.name)
        rules = f"; rules cover versions up to {newest}" if newest else ""
        yield Fact(each.backend.title, f"{version}{each.detail}{rules}")


def here(config: Path | None, isolated: bool) -> Iterator[Fact]:
    """Return the configuration of this folder, its rules and formats, and the cache."""
    from modellint.config.places import shown

    try:
        settings = configuration(config, isolated)
    except ModellintError as error:
        yield Fact("configuration", "invalid", str(error))
    else:
        yield Fact("configuration", shown(settings.file) if settings.file else "none; defaults")
        yield _rules([settings.path("rules", folder) for folder in settings.settings.rules])
    yield _formats()
    yield _cache()


def _rules(folders: Sequence[Path]) -> Fact:
    from modellint.rules.registry import load_rules

    try:
        rules = load_rules(folders)
    except ModellintError as error:
        return Fact("rules", "invalid rule file", str(error))
    own = sum(data_dir("rules") not in (rule.path or Path()).parents for rule in rules.values())
    return Fact("rules", f"{len(rules)}, {own} of them from plugins and your own folders")


def _formats() -> Fact:
    """Return the formats that can be read."""
    from modellint.formats.registry import formats, plugin_mistakes

    titles = ", ".join(each.title for each in formats() if each.is_read)
    return Fact("formats", titles, "; ".join(plugin_mistakes()))


def _cache() -> Fact:
    store = Store(cache_dir())
    try:
        store.claim()
    except OSError as error:
        reason = f"not writable ({error.strerror}); use --cache-dir"
        return Fact("cache", str(store.root), reason)
    if not os.access(store.root, os.W_OK):
        return Fact("cache", str(store.root), "not writable; use --cache-dir")
    files = [file.stat().st_size for file in store.root.rglob("*.json")]
    return Fact("cache", f"{store.root}: {len(files):,} entries, {format_bytes(sum(files))}")
