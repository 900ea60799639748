"""Results of evaluations, as Ultralytics, lm-evaluation-harness and Hugging Face write them.

The files are read as untrusted: names are bounded, and what is not a finite number is left out.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from modellint.base.errors import UsageError
from modellint.base.files import read_text
from modellint.base.records import dataclass
from modellint.base.text import bounded

MOST_BYTES = 64 << 20
MOST_METRICS = 10_000
SUFFIXES = (".json", ".csv")

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of an evaluation."""

    name: str
    value: float
    better: Better | None = None
    """Direction of an improvement; None if unknown."""
    error: float | None = None
    """Standard error, if stated."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results in one file."""

    path: str
    tool: str
    """Name of the tool that wrote it; empty for any other."""
    metrics: tuple[Metric, ...]
    note: str = ""
    """Choice that was made among several results."""

    def get(self, name: str) -> Metric | None:
        return next((metric for metric in self.metrics if metric.name == name), None)


_HIGHER = """
    accuracy acc f1 map ap ar precision recall auc auroc rocauc bleu sacrebleu chrf rouge rouge1
    rouge2 rougel rougelsum meteor exact match em iou miou dice psnr ssim r2 mrr ndcg top1 top5
    fitness score pass mcc matthews correlation spearman spearmanr pearson map50 map75 map5095
    wins sensitivity specificity
"""
_LOWER = """
    loss error wer cer perplexity ppl bpb mae mse rmse fid lpips latency nll ece brier eer mer ter
"""
_HIGHER_WORDS, _LOWER_WORDS = frozenset(_HIGHER.split()), frozenset(_LOWER.split())
_WORD = re.compile(r"[A-Za-z]+\d*")
_BITS = re.compile(r"bits_per_byte")


def direction(name: str) -> Better | None:
    """Return which direction of a metric is an improvement, by the words of its name."""
    if _BITS.search(name):
        return "lower"
    words = [word.lower() for word in _WORD.findall(name.replace("mAP50-95", "map5095"))]
    for word in reversed(words):  # the last says what it is: `accuracy_loss`, `mean_error`
        if word in _LOWER_WORDS:
            return "lower"
        if word in _HIGHER_WORDS:
            return "higher"
    return None


def read_evaluation(path: Path) -> Evaluation:
    """Read the results in a file; raise UsageError for one without any."""
    try:
        text = read_text(path, MOST_BYTES)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "not a text"
        raise UsageError(f"{path}: cannot be read as evaluation results: {reason}") from None
    found = _table(text) if path.suffix.lower() == ".csv" else _json(text)
    if found is None or not found.metrics:
        raise UsageError(f"{path}: contains no evaluation results, such as {{'accuracy': 0.9}}")
    return Evaluation(str(path), found.tool, found.metrics[:MOST_METRICS], found.note)


def _json(text: str) -> Evaluation | None:
    try:
        stated = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(stated, list):
        return _per_class(stated)
    if not isinstance(stated, dict):
        return None
    results = stated.get("results")
    if isinstance(results, dict) and any(isinstance(each, dict) for each in results.values()):
        return _harness(results, stated.get("higher_is_better"))
    inner = stated.get("results_dict")
    if isinstance(inner, dict):
        stated = {**inner, "speed": stated.get("speed")}
    if any(str(key).startswith("metrics/") for key in stated):
        return _of("Ultralytics", _without_prefix(_flat(stated)))
    if any(re.match(r"(?:eval|test|predict)_", str(key)) for key in stated):
        return _of("Hugging Face Trainer", _trained(_flat(stated)))
    if "_evaluate_version" in stated:
        return _of("Hugging Face evaluate", _flat(stated))
    return _of("", _flat(stated))


def _of(tool: str, numbers: Iterator[tuple[str, float]], note: str = "") -> Evaluation:
    metrics = [Metric(bounded(name), value, direction(name)) for name, value in numbers]
    return Evaluation("", tool, tuple(metrics), note)


def _flat(
    table: Mapping[str, Any], prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, float]]:
    """Iterate over the numbers of a table and of tables in it, without bookkeeping."""
    for key, value in table.items():
        name = f"{prefix}{key}"
        number = _number(value)
        if key.startswith("_"):
            continue
        if number is not None:
            yield name, number
        elif isinstance(value, dict) and depth < 3:
            yield from _flat(value, f"{name}/", depth + 1)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _without_prefix(numbers: Iterator[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    return ((name.removeprefix("metrics/"), value) for name, value in numbers)


_MEASURED = ("_runtime", "_per_second", "_samples", "_time", "_mem_cpu_alloc_delta")


def _trained(numbers: Iterator[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    """Iterate over evaluation metrics, without durations and training metrics."""
    for name, value in numbers:
        if name.startswith(("eval_", "test_", "predict_")) and not name.endswith(_MEASURED):
            yield name.removeprefix("eval_"), value


def _harness(results: Mapping[str, Any], higher: object) -> Evaluation:
    """Return the results of lm-evaluation-harness, or of a tool that writes the same."""
    metrics = []
    for task, stated in results.items():
        numbers = stated if isinstance(stated, dict) else {}
        directions = higher.get(task) if isinstance(higher, dict) else None
        for key, value in numbers.items():
            metric, _, filtered = key.partition(",")
            number = _number(value)
            if number is None or metric.endswith("_stderr") or metric in ("samples", "sample_len"):
                continue
            known = directions.get(metric) if isinstance(directions, dict) else None
            better: Better | None = direction(metric)
            if isinstance(known, bool):
                better = "higher" if known else "lower"
            error = _number(numbers.get(f"{metric}_stderr,{filtered}"))
            if not filtered:
                error = _number(numbers.get(f"{metric}_stderr"))
            shown = f"{task}/{metric}"
            shown += f" ({filtered})" if filtered not in ("", "none") else ""
            metrics.append(Metric(bounded(shown), number, better, error))
    return Evaluation("", "lm-evaluation-harness", tuple(metrics))


def _per_class(rows: Sequence[Any]) -> Evaluation | None:
    """Return the means over classes of a validation's summary."""
    tables = [row for row in rows if isinstance(row, dict) and "Class" in row]
    if not tables or len(tables) != len(rows):
        return None
    skipped = ("Class", "Images", "Instances")
    names = [name for name in tables[0] if name not in skipped]
    means = []
    for name in names:
        numbers = [number for row in tables if (number := _number(row.get(name))) is not None]
        if len(numbers) == len(tables):
            means.append((name, sum(numbers) / len(numbers)))
    return _of("Ultralytics", iter(means), f"mean of {len(tables)} classes")


_FITNESS = ("metrics/mAP50-95(M)", "metrics/mAP50-95(P)", "metrics/mAP50-95(B)")
_BY_ACCURACY = ("metrics/accuracy_top1", "metrics/mAP_0.5:0.95")


def _table(text: str) -> Evaluation | None:
    """Return the best epoch of a training, or the last row of any other table."""
    try:
        rows = list(csv.DictReader(io.StringIO(text), skipinitialspace=True))
    except csv.Error:
        return None
    numbers = [_row(row) for row in rows]
    numbers = [row for row in numbers if row]
    if not numbers:
        return None
    known = next((name for name in (*_FITNESS, *_BY_ACCURACY) if name in numbers[0]), None)
    if known is None:
        return _of("", iter(numbers[-1].items()), "last row" if len(numbers) > 1 else "")
    best = max(numbers, key=lambda row: row.get(known, -math.inf))
    chosen = {name: value for name, value in best.items() if name.startswith(("metrics/", "val/"))}
    shown = f"epoch {best['epoch']:g}, of " if "epoch" in best else ""
    note = f"{shown}the highest {known.removeprefix('metrics/')}"
    return _of("Ultralytics", _without_prefix(iter(chosen.items())), note)


def _row(row: Mapping[Any, Any]) -> dict[str, float]:
    found = {}
    for name, value in row.items():
        if isinstance(name, str) and isinstance(value, str):
            try:
                number = _number(float(value))
            except ValueError:
                continue
            if number is not None:
                found[name.strip()] = number
    return found
