"""Names in models and settings: neither terminals nor CI systems are given commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from modellint.base.text import brief, clean
from modellint.report.strict import dumps
from tests.samples import GOOD, project
from tests.support import run_cli, save

COMMANDS = (
    "::error::injected",
    "x ::error file=a::injected",
    "##[error]injected",
    "##vso[task.setvariable variable=a]b",
    "#\x00#[error]injected",
    ":\x1b:error::injected",
    "a\n::set-env name=x::y",
)
UNDERSTOOD = re.compile(r"^\s*::\w|##\w*\[", re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_names_that_are_commands(name: str) -> None:
    assert not UNDERSTOOD.search(clean(name))
    assert not UNDERSTOOD.search(brief(name))
    assert not UNDERSTOOD.search(clean(name).replace(" ", "\n"))  # wherever it is wrapped


@pytest.mark.parametrize("name", ["aten::add", "onnx::MatMul_1", "a##b", "# Title", "x::y::z[0]"])
def test_names_that_are_none(name: str) -> None:
    assert clean(name) == name


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("options", [["-o", "concise"], ["-o", "json"], ["-v"]])
def test_reports(name: str, options: list[str], tmp_path: Path) -> None:
    text = GOOD.replace("[act] y = Relu (x)", "[act] y = Relu (x) [dead] z = Sigmoid (x)")
    model = project(tmp_path, {"good.onnx": text}) / "good.onnx"
    import onnx

    proto = onnx.load(model)
    proto.graph.name = proto.graph.node[1].name = proto.graph.node[1].output[0] = name
    save(proto, tmp_path / "::error::x.onnx")
    for arguments in (["check", ".", "--select", "HYG", *options], ["inspect", "::error::x.onnx"]):
        result = run_cli(*arguments, cwd=tmp_path)
        assert result.exit_code == 0, result
        assert not UNDERSTOOD.search(result.stdout), result


@pytest.mark.parametrize("name", COMMANDS)
def test_json_says_the_same_without_commands(name: str) -> None:
    assert not UNDERSTOOD.search(dumps({name: [name]}, 2))
    assert json.loads(dumps({name: [name]})) == {name: [name]}


def test_settings(tmp_path: Path) -> None:
    project(tmp_path, {"modellint.toml": 'exclude = ["a\\u202e\\u001bb"]', "good.onnx": GOOD})
    result = run_cli("check", "--show-settings", cwd=tmp_path)
    assert result.exit_code == 0
    assert 'exclude = ["a\\u202e\\u001bb"]' in result.stdout
    assert result.stdout.replace("\n", "").isprintable()


def test_a_name_of_control_characters_in_sarif(tmp_path: Path) -> None:
    import onnx

    proto = onnx.load(project(tmp_path, {"good.onnx": GOOD}) / "good.onnx")
    proto.graph.name = "\x01"
    proto.graph.node[0].input[0] = proto.graph.node[0].name = "\x02"
    save(proto, tmp_path / "odd.onnx")
    document = json.loads(run_cli("odd.onnx", "-o", "sarif", cwd=tmp_path).stdout)
    for result in document["runs"][0]["results"]:
        for place in result["locations"]:
            for logical in place.get("logicalLocations", ()):
                assert logical["name"]
                assert logical["fullyQualifiedName"]
