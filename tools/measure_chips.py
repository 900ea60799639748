"""Asks Qualcomm's library which chips it knows, and which of them compute floats.

    modellint probe --setup qnn
    python tools/measure_chips.py

It compiles two small models for every number that the library may know, each in a process of
its own, and writes `src/modellint/runtimes/qnn/chips-<version>.toml`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modellint.probes.backends import known_backends
from modellint.probes.installations import Installation

NUMBERS = range(1, 161)
FLOATS = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[1,8] x) => (float[1,8] y)
{
    [div] a = Div (x, x)
    [erf] b = Erf (a)
    [mul] c = Mul (b, x)
    [add] y = Add (c, x)
}
"""
INTEGERS = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[1,8] x) => (float[1,8] y) <float s = {0.1}, uint8 z = {128}>
{
    [q] a = QuantizeLinear (x, s, z)
    [dq] b = DequantizeLinear (a, s, z)
    [mul] c = Mul (b, b)
    [q1] d = QuantizeLinear (c, s, z)
    [dq1] y = DequantizeLinear (d, s, z)
}
"""
NAMELESS = "UNKNOWN_SDM"
UNKNOWN = "SoC model name not found"
_NAME = re.compile(r"unsupported on soc (?P<name>\S+)")
_ARCH = re.compile(r"(?:Arch \d+ .*overwrite it to |for architecture )(?P<arch>\d+)")
FLOATS_FILE, INTEGERS_FILE = "floats.onnx", "integers.onnx"
SOURCES = Path(__file__).resolve().parent.parent / "src"
OUT = SOURCES / "modellint" / "runtimes" / "qnn"
HEAD = """\
# Chips that onnxruntime-qnn {version} knows, by the number of its option `soc_model`: the name
# and the architecture that Qualcomm's library prints, and whether it took a model in float32, which
# it computes in float16, and a quantized one. Made by tools/measure_chips.py, on x86.
source = "https://pypi.org/project/onnxruntime-qnn/{version}/"
"""


def ask(number: str) -> dict[str, Any]:
    """In a child: what the library says of a chip."""
    from modellint.runtimes.qnn import probe

    logs: list[str] = []

    def keep(log: str) -> list[Any]:
        logs.append(log)
        return []

    setattr(probe, "node_units", keep)  # noqa: B010 - it is imported there
    compiler = probe.Compiler(number)
    takes = [compiler.compile(Path(name)).taken for name in (FLOATS_FILE, INTEGERS_FILE)]
    name, architecture = _NAME.search(logs[0]), _ARCH.search(logs[0])
    return {
        "known": UNKNOWN not in logs[0],
        "name": name["name"] if name and name["name"] != NAMELESS else "",
        "architecture": f"v{architecture['arch']}" if architecture else "",
        "floats": takes[0],
        "integers": takes[1],
    }


def chips() -> Iterator[tuple[int, dict[str, Any]]]:
    import onnx.parser

    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    with TemporaryDirectory() as folder:
        for name, text in ((FLOATS_FILE, FLOATS), (INTEGERS_FILE, INTEGERS)):
            binary = onnx.parser.parse_model(text).SerializeToString()
            (Path(folder) / name).write_bytes(binary)
        for number in NUMBERS:
            command = [installation().python, __file__, "--ask", str(number)]
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, cwd=folder, env=environment
            )
            yield number, json.loads(done.stdout.splitlines()[-1])


def installation() -> Installation:
    found = known_backends()["qnn"].installation
    if found is None:
        sys.exit("modellint probe --setup qnn")
    return found


def main() -> None:
    if sys.argv[1:2] == ["--ask"]:
        sys.stdout.write(f"\n{json.dumps(ask(sys.argv[2]))}\n")
        return
    release = installation().version
    lines = [HEAD.format(version=release)]
    for number, said in chips():
        if said.pop("known") and (said["floats"] or said["integers"]):
            lines.append(f"[chips.{number}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in said.items()]
            lines.append("")
    path = OUT / f"chips-{'.'.join(release.split('.')[:2])}.toml"
    path.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
