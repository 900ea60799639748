"""GGUF files: read as the gguf package reads them, and judged as llama.cpp judges them."""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modellint.analysis.chat_template import dangers, mistake
from modellint.config.load import CommandLine, Configs
from modellint.discovery import discover
from modellint.examples import cases_of
from modellint.formats import read_model
from modellint.formats.gguf import gguf_facts
from modellint.formats.gguf.header import Array
from modellint.formats.gguf.notation import encode
from modellint.formats.gguf.types import TYPES
from modellint.model import Model
from modellint.model.architecture import LayerShape
from modellint.rules.registry import load_rules

DATA = Path(__file__).parents[1] / "data/gguf"
VERDICTS = json.loads((DATA / "verdicts.json").read_text(encoding="utf-8"))
RULES = [rule for rule in load_rules().values() if rule.dialect == "gguf"]
RIGHT_FOR_ONE_RULE = {
    "GGF007-valid-0",
    "GGF020-valid-1",
    "GGF026-valid-1",
    "GGF040-valid-1",
    "GGF041-valid-0",
    "GGF041-valid-1",
}
"""Examples that are wrong in another way: made for another program, or without a whole model."""
PLAIN = frozenset("F64 F32 F16 I8 I16 I32 I64".split())
NOT_ABOUT_LOADING = {"GGF038"}
"""A template that runs code: it loads, and that is the point."""


def model_of(folder: Path, text: str, name: str = "model.gguf") -> Model:
    path = folder / name
    path.write_bytes(encode(text))
    return read_model(path)


def named(name: str) -> str:
    return (DATA / f"{name}.txt").read_text(encoding="utf-8")


# As the gguf package reads and writes files


@pytest.fixture(scope="module", params=["little", "big"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A file of the package's writer, with a tensor of each type, and all types of metadata."""
    gguf = pytest.importorskip("gguf")
    import numpy as np

    path = tmp_path_factory.mktemp("gguf") / f"{request.param}.gguf"
    order = gguf.GGUFEndian.BIG if request.param == "big" else gguf.GGUFEndian.LITTLE
    writer = gguf.GGUFWriter(path, "llama", endianess=order)
    writer.add_block_count(2)
    for kind in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"):
        getattr(writer, f"add_{kind}")(f"some.{kind}", 7)
    writer.add_float32("some.float32", 0.5)
    writer.add_float64("some.float64", 0.25)
    writer.add_bool("some.bool", True)
    writer.add_string("some.text", "käse")
    writer.add_token_list(["a", "", "ccc"])
    writer.add_token_scores([0.0, 1.0, 2.0])
    chance = np.random.default_rng(1)
    for kind, (block, size) in gguf.GGML_QUANT_SIZES.items():
        if kind.name != "Q8_1":  # of 36 bytes in ggml, of 40 in the package
            raw = chance.integers(0, 250, (3, 2 * size), dtype=np.uint8)
            writer.add_tensor(kind.name, raw, raw_dtype=kind)
            del block
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path, gguf.GGUFReader(path)


def test_tensors_are_where_the_package_finds_them(written: Any) -> None:
    path, reader = written
    model = read_model(path)
    assert model.problems == []
    assert [tensor.name for tensor in model.tensors] == [each.name for each in reader.tensors]
    for tensor, theirs in zip(model.tensors, reader.tensors, strict=True):
        assert tensor.shape == tuple(reversed(theirs.shape.tolist())), tensor.name
        assert tensor.dtype is TYPES[theirs.tensor_type.value]
        assert tensor.region is not None
        assert (tensor.region.offset, tensor.nbytes) == (theirs.data_offset, theirs.n_bytes)


def test_numbers_are_those_of_the_package(written: Any) -> None:
    import gguf
    import numpy as np

    path, reader = written
    compared = 0
    for tensor, theirs in zip(read_model(path).tensors, reader.tensors, strict=True):
        numbers = tensor.numpy()
        if numbers is None:
            continue
        if tensor.dtype.name == "bfloat16" and path.stem == "big":
            continue  # the package keeps its bytes as they are
        raw = theirs.data
        with np.errstate(all="ignore"):
            wanted = (
                raw
                if theirs.tensor_type.name in PLAIN
                else gguf.quants.dequantize(raw, theirs.tensor_type)
            )
            assert np.array_equal(
                np.asarray(numbers, wanted.dtype), wanted.reshape(numbers.shape), equal_nan=True
            ), tensor.name
        compared += 1
    assert compared >= (20 if path.stem == "little" else 6)


def test_parts_of_a_tensor_are_those_of_the_whole(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    model = model_of(
        tmp_path, "small llama\nx: Q4_0 [64, 32] of 003c0123456789abcdef0123456789abcd "
    )
    tensor = model.tensors[-1]
    whole = tensor.numpy()
    assert whole is not None
    ranges = [(0, 1), (5, 70), (33, 64), (2047, 2048)]
    for (start, stop), part in zip(ranges, tensor.parts(ranges), strict=True):
        assert part.tolist() == whole.reshape(-1)[start:stop].tolist()


def test_metadata_are_those_of_the_package(written: Any) -> None:
    path, reader = written
    facts = gguf_facts(read_model(path))
    assert facts is not None
    assert facts.first.is_big_endian is (path.stem == "big")
    own = {key: field for key, field in reader.fields.items() if not key.startswith("GGUF.")}
    assert facts.first.entries.keys() == own.keys()
    for key, field in own.items():
        value = facts.first.entries[key].value
        if isinstance(value, Array):
            found = list(value.texts(10)) if value.is_text else value.numbers(10)
            assert found == field.contents(), key
        else:
            assert value == field.contents(), key


# Sizes: only the header is read


def sparse(folder: Path, parts: int) -> Path:
    """A model of 100 GB in each part, of which nothing but headers is written."""
    size = 100 << 30
    rows = size // (4096 * 2)
    for number in range(1, parts + 1):
        text = f"split.no (u16) = {number - 1}\nsplit.count (u16) = {parts}\n"
        if number == 1:
            text += 'general.architecture = "llama"\nllama.block_count = 1\n'
            text += f"split.tensors.count (i32) = {parts}\n"
        text += f"w{number}: F16 [4096, {rows}]"
        name = f"m-{number:05d}-of-{parts:05d}.gguf" if parts > 1 else "m.gguf"
        path = folder / name
        path.write_bytes(encode(text)[:4096])
        os.truncate(path, size + 4096)
    return folder / (f"m-00001-of-{parts:05d}.gguf" if parts > 1 else "m.gguf")


@pytest.mark.parametrize("parts", [1, 3])
def test_a_large_file_costs_no_more_than_its_header(tmp_path: Path, parts: int) -> None:
    path = sparse(tmp_path, parts)
    tracemalloc.start()
    try:
        model = read_model(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(model.tensors) == parts
    assert model.weight_bytes == parts * (100 << 30)
    assert peak < 8 << 20


def test_a_large_vocabulary_stays_in_the_file(tmp_path: Path) -> None:
    text = "small llama\ntokenizer.ggml.tokens = texts * 20000\n"
    text += "tokenizer.ggml.scores = [0.0] * 20000"
    path = tmp_path / "m.gguf"
    path.write_bytes(encode(text))
    tracemalloc.start()
    try:
        model = read_model(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert model.architecture is not None
    assert model.architecture.vocabulary == 20_000
    assert model.metadata["tokenizer.ggml.tokens"] == "[20000 texts]"
    assert peak < 3 << 20
    tokens = gguf_facts(model).array("tokenizer.ggml.tokens")  # type: ignore[union-attr]
    assert tokens is not None
    assert tokens.raw_texts()[-1] == b"t19999"


# Broken files


def header(tensors: int, entries: int, rest: bytes = b"", version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, entries) + rest


def key(name: str, kind: int, rest: bytes) -> bytes:
    return struct.pack("<Q", len(name)) + name.encode() + struct.pack("<I", kind) + rest


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (header(0, 0)[:20], "truncated"),
        (header(1 << 60, 0), "corrupt"),
        (header(0, 1 << 60), "corrupt"),
        (header(0, 1), "truncated"),
        (header(0, 1, key("a", 99, b"")), "corrupt"),
        (header(0, 1, struct.pack("<Q", 1 << 62)), "truncated"),
        (header(0, 1, key("a", 8, struct.pack("<Q", 1 << 63))), "truncated"),
        (header(0, 1, key("a", 9, struct.pack("<IQ", 4, 1 << 61))), "truncated"),
        (header(0, 1, key("a", 9, struct.pack("<IQ", 8, 1 << 61))), "corrupt"),
        (header(0, 1, key("a", 9, struct.pack("<IQ", 8, 3))), "truncated"),
        (header(0, 1, key("a", 9, struct.pack("<IQ", 9, 1) * 9)), "too-deep"),
        (header(0, 1, key("a", 9, struct.pack("<IQQ", 8, 2, 1 << 63))), "truncated"),
        (header(1, 0, struct.pack("<Q", 1) + b"w" + struct.pack("<I", 1 << 31)), "corrupt"),
        (header(0, 0, version=1), "unsupported-format"),
        (header(0, 0, version=4), "unsupported-format"),
        (b"tjgg" + bytes(40), "unsupported-format"),
    ],
)
def test_what_is_wrong_with_a_file_is_its_problem(
    tmp_path: Path, content: bytes, kind: str
) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    (problem,) = read_model(path).problems
    assert problem.kind == kind


def test_tensors_with_data_elsewhere_cannot_be_read(tmp_path: Path) -> None:
    text = """
        x: F32 [4] at 1099511627776
        y: type99 [4]
        z: Q4_0 [31]
        n: F32 [-4]
        d: F32 [1, 1, 1, 1, 1, 8]
    """
    model = model_of(tmp_path, text)
    assert [tensor.read for tensor in model.tensors] == [None] * 5


# Parts


def write_parts(folder: Path, *numbers: int) -> None:
    for number in numbers:
        text = named("llama") if number == 1 else ""
        text += f"\nsplit.no (u16) = {number - 1}\nsplit.count (u16) = 3\nx{number}: F32 [8]"
        (folder / f"m-{number:05d}-of-00003.gguf").write_bytes(encode(text))


def found(*paths: Path) -> list[str]:
    configs = Configs(CommandLine({}, isolated=True))
    return [each.path.name for each in discover(paths, configs).files]


def test_the_first_part_stands_for_all(tmp_path: Path) -> None:
    write_parts(tmp_path, 1, 2, 3)
    first, second, third = sorted(tmp_path.iterdir())
    assert found(tmp_path) == [first.name]
    assert found(third) == [first.name]
    assert found(second, third, first) == [first.name]
    model = read_model(first)
    assert [tensor.name for tensor in model.tensors][-3:] == ["x1", "x2", "x3"]
    assert model.external_files == [second, third]
    first.unlink()
    assert found(tmp_path) == [second.name, third.name]


def test_a_missing_part_leaves_the_others(tmp_path: Path) -> None:
    write_parts(tmp_path, 1, 3)
    model = read_model(tmp_path / "m-00001-of-00003.gguf")
    assert [tensor.name for tensor in model.tensors][-2:] == ["x1", "x3"]
    facts = gguf_facts(model)
    assert facts is not None
    assert facts.missing == ("m-00002-of-00003.gguf",)
    assert model.architecture is not None
    assert model.architecture.tied_embeddings is None


# Architectures


def layers(folder: Path, text: str) -> tuple[LayerShape, ...]:
    architecture = model_of(folder, text).architecture
    assert architecture is not None
    return architecture.layers


def test_windows_are_those_of_the_architecture(tmp_path: Path) -> None:
    text = named("gemma2") + "\ngemma2.block_count = 4"
    assert [layer.window for layer in layers(tmp_path, text)] == [32, None, 32, None]
    stated = text + "\ngemma2.attention.sliding_window_pattern = [false, true, true, false]"
    assert [layer.window for layer in layers(tmp_path, stated)] == [None, 32, 32, None]
    every = text + "\ngemma2.attention.sliding_window_pattern = 4"
    assert [layer.window for layer in layers(tmp_path, every)] == [32, 32, 32, None]


def test_latent_attention_caches_one_compressed_key(tmp_path: Path) -> None:
    dense, routed = layers(tmp_path, named("deepseek2"))
    assert (dense.mixer, dense.cached_per_token) == ("latent", 24)
    assert (dense.experts, dense.feed_forward) == (0, 64)
    assert (routed.experts, routed.active_experts, routed.shared_experts) == (4, 2, 1)
    assert routed.feed_forward == 32


@pytest.mark.parametrize(
    ("stated", "beside"), [("", 32), ("arctic.expert_feed_forward_length = 16", 48)]
)
def test_a_dense_network_may_be_next_to_experts(tmp_path: Path, stated: str, beside: int) -> None:
    text = f"""
        general.architecture = "arctic"
        arctic.block_count = 1
        arctic.embedding_length = 32
        arctic.feed_forward_length = 48
        arctic.attention.head_count = 4
        arctic.expert_count = 8
        arctic.expert_used_count = 2
        {stated}
        blk.0.ffn_down.weight: F16 [{beside}, 32]
        blk.0.ffn_down_exps.weight: F16 [16, 32, 8]
    """
    (layer,) = layers(tmp_path, text)
    assert (layer.experts, layer.active_experts, layer.shared_width) == (8, 2, beside)


def test_recurrent_layers_keep_a_state(tmp_path: Path) -> None:
    (layer,) = layers(tmp_path, named("mamba"))
    assert (layer.mixer, layer.cached_per_token) == ("recurrent", 0)
    assert layer.state == 3 * 64 + 64 * 16


def test_layers_of_a_hybrid_differ(tmp_path: Path) -> None:
    text = """
        general.architecture = "jamba"
        jamba.block_count = 2
        jamba.embedding_length = 32
        jamba.attention.head_count = 4
        jamba.attention.head_count_kv = [0, 2]
        jamba.ssm.conv_kernel = 4
        jamba.ssm.inner_size = 64
        jamba.ssm.state_size = 16
    """
    first, second = layers(tmp_path, text)
    assert (first.mixer, second.mixer) == ("recurrent", "attention")
    assert second.cached_per_token == 2 * 16


def test_facts_about_a_whole_model(tmp_path: Path) -> None:
    architecture = model_of(tmp_path, named("qwen3moe")).architecture
    assert architecture is not None
    assert architecture.quantization == "Q4_K_M"
    assert architecture.tied_embeddings is False
    assert (architecture.hidden, architecture.vocabulary, architecture.context) == (256, 48, 128)
    small = model_of(tmp_path, "small llama").architecture
    assert small is not None
    assert (small.tied_embeddings, small.quantization) == (True, "")


@pytest.mark.parametrize("count", ["0", "4294967295", '"many"', "[1]"])
def test_an_impossible_number_of_layers_is_no_architecture(tmp_path: Path, count: str) -> None:
    assert model_of(tmp_path, f"small llama\nllama.block_count = {count}").architecture is None


# Verdicts of llama.cpp, as tools/measure_gguf.py keeps them


def verdicts(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for rule in RULES:
        for case in cases_of(rule):
            if case.kind == kind:
                is_error = rule.severity == "error" and rule.code not in NOT_ABOUT_LOADING
                yield case.name, {"is_error": is_error, **VERDICTS["examples"][case.name]}


def test_llama_cpp_refuses_every_example_of_an_error() -> None:
    loaded = [name for name, each in verdicts("invalid") if each["is_error"] and each["loads"]]
    assert loaded == []


def test_llama_cpp_loads_what_no_error_is_in() -> None:
    refused = [name for name, each in verdicts("valid") if not each["loads"]]
    assert set(refused) == RIGHT_FOR_ONE_RULE


def test_few_errors_are_wrong() -> None:
    sums = VERDICTS["mutants"]
    assert sums["confirmed"] >= 0.98 * (sums["confirmed"] + sums["wrong"])
    assert sums["confirmed"] >= 0.9 * (sums["confirmed"] + sums["missed"])


# Chat templates


@pytest.mark.parametrize(
    ("template", "kinds"),
    [
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", ["attribute"]),
        ("{{ messages|attr('__cl'+'ass__') }}", ["hidden", "attribute"]),
        ("{{ messages['\\x5f\\x5fclass'] }}", ["hidden"]),
        ("{{ cycler.next.im_func }}", ["gadget"]),
        ("{% include '/etc/passwd' %}", ["file"]),
        ("{% for i in range(100000000) %}{% endfor %}", ["endless"]),
        ("{{ x.__init__", ["attribute"]),
        ("__init__ {# __class__ #} {{ m['content'] }}", []),
        ("{%- set ns = namespace(a=1) -%}{{ '%s' | format(ns.a) }}{{ range(3) | list }}", []),
        ("{{ m['content'].split('</think>')[-1].lstrip('\\n') }}", []),
    ],
)
def test_what_a_template_does_besides_formatting(template: str, kinds: list[str]) -> None:
    assert sorted(each.kind for each in dangers(template)) == sorted(kinds)


@pytest.mark.parametrize(
    ("template", "wrong"),
    [
        ("{% for m in x %}{% if m %}{% endif %}{% endfor %}", ""),
        ("{% set x = 1 %}{% set y %}text{% endset %}{%- macro f() -%}{%- endmacro -%}", ""),
        ("{% raw %}{% if %}{% endraw %}", ""),
        ("{% for m in x %}{% endif %}{% endfor %}", "'endif' without 'if'"),
        ("{% if x %}", "'if' without 'endif'"),
        ("{{ x", "'{{' without '}}'"),
        ("{% endfor %}", "'endfor' without 'for'"),
    ],
)
def test_a_template_that_nothing_can_render(template: str, wrong: str) -> None:
    assert mistake(template) == wrong
