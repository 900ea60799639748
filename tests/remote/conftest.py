"""A folder of models, and web servers that serve it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnx.helper as oh
import onnx.numpy_helper as on
import pytest

from tests.remote.servers import Web, serving
from tests.support import EXAMPLES, model_from_text

RELU = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[1,4] x) => (float[1,4] y) { y = Relu (x) }
"""


def with_weights(count: int, *shape: int) -> onnx.ModelProto:
    """A chain of additions, each of a weight of its own."""
    nodes = [oh.make_node("Add", [f"x{at}", f"w{at}"], [f"x{at + 1}"]) for at in range(count)]
    weight = np.ones(shape, np.float32)
    graph = oh.make_graph(
        nodes,
        "chain",
        [oh.make_tensor_value_info("x0", onnx.TensorProto.FLOAT, shape)],
        [oh.make_tensor_value_info(f"x{count}", onnx.TensorProto.FLOAT, shape)],
        [on.from_array(weight, f"w{at}") for at in range(count)],
    )
    return oh.make_model(graph, opset_imports=[oh.make_opsetid("", 17)], ir_version=8)


def with_external_data(location: str) -> onnx.ModelProto:
    model = with_weights(1, 256)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return model


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in ("clean_classifier.onnx", "qat_residual.onnx"):
        shutil.copy(EXAMPLES / name, folder)
    onnx.save(model_from_text(RELU), folder / "relu.onnx")
    onnx.save(with_weights(10, 1024, 1024), folder / "large.onnx")
    onnx.save(with_external_data("weights/part.bin"), folder / "outside.onnx")
    (folder / "weights").mkdir()
    (folder / "weights/part.bin").write_bytes(bytes(1024))
    onnx.save(with_external_data("https://127.0.0.1/secret.bin"), folder / "naming.onnx")
    return folder


@pytest.fixture(scope="session")
def server(models: Path) -> Iterator[Web]:
    with serving(models) as web:
        yield web


@pytest.fixture
def web(server: Web) -> Web:
    """The server, with nothing asked yet."""
    server.asked.clear()
    server.secrets.clear()
    server.sent = server.edition = 0
    server.on_request = lambda count: None
    return server
