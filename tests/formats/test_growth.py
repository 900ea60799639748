"""What a reader does grows with the file, whatever the file holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from modellint.base.globs import Globs
from modellint.formats import detect, read_model
from modellint.formats.onnx.text import read_text
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
