"""`modellint.assert_model_ok`, for tests."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from modellint.api.checking import check
from modellint.api.given import GivenSettings
from modellint.api.report import Report
from modellint.api.sources import ModelSource

if TYPE_CHECKING:
    from typing_extensions import Unpack


def assert_model_ok(
    models: ModelSource | Iterable[ModelSource],
    target: str | None = None,
    *,
    name: str | None = None,
    config: str | os.PathLike[str] | None = None,
    isolated: bool = False,
    **settings: Unpack[GivenSettings],
) -> Report:
    """Raise AssertionError with the report unless models are fit for a target."""
    __tracebackhide__ = True  # of pytest: the report says more than where it is made
    if target is not None:
        settings["targets"] = target
    report = check(models, name=name, config=config, isolated=isolated, **settings)
    if not report.ok:
        raise AssertionError(f"not fit for deployment:\n\n{report}")
    return report
