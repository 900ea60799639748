"""A model card as the README of a repository on Hugging Face: metadata, then its sections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modellint.report.cards import card as parts
from modellint.report.cards.card import Card, todo
from modellint.report.markdown import prose
from modellint.report.strict import dumps

LIBRARIES = {
    "onnx": "onnx",
    "onnx-text": "onnx",
    "gguf": "gguf",
    "huggingface": "transformers",
    "safetensors": "safetensors",
    "tflite": "tflite",
    "keras": "keras",
    "keras-hdf5": "keras",
    "openvino": "openvino",
    "coreml": "coreml",
    "savedmodel": "tf-keras",
    "torch": "pytorch",
}
"""Libraries by format, as the site names them."""


def huggingface_card(card: Card) -> str:
    return "\n".join((*_metadata(card), *_body(card))).rstrip() + "\n"


def _metadata(card: Card) -> Iterator[str]:
    """Iterate over the lines of the front matter; unknown values are comments."""
    inspection = card.inspection
    yield "---"
    library = LIBRARIES.get(inspection.format)
    if library is not None:
        yield f"library_name: {library}"
    if inspection.llm is not None and not inspection.llm.extra_parts:
        yield "pipeline_tag: text-generation"
    else:
        yield "# pipeline_tag: to be written by a person"
    yield "# license: to be written by a person"
    yield "# datasets: to be written by a person"
    yield "# language: to be written by a person"
    yield "tags:"
    for tag in dict.fromkeys(filter(None, (library, *_precisions(card)))):
        yield f"- {dumps(tag)}"
    yield "---"


def _precisions(card: Card) -> Iterator[str]:
    stored = card.inspection.weight_bytes or {}
    total = sum(stored.values())
    for name, size in stored.items():
        if total and size > total / 4:
            yield name


def _body(card: Card) -> Iterator[str]:
    inspection = card.inspection
    yield f"# Model Card for {prose(card.name)}"
    yield ""
    yield prose(card.overview)
    yield from _section("## Model Details")
    yield from _section("### Model Description")
    yield from parts.pairs(parts.identity(inspection))
    yield ""
    yield from (
        f"- **{asked}:** to be written by a person"
        for asked in ("Developed by", "License", "Finetuned from model", "Language")
    )
    yield from _section("## Uses")
    for title, asked in (
        ("Direct Use", "for whom and for what it is, as it is."),
        ("Downstream Use", "what it can be a part of."),
        ("Out-of-Scope Use", "what it is not for."),
    ):
        yield from _section(f"### {title}", [todo(asked)])
    yield from _section("## Bias, Risks, and Limitations")
    yield from parts.bullets(card.risks)
    yield ""
    yield todo("inputs that it does not handle well, and whom mistakes could harm.")
    yield from _section("## How to Get Started with the Model")
    if inspection.inputs or inspection.outputs:
        yield from parts.interface(inspection)
        yield ""
    yield todo("how inputs are prepared, and what outputs mean.")
    yield from _section("## Training Details", [todo("data, procedure, and their terms.")])
    yield from _section("## Evaluation", [todo("data, metrics and results.")])
    yield from _section("## Technical Specifications")
    yield from _section("### Model Architecture and Objective")
    yield from parts.pairs(parts.sizes(inspection) + parts.precision(inspection))
    yield from _section("### Compute Infrastructure", parts.devices(inspection))
    if card.pictures:
        yield from _section("### Charts", parts.charts(card))
    yield from _section("### Findings of static analysis", parts.found(card))
    yield from _section("## Model Card Contact", [todo("who answers questions.")])


def _section(title: str, lines: Iterable[str] = ()) -> Iterator[str]:
    yield ""
    yield title
    yield ""
    yield from lines
