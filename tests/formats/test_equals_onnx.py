"""The reader sees what onnx itself sees, in every model that onnx's own tests come with."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from modellint.formats import read_model
from modellint.formats.onnx.facts import onnx_facts
from modellint.model import AttributeRef, Graph, Node, Tensor
from modellint.model.dtypes import BY_CODE
from tests.exports import EXPORTS

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
MODELS = [*sorted(DATA.rglob("*.onnx")), *sorted(EXPORTS.glob("*.onnx"))]


@pytest.mark.parametrize("path", MODELS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_reads_what_onnx_reads(path: Path) -> None:
    proto = onnx.load(path, load_external_data=False)
    model = read_model(path)
    facts = onnx_facts(model)
    assert facts.ir_version == proto.ir_version
    assert model.producer_name == proto.producer_name
    assert facts.opsets == {
        "" if entry.domain == "ai.onnx" else entry.domain: entry.version
        for entry in proto.opset_import
    }
    assert model.metadata == {entry.key: entry.value for entry in proto.metadata_props}
    assert_same_graph(model.graph, proto.graph)
    assert len(model.functions) == len(proto.functions)
    for (domain, name, overload), graph in model.functions.items():
        body = next(
            each
            for each in proto.functions
            if (each.domain, each.name, each.overload) == (domain, name, overload)
        )
        assert [value.name for value in graph.inputs] == list(body.input)
        assert [value.name for value in graph.outputs] == list(body.output)
        assert facts.functions[graph].attributes == tuple(body.attribute)
        assert_same_nodes(graph, body.node)


def assert_same_graph(graph: Graph, proto: onnx.GraphProto) -> None:
    assert graph.name == proto.name
    assert [value.name for value in graph.inputs] == [info.name for info in proto.input]
    assert [value.name for value in graph.outputs] == [info.name for info in proto.output]
    for info in [*proto.input, *proto.output, *proto.value_info]:
        value = graph.values.get(info.name)
        if value is not None and info.type.HasField("tensor_type"):
            assert_same_type(value.declared_dtype, value.declared_shape, info.type.tensor_type)
    stored = {value.name: value.tensor for value in graph.initializers}
    for initializer in proto.initializer:
        tensor = stored.pop(initializer.name)
        assert tensor is not None
        assert_same_tensor(tensor, initializer)
    assert set(stored) == {sparse.values.name for sparse in proto.sparse_initializer}
    assert_same_nodes(graph, proto.node)


def assert_same_nodes(graph: Graph, protos: Any) -> None:
    assert len(graph.nodes) == len(protos)
    for index, (node, proto) in enumerate(zip(graph.nodes, protos, strict=True)):
        assert (node.index, node.name, node.op_type) == (index, proto.name, proto.op_type)
        assert node.domain == ("" if proto.domain == "ai.onnx" else proto.domain)
        assert names(node.inputs) == list(proto.input)
        assert names(node.outputs) == list(proto.output)
        assert_same_attributes(node, proto.attribute)
        for place, value in enumerate(node.inputs):
            assert value is None or (node, place) in value.consumers
        for place, value in enumerate(node.outputs):
            assert value is None or (value.producer is node and value.index == place)
    for value in graph.values.values():
        for use in value.consumers:
            assert use.node.inputs[use.index] is value


def names(values: Any) -> list[str]:
    return ["" if value is None else value.name for value in values]


def assert_same_attributes(node: Node, protos: Any) -> None:
    graphs = dict(subgraphs(protos))
    assert set(node.subgraphs) == set(graphs)
    for name, graph in graphs.items():
        assert node.subgraphs[name].parent is node
        assert_same_graph(node.subgraphs[name], graph)
    plain = [
        proto for proto in protos if proto.type not in (AttributeProto.GRAPH, AttributeProto.GRAPHS)
    ]
    assert set(node.attributes) == {proto.name for proto in plain}
    for proto in plain:
        assert_same_attribute(node.attributes[proto.name], proto)


def subgraphs(protos: Any) -> Iterator[tuple[str, onnx.GraphProto]]:
    for proto in protos:
        if proto.HasField("g"):
            yield proto.name, proto.g
        for index, graph in enumerate(proto.graphs):
            yield f"{proto.name}[{index}]", graph


def assert_same_attribute(value: Any, proto: onnx.AttributeProto) -> None:
    if proto.ref_attr_name:
        assert value == AttributeRef(proto.ref_attr_name)
        return
    expected = helper.get_attribute_value(proto)
    if isinstance(value, Tensor):
        assert_same_tensor(value, expected)
    elif proto.type == AttributeProto.FLOAT:
        assert np.float32(value) == np.float32(expected) or math.isnan(expected)
    elif proto.type == AttributeProto.FLOATS:
        np.testing.assert_array_equal(np.float32(value), np.float32(expected))
    elif proto.type == AttributeProto.STRING:
        assert value == expected.decode()
    elif proto.type == AttributeProto.STRINGS:
        assert value == tuple(text.decode() for text in expected)
    elif proto.type == AttributeProto.INTS:
        assert value == tuple(expected)
    elif proto.type == AttributeProto.INT:
        assert value == expected
    else:
        assert proto.type in (
            AttributeProto.TYPE_PROTO,
            AttributeProto.SPARSE_TENSOR,
            AttributeProto.TENSORS,
        )


def assert_same_type(dtype: Any, shape: Any, proto: Any) -> None:
    if proto.elem_type:
        assert dtype == BY_CODE[proto.elem_type]
    if proto.HasField("shape"):
        assert shape is not None
        for dim, expected in zip(shape, proto.shape.dim, strict=True):
            if expected.HasField("dim_value") and expected.dim_value >= 0:
                assert dim == expected.dim_value
            elif expected.dim_param:
                assert dim == expected.dim_param or isinstance(dim, int)


def assert_same_tensor(tensor: Tensor, proto: TensorProto) -> None:
    assert tensor.dtype == BY_CODE[proto.data_type]
    assert tensor.shape == tuple(proto.dims)
    if proto.data_location == TensorProto.EXTERNAL:
        return
    expected = numpy_helper.to_array(proto)
    elements = tensor.numpy()
    assert elements is not None
    assert elements.shape == expected.shape
    if tensor.dtype.kind == "string":
        words: list[Any] = list(elements.reshape(-1))
        assert [word.decode() for word in words] == list(expected.reshape(-1))
    else:
        np.testing.assert_array_equal(
            elements.astype(expected.dtype), expected, err_msg=tensor.name
        )
        assert tensor.nbytes == tensor.dtype.nbytes(expected.size)
