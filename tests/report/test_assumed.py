"""Every report says what the run assumed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from modellint.report import FORMATS, SILENT, render
from modellint.report.assumed import MOST_SENTENCES, sentence, sentences
from modellint.results.finding import Assumptions, DeploymentPart, Result
from tests.report.samples import CLEAN, SAMPLE, deployed

A10 = Assumptions(
    "a10 (tensorrt 11.5, fp16)",
    "a10 (tensorrt)",
    {
        "device": DeploymentPart("a10", "given", "--target"),
        "runtime": DeploymentPart("tensorrt", "configured", "--runtime"),
        "version": DeploymentPart("11.5", "assumed", "--runtime tensorrt==VERSION"),
        "batch": DeploymentPart(None, "assumed", "--batch"),
        "dla": DeploymentPart(None, "assumed", "--dla"),
    },
)


def test_a_sentence_names_what_was_not_stated_and_the_options() -> None:
    assert sentence(A10) == (
        "For a10 (tensorrt 11.5, fp16). Assumed: version (--runtime tensorrt==VERSION), "
        "the model's batch (--batch)."
    )
    stated = Assumptions("a10", "a10", {"device": DeploymentPart("a10", "given", "--target")})
    assert sentence(stated) == "For a10."


def test_deployments_of_which_the_same_is_assumed_share_a_sentence() -> None:
    many = replace(CLEAN, assumptions=tuple(deployed(f"d{at}") for at in range(60)))
    assert [*sentences(many)] == [
        "For d0, d1, d2, d3 and 56 more. Assumed: precision (--precision)."
    ]
    a10, l4 = A10, replace(A10, deployment="l4 (tensorrt 11.5, fp16)")
    (said,) = sentences(replace(CLEAN, assumptions=(a10, l4)))
    assert said.startswith("For a10 and l4 (tensorrt 11.5, fp16). Assumed: version ")


def test_other_sentences_are_counted() -> None:
    different = tuple(
        replace(A10, parts={f"part{at}": DeploymentPart("1", "assumed", "--part")})
        for at in range(MOST_SENTENCES + 2)
    )
    told = [*sentences(replace(CLEAN, assumptions=different))]
    assert len(told) == MOST_SENTENCES + 1
    assert told[-1].startswith("For 2 more deployments")


@pytest.mark.parametrize("format", sorted(FORMATS.keys() - SILENT))
@pytest.mark.parametrize("result", [SAMPLE, CLEAN], ids=["findings", "clean"])
def test_a_report_says_what_was_assumed(format: str, result: Result) -> None:
    text = render(format, replace(result, assumptions=(A10,)))
    assert "11.5" in text
    assert "assumed" in text.lower()


def test_json_has_each_part_with_its_value_and_origin() -> None:
    document = json.loads(render("json", replace(CLEAN, assumptions=(A10,))))
    (entry,) = document["assumptions"]
    assert entry["deployment"] == "a10 (tensorrt 11.5, fp16)"
    assert entry["parts"]["version"] == {
        "value": "11.5",
        "origin": "assumed",
        "option": "--runtime tensorrt==VERSION",
    }


def test_a_new_default_changes_no_category_of_code_scanning() -> None:
    log = json.loads(render("sarif", replace(CLEAN, assumptions=(A10,))))
    assert log["runs"][0]["automationDetails"]["id"] == "modellint/a10-tensorrt/"
