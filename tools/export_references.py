"""Exports named architectures of tasks other than classification, with random weights.

    PYTHON_WITH_TORCH tools/export_references.py FOLDER [--only WORD]

For `tools/measure_efficiency.py`, which reads only shapes: weights lie in sparse files. Nothing is
downloaded; an architecture is a class of transformers with the sizes that its authors published.
Needs torch, onnx and transformers. Models of text are exported for two lengths: their
multiply-accumulates for all others follow.
"""

from __future__ import annotations

import argparse
import gc
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from export_benchmarked import OPSET, randomize, save_emptied, say

LENGTHS = (128, 256)
"""Tokens of a text."""
TEXT = ("input_ids", "attention_mask")
Row = tuple[str, str, Mapping[str, Any], int]
"""A name, a class of transformers, values of its configuration, and the side of its images."""


def resnet(*depths: int, kind: str = "bottleneck", **more: Any) -> dict[str, Any]:
    widths = [64, 128, 256, 512] if kind == "basic" else [256, 512, 1024, 2048]
    return {"depths": list(depths), "layer_type": kind, "hidden_sizes": widths} | more


def detr(kind: str, *depths: int, name: str = "detr") -> Row:
    backbone = {"model_type": "resnet", "out_features": ["stage4"], **resnet(*depths)}
    if kind == "DeformableDetr":
        backbone["out_features"] = ["stage2", "stage3", "stage4"]
    values = {"use_timm_backbone": False, "backbone": None, "use_pretrained_backbone": False}
    return name, f"{kind}ForObjectDetection", {**values, "backbone_config": backbone}, 800


def rt_detr(name: str, version: str, backbone: dict[str, Any], **more: Any) -> Row:
    stages = {"model_type": "rt_detr_resnet", "out_features": ["stage2", "stage3", "stage4"]}
    values = {"backbone_config": {**stages, **backbone}, **more}
    return name, f"RTDetr{version}ForObjectDetection", values, 640


def small(layers: int) -> dict[str, Any]:
    sizes = {"encoder_in_channels": [128, 256, 512], "decoder_layers": layers}
    return {**sizes, "hidden_expansion": 0.5}


DETECTORS: Sequence[Row] = (
    detr("Detr", 3, 4, 6, 3, name="detr-resnet50"),
    detr("Detr", 3, 4, 23, 3, name="detr-resnet101"),
    detr("ConditionalDetr", 3, 4, 6, 3, name="conditional-detr-resnet50"),
    detr("DeformableDetr", 3, 4, 6, 3, name="deformable-detr-resnet50"),
    detr("DabDetr", 3, 4, 6, 3, name="dab-detr-resnet50"),
    rt_detr("rtdetr-r18", "", resnet(2, 2, 2, 2, kind="basic"), **small(3)),
    rt_detr("rtdetr-r34", "", resnet(3, 4, 6, 3, kind="basic"), **small(4)),
    rt_detr("rtdetr-r50", "", resnet(3, 4, 6, 3)),
    rt_detr("rtdetr-v2-r18", "V2", resnet(2, 2, 2, 2, kind="basic"), **small(3)),
    rt_detr("rtdetr-v2-r50", "V2", resnet(3, 4, 6, 3)),
)


def text(name: str, kind: str, layers: int, width: int, heads: int, **more: Any) -> Row:
    values = {"num_hidden_layers": layers, "hidden_size": width, "num_attention_heads": heads}
    if "intermediate_size" not in more:
        more = {"intermediate_size": 4 * width, **more}
    return name, kind, {**values, **more}, 0


ENCODERS: Sequence[Row] = (
    text("bert-tiny", "BertModel", 2, 128, 2),
    text("bert-mini", "BertModel", 4, 256, 4),
    text("bert-small", "BertModel", 4, 512, 8),
    text("bert-medium", "BertModel", 8, 512, 8),
    text("bert-base", "BertModel", 12, 768, 12),
    text("bert-base-multilingual", "BertModel", 12, 768, 12, vocab_size=119547),
    text("bert-large", "BertModel", 24, 1024, 16),
    text("minilm-l6", "BertModel", 6, 384, 12),
    text("minilm-l12", "BertModel", 12, 384, 12),
    text("minilm-l12-multilingual", "BertModel", 12, 384, 12, vocab_size=250037),
    text("roberta-base", "RobertaModel", 12, 768, 12, vocab_size=50265),
    text("roberta-large", "RobertaModel", 24, 1024, 16, vocab_size=50265),
    text("distilroberta-base", "RobertaModel", 6, 768, 12, vocab_size=50265),
    text("xlm-roberta-base", "XLMRobertaModel", 12, 768, 12, vocab_size=250002),
    ("distilbert-base", "DistilBertModel", {}, 0),
    text("albert-base", "AlbertModel", 12, 768, 12),
    text("albert-large", "AlbertModel", 24, 1024, 16),
)


def llama(name: str, layers: int, width: int, heads: int, inner: int) -> Row:
    more = {"num_key_value_heads": heads, "intermediate_size": inner, "vocab_size": 32000}
    return text(name, "LlamaForCausalLM", layers, width, heads, **more, tie_word_embeddings=True)


def gpt2(name: str, layers: int, width: int, heads: int) -> Row:
    return name, "GPT2LMHeadModel", {"n_layer": layers, "n_embd": width, "n_head": heads}, 0


def pythia(name: str, layers: int, width: int, heads: int) -> Row:
    return text(name, "GPTNeoXForCausalLM", layers, width, heads, vocab_size=50304)


DECODERS: Sequence[Row] = (
    gpt2("distilgpt2", 6, 768, 12),
    gpt2("gpt2", 12, 768, 12),
    ("openai-gpt", "OpenAIGPTLMHeadModel", {}, 0),
    ("opt-125m", "OPTForCausalLM", {}, 0),
    pythia("pythia-14m", 6, 128, 4),
    pythia("pythia-70m", 6, 512, 8),
    pythia("pythia-160m", 12, 768, 12),
    llama("stories-15m", 6, 288, 6, 768),
    llama("stories-110m", 12, 768, 12, 2048),
)
GROUPS: Mapping[str, tuple[Sequence[Row], tuple[str, ...]]] = {
    "detector": (DETECTORS, ("logits", "pred_boxes")),
    "encoder": (ENCODERS, ("last_hidden_state",)),
    "decoder": (DECODERS, ("logits",)),
}
"""Architectures, and the results that are exported, by group."""


class Chosen(torch.nn.Module):  # type: ignore[misc]
    """A model with the results that matter."""

    def __init__(self, model: Any, results: Sequence[str], names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.results, self.names = model, results, names

    def forward(self, *given: Any) -> Any:
        found = self.model(**dict(zip(self.names, given, strict=True)))
        return tuple(found[name] for name in self.results)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--only", default="", metavar="WORD")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    given.folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for path, row, results, tokens in _rows(given.folder):
        if given.only not in path.name or path.exists():
            continue
        try:
            export(row, results, tokens, path)
            say(f"{path.name}: {path.stat().st_size:,} bytes")
        except Exception as error:
            failed += 1
            say(f"{path.name}: {type(error).__name__}: {str(error)[:300]}")
        gc.collect()
    return 1 if failed else 0


def _rows(folder: Path) -> Iterator[tuple[Path, Row, tuple[str, ...], int]]:
    for group, (rows, results) in GROUPS.items():
        for row in rows:
            for tokens in [0] if row[3] else LENGTHS:
                length = f"-{tokens}" if tokens else ""
                yield folder / f"{group}-{row[0]}{length}.onnx", row, results, tokens


def export(row: Row, results: tuple[str, ...], tokens: int, path: Path) -> None:
    _, kind, values, side = row
    model = from_transformers(kind, values)
    arguments = (
        {"pixel_values": torch.rand(1, 3, side, side)}
        if side
        else {name: torch.ones((1, tokens), dtype=torch.int64) for name in TEXT}
    )
    chosen = Chosen(model, results, list(arguments))
    randomize(chosen)
    draft = path.with_suffix(".draft")
    with torch.no_grad():
        torch.onnx.export(
            chosen.eval(),
            tuple(arguments.values()),
            str(draft),
            input_names=list(arguments),
            output_names=list(results),
            opset_version=OPSET,
            # a folded transpose would store the words' weights a second time
            do_constant_folding=False,
            dynamo=False,
        )
    save_emptied(draft, path)


def from_transformers(kind: str, values: Mapping[str, Any]) -> Any:
    import transformers

    maker = getattr(transformers, kind)
    given = dict(values)
    backbone = given.get("backbone_config")
    if backbone is not None:
        stated = dict(backbone)
        given["backbone_config"] = transformers.AutoConfig.for_model(
            stated.pop("model_type"), **stated
        )
    config = maker.config_class(**given)
    config._attn_implementation = "eager"
    if hasattr(config, "use_cache"):
        config.use_cache = False
    return maker(config)


if __name__ == "__main__":
    sys.exit(main())
