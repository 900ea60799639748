"""Write which versions of operators LiteRT registers, and since when, from its sources.

    python tools/tflite_operators.py register.cc runtime_version.cc RELEASE

The files are `core/kernels/register.cc` and `tools/versioning/runtime_version.cc` of that release.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "src/modellint/runtimes/tflite"
_REGISTERED = re.compile(
    r"AddBuiltin\(\s*BuiltinOperator_(?P<op>\w+),[^;]*?Register_\w+\(\)"
    r"(?:,\s*(?:/\*[^*]*\*/)?\s*(?P<low>\d+))?(?:,\s*(?:/\*[^*]*\*/)?\s*(?P<high>\d+))?\s*\);"
)
_SINCE = re.compile(r'\{\{BuiltinOperator_(\w+), (\d+)\}, "([\d.]+)"\}')


def main(register: str, versions: str, release: str) -> int:
    registered = {
        match["op"]: [int(match["low"] or 1), int(match["high"] or match["low"] or 1)]
        for match in _REGISTERED.finditer(Path(register).read_text())
    }
    since: dict[str, dict[str, str]] = {}
    for op, version, first in _SINCE.findall(Path(versions).read_text()):
        since.setdefault(op, {})[version] = first
    table = {
        "source": "https://github.com/google-ai-edge/LiteRT/tree/main/tflite",
        "registered": dict(sorted(registered.items())),
        "since": dict(sorted(since.items())),
    }
    text = json.dumps(table, indent=1)
    text = re.sub(r"\[\s+(\d+),\s+(\d+)\s+\]", r"[\1, \2]", text)
    (FOLDER / f"operators-{release}.json").write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
