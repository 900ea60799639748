"""Results of evaluations are recognised by what their tools write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modellint.base.errors import UsageError
from modellint.evaluation import Evaluation, Metric, read_evaluation
from modellint.evaluation.tradeoffs import (
    Axis,
    Variant,
    main_metric,
    pareto_optimal,
    per_million,
)

TRAINED = """\
      epoch,  train/box_loss, metrics/mAP50(B), metrics/mAP50-95(B),   val/box_loss
          1,             2.5,             0.50,                0.30,            2.1
          2,             1.5,             0.60,                0.45,            1.9
          3,             1.0,             0.62,                0.44,            1.8
"""
VALIDATED = {
    "metrics/precision(B)": 0.7,
    "metrics/mAP50(B)": 0.6,
    "metrics/mAP50-95(B)": 0.45,
    "fitness": 0.45,
}
PER_CLASS = [
    {"Class": "cat", "Images": 3, "Instances": 4, "Box-P": 0.5, "mAP50": 0.6, "mAP50-95": 0.4},
    {"Class": "dog", "Images": 5, "Instances": 6, "Box-P": 0.7, "mAP50": 0.8, "mAP50-95": 0.6},
]
HARNESS = {
    "results": {
        "arc_easy": {"alias": "arc_easy", "acc,none": 0.61, "acc_stderr,none": 0.01},
        "gsm8k": {"exact_match,strict-match": 0.3, "exact_match_stderr,strict-match": "N/A"},
        "wikitext": {"word_perplexity,none": 12.5, "odd,none": 3.0},
    },
    "higher_is_better": {"wikitext": {"word_perplexity": False, "odd": True}},
    "n-shot": {"arc_easy": 0},
}
TRAINER = {
    "epoch": 3.0,
    "eval_accuracy": 0.91,
    "eval_loss": 0.3,
    "eval_runtime": 4.2,
    "eval_samples_per_second": 100.0,
    "train_loss": 0.2,
}
EVALUATE = {"accuracy": 0.9, "_timestamp": 1.5, "_evaluate_version": "0.4.1"}
PLAIN = {"name": "v2", "accuracy": 0.9, "speed": {"inference_ms": 3}, "nan": float("nan")}


def read(folder: Path, content: object, name: str = "results.json") -> Evaluation:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_evaluation(path)


def numbers(evaluation: Evaluation) -> dict[str, float]:
    return {metric.name: metric.value for metric in evaluation.metrics}


@pytest.mark.parametrize(
    ("content", "name", "tool", "expected"),
    [
        (
            TRAINED,
            "results.csv",
            "Ultralytics",
            {"mAP50(B)": 0.6, "mAP50-95(B)": 0.45, "val/box_loss": 1.9},
        ),
        (
            VALIDATED,
            "results.json",
            "Ultralytics",
            {"precision(B)": 0.7, "mAP50(B)": 0.6, "mAP50-95(B)": 0.45, "fitness": 0.45},
        ),
        (
            {"results_dict": VALIDATED, "speed": {"inference": 2.0}},
            "results.json",
            "Ultralytics",
            {
                "precision(B)": 0.7,
                "mAP50(B)": 0.6,
                "mAP50-95(B)": 0.45,
                "fitness": 0.45,
                "speed/inference": 2.0,
            },
        ),
        (PER_CLASS, "results.json", "Ultralytics", {"Box-P": 0.6, "mAP50": 0.7, "mAP50-95": 0.5}),
        (
            HARNESS,
            "results.json",
            "lm-evaluation-harness",
            {
                "arc_easy/acc": 0.61,
                "gsm8k/exact_match (strict-match)": 0.3,
                "wikitext/word_perplexity": 12.5,
                "wikitext/odd": 3.0,
            },
        ),
        (
            {"results": {"drop|3": {"f1": 0.2, "f1_stderr": 0.1}}},
            "r.json",
            "lm-evaluation-harness",
            {"drop|3/f1": 0.2},
        ),
        (TRAINER, "all_results.json", "Hugging Face Trainer", {"accuracy": 0.91, "loss": 0.3}),
        (EVALUATE, "results.json", "Hugging Face evaluate", {"accuracy": 0.9}),
        (PLAIN, "mine.json", "", {"accuracy": 0.9, "speed/inference_ms": 3.0}),
        ("model,accuracy\na,0.5\nb,0.75\n", "mine.csv", "", {"accuracy": 0.75}),
    ],
)
def test_each_tool_is_recognised(
    tmp_path: Path, content: object, name: str, tool: str, expected: dict[str, float]
) -> None:
    found = read(tmp_path, content, name)
    assert found.tool == tool
    assert numbers(found) == pytest.approx(expected)


def test_the_choice_among_epochs_is_stated(tmp_path: Path) -> None:
    assert read(tmp_path, TRAINED, "r.csv").note == "epoch 2, of the highest mAP50-95(B)"
    assert read(tmp_path, PER_CLASS).note == "mean of 2 classes"


def test_directions_and_errors(tmp_path: Path) -> None:
    found = read(tmp_path, HARNESS)
    assert found.get("arc_easy/acc") == Metric("arc_easy/acc", 0.61, "higher", 0.01)
    assert found.get("wikitext/word_perplexity") == Metric(
        "wikitext/word_perplexity", 12.5, "lower"
    )
    assert found.get("wikitext/odd") == Metric("wikitext/odd", 3.0, "higher")
    assert [m.better for m in read(tmp_path, {"eval_loss": 1, "test_f1": 2, "x": 3}).metrics] == [
        "lower",
        "higher",
    ]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[" * 100_000, "[1, 2]", '{"a": "text"}', '{"a": 1e999}', "null", '{"results": {}}'],
)
def test_all_else_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(UsageError, match="no evaluation results"):
        read(tmp_path, content)
    with pytest.raises(UsageError, match="cannot be read"):
        read_evaluation(tmp_path)


def test_hostile_numbers_and_names(tmp_path: Path) -> None:
    found = read(tmp_path, {"a" * 10_000: 1, "huge": 10**400, "t": True, "ok": 2})
    assert len(found.metrics[0].name) < 600
    assert [metric.value for metric in found.metrics] == [1, 2]


def test_the_metric_that_decides(tmp_path: Path) -> None:
    def chosen(*contents: object) -> str | None:
        evaluations = [read(tmp_path, content, f"{at}.json") for at, content in enumerate(contents)]
        metric = main_metric(evaluations)
        return metric.name if metric is not None else None

    assert chosen(VALIDATED, VALIDATED) == "fitness"
    assert chosen(HARNESS, HARNESS) == "arc_easy/acc"
    assert chosen(TRAINER, {"eval_loss": 0.2}) == "loss"
    assert chosen(TRAINER, PLAIN) == "accuracy"
    assert chosen(TRAINER, {"mystery": 1}) is None


def test_optimal_variants() -> None:
    axes = [Axis("accuracy", "higher"), Axis("bytes", "lower"), Axis("seconds", "lower")]
    variants = [
        Variant("float", {"accuracy": 0.90, "bytes": 100, "seconds": 10}),
        Variant("int8", {"accuracy": 0.89, "bytes": 25, "seconds": 4}),
        Variant("worse", {"accuracy": 0.88, "bytes": 25, "seconds": 4}),
        Variant("twin", {"accuracy": 0.89, "bytes": 25, "seconds": 4}),
        Variant("unmeasured", {"bytes": 20}),
        Variant("nothing", {}),
    ]
    optimal = [each.name for each in pareto_optimal(variants, axes)]
    assert optimal == ["float", "int8", "twin", "unmeasured"]


def test_the_price_of_a_million() -> None:
    assert per_million(3.6, 0.01) == pytest.approx(10.0)
