"""Measures which operators and types a runtime takes, for its support-<version>.json.

    python tools/measure_support.py tensorrt-rtx
    python tools/measure_support.py onnxruntime
    python tools/measure_support.py openvino
    python tools/measure_support.py iree     # its first pass, which all its targets share
    python tools/measure_support.py mnn
    python tools/measure_support.py ncnn     # its own layers, which run with Vulkan or not
    python tools/measure_support.py qnn
    python tools/measure_support.py rknn
    python tools/measure_support.py webnn
    python tools/measure_support.py tensorrt --matrix operators.md   # published, not measured
    python tools/measure_support.py coreml   # and the other LISTS: published in onnxruntime's wheel

The models are the ONNX project's own node tests, and variants of them with every type that the
operator's schema allows. Each operator is tried in a process of its own, for some crash.
`make generate` then brings docs/support.md up to date.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import defs
from supports.cases import (
    Case,
    at_opset,
    cases,
    forms,
    opsets,
    since,
    types_of,
    varied_input,
    with_type,
)
from supports.converters import Iree, Mnn, OpenVino, Rknn
from supports.published import CHECKER, LAYERS, LISTS, MATRIX, mobile_list, published, vulkan_layers
from supports.sessions import OnnxRuntime, Qnn, WebNN
from supports.tables import Operator, write_table
from supports.tensorrt import TensorRTRtx

SECONDS = 120
BODIES = "the bodies in its tests may be what is refused"
MOST_VARIED = 4
"""Tests of one operator that are varied in their types: one that is taken is enough."""
NODE_TESTS = "https://github.com/onnx/onnx/tree/main/onnx/backend/test/case/node"
RUNTIMES: dict[
    str, type[TensorRTRtx | OnnxRuntime | OpenVino | Iree | Mnn | Qnn | Rknn | WebNN]
] = {
    "tensorrt-rtx": TensorRTRtx,
    "onnxruntime": OnnxRuntime,
    "openvino": OpenVino,
    "iree": Iree,
    "mnn": Mnn,
    "qnn": Qnn,
    "rknn": Rknn,
    "webnn": WebNN,
}


def measure(runtime: Any, tests: Mapping[str, Sequence[Case]]) -> dict[str, Operator]:
    table = {}
    context = multiprocessing.get_context("fork")
    for op, mine in tests.items():
        if isinstance(runtime, WebNN):  # the browser is a process of its own
            last = _Last()
            _measure_into(last, runtime, op, mine)
            table[op] = last.found
            sys.stderr.write(f"{op}: {last.found.accepted} of {len(mine)}\n")
            continue
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_measure_into, args=(sender, runtime, op, mine))
        process.start()
        sender.close()
        found = Operator(note="the runtime did not finish with its tests")
        try:
            while receiver.poll(SECONDS):
                found = receiver.recv()
        except EOFError:
            pass
        process.kill()
        process.join()
        table[op] = found
        sys.stderr.write(f"{op}: {found.accepted} of {len(mine)}, {' '.join(found.taken)}\n")
    return table


class _Last:
    """The last thing that was sent."""

    found = Operator()

    def send(self, found: Operator) -> None:
        self.found = found


def _measure_into(sender: Any, runtime: Any, op: str, tests: Sequence[Case]) -> None:
    """Send what is known so far, again and again: the next test may crash."""
    sys.stdout = open("/dev/null", "w")  # noqa: PTH123, SIM115
    found = Operator(note="the runtime crashed on one of its tests")
    usable: dict[int, list[onnx.ModelProto]] = defaultdict(list)
    only_older: list[int] = []
    if isinstance(runtime, WebNN):
        runtime.expect([each for case in tests for each in _candidates(runtime, op, case)])
    for case in tests:
        taken = _first_taken(runtime, op, case)
        if isinstance(taken, str):
            found.refused[case.name] = taken
        else:
            found.accepted += 1
            version = since(op, taken.opset_import[0].version) or 0
            usable[version].append(taken)
            if version < (since(op, min(case.model.opset_import[0].version, runtime.opset)) or 0):
                only_older.append(version)
        sender.send(found)
    own = {since(op, min(case.model.opset_import[0].version, runtime.opset)) for case in tests}
    latest = max((version for version in own if version is not None), default=0)
    if only_older and latest > max(usable):
        found.refused_from = latest
    models = usable[max(usable)] if usable else [each for case in tests[:2] for each in forms(case)]
    schema = defs.get_schema(op, max_inclusive_version=tests[0].model.opset_import[0].version)
    if getattr(runtime, "by_opset", False):
        found.taken_from = oldest_taken(runtime, op, [m for each in usable.values() for m in each])
    at = varied_input(schema) if getattr(runtime, "varies_types", True) else None
    if at is not None and not _has_graphs(tests[0].model):
        found.at = at
        bases = models[:MOST_VARIED]
        if isinstance(runtime, WebNN):
            types = types_of(schema, schema.inputs[at].type_str)
            runtime.expect([m for b in bases for n in types for m in with_type(b, schema, at, n)])
        for name in types_of(schema, schema.inputs[at].type_str):
            tried = [model for base in bases for model in with_type(base, schema, at, name)]
            if tried:
                found.tried.append(name)
                if any(runtime.refusal(model, build=True) is None for model in tried):
                    found.taken.append(name)
            sender.send(found)
    is_unsure = isinstance(runtime, Iree) and not found.accepted and _has_graphs(tests[0].model)
    found.note = BODIES if is_unsure else ""
    sender.send(found)


def oldest_taken(runtime: Any, op: str, models: Sequence[onnx.ModelProto]) -> int | None:
    """Return the operator set from which on the same node is taken; None if the operator is new."""
    first = min(
        schema.since_version
        for schema in defs.get_all_schemas_with_history()
        if (schema.domain, schema.name) == ("", op)
    )
    for opset in range(first, max((m.opset_import[0].version for m in models), default=0) + 1):
        if any(runtime.refusal(at_opset(model, opset)) is None for model in models):
            return opset if opset > first else None
    return None


def _candidates(runtime: Any, op: str, case: Case) -> Iterator[onnx.ModelProto]:
    """Iterate over the models of a test that `_first_taken` may ask about."""
    tried: set[int] = set()
    for opset in opsets(case, runtime.opset):
        version = since(op, opset)
        if version is not None and version not in tried:
            tried.add(version)
            yield from (at_opset(model, opset) for model in forms(case))


def _first_taken(runtime: Any, op: str, case: Case) -> onnx.ModelProto | str:
    """The test in the first form and at the newest operator set that is taken; else the reason."""
    reason = "it is not in the operator sets that the runtime knows"
    tried: set[int] = set()
    for opset in opsets(case, runtime.opset):
        version = since(op, opset)
        if version is None or version in tried:
            continue
        for model in forms(case):
            candidate = at_opset(model, opset)
            refused = runtime.refusal(candidate)
            if refused is None:
                return candidate
            if not tried:
                reason = refused
        tried.add(version)
    return reason


def _has_graphs(model: onnx.ModelProto) -> bool:
    """A body states its types itself, and would have to be varied too."""
    return any(each.HasField("g") for each in model.graph.node[0].attribute)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runtime", choices=[*RUNTIMES, *LISTS, "ncnn", "tensorrt"])
    parser.add_argument("--matrix", type=Path)
    given = parser.parse_args()
    if given.runtime == "tensorrt":
        version, types, table = published(given.matrix)
        write_table("tensorrt", version, "theoretical", MATRIX, table, types)
    elif given.runtime == "ncnn":
        version, table = vulkan_layers()
        write_table("ncnn", version, "measured", LAYERS, table)
    elif given.runtime in LISTS:
        from onnxruntime import __version__

        table = mobile_list(LISTS[given.runtime])
        write_table(given.runtime, __version__, "theoretical", CHECKER, table)
    else:
        runtime = RUNTIMES[given.runtime]()
        table = measure(runtime, cases())
        for op, taken in runtime.importers(table).items():
            standard = op.rpartition(".")[2] if getattr(runtime, "by_name", True) else op
            same = table.get(standard)
            table[op] = same if same and taken else Operator(accepted=int(taken))
        types = runtime.data_types()
        write_table(given.runtime, runtime.version, "measured", NODE_TESTS, table, types)


if __name__ == "__main__":
    main()
