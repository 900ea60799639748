"""Models in a bucket; the oracles ask a real server the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from modellint.fleets.survey import survey
from tests.fleets.inline import run
from tests.remote.bucket import bucket
from tests.remote.servers import Web
from tests.samples import ERROR, WARNING, failed, lint_json, project
from tests.support import run_cli

pytest.importorskip("obstore")
ARGS = ("--isolated", "--exit-zero", "--fetch-timeout", "5")


@pytest.fixture
def web(models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    with bucket(models) as web:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{web.port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDofatest")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "5ecre7ofatest")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        yield web


def test_a_bucket_is_linted_as_a_folder(web: Web, models: Path, tmp_path: Path) -> None:
    there = lint_json("check", "s3://bucket/", "--no-cache", "--isolated", cwd=tmp_path)
    here = lint_json("check", models, "--no-weights", "--isolated", cwd=tmp_path)
    names = [each["path"].removeprefix("s3://bucket/") for each in there["models"]]
    assert names == [Path(each["path"]).name for each in here["models"]]
    assert [(each["code"], each["message"]) for each in there["findings"]] == [
        (each["code"], each["message"]) for each in here["findings"]
    ]
    assert web.sent < 1 << 20
    assert (models / "large.onnx").stat().st_size > 40 << 20


def test_one_object_needs_no_list(web: Web, tmp_path: Path) -> None:
    result = run_cli("check", "s3://bucket/outside.onnx", "-v", *ARGS, cwd=tmp_path)
    assert "FIL" not in result.stdout, result
    assert [each.split()[0] for each in web.asked[:2]] == ["GET", "HEAD"]
    assert not any("list-type" in each for each in web.asked)
    assert "5ecre7" not in str(result)
    assert "AKID" not in str(result)


def test_a_prefix_without_a_slash(web: Web, tmp_path: Path) -> None:
    failed(run_cli("check", "s3://bucket/nothing", cwd=tmp_path), "no such file or folder")
    failed(run_cli("check", "s3://other/", cwd=tmp_path), "s3://other: there is no such bucket")
    failed(run_cli("check", "az://container/", cwd=tmp_path), "AZURE_STORAGE_ACCOUNT_NAME names it")


def test_a_change_is_noticed(web: Web, tmp_path: Path) -> None:
    def change(count: int) -> None:
        web.edition = int(count > 3)

    web.on_request = change
    result = run_cli("check", "s3://bucket/large.onnx", *ARGS, cwd=tmp_path)
    assert "it changed while it was read" in " ".join(result.stdout.split()), result


def test_the_cache_asks_for_a_list_only(web: Web, tmp_path: Path) -> None:
    cache = ("--cache-dir", tmp_path / "cache")
    run_cli("check", "s3://bucket/", *ARGS, *cache, cwd=tmp_path)
    web.asked.clear()
    run_cli("check", "s3://bucket/", *ARGS, *cache, cwd=tmp_path)
    lists = [each for each in web.asked if "list-type" in each]
    assert lists
    assert all(".bin" in each for each in web.asked if each not in lists), web.asked


def test_a_fleet_keeps_its_results_in_a_bucket(web: Web, models: Path, tmp_path: Path) -> None:
    there, named = "s3://bucket/runs/nightly", [models / "relu.onnx", models / "outside.onnx"]
    lint: tuple[str | Path, ...] = ("fleet", *named, "--isolated", "--jobs", "1")
    done = run_cli(*lint, "--results", there, cwd=tmp_path)
    assert f"modellint fleet report {there}" in done.stdout, done
    kept = models / "runs/nightly"
    assert sorted(path.name for path in kept.iterdir()) == ["findings", "models", "run.json"]
    failed(run_cli(*lint, "--results", there, cwd=tmp_path), f"{there} holds a run", "--resume")
    failed(run_cli(*lint, "--results", "s3://bucket/runs", cwd=tmp_path), "not an empty folder")
    failed(run_cli(*lint, "--results", "https://127.0.0.1/x", cwd=tmp_path), "results go to")
    failed(run_cli(*lint, "--results", "s3://other/x", cwd=tmp_path), "there is no such bucket")
    failed(run_cli("fleet", "report", "s3://bucket/none", cwd=tmp_path), "contains no results")


def test_a_model_is_compared_with_one_in_a_bucket(web: Web, models: Path, tmp_path: Path) -> None:
    there, here = "s3://bucket/large.onnx", models / "large.onnx"
    same = run_cli("diff", there, here, "--isolated", "-v", cwd=tmp_path)
    assert same.exit_code == 0, same
    assert "the same network" in same.stdout, same
    assert f"{there}: " in same.stderr, same
    assert web.sent < 1 << 20
    other = run_cli("diff", there, "s3://bucket/relu.onnx", "--isolated", cwd=tmp_path)
    assert f"{there} → s3://bucket/relu.onnx" in other.stdout, other
    failed(run_cli("diff", there, "--git", "main", cwd=tmp_path), "--git needs local files")
    failed(run_cli("diff", there, here, "--run", cwd=tmp_path), "--run needs local files")


def test_a_fleet_goes_on_with_results_in_a_bucket(web: Web, models: Path, tmp_path: Path) -> None:
    top = project(tmp_path / "here", {"a.onnx": ERROR, "b.onnx": WARNING})
    there, named = "s3://bucket/runs/weekly", [top / "a.onnx", top / "b.onnx"]
    run(named[:1], there)
    orphan = models / "runs/weekly/findings/part-00009.jsonl"
    orphan.write_text("{}")
    again = run(named, there, resume=True)
    assert (again.earlier, again.run.models) == (1, 2)
    assert orphan.read_text() == "", "findings of no model"
    run(named, tmp_path / "local")
    here = str(tmp_path / "local")
    found = again.survey(against=here), survey(here, against=there)
    assert found[0].groups
    assert found[0].groups == found[1].groups
    assert found[0].run.results == there


def test_keys_of_a_profile_are_used(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    kept = tmp_path / "credentials"
    kept.write_text("[mine]\naws_access_key_id = AKIDkept\naws_secret_access_key = kept\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(kept))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    result = run_cli("check", "s3://bucket/relu.onnx", *ARGS, cwd=tmp_path)
    assert "FIL" not in result.stdout, result
    assert all("AKIDkept" in each for each in web.secrets)
    (tmp_path / "config").write_text("[profile mine]\nsso_session = work\n")
    kept.unlink()
    result = run_cli("check", "s3://bucket/relu.onnx", *ARGS, "-o", "json", cwd=tmp_path)
    (finding,) = json.loads(result.stdout)["findings"]
    assert "signs in through boto3: install it" in finding["message"]


def test_a_runtime_gets_a_copy(web: Web, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    args = ("--backend", "onnxruntime", "--isolated", "--no-cache")
    result = run_cli("probe", "s3://bucket/outside.onnx", *args, cwd=tmp_path)
    assert result.exit_code == 0, result
    assert "builds" in result.stdout, result
    assert "GET /bucket/weights/part.bin bytes=0-1023" in web.asked
