"""Models of runs, found by their digests or generated again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.benching.suites import MICRO, WORKLOADS, write_suite
from modellint.formats import read_model
from modellint.model import Model
from modellint.profiles.identity import digest_of
from modellint.results.measured import MeasuredRun

SUITES = {"micro": MICRO, "workloads": WORKLOADS}


class ModelFinder:
    """Finds the file of a run's model among some paths, and those of suites in a folder."""

    def __init__(self, places: Sequence[Path], scratch: Path) -> None:
        self._by_name: dict[str, list[Path]] = {}
        self._scratch = scratch
        self._made: set[str] = set()
        self._models: dict[Path, Model] = {}
        for path in places:
            if not path.exists():
                raise UsageError(f"{path}: no such file or folder")
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                self._by_name.setdefault(file.name, []).append(file)

    def find(self, run: MeasuredRun) -> Model | None:
        """Return the model; None if no file has its name and its digest."""
        name = run.model.name
        suite = name.partition("-")[0]
        if suite in SUITES and suite not in self._made:
            self._made.add(suite)
            for path in write_suite(suite, self._scratch):
                self._by_name.setdefault(path.name, []).append(path)
        for path in self._by_name.get(name, ()):
            if run.model.sha256 is None or digest_of(path) == run.model.sha256:
                return self._read(path)
        return None

    def _read(self, path: Path) -> Model:
        if path not in self._models:
            self._models[path] = read_model(path)
        return self._models[path]

    def found(self, runs: Sequence[MeasuredRun]) -> Iterator[tuple[MeasuredRun, Model | None]]:
        for run in runs:
            yield run, self.find(run)
