"""Two models compared value by value."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from modellint.execution import Point, TracedModel, made_up, trace
from modellint.formats import read_model
from tests.support import save

CHAIN = """
<ir_version: 10, opset_import: ["" : 21]>
g (float[batch, 4] x) => (float[batch, 4] y)
<float[4] one = {1, 1, 1, 1}, float[4] two = {2, 2, 2, 2}, float none = {0}> {
  a = Add(x, one)
  b = Mul(a, two)
  c = Relu(b)
  d = Mul(c, none)
  y = Sub(c, d)
}
"""


def test_the_first_value_that_differs_is_seen_in_passes(tmp_path: Path) -> None:
    old = read_model(save(CHAIN, tmp_path / "old.onnx"))
    new = read_model(save(CHAIN.replace("{2, 2, 2, 2}", "{2, 2, -2, 2}"), tmp_path / "new.onnx"))
    feeds = [made_up(old, seed) for seed in range(2)]
    points = [
        *(Point(name, name, axis=1, bounds=(-1, 1)) for name in "abcdy"),
        Point(None, "c"),
        Point("not there", "c"),
    ]
    seen = list(trace(TracedModel(old, feeds), TracedModel(new, feeds), points, budget=200))
    assert [each.point for each in seen] == points
    same = [each.deviation is not None and each.deviation.bitwise for each in seen[:5]]
    assert same == [True, False, False, True, False]
    middle, dead = seen[1].new, seen[3].old
    assert middle is not None
    given = np.concatenate([(feed["x"] + 1) * [2, 2, -2, 2] for feed in feeds])
    assert np.allclose((middle.minimum, middle.maximum), (given.min(), given.max()))
    assert middle.clipped == np.count_nonzero(np.abs(given) > 1)
    assert dead is not None
    assert dead.dead == (0, 1, 2, 3)
    assert seen[5].deviation is None
    assert seen[5].old is None
    assert seen[6].deviation is None
