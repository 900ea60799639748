"""Whatever bytes a file holds: it is linted without an exception, without a hang, in bounds."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modellint.engine import lint_file
from modellint.plan import Plan
from modellint.results.finding import Finding
from modellint.rules.registry import load_rules
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.formats.wire import field, number_field, varint
from tests.support import PATIENCE, ROOT

SEED = int(os.environ.get("MODELLINT_FUZZ_SEED", "0"))
ROUNDS = int(os.environ.get("MODELLINT_FUZZ_ROUNDS", "150"))
SLOWEST = 2000
"""Times the processor time of a usual small file; hangs are far more."""
RULES = tuple(load_rules(plugins=False).values())
A10 = find_target("a10")
PLAN = Plan(
    rules=RULES,
    deployments=(
        Deployment(),
        Deployment(target=A10, runtime=A10.default_runtime, precision="int8", batch=4),
    ),
)
NUMBERS = (0, 1, 127, 128, 1 << 20, 1 << 31, (1 << 31) - 1, 1 << 32, (1 << 63) - 1, (1 << 64) - 1)


def timed(path: Path) -> tuple[Sequence[Finding], float]:
    started = time.process_time()
    findings = lint_file(path, path.name, PLAN).findings
    return findings, time.process_time() - started


@cache
def usual_seconds() -> float:
    """Return the time for a small valid model, once everything is imported."""
    model = ROOT / "examples" / "clean_classifier.onnx"
    return min(timed(model)[1] for _ in range(3))


def lint(data: bytes, path: Path) -> list[str]:
    """The codes found in such a file; no rule may have crashed, and none may take long."""
    path.write_bytes(data)
    findings, seconds = timed(path)
    crashes = [finding.message for finding in findings if finding.is_internal]
    assert not crashes, crashes
    assert seconds < SLOWEST * usual_seconds()
    for finding in findings:
        assert finding.message
        str(finding.location.label).encode(errors="backslashreplace")
    return [finding.code for finding in findings]


def seeds() -> Iterator[tuple[str, bytes]]:
    """Small real models: one of each of onnx's own operator tests' kinds, and those with more."""
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data"
    for path in sorted(folder.rglob("*.onnx")):
        if path.stat().st_size < 4000:
            yield path.parent.name, path.read_bytes()
    for name, text in TEXTS.items():
        yield name, onnx.parser.parse_model(text).SerializeToString()


TEXTS = {
    "function": """
        <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
        main (float[n, 4] x) => (float[n, 4] y) { y = local.twice <alpha = 2.0> (x) }
        <domain: "local", opset_import: ["" : 17]>
        twice <alpha> (a) => (b) { s = Elu <alpha = @alpha> (a)  b = Add (s, s) }
    """,
    "if": """
        <ir_version: 8, opset_import: ["" : 17]>
        main (bool c, float[n, 4] x) => (float[n, 4] y) {
            y = If (c) <
                then_branch = then () => (float[n, 4] t) { t = Relu (x) },
                else_branch = other () => (float[n, 4] e) { e = Neg (x) }
            >
        }
    """,
    "quantized": """
        <ir_version: 8, opset_import: ["" : 17]>
        main (float[1, 4] x) => (float[1, 2] y)
        <float s = {0.1}, int8 z = {0}, int8[4, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}>
        {
            q = QuantizeLinear (x, s, z)
            d = DequantizeLinear (q, s, z)
            k = DequantizeLinear (w, s, z)
            y = MatMul (d, k)
        }
    """,
    "conv": """
        <ir_version: 8, opset_import: ["" : 17]>
        main (float[n, 1, 8, 8] x) => (float[n, 16] y)
        <float[1, 1, 3, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9}, int64[2] s = {-1, 16}, float m = {-1e9}>
        {
            c = Conv <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (x, w)
            a = Add (c, m)
            y = Reshape (a, s)
        }
    """,
}
SEEDS = dict(seeds())
NAMES = sorted(SEEDS)


def mutate(data: bytes, chance: random.Random) -> bytes:
    """One to six changes of the kinds that break readers."""
    content = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(content) + 1)
        kind = chance.randrange(7)
        if kind == 0 and at < len(content):
            content[at] ^= 1 << chance.randrange(8)
        elif kind == 1 and at < len(content):
            content[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            del content[at:]
        elif kind == 3:
            content[at:at] = varint(chance.choice(NUMBERS))
        elif kind == 4:
            del content[at : at + chance.randint(1, 40)]
        elif kind == 5:
            other = SEEDS[chance.choice(NAMES)]
            start = chance.randrange(len(other))
            content[at:at] = other[start : start + chance.randint(1, 200)]
        else:
            content[at:at] = content[at : at + chance.randint(1, 100)]
        if not content:
            break
    return bytes(content)


@pytest.mark.parametrize("block", range(4))
def test_mutations_of_real_models(block: int, tmp_path: Path) -> None:
    for round_ in range(ROUNDS // 4):
        chance = random.Random(f"{SEED}/{block}/{round_}")
        name = chance.choice(NAMES)
        data = mutate(SEEDS[name], chance)
        try:
            lint(data, tmp_path / "model.onnx")
        except BaseException:
            print(f"seed {SEED}/{block}/{round_} of {name}: {data.hex()}")  # noqa: T201
            raise


def test_every_truncation(tmp_path: Path) -> None:
    data = SEEDS["function"]
    for length in range(0, len(data), 3):
        codes = lint(data[:length], tmp_path / "model.onnx")
        assert codes, f"cut at {length} of {len(data)} bytes and nothing was found"


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=400))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()
    assert lint(data, folder / "bytes.onnx") or data
    lint(b"\x08\x08:" + varint(len(data)) + data, folder / "graph.onnx")


HOSTILE = st.text(max_size=40) | st.sampled_from(
    ["\x1b[31m", "\x1b]0;x\x07", "[red]", "a" * 5000, "\u202e", "../..", "%n", "{node}", "\x00"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    names=st.lists(HOSTILE, min_size=6, max_size=6),
    dims=st.lists(st.sampled_from(NUMBERS), max_size=6),
)
def test_hostile_names_and_huge_dims(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], dims: list[int]
) -> None:
    node, op, domain, value, output, key = (name.encode() for name in names)
    shape = b"".join(field(1, number_field(1, dim)) for dim in dims)
    kind = field(1, number_field(1, 1) + field(2, shape))
    tensor = b"".join(number_field(1, dim) for dim in dims) + number_field(2, 1) + field(8, value)
    graph = (
        field(
            1, field(1, value) + field(2, output) + field(3, node) + field(4, op) + field(7, domain)
        )
        + field(1, field(1, output) + field(2, key) + field(4, b"Reshape"))
        + field(2, names[3].encode())
        + field(5, tensor + field(9, bytes(16)))
        + field(11, field(1, value) + field(2, kind))
        + field(12, field(1, key) + field(2, kind))
    )
    model = (
        number_field(1, 8)
        + field(7, graph)
        + field(8, number_field(2, 17))
        + field(14, field(1, key) + field(2, node))
    )
    lint(model, tmp_path_factory.getbasetemp() / "hostile.onnx")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(max_size=200), at=st.integers(0, 300), cut=st.integers(0, 20))
def test_hostile_text(
    tmp_path_factory: pytest.TempPathFactory, text: str, at: int, cut: int
) -> None:
    source = TEXTS["if"].strip()
    lint(
        (source[:at] + text + source[at + cut :]).encode(),
        tmp_path_factory.getbasetemp() / "model.onnxtxt",
    )


BOMBS = {
    "a length past the end": number_field(1, 8) + varint(7 << 3 | 2) + varint(1 << 62),
    "nested attributes": None,
    "many empty nodes": number_field(1, 8) + field(7, field(1, b"") * 30_000),
    "many empty graphs": number_field(1, 8) + field(7, field(1, field(5, field(6, b"") * 5_000))),
    "a tensor of 2^60 elements": number_field(1, 8)
    + field(7, field(5, number_field(1, 1 << 30) + number_field(1, 1 << 30) + number_field(2, 1))),
    "a sparse tensor of 2^60 elements": number_field(1, 8)
    + field(
        7,
        field(
            15,
            field(1, number_field(1, 1) + number_field(2, 1) + field(9, bytes(4)) + field(8, b"s"))
            + field(2, number_field(1, 1) + number_field(2, 7) + field(9, bytes(8)))
            + number_field(3, 1 << 60),
        ),
    ),
    "an expansion to 2^60 elements": None,
    "a doubling function": None,
}


def nest(depth: int) -> bytes:
    graph = field(1, field(4, b"If"))
    for _ in range(depth):
        graph = field(1, field(5, field(1, b"b") + field(6, graph)) + field(4, b"If"))
    return number_field(1, 8) + field(7, graph)


def expansion() -> bytes:
    text = """
        <ir_version: 8, opset_import: ["" : 17]>
        main (float[n] x) => (float[m] y)
        <int64[3] big = {1048576, 1048576, 1048576}, float one = {1}, int64 a = {0}, int64 b = {1099511627776}, int64 c = {1}>
        {
            shape = ConstantOfShape (big)
            range = Range (a, b, c)
            wide = Expand (one, big)
            y = Add (wide, x)
        }
    """  # noqa: E501
    data: bytes = onnx.parser.parse_model(text).SerializeToString()
    return data


def doubling(depth: int) -> bytes:
    functions = "".join(
        f"""
        <domain: "f", opset_import: ["" : 17, "f" : 1]>
        f{index} (a) => (c) {{ b = f.f{index + 1} (a)  c = f.f{index + 1} (b) }}
        """
        for index in range(depth)
    )
    text = f"""
        <ir_version: 8, opset_import: ["" : 17, "f" : 1]>
        main (float[n] x) => (float[n] y) {{ y = f.f0 (x) }}
        {functions}
        <domain: "f", opset_import: ["" : 17]>
        f{depth} (a) => (b) {{ b = Relu (a) }}
    """
    data: bytes = onnx.parser.parse_model(text).SerializeToString()
    return data


BOMBS["nested attributes"] = nest(3000)
BOMBS["an expansion to 2^60 elements"] = expansion()
BOMBS["a doubling function"] = doubling(60)
LIMIT = 3 << 30
CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
from modellint.cli import main
main(["--isolated", "--no-cache", "--select", "ALL", "--target", "a10", "--exit-zero", sys.argv[1]])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_stay_in_bounds(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.onnx"
    path.write_bytes(BOMBS[name] or b"")
    done = subprocess.run(
        [sys.executable, "-c", CHILD.format(limit=LIMIT), path],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
