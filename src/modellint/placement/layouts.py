"""Layouts of an NPU whose toolkit adds layers that change them, and leaves some to the CPU.

A table of restrictions lists such layers as they are seen in the toolkit's own table of layers:

[[added]]
op = "CumSum"               # or a list
types = ["int32", "int64"]  # of the node's first input; any if not stated
place = "uneven output"     # one of `PLACES`; anywhere if not stated
targets = ["rk3566"]        # the devices; all if not stated
before = ["Transpose"]      # what is put before the node, and
after = ["Reshape"]         # after it
taken = ["Reshape"]         # those of them that the accelerator takes
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from modellint.forms.facts import Facts
from modellint.model import Node, Value, small_integers
from modellint.operators import Trait, having
from modellint.placement.added import AddedNodes, beside
from modellint.placement.judging import NodeJudge
from modellint.placement.placed import NotTaken
from modellint.placement.runs import lazily, runs
from modellint.placement.waves import readers_of
from modellint.runtimes.support import added, stated

_PRODUCTS, _SOFTMAX = having(Trait.MATMUL), having(Trait.SOFTMAX)
_MOVES = having(Trait.RESHAPES).keys() | having(Trait.TRANSPOSE).keys()
_LOOKUPS = having(Trait.SELECTS)
_SAME = having(Trait.TRANSPARENT)
_TOKENS = 3
"""Dims of rows of features, of a batch."""
_OPERANDS = 2
BLOCK = 4
"""Elements that the NPU keeps together; rows of another number are rearranged on the CPU."""
LONGEST = 4
"""Most nodes between an attention's product and what makes its weights, or projects its values."""


class LayoutJudge(NodeJudge):
    """A model for an NPU, with the layers that its toolkit adds."""

    @cached_property
    def _added(self) -> AddedNodes:
        found = AddedNodes()
        for node in filter(self.runs, self._model.graph.ordered):
            for entry in added(
                self._deployment.runtime or "", self._deployment.runtime_version
            ).get(self.key(node), ()):
                if self._is_meant(entry) and self._is_there(node, entry):
                    self._put(found, node, entry)
        return found

    @cached_property
    def _taken(self) -> set[int]:
        """Return the ids of the added nodes that the accelerator takes."""
        return set()

    def _put(self, found: AddedNodes, node: Node, entry: Mapping[str, Any]) -> None:
        for names, put in (("before", found.put_before), ("after", found.put_after)):
            new = [beside(node, op, op.lower()) for op in entry.get(names, ())]
            self._taken.update(id(each) for each in new if each.op_type in entry.get("taken", ()))
            if new:
                put(node, *new)

    def _is_there(self, node: Node, entry: Mapping[str, Any]) -> bool:
        source = node.input(0)
        dtype = self.dtype(source) if source is not None else None
        is_typed = "types" not in entry or (dtype is not None and dtype.name in entry["types"])
        return is_typed and ("place" not in entry or PLACES[entry["place"]](self, node))

    @cached_property
    def _keeps_order(self) -> bool:
        """Return True for a device on which layers run in the order of the file."""
        asked = self._deployment
        in_order = stated(asked.runtime or "", asked.runtime_version, self._placing.forms)
        return asked.target_id in in_order.get("in-order", ())

    def parts(self, nodes: Sequence[Node], is_taken: Callable[[Node], bool]) -> list[list[Node]]:
        if self._keeps_order:
            return runs(nodes, is_taken)
        readers = readers_of(nodes, self.removes, self._added)
        return runs(lazily(nodes, is_taken, lambda node: readers[id(node)]), is_taken)

    def refusal(self, node: Node) -> NotTaken | None:
        if node in self._added:
            is_taken = id(node) in self._taken
            return None if is_taken else NotTaken("neighbor", "is added to change a layout or type")
        found = super().refusal(node)
        if found is None and self._keeps_order and _moves_uneven_values(self, node):
            return NotTaken("form", f"is not supported with rows that {BLOCK} does not divide")
        return found


def _rows(facts: Facts, value: Value | None) -> tuple[int, int] | None:
    """Return the last two dims, if they are known."""
    shape = facts.shape(value) if value is not None else None
    last = tuple(dim for dim in (shape or ())[-2:] if isinstance(dim, int))
    return (last[0], last[1]) if shape is not None and len(shape) > 2 and len(last) == 2 else None


def _moves_uneven_values(facts: Facts, node: Node) -> bool:
    """Return True for what splits an attention's values into heads of uneven sizes."""
    value = node.output() if node.op_type in _MOVES else None
    for _ in range(LONGEST):
        reader = value.sole_consumer if value is not None else None
        if value is None or reader is None:
            return False
        if reader.op_type in _PRODUCTS:
            rows = _rows(facts, value)
            is_of_values = value is reader.input(1) and _is_weighed(reader)
            return rows is not None and is_of_values and any(dim % BLOCK for dim in rows)
        if reader.op_type not in _MOVES:
            return False
        value = reader.output()
    return False


def _is_weighed(product: Node) -> bool:
    """Return True for the product of an attention's weights with its values."""
    value = product.input(0)
    for _ in range(LONGEST):
        maker = value.producer if value is not None else None
        if maker is None or maker.op_type not in _SAME:
            break
        value = maker.input(0)
    return value is not None and value.producer is not None and value.producer.op_type in _SOFTMAX


def _makes_uneven_output(facts: Facts, node: Node) -> bool:
    """Return True if the model returns a row for each of an uneven number of tokens."""
    value = node.output()
    return value is not None and value.is_output and _has_uneven_tokens(facts, value)


def _has_uneven_tokens(facts: Facts, value: Value) -> bool:
    rows = _rows(facts, value)
    return rows is not None and _is_of_tokens(facts, value) and bool(rows[0] % BLOCK)


def _is_of_tokens(facts: Facts, value: Value) -> bool:
    shape = facts.shape(value)
    return shape is not None and len(shape) == _TOKENS


def _averages_rows(facts: Facts, node: Node) -> bool:
    """Return True for the mean over all rows of tokens."""
    value = node.input(0)
    return value is not None and _is_of_tokens(facts, value) and _axes(node) in ((1,), (-2,))


def _averages_uneven_rows(facts: Facts, node: Node) -> bool:
    value = node.input(0)
    return value is not None and _averages_rows(facts, node) and _has_uneven_tokens(facts, value)


def _axes(node: Node) -> tuple[int, ...]:
    stored = small_integers(node.input(1))
    return node.get_ints("axes") or () if stored is None else stored


def _gives_indices(facts: Facts, node: Node) -> bool:
    """Return True for an input of a row look-up."""
    value = node.output()
    readers = value.consumers if value is not None else ()
    return any(use.node.op_type in _LOOKUPS and use.index == 1 for use in readers)


def _has_unequal_batches(facts: Facts, node: Node) -> bool:
    """Return True for a product whose inputs, both computed, are repeated for one another."""
    values = [value for value in node.inputs if value is not None and not facts.is_frozen(value)]
    batches = [(facts.shape(value) or ())[:-2] for value in values]
    return len(batches) == _OPERANDS and all(batches) and batches[0] != batches[1]


PLACES: Mapping[str, Callable[[Facts, Node], bool]] = {
    "uneven output": _makes_uneven_output,
    "mean of rows": _averages_rows,
    "mean of uneven rows": _averages_uneven_rows,
    "indices": _gives_indices,
    "unequal batches": _has_unequal_batches,
}
"""Places of layers that are added, by the names that tables have for them."""
