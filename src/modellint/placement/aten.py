"""Decision which nodes of an exported program of PyTorch an accelerator takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from modellint.analysis.chains import LONGEST
from modellint.formats.torch.facts import torch_facts
from modellint.forms.forms import refused_form
from modellint.model import Node, Value, is_static
from modellint.placement.judging import NodeJudge
from modellint.placement.pieces import OperatorPiece, pieces
from modellint.placement.placed import NotTaken
from modellint.runtimes.support import written_out

ANY = "*"
"""The operator of forms that are about all operators, save those that they list under `except`."""
_IN_PLACE = re.compile(r"(?<=[a-z0-9])_\.")
_LIBRARIES = "torch.ops."
_CONVERSIONS = frozenset({"aten.to.dtype", "aten.to.dtype_layout", "aten.type_as.default"})
_PERMUTATIONS = frozenset({"aten.permute.default", "aten.t.default", "aten.transpose.int"})


class AtenJudge(NodeJudge):
    """An exported program for a deployment: tables name operators as PyTorch does."""

    @cached_property
    def _targets(self) -> dict[int, str]:
        facts = torch_facts(self._model)
        exported = facts.exported if facts is not None else None
        targets = exported.targets if exported is not None else {}
        return {id(node): name.removeprefix(_LIBRARIES) for node, name in targets.items()}

    def key(self, node: Node) -> str:
        """Return the name of a node's operator; one in place becomes the one that it stands for."""
        target = self._targets.get(id(node), node.qualified_op)
        if target in self._table.operators:
            return target
        return _IN_PLACE.sub(".", target)

    def runs(self, node: Node) -> bool:
        return not self.removes(node)  # nothing is computed in advance

    def removes(self, node: Node) -> bool:
        key = self.key(node)
        return key in self._removed or self._is_dead(node) or self._keeps_the_type(key, node)

    def _is_dead(self, node: Node) -> bool:
        """Return True for a node whose results nothing reads, not even by way of others."""
        return id(node) not in self._alive

    @cached_property
    def _alive(self) -> frozenset[int]:
        found: set[int] = set()
        waiting = [v.producer for v in self._model.graph.outputs if v.producer is not None]
        while waiting:
            node = waiting.pop()
            if id(node) not in found:
                found.add(id(node))
                waiting += node.predecessors
        return frozenset(found)

    def _keeps_the_type(self, key: str, node: Node) -> bool:
        """Return True for a conversion to the same type, which leaves nothing to do."""
        source, result = node.input(0), node.output()
        if key not in _CONVERSIONS or source is None or result is None:
            return False
        return source.dtype is not None and source.dtype == result.dtype

    def is_frozen(self, value: Value) -> bool:
        """Return True for what is stored, and for that in another order of dims."""
        maker = value.producer
        if maker is not None and self.key(maker) in _PERMUTATIONS:
            source = maker.input(0)
            return source is not None and source.is_constant
        return value.is_constant

    def follows_its_reader(self, node: Node) -> bool:
        return False

    def pieces_of(self, node: Node) -> Sequence[OperatorPiece]:
        source = node.input(0)
        dtype = source.dtype.name if source is not None and source.dtype is not None else ""
        values = [value for value in (*node.inputs, *node.outputs) if value is not None]
        is_open = not all(is_static(self.shape(value)) for value in values)
        for each in self._written_out.get(self.key(node), ()):
            if dtype in each["types"] and self._has_rank_above(node, each.get("rank-above", 0)):
                return pieces(each, dtype, partial(self._is_moved, node), is_open=is_open)
        return ()

    @cached_property
    def _written_out(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        asked = self._deployment
        return written_out(asked.runtime or "", asked.runtime_version, self._placing.forms)

    def _has_rank_above(self, node: Node, limit: int) -> bool:
        """Return True if the first two inputs have more dims than a limit."""
        shapes = [self.shape(value) for value in node.inputs[:2] if value is not None]
        return all(shape is not None and len(shape) > limit for shape in shapes)

    def _is_moved(self, node: Node, place: int) -> bool:
        """Return True for an input whose dims have only been put in another order."""
        value = node.input(place)
        for _ in range(LONGEST):
            maker = value.producer if value is not None else None
            if maker is None or not self.removes(maker):
                return maker is not None and self.key(maker) in _PERMUTATIONS
            value = maker.input(0)
        return False

    def refusal(self, node: Node) -> NotTaken | None:
        key = self.key(node)
        if not self._table.takes(key):
            in_pieces = any(piece.taken for piece in self.pieces_of(node))
            words = "is supported in pieces only" if in_pieces else "is not supported"
            return NotTaken("operator", words)
        return self._type(node) or self._form(node)

    def _form(self, node: Node) -> NotTaken | None:
        key = self.key(node)
        for form in self._forms.get(ANY, ()):
            words = refused_form(self, node, form) if key not in form.get("except", ()) else ""
            if words:
                return NotTaken("form", f"is not supported with {words}")
        return super()._form(node)
