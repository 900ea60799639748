"""Cache of reports, valid until the file, the rules, the settings or the program change."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

from modellint.base.data import data_dir
from modellint.base.files import read_regular
from modellint.base.plugins import plugin_versions
from modellint.base.rebuild import checked_from_plain
from modellint.base.standins import lasting_name, path_of, stand_ins
from modellint.base.store import Store
from modellint.base.version import __version__
from modellint.formats.registry import plugin_formats
from modellint.plan import FileReport, Plan
from modellint.results.finding import Finding, ModelSummary
from modellint.rules.registry import built_in_edition

FOLDER = "lint"
RACY_NS = 2_000_000_000
"""A file modified this shortly before it was read may change again within one clock tick."""
MOST_HASHED = 64 << 20
"""Files above this size, and pipes, are not hashed, and not cached while they are new."""
MOST_BYTES = 200 << 20
MOST_SECONDS = 30 * 86400
PRUNED, DAY = "pruned", 86400

Identity = dict[str, Any]
STATE = ("mtime", "ctime", "inode")


class ReportCache:
    """One entry per file and plan, in a folder that concurrent runs may share."""

    def __init__(self, folder: Path) -> None:
        self._entries = Store(folder, FOLDER)
        self._listings: dict[Path, str] = {}

    def load(self, path: Path, shown: str, plan_key: str) -> FileReport | None:
        """Return the cached report if nothing it depends on has changed."""
        stored = self._entries.load(_key(path, shown, plan_key))
        try:
            if not self._is_current(path, stored):
                return None
            report = report_from_json(stored["report"])
        except (OSError, ValueError, KeyError, TypeError):
            return None  # absent, or not an entry of this version
        named = {report.summary.path, *(finding.path for finding in report.findings)}
        return report if named == {shown} else None

    def store(
        self, path: Path, shown: str, plan_key: str, before: Identity | None, report: FileReport
    ) -> None:
        """Store a report, unless the file has changed since `before`."""
        if before is None or "volatile" in before or not is_same(path, before):
            return
        names = (lasting_name(path), *report.companions)
        identities = {name: identify(path_of(name)) for name in names}
        if any(identity is not None and "volatile" in identity for identity in identities.values()):
            return
        stored = {
            "files": identities,
            "listing": self._listing(path.parent),
            "report": report_to_json(report),
        }
        if self._entries.save(_key(path, shown, plan_key), stored):
            self._prune_now_and_then()

    def _is_current(self, path: Path, stored: Mapping[str, Any]) -> bool:
        files: Mapping[str, Identity | None] = stored["files"]
        return (
            isinstance(files, dict)
            and lasting_name(path) in files
            and stored["listing"] == self._listing(path.parent)
            and all(is_same(path_of(each), identity) for each, identity in files.items())
        )

    def _listing(self, folder: Path) -> str:
        """Return the names in a model's folder: findings may be about files next to it."""
        standing = stand_ins(folder)
        if standing is not None and not standing.lists:
            return ""
        if folder not in self._listings:
            try:
                self._listings[folder] = _digest(sorted(os.listdir(folder)))  # noqa: PTH208
            except OSError:
                self._listings[folder] = ""
        return self._listings[folder]

    def _prune_now_and_then(self) -> None:
        pruned, now = self._entries.load(PRUNED), time.time()
        if not isinstance(pruned, int | float) or not now - DAY < pruned <= now:
            self._entries.save(PRUNED, now)
            self._entries.prune(MOST_BYTES, MOST_SECONDS)


def _key(path: Path, shown: str, plan_key: str) -> str:
    return _digest([lasting_name(path.absolute()), shown, plan_key])


def identify(path: Path) -> Identity | None:
    """Identify a file's content without reading it; None if the file does not exist.

    A file modified moments ago could change again unnoticed, so its content is hashed as well.
    """
    standing = stand_ins(path)
    if standing is not None:
        told = standing.identity(path)
        return dict(told) if told is not None else None
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return None
    identity: Identity = {"size": stat.st_size, **dict(zip(STATE, _state(stat), strict=True))}
    if time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) < RACY_NS:
        if stat.st_size > MOST_HASHED or not path.is_file():
            return {**identity, "volatile": True}
        identity["sha256"] = _hash(path)
    return identity


def is_same(path: Path, identity: Identity | None) -> bool:
    """Check that a file has not changed since it was identified."""
    standing = stand_ins(path)
    if standing is not None:
        return standing.identity(path) == identity
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return identity is None
    if identity is None or stat.st_size != identity["size"]:
        return False
    if "sha256" in identity:
        return bool(_hash(path) == identity["sha256"])
    return _state(stat) == tuple(identity[name] for name in STATE)


def _state(stat: os.stat_result) -> tuple[int, ...]:
    """Return what changes with a file's content; programs can restore all but the second."""
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(read_regular(path, MOST_HASHED)).hexdigest()
    except OSError:
        return ""


def plan_key(plan: Plan) -> str:
    """Return a key of everything that findings depend on except the file, including our code."""
    plugins = plugin_versions()
    modules = {check.partition(":")[0] for rule in plan.rules if ":" in (check := rule.check or "")}
    modules |= {format.reader for format in plugin_formats()}
    modules |= {plugin.partition(" ")[0] for plugin in plugins}
    packages = {module.partition(".")[0] for module in modules}
    code = [code_digest(package) for package in ("modellint", "onnx", *sorted(packages))]
    own = f"{data_dir('rules')}{os.sep}"  # whose edition counts, not their content
    rules = [rule.code if rule.file.startswith(own) else repr(rule) for rule in plan.rules]
    rest = repr(replace(plan, rules=()))
    verifier = _version_of(plan.verify) if plan.verify is not None else ""
    return _digest([__version__, *plugins, *code, built_in_edition(), verifier, *rules, rest])


def _version_of(runtime: str) -> str:
    from modellint.probes.backends import known_backends

    return known_backends()[runtime].version


@cache
def code_digest(package: str) -> str:
    """Return a key of a package's files, tables included, without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return ""
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    if package == "onnx":  # installed from a wheel: all files change together with this one
        files = [folder / "version.py" for folder in folders]
    else:
        files = [file for folder in folders for file in _files(folder)] or [Path(spec.origin or "")]
    stats = [(file, file.stat()) for file in files if file.exists()]
    return _digest(f"{file}:{stat.st_size}:{stat.st_mtime_ns}" for file, stat in stats)


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in a stable order, without compiled ones."""
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if each != "__pycache__")
        yield from (Path(here, name) for name in sorted(names))


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def report_to_json(report: FileReport) -> dict[str, Any]:
    """Return a report as plain data, without timings, which belong to one run."""
    return {
        "summary": asdict(report.summary),
        "findings": [_finding_to_json(finding) for finding in report.findings],
        "companions": list(report.companions),
        "bindable": list(report.bindable),
        "probes": _probes_to_json(report),
    }


def _probes_to_json(report: FileReport) -> list[Any]:
    if not report.probes:  # most runs do not probe, and should not load the prober
        return []
    from modellint.probes.outcome import to_json

    return [to_json(outcome) for outcome in report.probes]


def _probes_from_json(data: Sequence[Any]) -> tuple[Any, ...]:
    if not data:
        return ()
    from modellint.probes.outcome import from_json

    return tuple(map(from_json, data))


def _finding_to_json(finding: Finding) -> dict[str, Any]:
    return {**asdict(finding), "severity": int(finding.severity)}


def report_from_json(data: Mapping[str, Any]) -> FileReport:
    """Return the report that `report_to_json` was given; raise ValueError for anything else."""
    return FileReport(
        summary=replace(checked_from_plain(ModelSummary, data["summary"]), cached=True),
        findings=tuple(checked_from_plain(Finding, finding) for finding in data["findings"]),
        companions=_texts(data["companions"]),
        bindable=_texts(data["bindable"]),
        probes=_probes_from_json(data["probes"]),
    )


def _texts(data: object) -> tuple[str, ...]:
    if not isinstance(data, list) or not all(isinstance(each, str) for each in data):
        raise ValueError("not a list of texts")
    return tuple(data)
