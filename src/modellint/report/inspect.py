"""The page of `modellint inspect`: facts about a model, and a table of several devices."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TextIO

from modellint.base.text import clean, counted, quantity, shorten, work
from modellint.base.units import format_bytes
from modellint.report.efficiency import compared
from modellint.report.inspect_language import LanguagePage
from modellint.report.options import Options
from modellint.report.page import HEADING
from modellint.report.table import Row, figures, names
from modellint.report.text import FAIR, POOR, Text
from modellint.results.inspection import Engine, Identity, Inspection, Port, Term, Together, Trouble

MOST_ENTRIES = 6
LONGEST_ENTRY = 40
MOST_PORTS = 6
MOST_NAMES = 3
MOST_OPS = 14
MOST_SIZES = 6
LAYERS = (
    names("op"),
    names("weight", drop=3),
    figures("times"),
    figures("parameters", drop=2),
    figures("bytes"),
    figures("MACs"),
    figures("share"),
    names("first", drop=1),
)
ENGINE_LAYERS = (names("kind"), names("type", drop=2), names("layer"), names("ONNX nodes", drop=1))


def render(inspection: Inspection, options: Options) -> str:
    """Render like `write`, without color."""
    stream = io.StringIO()
    write(inspection, stream, options)
    return stream.getvalue()


def write(inspection: Inspection, stream: TextIO, options: Options) -> None:
    _ModelPage(stream, options).inspection(inspection)
    stream.flush()


def write_together(told: Together, stream: TextIO, options: Options) -> None:
    """Write the sum of several models on one device."""
    _ModelPage(stream, options).together(told)
    stream.flush()


class _ModelPage(LanguagePage):
    def inspection(self, told: Inspection) -> None:
        self.heading(self.path(told.path))
        for problem in told.problems:
            self._problem(problem)
        if told.is_readable:
            self._model(told)
            self._engine(told)
            self._measured(told)
            self._weight_figures(told)
            self.language(told.llm, told.llm_devices, has_graph=told.nodes is not None)
            self.needs(told.estimates, told.time or {})
            self.sweep(told.sweep)
            self._quantization(told)
            self._placement(told)
            self._profile(told)
        self.blank()

    # What it is

    def _model(self, told: Inspection) -> None:
        for line in self.wrapped(self._identity(told), self.page - self.indent):
            self.print(" " * self.indent, line)
        self.blank()
        self.items("metadata", self._metadata(told))
        self._ports(told)
        if told.llm_unknown is not None:
            self.field("cache", self.words(f"not known: {told.llm_unknown}"))
        self.field("parameters", self._parameters(told))
        self.field("MACs", self._macs(told))
        self.field("", self._formula(told.macs_formula or []))
        self.field("weights", self._weights(told))
        self.items("efficiency", self._efficiency(told))
        self.items("ops", self._ops(told) if not told.is_of_engine else [])
        self.items("blocks", self._blocks(told))
        self.items("attention", self._attention(told))
        self.field("kv cache", self._cache(told))
        self.field("states", self._states(told))
        self._layers(told)

    def _identity(self, told: Inspection) -> list[str]:
        found = told.identity
        assert found is not None
        opsets = [f"{domain} {version}" for domain, version in found.opsets.items()]
        unit = "layer" if told.is_of_engine else "node"
        parts = [
            told.format,
            found.producer or "",
            f"opset {', '.join(opsets).removeprefix('ai.onnx ')}" if opsets else "",
            f"IR {found.ir_version}" if found.ir_version is not None else "",
            format_bytes(found.file_bytes),
            self._external(found),
            counted(told.nodes, unit) if told.nodes is not None else "no graph",
            counted(told.subgraphs, "subgraph") if told.subgraphs else "",
            counted(told.functions, "function") if told.functions else "",
        ]
        return [self.words(part) for part in parts if part]

    def _metadata(self, told: Inspection) -> list[str]:
        entries = list(told.identity.metadata.items()) if told.identity is not None else []
        most = len(entries) if self.options.verbose else MOST_ENTRIES
        shown = [
            f"{self.words(key)}: {shorten(self.words(value), LONGEST_ENTRY, self.glyphs.ellipsis)}"
            for key, value in entries[:most]
        ]
        return [*shown, f"{len(entries) - most} more"] if len(entries) > most else shown

    def _external(self, found: Identity) -> str:
        if not found.external_files:
            return ""
        files = counted(found.external_files, "file")
        if found.external_missing == found.external_files:
            return f"{files} missing"
        said = f"{format_bytes(found.external_bytes)} in {files}"
        missing = f", {found.external_missing:,} missing" if found.external_missing else ""
        return f"{said}{missing}"

    def _ports(self, told: Inspection) -> None:
        """Print inputs and outputs; similar ones share a row, such as a decoder's cache."""
        labelled = {"inputs": self._alike(told.inputs), "outputs": self._alike(told.outputs)}
        rows = [row for group in labelled.values() for row in group]
        lines = list(self.rows([names()] * 4, rows, self.page - self.gutter))
        at = 0
        for label, group in labelled.items():
            for line in lines[at : at + len(group)]:
                self.beside(label, line)
                label = ""
            at += len(group)

    def _alike(self, ports: Sequence[Port] | None) -> list[Row]:
        groups: dict[tuple[object, ...], list[Port]] = {}
        for port in ports or ():
            groups.setdefault((port.type, port.dtype, repr(port.shape)), []).append(port)
        rows: list[Row] = [self._port(group) for group in groups.values()]
        if len(rows) > MOST_PORTS and not self.options.verbose:
            rest = sum(len(group) for group in [*groups.values()][MOST_PORTS:])
            rows[MOST_PORTS:] = [[f"and {rest:,} more"]]
        return rows

    def _port(self, group: Sequence[Port]) -> Row:
        names, first = [self.words(port.name) for port in group], group[0]
        kind = "" if first.type == "tensor" else f"{first.type} of "
        many = len(names) > MOST_NAMES
        return [
            names[0] if many else ", ".join(names),
            f"{self.glyphs.times}{len(names):,}" if many else "",
            self.words(kind + (first.dtype or "?")),
            self.shape(first.shape),
        ]

    def _parameters(self, told: Inspection) -> str:
        if told.parameters is None:
            return ""
        exact = f" ({told.parameters:,})" if told.parameters >= 1000 else ""
        return f"{quantity(told.parameters)}{exact}"

    def _macs(self, told: Inspection) -> str:
        if told.known_macs is None:
            return ""
        sizes = self._sizes(told)
        if told.macs is None:
            nodes = counted(told.uncounted or 0, "node")
            least = f"{self.words('≥')} {work(told.known_macs)}" if told.known_macs else "unknown"
            return f"{least}{sizes}; MACs of {nodes} unknown"
        flops = f" ({work(told.flops)} FLOPs)" if told.flops is not None else ""
        return f"{work(told.macs)}{flops}{sizes}"

    def _efficiency(self, told: Inspection) -> list[str]:
        use, density = told.macs_per_parameter, told.parameters_per_megabyte
        parts = [
            f"{work(use)} MACs per parameter{compared(told)}" if use is not None else "",
            f"{work(density)} parameters per MB" if density is not None else "",
        ]
        return [part for part in parts if part]

    def _sizes(self, told: Inspection) -> str:
        if not told.sizes:
            return ""
        assumed = told.assumed or {}
        stated = {name: size for name, size in told.sizes.items() if name not in assumed}
        parts = [self._listed(stated), self._listed(assumed) + " (assumed)" if assumed else ""]
        return f" for {', '.join(part for part in parts if part)}"

    def _listed(self, sizes: Mapping[str, int]) -> str:
        shown = [f"{self.words(name)} {size}" for name, size in [*sizes.items()][:MOST_SIZES]]
        more = [f"{len(sizes) - MOST_SIZES} more"] if len(sizes) > MOST_SIZES else []
        return ", ".join([*shown, *more])

    def _formula(self, terms: Sequence[Term]) -> str:
        """Return ``= batch × sequence × (12.3 G + 1.2 M × sequence)``; empty without open dims."""
        if not any(term.powers for term in terms):
            return ""
        common = [name for name in terms[0].powers if all(name in t.powers for t in terms)]
        inner = " + ".join(self._term(term, common) for term in terms)
        outer = [self.words(name) for name in reversed(common)]
        factors = [*outer, f"({inner})"] if outer and len(terms) > 1 else [inner, *outer]
        return f"= {f' {self.glyphs.times} '.join(factors)}"

    def _term(self, term: Term, common: Sequence[str]) -> str:
        powers = {name: power - (1 if name in common else 0) for name, power in term.powers.items()}
        square = "^2" if self.is_ascii else "²"
        names = [
            self.words(name) + (square if power == 2 else "")
            for name, power in powers.items()
            if power
        ]
        return f" {self.glyphs.times} ".join([work(term.coefficient), *names])

    def _weights(self, told: Inspection) -> str:
        stored = told.weight_bytes
        if stored is None:
            return ""
        total = sum(stored.values())
        if not total:
            return "none stored"
        parts = [
            f"{self.words(name)} {format_bytes(size)}" for name, size in stored.items() if size > 0
        ]
        return parts[0] if len(parts) == 1 else f"{format_bytes(total)}: {', '.join(parts)}"

    def _ops(self, told: Inspection) -> list[str]:
        ops = list((told.ops or {}).items())
        most = len(ops) if self.options.verbose else MOST_OPS
        shown = [f"{self.words(name)} {count:,}" for name, count in ops[:most]]
        rest = ops[most:]
        if rest:
            nodes = counted(sum(count for _, count in rest), "node")
            shown.append(f"{nodes} of {len(rest)} other ops")
        return shown

    def _blocks(self, told: Inspection) -> list[str]:
        times = self.glyphs.times
        return [f"{block.kind} {times}{block.count}" for block in told.blocks or ()]

    def _attention(self, told: Inspection) -> list[str]:
        found = told.attention
        if found is None:
            return []
        heads = counted(found.query_heads, "head") if found.query_heads else ""
        if heads and found.kv_heads and found.kv_heads != found.query_heads:
            heads = f"{counted(found.query_heads or 0, 'query head')} on {found.kv_heads}"
        size = f"head size {found.head_size}" if found.head_size else ""
        layers = counted(found.layers, "layer")
        return [part for part in (found.variant, layers, heads, size) if part]

    def _cache(self, told: Inspection) -> str:
        found = told.kv_cache
        if found is None:
            return ""
        if found.bytes_per_token is None:
            return counted(found.layers, "layer")
        return f"{format_bytes(found.bytes_per_token)} per token, {counted(found.layers, 'layer')}"

    def _states(self, told: Inspection) -> str:
        found = told.states
        if found is None:
            return ""
        tensors = counted(found.tensors, "tensor")
        return tensors if found.nbytes is None else f"{format_bytes(found.nbytes)} in {tensors}"

    def _layers(self, told: Inspection) -> None:
        if not told.layers:
            return
        rows = [
            [
                self.words(layer.op_type),
                self.shape(layer.shape),
                f"{layer.count:,}",
                quantity(layer.parameters),
                format_bytes(layer.weight_bytes),
                "?" if layer.macs is None else work(layer.macs),
                "" if layer.macs_share is None else f"{layer.macs_share:.1%}",
                self.words(layer.first),
            ]
            for layer in told.layers
        ]
        self.blank()
        self.table(LAYERS, rows, title="largest layers")

    # What was asked for besides

    def _engine(self, told: Inspection) -> None:
        if told.engine is None:
            return
        from modellint.report.layers import EnginePage

        self.blank()
        self.heading("engine")
        EnginePage(self.stream, self.options).facts(told.engine)
        if self.options.verbose:
            self._engine_layers(told.engine)

    def _engine_layers(self, engine: Engine) -> None:
        rows = [
            [
                self.words(layer.kind or "?"),
                self.words(layer.type or "?"),
                self.words(layer.name),
                self.words(", ".join(layer.nodes)),
            ]
            for layer in engine.layers
        ]
        self.blank()
        self.table(ENGINE_LAYERS, rows, title="layers")

    def _measured(self, told: Inspection) -> None:
        if told.measured is None:
            return
        from modellint.report.measured import MeasuredPage

        self.blank()
        MeasuredPage(self.stream, self.options).draw(told.measured)

    def _weight_figures(self, told: Inspection) -> None:
        if not told.weights:
            return
        from modellint.report.weights import WeightsPage

        self.blank()
        WeightsPage(self.stream, self.options).draw(told.weights)

    def _quantization(self, told: Inspection) -> None:
        if told.quantization is None:
            return
        from modellint.report.quantization import QuantizationPage

        self.blank()
        QuantizationPage(self.stream, self.options).draw(told.quantization)

    def _placement(self, told: Inspection) -> None:
        if told.placement is None:
            return
        from modellint.report.placement import PlacementPage

        page = PlacementPage(self.stream, self.options)
        for where, placed in told.placement.items():
            self.blank()
            page.draw(where, placed)
        for where, why in (told.not_placed or {}).items():
            self.blank()
            self.item(f"No placement on {where}: ", self.words(why))
        if not told.placement and not told.not_placed:
            self.blank()
            self.line("No placement: the runtime is unknown, or runs all nodes on one unit.")

    def _profile(self, told: Inspection) -> None:
        if told.profile is None:
            return
        from modellint.report.profile import FORMS

        self.blank()
        self.heading("optimization profile")
        for name, dims in (told.profile_open or {}).items():
            missing = ", ".join(self.words(dim) for dim in dims)
            self.field("open", f"{self.words(name)}: no size known for {missing}")
        if told.profile_open:
            self.line("Set sizes with --shape INPUT=MIN..OPT..MAX, --symbol NAME=N or --batch N.")
        elif not told.profile:
            self.line("No profile needed: all inputs have fixed shapes.")
        else:
            for title, form in FORMS.items():
                self.blank()
                self.print(" " * self.indent, Text(title, HEADING))
                for line in form(told.profile, told.path).split("\n"):
                    # Neither wrapped nor shortened, so that it can be copied.
                    self.print(" " * (self.indent + 2), self._code(line))

    def _code(self, line: str) -> str:
        return clean(line).encode(self.encoding, "backslashreplace").decode(self.encoding)

    def _problem(self, problem: Trouble) -> None:
        style = POOR if problem.fatal or problem.kind == "internal" else FAIR
        label = "unreadable" if problem.fatal else problem.code or problem.kind
        self.field(Text(label, style), self.words(problem.message))
