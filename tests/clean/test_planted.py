"""One defect, planted in a clean export: its rule fires there, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modellint.engine import lint_file
from modellint.plan import Plan
from modellint.results.finding import Finding, Severity
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.clean.goldens import rules
from tests.exports import materialise

Plant = Callable[[onnx.ModelProto], str]
"""Changes the model, and says at which label the rule must fire."""

DEPLOYMENT = Deployment(target=find_target("a10"), runtime="tensorrt", precision="fp16")


class Defect(NamedTuple):
    code: str
    export: str
    plant: Plant
    also: tuple[str, ...] = ()
    """Rules that say the same of the defect from another side."""


def node_of(model: onnx.ModelProto, op_type: str, place: int = 0) -> onnx.NodeProto:
    nodes: list[onnx.NodeProto] = [node for node in model.graph.node if node.op_type == op_type]
    return nodes[place]


def insert_after(model: onnx.ModelProto, node: onnx.NodeProto, *chain: onnx.NodeProto) -> None:
    """Put a chain of one-input nodes between a node and whatever reads its first output."""
    source, last = node.output[0], chain[-1].output[0]
    for other in model.graph.node:
        for index, name in enumerate(other.input):
            if name == source:
                other.input[index] = last
    chain[0].input[0] = source
    place = list(model.graph.node).index(node) + 1
    for offset, each in enumerate(chain):
        model.graph.node.insert(place + offset, each)


def constant(model: onnx.ModelProto, name: str, numbers: object, dtype: str = "float32") -> str:
    tensor = numpy_helper.from_array(np.array(numbers, dtype), name)
    model.graph.initializer.append(tensor)
    return name


def baked_reshape(model: onnx.ModelProto) -> str:
    flatten = node_of(model, "Flatten")
    shape = constant(model, "traced_shape", [1, 2048], "int64")
    reshape = helper.make_node("Reshape", [flatten.input[0], shape], flatten.output, "planted")
    model.graph.node.insert(list(model.graph.node).index(flatten), reshape)
    model.graph.node.remove(flatten)
    return "planted"


def baked_token(model: onnx.ModelProto) -> str:
    output = model.graph.output[0]
    token = constant(model, "token", np.zeros((1, 24)))
    model.graph.node.append(
        helper.make_node("Concat", [token, output.name], ["joined"], "planted", axis=1)
    )
    output.name = "joined"
    output.type.tensor_type.shape.dim[1].dim_value = 1024
    return "planted"


def sweep(model: onnx.ModelProto) -> None:
    """Remove what nothing reads any more."""
    read = {value.name for value in model.graph.output}
    for node in reversed(list(model.graph.node)):
        if read.isdisjoint(node.output):
            model.graph.node.remove(node)
        else:
            read.update(node.input)
    for tensor in list(model.graph.initializer):
        if tensor.name not in read:
            model.graph.initializer.remove(tensor)


def unnamed_batch(model: onnx.ModelProto) -> str:
    model.graph.input[0].type.tensor_type.shape.dim[0].Clear()
    return str(model.graph.input[0].name)


def batch_and_height_alike(model: onnx.ModelProto) -> str:
    dims = model.graph.input[0].type.tensor_type.shape.dim
    dims[2].dim_param = dims[0].dim_param
    return str(model.graph.input[0].name)


def nonzero(model: onnx.ModelProto) -> str:
    scores = model.graph.output[0].name
    model.graph.node.append(helper.make_node("NonZero", [scores], ["kept"], "planted"))
    model.graph.output.append(helper.make_tensor_value_info("kept", TensorProto.INT64, [2, "n"]))
    return "planted"


def sequence(model: onnx.ModelProto) -> str:
    scores = model.graph.output[0].name
    split = helper.make_node("SplitToSequence", [scores], ["parts"], "planted")
    join = helper.make_node("ConcatFromSequence", ["parts"], ["joined"], axis=0)
    model.graph.node.extend([split, join])
    output = helper.make_tensor_value_info("joined", TensorProto.FLOAT, ["batch", 1000])
    model.graph.output.append(output)
    return "planted"


def double(model: onnx.ModelProto) -> str:
    relu = node_of(model, "Relu")
    there = helper.make_node("Cast", [""], ["wide"], "planted", to=TensorProto.DOUBLE)
    work = helper.make_node("Neg", ["wide"], ["wider"])
    back = helper.make_node("Cast", ["wider"], ["narrow"], to=TensorProto.FLOAT)
    insert_after(model, relu, there, work, back)
    return "planted"


def mask(model: onnx.ModelProto) -> str:
    softmax = node_of(model, "Softmax")
    softmax.input[0], scores = "masked", softmax.input[0]
    number = constant(model, "big", [-1e9])
    add = helper.make_node("Add", [scores, number], ["masked"], "planted")
    model.graph.node.insert(list(model.graph.node).index(softmax), add)
    return "planted"


def crossed_clip(model: onnx.ModelProto) -> str:
    clip = node_of(model, "Clip")
    clip.input[1] = constant(model, "low", 6)
    clip.input[2] = constant(model, "high", 0)
    clip.name = "planted"
    sweep(model)
    return "planted"


def zero_divisor(model: onnx.ModelProto) -> str:
    scale = constant(model, "scale", [[[[1.0]], [[0.0]], [[2.0]]]])
    image = model.graph.input[0].name
    first = model.graph.node[0]
    divide = helper.make_node("Div", [image, scale], ["divided"], "planted")
    first.input[0] = "divided"
    model.graph.node.insert(0, divide)
    return "planted"


def training_batchnorm(model: onnx.ModelProto) -> str:
    norm = node_of(model, "BatchNormalization")
    norm.name = "planted"
    norm.output.extend(["batch_mean", "batch_var"])
    norm.attribute.append(helper.make_attribute("training_mode", 1))
    return "planted"


def unread_input(model: onnx.ModelProto) -> str:
    model.graph.input.append(helper.make_tensor_value_info("extra", TensorProto.FLOAT, [1]))
    return "extra"


def unread_weight(model: onnx.ModelProto) -> str:
    return constant(model, "leftover", np.arange(4096))


def dead_end(model: onnx.ModelProto) -> str:
    relu = node_of(model, "Relu")
    model.graph.node.append(helper.make_node("Neg", [relu.output[0]], ["unread"], "planted"))
    return "planted"


def twice_named(model: onnx.ModelProto) -> str:
    for node in (node_of(model, "Conv", 0), node_of(model, "Conv", 1)):
        node.name = "planted"
    return "planted"


def constant_output(model: onnx.ModelProto) -> str:
    constant(model, "classes", [1.0, 2.0])
    model.graph.output.append(helper.make_tensor_value_info("classes", TensorProto.FLOAT, [2]))
    return "classes"


def normalized_image(model: onnx.ModelProto) -> str:
    image = model.graph.input[0].name
    mean = constant(model, "mean", [[[[0.5]], [[0.4]], [[0.3]]]])
    model.graph.node[0].input[0] = "centred"
    model.graph.node.insert(0, helper.make_node("Sub", [image, mean], ["centred"], "planted"))
    return "planted"


def transposed_image(model: onnx.ModelProto) -> str:
    dims = model.graph.input[0].type.tensor_type.shape.dim
    channels, height = dims[1].dim_value, dims[2].dim_value
    dims[1].dim_value, dims[2].dim_value, dims[3].dim_value = height, height, channels
    image = model.graph.input[0].name
    turn = helper.make_node("Transpose", [image], ["turned"], "planted", perm=[0, 3, 1, 2])
    model.graph.node[0].input[0] = "turned"
    model.graph.node.insert(0, turn)
    return "planted"


def stranger(model: onnx.ModelProto) -> str:
    model.opset_import.append(helper.make_opsetid("com.acme", 1))
    relu = node_of(model, "Relu")
    relu.domain, relu.op_type, relu.name = "com.acme", "Swoosh", "planted"
    return "planted"


def drop(model: onnx.ModelProto) -> str:
    dropout = helper.make_node("Dropout", [""], ["dropped"], "planted")
    insert_after(model, node_of(model, "Relu"), dropout)
    return "planted"


def rename(model: onnx.ModelProto) -> str:
    identity = helper.make_node("Identity", [""], ["renamed"], "planted")
    insert_after(model, node_of(model, "Relu"), identity)
    return "planted"


DEFECTS = (
    Defect("DYN001", "resnet18", unnamed_batch),
    Defect("DYN002", "resnet50", baked_reshape),
    Defect("DYN006", "resnet18", batch_and_height_alike),
    Defect("DYN008", "resnet18", nonzero),
    Defect("DYN012", "resnet18", sequence),
    Defect("DYN015", "resnet18", baked_token),
    Defect("NUM001", "resnet18", double),
    Defect("NUM002", "vit_b_16", mask),
    Defect("NUM013", "resnet18", zero_divisor),
    Defect("NUM014", "mobilenet_v2", crossed_clip),
    Defect("HYG001", "resnet18", unread_weight),
    Defect("HYG002", "resnet18", dead_end),
    Defect("HYG003", "resnet18", twice_named),
    Defect("HYG004", "resnet18", rename),
    Defect("HYG005", "resnet18", drop),
    Defect("TRT004", "resnet18", training_batchnorm),  # for TensorRT in place of HYG006
    Defect("HYG007", "resnet18", unread_input),
    Defect("HYG008", "resnet18", constant_output),
    Defect("HYG015", "resnet18", transposed_image),
    Defect("HYG016", "resnet18", normalized_image),
    Defect("CMP006", "resnet18", stranger),
)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.code)
def test_planted_defect(defect: Defect, tmp_path: Path) -> None:
    path = materialise(defect.export, tmp_path)
    before = {(finding.code, label) for finding, label in found(path)}
    model = onnx.load(path, load_external_data=False)
    label = defect.plant(model)
    onnx.save(model, path)
    new = [
        (finding, label) for finding, label in found(path) if (finding.code, label) not in before
    ]
    assert (defect.code, label) in {(finding.code, label) for finding, label in new}
    others = [finding for finding, _ in new if finding.code not in (defect.code, *defect.also)]
    loud = [f"{each.code} {each.message}" for each in others if each.severity > Severity.INFO]
    assert not loud


def found(path: Path) -> list[tuple[Finding, str]]:
    plan = Plan(rules=rules(), deployments=(DEPLOYMENT,), read_weights=False)
    findings = lint_file(path, path.name, plan).findings
    return [(finding, finding.location.label) for finding in findings]


def numbers_changed(path: Path, change: Callable[[np.ndarray], None]) -> str:
    """Fill the weights with random numbers, then change those of the first convolution."""
    model = onnx.load(path, load_external_data=False)
    weight = str(node_of(model, "Conv").input[1])
    tensor = next(each for each in model.graph.initializer if each.name == weight)
    entry = {item.key: item.value for item in tensor.external_data}
    numbers = np.memmap(
        path.with_name(entry["location"]),
        np.float32,
        "r+",
        int(entry["offset"]),
        tuple(tensor.dims),
    )
    change(numbers)
    numbers.flush()
    return weight


def set_nan(numbers: np.ndarray) -> None:
    numbers[0, 0, 0, 0] = np.nan


def set_huge(numbers: np.ndarray) -> None:
    numbers[1] = 1e6


def set_tiny(numbers: np.ndarray) -> None:
    numbers[: len(numbers) // 2] = 1e-9


@pytest.mark.parametrize(
    ("code", "change"),
    [("NUM003", set_nan), ("NUM004", set_huge), ("NUM005", set_tiny)],
)
def test_planted_number(code: str, change: Callable[[np.ndarray], None], tmp_path: Path) -> None:
    path = materialise("squeezenet1_0", tmp_path, random=True)
    plan = Plan(rules=rules(), deployments=(DEPLOYMENT,))
    before = {finding.code for finding in lint_file(path, path.name, plan).findings}
    weight = numbers_changed(path, change)
    findings = lint_file(path, path.name, plan).findings
    assert [finding.location.value for finding in findings if finding.code == code] == [weight]
    assert {finding.code for finding in findings} - before == {code}
