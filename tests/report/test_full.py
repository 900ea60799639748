"""The report for people, read as text: what it says, and that it fits."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from modellint.base.applicability import Applicability
from modellint.report import Options, render, write
from modellint.report.full import write_statistics
from modellint.report.options import GroupBy
from modellint.results.finding import Result
from tests.report.samples import (
    CLEAN,
    HOSTILE_NAMES,
    OVERFLOW,
    POINTER,
    SAMPLE,
    SUPPRESSED,
    hostile,
)
from tests.support import EXAMPLES, run_process

ESCAPE = "\x1b["


def text_of(
    result: Result,
    width: int = 100,
    quiet: bool = False,
    verbose: bool = False,
    group_by: GroupBy = "auto",
    most: int | None = None,
) -> str:
    options = Options(quiet, verbose, "never", width, group_by=group_by, most=most)
    return render("full", result, options)


def as_written(result: Result, encoding: str, options: Options) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="")
    write("full", result, stream, options)
    return raw.getvalue().decode(encoding)


def test_a_finding_is_drawn_in_its_graph() -> None:
    text = text_of(replace(SAMPLE, findings=(OVERFLOW,)))
    start = text.index("         ╭─")
    assert text[start:].splitlines()[:6] == [
        "         ╭─ main_graph, node 214",
        "         │ Mul      /encoder/layer.0/attention/self/Mul      float32 [N, 12, S, S]",
        "         │ Add      /encoder/layer.0/attention/self/Add_2    float32 [N, 12, S, S]",
        "         │          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ adds -inf to masked positions",
        "         │ Softmax  /encoder/layer.0/attention/self/Softmax  float32 [N, 12, S, S]",
        "         ╰─ fp16-overflow-constant · tensorrt on a10 · confidence: derived",
    ]


def test_a_finding_about_the_file_has_no_frame() -> None:
    text = text_of(replace(SAMPLE, findings=(POINTER,)))
    assert "         ── git-lfs-pointer\n" in text
    assert "╭" not in text


def test_a_file_s_heading_says_what_it_is() -> None:
    text = text_of(SAMPLE)
    assert "── models/bert-base.onnx ──" in text
    assert "   onnx · 843 nodes · 109 M parameters · 418 MiB of weights\n" in text


def test_files_without_findings_have_no_section() -> None:
    assert "mobilenet" not in text_of(SAMPLE)


def test_repeats_are_said_once() -> None:
    text = text_of(SAMPLE)
    assert text.count("FUS002  BatchNormalization") == 1
    assert "also  at 35 more places: layer*.*.bn*" in text


def test_an_explanation_is_given_once_for_all_models() -> None:
    again = replace(OVERFLOW, path="models/mobilenet.onnx")
    result = replace(SAMPLE, findings=(OVERFLOW, again))
    assert text_of(result).count("divide zero by zero") == 1
    assert text_of(result, verbose=True).count("divide zero by zero") == 2


def many_models(count: int) -> Result:
    findings = tuple(replace(OVERFLOW, path=f"models/{at:02}.onnx") for at in range(count))
    return replace(CLEAN, models=(), findings=findings)


def test_in_a_large_folder_each_rule_has_a_section() -> None:
    text = text_of(many_models(50))
    assert text.count("NUM002  " + OVERFLOW.message[:30]) == 1
    assert "     in  models/00.onnx\n         models/01.onnx\n" in text
    assert "         and 46 more models\n" in text
    assert text_of(many_models(50), group_by="model").count("── models/") == 50
    assert text_of(many_models(2), group_by="rule").count("── NUM002  ") == 1
    assert "more model" not in text_of(many_models(50), verbose=True)


def test_models_of_which_a_rule_says_something_else_are_not_listed_under_the_first() -> None:
    said = ["Conv 'a' with dilations"] * 2 + ["Conv 'b' and 3 more with dilations", "Pool 'c'"]
    findings = tuple(
        replace(OVERFLOW, path=f"models/{at}.onnx", message=message)
        for at, message in enumerate([*said, "Pool 'd'", "Gemm 'e'", "Gru 'f'"])
    )
    result = replace(CLEAN, models=(), findings=findings)
    text = text_of(result, group_by="rule")
    assert "     in  models/0.onnx\n         models/1.onnx\n         models/2.onnx\n" in text
    assert "Pool 'c'\n     in  models/3.onnx\n         models/4.onnx\n\n" in text
    assert "   and 1 other message in 1 model\n" in text
    assert text.count(OVERFLOW.why[:20]) == 1
    assert "other message" not in text_of(result, verbose=True, group_by="rule")


def test_what_each_option_may_fix_is_one_phrase() -> None:
    fixable: tuple[Applicability | None, ...] = ("safe", "exact", "choice", "safe", None)
    findings = tuple(replace(OVERFLOW, fixable=each) for each in fixable)
    told = "`--fix` may fix 2 of them, `--fix --unsafe-fixes` 1 more, `--fix --choose` 1 more; "
    assert told in text_of(replace(CLEAN, findings=findings), width=200)


def test_no_more_findings_than_wanted_and_the_others_counted() -> None:
    text = text_of(many_models(9), most=2)
    assert text.count("── models/") == 2
    assert "   and 7 more findings\n" in text
    assert "9 models" in text or "\n7 more" not in text


def test_devices_of_which_the_same_is_found_share_a_finding() -> None:
    findings = tuple(replace(OVERFLOW, target=f"device-{at}") for at in range(60))
    text = text_of(replace(CLEAN, findings=findings))
    assert text.count("NUM002  ") == 1
    assert "on device-0, device-1, device-2 and 57 more" in text


def test_a_long_path_is_wrapped_after_a_separator_and_never_cut() -> None:
    path = "/".join(["a folder"] * 20) + "/" + "x" * 200 + ".onnx"
    text = text_of(replace(CLEAN, findings=(replace(OVERFLOW, path=path),)))
    lines = text.splitlines()
    head = [line.strip("─ ") for line in lines[: lines.index("", 1)]]
    assert head[0].endswith("/")
    assert path.replace(" ", "") in "".join(head).replace(" ", "")


def test_a_fix_is_printed_once_for_neighbors() -> None:
    other = replace(OVERFLOW, code="NUM999", message="another message")
    text = text_of(replace(CLEAN, findings=(OVERFLOW, other)))
    assert text.count("fix  ") == 2
    assert text.count("fix  as above") == 1


def test_the_worst_comes_first() -> None:
    text = text_of(replace(SAMPLE, findings=SAMPLE.findings[::-1]))
    assert text.index("FUS002") < text.index("DYN001")
    table = text[text.index("\nmodel ") :]
    assert table.index("not fetched") < table.index("resnet50")


def test_the_summary_counts() -> None:
    assert text_of(SAMPLE).splitlines()[-11:] == [
        "model                     error   warning   info   suppressed",
        "─────────────────────────────────────────────────────────────",
        "models/bert-base.onnx         1         ·      ·            ·",
        "models/not fetched.onnx       1         ·      ·            ·",
        "models/resnet50.onnx          ·        36      1            1",
        "1 without findings",
        "─────────────────────────────────────────────────────────────",
        "4 models in 0.34 s            2        36      1            1",
        "For a10 (tensorrt, fp16). Assumed: precision (--precision).",
        "",
        "`modellint rule NUM002` explains a rule; `--write-baseline` accepts all current findings.",
    ]


def test_one_model_needs_no_line_of_its_own_in_the_summary() -> None:
    table = text_of(replace(CLEAN, findings=(OVERFLOW,))).split("\nmodel ")[1]
    assert "bert-base" not in table
    assert "1 model in 0.08 s" in table


def test_the_summary_of_many_models_is_short() -> None:
    findings = tuple(replace(OVERFLOW, path=f"models/{at:02}.onnx") for at in range(50))
    text = text_of(replace(CLEAN, models=(), findings=findings))
    assert "\n30 more with findings\n" in text


def test_a_clean_run_is_one_line() -> None:
    assert text_of(CLEAN) == "No findings.  1 model in 0.08 s\n"
    assert text_of(SUPPRESSED) == "No findings (1 suppressed).  1 model in 0.08 s\n"


def test_suppressed_findings_are_shown_on_demand() -> None:
    text = render("full", SUPPRESSED, Options(color="never", width=200, suppressed=True))
    assert f" hidden  NUM002  {OVERFLOW.message[:40]}" in text
    assert "(known)" in text
    assert "hidden" not in text_of(SUPPRESSED)


def test_quiet_leaves_the_findings_only() -> None:
    text = text_of(SAMPLE, quiet=True)
    assert "why" not in text
    assert "\nmodel " not in text
    assert "(and 35 more)" in " ".join(text.split())
    assert text_of(CLEAN, quiet=True) == ""


def test_verbose_names_every_place_and_the_evidence() -> None:
    text = " ".join(text_of(SAMPLE, verbose=True).split())
    assert "layer4.2.bn3" in text
    assert "elements = 16384" in text


def test_a_finding_at_several_nodes_names_them_and_stands_alone() -> None:
    evidence = {"nodes": ["block.0/act", "block.1/act", "block.2/act"]}
    folded = replace(OVERFLOW, count=3, evidence=evidence)
    other = replace(folded, message="Another operator.")
    text = text_of(replace(SAMPLE, findings=(folded, other)))
    assert text.count("also  at 2 more places: block.*/act\n") == 2


def test_places_without_names_are_counted() -> None:
    assert "also  at 1 more place\n" in text_of(replace(SAMPLE, findings=(POINTER, POINTER)))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_it_fits_the_terminal(width: int) -> None:
    for line in text_of(SAMPLE, width).splitlines():
        assert cell_len(line) <= width, line


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "n" * 10_000, "two words " * 2000, "名" * 5000])
def test_names_are_harmless_and_short(name: str, width: int) -> None:
    text = text_of(hostile(name), width)
    assert all(line.isprintable() for line in text.split("\n"))
    assert len(text) < 12_000
    for line in text.splitlines():
        assert cell_len(line) <= width, line


def test_markup_in_a_name_is_shown_not_obeyed() -> None:
    assert "[red]danger[/red]" in text_of(hostile("[red]danger[/red]"))


def test_colour_only_when_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ESCAPE not in as_written(SAMPLE, "utf-8", Options(color="never"))
    assert ESCAPE not in as_written(SAMPLE, "utf-8", Options(color="auto"))
    assert ESCAPE in as_written(SAMPLE, "utf-8", Options(color="always"))
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert ESCAPE in as_written(SAMPLE, "utf-8", Options(color="auto"))
    assert ESCAPE not in as_written(SAMPLE, "utf-8", Options(color="never"))


def test_without_links_no_colour_differs_in_words() -> None:
    coloured = as_written(SAMPLE, "utf-8", Options(color="always", width=80))
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == text_of(SAMPLE, 80)


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "latin-1"])
def test_what_the_terminal_cannot_encode_is_spelt(encoding: str) -> None:
    shaped = replace(OVERFLOW, message="Holds 3×4 … of '名'.")
    text = as_written(replace(SAMPLE, findings=(shaped,)), encoding, Options(width=80))
    assert r"Holds 3x4 ... of '\u540d'." in text
    assert ",- main_graph, node 214" in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_the_program_writes_what_its_terminal_can_show() -> None:
    done = run_process(
        EXAMPLES,
        "--target",
        "a10",
        "--no-cache",
        env={"PYTHONIOENCODING": "ascii", "COLUMNS": "80"},
    )
    assert done.exit_code == 1, done
    assert done.stdout.isascii()
    assert "`- batch-baked-into-reshape" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_no_color_is_heeded() -> None:
    env = {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": "80"}
    done = run_process(EXAMPLES, "--no-cache", env=env)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", done.stdout)


def test_statistics_name_what_found_something_and_the_slowest() -> None:
    timings = {f"RUL{at:03}": at / 1000 for at in range(40)} | {"FUS002": 0.0104}
    stream = io.StringIO()
    write_statistics(replace(SAMPLE, timings=timings), stream, Options(color="never", width=80))
    lines = stream.getvalue().splitlines()
    assert lines[2].split() == ["FUS002", "batchnorm-after-conv", "36", "·", "10.4", "ms"]
    assert [line.split()[-1] for line in lines if "NUM002" in line] == ["cached"]
    assert "30 faster ones without findings" in lines[-1]
