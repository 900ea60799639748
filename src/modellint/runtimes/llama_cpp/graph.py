"""Buffers that llama.cpp plans for a language model, from the graph that it builds.

It reserves for the largest load: as many tokens of a prompt as it computes at once, at the end of
the context. All results are 32-bit floats; tensors below are those that are alive together.

Operators write over their input where llama.cpp's do; those that do not were found by comparing
plans with its own (tools/measure_llama_memory.py).
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from modellint.base.records import dataclass
from modellint.model.architecture import Architecture, LayerShape
from modellint.model.dims import MOST
from modellint.runtimes.llama_cpp.planner import GraphPlan, Planned

BATCH = 512
"""Tokens that are computed at once (`--ubatch-size`)."""
BLOCK = 256
FIRST, LAST, ALIKE = 14, 2, 3
"""Layers that are planned: the first, the last, and some of each kind. Others repeat them."""
MOST_LAYERS = 128
FLOAT, HALF, INDEX = 4, 2, 8
LATE_NORMED = frozenset({"exaone4", "olmo2"})
"""Architectures with norms only after attention and after the feed-forward network."""
POST_NORMED = LATE_NORMED | {"gemma2", "gemma3", "gemma3n", "gemma4", "glm4", "plamo3", "afmoe"}
"""Architectures with norms after attention and after the feed-forward network."""
PARALLEL = frozenset({"cohere2", "command-r", "falcon", "phi2", "plamo"})
"""Architectures whose feed-forward network reads what attention reads."""

SCORED = frozenset({"grok"})
"""Architectures for which llama.cpp turns flash attention off."""


@dataclass(frozen=True, slots=True)
class Traits:
    """Parts of a layer that only some architectures have."""

    post: bool
    late: bool
    parallel: bool


@dataclass(frozen=True, slots=True)
class Load:
    """Tokens that are computed at once, and what they attend to."""

    tokens: int
    outputs: int
    context: int
    """Tokens that each sequence has room for."""
    sequences: int
    flash_attention: bool


def compute_bytes(
    architecture: Architecture,
    tokens: int,
    *,
    flash_attention: bool = True,
    requests: int = 1,
) -> int:
    """Return the size of the compute buffer for a context of `tokens`, all requests together."""
    context = -(-tokens // (BLOCK * requests)) * BLOCK
    flash_attention = flash_attention and architecture.name not in SCORED
    load = Load(min(BATCH, tokens), requests, context, requests, flash_attention)
    layers = _typical(architecture.layers)
    name = architecture.name
    traits = Traits(name in POST_NORMED, name in LATE_NORMED, name in PARALLEL)
    return _planned(layers, architecture.hidden, architecture.vocabulary or 0, traits, load)


def _typical(layers: tuple[LayerShape, ...]) -> tuple[LayerShape, ...]:
    """Return the layers that are planned, in their order."""
    kept, seen = [], Counter[LayerShape]()
    for index, layer in enumerate(layers):
        seen[layer] += 1
        if index < FIRST or index >= len(layers) - LAST or seen[layer] <= ALIKE:
            kept.append(layer)
        if len(kept) == MOST_LAYERS:
            break
    return tuple(kept)


@lru_cache(maxsize=4096)
def _planned(
    layers: tuple[LayerShape, ...], hidden: int, vocabulary: int, traits: Traits, load: Load
) -> int:
    return min(_Graph(layers, hidden, vocabulary, traits, load).plan.nbytes(), MOST)


class _Graph:
    def __init__(
        self,
        layers: tuple[LayerShape, ...],
        hidden: int,
        vocabulary: int,
        traits: Traits,
        load: Load,
    ) -> None:
        self.traits = traits
        self.hidden = hidden
        self.load = load
        self.rows = load.tokens
        self.plan = GraphPlan()
        self.masks: dict[int, Planned] = {}
        tokens = self.plan.input(4 * self.rows)
        given = self.plan.input(self._floats(hidden))
        self.positions = self.plan.input(4 * self.rows)
        self.wanted = self.plan.input(4 * load.outputs)
        for cells in sorted({self._cells(layer) for layer in layers if _attends(layer)}):
            self._inputs_of(cells, layers)
        self.indexed = self._index_inputs(layers)
        current = self._embedded(tokens, given)
        for at, layer in enumerate(layers):
            current = self._layer(layer, current, is_last=at == len(layers) - 1)
        if self.rows != load.outputs:
            self.rows = load.outputs
            current = self._wanted_of(current)
        self.plan.compute(self._floats(vocabulary), self._normed(current))

    def _floats(self, width: int) -> int:
        return FLOAT * width * self.rows

    def _cells(self, layer: LayerShape) -> int:
        """Return the tokens of each sequence that the layer's cache has room for."""
        if layer.window is None:
            return self.load.context
        room = -(-(layer.window + BATCH) // BLOCK) * BLOCK
        return min(self.load.context, room)

    def _inputs_of(self, cells: int, layers: tuple[LayerShape, ...]) -> None:
        """Add the mask, and the places in the cache where keys and values go."""
        flash = self.load.flash_attention
        self.masks[cells] = self.plan.input(cells * self.rows * (HALF if flash else FLOAT))
        self.plan.input(INDEX * self.rows)
        values = max(
            (each.kv_heads * each.value_size for each in layers if self._cells(each) == cells),
            default=0,
        )
        self.plan.input(INDEX * self.rows * (1 if flash else max(values, 1)))

    def _index_inputs(self, layers: tuple[LayerShape, ...]) -> Planned | None:
        """Add the mask of what an index chooses from, which is one of floats."""
        if not any(self._indexes(each) for each in layers):
            return None
        self.plan.input(INDEX * self.rows)
        return self.plan.input(self._floats(self.load.context))

    def _embedded(self, tokens: Planned, given: Planned) -> Planned:
        """Add the embeddings of tokens, and a mixture with embeddings that are given.

        The mixture, of which nothing else is computed in a graph of tokens, stays to the end.
        """
        current = self.plan.compute(given.size, tokens)
        known = self.plan.compute(given.size, tokens)
        mixed = self.plan.keep(self.plan.compute(given.size, self.plan.keep(given)))
        self.plan.compute(0, known, mixed)
        return current

    def _layer(self, layer: LayerShape, given: Planned, *, is_last: bool) -> Planned:
        residual = given
        if layer.mixer != "none":
            normed = given if self.traits.late else self._normed(given)
            mixed = self._mixed(layer, normed)
            if is_last:
                self.rows = self.load.outputs
                mixed = self._wanted_of(mixed)
                residual = self._wanted_of(given)
            mixed = self._normed(mixed) if self.traits.post else mixed
            if self.traits.parallel:
                residual = self._added(self._fed(layer, normed), residual)
                return self._added(residual, mixed)
            residual = self._added(mixed, residual)
        if not layer.feed_forward:
            return residual
        normed = residual if self.traits.late else self._normed(residual)
        result = self._experts(layer, normed) if layer.experts else self._fed(layer, normed)
        return self._added(self._normed(result) if self.traits.post else result, residual)

    def _added(self, result: Planned, residual: Planned) -> Planned:
        return self.plan.compute(result.size, result, residual, overwrites=True)

    def _wanted_of(self, result: Planned) -> Planned:
        """Add the rows of the tokens whose logits are wanted."""
        return self.plan.compute(self._floats(self.hidden), result, self.wanted)

    def _normed(self, given: Planned) -> Planned:
        scaled = self.plan.update(given)
        return self.plan.compute(scaled.size, scaled)

    def _mixed(self, layer: LayerShape, normed: Planned) -> Planned:
        if layer.mixer == "attention":
            return self._attention(layer, normed)
        if layer.mixer == "latent":
            return self._latent(layer, normed)
        return self._recurrent(layer, normed)

    def _attention(self, layer: LayerShape, normed: Planned) -> Planned:
        compute, floats = self.plan.compute, self._floats
        queries = compute(floats(layer.heads * layer.key_size), normed)
        queries = compute(queries.size, queries, self.positions)
        values = compute(floats(layer.kv_heads * layer.value_size), normed)
        keys = compute(floats(layer.kv_heads * layer.key_size), normed)
        keys = compute(keys.size, keys, self.positions)
        compute(0, keys)
        compute(0, values)
        seen = (self._blocks(layer, normed),) if self._indexes(layer) else ()
        result = self._attended(layer, queries, layer.value_size, seen=seen)
        return compute(floats(self.hidden), result)

    def _attended(
        self,
        layer: LayerShape,
        queries: Planned,
        width: int,
        own_width: int = 0,
        seen: tuple[Planned, ...] = (),
    ) -> Planned:
        """Add attention, whose result is decompressed to `own_width` if that is given.

        It reads a mask that is `seen`, or that of all tokens.
        """
        compute, floats = self.plan.compute, self._floats
        cells = self._cells(layer)
        seen = seen or (self.masks[cells],)
        if self.load.flash_attention:
            result = compute(floats(layer.heads * width), queries, *seen)
            if not own_width:
                return result
        else:
            scores = compute(floats(cells * layer.heads), queries)
            scores = compute(scores.size, scores, *seen, overwrites=True)
            result = compute(floats(layer.heads * width), scores, *seen[1:])
        if own_width:
            result = compute(floats(layer.heads * own_width), result)
        return compute(result.size, result)

    def _latent(self, layer: LayerShape, normed: Planned) -> Planned:
        """Add attention to compressed keys, into which the queries are projected."""
        compute, floats = self.plan.compute, self._floats
        asked = normed
        if layer.query_rank:
            asked = self._normed(compute(floats(layer.query_rank), normed))
        if layer.chosen:
            compute(0, self._index_key(layer, normed))
        own = compute(floats(layer.heads * layer.own_key_size), asked)
        rank = layer.key_size - layer.rotated
        absorbed = compute(floats(layer.heads * rank), own)
        rotated = compute(floats(layer.heads * layer.rotated), own)
        queries = compute(floats(layer.heads * layer.key_size), absorbed, rotated)
        compressed = compute(floats(layer.key_size), normed)
        latent = self._normed(compute(floats(rank), compressed))
        rotated = compute(floats(layer.rotated), compressed)
        compute(0, compute(floats(layer.key_size), latent, rotated))
        # llama.cpp's own plans leave the place of the absorbed queries unused meanwhile.
        seen = (self._chosen(layer, asked, normed), absorbed) if layer.chosen else ()
        result = self._attended(layer, queries, rank, layer.own_value_size, seen)
        return compute(floats(self.hidden), result)

    def _index_key(self, layer: LayerShape, normed: Planned) -> Planned:
        """Add a key of the index, part of which carries positions."""
        compute, size = self.plan.compute, self._floats(layer.index_size)
        key = self._normed(compute(size, normed))
        rotated = compute(self._floats(layer.rotated), key)
        return compute(size, compute(size, rotated, key))

    def _indexes(self, layer: LayerShape) -> bool:
        """Return True if a layer uses its index: blocks are chosen with flash attention only."""
        return layer.chosen > 0 and (layer.mixer == "latent" or self.load.flash_attention)

    def _chosen(self, layer: LayerShape, asked: Planned, normed: Planned) -> Planned:
        """Add a mask of all tokens but those that the index chooses."""
        compute, floats = self.plan.compute, self._floats
        usual = self.masks[self._cells(layer)]
        chosen = floats(min(layer.chosen, self.load.context))
        zeros = compute(chosen)
        size = floats(layer.index_heads * layer.index_size)
        queries = compute(size, asked)
        rotated = compute(floats(layer.index_heads * layer.rotated), queries)
        queries = compute(size, compute(size, rotated, queries))
        shares = compute(floats(layer.index_heads), normed)
        scores = compute(floats(self.load.context), queries, shares)
        assert self.indexed is not None
        scores = compute(scores.size, scores, self.indexed, overwrites=True)
        order = compute(chosen, compute(chosen, scores))
        mask = compute(usual.size, usual)
        mask = compute(usual.size, mask, zeros, order, overwrites=True)
        return compute(usual.size, mask, usual, overwrites=True)

    def _blocks(self, layer: LayerShape, normed: Planned) -> Planned:
        """Add a mask of all blocks of tokens but those that the index chooses."""
        compute = self.plan.compute
        usual = self.masks[self._cells(layer)]
        queries = self._normed(compute(self._floats(layer.index_heads * layer.index_size), normed))
        scores = compute(self._floats(layer.index_heads * self.load.context), queries)
        scores = compute(scores.size, scores, usual)
        return compute(usual.size, scores, usual)

    def _recurrent(self, layer: LayerShape, normed: Planned) -> Planned:
        """Add a selective state space: a convolution, a scan, and a gate."""
        compute, floats = self.plan.compute, self._floats
        inner = floats(layer.inner or self.hidden)
        wide = compute(2 * inner, normed)
        convolved = self.plan.update(compute(inner, compute(inner, wide)))
        scanned = compute(inner + FLOAT * layer.state * self.load.sequences, convolved)
        gate = compute(inner, wide)
        added = compute(inner, compute(inner, convolved), scanned, overwrites=True)
        return compute(floats(self.hidden), self._normed(compute(inner, gate, added)))

    def _fed(self, layer: LayerShape, normed: Planned, width: int = 0) -> Planned:
        compute = self.plan.compute
        wide = self._floats(width or layer.feed_forward)
        if layer.gated:
            inner = compute(wide, compute(wide, normed), compute(wide, normed))
        else:
            inner = self.plan.update(compute(wide, normed))
        return compute(self._floats(self.hidden), inner)

    def _experts(self, layer: LayerShape, normed: Planned) -> Planned:
        compute, floats = self.plan.compute, self._floats
        active = max(layer.active_experts, 1)
        scores = self.plan.update(compute(floats(layer.experts), normed))
        order = compute(floats(layer.experts), scores)
        shares = self.plan.update(compute(floats(active), scores, order))
        wide = floats(active * layer.feed_forward)
        inner = compute(wide, normed, order)
        if layer.gated:
            inner = compute(wide, inner, compute(wide, normed, order))
        each = compute(floats(active * self.hidden), inner, order)
        each = compute(each.size, each, shares, overwrites=True)
        result = compute(floats(self.hidden), each) if active > 1 else each
        if layer.shared_width:
            shared = self._fed(layer, normed, layer.shared_width)
            result = compute(result.size, result, shared, overwrites=True)
        return result


def _attends(layer: LayerShape) -> bool:
    return layer.mixer in ("attention", "latent")
