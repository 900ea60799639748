"""Sizes that rules call baked in are: ONNX Runtime fails with others, or mixes samples."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest

from modellint.rules.registry import load_rules
from modellint.rules.rule import Example

ort = pytest.importorskip("onnxruntime")
STATE = ort.capi.onnxruntime_pybind11_state
REFUSALS = (STATE.RuntimeException, STATE.InvalidArgument, STATE.Fail)
RULES = load_rules(plugins=False)
RESHAPES = RULES["DYN002"].examples
FLATTENED = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[batch,3,height,width] x, float[8,3,3,3] k, float[512,10] w) => (float[batch,10] y)
{ c = Conv (x, k) f = Flatten (c) y = Gemm (f, w) }
"""


def batch_kept(model: str, batch: int) -> bool:
    """Return True if a batch of that size runs and comes out as that many samples."""
    proto = onnx.parser.parse_model(model)
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    shape = [dim.dim_value or batch for dim in dims]
    if not dims[0].dim_param:
        return batch == shape[0]
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    try:
        (result, *_) = session.run(None, {"x": np.ones(shape, np.float32)})
    except REFUSALS:
        return False
    return bool(result.shape[0] == batch)


@pytest.mark.parametrize("example", RESHAPES.invalid, ids=range(len(RESHAPES.invalid)))
def test_a_reshape_that_is_reported_keeps_no_batch_of_two(example: Example) -> None:
    assert batch_kept(example.model, 1)
    assert not batch_kept(example.model, 2)


@pytest.mark.parametrize("sides", [(10, 10), (12, 12)], ids=str)
def test_a_layer_after_a_flattened_image_takes_one_size(sides: tuple[int, int]) -> None:
    proto = onnx.parser.parse_model(FLATTENED)
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = {
        "x": np.ones((2, 3, *sides), np.float32),
        "k": np.ones((8, 3, 3, 3), np.float32),
        "w": np.ones((512, 10), np.float32),
    }
    if sides == (10, 10):
        assert session.run(None, inputs)[0].shape == (2, 10)
    else:
        with pytest.raises(REFUSALS):
            session.run(None, inputs)
