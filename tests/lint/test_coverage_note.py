"""A file that most rules had nothing to ask of is not passed over with "No findings"."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support import run_cli


def test_a_file_without_a_graph_says_how_many_rules_apply(tmp_path: Path) -> None:
    layers = {"Layers": [{"Name": "conv", "LayerType": "Convolution", "Inputs": [], "Outputs": []}]}
    (tmp_path / "layers.json").write_text(json.dumps(layers))
    run = run_cli("layers.json", "-o", "json", cwd=tmp_path)
    (model,) = json.loads(run.stdout)["models"]
    assert 0 < model["rules"]["asked"] < model["rules"]["of"]
    said = f"layers.json: {model['rules']['asked']} of {model['rules']['of']} rules apply"
    assert said in run.stderr
