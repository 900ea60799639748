"""Makes the graphs next to this file: real architectures at their published sizes, without weights.

Each is exported by PyTorch as its users would, then every weight of more than a few elements is
declared to lie in `<name>.weights`, which is not kept: `tests.exports.materialise` makes it, as a
file of holes that takes no room, or filled with random numbers where a runtime must run it.

Needs torch, torchvision, transformers and onnx, which the project itself does not:

    python tests/data/exports/generate.py [NAME ...]
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")

import onnx  # noqa: E402
import torch  # noqa: E402
import torchvision.models as vision  # noqa: E402
import transformers as hf  # noqa: E402
from onnx import TensorProto  # noqa: E402

HERE = Path(__file__).parent
INLINE_BYTES = 128
"""Tensors up to this size stay in the graph: shapes, axes, scales."""

Axes = dict[str, dict[int, str]]


class Call(torch.nn.Module):
    """Any function of a module and its inputs, as a module."""

    def __init__(self, module: torch.nn.Module, call: Callable[..., Any]) -> None:
        super().__init__()
        self.module, self.call = module, call

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.call(self.module, *inputs)


def export(
    name: str,
    module: torch.nn.Module,
    inputs: tuple[torch.Tensor, ...],
    input_names: list[str],
    output_names: list[str],
    axes: Axes,
    *,
    dynamo: bool = False,
) -> None:
    """Export with the TorchScript exporter, or the newer one, and keep the graph alone."""
    for tensor in module.eval().state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.01, 0.02)  # exporters merge weights of equal numbers
    path = HERE / f"{name}.onnx"
    names: dict[str, Any] = {"input_names": input_names, "output_names": output_names}
    with torch.no_grad():
        if dynamo:
            shapes = tuple(
                {axis: dim(name) for axis, name in axes.get(n, {}).items()} for n in input_names
            )
            torch.onnx.export(
                module,
                inputs,
                path,
                dynamo=True,
                dynamic_shapes=(shapes,),
                opset_version=20,
                external_data=False,
                verbose=False,
                **names,
            )
        else:
            # PRESERVE keeps BatchNormalization apart from Conv: parameters are as published.
            torch.onnx.export(
                module,
                inputs,
                path,
                dynamo=False,
                dynamic_axes=axes,
                opset_version=17,
                training=torch.onnx.TrainingMode.PRESERVE,
                **names,
            )
    model = onnx.load(path)
    strip(model, f"{name}.weights")
    onnx.save(model, path)
    sys.stdout.write(f"{name}: {path.stat().st_size / 1000:.0f} kB\n")
    sys.stdout.flush()


def dim(name: str) -> Any:
    """The same for every dim of that name; what is not a name follows from the others."""
    return torch.export.Dim(name) if name.isidentifier() else torch.export.Dim.DYNAMIC


def tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t
            elif attribute.type == onnx.AttributeProto.GRAPH:
                yield from tensors(attribute.g)


def strip(model: onnx.ModelProto, location: str) -> None:
    """Declare the weights external; drop what only debugging needs."""
    offset = 0
    for tensor in tensors(model.graph):
        size = len(tensor.raw_data)
        if size > INLINE_BYTES:
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", location), ("offset", offset), ("length", size)):
                tensor.external_data.add(key=key, value=str(value))
            offset += -(-size // 64) * 64
    shorten(model.graph)
    model.graph.ClearField("value_info")
    model.graph.ClearField("metadata_props")


def shorten(graph: onnx.GraphProto) -> None:
    """Give inner values short names, as real exports give none that matter."""
    kept = {value.name for value in (*graph.input, *graph.output)}
    kept |= {tensor.name for tensor in graph.initializer}
    names: dict[str, str] = {}
    for node in graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
        for index, output in enumerate(node.output):
            if output and output not in kept:
                names[output] = node.output[index] = f"v{len(names)}"
        for index, value in enumerate(node.input):
            node.input[index] = names.get(value, value)


def classifier(name: str, size: int = 224, *, dynamo: bool = False, **options: Any) -> None:
    model = getattr(vision, name)(weights=None, **options)
    module = Call(model, lambda m, x: m(x))
    image = torch.randn(2 if dynamo else 1, 3, size, size)
    axes = {"image": {0: "batch"}, "logits": {0: "batch"}}
    export(name, module, (image,), ["image"], ["logits"], axes, dynamo=dynamo)


def text(
    name: str,
    model: torch.nn.Module,
    call: Callable[..., Any],
    inputs: tuple[str, ...] = ("input_ids", "attention_mask"),
    outputs: tuple[str, ...] = ("last_hidden_state",),
) -> None:
    ids = torch.ones(1, 128, dtype=torch.long)
    axes: Axes = {n: {0: "batch", 1: "sequence"} for n in (*inputs, *outputs)}
    if "pooler_output" in axes:
        axes["pooler_output"] = {0: "batch"}
    export(name, Call(model, call), (ids,) * len(inputs), list(inputs), list(outputs), axes)


def bert_base() -> None:
    model = hf.BertModel(hf.BertConfig(attn_implementation="eager"))
    text(
        "bert_base_uncased",
        model,
        lambda m, i, a, t: tuple(
            m(input_ids=i, attention_mask=a, token_type_ids=t, return_dict=False)[:2]
        ),
        ("input_ids", "attention_mask", "token_type_ids"),
        ("last_hidden_state", "pooler_output"),
    )


def distilbert_base() -> None:
    model = hf.DistilBertModel(hf.DistilBertConfig(attn_implementation="sdpa"))
    text("distilbert_base", model, lambda m, i, a: m(input_ids=i, attention_mask=a)[0])


def t5_small_encoder() -> None:
    config = hf.T5Config(num_layers=6, d_model=512, d_ff=2048, num_heads=8, vocab_size=32128)
    text(
        "t5_small_encoder",
        hf.T5EncoderModel(config),
        lambda m, i, a: m(input_ids=i, attention_mask=a)[0],
    )


def decoder(name: str, model: torch.nn.Module, layers: int, kv_heads: int, size: int) -> None:
    """A decoder with its cache as inputs and outputs: one step of generation."""

    def step(m: Any, ids: torch.Tensor, mask: torch.Tensor, *past: torch.Tensor) -> Any:
        cache = hf.DynamicCache()
        for layer in range(layers):
            cache.update(past[2 * layer], past[2 * layer + 1], layer)
        done = m(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True)
        present = [t for layer in done.past_key_values.layers for t in (layer.keys, layer.values)]
        return (done.logits, *present)

    pasts = [f"past_key_values.{i}.{kind}" for i in range(layers) for kind in ("key", "value")]
    presents = [n.replace("past_key_values", "present") for n in pasts]
    inputs = (
        torch.ones(1, 4, dtype=torch.long),
        torch.ones(1, 20, dtype=torch.long),
        *(torch.randn(1, kv_heads, 16, size) for _ in pasts),
    )
    axes: Axes = {
        "input_ids": {0: "batch", 1: "sequence"},
        "attention_mask": {0: "batch", 1: "past + sequence"},
        "logits": {0: "batch", 1: "sequence"},
        **{n: {0: "batch", 2: "past"} for n in pasts},
        **{n: {0: "batch", 2: "past + sequence"} for n in presents},
    }
    names = ["input_ids", "attention_mask", *pasts]
    export(name, Call(model, step), inputs, names, ["logits", *presents], axes, dynamo=True)


def gpt2() -> None:
    decoder("gpt2", hf.GPT2LMHeadModel(hf.GPT2Config()), 12, 12, 64)


def qwen2_half_billion() -> None:
    config = hf.Qwen2Config(
        vocab_size=151936,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )
    decoder("qwen2_0_5b", hf.Qwen2ForCausalLM(config), 24, 2, 64)


def whisper_tiny_encoder() -> None:
    config = hf.WhisperConfig(
        d_model=384,
        encoder_layers=4,
        decoder_layers=4,
        encoder_attention_heads=6,
        decoder_attention_heads=6,
        encoder_ffn_dim=1536,
        decoder_ffn_dim=1536,
    )
    encoder = hf.WhisperModel(config).encoder
    features = torch.randn(1, 80, 3000)
    axes = {"input_features": {0: "batch"}, "last_hidden_state": {0: "batch"}}
    export(
        "whisper_tiny_encoder",
        Call(encoder, lambda m, x: m(x)[0]),
        (features,),
        ["input_features"],
        ["last_hidden_state"],
        axes,
    )


def wav2vec2_base() -> None:
    model = hf.Wav2Vec2ForCTC(hf.Wav2Vec2Config())
    axes = {"input_values": {0: "batch"}, "logits": {0: "batch"}}
    export(
        "wav2vec2_base",
        Call(model, lambda m, x: m(x).logits),
        (torch.randn(1, 16000),),
        ["input_values"],
        ["logits"],
        axes,
    )


def segformer_b0() -> None:
    model = hf.SegformerForSemanticSegmentation(hf.SegformerConfig(num_labels=150))
    axes = {"image": {0: "batch"}, "logits": {0: "batch"}}
    export(
        "segformer_b0",
        Call(model, lambda m, x: m(x).logits),
        (torch.randn(1, 3, 512, 512),),
        ["image"],
        ["logits"],
        axes,
    )


def yolos_tiny() -> None:
    config = hf.YolosConfig(
        hidden_size=192,
        num_hidden_layers=12,
        num_attention_heads=3,
        intermediate_size=768,
        image_size=[512, 864],
        num_labels=91,
    )
    axes = {n: {0: "batch"} for n in ("image", "logits", "boxes")}
    export(
        "yolos_tiny",
        Call(hf.YolosForObjectDetection(config), lambda m, x: (m(x).logits, m(x).pred_boxes)),
        (torch.randn(2, 3, 512, 864),),
        ["image"],
        ["logits", "boxes"],
        axes,
        dynamo=True,
    )


def fcn_resnet50() -> None:
    model = vision.segmentation.fcn_resnet50(weights=None, weights_backbone=None)
    axes = {"image": {0: "batch"}, "mask": {0: "batch"}}
    export(
        "fcn_resnet50",
        Call(model, lambda m, x: m(x)["out"]),
        (torch.randn(1, 3, 520, 520),),
        ["image"],
        ["mask"],
        axes,
    )


def gpt2_prompt() -> None:
    """Without a cache, as for scoring, by the older exporter."""
    config = hf.GPT2Config(n_layer=4, n_embd=256, n_head=4, vocab_size=8000, use_cache=False)
    text("gpt2_prompt", hf.GPT2LMHeadModel(config), lambda m, i, a: m(i, attention_mask=a).logits)


def small_llama() -> hf.LlamaForCausalLM:
    return hf.LlamaForCausalLM(
        hf.LlamaConfig(
            vocab_size=8000,
            hidden_size=256,
            intermediate_size=688,
            num_hidden_layers=4,
            num_attention_heads=8,
            num_key_value_heads=2,
        )
    )


def llama_prompt() -> None:
    text("llama_prompt", small_llama(), lambda m, i, a: m(i, attention_mask=a).logits)


def lstm_tagger() -> None:
    class Tagger(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(4000, 128)
            self.lstm = torch.nn.LSTM(128, 256, 2, batch_first=True, bidirectional=True)
            self.head = torch.nn.Linear(512, 20)

        def forward(self, tokens: torch.Tensor) -> Any:
            return self.head(self.lstm(self.embedding(tokens))[0])

    axes = {"tokens": {1: "sequence"}, "tags": {1: "sequence"}}
    tokens = torch.ones(1, 32, dtype=torch.long)
    export("lstm_tagger", Tagger(), (tokens,), ["tokens"], ["tags"], axes)


def unet() -> None:
    class Block(torch.nn.Sequential):
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__(
                torch.nn.Conv2d(inputs, outputs, 3, padding=1),
                torch.nn.ReLU(),
                torch.nn.Conv2d(outputs, outputs, 3, padding=1),
                torch.nn.ReLU(),
            )

    class UNet(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            widths = (32, 64, 128, 256)
            self.down = torch.nn.ModuleList(map(Block, (3, *widths), widths))
            self.up = torch.nn.ModuleList(
                torch.nn.ConvTranspose2d(w, w // 2, 2, stride=2) for w in widths[:0:-1]
            )
            self.merge = torch.nn.ModuleList(Block(w, w // 2) for w in widths[:0:-1])
            self.head = torch.nn.Conv2d(32, 2, 1)

        def forward(self, image: torch.Tensor) -> Any:
            kept = []
            for block in self.down:
                image = block(image)
                kept.append(image)
                image = torch.nn.functional.max_pool2d(image, 2)
            image = kept.pop()
            for up, merge in zip(self.up, self.merge, strict=True):
                image = merge(torch.cat([kept.pop(), up(image)], 1))
            return self.head(image)

    axes = {"image": {0: "batch"}, "mask": {0: "batch"}}
    export("unet", UNet(), (torch.randn(1, 3, 256, 256),), ["image"], ["mask"], axes)


def detr() -> None:
    config = hf.DetrConfig(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        d_model=128,
        encoder_layers=2,
        decoder_layers=2,
        encoder_ffn_dim=512,
        decoder_ffn_dim=512,
        num_queries=50,
        num_labels=20,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        backbone_config=hf.ResNetConfig(
            depths=[2, 2, 2, 2],
            hidden_sizes=[64, 128, 256, 512],
            layer_type="basic",
            out_features=["stage4"],
        ),
    )
    model = Call(hf.DetrForObjectDetection(config), lambda m, x: (m(x).logits, m(x).pred_boxes))
    image = torch.randn(1, 3, 256, 320)
    export("detr", model, (image,), ["image"], ["logits", "boxes"], {}, dynamo=True)


EXPORTS: dict[str, Callable[[], None]] = {
    **{
        name: (lambda name=name: classifier(name))
        for name in (
            "alexnet",
            "vgg16",
            "resnet18",
            "resnet50",
            "mobilenet_v2",
            "mobilenet_v3_large",
            "efficientnet_b0",
            "densenet121",
            "squeezenet1_0",
            "shufflenet_v2_x1_0",
            "mnasnet1_0",
            "regnet_y_400mf",
            "convnext_tiny",
        )
    },
    **{name: (lambda name=name: classifier(name, dynamo=True)) for name in ("vit_b_16", "swin_t")},
    "googlenet": lambda: classifier("googlenet", aux_logits=False, init_weights=False),
    "inception_v3": lambda: classifier("inception_v3", 299, aux_logits=False, init_weights=False),
    "fcn_resnet50": fcn_resnet50,
    "segformer_b0": segformer_b0,
    "yolos_tiny": yolos_tiny,
    "bert_base_uncased": bert_base,
    "distilbert_base": distilbert_base,
    "t5_small_encoder": t5_small_encoder,
    "gpt2": gpt2,
    "gpt2_prompt": gpt2_prompt,
    "llama_prompt": llama_prompt,
    "llama": lambda: decoder("llama", small_llama(), 4, 2, 32),
    "lstm_tagger": lstm_tagger,
    "unet": unet,
    "detr": detr,
    "qwen2_0_5b": qwen2_half_billion,
    "whisper_tiny_encoder": whisper_tiny_encoder,
    "wav2vec2_base": wav2vec2_base,
}


def main() -> None:
    torch.manual_seed(0)
    torch.backends.mha.set_fastpath_enabled(False)  # its fused op has no counterpart in ONNX
    for name in sys.argv[1:] or EXPORTS:
        EXPORTS[name]()


if __name__ == "__main__":
    main()
