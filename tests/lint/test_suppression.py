"""Findings accepted on purpose: in the configuration, in the model, and in a baseline."""

from __future__ import annotations

import datetime
import json
import os
import sys
from pathlib import Path

import pytest

from modellint.results.finding import Finding, Location, Severity
from modellint.rules.suppression import Suppression
from tests.samples import ERROR, INFO, codes, failed, lint_json, project
from tests.support import run_cli, save

SELECT = 'select = ["HYG005", "HYG002", "VAL003", "file", "SUP"]\n'
TWO = """
<ir_version: 10, opset_import: ["" : 21]>
two (float[1, 8] x) => (float[1, 8] y)
{
    [stem_drop] a = Dropout (x)
    [act] b = Relu (a)
    [head_drop] c = Dropout (b)
    [out] y = Sigmoid (c)
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path, {"two.onnx": TWO, "legacy/error.onnx": ERROR})


def configure(folder: Path, *entries: str) -> None:
    tables = "".join(f"[[suppress]]\nreason = 'known'\n{entry}\n" for entry in entries)
    project(folder, {"modellint.toml": SELECT + tables})


@pytest.mark.parametrize(
    ("entry", "left"),
    [
        ("rule = 'HYG005'", ["VAL003"]),
        ("rule = 'dropout-left-over'", ["VAL003"]),
        ("rule = 'hygiene'", ["VAL003"]),
        ("rule = 'HYG'", ["VAL003"]),
        ("rule = 'ALL'", []),
        ("rule = 'HYG005'\nnode = 'stem_*'", ["VAL003", "HYG005"]),
        ("rule = 'HYG005'\nnode = 'head_drop'", ["VAL003", "HYG005"]),
        ("rule = 'HYG005'\npath = 'two.onnx'", ["VAL003"]),
        ("rule = 'ALL'\npath = 'legacy/'", ["HYG005", "HYG005"]),
        ("rule = 'ALL'\npath = '/legacy/*.onnx'", ["HYG005", "HYG005"]),
        ("rule = 'VAL003'\nexpires = 9999-12-31", ["HYG005", "HYG005"]),
    ],
)
def test_an_entry_covers_what_it_names(folder: Path, entry: str, left: list[str]) -> None:
    configure(folder, entry)
    assert sorted(codes(".", cwd=folder), reverse=True) == left
    suppressed = codes(".", cwd=folder, suppressed=True)
    assert len(suppressed) == 3 - len(left)
    assert run_cli(".", cwd=folder).exit_code == int("VAL003" in left)


def test_the_reason_is_kept(folder: Path) -> None:
    configure(folder, "rule = 'VAL003'")
    found = lint_json(".", cwd=folder)["findings"]
    assert {each["code"]: each["suppressed"] for each in found} == {
        "VAL003": "known",
        "HYG005": None,
    }


def test_an_expired_entry_is_said_and_suppresses_nothing(folder: Path) -> None:
    configure(folder, "rule = 'VAL003'\nexpires = 2020-01-31")
    document = lint_json(".", cwd=folder)
    found = sorted(each["code"] for each in document["findings"])
    assert found == ["HYG005", "HYG005", "SUP002", "VAL003"]
    expired = document["findings"][-1]
    assert "2020-01-31" in expired["message"]
    assert expired["path"] == "modellint.toml"
    assert document["exit"] == 1


def test_the_day_of_expiry_still_counts() -> None:
    entry = Suppression("X", "r", expires=datetime.date(2026, 3, 1))
    assert not entry.expired(datetime.date(2026, 3, 1))
    assert entry.expired(datetime.date(2026, 3, 2))


@pytest.mark.parametrize(
    "entry",
    [
        "rule = 'HYG002'",
        "rule = 'HYG005'\nnode = 'tail_*'",
        "rule = 'HYG005'\npath = 'legacy/*'",
        "rule = 'NOPE001'",
    ],
)
def test_an_unused_entry_is_said(folder: Path, entry: str) -> None:
    configure(folder, entry)
    (unused,) = [each for each in lint_json(".", cwd=folder)["findings"] if each["rule"] == UNUSED]
    assert unused["severity"] == "warning"
    assert "known" in unused["message"]


UNUSED = "unused-suppression"


@pytest.mark.parametrize(
    ("entry", "arguments"),
    [
        ("rule = 'HYG002'", ["two.onnx"]),
        ("rule = 'HYG002'", ["legacy"]),
        ("rule = 'HYG002'", [".", "--select", "VAL003,SUP"]),
        ("rule = 'HYG002'", [".", "--ignore", "HYG002"]),
        ("rule = 'VAL003'\npath = 'legacy/other.onnx'", ["two.onnx"]),
        ("rule = 'HYG002'", [".", "--ignore", "SUP"]),
        ("rule = 'CMP001'", [".", "--target", "a10"]),
    ],
)
def test_a_run_that_proves_nothing_says_nothing(
    folder: Path, entry: str, arguments: list[str]
) -> None:
    configure(folder, entry)
    found = lint_json(*arguments, cwd=folder)["findings"]
    assert [each for each in found if each["rule"] == UNUSED] == []


def test_a_run_over_the_folder_of_the_entry_proves_enough(folder: Path) -> None:
    configure(folder, "rule = 'HYG002'\npath = 'legacy/*.onnx'")
    found = lint_json("legacy", cwd=folder)["findings"]
    assert UNUSED in {each["rule"] for each in found}


def test_what_is_said_of_suppressions_cannot_be_suppressed(folder: Path) -> None:
    configure(folder, "rule = 'ALL'", "rule = 'HYG002'\npath = 'nowhere/*'", "rule = 'SUP'")
    assert "SUP001" in codes(".", cwd=folder)


def test_names_with_brackets_match_as_they_are() -> None:
    finding = Finding(
        "HYG005", "x", "hygiene", Severity.INFO, "m", "p", Location(node="block[0]/drop")
    )
    assert Suppression("HYG005", "r", node="block[0]/drop").matches(finding, "p")
    assert Suppression("HYG005", "r", node="block*").matches(finding, "p")
    assert not Suppression("HYG005", "r", node="block[1]/drop").matches(finding, "p")


def test_entries_describe_themselves() -> None:
    assert Suppression("A", "r").describe() == "A"
    text = Suppression("A", "r", "legacy/*", "n").describe()
    assert text == "A on node 'n' in 'legacy/*'"


SPARED = '<metadata_props: ["modellint.ignore": "{}"], ir_version'


@pytest.mark.parametrize(
    "entry", ["HYG005", "HYG", "HYG005, VAL001", "dropout-left-over", "hygiene", "ALL"]
)
def test_a_model_asks_to_be_spared(folder: Path, entry: str) -> None:
    save(TWO.replace("<ir_version", SPARED.format(entry)), folder / "two.onnx")
    document = lint_json("two.onnx", "--select", "HYG005", cwd=folder)
    assert [each["suppressed"] for each in document["findings"]] == [
        "modellint.ignore in the model's metadata"
    ] * 2
    assert document["summary"]["info"] == 0


def test_a_broken_file_cannot_excuse_itself(folder: Path) -> None:
    text = TWO.replace("<ir_version", SPARED.format("FIL,INT,HYG005"))
    path = save(text, folder / "two.onnx")
    path.write_bytes(path.read_bytes() + b"\xff\xff")
    found = lint_json("two.onnx", "--select", "file", cwd=folder)["findings"]
    assert found
    assert all(each["suppressed"] is None for each in found)


# Baselines.


def test_a_baseline_makes_what_is_there_known(folder: Path) -> None:
    options = (".", "--select", "HYG005,VAL003", "--baseline", "known.json")
    written = run_cli(*options, "--write-baseline", cwd=folder)
    assert written.exit_code == 0
    assert "3 findings written to baseline known.json" in written.stderr
    assert run_cli(*options, cwd=folder).exit_code == 0
    assert codes(*options, cwd=folder) == []
    save(ERROR, folder / "new.onnx")
    assert codes(*options, cwd=folder) == ["VAL003"]
    assert run_cli(*options, cwd=folder).exit_code == 1


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode elsewhere")
def test_a_baseline_names_files_whose_names_are_not_utf8_and_links_that_lead_nowhere(
    tmp_path: Path,
) -> None:
    save(ERROR, Path(os.fsdecode(os.fsencode(tmp_path / "a") + b"\xff.onnx")))
    (tmp_path / "b.onnx").symlink_to("b.onnx")
    options = (".", "--isolated", "--baseline", "known.json")
    assert run_cli(*options, "--write-baseline", cwd=tmp_path).exit_code == 0
    assert run_cli(*options, cwd=tmp_path).exit_code == 0


def test_a_baseline_is_found_from_wherever_the_run_is(folder: Path) -> None:
    project(folder, {"modellint.toml": SELECT + 'baseline = "known.json"'})
    run_cli("--write-baseline", ".", cwd=folder)
    assert codes("error.onnx", cwd=folder / "legacy") == []
    assert codes(folder, cwd=folder.parent) == []


def test_a_baseline_without_a_name_has_the_usual_one(folder: Path) -> None:
    run_cli(".", "--select", "HYG005", "--write-baseline", cwd=folder)
    document = json.loads((folder / "modellint-baseline.json").read_text())
    assert document["version"] == 1
    assert [each["path"] for each in document["findings"]] == ["two.onnx"] * 2
    assert codes(".", "--select", "HYG005", cwd=folder) == []
    assert len(codes(".", "--select", "HYG005", "--isolated", cwd=folder)) == 2


def test_a_baseline_is_the_same_bytes_for_the_same_findings(folder: Path) -> None:
    options = (".", "--select", "HYG005,VAL003", "--write-baseline")
    run_cli(*options, cwd=folder)
    first = (folder / "modellint-baseline.json").read_bytes()
    run_cli(*options, "--baseline", "modellint-baseline.json", cwd=folder)
    assert (folder / "modellint-baseline.json").read_bytes() == first


def test_stale_entries_are_said_and_dropped(folder: Path) -> None:
    options = (".", "--select", "HYG005,VAL003", "--baseline", "known.json")
    run_cli(*options, "--write-baseline", cwd=folder)
    save(INFO, folder / "two.onnx")
    (folder / "legacy/error.onnx").unlink()
    said = run_cli(*options, cwd=folder).stderr
    assert "no longer found; use --write-baseline" in said
    assert "known.json lists 1 model that no longer exists: legacy/error.onnx" in said
    run_cli(*options, "--write-baseline", cwd=folder)
    assert len(json.loads((folder / "known.json").read_text())["findings"]) == 1
    assert "no longer found" not in run_cli(*options, cwd=folder).stderr


def test_unreadable_models_are_not_accepted_in_silence(folder: Path) -> None:
    (folder / "cut.onnx").write_bytes((folder / "two.onnx").read_bytes()[:-9])
    said = run_cli(".", "--write-baseline", cwd=folder).stderr
    assert "accepts errors of the files of 1 model: cut.onnx" in said


def test_a_run_over_some_files_keeps_what_is_known_of_the_others(folder: Path) -> None:
    options = ("--select", "HYG005,VAL003", "--baseline", "known.json")
    run_cli(".", *options, "--write-baseline", cwd=folder)
    run_cli("two.onnx", *options, "--write-baseline", cwd=folder)
    assert codes(".", *options, cwd=folder) == []


RENAMED = """
<ir_version: 10, opset_import: ["" : 21]>
exported_again (float[1, 8] input) => (float[1, 8] output)
{
    [node_0] t0 = Dropout (input)
    [node_1] t1 = Relu (t0)
    [node_2] t2 = Dropout (t1)
    [node_3] output = Sigmoid (t2)
}
"""


def test_a_baseline_survives_a_new_export(folder: Path) -> None:
    options = (".", "--select", "HYG005,VAL003", "--baseline", "known.json")
    run_cli(*options, "--write-baseline", cwd=folder)
    save(RENAMED, folder / "two.onnx")
    assert codes(*options, cwd=folder) == []


def test_a_baseline_does_not_cover_another_structure(folder: Path) -> None:
    options = (".", "--select", "HYG005,VAL003", "--baseline", "known.json")
    run_cli(*options, "--write-baseline", cwd=folder)
    save(RENAMED.replace("Relu", "Tanh"), folder / "two.onnx")
    assert codes(*options, cwd=folder) == ["HYG005", "HYG005"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot read baseline known.json"),
        ("[]", "known.json is not a baseline of this version"),
        ('{"version": 2, "findings": []}', "known.json is not a baseline of this version"),
        ('{"version": 1}', "known.json is damaged"),
        ('{"version": 1, "findings": [{"path": "x"}]}', "known.json is damaged"),
        ('{"version": 1, "findings": 5}', "known.json is damaged"),
    ],
)
def test_a_damaged_baseline_is_a_mistake(folder: Path, content: str, said: str) -> None:
    project(folder, {"known.json": content})
    failed(run_cli(".", "--baseline", "known.json", cwd=folder), said)


def test_a_baseline_that_cannot_be_written_is_a_mistake(folder: Path) -> None:
    options = (".", "--baseline", "missing/known.json", "--write-baseline")
    failed(run_cli(*options, cwd=folder), "cannot write baseline missing/known.json")


def test_the_command_line_names_a_baseline_from_the_working_folder(folder: Path) -> None:
    project(folder, {"modellint.toml": SELECT, "work/here.txt": ""})
    options = ("..", "--baseline", "known.json")
    run_cli(*options, "--write-baseline", cwd=folder / "work")
    assert (folder / "work" / "known.json").is_file()
    assert not (folder / "known.json").exists()
    assert run_cli(*options, cwd=folder / "work").exit_code == 0


def test_crashes_are_never_known(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modellint.checks import hygiene

    def crash(context: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(hygiene, "dead_node", crash)
    options = (".", "--select", "HYG002", "--baseline", "known.json")
    assert run_cli(*options, "--write-baseline", cwd=folder).exit_code == 3
    assert json.loads((folder / "known.json").read_text())["findings"] == []
    assert run_cli(*options, cwd=folder).exit_code == 3


COPIES = """
<ir_version: 10, opset_import: ["" : 21]>
copies (float[1, 8] x) => (float[1, 8] y)
{
    [stem_copy] a = Identity (x)
    [act] b = Relu (a)
    [head_copy] c = Identity (b)
    [out] y = Sigmoid (c)
}
"""


@pytest.mark.parametrize(("node", "left"), [("stem_*", ["HYG004"]), ("*_copy", [])])
def test_a_finding_at_several_nodes_is_covered_if_all_are(
    tmp_path: Path, node: str, left: list[str]
) -> None:
    entry = f"[[suppress]]\nrule = 'HYG004'\nreason = 'known'\nnode = '{node}'\n"
    text = f'select = ["HYG004"]\n{entry}'
    folder = project(tmp_path, {"copies.onnx": COPIES, "modellint.toml": text})
    assert codes(".", cwd=folder) == left
