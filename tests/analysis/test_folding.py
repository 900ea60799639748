"""Values that are constant as deployed, and the arithmetic of shapes next to ONNX's inference."""

from __future__ import annotations

import pytest

from modellint.analysis.assume import settle
from modellint.analysis.folding import Folding, folding
from modellint.analysis.shapes import DeployedTypes
from modellint.model import Value, is_static
from modellint.targets.deployment import Deployment
from tests.analysis.kept import export, graph


def value(found: Folding, name: str) -> Value:
    graph_ = found._model.graph
    assert graph_ is not None
    return graph_.values[name]


def test_what_hangs_on_constants_is_folded_and_what_runs_is_not() -> None:
    model = graph(
        "a = Exp(w) b = Add(a, w) y = Add(x, b)",
        "float[4] x",
        "float[4] y",
        weights="float[4] w = {1.0, 2.0, 3.0, 4.0}",
    )
    found = folding(model, Deployment())
    assert [found.is_folded(node) for node in model.graph.nodes] == [True, True, False]
    assert [each.name for each in found.weights()] == ["b"]


def test_quantized_weights_stay_as_they_are_stored() -> None:
    model = graph(
        "d = DequantizeLinear(w, s) y = Add(x, d)",
        "float[2] x",
        "float[2] y",
        weights="int8[2] w = {1, 2}, float s = {0.5}",
    )
    assert {each.name for each in folding(model, Deployment()).weights()} == {"w", "s"}


def test_random_numbers_are_not_constants() -> None:
    model = graph("r = RandomNormal<shape=[4]>() y = Add(x, r)", "float[4] x", "float[4] y")
    assert not folding(model, Deployment()).is_folded(model.graph.nodes[0])


def test_constants_computed_alike_are_one() -> None:
    model = graph(
        """
        s = Constant<value = int64[1] {64}>()
        a = ConstantOfShape<value = float[1] {1.0}>(s)
        t = Constant<value = int64[1] {64}>()
        b = ConstantOfShape<value = float[1] {1.0}>(t)
        c = ConstantOfShape<value = float[1] {2.0}>(t)
        y = Sum(x, a, b, c)
        """,
        "float[64] x",
        "float[64] y",
    )
    assert [each.name for each in folding(model, Deployment()).weights()] == ["a", "c"]


def test_shape_arithmetic_that_inference_cannot_follow() -> None:
    model = graph(
        """
        s = Shape(x)
        two = Constant<value = int64[1] {2}>()
        h = Div(s, two)
        z = Constant<value_ints = [0]>()
        n = Slice(h, z, two)
        f = ConstantOfShape(n)
        y = Exp(f)
        """,
        "float[A,B] x",
        "float[C,D] y",
    )
    found = Folding(model, Deployment(symbols={"A": 6, "B": 10}))
    assert found.types.shape(value(found, "f")) == (3, 5)
    numbers = found.numbers(value(found, "n"))
    assert numbers is not None
    assert numbers.tolist() == [3, 5]


def test_computed_padding_is_limited() -> None:
    """As in timm's exports of TensorFlow's padding, which is never below zero."""
    model = graph(
        """
        s = Shape(x)
        two = Constant<value = int64[1] {2}>()
        least = Constant<value = int64 {0}>()
        most = Constant<value = int64 {3}>()
        n = Sub(s, two)
        a = Clip(n, least)
        b = Clip(n, least, most)
        c = Clip(n, , most)
        f = ConstantOfShape(b)
        y = Exp(f)
        """,
        "float[A,B] x",
        "float[C,D] y",
    )
    found = Folding(model, Deployment(symbols={"A": 1, "B": 10}))
    results = {name: found.numbers(value(found, name)) for name in "abc"}
    assert {name: each.tolist() for name, each in results.items() if each is not None} == {
        "a": [0, 8],
        "b": [0, 3],
        "c": [-1, 3],
    }
    assert found.types.shape(value(found, "f")) == (0, 3)


@pytest.mark.parametrize(
    "name",
    ["bert_base_uncased", "shufflenet_v2_x1_0", "swin_t", "yolos_tiny", "t5_small_encoder", "gpt2"],
)
def test_every_shape_of_a_real_export_is_found(name: str) -> None:
    model = export(name)
    types = DeployedTypes(model, settle(model, Deployment(batch=2)).deployment)
    open_values = [
        each.name
        for node in model.graph.nodes
        for each in node.outputs
        if each is not None and not is_static(types.shape(each))
    ]
    assert open_values == []


def test_what_is_not_stated_is_reported() -> None:
    assert settle(export("bert_base_uncased"), Deployment(batch=4)).assumed == {"sequence": 128}
    assert settle(export("resnet50"), Deployment()).assumed == {"batch": 1}
    assert settle(export("resnet50"), Deployment(symbols={"batch": 2})).assumed == {}
