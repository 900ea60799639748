"""Configurations of Triton: their text, and the models that they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.formats.triton.facts import triton_facts
from modellint.formats.triton.text import TextError, parse
from tests.support import run_cli

CONFIGURATION = """
# a comment
name: 'detector', platform: "onnxruntime" "_onnx";
max_batch_size: 8
input [
  { name: "image" data_type: TYPE_FP32 dims: [ 3, -1, -1 ] },
  { name: "size", data_type: TYPE_INT64, dims: 2, optional: true }
]
output < name: "boxes" data_type: TYPE_FP32 dims: [ -1, 4 ] reshape { shape: [ -1, 2, 2 ] } >
instance_group { count: 2 kind: KIND_GPU gpus: [ 0, 1 ] }
instance_group { count: 4 kind: KIND_CPU }
dynamic_batching { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 100 }
parameters { key: "note" value { string_value: "a \\"quoted\\" {word}" } }
"""


def test_the_text_is_read_as_protocol_buffers_write_it(tmp_path: Path) -> None:
    path = tmp_path / "config.pbtxt"
    path.write_text(CONFIGURATION)
    facts = triton_facts(read_model(path))
    assert facts is not None
    assert (facts.name, facts.platform, facts.max_batch_size) == ("detector", "onnxruntime_onnx", 8)
    assert [(port.name, port.dims) for port in facts.inputs] == [
        ("image", (3, -1, -1)),
        ("size", (2,)),
    ]
    assert facts.inputs[1].is_optional
    assert facts.outputs[0].dims == (-1, 2, 2)
    assert facts.instances == 2
    assert facts.preferred_batches == (4, 8)


@pytest.mark.parametrize(
    "text",
    [
        "input [",
        "input { name: }",
        "}",
        "a: [1, 2",
        'a: "open',
        "a {" * 100 + "}" * 100,
        "a: \x00",
        "name: 1 : 2",
        "input { dims: [1, 2,] }",
        "dims: [1 2]",
        "a: b: c",
        "a { b: 1 ]",
    ],
)
def test_mistakes_are_problems_of_the_file(text: str, tmp_path: Path) -> None:
    with pytest.raises(TextError):
        parse(text)
    path = tmp_path / "config.pbtxt"
    path.write_text(text)
    assert [problem.kind for problem in read_model(path).problems] == ["config-broken"]


def test_a_model_file_outside_its_folder_is_not_looked_for(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "secret.onnx").write_bytes(b"")
    path = tmp_path / "config.pbtxt"
    path.write_text('backend: "onnxruntime" default_model_filename: "../secret.onnx"')
    assert read_model(path).external_files == []


def test_a_repository_is_linted_whole(tmp_path: Path) -> None:
    version = tmp_path / "m" / "1"
    version.mkdir(parents=True)
    (version / "model.onnxtxt").write_text(
        '<ir_version: 8, opset_import: ["" : 17]> m (float[4] x) => (float[4] y) { y = Relu (x) }'
    )
    (tmp_path / "m" / "config.pbtxt").write_text(
        'backend: "onnxruntime" default_model_filename: "model.onnxtxt"'
        ' input { name: "z" data_type: TYPE_FP32 dims: 4 }'
    )
    shown = run_cli("check", tmp_path, "--select", "triton", "--no-cache", "-o", "concise")
    assert "TRI002" in shown.stdout
    assert "TRI003" in shown.stdout
    assert shown.exit_code == 1
