"""Results as real runs give them, made by hand: reports never see a model."""

from __future__ import annotations

import re
from dataclasses import replace

from modellint.results.finding import (
    Assumptions,
    DeploymentPart,
    Finding,
    Frame,
    FrameRow,
    Location,
    ModelSummary,
    Result,
    RuleInfo,
    Severity,
)

HOSTILE_NAMES = (
    "[/x]",
    "[red]danger[/red]",
    "two\nlines\r\n::error::injected",
    "\x1b[31mred\x1b[0m\x9b31m",
    "abc\u202etxt.exe\u2066",
    "a|b`c`<img src=x>@team [link](http://evil.example) <!-- -->",
    "]]></failure>&amp;'\"",
    "100%,a:b",
    "##[error]x ##vso[task.setvariable]y",
    "broken \udce9 unicode \ud800",
    "名前" * 40,
    "",
)

NOT_IN_PATHS = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")
"""A character that the system never gives in a path."""

RULES = {
    rule.code: rule
    for rule in (
        RuleInfo(
            code="FIL003",
            name="git-lfs-pointer",
            family="file",
            summary="A Git LFS pointer where a model should be.",
            severity=Severity.ERROR,
            why="The file holds the address of a model in Git LFS, not the model.",
            fix="Fetch it with `git lfs pull`.",
            markdown="# git-lfs-pointer (FIL003)\n\nA Git LFS pointer where a model should be.\n",
            sources=("https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md",),
        ),
        RuleInfo(
            code="FUS002",
            name="batchnorm-after-conv",
            family="fusion",
            summary="A BatchNormalization that could have been folded into the Conv before it.",
            severity=Severity.WARNING,
            why="At inference both are affine, so the Conv can carry the normalization at no cost.",
            fix="Export in eval mode, or fold it with an optimizer.",
            markdown="# batchnorm-after-conv (FUS002)\n\nA BatchNormalization that ...\n",
        ),
        RuleInfo(
            code="NUM002",
            name="fp16-overflow-constant",
            family="numerics",
            summary="A constant beyond fp16's range in a model deployed in fp16.",
            severity=Severity.ERROR,
            why="fp16 ends at 65504; what is beyond becomes infinite.",
            fix="Use -1e4 in masks.",
            markdown="# fp16-overflow-constant (NUM002)\n\nA constant beyond fp16's range.\n",
        ),
        RuleInfo(
            code="DYN001",
            name="unnamed-dynamic-dim",
            family="shapes",
            summary="A dynamic dimension without a name.",
            severity=Severity.INFO,
            why="Two dims without names cannot be known to be equal.",
            fix="Name it in `dynamic_axes`.",
            markdown="# unnamed-dynamic-dim (DYN001)\n\nA dynamic dimension without a name.\n",
        ),
    )
}

OVERFLOW = Finding(
    code="NUM002",
    rule="fp16-overflow-constant",
    family="numerics",
    severity=Severity.ERROR,
    fails=True,
    message=(
        "'/encoder/layer.0/attention/self/Constant_12' holds -3.4e+38, which is -inf in fp16 "
        "(its range ends at 65504)."
    ),
    path="models/bert-base.onnx",
    location=Location(
        "main_graph",
        "/encoder/layer.0/attention/self/Add_2",
        214,
        "Add",
        "/encoder/layer.0/attention/self/Add_2_output_0",
    ),
    why=(
        "A row of a mask that is -inf throughout makes Softmax divide zero by zero, and the NaN "
        "spreads to the whole sequence. The model was exported in fp32, where the constant is "
        "merely large, so nothing shows until it is built for fp16."
    ),
    fix="Export with a mask value of -1e4, or keep this Add and the Softmax after it in fp32.",
    runtime="tensorrt",
    target="a10",
    confidence="derived",
    evidence={"value": -3.4028234663852886e38, "limit": 65504, "elements": 16384},
    fingerprint="3f9a1c52b07d4e68",
    frame=Frame(
        rows=(
            FrameRow("Mul", "/encoder/layer.0/attention/self/Mul", "float32 [N, 12, S, S]"),
            FrameRow("Add", "/encoder/layer.0/attention/self/Add_2", "float32 [N, 12, S, S]", True),
            FrameRow("Softmax", "/encoder/layer.0/attention/self/Softmax", "float32 [N, 12, S, S]"),
        ),
        note="adds -inf to masked positions",
    ),
)


def batchnorm(block: int, index: int) -> Finding:
    """One of the many that a residual network has."""
    layer = f"layer{1 + block // 3}.{block % 3}"
    return Finding(
        code="FUS002",
        rule="batchnorm-after-conv",
        family="fusion",
        severity=Severity.WARNING,
        message=(
            f"BatchNormalization '{layer}.bn{index}' follows Conv '{layer}.conv{index}' unfolded."
        ),
        path="models/resnet50.onnx",
        location=Location(
            "torch_jit", f"{layer}.bn{index}", 7 * block + 2 * index, "BatchNormalization"
        ),
        why=(
            "At inference both are affine, so the Conv can carry the normalization in its own "
            "weights and bias. Left apart, every activation is read and written once more."
        ),
        fix="Export in eval mode (model.eval()), or fold it with onnxruntime's optimizer.",
        runtime="onnxruntime",
        evidence={"conv": f"{layer}.conv{index}"},
        fingerprint=f"b4{block:02}{index:02}",
        frame=Frame(
            rows=(
                FrameRow("Conv", f"{layer}.conv{index}", "float32 [1, 256, 56, 56]"),
                FrameRow(
                    "BatchNormalization", f"{layer}.bn{index}", "float32 [1, 256, 56, 56]", True
                ),
                FrameRow("Relu", f"{layer}.relu{index}", "float32 [1, 256, 56, 56]"),
            ),
            note="folds into the Conv above",
        ),
    )


UNNAMED = Finding(
    code="DYN001",
    rule="unnamed-dynamic-dim",
    family="shapes",
    severity=Severity.INFO,
    message="Dim 0 of input 'input.1' is dynamic and has no name.",
    path="models/resnet50.onnx",
    location=Location(graph="torch_jit", value="input.1"),
    why="Two dims without names cannot be known to be equal, so nothing can be planned for them.",
    fix='Name it when exporting: dynamic_axes={"input.1": {0: "batch"}}.',
    evidence={"dim": 0},
    fingerprint="d1",
    frame=Frame(
        rows=(
            FrameRow("input", "input.1", "float32 [?, 3, 224, 224]", True),
            FrameRow("Conv", "conv1", "float32 [?, 64, 112, 112]"),
        ),
    ),
)

POINTER = Finding(
    code="FIL003",
    rule="git-lfs-pointer",
    family="file",
    severity=Severity.ERROR,
    fails=True,
    message="The file is a Git LFS pointer to 438,012,332 bytes; the model itself is not here.",
    path="models/not fetched.onnx",
    why="Git LFS keeps the model elsewhere, and this checkout has not fetched it.",
    fix="git lfs pull --include 'models/not fetched.onnx'",
    evidence={"size": 438012332},
    fingerprint="f1",
)

MODELS = (
    ModelSummary(
        "models/bert-base.onnx", "onnx", ("graph", "weights"), 843, 109_482_240, 437_928_960
    ),
    ModelSummary("models/mobilenet.onnx", "onnx", ("graph", "weights"), 105, 3_487_816, 13_951_264),
    ModelSummary("models/not fetched.onnx", "git-lfs-pointer"),
    ModelSummary(
        "models/resnet50.onnx", "onnx", ("graph", "weights"), 175, 25_557_032, 102_228_128
    ),
)


def deployed(name: str) -> Assumptions:
    """Description of the deployment with this name in a run."""
    device, precision = (
        DeploymentPart(name, "given", "--target"),
        DeploymentPart("fp16", "assumed", "--precision"),
    )
    return Assumptions(name, name, {"device": device, "precision": precision})


SAMPLE = Result(
    models=MODELS,
    findings=(
        OVERFLOW,
        replace(UNNAMED, suppressed="agreed with the app team", fingerprint="d2"),
        POINTER,
        UNNAMED,
        *(batchnorm(block, index) for block in range(12) for index in (1, 2, 3)),
    ),
    rules=RULES,
    exit_code=1,
    seconds=0.3417,
    assumptions=(deployed("a10 (tensorrt, fp16)"),),
    timings={"(read)": 0.0021, "FUS002": 0.0104, "NUM002": 0.0042, "DYN001": 0.0003},
)

CLEAN = Result(models=MODELS[:1], findings=(), rules=RULES, exit_code=0, seconds=0.08)

SUPPRESSED = replace(CLEAN, findings=(replace(OVERFLOW, suppressed="known"),))


def hostile(name: str) -> Result:
    """A result whose every text that can come from a model is the given one."""
    finding = Finding(
        code="NUM002",
        rule="fp16-overflow-constant",
        family="numerics",
        severity=Severity.ERROR,
        message=f"Constant '{name}' holds too much.",
        path=f"models/{NOT_IN_PATHS.sub('', name)[:200]}.onnx",
        location=Location(name, name, 1, name, name),
        why=f"Because of '{name}'.",
        fix=f"Mend '{name}'.",
        target=name,
        evidence={name: name},
        fingerprint="aa",
        frame=Frame((FrameRow(name, name, name), FrameRow(name, name, name, True)), name),
    )
    second = replace(finding, location=replace(finding.location, index=2), fingerprint="ab")
    hidden = replace(finding, suppressed=name, fingerprint="ac")
    return Result(
        models=(ModelSummary(finding.path, "onnx", ("graph",), 2, 0, 0),),
        findings=(finding, second, hidden),
        rules=RULES,
        exit_code=1,
        seconds=0.1,
        assumptions=(deployed(name),),
    )
