"""The cache: the second run is the first one's result, until anything it depends on changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modellint import cache
from modellint.base import store
from modellint.base.plain import plain
from modellint.base.store import Store
from modellint.cache import ReportCache, identify, is_same
from modellint.engine import lint_file as lint_file_as_it_is
from modellint.plan import Plan
from modellint.probes.backends import Backend
from modellint.workers import job
from tests.samples import ERROR, GOOD, INFO, RULES, WARNING, lint_json, project
from tests.support import EXAMPLES, PATIENCE, run_cli, run_process, save

OWN_RULE = """
summary = "A Relu."
severity = "info"
message = "There is a Relu '{node}'."
why = "Because."
fix = "None."
[match]
pattern = "y = Relu(x)"
report = "y"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    models = {"info.onnx": INFO, "warning.onnx": WARNING, "error.onnx": ERROR}
    return project(tmp_path / "models", models)


@pytest.fixture
def linted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files that were really linted; empty it to begin again."""
    names: list[str] = []
    original = lint_file_as_it_is

    def lint_file(path: Path, *rest: Any) -> Any:
        names.append(path.name)
        return original(path, *rest)

    monkeypatch.setattr(job, "lint_file", lint_file)
    return names


def settle(folder: Path) -> None:
    """Make files look as if they had not been touched for a while."""
    old = time.time() - 3600
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (old, old))


def run(folder: Path, *options: str | Path) -> dict[str, Any]:
    document = lint_json(".", *(options or RULES), cwd=folder)
    document["summary"].pop("seconds")
    return document


@pytest.mark.parametrize("old", [True, False], ids=["old files", "files of this moment"])
def test_the_second_run_lints_nothing_and_finds_the_same(
    folder: Path, linted: list[str], old: bool
) -> None:
    if old:
        settle(folder)
    first = run(folder)
    assert sorted(linted) == ["error.onnx", "info.onnx", "warning.onnx"]
    linted.clear()
    assert run(folder) == first
    assert linted == []


def test_every_format_is_the_same_from_the_cache() -> None:
    for output in ("full", "concise", "json", "sarif", "markdown"):
        options = (EXAMPLES, "--target", "a10", "--output", output)
        first, second = run_cli(*options), run_cli(*options)
        assert _without_time(first.stdout) == _without_time(second.stdout)
        assert first.exit_code == second.exit_code


def _without_time(text: str) -> list[str]:
    return [line for line in text.splitlines() if "seconds" not in line and " s" not in line]


def _rewrite(folder: Path) -> None:
    save(WARNING, folder / "info.onnx")


def _rewrite_in_place(folder: Path) -> None:
    """The same size and the same time: only the content tells."""
    path = folder / "info.onnx"
    stat = path.stat()
    path.write_bytes(path.read_bytes().replace(b"drop", b"crop"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _touch(folder: Path) -> None:
    os.utime(folder / "info.onnx", (time.time() - 60, time.time() - 60))


@pytest.mark.parametrize("change", [_rewrite, _rewrite_in_place])
def test_a_changed_file_is_linted_again(
    folder: Path, linted: list[str], change: Callable[[Path], None]
) -> None:
    run(folder)
    linted.clear()
    change(folder)
    run(folder)
    assert linted == ["info.onnx"]


def test_an_old_file_that_is_written_is_linted_again(
    folder: Path, linted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "RACY_NS", 0)  # as if it were another moment
    run(folder)
    linted.clear()
    _touch(folder)
    run(folder)
    assert linted == ["info.onnx"]


@pytest.mark.parametrize(
    "options",
    [
        ("--select", "HYG005"),
        (*RULES, "--target", "a10"),
        (*RULES, "--precision", "fp16"),
        (*RULES, "--batch", "4"),
        (*RULES, "--shape", "x=1x8"),
        (*RULES, "--symbol", "N=1"),
        (*RULES, "--severity", "HYG005=error"),
        (*RULES, "--no-weights"),
    ],
)
def test_other_settings_are_another_result(
    folder: Path, linted: list[str], options: tuple[str, ...]
) -> None:
    run(folder)
    linted.clear()
    run(folder, *options)
    assert len(linted) == 3
    linted.clear()
    run(folder)
    run(folder, *options)
    assert linted == []


@pytest.mark.parametrize(
    "options", [("--fail-on", "info"), ("--exit-zero",), ("--jobs", "1"), ("--verbose",)]
)
def test_what_does_not_change_findings_is_no_matter(
    folder: Path, linted: list[str], options: tuple[str, ...]
) -> None:
    run(folder)
    linted.clear()
    run(folder, *RULES, *options)
    assert linted == []


def test_suppressions_and_baselines_are_applied_again(folder: Path, linted: list[str]) -> None:
    run(folder)
    linted.clear()
    text = 'select = ["HYG005", "HYG002", "VAL003", "file", "SUP"]\n'
    project(folder, {"modellint.toml": text + "suppress = [{ rule = 'VAL', reason = 'known' }]"})
    found = run(folder, "--fail-on", "error")
    assert found["exit"] == 0
    assert set(linted) <= {"info.onnx", "warning.onnx", "error.onnx"}


def test_another_version_is_another_result(
    folder: Path, linted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(folder)
    linted.clear()
    monkeypatch.setattr(cache, "__version__", "999.0.0")
    run(folder)
    assert len(linted) == 3


def test_other_code_is_another_result(
    folder: Path, linted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(folder)
    linted.clear()
    monkeypatch.setattr(cache, "code_digest", lambda package: f"{package} was edited")
    run(folder)
    assert len(linted) == 3


def test_the_code_digest_sees_an_edited_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = project(tmp_path, {"a_plugin/__init__.py": "", "a_plugin/check.py": "x = 1"})
    monkeypatch.syspath_prepend(str(package))
    before = cache.code_digest("a_plugin")
    cache.code_digest.cache_clear()
    (package / "a_plugin/check.py").write_text("x = 22")
    assert cache.code_digest("a_plugin") != before
    assert cache.code_digest("no_such_package") == ""


@pytest.mark.parametrize("name", ["a_plugin/table.toml", "a_plugin/data/new.json"])
def test_the_code_digest_sees_a_table(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"a_plugin/__init__.py": "", "a_plugin/table.toml": "a = 1", "a_plugin/data/x": ""}
    package = project(tmp_path, files)
    monkeypatch.syspath_prepend(str(package))
    before = cache.code_digest("a_plugin")
    cache.code_digest.cache_clear()
    (package / name).write_text("a = 22")
    assert cache.code_digest("a_plugin") != before


def test_another_version_of_the_verifier_is_another_result(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan((), verify="onnxruntime")
    monkeypatch.setattr(Backend, "version", "1.31.0")
    before = cache.plan_key(plan)
    monkeypatch.setattr(Backend, "version", "1.32.0")
    assert cache.plan_key(plan) != before


def test_the_tables_of_runtimes_count() -> None:
    listed = {path.name for path in cache._files(Path(cache.__file__).parent)}
    assert {"release-1.32.toml", "support-1.32.json", "cache.py"} <= listed


RUNTIME = """
from pathlib import Path
from modellint.runtimes.runtime import Runtime

TOY = Runtime("toy-rt", "Toy Runtime", tables=Path(__file__).parent)
"""
RELEASE = """
opset = [7, {}]
confidence = "measured"
source = "https://example.com"
"""


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("toy_rt/release-7.5.toml", RELEASE.format(20), RELEASE.format(21)),
        ("toy_rt/__init__.py", RUNTIME, RUNTIME + "# edited\n"),
        (
            "toy_rt-7.5.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: toy-rt\nVersion: 7.5\n",
            "Metadata-Version: 2.1\nName: toy-rt\nVersion: 7.6\n",
        ),
    ],
    ids=["table", "code", "version"],
)
def test_a_changed_plugin_runtime_is_another_result(
    file: str, old: str, new: str, folder: Path, isolated: Path, tmp_path: Path
) -> None:
    site = project(
        tmp_path / "site",
        {
            "toy_rt/__init__.py": RUNTIME,
            "toy_rt/release-7.5.toml": RELEASE.format(20),
            "toy_rt-7.5.dist-info/METADATA": "Metadata-Version: 2.1\nName: toy-rt\nVersion: 7.5\n",
            "toy_rt-7.5.dist-info/entry_points.txt": "[modellint.runtimes]\ntoy = toy_rt:TOY\n",
            file: old,
        },
    )

    path = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))

    def kept() -> int:
        """Return the number of results after another run."""
        ran = run_process(".", "--runtime", "toy-rt", cwd=folder, env={"PYTHONPATH": path})
        assert ran.exit_code == 1, ran
        return len(list((isolated / "lint").glob("*/*.json")))

    assert (kept(), kept()) == (3, 3)
    (site / file).write_text(new)
    assert kept() == 6


def test_a_changed_rule_is_another_result(folder: Path, linted: list[str]) -> None:
    rule = (
        project(folder, {"lint/own/OWN001-a-relu.toml": OWN_RULE}) / "lint/own/OWN001-a-relu.toml"
    )
    project(folder, {"modellint.toml": 'rules = ["lint"]\nselect = ["OWN"]'})
    before = run(folder, "--fail-on", "never")
    linted.clear()
    rule.write_text(OWN_RULE.replace("There is", "Here is"))
    after = run(folder, "--fail-on", "never")
    assert before["findings"][0]["message"].startswith("There is")
    assert after["findings"][0]["message"].startswith("Here is")
    assert len(linted) == 3


def test_a_changed_target_is_another_result(folder: Path, linted: list[str]) -> None:
    board = """
        name = "My board"
        vendor = "acme"
        runtime = "onnxruntime"
        [memory]
        nominal = "{}"
        source = "https://acme.example/board"
        confidence = "theoretical"
    """
    project(folder, {"boards/my-board.toml": board.format("4 GiB")})
    project(folder, {"modellint.toml": 'target-dirs = ["boards"]\ntargets = ["my-board"]'})
    run(folder, "--fail-on", "never")
    linted.clear()
    project(folder, {"boards/my-board.toml": board.format("8 GiB")})
    run(folder, "--fail-on", "never")
    assert len(linted) == 3


def external(path: Path) -> Path:
    """A model whose weight lies in another file; gives that file."""
    weight = numpy_helper.from_array(np.full((64, 64), 0.5, np.float32), "w")
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 64]) for name in "xy")
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="project")
    graph = helper.make_graph([node], "g", [x], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    location = f"{path.stem}.bin"
    onnx.save(model, path, save_as_external_data=True, location=location, size_threshold=0)
    return path.with_name(location)


def test_external_data_that_changes_alone_is_seen(tmp_path: Path, linted: list[str]) -> None:
    data = external(tmp_path / "net.onnx")
    assert run(tmp_path, "--select", "file")["findings"] == []
    whole = data.read_bytes()
    data.write_bytes(whole[:100])
    assert [each["code"] for each in run(tmp_path, "--select", "file")["findings"]] == ["FIL014"]
    data.unlink()
    assert [each["code"] for each in run(tmp_path, "--select", "file")["findings"]] == ["FIL013"]
    data.write_bytes(whole)
    assert run(tmp_path, "--select", "file")["findings"] == []
    linted.clear()
    assert run(tmp_path, "--select", "file")["findings"] == []
    assert linted == []


def test_a_file_that_appears_next_to_the_model_is_seen(tmp_path: Path) -> None:
    external(tmp_path / "net.onnx")
    run(tmp_path, "--select", "FIL016")
    (tmp_path / "net.onnx.data").write_bytes(bytes(4096))
    found = run(tmp_path, "--select", "FIL016")["findings"]
    fresh = run(tmp_path, "--select", "FIL016", "--no-cache")["findings"]
    assert found == fresh


def test_a_moved_project_is_linted_again(folder: Path, linted: list[str]) -> None:
    run(folder)
    linted.clear()
    folder.rename(folder.with_name("moved"))
    assert len(run(folder.with_name("moved"))["findings"]) == 3
    assert len(linted) == 3


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b"7"])
def test_a_damaged_cache_is_ignored_and_replaced(
    folder: Path, isolated: Path, linted: list[str], content: bytes
) -> None:
    first = run(folder)
    for entry in isolated.rglob("*.json"):
        entry.write_bytes(content)
    linted.clear()
    assert run(folder) == first
    assert len(linted) == 3
    linted.clear()
    assert run(folder) == first
    assert linted == []


def rewrite(entry: Path, change: Callable[[Any], object]) -> None:
    """Change the content of an entry and leave it a valid one."""
    content = json.loads(entry.read_text())["content"]
    change(content)
    entry.write_bytes(store._packed(content))


@pytest.mark.parametrize("missing", ["report", "files", "listing"])
def test_an_entry_of_another_version_is_ignored(
    folder: Path, isolated: Path, linted: list[str], missing: str
) -> None:
    run(folder)
    for entry in (isolated / "lint").rglob("*.json"):
        if entry.stem != "pruned":
            rewrite(entry, lambda stored: stored.pop(missing))
    linted.clear()
    run(folder)
    assert len(linted) == 3


def test_a_cache_that_cannot_be_written_only_costs_time(
    folder: Path, linted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MODELLINT_CACHE_DIR", str(tmp_path / "file"))
    assert len(run(folder)["findings"]) == 3
    assert len(run(folder)["findings"]) == 3
    assert len(linted) == 6


def test_crashes_are_not_remembered(
    folder: Path, linted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from modellint.checks import hygiene

    def crash(context: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(hygiene, "dead_node", crash)
        assert run(folder)["exit"] == 3
    linted.clear()
    assert run(folder)["exit"] == 1
    assert len(linted) == 3


def test_a_file_that_changes_while_it_is_linted_is_not_remembered(
    folder: Path, linted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = lint_file_as_it_is

    def lint_file(path: Path, *rest: Any) -> Any:
        report = original(path, *rest)
        save(GOOD, path)
        return report

    with monkeypatch.context() as racing:
        racing.setattr(job, "lint_file", lint_file)
        assert len(run(folder)["findings"]) == 3
    assert run(folder)["findings"] == []


def test_concurrent_runs_share_a_cache(folder: Path, isolated: Path) -> None:
    command = [sys.executable, "-m", "modellint", ".", *RULES, "-o", "concise"]
    running = [
        subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(6)
    ]
    outputs = [process.communicate(timeout=PATIENCE) for process in running]
    assert {process.returncode for process in running} == {1}
    assert len({stdout for stdout, _ in outputs}) == 1
    (said,) = {stderr for _, stderr in outputs}
    assert said.startswith(b"note: For any runtime. ")
    assert said.count(b"\n") == 1
    assert [path for path in isolated.rglob("*") if path.name.startswith(".")] == []


def test_standard_input_is_not_remembered(isolated: Path, tmp_path: Path) -> None:
    data = save(INFO, tmp_path / "info.onnx").read_bytes()
    run_cli("-", *RULES, stdin=data)
    assert not list((isolated / "lint").rglob("*.json"))


def test_old_entries_are_pruned_and_the_rest_kept_small(tmp_path: Path) -> None:
    entries = Store(tmp_path / "cache", "lint")
    keys = [f"{number:064}" for number in range(4)]
    for number, key in enumerate(keys):
        assert entries.save(key, "x" * 100)
        written = time.time() - (3600 * (4 - number) if number else 40 * 86400)
        os.utime(entries.path(key), (written, written))
    size = entries.path(keys[0]).stat().st_size
    entries.prune(most_bytes=2 * size, most_seconds=30 * 86400)
    assert [entries.load(key) is not None for key in keys] == [False, False, True, True]


def test_pruning_happens_by_itself(folder: Path, isolated: Path) -> None:
    entries = Store(isolated, "lint")
    entries.save("f" * 64, {})
    old = entries.path("f" * 64)
    os.utime(old, (0, 0))
    foreign = project(isolated / "lint", {"aa/mine.json": "{}"}) / "aa" / "mine.json"
    os.utime(foreign, (0, 0))
    run(folder)
    assert not old.exists()
    assert foreign.exists()


def test_identities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    assert identify(path) is None
    assert is_same(path, None)
    path.write_bytes(b"content")
    fresh = identify(path)
    assert fresh is not None
    assert "sha256" in fresh
    assert is_same(path, fresh)
    assert not is_same(path, None)
    path.write_bytes(b"CONTENT")
    assert not is_same(path, fresh)
    monkeypatch.setattr(cache, "MOST_HASHED", 3)
    large = identify(path)
    assert large is not None
    assert large["volatile"]
    path.unlink()
    assert not is_same(path, fresh)


def test_files_that_age_during_a_long_run_are_remembered(
    folder: Path, linted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = lint_file_as_it_is

    def lint_file(*given: Any) -> Any:
        report = original(*given)
        linted.append(given[0].name)
        monkeypatch.setattr(cache, "RACY_NS", 0)  # as if it had taken long
        return report

    with monkeypatch.context() as slow:
        slow.setattr(job, "lint_file", lint_file)
        run(folder)
    assert len(linted) == 3
    run(folder)
    assert len(linted) == 3


def test_a_large_file_of_this_moment_is_not_remembered(
    folder: Path, linted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MOST_HASHED", 3)
    run(folder)
    run(folder)
    assert len(linted) == 6
    monkeypatch.setattr(cache, "RACY_NS", 0)  # as if it were another moment
    run(folder)
    run(folder)
    assert len(linted) == 9


def test_the_cache_knows_a_folder_that_is_gone(tmp_path: Path) -> None:
    assert ReportCache(tmp_path).load(tmp_path / "gone" / "x.onnx", "x.onnx", "key") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        ((1, [2, "x"]), [1, [2, "x"]]),
        ({"b", "a"}, ["a", "b"]),
        ({1: None}, {"1": None}),
        (Path("x"), "x"),
    ],
)
def test_evidence_is_what_json_knows(value: object, expected: object) -> None:
    assert plain(value) == expected
    assert json.loads(json.dumps(plain(value))) == expected
