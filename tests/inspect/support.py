"""Models for inspecting, and a short way to inspect them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from modellint.inspector import Asked, inspect_model
from modellint.results.inspection import Inspection
from modellint.rules.registry import load_rules
from modellint.targets import find_target, load_targets
from modellint.targets.deployment import Deployment
from tests.exports import EXPORTS
from tests.support import run_cli, save

HEADER = '<ir_version: 8, opset_import: ["" : 17]>\n'
ATTENTION = (
    HEADER
    + """
decoder (float[batch, 4, new, 16] x,
         float[batch, 4, past, 16] past_k, float[batch, 4, past, 16] past_v)
     => (float[batch, 4, new, 16] y, float[batch, 4, total, 16] new_k,
         float[batch, 4, total, 16] new_v)
{
    q = Tanh (x)
    k = Relu (x)
    v = Sigmoid (x)
    new_k = Concat <axis = 2> (past_k, k)
    new_v = Concat <axis = 2> (past_v, v)
    kt = Transpose <perm = [0, 1, 3, 2]> (new_k)
    scores = MatMul (q, kt)
    p = Softmax (scores)
    y = MatMul (p, new_v)
}
"""
)
"""One layer of a decoder with its cache: 2 x 4 x 16 x new x (past + new) MACs."""
BRANCHES = (
    HEADER
    + """
branches (bool c, float[4, 8] x) => (float[4, 8] y)
{
    y = If (c) <
        then_branch = then_body () => (float[4, 8] a) { a = Relu (x) },
        else_branch = else_body () => (float[4, 8] b) { b = Sigmoid (x) }
    >
}
"""
)
FUNCTIONS = """
<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
caller (float[4, 8] x) => (float[4, 8] y) { y = local.twice (x) }

<domain: "local", opset_import: ["" : 17]>
twice (x) => (y) { y = Add (x, x) }
"""
NOTHING = HEADER + "nothing (float[4] x) => (float[4] x) { }"
DANGLING = HEADER + "dangling (float[4] x) => (float[4] y) { y = Relu (missing) }"


def deployment(target: str | None = None, **more: Any) -> Deployment:
    found = find_target(target) if target is not None else None
    runtime = found.default_runtime if found is not None else None
    return replace(Deployment(target=found, runtime=runtime), **more)


def inspect(path: Path, *deployments: Deployment, **more: Any) -> Inspection:
    asked = Asked(deployments or (Deployment(),), load_rules(), targets=load_targets, **more)
    return inspect_model(path, path.name, asked)


def inspect_text(text: str, folder: Path, *deployments: Deployment, **more: Any) -> Inspection:
    return inspect(save(text, folder / "model.onnx"), *deployments, **more)


def inspect_export(name: str, *deployments: Deployment, **more: Any) -> Inspection:
    return inspect(EXPORTS / f"{name}.onnx", *deployments, **more)


def inspect_json(*args: str | Path) -> dict[str, Any]:
    """Return the program's description of one model."""
    result = run_cli("inspect", "--isolated", "--json", *args)
    document: dict[str, Any] = json.loads(result.stdout)
    return document
