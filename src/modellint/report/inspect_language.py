"""A language model on the page of `modellint inspect`."""

from __future__ import annotations

from collections.abc import Sequence

from modellint.base.text import counted, percent, quantity
from modellint.base.units import format_bytes
from modellint.report.inspect_needs import VERDICTS, NeedsPage
from modellint.report.page import LABEL
from modellint.report.table import figures, names
from modellint.report.text import POOR, Text
from modellint.results.inspection import (
    LanguageContext,
    LanguageDevice,
    LanguageModel,
    LayerKind,
    ServedBy,
    Together,
)

MOST_KINDS = 4
MOST_REQUESTS = 1 << 12
COMPUTED = {
    "estimated": "estimated from the figures that {runtime} printed at startup with its defaults",
    "least": "from the widest layer and the logits; the buffers of {runtime} are unknown",
}
"""Words for what the compute column follows, where the runtime's plan is not known."""
CONTEXTS = (
    figures("context"),
    figures("weights", drop=4),
    figures("cache"),
    figures("compute", drop=5),
    figures("runtime", drop=3),
    figures("total"),
    names(),
    figures("requests", drop=6),
    figures("first token", drop=7),
    figures("tokens/s", drop=8),
    figures("together", drop=2),
)
DEVICES = (
    names("device"),
    figures("room"),
    figures("needs"),
    names(),
    figures("requests", drop=4),
    figures("longest", drop=3),
    figures("tokens/s", drop=2),
    names("runtime", drop=1),
)
PARTS = (
    names("part"),
    figures("parameters"),
    figures("bytes"),
    figures("bits", drop=1),
    figures("share", drop=2),
)


class LanguagePage(NeedsPage):
    """Part of a page about a language model."""

    def language(
        self,
        told: LanguageModel | None,
        devices: Sequence[LanguageDevice] | None,
        *,
        has_graph: bool,
    ) -> None:
        """Print the section; that of a graph, most of which is known, only for a target."""
        if told is None or (has_graph and told.target is None):
            return
        self.blank()
        self.heading(self.dotted(self._title(told)))
        self._shape(told)
        self.items("served by", [self._server(each) for each in told.served_by])
        self._weight_parts(told)
        if devices is None:
            self._contexts(told)
        else:
            self._on_devices(devices)

    def _on_devices(self, devices: Sequence[LanguageDevice]) -> None:
        ordered = sorted(devices, key=lambda each: (each.room, each.target))
        self.blank()
        said = f"{len(ordered)} devices"
        self.heading(self.dotted([said, f"context of {_tokens(ordered[0].tokens)}"]))
        self.table(DEVICES, [self._device_row(each) for each in ordered])
        self.blank()
        fitting = [each for each in ordered if each.verdict == "fits"]
        said = f"fits {len(fitting)} of {len(ordered)}"
        if fitting:
            said += f"; smallest: {self.words(fitting[0].target)}"
        self.line(said)

    def _device_row(self, each: LanguageDevice) -> list[Text | str]:
        return [
            self.words(each.target),
            format_bytes(each.room),
            format_bytes(each.total),
            Text(each.verdict, VERDICTS[each.verdict]),
            f"{each.requests:,}",
            _tokens(each.longest),
            "" if each.decode is None else f"{self.words('≤')} {_rate(each.decode)}",
            self.words(each.runtime),
        ]

    def together(self, told: Together) -> None:
        """Print the sum of several models on one device."""
        self.heading(self.dotted(["together", self.words(told.target)]))
        rows: list[list[Text | str]] = [
            [
                self.words(share.path),
                "?" if share.bytes is None else format_bytes(share.bytes),
                f"{_tokens(share.tokens)} context" if share.tokens else "",
                "" if share.seconds is None else self.seconds(share.seconds),
            ]
            for share in told.models
        ]
        rows.append(["runtime", format_bytes(told.overhead), "", ""])
        spent = "" if told.in_sequence is None else self.seconds(told.in_sequence)
        total = Text(format_bytes(told.total), LABEL)
        rows.append([Text("total", LABEL), total, "", Text(spent, LABEL)])
        self.table([names(), figures(), names(), figures()], rows)
        said = f"{format_bytes(told.total)} of {format_bytes(told.usable)} usable"
        self.blank()
        self.line(f"{told.verdict}: {said}")
        if told.budget is not None:
            over = "over" if told.total > told.budget else "within"
            self.line(f"{over} the budget of {format_bytes(told.budget)}")
        if told.in_sequence is not None and told.side_by_side is not None:
            apart, at_once = self.seconds(told.in_sequence), self.seconds(told.side_by_side)
            self.line(f"{apart} one after the other; {at_once} side by side, at best")
        self.blank()

    def _title(self, told: LanguageModel) -> list[str]:
        size = f"{quantity(told.parameters)} parameters"
        if told.active_parameters < told.parameters:
            size += f", {quantity(told.active_parameters)} active"
        parts = ("language model", told.architecture, size, told.quantization)
        return [self.words(part) for part in parts if part]

    def _shape(self, told: LanguageModel) -> None:
        for at, kind in enumerate(told.layers[:MOST_KINDS]):
            self.items("" if at else "layers", self._kind(kind))
        if len(told.layers) > MOST_KINDS:
            self.field("", f"and {len(told.layers) - MOST_KINDS} other kinds")
        limit = f"up to {told.trained_context:,} tokens" if told.trained_context else ""
        self.items("positions", [self.words(part) for part in (told.positions, limit) if part])
        tied = " tied" if told.tied_embeddings else ""
        if told.vocabulary:
            self.field(
                "vocabulary", f"{told.vocabulary:,} tokens,{tied} embeddings of {told.hidden:,}"
            )
        self.items("also", [self.words(part) for part in told.extra_parts])
        kept = [f"{format_bytes(size)} {name}" for name, size in told.cache_per_token_in.items()]
        self.items("cache/token", kept if told.cache_per_token else [])

    def _server(self, each: ServedBy) -> str:
        return f"{each.runtime} (converted)" if each.converted else each.runtime

    def _kind(self, kind: LayerKind) -> list[str]:
        heads = counted(kind.heads, "head")
        if kind.kv_heads and kind.kv_heads != kind.heads:
            heads += f" on {kind.kv_heads}"
        mixed = {
            "attention": f"{heads} of {kind.key_size}",
            "latent": f"latent attention, {counted(kind.heads, 'head')}, {kind.key_size} cached",
            "recurrent": "recurrent",
            "none": "",
        }[kind.mixer]
        window = f"window {kind.window:,}" if kind.window else ""
        fed = f"feed-forward {kind.feed_forward:,}" if kind.feed_forward else ""
        if kind.experts:
            fed = f"{kind.active_experts} of {kind.experts} experts of {kind.feed_forward:,}"
        parts = (f"{kind.count} {self.glyphs.times}", mixed, window, fed)
        first, *rest = [part for part in parts if part]
        return [f"{first} {rest[0]}", *rest[1:]] if rest else [first]

    def _weight_parts(self, told: LanguageModel) -> None:
        total = sum(part.bytes for part in told.parts)
        rows = [
            [
                part.name,
                quantity(part.parameters),
                format_bytes(part.bytes),
                f"{part.bits:.2f}" if part.bits is not None else "",
                percent(part.bytes / total, 0) if total else "",
            ]
            for part in told.parts
        ]
        bits = f"{told.bits:.2f}" if told.bits is not None else ""
        rows.append(["total", quantity(told.parameters), format_bytes(total), bits, ""])
        if len(told.parts) > 1:
            self.blank()
            self.table(PARTS, rows, title="weights by part")

    def _contexts(self, told: LanguageModel) -> None:
        attention = "" if told.flash_attention else "attention without flash"
        parts = (told.runtime, f"cache in {told.kv_precision}", attention, *self._place(told))
        self.blank()
        self.heading(self.dotted([self.words(part) for part in parts if part]))
        rows = [self._context(each) for each in told.contexts]
        self.table(CONTEXTS, rows)
        self.blank()
        self.items("longest", self._longest(told))
        if told.compute_basis in COMPUTED:
            said = COMPUTED[told.compute_basis].format(runtime=told.runtime)
            self.field("compute", self.words(said))
        offloads = [each for each in told.contexts if each.offloaded is not None]
        layers = sum(kind.count for kind in told.layers)
        self.items(
            "offload",
            [f"{each.offloaded} of {layers} layers at {_tokens(each.tokens)}" for each in offloads],
        )
        self._devices_of(told)
        self._bounds(told)
        if told.draft is not None:
            self.field("draft", self._draft(told))

    def _place(self, told: LanguageModel) -> list[str]:
        if told.target is None:
            return ["no target"]
        many = f"{told.devices} {self.glyphs.times} " if told.devices > 1 else ""
        room = format_bytes(told.room or 0)
        how = f"{told.parallel} parallel" if told.parallel else ""
        return [f"{many}{told.target}, {room} usable", how]

    def _context(self, each: LanguageContext) -> list[Text | str]:
        at_least, at_most = self.words("≥"), self.words("≤")
        requests = "" if each.requests is None else f"{each.requests:,}"
        if each.requests is not None and each.requests >= MOST_REQUESTS:
            requests = f"{at_least} {requests}"
        first, rate, together = each.first_token, each.decode, each.decode_together
        return [
            _tokens(each.tokens),
            format_bytes(each.weights),
            format_bytes(each.cache),
            format_bytes(each.compute),
            format_bytes(each.overhead) if each.overhead else "",
            Text(format_bytes(each.total), LABEL),
            Text(each.verdict or "", VERDICTS[each.verdict]),
            requests,
            "" if first is None else f"{at_least} {self.seconds(first)}",
            "" if rate is None else f"{at_most} {_rate(rate)}",
            "" if together is None else f"{at_most} {_rate(together)}",
        ]

    def _longest(self, told: LanguageModel) -> list[str]:
        if told.longest is None:
            return []
        if not told.longest:
            return ["no context fits"]
        said = f"{told.longest:,} tokens fit"
        return [
            f"{said}, the full trained context" if told.longest == told.trained_context else said
        ]

    def _devices_of(self, told: LanguageModel) -> None:
        if told.devices == 1:
            return
        if told.undivided:
            said = f"{', '.join(told.undivided)} over {told.devices} devices"
            self.field(Text("uneven", POOR), said)
        self.items("on each", [self.words(part) for part in told.replicated])

    def _bounds(self, told: LanguageModel) -> None:
        """Say what holds the rates of the longest context back."""
        last = told.contexts[-1] if told.contexts else None
        if last is None or last.first_token is None:
            return
        bounds = [
            f"prompts by {last.first_token_bound}",
            f"single tokens by {last.decode_bound}",
            f"tokens together by {last.decode_together_bound}" if last.decode_together else "",
        ]
        self.items("bound", [each for each in bounds if each])

    def _draft(self, told: LanguageModel) -> str:
        draft = told.draft
        assert draft is not None
        said = f"{self.words(draft.path)}, {format_bytes(draft.weights)}"
        if draft.break_even is None:
            return said
        if draft.break_even >= 1:
            return f"{said}: no gain, since its tokens take as long"
        return f"{said}: faster if more than {draft.break_even:.0%} of its tokens are accepted"


def _tokens(tokens: int) -> str:
    return f"{tokens >> 10}k" if tokens % 1024 == 0 else f"{tokens:,}"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
