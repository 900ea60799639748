"""Every layer as a row of a table: CSV, JSON lines, or Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from modellint.base.errors import UsageError
from modellint.base.text import clean
from modellint.report.strict import dumps
from modellint.results.inspection import Dims, Inspection, LayerFacts

COLUMNS = (
    "model",
    "index",
    "name",
    "op",
    "block",
    "inputs",
    "outputs",
    "dtype",
    "weight",
    "parameters",
    "weight_bytes",
    "macs",
    "flops",
    "bytes",
    "precision",
    "quantized",
    "folded",
    "bound",
    "seconds",
    "expected",
    "limited_by",
    "step",
    "alive",
    "unit",
    "critical",
)
"""Columns in order, the same in each format; docs/reports.md describes them."""
_FORMULA = ("=", "+", "-", "@")
"""Beginnings of what spreadsheets compute rather than show."""


def write_csv(inspections: Sequence[Inspection], stream: TextIO) -> None:
    """Write a table for spreadsheets: shapes as ``1x64x56x56``, unknown figures empty."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in _rows(inspections):
        writer.writerow([_cell(row[name]) for name in COLUMNS])
    stream.flush()


def write_jsonl(inspections: Sequence[Inspection], stream: TextIO) -> None:
    """Write one object per line, with names as they are, and shapes as lists."""
    stream.writelines(dumps(row) + "\n" for row in _rows(inspections))
    stream.flush()


def write_parquet(inspections: Sequence[Inspection], stream: TextIO) -> None:
    """Write a Parquet file to the bytes below a stream."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError("parquet needs pyarrow: pip install 'modellint[parquet]'") from None
    texts, counts, figures = pyarrow.string(), pyarrow.int64(), pyarrow.float64()
    types = {
        **dict.fromkeys(COLUMNS, texts),
        **dict.fromkeys(("index", "parameters", "weight_bytes", "macs", "flops"), counts),
        **dict.fromkeys(("bytes", "step", "alive"), counts),
        **dict.fromkeys(("seconds", "expected"), figures),
        **dict.fromkeys(("quantized", "folded", "critical"), pyarrow.bool_()),
    }
    rows = list(_rows(inspections))
    columns = {name: [_value(row[name]) for row in rows] for name in COLUMNS}
    schema = pyarrow.schema([(name, types[name]) for name in COLUMNS])
    written = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns, schema), written)
    stream.flush()
    stream.buffer.write(written.getvalue())


def _rows(inspections: Sequence[Inspection]) -> Iterator[dict[str, Any]]:
    for inspection in inspections:
        for layer in inspection.every_layer or ():
            yield _row(inspection.path, layer)


def _row(path: str, layer: LayerFacts) -> dict[str, Any]:
    own = {"model": path, "op": layer.op_type}
    return {name: own[name] if name in own else getattr(layer, name) for name in COLUMNS}


def _cell(value: Any) -> Any:
    value = _value(value)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _value(value: Any) -> Any:
    if isinstance(value, list):
        several = value and (value[0] is None or isinstance(value[0], list))
        return " ".join(map(_shape, value)) if several else _shape(value)
    return clean(value) if isinstance(value, str) else value


def _shape(dims: Dims | None) -> str:
    if dims is None:
        return "?"
    return "x".join("?" if dim is None else clean(str(dim)) for dim in dims)
