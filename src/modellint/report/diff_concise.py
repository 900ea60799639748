"""A difference in one line per change, for searching and for other programs' logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

from modellint.base.text import clean
from modellint.report.diff_language import budget_figure, percent
from modellint.report.diff_words import as_text, not_compared, summary
from modellint.report.options import Options
from modellint.results.difference import (
    BudgetCheck,
    Difference,
    LanguageDifference,
    NodeDifference,
    Overview,
    WeightDifference,
)


def write(difference: Difference, stream: TextIO, options: Options) -> None:
    stream.writelines(f"{clean(line)}\n" for line in lines(difference))


def write_several(
    differences: Sequence[Difference], overview: Overview, stream: TextIO, options: Options
) -> None:
    for row in overview.models:
        was = f" (was {row.was})" if row.was else ""
        says = f": {row.says}" if row.says else ""
        stream.write(f"{clean(f'{row.status} {row.name}{was}{says}')}\n")
    for difference in differences:
        if not difference.is_unchanged:
            write(difference, stream, options)


def lines(difference: Difference) -> Iterator[str]:
    yield f"{difference.old.path} -> {difference.new.path}: {', '.join(summary(difference))}"
    for side in (difference.old, difference.new):
        for problem in side.problems:
            yield f"{side.path}: {problem.message}"
    for change in difference.interface:
        breaking = f" (breaking: {change.why})" if change.breaking else ""
        values = f"{change.old or 'none'} -> {change.new or 'none'}"
        yield f"{change.what} {change.name}: {change.aspect} {values}{breaking}"
    if difference.nodes is not None:
        yield from _nodes(difference.nodes)
    if difference.weights is not None:
        yield from _weights(difference.weights)
    for layer in difference.precisions.changed if difference.precisions is not None else ():
        yield f"layer {layer.layer}: {layer.old} -> {layer.new}"
    for figure in difference.figures:
        if figure.old != figure.new:
            yield f"{figure.name}: {figure.old} -> {figure.new}"
    for metric in difference.metrics or ():
        yield f"metric {metric.name}: {as_text(metric.old)} -> {as_text(metric.new)}"
    for check in difference.budgets:
        yield _budget(check)
    if difference.language is not None:
        yield from _language(difference.language)
    if difference.findings is not None:
        for verb, found in (("new", difference.findings.new), ("gone", difference.findings.gone)):
            for each in found:
                yield f"{verb} {each.severity} {each.code}: {each.message}"


def _budget(check: BudgetCheck) -> str:
    values = [budget_figure(check, value) for value in (check.old, check.new)]
    where = f" on {check.target}" if check.target else ""
    verdict = "exceeded" if check.exceeded else "not known" if check.most is None else "within"
    return f"budget {check.name}{where}: {' -> '.join(values)}, {check.limit}: {verdict}"


def _language(language: LanguageDifference) -> Iterator[str]:
    for each in language.statements:
        yield f"{each.name}: {each.old} -> {each.new}"
    for tensor in language.tensors:
        if tensor.change != "same":
            off = f", off by {percent(tensor.largest)}" if tensor.largest is not None else ""
            types = " -> ".join(dict.fromkeys(kind or "none" for kind in tensor.types))
            yield f"tensor {tensor.tensors}: {tensor.count:,} {tensor.change}, {types}{off}"


def _nodes(nodes: NodeDifference) -> Iterator[str]:
    for change in nodes.changed:
        for each in change.attributes:
            values = f"{as_text(each.old)} -> {as_text(each.new)}"
            yield f"node {change.new.name}: {each.name} {values}"
        for source in change.inputs:
            yield f"node {change.new.name}: input {source.index} {source.old} -> {source.new}"
    for pair in nodes.replaced:
        yield f"node {pair.new.name}: {pair.old.op_type} -> {pair.new.op_type}"
    for verb, places in (("added", nodes.added), ("removed", nodes.removed)):
        for place in places:
            yield f"node {place.name}: {place.op_type} {verb}"
    if nodes.not_compared:
        yield not_compared(nodes)


def _weights(weights: WeightDifference) -> Iterator[str]:
    for change in weights.changed:
        by = f" by at most {change.largest:.2%}" if change.largest is not None else ""
        yield f"weight {change.name}: changed{by}"
    for verb, stored in (("added", weights.added), ("removed", weights.removed)):
        for each in stored:
            yield f"weight {each.name}: {verb}"
