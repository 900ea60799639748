"""Reports of fleets: groups, owners, differences between runs, and results that are damaged."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from modellint.base.errors import UsageError
from modellint.fleets.folders import results_folder
from modellint.fleets.owners import NONE, read_owners
from modellint.fleets.parts import FINDINGS, FORMATS, MODELS, Columns
from modellint.fleets.survey import survey
from modellint.results.surveyed import Counts, Survey
from tests.fleets.inline import run
from tests.samples import ERROR, GOOD, INFO, WARNING, failed, project
from tests.support import run_cli

CODEOWNERS = """
# who owns what
*            @acme/models
/vision/     @ana @acme/vision   # and nobody else
/vision/old  # no one
[Audio][2] @acme/audio
/audio/
"""
TABLE = """
"*" = "@acme/models"
"vision/**" = { owner = ["@ana"], team = "vision" }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of two runs; between them, models came, went and changed."""
    top = tmp_path_factory.mktemp("fleet")
    models = top / "models"
    project(
        models,
        {"vision/a.onnx": ERROR, "vision/b.onnx": INFO, "audio/c.onnx": WARNING, "d.onnx": GOOD},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(models)
        run(Path(), top / "old")
        (models / "audio/c.onnx").unlink()
        project(models, {"vision/a.onnx": WARNING, "e.onnx": ERROR, "d.onnx": INFO})
        run(Path(), top / "new")
    (top / "CODEOWNERS").write_text(CODEOWNERS, encoding="utf-8")
    return top


def groups(found: Survey) -> dict[str, tuple[int, Counts]]:
    return {group.name: (group.models, group.counts) for group in found.groups}


def test_findings_by_rule(folder: Path) -> None:
    found = survey(folder / "new")
    assert groups(found) == {
        "VAL003": (1, Counts(1, 0, 0)),
        "HYG002": (1, Counts(0, 1, 0)),
        "HYG005": (2, Counts(0, 0, 2)),
    }
    assert (found.run.models, found.without_errors) == (4, 3)
    assert [model.path for model in found.worst][:2] == ["e.onnx", "vision/a.onnx"]
    assert survey(folder / "new", "target").groups[0].name == "any device"


def test_findings_by_owner_and_team(folder: Path) -> None:
    owners = read_owners(folder / "CODEOWNERS")
    by_owner = survey(folder / "new", "owner", owners=owners)
    assert groups(by_owner) == {
        "@acme/models": (2, Counts(1, 0, 1)),
        "@ana": (2, Counts(0, 1, 1)),
        "@acme/vision": (2, Counts(0, 1, 1)),
    }
    by_team = survey(folder / "new", "team", owners=owners)
    assert [group.name for group in by_team.groups] == ["@acme/models", "@acme/vision"]
    assert all(group.clean == 0 for group in by_team.groups)


def test_the_last_line_that_matches_says_who_owns_a_model(folder: Path) -> None:
    owners = read_owners(folder / "CODEOWNERS")
    assert owners.owners("vision/old/x.onnx") == (NONE,)
    assert owners.owners("vision/x.onnx") == ("@ana", "@acme/vision")
    assert owners.teams("audio/x.onnx") == ("@acme/audio",)
    assert owners.owners("deep/down/x.onnx") == ("@acme/models",)


def test_a_table_of_globs_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "owners.toml").write_text(TABLE, encoding="utf-8")
    owners = read_owners(tmp_path / "owners.toml")
    assert (owners.owners("vision/x.onnx"), owners.teams("vision/x.onnx")) == (
        ("@ana",),
        ("vision",),
    )
    assert owners.teams("x.onnx") == ("@acme/models",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("owners.toml", "x = 1"),
        ("owners.toml", "x = { who = 'ana' }"),
        ("owners.toml", "= broken"),
        ("owners.json", "[1]"),
        ("owners.json", "[" * 100_000),
        ("CODEOWNERS", "\x00\udcff"),
    ],
)
def test_a_broken_file_of_owners_is_an_error(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError, match=name):
        read_owners(tmp_path / name)


def test_differences_between_two_runs(folder: Path) -> None:
    found = survey(folder / "new", against=folder / "old")
    trend = found.trend
    assert trend is not None
    assert (trend.added, trend.removed, trend.changed) == (1, 1, 2)
    assert trend.new == Counts(0, 1, 1)
    assert trend.fixed == Counts(1, 0, 0)
    assert trend.new_by_rule == {"HYG002": 1, "HYG005": 1}
    assert [path for path, _ in trend.worse] == ["vision/a.onnx", "d.onnx"]
    before = {group.name: group.before for group in found.groups}
    assert before["VAL003"] == Counts(1, 0, 0)
    assert found.notes == ()


def test_runs_with_other_settings_are_compared_with_a_remark(folder: Path, tmp_path: Path) -> None:
    run(folder / "models", tmp_path / "other", select=("VAL003",))
    (note,) = survey(tmp_path / "other", against=folder / "new").notes
    assert "different settings or rules" in note


def test_a_run_and_itself_do_not_differ(folder: Path) -> None:
    trend = survey(folder / "new", against=folder / "new").trend
    assert trend is not None
    assert (trend.new.total, trend.fixed.total, trend.added, trend.changed) == (0, 0, 0, 0)


@pytest.mark.parametrize("by", ["rule", "owner", "team", "target"])
def test_the_command_line_writes_all_formats(folder: Path, tmp_path: Path, by: str) -> None:
    arguments = ("--by", by, "--against", "old", "-o", "text")
    files = [f"{name}:{tmp_path / name}" for name in ("json", "markdown", "html")]
    outputs = [word for each in files for word in ("-o", each)]
    result = run_cli("fleet", "report", "new", *arguments, *outputs, cwd=folder)
    assert result.exit_code == 0, result
    text = " ".join(result.stdout.split())
    assert "Found 1 error, 1 warning, 2 infos in 4 models" in text
    assert "New 1 warning, 1 info" in text
    assert "Changes 1 added, 1 removed, 2 changed" in text
    written = json.loads((tmp_path / "json").read_text())
    assert (written["kind"], written["by"]) == ("modellint-survey", by)
    assert written["trend"]["fixed"] == {"errors": 1, "warnings": 0, "infos": 0}
    assert "| <code>e.onnx</code> | 1 | 0 | 0 |" in (tmp_path / "markdown").read_text()
    assert "<title>new · modellint</title>" in (tmp_path / "html").read_text()
    again = run_cli("fleet", "report", "new", *arguments, *outputs, cwd=folder)
    assert again.exit_code == 0, again  # earlier reports may be replaced


def test_without_owners_there_are_no_groups_of_them(folder: Path, tmp_path: Path) -> None:
    failed(
        run_cli("fleet", "report", folder / "new", "--by", "team", cwd=tmp_path), "--owners FILE"
    )
    failed(run_cli("fleet", "report", tmp_path), "no results of 'modellint fleet'")
    failed(
        run_cli("fleet", "report", folder / "new", "--owners", "x", cwd=tmp_path), "no such file"
    )


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("run.json", "{"),
        ("run.json", "[]"),
        ("run.json", "{}"),
        ("run.json", "[" * 100_000),
        ("models/part-00001.jsonl", "{}"),
        ("models/part-00001.jsonl", "[" * 100_000),
        ("models/part-00001.jsonl", "1"),
        ("findings/part-00001.jsonl", '{"path": 7}'),
        ("findings/part-00001.jsonl", "\x00"),
    ],
)
def test_results_that_were_tampered_with_are_an_error(
    tmp_path: Path, place: str, text: str
) -> None:
    run(project(tmp_path / "models", {"a.onnx": INFO}), tmp_path / "out")
    (tmp_path / "out" / place).write_text(text, encoding="utf-8")
    failed(run_cli("fleet", "report", tmp_path / "out"), "damaged")


@pytest.mark.parametrize("columns", [MODELS, FINDINGS])
@pytest.mark.parametrize("name", ["jsonl", "parquet"])
def test_rows_survive_both_formats(tmp_path: Path, name: str, columns: Columns) -> None:
    if name == "parquet" and find_spec("pyarrow") is None:
        pytest.skip("needs pyarrow")
    form = FORMATS[name]  # type: ignore[index]
    rows = [{column: kind(at) for column, kind in columns.items()} for at in range(3)]
    rows[1] |= {column: None for column in ("nodes", "node", "target") if column in columns}
    folder, part = results_folder(tmp_path), f"part{form.suffix}"
    folder.write(part, form.encoded(rows, columns))
    assert list(form.read(folder, part, columns)) == rows
    folder.write(part, folder.read(part)[:-9])
    with pytest.raises(UsageError, match="damaged"):
        list(form.read(folder, part, columns))


def test_the_command_line_lints_a_fleet_once(tmp_path: Path) -> None:
    project(tmp_path, {"models/a.onnx": INFO, "models/b.onnx": ERROR})
    given = ("fleet", "models", "--select", "HYG005,VAL003", "--isolated", "--jobs", "1")
    first = run_cli(*given, "--results", "out", cwd=tmp_path)
    assert first.exit_code == 1, first
    assert "Found       1 error, 1 info in 2 models" in first.stdout
    failed(run_cli(*given, "--results", "out", cwd=tmp_path), "--resume")
    again = run_cli(*given, "--results", "out", "--resume", cwd=tmp_path)
    assert again.exit_code == 1, again
    assert "2 models were done before" in again.stdout
    failed(
        run_cli(*given, "--results", "x", "--engine", "dusk://a:1", cwd=tmp_path), "unknown engine"
    )
    failed(run_cli("fleet", "nowhere", "--results", "x", cwd=tmp_path), "no such file")
