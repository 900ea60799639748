"""Parts of tables as files: JSON lines, which need nothing else, and Parquet, which is smaller."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Literal

from modellint.base.errors import UsageError
from modellint.base.install import install_command
from modellint.base.records import dataclass
from modellint.fleets.folders import ResultsFolder
from modellint.fleets.task import Row

FormatName = Literal["jsonl", "parquet"]
Columns = Mapping[str, type]
"""Types of columns by name: texts may be missing, as may numbers that a file does not have."""

MODELS: Columns = {
    "path": str,
    "format": str,
    "bytes": int,
    "edition": str,
    "nodes": int,
    "parameters": int,
    "weight_bytes": int,
    "rules_asked": int,
    "rules_planned": int,
    "errors": int,
    "warnings": int,
    "infos": int,
    "suppressed": int,
    "failing": int,
    "internal": int,
    "fetched": int,
    "requests": int,
    "seconds": float,
    "worker": str,
}
FINDINGS: Columns = {
    "path": str,
    "code": str,
    "rule": str,
    "family": str,
    "severity": str,
    "message": str,
    "graph": str,
    "node": str,
    "op_type": str,
    "value": str,
    "count": int,
    "runtime": str,
    "target": str,
    "confidence": str,
    "fingerprint": str,
    "suppressed": str,
    "failing": int,
}
OPTIONAL = frozenset(
    {"nodes", "parameters", "weight_bytes", "graph", "node", "op_type", "value", "runtime"}
    | {"target", "confidence"}
)
"""Columns whose values may be missing; of findings, also the reason why one is suppressed."""


@dataclass(frozen=True, slots=True)
class PartFormat:
    """Writer and reader of parts."""

    suffix: str
    encoded: Callable[[Sequence[Row], Columns], bytes]
    decoded: Callable[[bytes, Columns], Iterator[Row]]

    def read(self, folder: ResultsFolder, name: str, columns: Columns) -> Iterator[Row]:
        """Iterate over the rows of a part, with these columns; raise UsageError otherwise."""
        try:
            for row in self.decoded(folder.read(name), columns):
                yield _checked(row, columns)
        except OSError as error:
            raise UsageError(f"cannot read {folder.named(name)}: {error.strerror}") from error
        except (ValueError, RecursionError, NotImplementedError) as error:
            raise UsageError(f"{folder.named(name)} is damaged: {error}") from None


def _checked(row: object, columns: Columns) -> Row:
    if not isinstance(row, dict):
        raise ValueError("a row is not an object")
    checked: Row = {}
    for name, kind in columns.items():
        value = row.get(name)
        is_absent = value is None and (name in OPTIONAL or (name, kind) == ("suppressed", str))
        if type(value) is not kind and not is_absent:
            raise ValueError(f"{name} is {value!r:.80}")
        checked[name] = value
    return checked


def _jsonl(rows: Sequence[Row], columns: Columns) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def _of_jsonl(data: bytes, columns: Columns) -> Iterator[Row]:
    yield from map(json.loads, data.splitlines())


def require(name: FormatName) -> None:
    """Raise if a format cannot be written here."""
    if name == "parquet" and find_spec("pyarrow") is None:
        raise UsageError(f"Parquet needs pyarrow: {install_command('parquet')}")


def _pyarrow() -> Any:
    require("parquet")
    import pyarrow
    import pyarrow.parquet

    return pyarrow


def _parquet(rows: Sequence[Row], columns: Columns) -> bytes:
    arrow = _pyarrow()
    kinds = {str: arrow.string(), int: arrow.int64(), float: arrow.float64()}
    schema = arrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
    table = arrow.Table.from_pylist(list(rows), schema)
    written = io.BytesIO()
    arrow.parquet.write_table(table, written, compression="zstd")
    return written.getvalue()


def _of_parquet(data: bytes, columns: Columns) -> Iterator[Row]:
    arrow = _pyarrow()
    file = arrow.parquet.ParquetFile(arrow.BufferReader(data))
    missing = columns.keys() - set(file.schema_arrow.names)
    if missing:
        raise ValueError(f"{min(missing)} is not there")
    for batch in file.iter_batches(columns=list(columns)):
        yield from batch.to_pylist()


FORMATS: Mapping[FormatName, PartFormat] = {
    "jsonl": PartFormat(".jsonl", _jsonl, _of_jsonl),
    "parquet": PartFormat(".parquet", _parquet, _of_parquet),
}
