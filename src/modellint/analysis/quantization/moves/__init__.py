"""Moves: where a pair of Q and DQ is missing or misplaced, and what changing it gains.

A move is data: edits of pairs on edges. Applied together, they make its layers integer.
"""

from __future__ import annotations

from functools import cached_property
from itertools import combinations

from modellint.analysis.quantization.mapping import QuantizationMap
from modellint.analysis.quantization.moves.edits import Edit, EditKey, Move
from modellint.analysis.quantization.moves.onnxruntime import OnnxRuntimePlacement
from modellint.analysis.quantization.moves.placement import Placement
from modellint.analysis.quantization.moves.surplus import surplus_moves
from modellint.analysis.quantization.moves.tensorrt import TensorRTPlacement
from modellint.analysis.quantization.parts import WeightedOp
from modellint.base.text import counted, quantity
from modellint.model import Node

__all__ = ["Edit", "Move", "Moves"]

_PLACEMENTS = {"tensorrt": TensorRTPlacement, "onnxruntime": OnnxRuntimePlacement}
_MOST_EDITS = 6
"""Most edits of a move whose parts are looked up."""

_Keys = frozenset[EditKey]


class Moves:
    """The moves that a model needs on a runtime; a runtime that is not known here has none."""

    def __init__(self, quantization: QuantizationMap) -> None:
        self.map = quantization
        self._placement = _PLACEMENTS.get(quantization.deployment.builder, Placement)(quantization)

    @cached_property
    def all(self) -> list[Move]:
        """Return all moves, those with the largest gain first."""
        misplaced = (m for m in self.misplaced if self._including(m) is None)
        return [*self.of_layers, *misplaced, *self.surplus]

    @cached_property
    def of_layers(self) -> list[Move]:
        """Return the moves that make layers integer, those with the largest gain first."""
        moves = map(self._together, self._by_needs)
        return sorted(moves, key=lambda move: -(self.map.share(move.ops) or 0))

    @cached_property
    def misplaced(self) -> list[Move]:
        """Return the moves that make no layer integer, but spare conversions."""
        return list(self._placement.misplaced())

    @cached_property
    def surplus(self) -> list[Move]:
        """Return the moves that take out pairs which nothing needs, on edges without others."""
        others = (*self.of_layers, *self.misplaced)
        taken = {id(edit.value) for move in others for edit in move.edits}
        found = []
        is_known = self.map.deployment.builder in _PLACEMENTS
        for move in surplus_moves(self.map) if is_known else ():
            edges = {id(edit.value) for edit in move.edits}
            if taken.isdisjoint(edges):
                taken |= edges
                found.append(move)
        return found

    def gain(self, move: Move) -> str:
        """Return the gain of a move: ``1.2 M MACs (11.3%) become int8``."""
        fewer = f"{counted(move.conversions, 'conversion')} fewer" if move.conversions > 0 else ""
        if not move.ops and move.only_removes:
            return fewer or "numbers are rounded once less"
        if not move.ops:
            return fewer or f"both branches become {self.map.main_precision}"
        macs, share = self.map.sum_macs(move.ops), self.map.share(move.ops)
        work = counted(len(move.ops), "layer")
        if macs is not None and share is not None:
            about = "about " if self.map.assumed else ""
            work = f"{about}{quantity(macs)} MACs ({share:.1%})"
        become = "becomes" if work.startswith("1 layer") else "become"
        gained = f"{work} {become} {self.map.main_precision}"
        return f"{gained}, {fewer}" if fewer else gained

    def of(self, node: Node) -> Move | None:
        """Return the move that makes a node's layer integer, or that is about the node."""
        return self._by_node.get(id(node))

    @cached_property
    def _by_node(self) -> dict[int, Move]:
        found: dict[int, Move] = {}
        for move in self.misplaced:
            found[id(move.node)] = self._including(move) or move
        for move in reversed(self.of_layers):
            found |= {id(op.node): move for op in move.ops}
        return found

    def _including(self, move: Move) -> Move | None:
        """Return the move of layers that has all edits of another."""
        whole = self._by_edit.get(move.edits[0].key)
        keys = {edit.key for edit in whole.edits} if whole is not None else set()
        return whole if all(edit.key in keys for edit in move.edits) else None

    @cached_property
    def _by_edit(self) -> dict[EditKey, Move]:
        return {edit.key: move for move in self.of_layers for edit in move.edits}

    @cached_property
    def _by_needs(self) -> dict[_Keys, tuple[list[Edit], list[WeightedOp]]]:
        """Return edits by their keys, with the layers that need just these."""
        found: dict[_Keys, tuple[list[Edit], list[WeightedOp]]] = {}
        for op, edits in self._placement.needs():
            _, ops = found.setdefault(frozenset(edit.key for edit in edits), (edits, []))
            ops.append(op)
        return found

    def _together(self, keys: _Keys) -> Move:
        """Return the move of layers with equal needs, with all others that need no more."""
        edits, first = self._by_needs[keys]
        ops = list(first)
        in_order = dict.fromkeys(edit.key for edit in edits)  # a set's differs from run to run
        for size in range(1, len(keys) if len(keys) <= _MOST_EDITS else 0):
            for part in map(frozenset, combinations(in_order, size)):
                if part in self._by_needs:
                    ops += self._by_needs[part][1]
        conversions = self._placement.conversions(edits, ops)
        return Move(tuple(edits), first[0].node, tuple(ops), conversions)
