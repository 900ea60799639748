"""Exported programs of PyTorch are shared out as ExecuTorch's partitioners do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from modellint.formats import read_model
from modellint.formats.torch.program_notation import encode_program
from modellint.placement import UnitPlacement, placement
from modellint.placement.unions import unions
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.support import run_cli

DATA = Path(__file__).parent.parent / "data"
_LINES = (DATA / "placement" / "executorch-1.5.jsonl").read_text(encoding="utf-8").splitlines()[1:]
ANSWERS: list[dict[str, Any]] = [json.loads(line) for line in _LINES]


def placed(text: str, folder: Path, runtime: str = "executorch") -> UnitPlacement:
    path = folder / "m.pt2"
    path.write_bytes(encode_program(text))
    found = placement(read_model(path), Deployment(runtime=runtime))
    assert found is not None
    return found


def refusals(text: str, folder: Path, runtime: str = "executorch") -> dict[str, str]:
    found = placed(text, folder, runtime)
    told = {node.label: found.refusal_of(node) for node in found.nodes}
    return {label: refusal.words for label, refusal in told.items() if refusal is not None}


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda each: f"{each['runtime']}-{each['file']}")
def test_as_executorch_chose(answer: dict[str, Any]) -> None:
    model = read_model(DATA / "torch" / answer["file"])
    found = placement(model, Deployment(runtime=answer["runtime"]))
    assert found is not None
    refused = {node.label for node in found.nodes if found.refusal_of(node) is not None}
    known = {name for part in answer["partitions"] for name in part} | set(answer["left"])
    assert refused & known == set(answer["left"])
    if not any(node.subgraphs for node in found.nodes):  # which end a delegate at a split
        assert len(found.accelerated) == len(answer["partitions"])


FORKED = """
@program 8.20
input x float32 [4]
a float32 [4] = aten.relu.default(self=x)
b float32 [4] = aten.acosh.default(self=x)
c float32 [4] = aten.relu.default(self=b)
d float32 [4] = aten.acosh.default(self=a)
e float32 [4] = aten.relu.default(self=d)
y float32 [4] = aten.add.Tensor(self=a, other=c)
z float32 [4] = aten.neg.default(self=e)
output y
output z
"""


def test_a_delegate_takes_in_what_nothing_lies_between(tmp_path: Path) -> None:
    groups = [[node.label for node in part.nodes] for part in placed(FORKED, tmp_path).accelerated]
    assert groups == [["a"], ["c", "e", "y", "z"]]


def test_all_or_nothing(tmp_path: Path) -> None:
    nodes = placed(FORKED, tmp_path).nodes
    assert [len(group) for group in unions(nodes, lambda _: True)] == [7]
    assert not unions(nodes, lambda _: False)


def test_forms_that_xnnpack_leaves(tmp_path: Path) -> None:
    text = """
    @program 8.20
    input x float32 [2,3,4,5]
    input k int64 [3]
    a float32 [2,3,4,5] = aten.softmax.int(self=x, dim=1)
    b float32 [2,3,4,5] = aten.softmax.int(self=x, dim=3)
    c float32 [2,3,1,1] = aten.mean.dim(self=x, dim=[2,3], keepdim=true)
    d float32 [2,3,4] = aten.mean.dim(self=x, dim=[3])
    e float32 [2,3,4,5,1] = aten.unsqueeze.default(self=x, dim=-1)
    f float32 [1,2,3,4,5] = aten.unsqueeze.default(self=x, dim=0)
    g int64 [3] = aten.add.Tensor(self=k, other=k)
    h float32 [2,3,8,5] = aten.cat.default(tensors=[x,x], dim=2)
    i float32 [2,3,4,5] = aten.pow.Tensor_Scalar(self=x, exponent=3)
    unread float32 [2,3,4,5] = aten.sin.default(self=x)
    output a
    output b
    output c
    output d
    output e
    output f
    output g
    output h
    output i
    """
    assert refusals(text, tmp_path) == {
        "a": "is not supported with axis 1 of 4",
        "d": "is not supported with axes 3",
        "f": "is not supported with a new dim 0 that is not the last one",
        "g": "is not supported with int64 ('k')",
        "h": "is not supported with one tensor only",
        "i": "is not supported with an exponent of 3",
    }


def test_weights_have_to_be_stored(tmp_path: Path) -> None:
    text = """
    @program 8.20
    input x float32 [2,3]
    input v float32 [4,3]
    parameter w float32 [4,3]
    y float32 [2,4] = aten.linear.default(input=x, weight=w)
    z float32 [2,4] = aten.linear.default(input=x, weight=v)
    output y
    output z
    """
    told = refusals(text, tmp_path)
    assert told == {"z": "is not supported with weights computed at run time"}
    assert not refusals(text, tmp_path, "executorch-coreml")


ATTENTION = """
@program 8.20
input q TYPE [BATCH,4,5,8]
input k TYPE [BATCH,4,5,8]
input v TYPE [BATCH,4,5,8]
y TYPE [BATCH,4,5,8] = aten.scaled_dot_product_attention.default(query=q, key=k, value=v)
output y
"""


@pytest.mark.parametrize(
    ("runtime", "dtype", "batch", "parts"),
    [
        ("executorch", "float32", "2", 3),
        ("executorch", "float32", "s0", 5),
        ("executorch", "float16", "2", 4),
        ("executorch", "bfloat16", "2", 3),
        ("executorch-vulkan", "float32", "2", 3),
    ],
)
def test_pieces_of_attention_are_delegates_of_their_own(
    runtime: str, dtype: str, batch: str, parts: int, tmp_path: Path
) -> None:
    """As many as executorch 1.5.1 forms of such calls."""
    text = ATTENTION.replace("TYPE", dtype).replace("BATCH", batch)
    text += "range s0 1..8\n" if batch == "s0" else ""
    found = placed(text, tmp_path, runtime)
    assert found.counts == {found.unit: 0, "portable kernels": 1}
    assert [len(part.written_out) for part in found.accelerated] == [1] * parts
    assert not any(part.nodes for part in found.accelerated)


def test_the_page_says_that_a_part_is_of_pieces(tmp_path: Path) -> None:
    text = ATTENTION.replace("TYPE", "float32").replace("BATCH", "2")
    placed(text, tmp_path)
    page = run_cli("inspect", tmp_path / "m.pt2", "--runtime", "executorch", "--placement").stdout
    assert re.search(r"1 +XNNPACK +pieces", page), page


def test_the_product_of_a_matmul_joins_what_reads_it(tmp_path: Path) -> None:
    text = """
    @program 8.20
    input x float32 [2,4,5,8]
    a float32 [2,4,5,8] = aten.relu.default(self=x)
    t float32 [2,4,8,5] = aten.transpose.int(self=a, dim0=-2, dim1=-1)
    m float32 [2,4,5,5] = aten.matmul.default(self=a, other=t)
    y float32 [2,4,5,5] = aten.relu.default(self=m)
    output y
    """
    parts = placed(text, tmp_path).accelerated
    assert [[node.label for node in part.nodes] for part in parts] == [["a", "t"], ["y"]]
    assert [node.label for node in parts[1].written_out] == ["m"]


def test_forms_that_vulkan_leaves(tmp_path: Path) -> None:
    text = """
    @program 8.20
    input x float32 [s0,3,8,8]
    input v float32 [1,3,4,4,2]
    parameter w float32 [4,3,3,3]
    c float32 [s0,4,6,6] = aten.conv2d.default(input=x, weight=w)
    s float32 [1,3,4,4,2] = aten.sigmoid.default(self=v)
    m float32 [1,3,4,4,2] = aten.mul.Tensor(self=s, other=v)
    output c
    output m
    range s0 1..16
    """
    assert refusals(text, tmp_path, "executorch-vulkan") == {
        "c": "is not supported with a batch of 'x' that is open",
        "s": "is not supported with a tensor of rank 5 ('v')",
    }


def test_open_shapes(tmp_path: Path) -> None:
    text = """
    @program 8.20
    input x float32 [s0,6]
    y float32 [s0,2,3] = aten.view.default(self=x, size=[-1,2,3])
    output y
    range s0 1..16
    """
    told = refusals(text, tmp_path)
    assert told == {"y": "is not supported with a dim of 'y' that is open"}


def test_a_device_of_apple_runs_programs_in_core_ml(tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    path.write_bytes(encode_program(FORKED))
    found = placement(read_model(path), Deployment(find_target("apple-m2"), "coreml"))
    assert found is not None
    assert found.runtime == "executorch-coreml"
    assert {found.refusals[id(each)].words for each in found.nodes if id(each) in found.refusals}


def test_torch_tensorrt_compiles_exported_programs() -> None:
    path = Path(__file__).parents[1] / "data" / "torch" / "image.pt2"
    for runtime, is_loaded in (("tensorrt", True), ("onnxruntime", False)):
        found = run_cli("check", path, "--runtime", runtime, "-o", "concise").stdout
        assert ("PLC011" not in found) is is_loaded
