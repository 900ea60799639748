"""The pages that docs/diff.md shows. `python -m tests.diff.sample` writes them again."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import onnx
from onnx import ModelProto, helper, numpy_helper

from tests.diff.pairs import SMALL, quantized
from tests.support import ROOT, run_cli

DOCS = ROOT / "docs" / "diff.md"
BLOCK = re.compile(r"```console\n\$ modellint (diff [^\n]*)\n((?:.*\n)*?)```\n")


def edited(model: ModelProto) -> ModelProto:
    """A version with changes of all kinds: an input, a layer's stride, a weight, an activation."""
    graph = model.graph
    for value in (graph.input[0], graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = 4
    left = next(node for node in graph.node if "left" in node.name)
    next(a for a in left.attribute if a.name == "dilations").ints[:] = [2, 2]
    next(a for a in left.attribute if a.name == "pads").ints[:] = [2, 2, 2, 2]
    next(node for node in graph.node if node.op_type == "Sigmoid").op_type = "HardSigmoid"
    head = next(tensor for tensor in graph.initializer if tensor.name == "head.weight")
    numbers = numpy_helper.to_array(head).copy()
    numbers[0, :4] *= 0.5
    head.CopyFrom(numpy_helper.from_array(numbers, head.name))
    last = graph.output[0].name
    graph.node[-1].output[0] = "logits"
    graph.node.append(helper.make_node("Softmax", ["logits"], [last], name="probabilities"))
    return model


def prepare(folder: Path) -> None:
    """Put the models that the page names into a folder."""
    for name in ("encoder", "convolutional"):
        shutil.copyfile(SMALL / f"{name}_torchscript.onnx", folder / f"{name}.onnx")
    shutil.copyfile(SMALL / "encoder_dynamo.onnx", folder / "encoder-again.onnx")
    network = onnx.load(folder / "convolutional.onnx")
    onnx.save(edited(onnx.load(folder / "convolutional.onnx")), folder / "edited.onnx")
    onnx.save(quantized(network, "int8"), folder / "int8.onnx")


def run(command: str, folder: Path) -> str:
    return run_cli(*command.split(), "--isolated", cwd=folder).stdout.rstrip() + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        text = BLOCK.sub(
            lambda found: f"```console\n$ modellint {found[1]}\n{run(found[1], folder)}```\n",
            DOCS.read_text(encoding="utf-8"),
        )
    DOCS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
