"""A reader's work grows with the file, whatever the file holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from onnx import NodeProto, helper

from modellint.base.globs import Globs
from modellint.checks.api import Context
from modellint.checks.compat import missing_opset_import
from modellint.formats import detect, read_model
from modellint.formats.onnx import infer
from modellint.formats.onnx.text import read_text
from modellint.model import Model
from modellint.native.inference import infer_shapes
from modellint.targets.deployment import Deployment
from tests.growth import is_linear

TEXTS: dict[str, tuple[str, Callable[[int], str]]] = {
    "spaces": (".xml", lambda n: " " * n),
    "spaces in XML": (".xml", lambda n: "<?xml?>" + " " * n),
    "escapes in an open string": (".onnxtxt", lambda n: '<ir_version: 7, "' + r"\"" * n),
    "escapes in a string": (".onnxtxt", lambda n: f'<ir_version: 7, doc_string: "{"x" * n}">'),
    "spaces after an error": (".onnxtxt", lambda n: "<ir_version: 7" + " " * n + "x"),
    "open comments": (".onnxtxt", lambda n: "<ir_version: 7" + "# " * n),
    "open metadata": (".json", lambda n: _layers("[ONNX Layer: " * n)),
    "closed metadata": (".json", lambda n: _layers("[ONNX Layer: a] " * n)),
    "spaces in metadata": (".json", lambda n: _layers("]" + " " * n + "]")),
    "words of types": (".json", lambda n: _layers("", "a " * n)),
}


def _layers(metadata: str, dtype: str = "Half") -> str:
    tensor = {"Name": "x", "Dimensions": [1], "Format/Datatype": dtype}
    return json.dumps({"Layers": [{"Name": "a", "Inputs": [tensor], "Metadata": metadata}]})


@pytest.mark.parametrize("kind", TEXTS)
def test_work_grows_with_the_file(kind: str, tmp_path: Path) -> None:
    suffix, text = TEXTS[kind]

    def path(size: int) -> Path:
        made = tmp_path / f"{size}{suffix}"
        if not made.exists():
            made.write_text(text(size))
        return made

    assert is_linear(lambda size: read_model(path(size)))
    assert is_linear(lambda size: detect(path(size)), 500, 8)


@pytest.mark.parametrize(
    "pattern", ["*a" * 20, "*a*/" * 10, "**/a/" * 20 + "b", "*?" * 20 + "b", "[a-b]*" * 20]
)
def test_globs_do_not_try_every_way(pattern: str) -> None:
    globs = Globs([pattern])
    assert is_linear(lambda size: globs.decide("a" * size + "c"), 100, 8)
    assert is_linear(lambda size: globs.decide("a/" * size + "c"), 100, 8)


@pytest.mark.parametrize("pattern", ["[", "*", "[[:alpha:", "a\\", "**/", "[a-", "?"])
def test_reading_a_glob_grows_with_it(pattern: str) -> None:
    assert is_linear(lambda size: Globs(["x" + pattern * (size // 8)]), 250, 8)


def test_brackets_after_a_comment_count() -> None:
    """onnx's parser recurses for brackets, and dies of too many."""
    model = read_text('<ir_version: 7 # "\n' + "(" * 100)
    assert [problem.kind for problem in model.problems] == ["too-deep"]
    model = read_text("<ir_version: 7 # \\\n" + "(" * 100)
    assert [problem.kind for problem in model.problems] == ["too-deep"]
    model = read_text('<ir_version: 7, doc_string: "' + "(" * 100 + '">')
    assert [problem.kind for problem in model.problems] == ["corrupt"]


def calling(path: Path, functions: int) -> Path:
    """A model of nodes that each call a function of their own."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    nodes = [helper.make_node(f"F{at}", [], [f"y{at}"], domain="own") for at in range(functions)]
    model = helper.make_model(helper.make_graph(nodes, "g", [], []), opset_imports=opsets)
    body = [helper.make_node("Constant", [], ["b"], value_int=1)]
    for at in range(functions):
        function = helper.make_function("own", f"F{at}", [], ["b"], body, opsets)
        model.functions.append(function)
    path.write_bytes(model.SerializeToString())
    return path


def test_many_functions_are_not_inferred(tmp_path: Path) -> None:
    """onnx goes through all functions for each call."""
    few, many = (read_model(calling(tmp_path / f"{size}.onnx", size)) for size in (50, 4200))
    assert few.infer().error is None
    assert many.infer().error == "4200 functions are too many to follow"


def test_missing_imports_are_counted_in_one_go(tmp_path: Path) -> None:
    def check(size: int) -> None:
        path = tmp_path / f"{size}.onnx"
        if path not in models:
            nodes = [helper.make_node("F", [], [], domain=f"d{at}") for at in range(size)]
            path.write_bytes(
                helper.make_model(helper.make_graph(nodes, "g", [], [])).SerializeToString()
            )
            models[path] = read_model(path)
        found = SimpleNamespace(model=models[path], deployment=Deployment(), for_tensorrt=False)
        context = cast("Context", found)
        assert sum(1 for _ in missing_opset_import(context)) == size

    models: dict[Path, Model] = {}
    assert is_linear(check, 250, 16)


def test_missing_shards_are_looked_up_in_one_go(tmp_path: Path) -> None:
    def folder(shards: int) -> Path:
        made = tmp_path / str(shards)
        if not made.exists():
            made.mkdir()
            listed = {f"w{each}": f"{each}.safetensors" for each in range(shards)}
            index = made / "model.safetensors.index.json"
            index.write_text(json.dumps({"weight_map": listed}))
        return made

    assert is_linear(lambda shards: read_model(folder(shards)), 500)


def test_recorded_lists_are_not_filled(tmp_path: Path) -> None:
    """onnx would keep the elements that a recorded type promises, until the memory is full."""
    path = tmp_path / "a.onnx"
    promised = [helper.make_tensor_value_info(name, 7, [2**62]) for name in ("a", "b")]
    nodes = [
        helper.make_node("Cast", ["x"], ["a"], to=7),
        helper.make_node("Mul", ["a"] * 2, ["b"]),
    ]
    graph = helper.make_graph(nodes, "g", [], [], value_info=promised)
    path.write_bytes(helper.make_model(graph).SerializeToString())
    model = read_model(path)
    model.infer()
    assert not model.died


def test_lists_of_lists_are_not_joined(tmp_path: Path) -> None:
    """onnx would keep the elements of each, which are four times as many."""
    joined = [
        helper.make_node("Concat", [f"v{at}"] * 4, [f"v{at + 1}"], axis=0) for at in range(30)
    ]
    given = helper.make_tensor("v0", 7, [2], [1, 2])
    path = tmp_path / "a.onnx"
    graph = helper.make_graph(joined, "g", [], [], initializer=[given])
    path.write_bytes(helper.make_model(graph).SerializeToString())
    model = read_model(path)
    assert model.infer().error is None
    assert model.graph.values["v12"].shape == (2 * 4**12,)


def _tiled() -> list[NodeProto]:
    joined = [helper.make_node("Concat", [f"t{at}"] * 2, [f"t{at + 1}"], axis=0) for at in range(9)]
    return [helper.make_node("Tile", ["list", "many"], ["t0"]), *joined]


def _multiplied() -> list[NodeProto]:
    return [
        helper.make_node("Mul", ["column", "row"], ["product"]),
        helper.make_node("Reshape", ["product", "flat"], ["long"]),
        helper.make_node("Concat", ["long", "long"], ["longer"], axis=0),
    ]


def _computed() -> list[NodeProto]:
    return [
        helper.make_node("Shape", ["column"], ["sizes"]),
        helper.make_node("ReduceProd", ["sizes"], ["size"]),
        helper.make_node("Expand", ["one", "size"], ["long"]),
        helper.make_node("Concat", ["long", "long"], ["longer"], axis=0),
    ]


def _given() -> list[NodeProto]:
    return [helper.make_node("Concat", ["line"] * 8, ["longer"], axis=0)]


@pytest.mark.parametrize("nodes", [_tiled(), _multiplied(), _computed(), _given()])
def test_lists_of_unknown_length_are_not_filled_here(
    nodes: list[NodeProto], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few hundred bytes took all memory: onnx keeps the elements of what other operators make."""
    stored = {"list": [1, 2], "many": [1 << 21], "flat": [-1], "one": [1]}
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info("column", 7, [30_000, 1]),
            helper.make_tensor_value_info("row", 7, [1, 30_000]),
            helper.make_tensor_value_info("line", 7, [1 << 19]),
        ],
        [],
        initializer=[helper.make_tensor(name, 7, [len(ns)], ns) for name, ns in stored.items()],
    )
    path = tmp_path / "a.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    asked: list[bool] = []

    def note(serialized: bytes, *, strict: bool, propagates: bool) -> bytes:
        asked.append(propagates)
        return infer_shapes(serialized, strict=strict, propagates=propagates)

    monkeypatch.setattr(infer, "infer_shapes", note)
    model = read_model(path)
    assert not model.infer().error
    assert asked
    assert not any(asked)
