"""A difference as JSON: docs/schemas/diff.schema.json describes it."""

from __future__ import annotations

from typing import TextIO

from modellint.difference import Difference
from modellint.report.options import Options
from modellint.report.strict import dumps


def write(difference: Difference, stream: TextIO, options: Options) -> None:
    stream.write(dumps(difference.to_json(), indent=2) + "\n")
