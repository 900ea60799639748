"""Exported programs as text: what goes in, operators with their arguments by name, what comes out.

```
@program 8.20
input x float32 [s0,3]
parameter w float32 [4,3]
y float32 [s0,4] = aten.linear.default(input=x, weight=w)
output y
range s0 1..16
```

An argument is the name of a tensor, a number, ``true``, a text in quotes, the name of an element
type, or a list of numbers or tensors. ``buffer`` and ``constant`` are stored like ``parameter``,
``mutates b y`` makes a run write a tensor into a buffer, and ``imports posix.system`` lets the
pickle of the example inputs call a function.
"""

from __future__ import annotations

import json
import re
import zipfile
from io import BytesIO
from typing import Any

from modellint.formats.torch.types import SCALAR_TYPES
from modellint.model import DTYPES, product

FIRST = "@program"
_TENSOR = r"(\S+) (\w+) \[([^\]]*)\]"
_STORED = re.compile(rf"(input|parameter|buffer|constant) {_TENSOR}")
_NODE = re.compile(rf"{_TENSOR} = ([\w.]+)\((.*)\)")
_PLAIN = re.compile(r"(output|range|mutates|imports|module) (.+)")
_ARGUMENT = re.compile(r"\b(\w+)=(\[[^\]]*\]|'[^']*'|[^,]+)")
_NUMBER = re.compile(r"-?\d+")
_SPECS = {
    "parameter": ("parameter", "parameter_name"),
    "buffer": ("buffer", "buffer_name"),
    "constant": ("tensor_constant", "tensor_constant_name"),
}


def encode_program(text: str) -> bytes:
    """Return the archive that the text describes."""
    first, *lines = filter(None, map(str.strip, text.splitlines()))
    program = _Program(first.removeprefix(FIRST).strip() or "8.20")
    for line in lines:
        program.add(line)
    return program.archive()


class _Program:
    def __init__(self, schema: str) -> None:
        major, minor = map(int, schema.split("."))
        self.version = {"major": major, "minor": minor}
        self.graph: dict[str, Any] = {
            "inputs": [],
            "outputs": [],
            "nodes": [],
            "tensor_values": {},
            "sym_int_values": {},
            "sym_bool_values": {},
        }
        self.specs: dict[str, list[Any]] = {"input_specs": [], "output_specs": []}
        self.ranges: dict[str, Any] = {}
        self.payloads: dict[str, dict[str, Any]] = {"weights": {}, "constants": {}}
        self.contents: dict[str, bytes] = {}
        self.imports: list[str] = []
        self.module = ""

    def add(self, line: str) -> None:
        stored, node, plain = (each.fullmatch(line) for each in (_STORED, _NODE, _PLAIN))
        if stored is not None:
            self._input(*stored.groups())
        elif node is not None:
            self._node(*node.groups())
        elif plain is not None:
            getattr(self, f"_{plain[1]}")(*plain[2].split(" "))
        else:
            raise ValueError(f"{line!r} is neither a tensor, an operator nor a command")

    def archive(self) -> bytes:
        buffer = BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in self.contents.items():
                archive.writestr(f"m/data/{name}", content)
            for folder, config in self.payloads.items():
                name = f"m/data/{folder}/model_{folder}_config.json"
                archive.writestr(name, json.dumps({"config": config}))
            archive.writestr("m/models/model.json", json.dumps(self._stated()))
            archive.writestr("m/data/sample_inputs/model.pt", self._examples())
            archive.writestr("m/archive_format", "pt2")
        return buffer.getvalue()

    def _stated(self) -> dict[str, Any]:
        module = {"graph": self.graph, "signature": self.specs, "module_call_graph": []}
        return {
            "graph_module": module,
            "opset_version": {"aten": 10},
            "range_constraints": self.ranges,
            "schema_version": self.version,
            "verifiers": ["TRAINING"],
            "torch_version": "2.13.0",
        }

    def _examples(self) -> bytes:
        called = [each.rpartition(".") for each in self.imports]
        calls = "".join(f"c{module}\n{name}\n)R0" for module, _, name in called)
        content = BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("model/data.pkl", b"\x80\x02" + calls.encode() + b"})\x86.")
        return content.getvalue()

    def _input(self, kind: str, name: str, dtype: str, dims: str) -> None:
        inner = name if kind == "input" else "p_" + name.replace(".", "_")
        self._tensor(inner, dtype, dims)
        self.graph["inputs"].append({"as_tensor": {"name": inner}})
        spec: dict[str, Any]
        if kind == "input":
            spec = {"user_input": {"arg": {"as_tensor": {"name": inner}}}}
        else:
            spec_kind, key = _SPECS[kind]
            spec = {spec_kind: {"arg": {"name": inner}, key: name}}
            self._store(kind, name, inner, dtype)
        self.specs["input_specs"].append(spec)

    def _store(self, kind: str, name: str, inner: str, dtype: str) -> None:
        meta = self.graph["tensor_values"][inner]
        folder = "constants" if kind == "constant" else "weights"
        prefix = "tensor" if kind == "constant" else "weight"
        path = f"{prefix}_{len(self.payloads[folder])}"
        nbytes = DTYPES[dtype].nbytes(product(each["as_int"] for each in meta["sizes"]))
        self.contents[f"{folder}/{path}"] = bytes(at % 50 + 1 for at in range(nbytes))
        self.payloads[folder][name] = {
            "path_name": path,
            "is_param": kind == "parameter",
            "use_pickle": False,
            "tensor_meta": meta,
        }

    def _tensor(self, name: str, dtype: str, dims: str) -> None:
        sizes = [_size(dim.strip()) for dim in dims.split(",") if dim.strip()]
        numbers = [size.get("as_int", 1) for size in sizes]
        strides = [{"as_int": product(numbers[at + 1 :])} for at in range(len(sizes))]
        self.graph["tensor_values"][name] = {
            "dtype": SCALAR_TYPES[dtype],
            "sizes": sizes,
            "strides": strides,
            "storage_offset": {"as_int": 0},
            "layout": 7,
        }

    def _node(self, name: str, dtype: str, dims: str, operator: str, arguments: str) -> None:
        inputs = [
            {"name": each[1], "arg": self._argument(each[2].strip()), "kind": 1}
            for each in _ARGUMENT.finditer(arguments)
        ]
        self._tensor(name, dtype, dims)
        node = {
            "target": f"torch.ops.{operator}",
            "inputs": inputs,
            "outputs": [{"as_tensor": {"name": name}}],
            "metadata": {"nn_module_stack": f"L__self__,{self.module},"} if self.module else {},
            "name": name,
        }
        self.graph["nodes"].append(node)

    def _argument(self, text: str) -> dict[str, Any]:
        if text.startswith("["):
            parts = [part.strip() for part in text[1:-1].split(",") if part.strip()]
            if all(_NUMBER.fullmatch(part) for part in parts):
                return {"as_ints": [int(part) for part in parts]}
            return {"as_tensors": [{"name": self._known(part)} for part in parts]}
        if text.startswith("'"):
            return {"as_string": text[1:-1]}
        if text in ("true", "false"):
            return {"as_bool": text == "true"}
        if text == "none":
            return {"as_none": True}
        if text in SCALAR_TYPES:
            return {"as_scalar_type": SCALAR_TYPES[text]}
        if _NUMBER.fullmatch(text):
            return {"as_int": int(text)}
        try:
            return {"as_float": float(text)}
        except ValueError:
            return {"as_tensor": {"name": self._known(text)}}

    def _known(self, name: str) -> str:
        """Return the name that a tensor has in the graph."""
        inner = "p_" + name.replace(".", "_")
        return inner if inner in self.graph["tensor_values"] else name

    def _output(self, name: str) -> None:
        stated = {"as_tensor": {"name": self._known(name)}}
        self.graph["outputs"].append(stated)
        self.specs["output_specs"].append({"user_output": {"arg": stated}})

    def _mutates(self, buffer: str, name: str) -> None:
        self.graph["outputs"].append({"as_tensor": {"name": name}})
        mutation = {"arg": {"name": name}, "buffer_name": buffer}
        self.specs["output_specs"].append({"buffer_mutation": mutation})

    def _range(self, symbol: str, limits: str) -> None:
        least, _, most = limits.partition("..")
        self.ranges[symbol] = {"min_val": int(least), "max_val": int(most) if most else None}

    def _imports(self, name: str) -> None:
        self.imports.append(name)

    def _module(self, path: str) -> None:
        self.module = path


def _size(dim: str) -> dict[str, Any]:
    if _NUMBER.fullmatch(dim):
        return {"as_int": int(dim)}
    return {"as_expr": {"expr_str": dim, "hint": {"as_int": 2}}}
