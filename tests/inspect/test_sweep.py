"""Tables of times over batches and precisions, and requirements for devices."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modellint.base.errors import UsageError
from modellint.inspector.sweep import parse_requirements
from tests.exports import EXPORTS
from tests.support import run_cli

MODEL = str(EXPORTS / "resnet50.onnx")


def swept(*given: str) -> list[dict[str, Any]]:
    run = run_cli("inspect", MODEL, "--json", *given)
    found: list[dict[str, Any]] = json.loads(run.stdout)["sweep"]
    return found


def test_all_combinations_are_in_the_table() -> None:
    found = swept("-t", "t4,jetson-nano", "--batch", "1,8", "--precision", "fp16,int8")
    keys = {(each["target"], each["precision"], each["batch"]) for each in found}
    expected = {("t4", precision, batch) for precision in ("fp16", "int8") for batch in (1, 8)}
    # a Jetson Nano computes nothing in int8
    assert keys == expected | {("jetson-nano", "fp16", batch) for batch in (1, 8)}
    assert all(each["low"] < each["expected"] < each["high"] for each in found)


def test_what_satisfies_comes_first_with_reasons_for_the_others() -> None:
    limits = "latency<=2ms price<=2$/h"
    found = swept("-t", "a10g,h100-nvl,jetson-nano", "--precision", "fp16", "--require", limits)
    assert found[0]["target"] == "a10g"
    assert found[0]["satisfies"] in ("surely", "expected")
    assert found[0]["reasons"] == []
    by_target = {each["target"]: each for each in found}
    assert by_target["h100-nvl"]["reasons"] == ["price<=2$/h: 6.98 $/h"]
    assert [each.split(":")[0] for each in by_target["jetson-nano"]["reasons"]] == [
        "latency<=2ms",
        "price<=2$/h",
    ]


def test_the_page_shows_a_row_for_each_device_and_precision() -> None:
    shown = run_cli("inspect", MODEL, "-t", "t4", "--batch", "1,8", "--precision", "fp16,int8")
    assert "expected time of a run" in shown.stdout


def test_one_batch_and_precision_make_no_table() -> None:
    run = run_cli("inspect", MODEL, "--json", "-t", "t4", "--batch", "8", "--precision", "fp16")
    assert json.loads(run.stdout)["sweep"] is None


def test_requirements_are_read_with_their_units() -> None:
    latency, throughput, memory = parse_requirements("latency <= 5ms, throughput>=200 memory<8GB")
    assert latency.limit == pytest.approx(5e-3)
    assert latency.is_most
    assert not throughput.is_most
    assert memory.limit == 8e9


@pytest.mark.parametrize(
    "text",
    ["", "latency", "latency<=5", "latncy<=5ms", "price<=1EUR/h", "latency<=5ms;", "x" * 999],
)
def test_what_is_no_requirement_is_an_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_requirements(text)


def test_a_table_of_times_needs_a_device() -> None:
    run = run_cli("inspect", MODEL, "--batch", "1,8")
    assert run.exit_code == 2
    assert "need a target" in run.stderr
