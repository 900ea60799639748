"""Doubts about a type of model that is not known: a guess would be a wrong number.

Types of models that came after this release are often Llama's in all but name. For those, the
weights confirm what the configuration suggests; for all others, the cache is not computed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from modellint.base.text import bounded
from modellint.formats.huggingface.hyperparameters import HyperTable
from modellint.formats.huggingface.mixers import FULL, HYBRID, LINEAR, NONE, SLIDING
from modellint.model import Tensor
from modellint.model.architecture import LayerShape

_KNOWN_KINDS = FULL | SLIDING | LINEAR | HYBRID | NONE
_UNUSUAL = (
    "kv_lora_rank",
    "state_size",
    "linear_num_value_heads",
    "linear_attn_config",
    "num_kv_shared_layers",
    "compress_ratios",
    "index_topk",
)
"""Hyperparameters of layers whose cache is not that of plain attention."""
_PROJECTION = re.compile(
    r"(?:^|\.)(?:layers|h|blocks|block)\.(\d{1,6})\.[a-z_.]*?"
    r"(qkv|query_key_value|c_attn|w_?pack|wqkv|[kv]_proj|w[kv]|key|value|[kv])(?:_proj)?"
    r"\.(?:weight|qweight|weight_packed)$",
    re.IGNORECASE,
)
_ENCODER = re.compile(r"vision|visual|audio|image|speech|encoder|mtp|draft", re.IGNORECASE)


def doubt(hyper: HyperTable, layers: Iterable[LayerShape], tensors: Iterable[Tensor]) -> str:
    """Return why the cache of the layers is not known; empty if it is."""
    kinds = [kind for kind in hyper.stated_items("layer_types") if isinstance(kind, str)]
    strange = next((kind for kind in kinds if kind not in _KNOWN_KINDS), None)
    if strange is not None:
        return f"its layers of the kind '{bounded(strange)}' are not known"
    if hyper.is_known:
        return ""
    said = f"'{bounded(hyper.type)}' is not a type of model that is known"
    unusual = next((name for name in _UNUSUAL if hyper.get(name)), None)
    if unusual is not None:
        return f"{said}, and its configuration states {unusual}"
    slides = hyper.number("sliding_window") and hyper.flag("use_sliding_window") is not False
    if slides and not hyper.stated_items("layer_types"):
        return f"{said}, nor which of its layers have the window"
    rows = _projections(tensors)
    for index, layer in enumerate(layers):
        if layer.mixer == "attention" and not _confirmed(layer, rows.get(index, {})):
            return f"{said}, and the weights of layer {index} are not those of plain attention"
    return ""


def _projections(tensors: Iterable[Tensor]) -> dict[int, dict[str, tuple[int, ...]]]:
    """Return the shapes of the projections to keys and values, by layer and name."""
    found: dict[int, dict[str, tuple[int, ...]]] = {}
    for tensor in tensors:
        if len(tensor.shape) == 2 and not _ENCODER.search(tensor.name):
            named = _PROJECTION.search(tensor.name)
            if named is not None:
                found.setdefault(int(named[1]), {})[named[2].lower()] = tensor.shape
    return found


def _confirmed(layer: LayerShape, shapes: dict[str, tuple[int, ...]]) -> bool:
    """Return True if a layer projects to as many keys and values as its shape has.

    The width of what is projected to is either dim, by the class and by the way of quantization.
    """
    keys, values = layer.kv_heads * layer.key_size, layer.kv_heads * layer.value_size
    own = {name[0] if name[0] != "w" else name[1:2]: shape for name, shape in shapes.items()}
    if len(shapes) == 2 and {"k", "v"} <= own.keys():
        return keys in own["k"] and values in own["v"]
    together = layer.heads * layer.key_size + keys + values
    return len(shapes) == 1 and together in next(iter(shapes.values()))
