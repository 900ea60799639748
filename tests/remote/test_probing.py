"""Models elsewhere, of which runtimes get copies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest

import modellint
from modellint.base.temporary import PREFIX
from tests.remote.conftest import with_external_data
from tests.remote.servers import Web
from tests.remote.test_lfs import keep
from tests.support import CliResult, model_from_text, run_cli

pytest.importorskip("onnxruntime")

REFUSED = """
<ir_version: 8, opset_import: ["" : 17, "none" : 1]>
main (float[1,4] x) => (float[1,4] y) { y = none.Strange (x) }
"""


def probed(*args: Any, cwd: Path) -> CliResult:
    backend = ("--backend", "onnxruntime", "--isolated", "--no-cache", "--json")
    return run_cli("probe", *args, *backend, "--fetch-timeout", "5", cwd=cwd)


def answers(result: CliResult) -> list[tuple[str, str | None]]:
    found = json.loads(result.stdout)["probes"]
    return [(each["status"], each["detail"]) for each in found]


def test_a_runtime_gets_a_copy_with_its_data(web: Web, tmp_path: Path) -> None:
    result = probed(web.url("whole", "outside.onnx"), web.url("good", "large.onnx"), cwd=tmp_path)
    assert answers(result) == [("accepted", None), ("accepted", None)], result
    assert web.sent > 40 << 20
    assert "large.onnx: 40.2 MiB fetched in" in result.stderr
    assert "read weights did not run" not in result.stderr


def test_what_is_refused_is_named_by_its_address(web: Web, models: Path, tmp_path: Path) -> None:
    onnx.save(model_from_text(REFUSED), models / "refused.onnx")
    result = probed(web.url("good", "refused.onnx"), cwd=tmp_path)
    assert result.exit_code == 1, result
    assert answers(result)[0][0] == "refused"
    assert PREFIX not in str(result)


def test_no_more_is_copied_than_is_allowed(web: Web, tmp_path: Path) -> None:
    large = web.url("good", "large.onnx")
    result = probed(large, "--max-fetch", "20MB", cwd=tmp_path)
    detail = "a runtime needs all 40 MiB of it, but --max-fetch allows 19.1 MiB"
    assert answers(result) == [("unanswered", detail)], result
    assert web.sent < 1 << 20
    whole = probed(web.url("whole", "large.onnx"), "--max-fetch", "20MB", cwd=tmp_path)
    assert answers(whole) == [("unanswered", "the file cannot be read")]
    report = modellint.probe(large, backend="onnxruntime", max_fetch="20MB", cache=False)
    assert [each.detail for each in report.probes] == [detail]


def test_a_change_while_it_is_copied_is_noticed(web: Web, tmp_path: Path) -> None:
    def change(count: int) -> None:
        web.edition = int(count > 13)

    web.on_request = change
    result = probed(web.url("good", "large.onnx"), cwd=tmp_path)
    assert answers(result) == [("unanswered", "it changed while it was read")], result


def test_a_linted_model_is_probed_for_each_device_from_one_copy(web: Web, tmp_path: Path) -> None:
    args = ("--probe", "onnxruntime", "-t", "a10,l4", "--isolated", "--no-cache", "-o", "json")
    result = run_cli("check", web.url("good", "large.onnx"), *args, cwd=tmp_path)
    assert len(json.loads(result.stdout)["probes"]) == 2, result
    assert web.sent < 60 << 20  # one copy of 40 MiB, and what a busy machine asks for again


def test_pointers_of_git_lfs_are_probed_too(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "weights").mkdir()
    onnx.save(with_external_data("weights/part.bin"), tmp_path / "m.onnx")
    for name in ("m.onnx", "weights/part.bin"):
        content = bytes(1024) if name.endswith("bin") else (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(keep(tmp_path, content))
    kept = {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()}
    assert answers(probed("m.onnx", cwd=tmp_path)) == [("accepted", None)]
    assert {each: each.read_bytes() for each in kept} == kept
