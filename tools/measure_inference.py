"""Finds the nodes that kill onnx's shape inference, for formats/onnx/deadly.json.

    python tools/measure_inference.py [OP ...]

Every operator, in every version that changed it, is asked about inputs that are missing, untyped,
of another type or of absurd shapes, and about absurd attributes, each in a process that may die.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import onnx
from onnx import AttributeProto, ModelProto, TensorProto, defs
from onnx.onnx_cpp2py_export import shape_inference

TABLE = Path(__file__).parent.parent / "src" / "modellint" / "formats" / "onnx" / "deadly.json"
SECONDS, MEMORY = 3, 2 << 30
FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
LARGE = (1 << 63) - 1
MOST_INPUTS = 7

Fill = Callable[[Any, str], None]
"""Declares an input of a graph."""


def tensor(data_type: int, *dims: int | str, shape: bool = True) -> Fill:
    def fill(graph: Any, name: str) -> None:
        kind = graph.input.add(name=name).type.tensor_type
        kind.elem_type = data_type
        if shape:
            kind.shape.SetInParent()
        for dim in dims:
            entry = kind.shape.dim.add()
            if isinstance(dim, int):
                entry.dim_value = dim
            elif dim:
                entry.dim_param = dim

    return fill


def stored(data_type: int, dims: Sequence[int], numbers: Sequence[int] = ()) -> Fill:
    def fill(graph: Any, name: str) -> None:
        made = graph.initializer.add(name=name, data_type=data_type, dims=dims)
        made.int64_data.extend(numbers)

    return fill


def untyped(graph: Any, name: str) -> None:
    graph.input.add(name=name)


def absent(graph: Any, name: str) -> None:
    """Nothing declares the value."""


def contained(kind: str, filled: bool) -> Fill:
    def fill(graph: Any, name: str) -> None:
        container = getattr(graph.input.add(name=name).type, kind)
        container.SetInParent()
        if filled and kind == "sparse_tensor_type":
            container.elem_type = FLOAT
        elif filled and kind == "map_type":
            container.key_type = INT64
            container.value_type.tensor_type.elem_type = FLOAT
        elif filled:
            container.elem_type.tensor_type.elem_type = FLOAT

    return fill


PLAIN = {
    "untyped": untyped,
    "absent": absent,
    "no element type": tensor(0, 2, 2),
    "no shape": tensor(FLOAT, shape=False),
    "text": tensor(STRING, 2),
    "integers without shape": tensor(INT64, shape=False),
    "unknown element type": tensor(99, 2),
    **{f"float of rank {rank}": tensor(FLOAT, *[2] * rank) for rank in range(6)},
    **{f"integers of rank {rank}": tensor(INT64, *[2] * rank) for rank in range(3)},
    "open dims": tensor(FLOAT, "n", "", "n", ""),
    "negative dim": tensor(FLOAT, -1, 3, -1, 3),
    "negative integers": tensor(INT64, -1),
    "smallest dim": tensor(FLOAT, -LARGE - 1, -LARGE - 1),
    "largest dim": tensor(FLOAT, LARGE, LARGE, LARGE),
    "zero dim": tensor(FLOAT, 0, 0, 0, 0),
    **{
        f"{kind} {'filled' if filled else 'empty'}": contained(f"{kind}_type", filled)
        for kind in ("sequence", "optional", "map", "sparse_tensor")
        for filled in (True, False)
    },
}
SECOND = {
    "same": None,
    "stored": stored(INT64, [2], [1, 2]),
    "stored scalar": stored(INT64, [], [1]),
    "stored nothing": stored(INT64, [0]),
    "stored without data": stored(INT64, [3]),
    "stored huge": stored(INT64, [2], [LARGE, -LARGE - 1]),
    "stored negative": stored(INT64, [2], [-1, -2]),
    "stored zeros": stored(INT64, [2], [0, 0]),
    "stored float": stored(FLOAT, [2]),
    "stored of negative dims": stored(INT64, [-1], [1]),
    "untyped": untyped,
    "integers": tensor(INT64, 2),
}
NUMBERS = (0, 1, -1, 2, 100_000, 1 << 31, -(1 << 31), LARGE, -LARGE - 1)
LISTS: tuple[tuple[int, ...], ...] = (
    (),
    (0,),
    (-1,),
    (1,) * 4,
    (0,) * 4,
    (-1,) * 4,
    (LARGE,) * 4,
    (-LARGE - 1,) * 4,
    (1 << 31,),
    (1,) * 300,
)
KINDS = {
    name: getattr(AttributeProto, name)
    for name in (
        "FLOAT",
        "INT",
        "STRING",
        "TENSOR",
        "GRAPH",
        "FLOATS",
        "INTS",
        "STRINGS",
        "TENSORS",
        "GRAPHS",
        "SPARSE_TENSOR",
        "TYPE_PROTO",
    )
}


@dataclass(frozen=True)
class Case:
    schema: Any
    first: str
    second: str
    count: int
    outputs: int
    attributes: tuple[tuple[str, str], ...]

    def describe(self) -> str:
        op = f"{self.schema.domain}:{self.schema.name}:{self.schema.since_version}"
        inputs = f"{self.count} inputs, {self.first}, others {self.second}"
        return f"{op}: {inputs}; {self.outputs} outputs; {self.attributes}"

    def model(self) -> bytes:
        model = ModelProto(ir_version=10)
        model.opset_import.add(domain=self.schema.domain, version=self.schema.since_version)
        if self.schema.domain:
            model.opset_import.add(version=17)
        node = model.graph.node.add(op_type=self.schema.name, domain=self.schema.domain)
        for index in range(self.count):
            name = f"x{index}"
            node.input.append(name)
            fill = (SECOND[self.second] if index else None) or PLAIN[self.first]
            fill(model.graph, name)
        for index in range(self.outputs):
            node.output.append(f"y{index}")
            model.graph.output.add(name=f"y{index}")
        for name, value in self.attributes:
            VALUES[value](node.attribute.add(name=name))
        return bytes(model.SerializeToString())


def number(value: int) -> Callable[[Any], None]:
    def put(attribute: Any) -> None:
        attribute.type, attribute.i = AttributeProto.INT, value

    return put


def numbers(values: Sequence[int]) -> Callable[[Any], None]:
    def put(attribute: Any) -> None:
        attribute.type = AttributeProto.INTS
        attribute.ints.extend(values)

    return put


def kind_only(kind: int) -> Callable[[Any], None]:
    def put(attribute: Any) -> None:
        attribute.type = kind

    return put


def text(*values: bytes) -> Callable[[Any], None]:
    def put(attribute: Any) -> None:
        if len(values) == 1:
            attribute.type, attribute.s = AttributeProto.STRING, values[0]
        else:
            attribute.type = AttributeProto.STRINGS
            attribute.strings.extend(values)

    return put


def floats(attribute: Any) -> None:
    attribute.type = AttributeProto.FLOATS
    attribute.floats.extend([float("nan"), float("inf"), -1e38])


def single(value: float) -> Callable[[Any], None]:
    def put(attribute: Any) -> None:
        attribute.type, attribute.f = AttributeProto.FLOAT, value

    return put


def values_of(data_type: int, dims: Sequence[int], *stated: int) -> Callable[[Any], None]:
    def put(attribute: Any) -> None:
        attribute.type = AttributeProto.TENSOR
        attribute.t.data_type = data_type
        attribute.t.dims.extend(dims)
        attribute.t.int64_data.extend(stated)

    return put


def graph(inputs: int, outputs: int, *, typed: bool) -> Callable[[Any], None]:
    def put(attribute: Any) -> None:
        attribute.type = AttributeProto.GRAPH
        attribute.g.SetInParent()
        for index in range(inputs):
            info = attribute.g.input.add(name=f"i{index}")
            if typed:
                info.type.tensor_type.elem_type = FLOAT
        for index in range(outputs):
            attribute.g.output.add(name=f"i{index}" if index < inputs else f"o{index}")

    return put


VALUES: dict[str, Callable[[Any], None]] = {
    **{f"int {value}": number(value) for value in NUMBERS},
    **{f"ints {values[:4]} x{len(values)}": numbers(values) for values in LISTS},
    **{f"kind {name}": kind_only(kind) for name, kind in KINDS.items()},
    "no kind": kind_only(0),
    "text": text(b"NOTSET"),
    "no text": text(b""),
    "equation": text(b"ij,jk->ik"),
    "absurd equation": text(b"...,->->,,..."),
    "bytes": text(b"\xff\x00"),
    "texts": text(b"a", b"b"),
    "floats": floats,
    "float": single(1.0),
    "nan": single(float("nan")),
    "infinity": single(float("inf")),
    "tensor": values_of(INT64, [2], 1, 2),
    "tensor without data": values_of(INT64, [3]),
    "scalar tensor": values_of(INT64, [], 1),
    "absurd tensor": values_of(INT64, [-1, LARGE], 1),
    "untyped tensor": values_of(0, []),
    "graph of none": graph(0, 0, typed=False),
    "graph of one": graph(1, 1, typed=True),
    "graph of many": graph(5, 5, typed=False),
    "graph of outputs": graph(0, 3, typed=False),
}
USUAL = {
    "INT": "int 1",
    "INTS": "ints (1, 1, 1, 1) x4",
    "FLOAT": "float",
    "STRING": "text",
    "TENSOR": "tensor",
    "GRAPH": "graph of one",
    "FLOATS": "floats",
    "STRINGS": "texts",
}


def cases(schema: Any) -> Iterator[Case]:
    counts = range(min(schema.max_input, MOST_INPUTS) + 1)
    most_outputs = min(schema.max_output, 5)
    kinds = {name: str(each.type).rpartition(".")[2] for name, each in schema.attributes.items()}
    required = tuple(
        (name, USUAL.get(kinds[name], "no kind"))
        for name, each in schema.attributes.items()
        if each.required
    )
    usual = tuple((name, USUAL.get(kind, "no kind")) for name, kind in kinds.items())
    full = max(counts)
    for first, second, count in product(PLAIN, SECOND, counts):
        if count < 2 and second != "same":
            continue
        for attributes in dict.fromkeys([(), required, usual]):
            yield Case(schema, first, second, count, max(1, schema.min_output), attributes)
    for first, outputs in product(PLAIN, range(most_outputs + 2)):
        for attributes in dict.fromkeys([(), required, usual]):
            yield Case(schema, first, "same", full, outputs, attributes)
    typical = (
        "untyped",
        "no shape",
        "float of rank 4",
        "float of rank 2",
        "float of rank 0",
        "integers of rank 1",
        "negative dim",
        "sequence filled",
        "text",
        "largest dim",
    )
    for name, value, first in product(kinds, VALUES, typical):
        others = tuple(pair for pair in required if pair[0] != name)
        for count in sorted({schema.min_input, full}):
            for second in ("same", "stored"):
                yield Case(
                    schema,
                    first,
                    second,
                    min(count, full),
                    max(1, most_outputs),
                    (*others, (name, value)),
                )


def ask(case: Case) -> None:
    serialized = case.model()
    for strict in (False, True):
        try:
            shape_inference.infer_shapes(serialized, False, strict, True)
        except MemoryError:
            os.kill(os.getpid(), signal.SIGUSR1)
        except Exception:  # noqa: S110 - only memory is of interest
            pass


def deaths(asked: Sequence[Case]) -> Iterator[tuple[Case, str]]:
    """Ask all, each in the process that survived the one before."""
    start = 0
    while start < len(asked):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            for case in asked[start:]:
                signal.setitimer(signal.ITIMER_REAL, SECONDS)
                os.write(writer, b".")
                ask(case)
            os._exit(0)
        os.close(writer)
        begun = 0
        while chunk := os.read(reader, 1 << 16):
            begun += len(chunk)
        os.close(reader)
        _, status = os.waitpid(child, 0)
        start += begun
        if status:
            name = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "EXIT"
            yield asked[start - 1], {"SIGALRM": "too long", "SIGUSR1": "memory"}.get(name, name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("operators", nargs="*")
    parser.add_argument("--every", type=int, default=1, help="ask only every nth node")
    arguments = parser.parse_args()
    schemas = [
        schema
        for schema in defs.get_all_schemas_with_history()
        if not arguments.operators or schema.name in arguments.operators
    ]
    found: dict[str, Counter[str]] = defaultdict(Counter)
    total = 0
    for schema in schemas:
        asked = list(cases(schema))[:: arguments.every]
        total += len(asked)
        domain = f"{schema.domain}." if schema.domain else ""
        for case, how in deaths(asked):
            found[f"{domain}{schema.name}"][f"{schema.since_version}: {how}"] += 1
            sys.stdout.write(f"{how}: {case.describe()}\n")
    document = {
        "about": "Measured by tools/measure_inference.py: by operator, its versions and what "
        "became of the process that asked about one node, and how often.",
        "onnx": onnx.__version__,
        "asked": total,
        "operators": {op: dict(sorted(found[op].items())) for op in sorted(found)},
    }
    if not arguments.operators and arguments.every == 1:
        TABLE.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"{total:,} nodes of {len(schemas)} schemas\n")


if __name__ == "__main__":
    main()
