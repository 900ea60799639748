"""Model cards: facts, marked places for the rest, and no markup from a model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from modellint.report.cards import Card, huggingface_card, plain_card, toolkit_card
from modellint.report.summary import summary
from modellint.results.finding import Result
from modellint.results.inspection import Inspection, Trouble
from tests.exports import materialise
from tests.report.samples import HOSTILE_NAMES, SAMPLE
from tests.support import run_cli

NOTHING = Result((), (), {}, 0, 0.0)


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    else:
        yield value


def hostile(inspection: Inspection, name: str) -> Inspection:
    identity, inputs = inspection.identity, inspection.inputs
    assert identity is not None
    assert inputs is not None
    return replace(
        inspection,
        path=f"{name}.onnx",
        identity=replace(identity, producer=name, metadata={name: name}),
        inputs=[replace(inputs[0], name=name, shape=[name, 3])],
    )


def test_the_summary_is_made_of_facts(resnet: Inspection) -> None:
    said = summary(replace(resnet, path="resnet50.onnx"))
    for fact in ("175 nodes", "25.6 M parameters", "16 residual blocks", "4.09 G MACs", "it fits"):
        assert fact in said
    broken = Trouble("FIL001", "truncated", "It is cut off.", fatal=True)
    assert (
        summary(Inspection("x.onnx", "onnx", [broken])) == "x.onnx cannot be read. It is cut off."
    )
    hidden = Trouble("FIL001", "truncated", "Tensor '\u2066x\u2069' is cut off.", fatal=True)
    assert summary(Inspection("x.onnx", "onnx", [hidden])).isprintable()


def test_a_plain_card_has_all_sections(resnet: Inspection) -> None:
    text = plain_card(Card(resnet, SAMPLE, {"Roofline": "a card-roofline.svg"}))
    titles = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert titles[:4] == ["Identity", "Interface", "Size", "Precision"]
    assert {"Memory and time", "Charts", "Findings", "Intended use", "Limitations"} <= set(titles)
    assert text.count("To be written by a person") == 6
    assert "![Roofline](a%20card-roofline.svg)" in text
    assert "FUS002" in text


def test_the_front_matter_is_valid(resnet: Inspection) -> None:
    text = huggingface_card(Card(resnet, NOTHING, {}))
    _, matter, body = text.split("---\n", 2)
    assert yaml.safe_load(matter) == {"library_name": "onnx", "tags": ["onnx", "float32"]}
    for title in ("## Uses", "## Bias, Risks, and Limitations", "## Technical Specifications"):
        assert f"\n{title}\n" in body


def test_the_card_of_the_toolkit(resnet: Inspection) -> None:
    card = toolkit_card(Card(resnet, SAMPLE, {}))
    assert set(card) == {
        "schema_version",
        "model_details",
        "model_parameters",
        "quantitative_analysis",
        "considerations",
    }
    assert all(isinstance(leaf, str) for leaf in leaves(card))
    (license_,) = card["model_details"]["licenses"]
    assert set(license_) == {"custom_text"}
    metrics = {each["type"]: each for each in card["quantitative_analysis"]["performance_metrics"]}
    assert metrics["parameters"]["value"] == str(resnet.parameters)
    assert metrics["bytes of memory, expected"]["slice"] == "a10"


def test_the_card_fits_the_schema_of_the_toolkit(resnet: Inspection) -> None:
    """The toolkit needs TensorFlow, so that few have it; with it, its own schema decides."""
    folder = pytest.importorskip("model_card_toolkit").__path__[0]
    import jsonschema

    schema = Path(folder) / "schema" / "v0.0.2" / "model_card.schema.json"
    card = toolkit_card(Card(resnet, SAMPLE, {}))
    jsonschema.validate(card, json.loads(schema.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_name_becomes_markup(name: str, resnet: Inspection) -> None:
    card = Card(hostile(resnet, name), NOTHING, {})
    for text in (plain_card(card), huggingface_card(card)):
        assert not re.search(r"(?<!\\)<img", text)
        assert not re.search(r"(?<!\\)\]\(http", text)
        assert "@team" not in text
        assert "\u202e" not in text
        assert "\x1b" not in text
        assert "\n::error" not in text
    _, matter, _ = huggingface_card(card).split("---\n", 2)
    assert yaml.safe_load(matter)["tags"] == ["onnx", "float32"]


def test_the_command_writes_a_card_and_its_charts(tmp_path: Path) -> None:
    model = materialise("resnet50", tmp_path)
    card = tmp_path / "card.md"
    arguments = ("inspect", model, "-t", "a10", "--isolated", "-o", f"markdown:{card}")
    done = run_cli(*arguments, "--chart", "roofline,blocks")
    assert done.exit_code == 0, done
    assert sorted(each.name for each in tmp_path.glob("*.svg")) == [
        "card-blocks.svg",
        "card-roofline.svg",
    ]
    assert "](card-roofline.svg)" in card.read_text(encoding="utf-8")
    again = run_cli(*arguments)
    assert again.exit_code == 2, "a person may have written into it"
    assert "a model card, which may have been edited" in again.stderr
    assert "--force" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--card", "mct", "-o", "markdown"), "--card mct needs -o json:FILE"),
        (("--card", "plain", "-o", "text"), "needs -o markdown:FILE"),
        (("--card", "model"), "'model' is not one of"),
    ],
)
def test_options_that_do_not_fit(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    done = run_cli("inspect", materialise("resnet50", tmp_path), "--isolated", *arguments)
    assert done.exit_code == 2
    assert says in done.stderr


def test_one_paragraph(tmp_path: Path) -> None:
    done = run_cli("inspect", materialise("resnet50", tmp_path), "--isolated", "--summary")
    assert done.stdout.count("\n") == 1
    assert "25.6 M parameters" in done.stdout
