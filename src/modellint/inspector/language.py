"""A language model's architecture and needs, as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from modellint.analysis.language import (
    LanguageNeeds,
    break_even,
    cached_per_token,
    context_speed,
    language_needs,
    servers,
)
from modellint.model.architecture import Architecture, LayerShape, Positions
from modellint.results.inspection import (
    Draft,
    LanguageContext,
    LanguageDevice,
    LanguageModel,
    LanguagePart,
    LayerKind,
    ServedBy,
)
from modellint.session import OpenModel
from modellint.targets.deployment import Deployment

COMPARED = ("fp16", "fp8", "q8_0", "q4_0")
"""Types of the cache that are compared on every page."""


def language_model(
    opened: OpenModel, deployment: Deployment, draft: Callable[[], OpenModel] | None = None
) -> LanguageModel | None:
    needs = opened.under(deployment).get(language_needs)
    if needs is None:
        return None
    architecture, parts, split = needs.architecture, needs.parts, needs.split
    return LanguageModel(
        architecture=architecture.name,
        layers=_kinds(architecture),
        hidden=architecture.hidden,
        vocabulary=architecture.vocabulary,
        trained_context=architecture.context,
        positions=_positions(architecture.positions),
        tied_embeddings=architecture.tied_embeddings,
        extra_parts=list(architecture.parts),
        quantization=architecture.quantization,
        parameters=parts.parameters,
        active_parameters=parts.active_parameters,
        bits=parts.nbytes * 8 / parts.parameters if parts.parameters else None,
        parts=[LanguagePart(p.name, p.parameters, p.nbytes, p.bits) for p in parts.sizes],
        runtime=needs.runtime_name,
        kv_precision=needs.kv_precision,
        flash_attention=needs.flash_attention,
        cache_per_token=cached_per_token(architecture, needs.kv_precision),
        cache_per_token_in={name: cached_per_token(architecture, name) for name in COMPARED},
        target=deployment.target_id,
        room=needs.room,
        devices=split.devices,
        parallel=split.how if split.devices > 1 else None,
        undivided=split.undivided,
        replicated=split.replicated,
        compute_is_planned=needs.compute_basis == "planned",
        compute_basis=needs.compute_basis,
        contexts=[_context(needs, tokens) for tokens in needs.contexts],
        longest=needs.longest,
        draft=_draft(needs, draft(), deployment) if draft is not None else None,
        served_by=[
            ServedBy(each.runtime, each.converted, each.source)
            for each in servers(opened.model, architecture)
        ],
    )


def language_devices(
    opened: OpenModel, deployments: Sequence[Deployment]
) -> list[LanguageDevice] | None:
    """Return the needs on each of several devices."""
    if len(deployments) < 2:
        return None
    found = [opened.under(deployment).get(language_needs) for deployment in deployments]
    return [_device(needs) for needs in found if needs is not None] or None


def _device(needs: LanguageNeeds) -> LanguageDevice:
    tokens = needs.contexts[-1]
    speed = context_speed(needs, tokens) if needs.fit(tokens) != "does not fit" else None
    return LanguageDevice(
        target=needs.deployment.target_id or "",
        runtime=needs.runtime_name,
        room=needs.room or 0,
        tokens=tokens,
        total=needs.at(tokens).total,
        verdict=needs.fit(tokens) or "does not fit",
        requests=needs.requests(tokens) or 0,
        longest=needs.longest or 0,
        decode=speed.decode_rate if speed is not None else None,
    )


def _kinds(architecture: Architecture) -> list[LayerKind]:
    return [_kind(layer, count) for layer, count in Counter(architecture.layers).items()]


def _kind(layer: LayerShape, count: int) -> LayerKind:
    return LayerKind(
        count,
        layer.mixer,
        layer.heads,
        layer.kv_heads,
        layer.key_size,
        layer.window,
        layer.feed_forward,
        layer.experts,
        layer.active_experts,
    )


def _positions(positions: Positions) -> str:
    parts = [positions.scheme]
    if positions.base is not None:
        parts.append(f"base {positions.base:g}")
    if positions.scaling:
        factor = f" {positions.factor:g}" if positions.factor is not None else ""
        parts.append(f"{positions.scaling}{factor}")
    return ", ".join(part for part in parts if part)


def _context(needs: LanguageNeeds, tokens: int) -> LanguageContext:
    need, verdict = needs.at(tokens), needs.fit(tokens)
    requests = needs.requests(tokens)
    fits = verdict != "does not fit"
    single = context_speed(needs, tokens) if fits else None
    together = context_speed(needs, tokens, requests) if single is not None and requests else None
    return LanguageContext(
        tokens=tokens,
        weights=need.weights,
        cache=need.cache,
        compute=need.compute,
        overhead=need.overhead,
        total=need.total,
        verdict=verdict,
        requests=requests,
        offloaded=needs.offloaded(tokens) if verdict == "does not fit" else None,
        first_token=single.prefill_seconds if single is not None else None,
        first_token_bound=single.prefill_bound if single is not None else None,
        decode=single.decode_rate if single is not None else None,
        decode_bound=single.decode_bound if single is not None else None,
        decode_together=together.decode_rate if together is not None else None,
        decode_together_bound=together.decode_bound if together is not None else None,
    )


def _draft(needs: LanguageNeeds, opened: OpenModel, deployment: Deployment) -> Draft | None:
    alike = replace(deployment, serving=replace(deployment.serving, devices=1))
    drafting = opened.under(alike).get(language_needs)
    if drafting is None:
        return None
    shortest = needs.contexts[0]
    return Draft(opened.shown, drafting.parts.nbytes, break_even(needs, drafting, shortest))
