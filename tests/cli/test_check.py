"""`modellint check`: every option does what it says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from modellint.config.load import Config
from modellint.lint.record import FileRecord
from modellint.lint.reporting import add_reports
from tests.samples import ERROR, GOOD, INFO, RULES, WARNING, codes, failed, lint_json, project
from tests.support import run_cli

LATER = "HYG007,HYG01,HYG02"
"""Rules of the family that came after these tests."""

MODELS = {"good.onnx": GOOD, "info.onnx": INFO, "warning.onnx": WARNING, "error.onnx": ERROR}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return project(tmp_path, MODELS)


def test_bare_paths_are_checked(models: Path) -> None:
    assert codes(models, *RULES) == codes("check", models, *RULES) == ["VAL003", "HYG005", "HYG002"]


def test_without_a_path_the_working_folder_is_linted(models: Path) -> None:
    assert codes("check", *RULES, cwd=models) == codes(models, *RULES)


def test_a_file_is_linted_whatever_it_is_called(models: Path) -> None:
    (models / "error.onnx").rename(models / "error.bin")
    assert codes("error.bin", *RULES, cwd=models) == ["VAL003"]
    assert "VAL003" not in codes(".", *RULES, cwd=models)


def test_options_may_stand_before_the_paths(models: Path) -> None:
    assert codes(*RULES, models / "info.onnx") == ["HYG005"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--select", "HYG005"], ["HYG005"]),
        (["--select", "hyg005"], ["HYG005"]),
        (["--select", "dropout-left-over"], ["HYG005"]),
        (["--select", "HYG002", "--select", "HYG005"], ["HYG002", "HYG005"]),
        (["--select", "HYG002, HYG005"], ["HYG002", "HYG005"]),
        (["--select", "HYG0", "--ignore", LATER], ["HYG002", "HYG005"]),
        (["--select", "hygiene", "--ignore", LATER], ["HYG002", "HYG005"]),
        (["--select", "VAL003", "--extend-select", "HYG002"], ["HYG002", "VAL003"]),
        (["--select", "HYG,VAL003", "--ignore", "HYG"], ["VAL003"]),
        (["--select", "HYG,VAL003", "--ignore", "hygiene"], ["VAL003"]),
        (["--select", "HYG002", "--ignore", "HYG"], ["HYG002"]),
        (["--select", "HYG", "--ignore", f"HYG002,{LATER}"], ["HYG005"]),
        (["--select", "HYG", "--severity", "HYG002=off", "--ignore", LATER], ["HYG005"]),
        (["--select", "HYG", "--severity", "HYG002=off,HYG005=off", "--ignore", LATER], []),
    ],
)
def test_selection(models: Path, options: list[str], found: list[str]) -> None:
    assert sorted(codes(models, *options)) == found


def test_all_runs_every_rule_and_the_default_is_all_that_are_on(models: Path) -> None:
    assert {"HYG002", "HYG005", "VAL003"} <= set(codes(models))
    assert set(codes(models)) <= set(codes(models, "--select", "ALL"))


def test_severity_changes_what_is_said_and_what_fails(models: Path) -> None:
    document = lint_json(models / "info.onnx", *RULES, "--severity", "HYG005=error")
    assert document["findings"][0]["severity"] == "error"
    assert document["exit"] == 1


def test_the_closest_severity_counts(models: Path) -> None:
    options = ("--severity", "HYG=error", "--severity", "HYG005=warning")
    found = lint_json(models, *RULES, *options)["findings"]
    levels = {each["code"]: each["severity"] for each in found}
    assert levels == {"HYG002": "error", "HYG005": "warning", "VAL003": "error"}


@pytest.mark.parametrize(
    ("name", "level", "code"),
    [
        ("good.onnx", "info", 0),
        ("info.onnx", "info", 1),
        ("info.onnx", "warning", 0),
        ("warning.onnx", "warning", 1),
        ("warning.onnx", "error", 0),
        ("error.onnx", "error", 1),
        ("error.onnx", "never", 0),
    ],
)
def test_fail_on(models: Path, name: str, level: str, code: int) -> None:
    assert run_cli(models / name, *RULES, "--fail-on", level).exit_code == code


def test_errors_fail_by_default_and_exit_zero_lets_them_pass(models: Path) -> None:
    assert run_cli(models, *RULES).exit_code == 1
    assert run_cli(models, *RULES, "--exit-zero").exit_code == 0


def test_targets_runtime_precision_and_batch_are_what_is_linted_for(models: Path) -> None:
    result = run_cli(
        models,
        "--target",
        "a10",
        "--target",
        "t4,l4",
        "--precision",
        "int8",
        "--batch",
        "4",
        "--show-settings",
    )
    assert 'targets = ["a10", "t4", "l4"]  # command line' in result.stdout
    assert 'precision = "int8"  # command line' in result.stdout
    assert "batch = 4  # command line" in result.stdout


def test_findings_name_the_target_and_the_runtime(tmp_path: Path) -> None:
    old = project(tmp_path, {"old.onnx": GOOD.replace("21", "26")}) / "old.onnx"
    (found,) = lint_json(old, "--select", "CMP001", "--target", "a10")["findings"]
    assert found["runtime"] == "tensorrt"
    assert codes(old, "--select", "CMP001") == []
    (found,) = lint_json(old, "--select", "CMP001", "--runtime", "tensorrt")["findings"]
    assert found["runtime"] == "tensorrt"


MASKED = """
<ir_version: 10, opset_import: ["" : 21]>
masked (float[1, 8] x) => (float[1, 8] y) <float big = {-1e9}> { y = Add (x, big) }
"""


def test_precision_reaches_the_rules(tmp_path: Path) -> None:
    model = project(tmp_path, {"masked.onnx": MASKED}) / "masked.onnx"
    assert codes(model, "--select", "NUM002") == []
    assert codes(model, "--select", "NUM002", "--precision", "fp16") == ["NUM002"]


RESHAPED = """
<ir_version: 10, opset_import: ["" : 21]>
reshaped (float[N, 2, 4] x) => (float[1, 8] y)
<int64[2] to = {1, 8}>
{ y = Reshape (x, to) }
"""


@pytest.mark.parametrize(
    "options",
    [
        ["--batch", "4"],
        ["--symbol", "N=4"],
        ["--shape", "x=1x2x4..4x2x4"],
        ["--shape", "1x2x4..4x2x4"],
    ],
)
def test_batch_symbols_and_shapes_are_taken(tmp_path: Path, options: list[str]) -> None:
    model = project(tmp_path, {"reshaped.onnx": RESHAPED}) / "reshaped.onnx"
    result = run_cli(model, "--select", "shapes", *options)
    assert result.exit_code in (0, 1), result


def test_a_dla_needs_a_device_that_has_one(models: Path) -> None:
    failed(run_cli(models, "--target", "a10", "--dla"), "no target has a DLA")
    assert run_cli(models / "good.onnx", "--target", "jetson-agx-orin-64gb", "--dla").exit_code == 0


def test_no_weights_leaves_rules_out_that_read_them(models: Path) -> None:
    assert (
        "weights = false  # command line"
        in run_cli("check", models, "--no-weights", "--show-settings").stdout
    )
    assert run_cli(models / "good.onnx", "--no-weights").exit_code == 0


def test_exclude_holds_in_folders_and_force_exclude_for_named_files(models: Path) -> None:
    exclude = ("--exclude", "error.onnx,info.*")
    assert codes(".", *RULES, *exclude, cwd=models) == ["HYG002"]
    assert codes("error.onnx", *RULES, *exclude, cwd=models) == ["VAL003"]
    assert codes("error.onnx", *RULES, *exclude, "--force-exclude", cwd=models) == []


def test_include_adds_suffixes(models: Path) -> None:
    (models / "error.onnx").rename(models / "error.bin")
    assert "VAL003" in codes(".", *RULES, "--include", "*.bin", cwd=models)


def test_what_git_ignores_is_left_out_and_said(models: Path) -> None:
    project(models, {".gitignore": "error.onnx\n"})
    assert "VAL003" not in codes(".", *RULES, cwd=models)
    assert "1 model file skipped because git ignores" in run_cli(".", *RULES, cwd=models).stderr
    assert "VAL003" in codes(".", *RULES, "--no-respect-gitignore", cwd=models)


def test_outputs_may_be_several(models: Path) -> None:
    result = run_cli(".", *RULES, "-o", "concise", "-o", "json:out.json", cwd=models)
    assert "HYG005" in result.stdout
    document = json.loads((models / "out.json").read_text())
    assert document["summary"]["models"] == 4


def test_statistics_count_and_time_the_rules(models: Path) -> None:
    result = run_cli(models, *RULES, "--no-cache", "--statistics", "-o", "concise")
    assert "HYG005" in result.stdout
    assert "ms" in result.stdout + result.stderr


def test_statistics_leave_machine_formats_alone(models: Path) -> None:
    result = run_cli(models, *RULES, "--statistics", "-o", "json")
    json.loads(result.stdout)
    assert "HYG005" in result.stderr


def test_quiet_says_findings_only(models: Path) -> None:
    project(models, {".gitignore": "error.onnx\n"})
    loud = run_cli(".", *RULES, cwd=models)
    quiet = run_cli(".", *RULES, "--quiet", cwd=models)
    assert "git ignores" in loud.stderr
    assert quiet.stderr == ""
    assert len(quiet.stdout) < len(loud.stdout)
    assert run_cli("good.onnx", "-q", cwd=models).stdout == ""


def test_verbose_says_more(models: Path) -> None:
    usual, verbose = (run_cli(models, *RULES, *more).stdout for more in ((), ("--verbose",)))
    assert len(verbose) > len(usual)


@pytest.mark.parametrize(("color", "expected"), [("always", True), ("never", False)])
def test_color(models: Path, color: str, expected: bool) -> None:
    assert ("\x1b[" in run_cli(models, *RULES, "--color", color).stdout) is expected


def test_no_color_and_force_color(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in run_cli("rules").stdout
    assert "\x1b[" in run_cli("missing").stderr
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run_cli("rules").stdout + run_cli("missing").stderr


def test_jobs_do_not_change_what_is_found(models: Path) -> None:
    one = lint_json(models, *RULES, "--jobs", "1", "--no-cache")["findings"]
    two = lint_json(models, *RULES, "--jobs", "2", "--no-cache")["findings"]
    assert one == two


def test_no_cache_keeps_nothing(models: Path, isolated: Path) -> None:
    run_cli(models, *RULES, "--no-cache")
    assert not (isolated / "lint").exists()


def test_cache_dir(models: Path, tmp_path: Path) -> None:
    run_cli(models, *RULES, "--cache-dir", tmp_path / "kept")
    assert list((tmp_path / "kept").rglob("*.json"))


def test_config_names_the_file_and_isolated_uses_none(models: Path, tmp_path: Path) -> None:
    project(
        models,
        {"modellint.toml": 'select = ["HYG002", "HYG005"]', "other.toml": 'select = ["VAL003"]'},
    )
    assert sorted(codes(".", cwd=models)) == ["HYG002", "HYG005"]
    assert codes(".", "--config", "other.toml", cwd=models) == ["VAL003"]
    assert len(codes(".", "--isolated", cwd=models)) > 2


def test_config_from_the_environment(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(models, {"other.toml": 'select = ["VAL003"]'})
    monkeypatch.setenv("MODELLINT_CONFIG", "other.toml")
    assert codes(".", cwd=models) == ["VAL003"]


def test_show_settings_says_where_each_comes_from(models: Path) -> None:
    project(models, {"modellint.toml": 'select = ["HYG"]\nbudgets = { max-params = "5M" }'})
    result = run_cli("check", ".", "--jobs", "3", "--show-settings", cwd=models)
    assert result.exit_code == 0
    assert "# .: modellint.toml" in result.stdout
    assert 'select = ["HYG"]  # file' in result.stdout
    assert "jobs = 3  # command line" in result.stdout
    assert 'fail-on = "error"  # default' in result.stdout
    assert 'budgets = { max-params = "5M" }  # file' in result.stdout
    assert "# batch = (not set)" in result.stdout


def test_shown_settings_are_a_configuration(models: Path) -> None:
    project(models, {"modellint.toml": 'select = ["HYG"]\nseverity = { "HYG002" = "error" }'})
    shown = run_cli("check", ".", "--show-settings", cwd=models).stdout
    project(models, {"again.toml": shown})
    again = run_cli("check", ".", "--config", "again.toml", "--show-settings", cwd=models)
    assert [line.partition("  #")[0] for line in again.stdout.splitlines()[1:]] == [
        line.partition("  #")[0] for line in shown.splitlines()[1:]
    ]


def test_a_folder_without_models_is_said_to_be_one(tmp_path: Path) -> None:
    result = run_cli(tmp_path)
    assert result.exit_code == 0
    assert "no model files found" in result.stderr


def test_what_is_finished_is_shown_when_interrupted(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add_one(
        records: Sequence[FileRecord], here: Config, progress: None, *, remember: bool
    ) -> None:
        add_reports(records[:1], here, None, remember=False)
        raise KeyboardInterrupt

    monkeypatch.setattr("modellint.lint.add_reports", add_one)
    report = models / "report.json"
    result = run_cli(models, "-o", "full", "-o", f"json:{report}")
    assert result.exit_code == 130
    assert "1 model in " in result.stdout
    assert f"1 of {len(list(models.glob('**/*.onnx')))} models were linted" in result.stderr
    assert not report.exists()
