"""Writes tables of operators that vendors publish, for runtimes that cannot be asked here.

    python tools/list_support.py edgetpu
    python tools/list_support.py tidl --lists supported_ops_rts_versions.md
    python tools/list_support.py nncase --lists onnx_ops.md tflite_ops.md

TI's list is in docs/ of its edgeai-tidl-tools, Kendryte's in docs/ of nncase, Google's here.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from onnx import defs
from supports.tables import Operator, write_table
from tflite_cases import FORMS

TYPES = ["int8", "uint8"]
OTHER_TYPES = [
    "float32",
    "float16",
    "float64",
    "bool",
    "int4",
    "int16",
    "int32",
    "int64",
    "uint16",
    "uint32",
]
EDGE_TPU = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXPAND_DIMS FULLY_CONNECTED
L2_NORMALIZATION LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL PACK PAD PRELU QUANTIZE REDUCE_MAX
REDUCE_MIN RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SLICE
SOFTMAX SPACE_TO_DEPTH SPLIT SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM TANH TILE TRANSPOSE
TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM
""".split()
"""Google's list, and TILE, which its compiler took in a model that it publishes."""
DATA = {"SPLIT": 1, "TRANSPOSE_CONV": 2}
"""The input that the data is in, if it is not the first."""
ROW = re.compile(r"^\| \d+ \| ([\w/]+) \| TIDL_\w+ \| (.*)", re.MULTILINE)
ALONE_NOT = ("Not supported as an individual operator",)
"""Words about operators that are only taken as a part of a larger one."""
SPELT = {"PRelu": "PRelu", "DropOut": "Dropout"}
Table = dict[str, Operator]


def edge_tpu(lists: Sequence[Path]) -> Table:
    """The operators of the Edge TPU, which take 8-bit integers only."""
    table: Table = {op: Operator() for op in sorted({*FORMS, *EDGE_TPU})}
    for op in EDGE_TPU:
        tried = TYPES + OTHER_TYPES
        table[op] = Operator(DATA.get(op, 0), accepted=1, taken=TYPES, tried=tried)
    return table


def tidl(lists: Sequence[Path]) -> Table:
    """The operators of TI's table for ONNX, some rows of which name several."""
    text = lists[0].read_text(encoding="utf-8").partition("(TFLite)")[0]
    taken: set[str] = set()
    for names, constraints in re.findall(
        r"^\| \d+ \| ([\w/]+) \| TIDL_\w+ \| (.*)", text, re.MULTILINE
    ):
        if not any(words in constraints for words in ALONE_NOT):
            taken |= {SPELT.get(name, name) for name in names.split("/")}
    assert "Conv" in taken, "the list is written in another way"
    return _standard(taken)


def nncase(lists: Sequence[Path]) -> Table:
    """The operators of ONNX and TFLite that Kendryte's compiler imports."""
    onnx, tflite = (set(_ticked(each)) for each in lists)
    every = {op: Operator(accepted=int(op in tflite)) for op in sorted({*FORMS, *tflite})}
    return {**_standard(onnx), **every}


def _ticked(file: Path) -> list[str]:
    rows = re.findall(r"^\|\s*(\w+)\s*\|\s*✅", file.read_text(encoding="utf-8"), re.MULTILINE)
    return [row.upper() for row in rows] if file.name.startswith("tflite") else rows


def _standard(taken: set[str]) -> Table:
    known = {schema.name for schema in defs.get_all_schemas() if not schema.domain}
    return {op: Operator(accepted=int(op in taken)) for op in sorted(known)}


LISTS: dict[str, tuple[Callable[[Sequence[Path]], Table], str, str]] = {
    "edgetpu": (
        edge_tpu,
        "16.0",
        "https://coral.ai/docs/edgetpu/models-intro/#supported-operations",
    ),
    "nncase": (
        nncase,
        "2.11",
        "https://github.com/kendryte/nncase/tree/99431d9db/docs",
    ),
    "tidl": (
        tidl,
        "11.0",
        "https://github.com/TexasInstruments/edgeai-tidl-tools/blob/11_00_06_00/docs/supported_ops_rts_versions.md",
    ),
}
"""By runtime: how its list is read, the release that it describes, and where it is."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runtime", choices=LISTS)
    parser.add_argument("--lists", type=Path, nargs="*", default=())
    given = parser.parse_args()
    read, version, source = LISTS[given.runtime]
    write_table(given.runtime, version, "theoretical", source, read(given.lists))


if __name__ == "__main__":
    main()
