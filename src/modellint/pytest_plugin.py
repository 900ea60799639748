"""Plugin of pytest: `--modellint` makes a test of every model file that pytest collects.

It is imported by every run of pytest, so it imports nothing else until a model is to be linted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from modellint.api.report import Report


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("modellint")
    group.addoption("--modellint", action="store_true", help="lint model files as tests")
    group.addoption(
        "--modellint-target",
        action="append",
        metavar="ID",
        default=[],
        help="device that they are linted for, if not as configured; repeatable",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> CollectedModel | None:
    if not parent.config.getoption("modellint"):
        return None
    model = _model_of(file_path)
    return CollectedModel.from_parent(parent, path=model) if model is not None else None


def _model_of(path: Path) -> Path | None:
    """Return the model that a file stands for: itself, or its folder for the first of its files."""
    from modellint.formats.registry import first_part, folder_format, is_member, is_model

    if not is_model(path) or first_part(path) != path:
        return None
    names = sorted(each.name for each in path.parent.iterdir())
    whole = folder_format(names)
    if whole is None or not is_member(path.name, whole):
        return path
    models = [name for name in names if is_member(name, whole) and is_model(Path(name))]
    return path.parent if path.name == models[0] else None


class CollectedModel(pytest.File):
    """A model that was collected."""

    def collect(self) -> Iterator[pytest.Item]:
        yield ModelTest.from_parent(self, name="modellint")


class UnfitError(Exception):
    """A model is not fit for deployment."""

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))


class ModelTest(pytest.Item):
    """The test of a model: it fails as `modellint check` would."""

    def runtest(self) -> None:
        from modellint.api.checking import check

        targets = self.config.getoption("modellint_target")
        report = check(self.path, **({"targets": targets} if targets else {}))
        if not report.ok:
            raise UnfitError(report)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from modellint.base.errors import ModellintError

        if isinstance(excinfo.value, UnfitError | ModellintError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"modellint: {self.path.name}"
