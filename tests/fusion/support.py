"""Small graphs, and the fusion rules alone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import onnx

from modellint.engine import lint_file
from modellint.plan import Plan
from modellint.results.finding import Finding
from modellint.rules.registry import load_rules
from modellint.rules.rule import Rule
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from modellint.targets.target import Precision

RULES: dict[str, Rule] = {
    code: rule for code, rule in load_rules(plugins=False).items() if rule.family == "fusion"
}
"""Every fusion rule."""
VERIFY = tuple(rule for rule in load_rules(plugins=False).values() if rule.family == "verify")


def lint(
    path: Path,
    *,
    runtime: str | None = "onnxruntime",
    codes: Sequence[str] = (),
    target: str | None = None,
    precision: Precision | None = None,
    batch: int | None = None,
    verify: bool = False,
) -> list[Finding]:
    """The findings of fusion rules that are on by default, or of those named."""
    rules = [RULES[code] for code in codes] or [
        rule for rule in RULES.values() if rule.default and "weights" not in rule.reads
    ]
    plan = Plan(
        rules=(*rules, *(VERIFY if verify else ())),
        deployments=(
            Deployment(
                target=find_target(target) if target else None,
                runtime=runtime,
                precision=precision,
                batch=batch,
            ),
        ),
        verify="onnxruntime" if verify else None,
    )
    findings = list(lint_file(path, path.name, plan).findings)
    crashes = [finding.message for finding in findings if finding.is_internal]
    assert not crashes, crashes
    return findings


def optimized(model: Path, result: Path) -> Path:
    """The model as ONNX Runtime's optimizer leaves it."""
    import onnxruntime

    with suppress(OSError):  # no rule used here reads the weights, which take long to write
        (result.parent / "optimized.bin").symlink_to(os.devnull)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(result)
    options.add_session_config_entry("session.disable_prepacking", "1")
    prefix = "session.optimized_model_external_initializers"
    options.add_session_config_entry(f"{prefix}_file_name", "optimized.bin")
    options.add_session_config_entry(f"{prefix}_min_size_in_bytes", "4096")
    onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return result


def operators(path: Path) -> Counter[str]:
    """Count the nodes of each operator in the main graph."""
    model = onnx.load(path, load_external_data=False)
    return Counter(node.op_type for node in model.graph.node)
