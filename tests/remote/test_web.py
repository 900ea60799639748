"""Models on web servers, good and bad."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import modellint
from modellint.remote.origin import forget_stalls
from tests.remote.servers import Web
from tests.samples import failed, lint_json
from tests.support import CliResult, run_cli


def linted(*args: str, cwd: Path) -> CliResult:
    return run_cli("check", *args, "--fetch-timeout", "0.3", "--exit-zero", "--isolated", cwd=cwd)


def found(result: CliResult) -> str:
    """All that is said, in one line."""
    return " ".join(result.stdout.split())


def test_a_model_is_linted_as_if_it_were_here(web: Web, models: Path, tmp_path: Path) -> None:
    url = web.url("good", "qat_residual.onnx")
    there = lint_json("check", url, "--no-cache", cwd=tmp_path)
    here = lint_json("check", models / "qat_residual.onnx", "--no-weights", cwd=tmp_path)
    assert [each["path"] for each in there["models"]] == [url]
    keys = ("code", "message", "fingerprint")
    assert [[each[key] for key in keys] for each in there["findings"]] == [
        [each[key] for key in keys] for each in here["findings"]
    ]
    assert there["findings"]
    assert len(web.asked) == 1


def test_weights_are_jumped_over(web: Web, models: Path, tmp_path: Path) -> None:
    result = linted(web.url("good", "large.onnx"), "-v", cwd=tmp_path)
    size = (models / "large.onnx").stat().st_size
    assert size > 40 << 20
    assert web.sent < 1 << 20
    assert re.search(r"large\.onnx: [\d.]+ KiB fetched in \d+ requests", result.stderr), result
    assert "did not run on remote models; --weights-budget" in result.stderr


def test_data_next_to_a_model_is_looked_for(web: Web, tmp_path: Path) -> None:
    result = linted(web.url("good", "outside.onnx"), cwd=tmp_path)
    assert "FIL013" not in result.stdout, result
    assert web.asked[1] == "HEAD /good/weights/part.bin"
    missing = linted(web.url("good", "relu.onnx"), web.url("good", "absent.onnx"), cwd=tmp_path)
    failed(missing, "good/absent.onnx: no such file")


def test_an_address_in_a_model_is_never_asked_for(web: Web, tmp_path: Path) -> None:
    result = linted(web.url("good", "naming.onnx"), cwd=tmp_path)
    assert "FIL013" in result.stdout, result
    assert len(web.asked) == 1


def test_a_server_without_ranges_sends_the_whole_file(web: Web, tmp_path: Path) -> None:
    result = linted(web.url("whole", "qat_residual.onnx"), cwd=tmp_path)
    assert "FIL" not in result.stdout, result
    assert len(web.asked) == 2
    large = linted(web.url("whole", "large.onnx"), "--max-fetch", "1MB", cwd=tmp_path)
    assert "only sends complete files, and 40" in found(large), large


BAD = {
    "stall": "does not answer within 0.3 s",
    "trickle": "does not answer within 0.3 s",
    "drip": "does not answer within 0.3 s",
    "short": "announced",
    "shrinking": "bytes too short",
    "shifted": "sends bytes beyond the file",
    "huge": "no file of 4096 PiB",
    "garbage": "answer ended early",
    "loop": "redirects more than 5 times",
    "away": "redirects to an unsafe URL",
    "denied": "denies access (status 403)",
    "failing": "fails (status 503)",
    "endless": "does not state the file size",
}


@pytest.mark.parametrize("behaviour", BAD)
def test_a_bad_server_costs_one_finding(behaviour: str, web: Web, tmp_path: Path) -> None:
    bad, good = web.url(behaviour, "relu.onnx"), web.url("good", "relu.onnx")
    report = json.loads(
        linted(bad, good, "-o", "json", "--no-cache", cwd=tmp_path).stdout,
    )
    about = [each for each in report["findings"] if each["path"] == bad]
    assert [each["code"] for each in about] == ["FIL011"]
    assert BAD[behaviour] in about[0]["message"]
    assert [each["format"] for each in report["models"]] == ["unknown", "onnx"]


@pytest.mark.parametrize("behaviour", ["flaky", "moved"])
def test_detours_are_taken(behaviour: str, web: Web, tmp_path: Path) -> None:
    web.asked.append("")
    result = linted(web.url(behaviour, "relu.onnx"), cwd=tmp_path)
    assert "FIL" not in result.stdout, result


def test_a_server_that_is_down_is_asked_a_few_times_only(web: Web, tmp_path: Path) -> None:
    urls = [web.url("stall", f"{number}.onnx") for number in range(40)]
    result = linted(*urls, "-o", "concise", cwd=tmp_path)
    assert result.stdout.count("FIL011") == 40, result
    assert len(web.asked) < 60
    forget_stalls()


def test_a_change_while_a_file_is_read_is_noticed(web: Web, tmp_path: Path) -> None:
    def change(count: int) -> None:
        web.edition = int(count > 3)

    web.on_request = change
    result = linted(web.url("good", "large.onnx"), cwd=tmp_path)
    assert "it changed while it was read" in found(result), result
    assert result.stdout.count("error  FIL") == 1


def test_max_fetch_bounds_what_a_model_costs(web: Web, tmp_path: Path) -> None:
    result = linted(web.url("good", "large.onnx"), "--max-fetch", "100kB", cwd=tmp_path)
    assert "it takes more than the 97.7 KiB that --max-fetch allows" in found(result), result
    assert web.sent <= 100_000
    weights = linted(
        web.url("good", "large.onnx"),
        *("--weights-budget", "1GB", "--max-fetch", "2MB"),
        cwd=tmp_path,
    )
    assert "that --max-fetch allows" in found(weights), weights
    assert web.sent <= 2_100_000


def test_the_cache_holds_as_long_as_the_etag(web: Web, tmp_path: Path) -> None:
    args = (web.url("good", "large.onnx"), "--cache-dir", str(tmp_path / "cache"))
    asked = []
    for edition in (0, 0, 1, 1):
        web.edition = edition
        web.asked.clear()
        linted(*args, cwd=tmp_path)
        asked.append(len(web.asked))
    assert asked == [asked[0], 1, asked[0], 1]
    assert asked[0] > 5


def test_a_failure_is_not_remembered(web: Web, tmp_path: Path) -> None:
    cache = ("--cache-dir", str(tmp_path / "cache"))
    url = web.url("good", "large.onnx")
    assert "FIL011" in linted(url, "--max-fetch", "90kB", *cache, cwd=tmp_path).stdout
    assert "FIL011" not in linted(url, *cache, cwd=tmp_path).stdout


def test_secrets_are_used_and_not_shown(web: Web, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    url = web.url("good", "outside.onnx?X-Amz-Signature=5ecre7")
    url = url.replace("http://", "http://me:pa55word@")
    outputs = [f"{name}:{tmp_path / name}" for name in ("json", "sarif", "html", "junit")]
    args = [part for output in outputs for part in ("-o", output)]
    result = linted(url, "-v", *args, "-o", "full", "--cache-dir", str(cache), cwd=tmp_path)
    assert any("Signature=5ecre7" in each for each in web.asked)
    assert web.secrets
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    said = b"".join(written) + result.stdout.encode() + result.stderr.encode()
    assert b"outside.onnx?\xe2\x80\xa6" in said
    for secret in (b"5ecre7", b"pa55word", b"/tmp/modellint-", b"bWU6"):
        assert secret not in said, secret
    denied = linted(url.replace("/good/", "/denied/"), cwd=tmp_path)
    assert "5ecre7" not in str(denied)
    assert "pa55word" not in str(denied)


def test_a_password_is_not_sent_to_another_server(web: Web, tmp_path: Path) -> None:
    url = web.url("moved", "relu.onnx").replace("http://", "http://me:pa55word@")
    linted(url, cwd=tmp_path)
    assert len(web.asked) == 2
    assert len(web.secrets) == 1


def test_inspect_reads_addresses(web: Web, tmp_path: Path) -> None:
    url = web.url("good", "large.onnx")
    result = run_cli("inspect", url, "-v", cwd=tmp_path)
    assert result.exit_code == 0, result
    assert url in result.stdout
    assert "fetched in" in result.stderr
    bad = run_cli("inspect", web.url("denied", "relu.onnx"), cwd=tmp_path)
    assert bad.exit_code == 1, bad
    assert "denies access" in bad.stdout


@pytest.mark.parametrize("option", ["--fix", "--diff", "--fix-to=there"])
def test_remote_models_are_not_changed(option: str, web: Web, tmp_path: Path) -> None:
    result = linted(web.url("good", "relu.onnx"), option, cwd=tmp_path)
    failed(result, "remote models cannot be fixed")
    assert not web.asked


def test_configuration_of_the_working_folder_holds(web: Web, tmp_path: Path) -> None:
    host = f"127.0.0.1:{web.port}"
    (tmp_path / "modellint.toml").write_text(
        f'[per-file-ignores]\n"{host}/good/outside*" = ["ALL"]\n'
    )
    url = web.url("good", "outside.onnx")
    args = ("--exit-zero", "--no-cache", "-o", "concise")
    assert run_cli("check", url, *args, cwd=tmp_path).stdout.count("HYG") == 0


def test_a_baseline_knows_addresses(web: Web, tmp_path: Path) -> None:
    url = web.url("good", "qat_residual.onnx")
    assert run_cli("check", url, "--write-baseline", cwd=tmp_path).exit_code == 0
    again = run_cli("check", url, cwd=tmp_path)
    assert again.exit_code == 0, again
    assert "no longer exist" not in again.stderr


def test_addresses_that_are_none(tmp_path: Path) -> None:
    failed(run_cli("check", "https://host/models/", cwd=tmp_path), "name a file")
    failed(run_cli("check", "https://", cwd=tmp_path), "needs a server")
    failed(run_cli("check", "file://elsewhere/model.onnx", cwd=tmp_path), "must not name a server")


def test_an_address_of_a_file_is_a_path(models: Path, tmp_path: Path) -> None:
    report = lint_json("check", f"file://{models}/relu.onnx", cwd=tmp_path)
    assert report["models"][0]["path"] == f"{models}/relu.onnx"


def test_functions_take_addresses(web: Web, models: Path) -> None:
    url = web.url("good", "qat_residual.onnx")
    report = modellint.check([url, models / "relu.onnx"], isolated=True, cache=False)
    assert report.models[0].path == url
    assert modellint.inspect(url, isolated=True).path == url
    with pytest.raises(modellint.UsageError, match="is a URL"):
        modellint.diff(url, models / "relu.onnx")
