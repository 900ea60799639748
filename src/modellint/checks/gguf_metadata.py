"""Metadata of GGUF files that llama.cpp refuses or misreads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from math import prod

from modellint.base.paths import LOCAL_PATH
from modellint.checks.api import Check, Context, Hit
from modellint.formats.gguf import gguf_facts
from modellint.formats.gguf.facts import GgufFacts
from modellint.formats.gguf.header import TYPE_NAMES, Array, Entry
from modellint.formats.gguf.hyperparameters import MOST_LAYERS, Hyperparameters
from modellint.formats.gguf.llama import KeyKind, Loader, Requirements, loader
from modellint.formats.gguf.types import FILE_TYPES, GUESSED, TYPES, ggml_name
from modellint.model import format_shape

OTHER_RUNTIMES = frozenset(
    """aura clip cosmos flux hidream hyvid ltxv lumina2 pig qwen_image sd1 sd3 sdxl wan whisper
    imatrix controlvector""".split()
)
"""Architectures of files for other programs, or for llama.cpp in addition to a model."""
OTHER_TYPES = frozenset({"adapter", "mmproj", "imatrix", "controlvector"})
"""Values of `general.type` of files that are loaded in addition to a model."""
MOST_EXPERTS = 1024
ROTATES_WHOLE_HEADS = frozenset({"llama", "deci", "falcon", "llama-embed"})
"""Architectures whose heads llama.cpp rotates whole, or not at all."""
_U32, _F32, _BOOL, _TEXT = (TYPE_NAMES.index(name) for name in ("u32", "f32", "bool", "str"))
_NUMBERS = {"u32": _U32, "f32": _F32, "bool": _BOOL, "str": _TEXT}
SPECIAL_TOKENS = tuple(
    f"tokenizer.ggml.{name}_token_id"
    for name in """bos eos eot eom unknown seperator padding mask fim_pre fim_suf fim_mid fim_pad
    fim_rep fim_sep prefix suffix middle""".split()
)
_GENERAL: Mapping[str, KeyKind] = {
    key: KeyKind(kind, is_required=False, is_per_layer=False)
    for kind, keys in (
        ("str", ("general.name", "tokenizer.ggml.model", "tokenizer.ggml.pre")),
        ("u32", ("general.file_type", "tokenizer.ggml.token_type_count", *SPECIAL_TOKENS)),
        (
            "bool",
            tuple(
                f"tokenizer.ggml.{name}"
                for name in """add_bos_token add_eos_token add_sep_token add_space_prefix
                remove_extra_whitespaces normalizer.lowercase normalizer.strip_accents""".split()
            ),
        ),
    )
    for key in keys
}
"""Entries besides the hyperparameters whose types llama.cpp checks."""
_IN_ARRAYS = {"u32": ("u32", "i32"), "f32": ("f32",)}
"""Types of elements that llama.cpp takes for each type."""


def model_facts(context: Context) -> GgufFacts | None:
    """Return the facts of a file that is a language model, or the first part of one."""
    facts = gguf_facts(context.model)
    if facts is None or facts.number > 1 or facts.text("general.type") in OTHER_TYPES:
        return None
    return None if facts.architecture in OTHER_RUNTIMES else facts


def known_facts(context: Context) -> tuple[GgufFacts, Loader] | None:
    """Return the facts of a model whose architecture llama.cpp knows, and its loader."""
    facts = model_facts(context)
    if facts is None or facts.architecture not in loader().architectures:
        return None
    return facts, loader()


def of_known_model(check: Callable[[GgufFacts, Loader], Iterator[Hit]]) -> Check:
    """Ask a check about models whose architecture llama.cpp knows."""

    @wraps(check)
    def asked(context: Context) -> Iterator[Hit]:
        known = known_facts(context)
        return check(*known) if known is not None else iter(())

    return asked


def unknown_architecture(context: Context) -> Iterator[Hit]:
    facts = model_facts(context)
    if facts is None or facts.architecture in loader().architectures:
        return
    known = {"release": loader().release}
    if not facts.architecture:
        yield Hit(None, known, variant="missing")
    else:
        yield Hit(None, known | {"architecture": facts.architecture})


@of_known_model
def missing_key(facts: GgufFacts, _loaded: Loader) -> Iterator[Hit]:
    """Hyperparameters without which llama.cpp does not load the architecture."""
    for key, kind in _kinds(facts).items():
        full = facts.of_architecture(key)
        if kind.is_required and facts.entry(full) is None:
            yield Hit(None, {"key": full, "architecture": facts.architecture})


@of_known_model
def wrong_type(facts: GgufFacts, _loaded: Loader) -> Iterator[Hit]:
    """Hyperparameters stored as another type than llama.cpp reads."""
    kinds = {facts.of_architecture(key): kind for key, kind in _kinds(facts).items()}
    for key, kind in {**_GENERAL, **kinds}.items():
        entry = facts.entry(key)
        if entry is None or kind.type == "arr" or _is_of(entry, kind):
            continue
        stated = str(entry.value) if isinstance(entry.value, Array) else entry.type_name
        wanted = f"{kind.type}, or an array of it" if kind.is_per_layer else kind.type
        yield Hit(None, {"key": key, "type": stated, "expected": wanted})


def _kinds(facts: GgufFacts) -> Mapping[str, KeyKind]:
    return loader().requirements(facts.architecture).keys


def _is_of(entry: Entry, kind: KeyKind) -> bool:
    """Return True if llama.cpp takes the entry."""
    if isinstance(entry.value, Array):
        if not kind.is_per_layer:
            return False
        elements = TYPE_NAMES[entry.value.type]
        return elements in _IN_ARRAYS.get(kind.type, ()) or elements == "bool"
    return entry.type == _NUMBERS[kind.type]


@of_known_model
def wrong_length(facts: GgufFacts, _loaded: Loader) -> Iterator[Hit]:
    """Arrays with a value for each layer that have more or fewer."""
    layers = facts.integer(facts.of_architecture("block_count"))
    for key, kind in _kinds(facts).items():
        array = facts.array(facts.of_architecture(key))
        if array is not None and kind.is_per_layer and layers and array.count != layers:
            full = facts.of_architecture(key)
            yield Hit(None, {"key": full, "values": array.count, "layers": layers})


@of_known_model
def contradicting_sizes(facts: GgufFacts, _loaded: Loader) -> Iterator[Hit]:
    """Hyperparameters that contradict each other."""
    hyper = Hyperparameters(facts)
    if hyper.states("block_count"):
        yield from _layer_count(hyper)
    yield from _heads(hyper)
    yield from _expert_counts(hyper)
    yield from _rotation(hyper)


def _layer_count(hyper: Hyperparameters) -> Iterator[Hit]:
    if not 0 < hyper.all_layers <= MOST_LAYERS:
        yield Hit(None, {"layers": hyper.all_layers, "limit": MOST_LAYERS}, "layers")


def _heads(hyper: Hyperparameters) -> Iterator[Hit]:
    for index in range(min(hyper.all_layers, MOST_LAYERS)):
        heads, kv_heads = hyper.of_layer("attention.head_count", index), hyper.kv_heads(index)
        if heads and kv_heads and heads % kv_heads:
            facts = {"heads": heads, "kv_heads": kv_heads, "layer": index}
            yield Hit(None, facts)
            return


def _expert_counts(hyper: Hyperparameters) -> Iterator[Hit]:
    experts = hyper.number("expert_count")
    layers = range(min(hyper.all_layers, MOST_LAYERS))
    used = max((hyper.of_layer("expert_used_count", index) for index in layers), default=0)
    if hyper.name.startswith("hunyuan") and experts <= 1:
        return
    if used > experts or (experts and not used) or experts > MOST_EXPERTS:
        yield Hit(None, {"experts": experts, "used": used}, "experts")


def _rotation(hyper: Hyperparameters) -> Iterator[Hit]:
    if hyper.name not in ROTATES_WHOLE_HEADS or not hyper.head_size:
        return
    size = hyper.number("attention.key_length", hyper.head_size)
    rotated = hyper.number("rope.dimension_count", size)
    if rotated != size:
        yield Hit(None, {"rotated": rotated, "size": size}, "rotation")


@of_known_model
def unknown_rope_scaling(facts: GgufFacts, loaded: Loader) -> Iterator[Hit]:
    stated = facts.text(facts.of_architecture("rope.scaling.type"))
    if stated is not None and stated not in loaded.rope_scalings:
        known_types = sorted(loaded.rope_scalings)
        yield Hit(None, {"scaling": stated, "known": known_types})


@of_known_model
def missing_tensor(facts: GgufFacts, loaded: Loader) -> Iterator[Hit]:
    """Tensors that every model of the architecture has; the first of each kind."""
    names = {stated.name for _, stated in facts.tensors()}
    if not facts.is_complete or not names:  # a part of it, or only a vocabulary
        return
    hyper = Hyperparameters(facts)
    layers = range(hyper.layers)
    for pattern in _requirements(hyper, loaded).tensors:
        wanted = [pattern % index for index in layers] if "%d" in pattern else [pattern]
        missing = [name for name in wanted if not _has(names, name)]
        if missing:
            tensor = missing[0] + (".weight" if missing[0].endswith("attn_qkv") else "")
            number = {"tensor": tensor, "tensors": len(missing)}
            yield Hit(None, number | {"architecture": facts.architecture}, count=len(missing))


def _requirements(hyper: Hyperparameters, loaded: Loader) -> Requirements:
    return loaded.requirements(hyper.name, has_experts=hyper.number("expert_count") > 0)


def _has(names: set[str], wanted: str) -> bool:
    """Return True if a tensor is there; for queries, keys and values, in one or in three."""
    if not wanted.endswith(".attn_qkv"):
        return wanted in names
    stem = wanted.removesuffix("qkv")
    return f"{wanted}.weight" in names or {f"{stem}{each}.weight" for each in "qkv"} <= names


def wrong_shape(context: Context) -> Iterator[Hit]:
    """Tensors whose shapes contradict the hyperparameters; the first of each kind."""
    known = known_facts(context)
    if known is None:
        return
    facts, loaded = known
    hyper = Hyperparameters(facts)
    tensors = {stated.name: stated.dims for _, stated in facts.tensors()}
    places = {tensor.name: tensor for tensor in context.model.tensors}
    symbols = _symbols(hyper)
    requirements = _requirements(hyper, loaded)
    for pattern, shape in {**requirements.optional, **requirements.tensors}.items():
        expected = _sizes(shape, symbols, hyper)
        if expected is None:
            continue
        wrong = [
            (name, found, dims)
            for name, dims in _expected(pattern, expected, range(hyper.layers))
            if (found := _trimmed(tensors.get(name, dims))) != _trimmed(dims)
            and not _is_vocabulary_alone(name, found, dims)
        ]
        if wrong:
            name, found, dims = wrong[0]
            shapes = {"shape": format_shape(found[:8]), "expected": format_shape(dims)}
            number = {"tensor": name, "tensors": len(wrong)}
            yield Hit(places[name], number | shapes, count=len(wrong))


def _trimmed(dims: tuple[int, ...]) -> tuple[int, ...]:
    """Return dims without the ones at their end, which mean nothing."""
    while dims and dims[-1] == 1:
        dims = dims[:-1]
    return dims


def _is_vocabulary_alone(name: str, found: tuple[int, ...], dims: tuple[int, ...]) -> bool:
    """Return True if only the number of tokens is another: that has a rule of its own."""
    return (
        name in ("token_embd.weight", "output.weight")
        and len(found) == len(dims)
        and found[:1] == dims[:1]
    )


def _expected(
    pattern: str, sizes: tuple[int, ...], layers: range
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Iterate over names and dims of tensors."""
    for name in [pattern % index for index in layers] if "%d" in pattern else [pattern]:
        if not name.endswith(".attn_qkv"):
            yield name, sizes
            continue
        hidden, *each = sizes
        yield f"{name}.weight", (hidden, sum(each))
        yield f"{name}.bias", (sum(each),)
        for letter, size in zip("qkv", each, strict=True):
            yield f"{name.removesuffix('qkv')}{letter}.weight", (hidden, size)
            yield f"{name.removesuffix('qkv')}{letter}.bias", (size,)


def _symbols(hyper: Hyperparameters) -> dict[str, int]:
    """Return sizes that are the same in all layers."""
    found = {
        "n_embd": hyper.number("embedding_length"),
        "n_expert": hyper.number("expert_count"),
        "n_ctx_train": hyper.number("context_length"),
        "n_embd_head_k": hyper.number("attention.key_length", hyper.head_size),
        "n_embd_head_v": hyper.number("attention.value_length", hyper.head_size),
    }
    vocabulary = hyper.facts.vocabulary
    if vocabulary is not None:
        found["n_vocab"] = vocabulary
    for symbol, key in (("n_ff", "feed_forward_length"), ("n_head", "attention.head_count")):
        if not hyper.each(key):
            found[symbol] = hyper.number(key)
    used = hyper.number("expert_used_count")
    if used and "n_ff" in found and not hyper.each("expert_feed_forward_length"):
        width = hyper.number("expert_feed_forward_length")
        found["n_ff_exp"] = width or found["n_ff"] // used
    if not hyper.each("attention.head_count_kv") and "n_head" in found:
        found["n_head_kv"] = hyper.kv_heads(0)
        found["n_embd_k_gqa"] = found["n_embd_head_k"] * found["n_head_kv"]
        found["n_embd_v_gqa"] = found["n_embd_head_v"] * found["n_head_kv"]
        found["n_embd_gqa"] = found["n_embd_v_gqa"]
    if hyper.window:  # heads of layers with a window may have other sizes
        swa = hyper.states("attention.key_length_swa") or hyper.states("attention.value_length_swa")
        if swa:
            return {key: value for key, value in found.items() if "head" not in key}
    return found


def _sizes(
    shape: tuple[str, ...], symbols: Mapping[str, int], hyper: Hyperparameters
) -> tuple[int, ...] | None:
    """Return the dims, which are sums of products; None if one is not known."""
    sizes = []
    for dim in shape:
        size = 0
        for term in dim.split("+"):
            factors = [_size(part, symbols, hyper) for part in term.split("*")]
            if None in factors:
                return None
            size += prod(filter(None, factors)) if 0 not in factors else 0
        sizes.append(size)
    return tuple(sizes) or None


def _size(part: str, symbols: Mapping[str, int], hyper: Hyperparameters) -> int | None:
    """Return what a number, a symbol or a key stands for."""
    if part.isdigit():
        return int(part)
    if "." in part:
        return hyper.number(part) if hyper.states(part) and not hyper.each(part) else None
    return symbols.get(part)


def contradicting_file_type(context: Context) -> Iterator[Hit]:
    """A scheme in the metadata that none of the larger tensors has."""
    facts = model_facts(context)
    if facts is None or not facts.is_complete:
        return
    stated = facts.integer("general.file_type")
    name = FILE_TYPES.get(stated & ~GUESSED, "") if stated is not None else ""
    sizes: dict[str, int] = {}
    for _, tensor in facts.tensors():
        dtype = TYPES.get(tensor.type)
        if dtype is not None and len(tensor.dims) > 1 and dtype.is_float:
            elements = prod(abs(dim) for dim in tensor.dims)
            kind = ggml_name(tensor.type)
            sizes[kind] = sizes.get(kind, 0) + elements
    if not name or not sizes or any(_belongs(kind, name) for kind in sizes):
        return
    most = max(sizes, key=lambda kind: sizes[kind])
    share = sizes[most] / max(sum(sizes.values()), 1)
    yield Hit(None, {"scheme": name, "number": stated, "type": most, "share": share})


_MIXED = {
    "Q2_K_S": ("Q2_K",),
    "IQ2_S": ("IQ2_XS", "IQ2_S"),
    "IQ2_M": ("IQ2_S", "IQ2_XS"),
    "IQ3_XS": ("IQ3_XXS", "IQ3_S"),
    "IQ3_M": ("IQ3_S",),
}
"""Types of schemes that are not called after one."""


def _belongs(kind: str, scheme: str) -> bool:
    """Return True if a scheme uses a type of tensor."""
    if scheme in _MIXED:
        return kind in _MIXED[scheme]
    return scheme == kind or scheme.removesuffix(scheme[-2:]) == kind


def local_path(context: Context) -> Iterator[Hit]:
    """Metadata with paths of the machine where the file was made."""
    facts = gguf_facts(context.model)
    for part in facts.parts[:1] if facts is not None else ():
        for key, entry in part.entries.items():
            if isinstance(entry.value, str) and key != "tokenizer.chat_template":
                path = LOCAL_PATH.search(entry.value)
                if path is not None:
                    yield Hit(None, {"key": key, "path": path[0]})
