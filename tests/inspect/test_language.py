"""Pages and JSON of language models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modellint.base.text import cells
from modellint.formats.gguf import notation
from tests.support import run_cli

SMALL = """small llama
llama.context_length = 8192
llama.attention.key_length = 32
llama.attention.value_length = 32
output.weight: Q8_0 [32, 48]
"""
CONTEXTS = ("--contexts", "256,1k,8k")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "small.gguf"
    path.write_bytes(notation.encode(SMALL))
    return path


def llm(model: Path, *args: str) -> dict[str, Any]:
    shown = run_cli("inspect", model, "--json", *args)
    assert shown.exit_code == 0, shown
    found: dict[str, Any] = json.loads(shown.stdout)["llm"]
    return found


def test_each_context_states_its_parts_and_their_sum(model: Path) -> None:
    for each in llm(model, "-t", "rtx-4090", *CONTEXTS)["contexts"]:
        parts = sum(each[name] for name in ("weights", "cache", "compute", "overhead"))
        assert each["total"] == parts
        assert each["verdict"] == "fits"
        assert each["first_token"] > 0
        assert each["decode"] > 0


def test_a_narrower_cache_takes_what_its_blocks_take(model: Path) -> None:
    half, byte = (
        llm(model, "--kv-precision", kind, *CONTEXTS)["contexts"][-1]["cache"]
        for kind in ("fp16", "fp8")
    )
    assert half * 17 == byte * 32  # llama.cpp's 8 bits are q8_0


@pytest.mark.parametrize("width", ["80", "200"])
def test_the_page_fits_its_width(model: Path, width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", width)
    page = run_cli("inspect", model.name, "-t", "rtx-4090", *CONTEXTS, cwd=model.parent).stdout
    assert max(cells(line) for line in page.splitlines()) <= int(width)
    for part in ("weights by part", "cache/token", "llama.cpp", "longest"):
        assert part in page


@pytest.mark.parametrize(
    ("runtime", "basis", "said"),
    [
        ("llama.cpp", "planned", ""),
        ("vllm", "estimated", "estimated from the figures that vllm printed"),
        ("tensorrt-llm", "least", "the buffers of tensorrt-llm are unknown"),
    ],
)
def test_buffers_that_are_not_known_are_said_to_be(
    model: Path, runtime: str, basis: str, said: str
) -> None:
    found = llm(model, "--runtime", runtime)
    assert (found["compute_basis"], found["compute_is_planned"]) == (basis, basis == "planned")
    page = " ".join(run_cli("inspect", model, "--runtime", runtime).stdout.split())
    assert said in page


def test_an_architecture_that_is_not_known_has_no_contexts(tmp_path: Path) -> None:
    path = tmp_path / "later.gguf"
    path.write_bytes(notation.encode(SMALL).replace(b"llama", b"lxama"))
    shown = json.loads(run_cli("inspect", path, "--json").stdout)
    assert shown["llm"] is None
    assert "'lxama'" in shown["llm_unknown"]
    assert "not known: llama.cpp" in run_cli("inspect", path).stdout


def test_weights_are_held_against_the_device_where_the_cache_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "later.gguf"
    path.write_bytes(notation.encode(SMALL).replace(b"llama", b"lxama"))
    needs = json.loads(run_cli("inspect", path, "--json", "-t", "a10").stdout)["memory"]["a10"]
    assert "'lxama'" in needs["cache_unknown"]
    assert needs["total"]["low"] >= needs["weights"] > 0
    assert needs["verdict"] is None
    page = run_cli("inspect", path, "-t", "a10").stdout
    assert "and the cache, which is not known" in " ".join(page.split())
    assert "the cache is not included" in page
    report = run_cli("inspect", path, "-t", "a10", "-o", "html").stdout
    assert "not known: llama.cpp" in report
    assert report.index("at least") < report.index("cache of keys and values")
    assert ">total<" not in report


def test_weights_that_do_not_fit_are_a_finding_where_the_cache_is_not_known(
    tmp_path: Path,
) -> None:
    path = tmp_path / "later.gguf"
    larger = f"{SMALL}\noutput.weight: F32 [32, 200000000]"  # its bytes are not there
    path.write_bytes(notation.encode(larger).replace(b"llama", b"lxama"))
    for runtime, target, severity in (
        ("llama.cpp", "rtx-3060", "warning LLM012"),  # the host has the rest
        ("llama.cpp", "jetson-orin-nano-8gb", "error LLM012"),
        ("vllm", "rtx-3060", "error LLM012"),
    ):
        found = run_cli(
            "check", path, "--runtime", runtime, "-t", target, "--select", "LLM012", "-o", "concise"
        ).stdout
        assert severity in found, (runtime, target, found)


def test_several_devices_are_a_table(model: Path) -> None:
    page = run_cli("inspect", model, "-t", "a10,rtx-4090", *CONTEXTS).stdout
    assert "2 devices" in page
    assert "fits 2 of 2; smallest: a10" in page


def test_a_draft_states_the_share_that_must_be_accepted(model: Path) -> None:
    found = llm(model, "-t", "rtx-4090", "--draft", str(model))["draft"]
    assert found["break_even"] == pytest.approx(1)
    said = run_cli("inspect", model, "-t", "rtx-4090", "--draft", model).stdout
    assert "no gain" in said


def test_a_draft_whose_cache_is_not_known_is_not_called_another_kind_of_model(model: Path) -> None:
    later = model.with_name("later.gguf")
    later.write_bytes(model.read_bytes().replace(b"llama", b"lxama"))
    said = json.loads(run_cli("inspect", model, "--json", "--draft", later).stdout)["problems"]
    assert "its cache is not known: llama.cpp" in said[0]["message"]
    assert "is not a language model" not in said[0]["message"]


def test_models_on_one_device_are_summed(model: Path) -> None:
    other = model.with_name("other.gguf")
    other.write_bytes(model.read_bytes())
    args = ("-t", "jetson-orin-nano-8gb", "--together", "--json")
    shown = run_cli("inspect", model, other, *args, *CONTEXTS)
    *_, last = (json.loads(line) for line in shown.stdout.splitlines())
    total = last["together"]
    assert total["total"] == sum(each["bytes"] for each in total["models"]) + total["overhead"]
    alone = llm(model, "-t", "jetson-orin-nano-8gb", *CONTEXTS)["contexts"][-1]
    assert total["total"] == 2 * alone["total"] - alone["overhead"]
    page = run_cli("inspect", model, other, *args[:-1], *CONTEXTS).stdout
    assert "together" in page


def test_the_sum_needs_a_device(model: Path) -> None:
    shown = run_cli("inspect", model, "--together")
    assert shown.exit_code == 2
    assert "exactly one target" in shown.stderr


def test_runtimes_are_named_that_list_the_architecture(model: Path) -> None:
    (server,) = llm(model)["served_by"]
    assert server["runtime"] == "llama.cpp"
    assert server["source"].startswith("https://")
