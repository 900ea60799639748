"""Configurations of Hugging Face folders against the weights next to them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from math import gcd

from modellint.analysis.duplicates import same_elements
from modellint.checks.api import Context, Hit
from modellint.formats.huggingface.architecture import decoder_of
from modellint.formats.huggingface.config import JsonTable
from modellint.formats.huggingface.facts import folder_facts
from modellint.formats.huggingface.hyperparameters import HyperTable
from modellint.formats.huggingface.quantization import quantization_of
from modellint.model import Model, Tensor
from modellint.model.architecture import Architecture, LayerShape
from modellint.results.finding import Severity

_EMBEDDING = re.compile(
    r"(?:^|\.)(?:embed_tokens|wte|word_embeddings|embed_in|embeddings|tok_embeddings)\.weight$"
)
_OUTPUT = re.compile(r"(?:^|\.)(?:lm_head|embed_out|output|output_layer|head)\.")
_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks|block)\.(\d{1,6})\.")
_ENCODER = re.compile(r"vision|visual|audio|image|speech|encoder|mtp|draft", re.IGNORECASE)
"""Parts of names of tensors that are not the decoder's."""
_PLAIN = frozenset(
    """llama mistral qwen2 qwen3 gemma gemma2 gemma3_text olmo olmo2 olmo3 granite cohere cohere2
    smollm3 helium seed_oss arcee ministral ministral3 exaone4 mixtral qwen2_moe qwen3_moe olmoe
    phimoe gpt_oss stablelm starcoder2""".split()
)
"""Types of models whose projections are called and shaped as Llama's."""
_PROJECTION = re.compile(
    r"layers\.(\d{1,6})\.(?:self_attn\.([qkvo])_proj|mlp\.(gate|up|down)_proj)\.weight$"
)
_ROPE_NEEDS = {
    "linear": ("factor",),
    "dynamic": ("factor",),
    "yarn": ("factor",),
    "longrope": ("short_factor", "long_factor"),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor"),
}
"""Values without which transformers refuses a way of scaling positions."""
_HALF = frozenset({"float16", "bfloat16"})


def shapes_contradict(context: Context) -> Iterator[Hit]:
    """Weights whose shapes are not those that the configuration asks for."""
    found = _decoder(context.model)
    if found is None or "adapter_config.json" in folder_facts(context.model).names:
        return
    architecture, hyper = found
    seen: set[str] = set()
    for tensor in context.model.tensors:
        for what, stated, stored in _expectations(tensor, architecture, hyper):
            if stated != stored and what not in seen:
                seen.add(what)
                facts = {"what": what, "stated": stated, "stored": stored, "tensor": tensor.name}
                yield Hit(tensor, facts)


def _expectations(
    tensor: Tensor, architecture: Architecture, hyper: HyperTable
) -> Iterator[tuple[str, int, int]]:
    """Iterate over what the configuration states of a tensor's dims, and what they are."""
    if len(tensor.shape) != 2 or tensor.dtype.name not in _FLOATS or _ENCODER.search(tensor.name):
        return
    if _EMBEDDING.search(tensor.name) and architecture.vocabulary is not None:
        yield "the vocabulary", architecture.vocabulary, tensor.shape[0]
        if not hyper.config.number("word_embed_proj_dim"):
            yield "the width", architecture.hidden, tensor.shape[1]
        return
    named = _PROJECTION.search(tensor.name)
    if named is None or hyper.type not in _PLAIN or int(named[1]) >= len(architecture.layers):
        return
    yield from _projection(named, tensor.shape, architecture.layers[int(named[1])])


def _projection(
    named: re.Match[str], shape: tuple[int, ...], layer: LayerShape
) -> Iterator[tuple[str, int, int]]:
    rows, columns = shape
    if named[2] == "q":
        yield "the attention heads", layer.heads * layer.key_size, rows
    elif named[2] in ("k", "v"):
        yield "the key-value heads", layer.kv_heads * layer.key_size, rows
    elif named[2] == "o":
        yield "the attention heads", layer.heads * layer.value_size, columns
    elif not layer.experts:
        yield "the feed-forward width", layer.feed_forward, columns if named[3] == "down" else rows


_FLOATS = frozenset({"float32", "float16", "bfloat16", "float64"})


def layers_missing(context: Context) -> Iterator[Hit]:
    """Layers that the configuration has and the weights do not, or the other way around."""
    found = _decoder(context.model)
    if found is None or _is_incomplete(context.model):
        return
    architecture, hyper = found
    numbers = {
        int(match[1])
        for tensor in context.model.tensors
        if not _ENCODER.search(tensor.name) and (match := _LAYER.search(tensor.name))
    }
    stored, stated = max(numbers, default=-1) + 1, len(architecture.layers)
    if 0 < stored < stated:
        yield Hit(None, {"stated": stated, "stored": stored})
    elif stored > stated + hyper.count("num_nextn_predict_layers"):
        facts = {"stated": stated, "stored": stored}
        yield Hit(None, facts, variant="surplus", severity=Severity.WARNING)


def output_layer_missing(context: Context) -> Iterator[Hit]:
    """Models without an output layer that do not share the embeddings' either."""
    found = _decoder(context.model)
    if found is None or found[0].tied_embeddings is not False or _is_incomplete(context.model):
        return
    names = [tensor.name for tensor in context.model.tensors]
    embedding = next((name for name in names if _EMBEDDING.search(name)), None)
    generates = any("ForCausalLM" in name for name in _config(context).texts("architectures"))
    if generates and embedding is not None and not any(map(_OUTPUT.search, names)):
        yield Hit(None, {"embedding": embedding})


def tied_weights_differ(context: Context) -> Iterator[Hit]:
    """Output layers that the configuration shares with the embeddings, but that differ."""
    found = _decoder(context.model)
    if found is None or not found[0].tied_embeddings:
        return
    tensors = [tensor for tensor in context.model.tensors if not _ENCODER.search(tensor.name)]
    embedding = next((each for each in tensors if _EMBEDDING.search(each.name)), None)
    output = next((each for each in tensors if each.name.endswith("lm_head.weight")), None)
    if embedding is None or output is None:
        return
    alike = (embedding.dtype, embedding.shape) == (output.dtype, output.shape)
    if not alike or same_elements(embedding, output) is False:
        facts = {"embedding": embedding.name, "output": output.name, "size": output.nbytes}
        yield Hit(output, facts)


def weights_wider(context: Context) -> Iterator[Hit]:
    """Weights in fp32 although the configuration states 16 bits."""
    stated = _config(context).text("dtype", "torch_dtype").removeprefix("torch.")
    if stated not in _HALF or quantization_of(folder_facts(context.model)) is not None:
        return
    sizes = _matrix_bytes(context.model)
    wide, total = sizes["float32"], sum(sizes.values())
    if total and wide > total / 2:
        yield Hit(None, {"dtype": stated, "size": wide, "saved": wide // 2, "share": wide / total})


def mixed_halves(context: Context) -> Iterator[Hit]:
    """Matrices stored in both fp16 and bf16."""
    if quantization_of(folder_facts(context.model)) is not None:
        return
    sizes = _matrix_bytes(context.model)
    if sizes["float16"] and sizes["bfloat16"]:
        minor = min(_HALF, key=lambda name: sizes[name])
        tensors = [each for each in context.model.tensors if _is_matrix(each, minor)]
        facts = {"dtype": minor, "tensors": len(tensors), "tensor": tensors[0].name}
        yield Hit(tensors[0], facts, count=len(tensors))


def _is_matrix(tensor: Tensor, dtype: str) -> bool:
    return tensor.dtype.name == dtype and sum(dim > 1 for dim in tensor.shape) > 1


def _matrix_bytes(model: Model) -> Counter[str]:
    """Return the bytes of all matrices by type."""
    sizes: Counter[str] = Counter()
    for tensor in model.tensors:
        if _is_matrix(tensor, tensor.dtype.name):
            sizes[tensor.dtype.name] += tensor.nbytes
    return sizes


def heads_do_not_divide(context: Context) -> Iterator[Hit]:
    """Heads that do not divide the width, or key-value heads that do not divide the heads."""
    found = _decoder(context.model)
    if found is None:
        return
    architecture, hyper = found
    layer = next((each for each in architecture.layers if each.mixer == "attention"), None)
    if layer is None or not layer.heads or not layer.kv_heads:
        return
    if not hyper.number("head_dim") and hyper.type in _PLAIN and architecture.hidden % layer.heads:
        yield Hit(None, {"heads": layer.heads, "width": architecture.hidden}, variant="width")
    if gcd(layer.heads, layer.kv_heads) != layer.kv_heads:
        yield Hit(None, {"heads": layer.heads, "shared": layer.kv_heads})


def layer_types_miscounted(context: Context) -> Iterator[Hit]:
    """Lists of the layers' types that do not have one for each layer."""
    config = decoder_of(folder_facts(context.model))
    types, layers = config.items("layer_types"), config.number("num_hidden_layers")
    if types and layers is not None and len(types) != layers:
        yield Hit(None, {"types": len(types), "layers": layers})


def scaling_incomplete(context: Context) -> Iterator[Hit]:
    """Scaled positions without the values that their scheme needs."""
    config = decoder_of(folder_facts(context.model))
    for key in ("rope_scaling", "rope_parameters"):
        scaling = config.table(key)
        kind = scaling.text("rope_type", "type")
        lacking = [name for name in _ROPE_NEEDS.get(kind, ()) if name not in scaling]
        if lacking:
            yield Hit(None, {"key": key, "scheme": kind, "lacking": lacking})


def remote_code(context: Context) -> Iterator[Hit]:
    """Folders whose loading runs Python code that they bring, or that another one does."""
    facts = folder_facts(context.model)
    known = HyperTable(facts.config()).is_known
    for name in ("config.json", "tokenizer_config.json"):
        stated = facts.config(name).table("auto_map")
        sources = sorted(set(_sources(stated)))
        foreign = [source for source in sources if "--" in source]
        if foreign:
            said = {"config": name, "repository": foreign[0].partition("--")[0]}
            yield Hit(None, said, variant="elsewhere")
        elif sources:
            modules = [f"{source.partition('.')[0]}.py" for source in sources]
            ours = known and name == "config.json"
            severity = Severity.INFO if ours else None
            yield Hit(
                None, {"config": name, "modules": list(dict.fromkeys(modules))}, severity=severity
            )


def _sources(stated: JsonTable) -> Iterator[str]:
    """Iterate over ``modeling_x.Model``; tokenizers have lists of them."""
    for key in stated:
        yield from filter(None, [stated.text(key), *stated.texts(key)])


_PICKLES = re.compile(
    r"(?i)^(?:pytorch_model|adapter_model|diffusion_pytorch_model|model)\b.*"
    r"\.(?:bin|pt|pth|ckpt|pkl)$"
)
_TRAINING = re.compile(
    r"(?i)^(?:training_args\.bin|(?:optimizer|scheduler|rng_state\w*)\.(?:pt|pth))$"
)


def pickles_beside(context: Context) -> Iterator[Hit]:
    """Pickles in a folder that has safetensors."""
    names = sorted(folder_facts(context.model).names)
    weights = [name for name in names if _PICKLES.match(name)]
    if weights:
        yield Hit(None, {"files": weights})
    training = [name for name in names if _TRAINING.match(name)]
    if training:
        yield Hit(None, {"files": training}, variant="training", severity=Severity.INFO)


def _config(context: Context) -> JsonTable:
    return folder_facts(context.model).config()


def _decoder(model: Model) -> tuple[Architecture, HyperTable] | None:
    """Return the architecture of a folder whose type of model is known."""
    if model.architecture is None:
        return None
    hyper = HyperTable(decoder_of(folder_facts(model)))
    return (model.architecture, hyper) if hyper.is_known else None


_INCOMPLETE = frozenset({"shard-missing", "shard-broken", "lfs-pointer", "index-wrong"})


def _is_incomplete(model: Model) -> bool:
    return any(problem.kind in _INCOMPLETE for problem in model.problems)
