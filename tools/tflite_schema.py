"""Write what the TFLite reader knows of operators' options, from ai-edge-litert's own schema.

Asks for the package in the environment; `schema.json` names the release that it was written from.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

TARGET = Path(__file__).parents[1] / "src/modellint/formats/tflite/schema.json"
NUMBERS = {
    "Bool": "?",
    "Int8": "b",
    "Uint8": "B",
    "Int16": "h",
    "Uint16": "H",
    "Int32": "i",
    "Uint32": "I",
    "Int64": "q",
    "Uint64": "Q",
    "Float32": "f",
    "Float64": "d",
}
ENUMS = {
    "padding": "Padding",
    "fused_activation_function": "ActivationFunctionType",
    "weights_format": "FullyConnectedOptionsWeightsFormat",
    "LSTMOptions.kernel_type": "LSTMKernelType",
    "combiner": "CombinerType",
    "MirrorPadOptions.mode": "MirrorPadMode",
    "LSHProjectionOptions.type": "LSHProjectionType",
    "ReduceWindowOptions.reduce_function": "ReduceWindowFunction",
    "StablehloCompareOptions.comparison_direction": "StablehloComparisonDirection",
    "StablehloCompareOptions.compare_type": "StablehloComparisonType",
    "StablehloRngBitGeneratorOptions.algorithm": "RngAlgorithm",
    "in_data_type": "TensorType",
    "out_data_type": "TensorType",
    "quantized_bias_type": "TensorType",
    "output_type": "TensorType",
    "out_type": "TensorType",
    "idx_out_type": "TensorType",
}
"""Fields that hold a number of an enumeration; the generated code does not say which."""
_FIELD = re.compile(
    r"    def (?P<name>[A-Z]\w*)\(self(?P<item>, j)?\):\n"
    r"        o = [^\n]*self\._tab\.Offset\((?P<offset>\d+)\)\)\n"
    r"        if o != 0:\n(?P<body>(?:            [^\n]*\n)+)        return (?P<default>[^\n]+)"
)
_GET = re.compile(r"number_types\.(\w+)Flags, (?:o|a) \+")


def main() -> int:
    from ai_edge_litert import schema_py_generated as schema

    text = json.dumps(_content(schema), indent=1)
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text)
    TARGET.write_text(text + "\n")
    return 0


def _content(schema: ModuleType) -> dict[str, Any]:
    unions = [_names(schema.BuiltinOptions), _names(schema.BuiltinOptions2)]
    enums = {name: _names(getattr(schema, name)) for name in sorted({*ENUMS.values()})}
    return {
        "source": "https://github.com/google-ai-edge/LiteRT/blob/main/tflite/schema/schema.fbs",
        "version": version("ai-edge-litert"),
        "operators": _names(schema.BuiltinOperator),
        "tensor_types": _names(schema.TensorType),
        "options": unions[0],
        "options_2": unions[1],
        "enums": enums,
        "tables": {
            name: list(_fields(getattr(schema, name), name))
            for union in unions
            for name in union
            if name not in ("NONE", "")
        },
    }


def _names(enumeration: type) -> list[str]:
    """The names of an enumeration by number; empty for numbers without one."""
    by_number = {number: name for name, number in vars(enumeration).items() if name[0] != "_"}
    return [by_number.get(number, "") for number in range(max(by_number) + 1)]


def _fields(table: type, owner: str) -> Iterator[list[Any]]:
    """Name, slot, kind and default of each number, string or list of numbers of a table."""
    found: dict[str, list[Any]] = {}
    for match in _FIELD.finditer(inspect.getsource(table)):
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", match["name"]).lower()
        slot = (int(match["offset"]) - 4) // 2
        body, number = match["body"], _GET.search(match["body"])
        if match["name"].endswith(("AsNumpy", "Length", "IsNone")):
            continue
        if number is not None:
            kind = NUMBERS[number[1]]
            kind = f"{kind}*" if match["item"] else kind
        elif "_tab.String" in body and not match["item"]:
            kind = "s"
        else:
            continue
        enum = ENUMS.get(f"{owner}.{name}") or ENUMS.get(name)
        default = None if match["item"] or kind == "s" else json.loads(_plain(match["default"]))
        found[name] = [name, slot, kind, default, *([enum] if enum and kind in "bi" else [])]
    yield from found.values()


def _plain(default: str) -> str:
    return {"None": "null", "False": "false", "True": "true"}.get(default, default)


if __name__ == "__main__":
    sys.exit(main())
