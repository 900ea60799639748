"""Measures which operator set of OpenVINO first has each operation, and writes opsets.json.

    python tools/measure_openvino_opsets.py

Every question is asked in a process of its own: some layers without inputs end it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import openvino

from modellint.operators import rows

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "src/modellint/formats/openvino/opsets.json"
MODEL = """
<net name="m" version="11">
<layers>
<layer id="0" name="a" type="{kind}" version="opset{opset}">
<data/><output><port id="0" precision="FP32"/></output></layer>
<layer id="1" name="r" type="Result" version="opset1">
<input><port id="0" precision="FP32"/></input></layer>
</layers>
<edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/></edges>
</net>
"""
NO_OPSET, NO_OPERATION, KNOWN = b"opset", b"operation", b"known"
MOST_OPSETS = 64


def main() -> None:
    first: dict[str, int] = {}
    kinds = sorted(set(names()))
    newest = 0
    for opset in range(1, MOST_OPSETS):
        answers = {kind: ask(kind, opset) for kind in kinds if kind not in first}
        if answers and all(answer == NO_OPSET for answer in answers.values()):
            break
        newest = opset
        first.update({kind: opset for kind, answer in answers.items() if answer == KNOWN})
    source = (
        f"OpenVINO {openvino.__version__.partition('-')[0]}: which operator set's reader knows a "
        "layer of the type, tools/measure_openvino_opsets.py"
    )
    table = {"source": source, "newest": newest, "first": dict(sorted(first.items()))}
    TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def names() -> Iterator[str]:
    for row in rows().values():
        if row.name.startswith("openvino."):
            yield row.op_type
        yield from (each.name for each in row.dialects if each.format == "openvino")


def ask(kind: str, opset: int) -> bytes:
    """Ask whether an operator set has an operation, in another process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, _answer(kind, opset))
        os._exit(0)
    os.close(writing)
    answer = os.read(reading, 16)
    os.close(reading)
    os.waitpid(child, 0)
    return answer or KNOWN  # it got as far as making the layer


def _answer(kind: str, opset: int) -> bytes:
    text = MODEL.format(kind=kind, opset=opset)
    try:
        openvino.Core().read_model(model=text.encode(), weights=b"")
    except RuntimeError as error:
        if "unsupported opset" in str(error):
            return NO_OPSET
        if "doesn't contain the operation" in str(error):
            return NO_OPERATION
    return KNOWN


if __name__ == "__main__":
    main()
