"""Decision which nodes of an exported program of PyTorch an accelerator takes."""

from __future__ import annotations

import re
from functools import cached_property

from modellint.formats.torch.facts import torch_facts
from modellint.forms.forms import refused_form
from modellint.model import Node, Value
from modellint.placement.judging import NodeJudge
from modellint.placement.placed import NotTaken

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

    def refusal(self, node: Node) -> NotTaken | None:
        key = self.key(node)
        if not self._table.takes(key):
            return NotTaken("operator", "is not supported")
        return self._type(node) or self._form(node)

    def _form(self, node: Node) -> NotTaken | None:
        key = self.key(node)
        for form in self._forms.get(ANY, ()):
            words = refused_form(self, node, form) if key not in form.get("except", ()) else ""
            if words:
                return NotTaken("form", f"is not supported with {words}")
        return super()._form(node)
