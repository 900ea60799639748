"""Fixes whose effect the examples of rules cannot show: metadata, conversion, nested graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from modellint.fixing.proposals import Proposal, proposals
from modellint.formats.onnx.edit import write_fixed
from modellint.model import Model
from modellint.plan import Plan
from modellint.rules.registry import load_rules
from modellint.session import Session
from modellint.targets.deployment import Deployment
from tests.support import model_from_text

RULES = load_rules(plugins=False)


def proposed(code: str, path: Path, runtime: str = "") -> tuple[list[Proposal], Model]:
    plan = Plan(rules=(RULES[code],), deployments=(Deployment(runtime=runtime or None),))
    opened = Session(plan.deployments).open(path, path.name)
    return proposals(opened, plan, {}), opened.model


def fixed(code: str, model: onnx.ModelProto, folder: Path, runtime: str = "") -> onnx.ModelProto:
    """Apply all fixes of a rule at once."""
    path, result = folder / "model.onnx", folder / "fixed.onnx"
    onnx.save(model, path)
    found, opened = proposed(code, path, runtime)
    assert found
    write_fixed(opened, [each.fix for each in found], result)
    return onnx.load(result)


def ops(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def test_only_metadata_with_local_paths_is_dropped(tmp_path: Path) -> None:
    model = model_from_text(
        """
        <ir_version: 10, opset_import: ["" : 17]>
        main (float[2] x) => (float[2] y) { y = Relu (x) }
        """
    )
    for key, text in (("stack", 'File "/home/ann/train.py", line 7'), ("scope", "net.act")):
        model.graph.node[0].metadata_props.add(key=key, value=text)
    found = fixed("HYG014", model, tmp_path)
    assert [each.key for each in found.graph.node[0].metadata_props] == ["scope"]


def test_conversion_keeps_what_the_converter_does_not_know(tmp_path: Path) -> None:
    model = model_from_text(
        """
        <ir_version: 4, opset_import: ["" : 6, "com.microsoft" : 1]>
        main (float[1,4,2] x, float[4] s, float[4] b, float[4] m, float[4] v) => (float[1,4,2] y)
        {
            h = BatchNormalization <is_test = 1> (x, s, b, m, v)
            y = com.microsoft.Gelu (h)
        }
        """
    )
    large = np.arange(4096, dtype=np.float32)
    model.graph.initializer.append(numpy_helper.from_array(large, "spare"))
    model.graph.node[0].metadata_props.add(key="scope", value="net.norm")
    model.metadata_props.add(key="author", value="ann")
    found = fixed("CMP001", model, tmp_path, "onnxruntime")
    assert ops(found) == ops(model)
    assert found.opset_import[0].version == 7
    assert len(found.opset_import) == 2
    assert found.graph.node[0].metadata_props[0].value == "net.norm"
    assert found.metadata_props[0].value == "ann"
    assert (numpy_helper.to_array(found.graph.initializer[0]) == large).all()


BRANCHES = """
<ir_version: 8, opset_import: ["" : 17]>
main (bool c, float[2] x) => (float[2] y)
{
    h = Relu (x)
    i = Identity (h)
    y = If (c) <
        then_branch = yes () => (float[2] a) { a = Neg (i) },
        else_branch = no () => (float[2] b) { b = Identity (i) }
    >
}
"""


def test_what_branches_read_is_replaced_too(tmp_path: Path) -> None:
    found = fixed("HYG004", model_from_text(BRANCHES), tmp_path)
    assert ops(found) == ["Relu", "If"]
    branches = [attribute.g for attribute in found.graph.node[1].attribute]
    assert {node.input[0] for graph in branches for node in graph.node} == {"h"}


def test_an_identity_stays_where_a_branch_knows_its_source_by_another_name(tmp_path: Path) -> None:
    model = model_from_text(BRANCHES.replace("a = Neg (i)", "h = Neg (x)\n a = Add (h, i)"))
    onnx.save(model, tmp_path / "model.onnx")
    found, opened = proposed("HYG004", tmp_path / "model.onnx")
    with pytest.raises(Exception, match="h"):
        write_fixed(opened, [found[0].fix], tmp_path / "fixed.onnx")


def test_an_output_that_repeats_another_keeps_its_name(tmp_path: Path) -> None:
    model = model_from_text(
        """
        <ir_version: 8, opset_import: ["" : 17]>
        main (float[64,512] x) => (float[64,512] y, float[64,512] z)
        {
            y = Sin (x)
            z = Sin (x)
        }
        """
    )
    found = fixed("FUS033", model, tmp_path)
    assert [value.name for value in found.graph.output] == ["y", "z"]
    assert ops(found) == ["Sin", "Identity"]


def test_weights_in_a_branch_and_defaults_are_not_shared(tmp_path: Path) -> None:
    numbers = np.arange(256 * 128, dtype=np.float32).reshape(256, 128)
    weight = numpy_helper.from_array(numbers, "v")
    model = model_from_text(
        """
        <ir_version: 8, opset_import: ["" : 17]>
        main (float[2,256] x, float[256,128] v) => (float[2,128] y, float[2,128] z)
        {
            y = MatMul (x, v)
            z = MatMul (x, w)
        }
        """
    )
    other = onnx.TensorProto.FromString(weight.SerializeToString())
    other.name = "w"
    model.graph.initializer.extend([weight, other])
    onnx.save(model, tmp_path / "model.onnx")
    assert proposed("FUS034", tmp_path / "model.onnx")[0] == []
    del model.graph.input[1]
    assert [each.name for each in fixed("FUS034", model, tmp_path).graph.initializer] == ["v"]
