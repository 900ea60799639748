"""Nodes that contradict their operators' definitions, as TensorRT's parser judges them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from modellint.base.expressions import late
from modellint.checks.definitions import Mistake
from modellint.forms.forms import INT32, UINT8
from modellint.model import Contradiction, Node
from modellint.runtimes.support import restrictions, tolerance

RUNTIME = "tensorrt"
_NARROWED = {"float64": "float32"}
FOUND = late(
    r"[Ii]ncompatible dimensions|expected to have rank|axis must be|mismatch in unification"
    r"|Number of (?:elements|input)|must be 2-dim|must be 1 instead|length|should be 1 when"
    r"|subgraphs produce|must have either|must be in \[|Expected range|must have same rank"
    r"|must have the same rank|Invalid value|incorrect number of values|repeated value"
    r"|valid type in node Cast|must only contain positive|must not contain negative"
    r"|does not match the equation|must have at least|rank must be >=|of wrong rank"
    r"|must be divisible|more than once|could not be inferred: incompatible|must be > 0"
    r"|larger than the rank|larger than 1|must be provided|cannot be 0|is out of range"
    r"|Invalid dimension value|shall be|Unexpected axis|must be \d-dimensional"
)
"""Contradictions that TensorRT's parser finds too. It ignores types that the file records.

Counted over node tests of the onnx package, each with one thing in it changed.
"""


def is_found_by_tensorrt(contradiction: Contradiction) -> bool:
    """Return True if the parser refuses what onnx's inference found."""
    if is_overlooked(contradiction, RUNTIME):
        return False
    return FOUND.search(contradiction.detail) is not None


def is_overlooked(contradiction: Contradiction, runtime: str) -> bool:
    """Return True if the runtime is known to load what contradicts itself like this."""
    words = tolerance(runtime).get("overlooks", {}).get(contradiction.op_type)
    return words is not None and words in contradiction.detail


def refused_by_tensorrt(node: Node, found: Sequence[Mistake]) -> list[Mistake]:
    """Return the mistakes that make the parser reject a node."""
    return [each for each in found if not told_as_form(node, each) and _is_refused(node, each)]


def told_as_form(node: Node, mistake: Mistake) -> bool:
    """Return True for mixed types that the table of refused forms contains."""
    return mistake.kind == "types-differ" and node.op_type in _not_mixed()


@cache
def _not_mixed() -> frozenset[str]:
    found = restrictions(RUNTIME)
    return frozenset(
        op for op, forms in found.items() if any("other-type-than" in form for form in forms)
    )


def _is_refused(node: Node, mistake: Mistake) -> bool:
    known, facts, op = tolerance(RUNTIME), mistake.facts, node.op_type
    match mistake.kind:
        case "attribute-missing":
            return op not in known["reads-without-attribute"]
        case "omitted":
            return op not in known["reads-without-input"]
        case "count":
            if facts["side"] != "inputs":
                return False
            if mistake.is_gap:
                return op not in known["reads-without-input"]
            return op in known["refuses-more-inputs"]
        case "type":
            is_data = facts["place"] == 1  # lists of numbers may be of any integers
            may_be = op in known["reads-other-types"]
            return is_data and facts["type"] in known["refused-types"] and not may_be
        case "types-differ":
            may_be = op in known["reads-mixed-types"]
            return not may_be and _are_mixed(facts["type"], facts["other"])
        case "output-type":
            result = node.output(int(str(facts["place"])) - 1)
            is_output = result is not None and result.is_output
            return is_output and facts["other"] == INT32 and facts["type"] != INT32
    return False


def _are_mixed(*types: object) -> bool:
    """Return True for types that it computes apart: constant bytes become integers."""
    computed = {_NARROWED.get(str(each), each) for each in types}
    return len(computed) > 1 and computed != {UINT8, INT32}
