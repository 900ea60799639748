"""`modellint targets` as its reader sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modellint.targets import load_targets
from tests.support import run_cli

OWN = """
name = "My board"
vendor = "acme"
runtime = "onnxruntime"

[memory]
nominal = "4 GiB"
source = "https://acme.example/board"
confidence = "theoretical"
"""


def output(*args: str, cwd: Path | None = None) -> str:
    result = run_cli("targets", *args, cwd=cwd)
    assert result.exit_code == 0, result
    return result.stdout


def ids(*args: str) -> set[str]:
    """Return the list's output."""
    known = {target.id for target in load_targets()}
    return {line.split()[0] for line in output(*args).splitlines() if line.strip()} & known


def test_the_list_has_every_device_with_its_figures() -> None:
    text = output()
    assert ids() == {target.id for target in load_targets()}
    (line,) = (line for line in text.splitlines() if line.startswith("  a10 "))
    assert " ".join(line.split()) == "a10 24 GiB 600 GB/s 125 250 - 8.6 NVIDIA A10"


def test_the_list_is_in_the_order_people_count() -> None:
    lines = [line.split()[0] for line in output("a100-40gb", "a10", "a2").splitlines() if line]
    assert lines[2:5] == ["a2", "a10", "a100-40gb"]


def test_filters() -> None:
    found = ids("--min-memory", "24GB", "--vendor", "NVIDIA", "--supports", "fp8,int8")
    assert {"l4", "h100-sxm", "rtx-4090"} <= found
    assert not {"a10", "t4"} & found
    assert ids("nvidia-datacenter", "--max-tdp", "75W") >= {"t4", "l4", "a2"}
    assert "a10" not in ids("nvidia-datacenter", "--max-tdp", "75W")


def test_filters_that_leave_nothing_say_so() -> None:
    result = run_cli("targets", "--min-memory", "1PB")
    assert result.exit_code == 0
    assert not result.stdout
    assert "no device" in result.stderr


def test_one_device_is_shown_in_full() -> None:
    text = output("a10")
    assert text == output("show", "NVIDIA A10")
    for words in (
        "compute capability 8.6",
        "nvidia-datacenter",
        "A10 24GB",
        "22.5 GiB  measured",
        "fp16 125",
        "int8 250",
        "datasheet.pdf",
        "tensorrt itself takes",
    ):
        assert words in text


def test_show_tells_the_exceptions() -> None:
    assert "not bf16 = fp16: these cards run at half rate" in output("show", "rtx-4090")


def test_devices_stand_side_by_side() -> None:
    lines = output("compare", "a10", "l4").splitlines()
    assert lines[0].split() == ["a10", "l4"]
    (fp8,) = (line for line in lines if line.startswith("  fp8"))
    assert fp8.split() == ["fp8", "TFLOPS", "-", "242"]


def test_no_line_of_a_comparison_is_wider_than_the_terminal() -> None:
    assert max(map(len, output("compare", "all").splitlines())) <= 120


def test_json_has_everything() -> None:
    document = json.loads(output("a10", "--json"))
    assert document["version"] == 1
    (a10,) = document["targets"]
    assert a10["memory"]["nominal"] == 24 * 2**30
    assert a10["compute_capability"] == [8, 6]
    assert a10["rates"]["int8"] == 250e12
    assert a10["origins"]["usable"]["confidence"] == "measured"
    assert a10["overheads"]["tensorrt"]["low"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a1o"], "unknown target 'a1o'; did you mean '"),
        (["show"], "name a device to show"),
        (["compare"], "name devices to compare"),
        (["--vendor", "nvida"], "did you mean 'nvidia'?"),
        (["--supports", "fp9"], "did you mean 'fp8'?"),
        (["--min-memory", "24 apples"], "invalid size '24 apples'"),
        (["--max-tdp", "75"], "invalid power '75' (example: 150 W)"),
    ],
)
def test_mistakes_come_with_the_remedy(arguments: list[str], message: str) -> None:
    result = run_cli("targets", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_own_devices_are_listed(tmp_path: Path) -> None:
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "my-board.toml").write_text(OWN)
    (tmp_path / "modellint.toml").write_text('target-dirs = ["boards"]')
    assert "my-board" in output(cwd=tmp_path)
    assert "my-board" in output("--vendor", "acme", cwd=tmp_path)
    assert "my-board" not in output("--isolated", cwd=tmp_path)


def test_the_host_is_shown() -> None:
    assert "memory" in output("host")
