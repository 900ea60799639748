"""A difference as JSON: docs/schemas/diff.schema.json describes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TextIO

from modellint.report.options import Options
from modellint.report.strict import dumps
from modellint.results.difference import Difference, Overview


def write(difference: Difference, stream: TextIO, options: Options) -> None:
    stream.write(dumps(difference.to_json(), indent=2) + "\n")


def write_several(
    differences: Sequence[Difference], overview: Overview, stream: TextIO, options: Options
) -> None:
    """Write one object per line: each difference, then the overview."""
    stream.writelines(dumps(difference.to_json()) + "\n" for difference in differences)
    stream.write(dumps({"overview": asdict(overview)}) + "\n")
