"""Exports the architectures that published latency measurements name, with random weights.

    PYTHON_WITH_TORCH tools/export_benchmarked.py ROWS.csv FOLDER [--only WORD]

Rows name an architecture (`timm:resnet50`, `tv:vgg16`, `hf:bert-base-uncased`) and an input (`224`
pixels, `seq128` tokens). Each pair becomes one ONNX file with an open batch. Nothing is downloaded,
and weights take no space on disk: they lie in a sparse file, since estimates only read shapes.
Needs torch, onnx, timm, torchvision and transformers.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from export_benchmarked_names import file_name

SMALL = 1024
"""Bytes up to which a constant stays in the file: it may be a shape or an axis."""
MOST_PARAMETERS = 400_000_000
"""Beyond it, an export takes too much memory."""
OPSET = 17

BERT_LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16} | {
    "intermediate_size": 4096
}
DEBERTA = {"vocab_size": 128100, "relative_attention": True, "position_buckets": 256} | {
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "max_relative_positions": 256,
    "type_vocab_size": 0,
}
TRANSFORMERS: dict[str, tuple[str, str, Mapping[str, Any]]] = {
    r"(?<![a-z])bert-base": ("BertForQuestionAnswering", "BertConfig", {}),
    r"(?<![a-z])bert-large": ("BertForQuestionAnswering", "BertConfig", BERT_LARGE),
    r"distilbert": ("DistilBertForQuestionAnswering", "DistilBertConfig", {}),
    r"albert-base": (
        "AlbertModel",
        "AlbertConfig",
        {
            "hidden_size": 768,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
        },
    ),
    r"mobilebert": ("MobileBertModel", "MobileBertConfig", {}),
    r"electra-base": (
        "ElectraModel",
        "ElectraConfig",
        {
            "embedding_size": 768,
            "hidden_size": 768,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
        },
    ),
    r"minilm-l6|MiniLM-L6": (
        "BertModel",
        "BertConfig",
        {
            "hidden_size": 384,
            "num_hidden_layers": 6,
            "intermediate_size": 1536,
        },
    ),
    r"minilm-l12|MiniLM-L12": (
        "BertModel",
        "BertConfig",
        {
            "hidden_size": 384,
            "intermediate_size": 1536,
        },
    ),
    r"gpt2": ("GPT2LMHeadModel", "GPT2Config", {"use_cache": False}),
    r"DebertaV2Config|deberta-v3-xsmall": (
        "DebertaV2ForMaskedLM",
        "DebertaV2Config",
        {
            **DEBERTA,
            "hidden_size": 384,
            "num_hidden_layers": 12,
            "num_attention_heads": 6,
            "intermediate_size": 1536,
        },
    ),
    r"deberta-v3-large": (
        "DebertaV2ForMaskedLM",
        "DebertaV2Config",
        {
            **DEBERTA,
            **BERT_LARGE,
        },
    ),
    r"beit-base": ("BeitForImageClassification", "BeitConfig", {}),
    r"segformer-b0": ("SegformerForSemanticSegmentation", "SegformerConfig", {"num_labels": 150}),
    r"rtdetr_r18": (
        "RTDetrForObjectDetection",
        "RTDetrConfig",
        {
            "backbone_config": {"model_type": "rt_detr_resnet", "depths": [2, 2, 2, 2]}
            | {
                "hidden_sizes": [64, 128, 256, 512],
                "layer_type": "basic",
                "out_features": ["stage2", "stage3", "stage4"],
            },
            "encoder_in_channels": [128, 256, 512],
            "decoder_layers": 3,
            "hidden_expansion": 0.5,
        },
    ),
    r"rtdetr_r50": ("RTDetrForObjectDetection", "RTDetrConfig", {}),
    r"owlvit-base-patch32": (
        "CLIPVisionModel",
        "CLIPVisionConfig",
        {
            "image_size": 768,
            "patch_size": 32,
        },
    ),
    r"owlvit-base-patch16": (
        "CLIPVisionModel",
        "CLIPVisionConfig",
        {
            "image_size": 768,
            "patch_size": 16,
        },
    ),
}
"""Model, configuration and its values by the name of a published checkpoint, as a pattern."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path, metavar="ROWS.csv")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--only", default="", metavar="WORD")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    given.folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name, size in wanted(given.rows):
        path = given.folder / file_name(name, size)
        if given.only not in name or path.exists():
            continue
        try:
            export(name, size, path)
            say(f"{path.name}: {path.stat().st_size:,} bytes")
        except Exception as error:
            failed += 1
            say(f"{name} at {size}: {type(error).__name__}: {str(error)[:300]}")
    return 1 if failed else 0


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def wanted(rows: Path) -> Iterator[tuple[str, str]]:
    """Iterate over architectures and inputs of a table, each once."""
    with rows.open(encoding="utf-8", newline="") as stream:
        pairs = {(row["timm_or_hf_name"], row["input"]): None for row in csv.DictReader(stream)}
    yield from pairs


def export(name: str, size: str, path: Path) -> None:
    model, arguments = build(name, size)
    if sum(each.numel() for each in model.parameters()) > MOST_PARAMETERS:
        raise ValueError("too large to export here")
    fuse = getattr(model, "fuse", None)
    if callable(fuse):
        fuse()
    randomize(model)
    names = list(arguments)
    draft = path.with_suffix(".draft")
    with torch.no_grad():
        torch.onnx.export(
            model.eval(),
            tuple(arguments.values()),
            str(draft),
            input_names=names,
            dynamic_axes={each: {0: "batch"} for each in names},
            opset_version=OPSET,
            dynamo=False,
        )
    save_emptied(draft, path)


def randomize(model: Any) -> None:
    """Make all weights different, since equal ones would become one."""
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():
            tensor.data.uniform_(0.5, 1.5)


def build(name: str, size: str) -> tuple[Any, dict[str, Any]]:
    """Return a model with random weights, and arguments by name."""
    library, _, architecture = name.partition(":")
    architecture = architecture.split(" (")[0] if library != "hf" else architecture
    if library == "hf":
        model = from_transformers(architecture, size)
    elif library == "tv":
        from torchvision import models

        part, _, last = architecture.rpartition(".")
        maker = getattr(getattr(models, part) if part else models, last)
        takes = {"weights": None} | ({"weights_backbone": None} if part == "segmentation" else {})
        model = maker(**takes)
    else:
        import timm
        from timm.utils.model import reparameterize_model

        sized = {} if _is_fixed(timm, architecture, pixels(size)) else {"img_size": pixels(size)}
        model = reparameterize_model(timm.create_model(architecture, pretrained=False, **sized))
    return model, arguments_for(architecture, size)


def _is_fixed(timm: Any, architecture: str, size: int) -> bool:
    """Return True if the model needs no word about the size of its images."""
    config = timm.get_pretrained_cfg(architecture)
    return config is None or not config.fixed_input_size or config.input_size[-1] == size


def from_transformers(architecture: str, size: str) -> Any:
    import transformers

    for pattern, (model, config, values) in TRANSFORMERS.items():
        if re.search(pattern, architecture):
            length = {"max_position_embeddings": max(512, tokens(size))} if is_text(size) else {}
            made = getattr(transformers, config)(**{**values, **length})
            made._attn_implementation = "eager"
            made.return_dict = False
            return getattr(transformers, model)(made)
    raise ValueError("no configuration is known")


def arguments_for(architecture: str, size: str) -> dict[str, Any]:
    if is_text(size):
        shape = (1, tokens(size))
        ids, mask = torch.ones(shape, dtype=torch.int64), torch.ones(shape, dtype=torch.int64)
        return (
            {"input_ids": ids}
            if "gpt" in architecture
            else {
                "input_ids": ids,
                "attention_mask": mask,
            }
        )
    side = pixels(size)
    if architecture.startswith("video."):
        return {"video": torch.rand(1, 3, 16, side, side)}
    return {"image": torch.rand(1, 3, side, side)}


def is_text(size: str) -> bool:
    return size.startswith("seq") or re.fullmatch(r"1x\d+", size) is not None


def tokens(size: str) -> int:
    return int(size.removeprefix("seq").removeprefix("1x"))


def pixels(size: str) -> int:
    return int(re.findall(r"\d+", size)[-1])


def save_emptied(draft: Path, path: Path) -> None:
    """Save an exported file without its weights' numbers, and remove it."""
    exported = onnx.load(draft, load_external_data=True)
    draft.unlink()
    empty_weights(exported, path)
    onnx.save(exported, path)


def empty_weights(model: onnx.ModelProto, path: Path) -> None:
    """Move weights into a sparse file next to the model."""
    data, offset = path.with_suffix(".weights"), 0
    for tensor in model.graph.initializer:
        size = len(tensor.raw_data)
        if size <= SMALL:
            continue
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", data.name), ("offset", offset), ("length", size)):
            tensor.external_data.add(key=key, value=str(value))
        offset += (size + 4095) // 4096 * 4096
    with data.open("wb") as stream:
        stream.truncate(offset)


if __name__ == "__main__":
    sys.exit(main())
