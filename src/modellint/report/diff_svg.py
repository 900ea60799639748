"""Variants of a model as a picture: accuracy next to time, memory or size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from modellint.base.errors import UsageError
from modellint.report.charts import pareto
from modellint.report.options import Options
from modellint.results.difference import Difference, Overview

LACKING = "a picture of variants needs a metric of each (--metrics), and a figure that all have"


def write(difference: Difference, stream: TextIO, options: Options) -> None:
    raise UsageError(LACKING)


def write_several(
    differences: Sequence[Difference], overview: Overview, stream: TextIO, options: Options
) -> None:
    chart = pareto(overview.trade_offs) if overview.trade_offs is not None else None
    if chart is None:
        raise UsageError(LACKING)
    stream.write(chart.standalone())
    stream.flush()
