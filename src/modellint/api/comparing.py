"""`modellint.diff`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from modellint.api.given import GivenSettings, overriding
from modellint.api.sources import ModelSource, file_of
from modellint.base.errors import UsageError
from modellint.base.records import dataclass
from modellint.base.standins import is_stand_in
from modellint.config.load import Configs

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from modellint.differ.compare import ComparedFile
    from modellint.planning.setup import Setup
    from modellint.results.difference import Difference


@dataclass(frozen=True, slots=True)
class DiffSource:
    """A model to compare."""

    path: Path
    shown: str
    name: str
    """Its path in the folder or repository."""
    place: Path
    """Path that a configuration's globs are matched against."""


class Setups:
    """The setup of each configuration, made once."""

    def __init__(self, configs: Configs) -> None:
        self.configs = configs
        self._made: dict[int, Setup] = {}

    def of(self, place: Path) -> Setup:
        from modellint.planning.setup import make_setup

        config = self.configs.of(place if place.is_dir() else place.parent)
        if id(config) not in self._made:
            self._made[id(config)] = make_setup(config)
        return self._made[id(config)]

    def file(self, source: DiffSource) -> ComparedFile:
        """Return a model with the plan that its configuration makes for it."""
        from modellint.differ.compare import ComparedFile

        plan = self.of(source.place).plan_for(source.place)
        if is_stand_in(source.path) and plan.weights_budget is None:
            plan = replace(plan, read_weights=False)
        return ComparedFile(source.path, source.shown, plan)


def diff(
    old: ModelSource,
    new: ModelSource,
    *,
    config: str | os.PathLike[str] | None = None,
    isolated: bool = False,
    **settings: Unpack[GivenSettings],
) -> Difference:
    """Compare two models by structure: what changed, what breaks, and what that costs."""
    from modellint.differ.compare import compare_files

    setups = Setups(Configs(overriding(settings, Path(config) if config else None, isolated)))
    with _source(old, "<old>", setups) as before, _source(new, "<new>", setups) as after:
        setup = setups.of(after.place)
        difference, _ = compare_files(
            setups.file(before),
            setups.file(after),
            setup.catalogue,
            memory=bool(setup.config.settings.diff_budgets),
        )
    return judged(difference, setup)


@contextmanager
def _source(model: ModelSource, name: str, setups: Setups) -> Iterator[DiffSource]:
    from modellint.discovery import discover

    with file_of(model) as (path, shown):
        if shown is not None:
            yield DiffSource(path, name, name, Path(name))
            return
        found = discover([path], setups.configs).files
        if len(found) != 1:
            raise UsageError(f"{path}: {len(found)} models; expected one")
        yield DiffSource(found[0].path, found[0].shown, found[0].shown, found[0].place)


def judged(difference: Difference, setup: Setup) -> Difference:
    """Return the difference with the budgets that its configuration sets."""
    stated = setup.config.settings.diff_budgets
    if not stated or not difference.is_readable:
        return difference
    from modellint.differ.budgets import check_budgets, parse_limits

    try:
        limits = parse_limits(stated, [each.name for each in difference.metrics or ()])
    except UsageError as error:
        raise setup.config.mistake(("diff-budgets",), str(error)) from None
    return replace(difference, budgets=check_budgets(difference, limits))
