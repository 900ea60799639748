"""Interfaces, nodes, weights and precisions on the page of `modellint diff`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from modellint.base.text import counted, percent
from modellint.report.diff_sections import SectionPage
from modellint.report.diff_words import MOST_NUMBERS, as_text, dims_text, not_compared
from modellint.report.table import Row, figures, names, prose
from modellint.report.text import POOR, Text
from modellint.results.difference import (
    InterfaceChange,
    LayerPrecision,
    NodeChange,
    NodeDifference,
    PrecisionDifference,
    WeightChange,
    WeightDifference,
)

INTERFACE = (names(), names(), prose(least=30))
NODES = (names(), names("", least=12), figures(), names(least=16), prose(least=24))
_VERBS = {"~": "changed", "+": "added", "-": "removed"}
WEIGHTS = (
    names("weight"),
    names("type", drop=2),
    names("shape", drop=1),
    figures("elements changed"),
    figures("largest"),
    figures("zeros", drop=3),
)
PRECISIONS = (
    names("runs in"),
    figures("layers"),
    names(),
    figures(),
    figures("MACs"),
    names(),
    figures(),
)
LAYERS = (names("layer"), names("op", drop=1), names("precision"), prose(least=24))


class ContentsPage(SectionPage):
    """Differences of what models consist of."""

    def draw_interface(self, changes: Sequence[InterfaceChange]) -> None:
        breaking = [change for change in changes if change.breaking]
        listed = [c for c in changes if not c.breaking and c.aspect not in _LISTED]
        shown = self.first([*breaking, *listed])
        rows = [row for change in shown for row in self._interface_rows(change)]
        rows += self.more([*breaking, *listed], "changed")
        for aspect in _LISTED:
            for what in ("input", "output", "opset", "metadata"):
                found = [c for c in changes if (c.what, c.aspect) == (what, aspect)]
                named = [f"{c.name} {c.new or ''}" for c in found if not c.breaking]
                if named:
                    what = what if len(named) == 1 or what == "metadata" else f"{what}s"
                    rows.append(["", f"{what} {aspect}", self.some(named)])
        self.section("interface", INTERFACE, rows)

    def _interface_rows(self, change: InterfaceChange) -> Iterator[Row]:
        old, new = change.old, change.new
        said = f"{change.aspect} {old} {self.arrow} {new}"
        if old is None or new is None:
            said = f"{change.aspect} {new or old or ''}".strip()
        label = Text("breaking" if change.breaking else "", POOR)
        yield [label, f"{change.what} {self.words(change.name)}", self.words(said)]
        if change.why:
            yield ["", "", self.words(change.why)]

    def draw_nodes(self, nodes: NodeDifference) -> None:
        rows = list(self._node_rows(nodes))
        self.section("nodes", NODES, rows)
        self.under("nodes", self._node_facts(nodes), is_first=not rows)

    def _node_rows(self, nodes: NodeDifference) -> Iterator[Row]:
        """Iterate over rows, one for each kind of change: they repeat with a model's blocks."""
        rows: list[tuple[str, str, str, str]] = [
            ("~", each.new.op_type, each.new.name, self._detail(each)) for each in nodes.changed
        ]
        rows += [
            ("~", f"{p.old.op_type} {self.arrow} {p.new.op_type}", p.new.name, "in the same place")
            for p in nodes.replaced
        ]
        rows += [("+", place.op_type, place.name, "") for place in nodes.added]
        rows += [("-", place.op_type, place.name, "") for place in nodes.removed]
        alike = self.alike(rows, lambda row: (row[0], row[1], row[3]))
        for mark in "~+-":
            found = [each for each in alike if each[0][0] == mark]
            for (_, op_type, name, detail), count in self.first(found):
                yield [*self.mark(mark), op_type, self.times(count), self.words(name), detail]
            yield from self.more(found, _VERBS[mark])

    def _detail(self, change: NodeChange) -> str:
        parts = [
            f"{each.name} {as_text(each.old)} {self.arrow} {as_text(each.new)}"
            for each in change.attributes
        ]
        parts += [
            f"input {each.index} is {each.new} instead of {each.old}" for each in change.inputs
        ]
        return self.words("; ".join(parts))

    def _node_facts(self, nodes: NodeDifference) -> Iterator[str]:
        same = nodes.matched - len(nodes.changed)
        facts = [f"{counted(same, 'operation')} unchanged"]
        if nodes.renamed:
            facts.append(f"{nodes.renamed:,} renamed")
        if nodes.reordered:
            facts.append("in another order")
        yield ", ".join(facts)
        for each in nodes.rewritten:
            forms = f"{' + '.join(each.old)} {self.arrow} {' + '.join(each.new)}"
            yield f"written differently: {each.count:,} {self.glyphs.times} {forms}"
        for verb, counts in (("fewer", nodes.plumbing_removed), ("more", nodes.plumbing_added)):
            if counts:
                listed = ", ".join(f"{count:,} {op}" for op, count in _largest(counts))
                yield f"copies, conversions and shape arithmetic, {verb}: {listed}"
        if nodes.folded:
            listed = ", ".join(f"{count:,} {op}" for op, count in nodes.folded.items())
            yield f"now the range of a quantizer: {listed}"
        if nodes.not_compared:
            yield not_compared(nodes)

    def draw_weights(self, weights: WeightDifference) -> None:
        rows = [self._weight_row(change) for change in self.first(weights.changed)]
        rows += self.more(weights.changed, "changed")
        for mark, stored in (("+", weights.added), ("-", weights.removed)):
            rows += [
                [f"{mark} {self.words(each.name)}", each.dtype, dims_text(each.shape)]
                for each in self.first(stored)
            ]
            rows += self.more(stored, "added" if mark == "+" else "removed")
        columns = WEIGHTS if weights.changed else [names("weight"), names("type"), names("shape")]
        self.section("weights", columns, rows)
        self.under("weights", self._weight_facts(weights), is_first=not rows)

    def _weight_row(self, change: WeightChange) -> Row:
        types = dict.fromkeys(change.dtype)
        shapes = dict.fromkeys(map(dims_text, change.shape))
        elements = prod(change.shape[1])
        share = None if change.changed is None else change.changed / max(elements, 1)
        sparsity = change.sparsity
        zeros = "" if sparsity is None else f"{sparsity[0]:.0%} {self.arrow} {sparsity[1]:.0%}"
        return [
            self.words(change.name),
            f" {self.arrow} ".join(types),
            f" {self.arrow} ".join(shapes),
            _percent(share),
            "" if change.largest is None else f"{change.largest:.2%}",
            zeros if sparsity and sparsity[0] != sparsity[1] else "",
        ]

    def _weight_facts(self, weights: WeightDifference) -> Iterator[str]:
        facts = [f"{weights.equal:,} of {weights.matched:,} equal"] if weights.equal else []
        if weights.sampled:
            facts.append(f"{weights.sampled:,} of them as far as samples tell")
        facts += [f"{count:,} {t.replace('->', self.arrow)}" for t, count in weights.types.items()]
        if weights.renamed:
            facts.append(f"{weights.renamed:,} renamed")
        if facts:
            yield ", ".join(facts)

    def draw_precisions(self, precisions: PrecisionDifference) -> None:
        rows: list[Row] = [
            [
                each.precision,
                f"{each.old:,}",
                self.arrow,
                f"{each.new:,}",
                _percent(each.old_macs),
                self.arrow if each.new_macs is not None else "",
                _percent(each.new_macs),
            ]
            for each in precisions.shares
        ]
        self.section("precision", PRECISIONS, rows)
        left = [self._layer_row(layer) for layer in self.first(precisions.left)]
        left += self.more(precisions.left, "left in floats")
        if left:
            self.section("in floats", LAYERS, left)

    def _layer_row(self, layer: LayerPrecision) -> Row:
        return [self.words(layer.layer), layer.op_type, layer.new, self.words(layer.why)]


_LISTED = ("added", "removed")


def _percent(share: float | None) -> str:
    return "" if share is None else percent(share, 0)


def _largest(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: -each[1])[:MOST_NUMBERS]
