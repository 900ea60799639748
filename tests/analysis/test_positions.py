"""A table of positions is long enough, or the sequence does not fit whatever the memory."""

from __future__ import annotations

import pytest

from modellint.analysis.memory import memory
from modellint.analysis.positions import positions_suffice
from modellint.analysis.shapes import DeployedTypes
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.analysis.kept import export, graph

TABLE = 'float[64,8] t = ["location": "w.bin", "offset": "0", "length": "2048"]'
COUNTED = """
s = Shape(x) at = Constant<value = int64 {1}>() n = Gather(s, at)
p = Shape(k) two = Constant<value = int64 {2}>() past = Gather(p, two) end = Add(past, n)
one = Constant<value = int64 {1}>() r = Range(past, end, one) y = Gather(t, r)
"""
MODELS = {
    "counted": (COUNTED, "int64[1,S] x, float[1,2,P,4] k", "float[S,8] y"),
    "fed": (
        "y = Gather(t, position_ids)",
        "int64[1,S] position_ids, float[1,2,P,4] k",
        "float[1,S,8] y",
    ),
    "rotated": (
        """y, pk, pv = com.microsoft.GroupQueryAttention<num_heads=2, kv_num_heads=2, do_rotary=1>
        (q, q, q, k, k, l, n, t, t)""",
        "float[1,S,32] q, float[1,2,P,16] k, int32[1] l, int32 n",
        "float[1,S,32] y, float[1,2,T,16] pk, float[1,2,T,16] pv",
    ),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("new", "cached", "fits"), [(64, 0, True), (4, 60, True), (5, 60, False)])
def test_new_and_cached_positions_share_the_table(
    name: str, new: int, cached: int, fits: bool
) -> None:
    model = graph(*MODELS[name], weights=TABLE)
    types = DeployedTypes(model, Deployment(symbols={"S": new, "P": cached}))
    assert positions_suffice(model, types, cached) is fits


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("y = Gather(t, x)", id="tokens"),
        pytest.param("m = Constant<value = int64 {63}>() i = Min(x, m) y = Gather(t, i)", id="min"),
    ],
)
def test_other_tables_do_not_limit_the_length(body: str) -> None:
    model = graph(body, "int64[1,S] x", "float[1,S,8] y", weights=TABLE)
    types = DeployedTypes(model, Deployment(symbols={"S": 1000}))
    assert positions_suffice(model, types, 0)


@pytest.mark.parametrize(("past", "fits"), [(1023, True), (1024, False)])
def test_gpt2_has_room_for_as_many_positions_as_it_has(past: int, fits: bool) -> None:
    sizes = {"sequence": 1, "batch": 1, "past": past}
    deployment = Deployment(target=find_target("a10"), runtime="tensorrt", symbols=sizes)
    assert memory(export("gpt2"), deployment).footprint.has_positions is fits
