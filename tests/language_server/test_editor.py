"""The language server: words, meanings, and the same messages as on the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from modellint.config.settings import KEYS
from modellint.rules.template import TEMPLATE
from tests.language_server.client import Editor
from tests.samples import GOOD, INFO, project
from tests.support import run_cli

pytestmark = pytest.mark.xdist_group("editor")  # they share a server
CONFIG, RULE = "modellint.toml", "TEAM001-relu-after-relu.toml"
TARGET = "devices/half-a10.toml"
HALF = """extends = "a10"
name = "Half an A10"

[usable]
size = "11 GiB"
source = "https://wiki.example.com/gpu-quota"
confidence = "measured"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("workspace"), {"good.onnx": GOOD})


@pytest.fixture(scope="module")
def editor(folder: Path) -> Iterator[Editor]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("modellint.lsp.server.TYPING", 0.0)
        editor = Editor(folder)
        editor.open(CONFIG, "")
        editor.open(RULE, "")
        yield editor
        editor.finish()


MISTAKES = [
    "batch = 0",
    "batch = '4'\n\nselekt = []\njobs = 'x'\n",
    "select = [\n  'HYG',\n  5,\n]",
    "select = ['HYG0O1']",
    "severity = { HYG = 'warn' }",
    "[severity]\nHYG = 'error'\nFUS = 2",
    "[budgets]\nmax-parms = '5M'",
    "[budgets]\nmax-params = 'many'",
    "per-file-budgets = { '*' = { max-mac = 1 } }",
    "per-file-budgets = { 'good.onnx' = { max-params = 'x' } }",
    "per-file-shapes = { 'good.onnx' = { x = '1xN' } }",
    "[[suppress]]\nrule = 'HYG001'",
    "[[suppress]]\nrule='A'\nreason='b'\n[[suppress]]\nreason='c'",
    "shapes = { x = { min = '1x3' } }",
    "[symbols]\nN = 0",
    "runtime = 'tensorr'",
    "targets = ['a1O']",
    "rules = ['missing']",
    "target-dirs = ['../out']",
    "cache-dir = '.git'",
    "[rule-options.HYG001]\nheavy-byte = 1",
    "output = ['jsn']",
    "baseline = 'missing.json'",
    "probe = 'tensort'",
    "probe = 'qnn'\nprobes = { qnn = { python = 'evil' } }",
    "[tool.modellint]\nbatch = 1",
    "select = [",
    "a = 1\na = 2",
    "\nx = = 5",
]


def test_messages_are_those_of_the_command_line(editor: Editor, folder: Path) -> None:
    for text in MISTAKES:
        editor.change(CONFIG, text)
        found = editor.diagnostics(CONFIG)
        (folder / CONFIG).write_text(text, encoding="utf-8")
        said = run_cli("good.onnx", cwd=folder).stderr.removeprefix("error: ").splitlines()
        shown = sorted((each["range"]["start"]["line"] + 1, each["message"]) for each in found)
        if all(re.match(rf"{CONFIG}:\d", line) for line in said):
            assert [f"{CONFIG}:{line}: {message}" for line, message in shown] == said, text
        else:  # of the file as a whole, or of a file that it names
            assert [message for _, message in shown] == [
                line.removeprefix(f"{CONFIG}: ") for line in said
            ], text
    (folder / CONFIG).unlink()


def test_a_configuration_without_mistakes(editor: Editor, folder: Path) -> None:
    editor.change(CONFIG, "ignore = ['HYG999']")
    (doubt,) = editor.diagnostics(CONFIG)
    assert doubt["severity"] == 2
    assert doubt["message"].startswith("ignore: no rule, prefix or family is called 'HYG999'")
    editor.change(CONFIG, "ignore = ['HYG']\ntargets = ['a10']\n")
    assert editor.diagnostics(CONFIG) == []


def test_syntax_is_shown_where_it_breaks(editor: Editor) -> None:
    editor.change(CONFIG, "\nbatch = = 5\n")
    (found,) = editor.diagnostics(CONFIG)
    assert found["range"]["start"] == {"line": 1, "character": 8}


def test_opening_a_folder_runs_nothing(editor: Editor, folder: Path) -> None:
    """An interpreter that a repository names is refused, and a baseline outside not read."""
    for text, said in (
        ("baseline = '/etc/hostname'", "is absolute"),
        ("probe = 'qnn'\nprobes = { qnn = { python = './evil' } }", "is not run"),
    ):
        editor.change(CONFIG, text)
        (found,) = editor.diagnostics(CONFIG)
        assert said in found["message"]


RULE_MISTAKES = [
    TEMPLATE.replace("severity =", "severty ="),
    TEMPLATE.replace('"warning"', '"warn"'),
    TEMPLATE.replace("z = Relu(y)", "z = Relu(y", 1),
    TEMPLATE.replace("where  = []", 'where = ["sole_consumer(y)", "sole(y)"]'),
    TEMPLATE.replace('report = "z"', 'report = "zz"'),
    TEMPLATE.replace('"name(y)"', '"name(q)"'),
    TEMPLATE.replace("{first}", "{first.x}"),
    TEMPLATE.replace("reads   = ", 'check = "os:system"\nreads = '),
    TEMPLATE.replace("[match]", 'dialect = "onx"\n[match]'),
    TEMPLATE.replace("[match]", "[[match]]\nvariant = 'other'"),
    TEMPLATE.replace("[match]", "[match"),
    "",
]


def test_messages_about_rules_are_those_of_the_command_line(editor: Editor, folder: Path) -> None:
    for text in RULE_MISTAKES:
        editor.change(RULE, text)
        found = editor.diagnostics(RULE)
        (folder / RULE).write_text(text, encoding="utf-8")
        said = run_cli("rules", "test", RULE, cwd=folder).stdout
        messages = "; ".join(each["message"] for each in found)
        assert said.startswith(f"failed {folder / RULE}: {messages}\n"), text[:200]
    editor.change(RULE, TEMPLATE)
    assert editor.diagnostics(RULE) == []
    (folder / RULE).unlink()


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("z = Relu(y)", "z = Relu(y", "y"),
        ("where  = []", 'where = ["sole_consumer(y)", "sole(y)"]', "sole(y)"),
        ('facts  = { first = "name(y)" }', 'facts = { first = "name(q)" }', "q)"),
        ("severity =", "severty =", "severty"),
        ("{first}", "{first.x}", "message"),
    ],
)
def test_where_a_mistake_in_a_rule_is_shown(editor: Editor, old: str, new: str, shown: str) -> None:
    text = TEMPLATE.replace(old, new, 1)
    editor.change(RULE, text)
    lines = text.splitlines()
    parts = {
        lines[each["range"]["start"]["line"]][
            each["range"]["start"]["character"] : each["range"]["end"]["character"]
        ]
        for each in editor.diagnostics(RULE)
    }
    assert shown in parts


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("sel|", ["select", "extend-select"]),
        ("select = ['FUS|'", ["FUS002", "FUS", "fusion", "batchnorm-after-conv", "ALL"]),
        ("severity = { |", ["FUS002", "fusion"]),
        ("[severity]\nFUS = '|", ["error", "off"]),
        ("targets = ['|", ["a10", "jetson", "nvidia", "host"]),
        ("runtime = |", ["tensorrt", "onnxruntime"]),
        ("runtime = 'tensorrt'\nruntime-version = '|'", ["10.15"]),
        ("precision = '|'", ["fp16", "int8"]),
        ("dla = |", ["true", "false"]),
        ("fail-on = '|", ["error", "never"]),
        ("output = ['|", ["sarif", "full"]),
        ("[rule-options.HYG001]\n|", ["heavy-bytes"]),
        ("[[suppress]]\nrule = '|", ["FUS002"]),
        ("[[suppress]]\n|", ["rule", "reason", "expires"]),
        ("[budgets]\n|", ["max-params"]),
        ("[per-file-budgets.'*.onnx']\n|", ["max-params"]),
        ("[bud|", ["budgets", "severity"]),
        ("probes = { |", ["qnn"]),
    ],
)
def test_completions(editor: Editor, text: str, labels: list[str]) -> None:
    assert editor.completions(CONFIG, text).keys() >= set(labels)


@pytest.mark.parametrize("text", ["# sel|", "select = []|", "batch = 1 # |", "nothing = '|'"])
def test_no_completions(editor: Editor, text: str) -> None:
    assert editor.completions(CONFIG, text) == {}


@pytest.mark.parametrize(
    ("text", "label", "written"),
    [
        ("sel|", "select", "select = "),
        ("sel| = []", "select", "select"),
        ("select = [FUS|]", "FUS002", '"FUS002"'),
        ("select = ['FUS|']", "FUS002", "'FUS002'"),
        ('targets = ["a1|', "a10", '"a10"'),
        ("cache = |", "false", "false"),
    ],
)
def test_what_a_completion_writes(editor: Editor, text: str, label: str, written: str) -> None:
    item = editor.completions(CONFIG, text)[label]
    edit, line = item["textEdit"], text.replace("|", "")
    start, end = edit["range"]["start"]["character"], edit["range"]["end"]["character"]
    after = line[:start] + edit["newText"] + line[end:]
    assert edit["newText"] == written
    assert after.count("'") % 2 == after.count('"') % 2 == 0
    if label == "FUS002":
        assert editor.call("completionItem/resolve", item)["documentation"]["value"].startswith(
            "**FUS002**"
        )


def test_keys_that_are_there_are_not_offered(editor: Editor) -> None:
    assert set(KEYS) - editor.completions(CONFIG, "batch = 4\ndla = true\n|").keys() == {
        "batch",
        "dla",
    }


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("sum|", ["summary", "match", "fused_by"]),
        ("severity = '|", ["error", "info"]),
        ("reads = ['|", ["graph", "weights"]),
        ("dialect = '|", ["onnx"]),
        ("runtimes = ['|", ["tensorrt"]),
        ("[match]\n|", ["pattern", "where", "facts"]),
        ("[[match]]\n|", ["pattern"]),
        ("[match]\npattern = '''\ny = Re|\n'''", ["Relu", "com.microsoft.Gelu"]),
        ("[match]\npattern = '''\ny = Relu(x)\n'''\nwhere = ['so|']", ["sole_consumer", "x", "y"]),
        ("[match]\npattern = 'y = Relu(x)'\nreport = '|'", ["x", "y"]),
        ("[[examples.invalid]]\n|", ["model", "at", "runtime"]),
        ("[options.limit]\n|", ["default", "help"]),
        ("[fused_by]\n|", ["onnxruntime"]),
        ("[fused_by.onnxruntime]\n|", ["by", "since"]),
    ],
)
def test_completions_in_rules(editor: Editor, text: str, labels: list[str]) -> None:
    assert editor.completions(RULE, f'message = ""\n{text}').keys() >= set(labels)


def hover(editor: Editor, name: str, text: str) -> str | None:
    before, _, after = text.partition("|")
    editor.change(name, before + after)
    lines = before.split("\n")
    place = editor.at(name, len(lines) - 1, len(lines[-1]))
    found = editor.call("textDocument/hover", place)
    return found["contents"]["value"] if found is not None else None


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        (CONFIG, "sel|ect = []", "Rules to run, by code"),
        (CONFIG, "select = ['FUS|002']", "**Fix.**"),
        (CONFIG, "ignore = ['fus|ion']", "- **FUS002**"),
        (CONFIG, "[severity]\nFUS0|02 = 'off'", "batchnorm-after-conv"),
        (CONFIG, "targets = ['a1|0']", "24 GiB"),
        (CONFIG, "targets = ['jets|on']", "jetson-orin-nano-8gb"),
        (CONFIG, "runtime = 'tensor|rt==10.15'", "TensorRT"),
        (CONFIG, "[rule-options.HYG001]\nheavy-b|ytes = 1", "heavy-bytes"),
        (RULE, "summary = ''\n[match]\nwit|ness = 'y'", "disappears once fused"),
        (RULE, "message = ''\n[match]\npattern = '''\ny = Con|v(x)\n'''", "convolution"),
        (RULE, "message = ''\n[match]\nwhere = ['sole_con|sumer(y)']", "sole_consumer"),
        (RULE, "message = ''\nruntimes = ['tensor|rt']", "TensorRT"),
    ],
)
def test_meanings(editor: Editor, name: str, text: str, part: str) -> None:
    assert part in (hover(editor, name, text) or "")


def test_what_means_nothing(editor: Editor) -> None:
    for text in ("# |", "x|yz = 1", "batch = |4", "select = ['XYZ|123']", "|"):
        assert not hover(editor, CONFIG, text)


@pytest.fixture
def devices(editor: Editor, folder: Path) -> Iterator[Path]:
    """A folder of targets that the configuration on the disk names."""
    project(folder, {CONFIG: "target-dirs = ['devices']\n", TARGET: HALF})
    editor.open(TARGET, "")
    yield folder / TARGET
    (folder / CONFIG).unlink()
    (folder / TARGET).unlink()


TARGET_MISTAKES = [
    (HALF.replace("size", "sise"), "sise"),
    (HALF.replace('"11 GiB"', "11"), "size"),
    (HALF.replace('"measured"', '"guessed"'), "confidence"),
    (HALF.replace('"a10"', '"a1O"'), "extends"),
    (HALF.replace('"a10"', "[]"), "extends"),
    (HALF.replace('"11 GiB"', '"110 GiB"'), ""),
    (HALF.replace("[usable]", "[usable"), "[usable"),
]


def test_messages_about_targets_are_those_of_the_command_line(
    editor: Editor, folder: Path, devices: Path
) -> None:
    for text, shown in TARGET_MISTAKES:
        editor.change(TARGET, text)
        found = editor.diagnostics(TARGET)
        devices.write_text(text, encoding="utf-8")
        said = run_cli("targets", "half-a10", cwd=folder).stderr
        assert "; ".join(each["message"] for each in found) in said, said
        place = found[0]["range"]
        line = text.splitlines()[place["start"]["line"]]
        assert line[place["start"]["character"] : place["end"]["character"]] == shown
    editor.change(TARGET, HALF)
    assert editor.diagnostics(TARGET) == []


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("ext|", ["extends", "name", "memory", "runtime"]),
        ("extends = '|", ["a10", "jetson-nano"]),
        ("runtime = '|", ["tensorrt"]),
        ("groups = ['|", ["nvidia-datacenter"]),
        ("[|", ["memory", "overhead.tensorrt", "price"]),
        ("[usable]\n|", ["size", "source", "confidence"]),
        ("[usable]\nconfidence = '|", ["measured", "theoretical"]),
        ("[precisions]\nmatrix = ['|", ["fp16", "int4"]),
        ("[memory]\nunified = |", ["true"]),
        ("[overhead]\n|", ["tensorrt"]),
        ("[overhead.tensorrt]\n|", ["low", "high"]),
    ],
)
def test_completions_in_targets(
    editor: Editor, devices: Path, text: str, labels: list[str]
) -> None:
    assert editor.completions(TARGET, text).keys() >= set(labels)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("ext|ends = 'a10'", "what the file leaves out"),
        ("extends = 'a1|0'", "24 GiB"),
        ("[usable]\nsi|ze = '1 GiB'", "text with a unit"),
        ("[peak]\nconfi|dence = 'measured'", "measured | calibrated"),
        ("[overhead.tensorrt]\nlo|w = '1 GiB'", "first weight"),
        ("runtime = 'tensor|rt'", "TensorRT"),
    ],
)
def test_meanings_in_targets(editor: Editor, devices: Path, text: str, part: str) -> None:
    assert part in (hover(editor, TARGET, text) or "")


def test_definitions(editor: Editor) -> None:
    editor.change(CONFIG, "select = ['FUS002']\nseverity = { HYG001 = 'off' }\n")
    for line, column, file in (
        (0, 13, "FUS002-batchnorm-after-conv.toml"),
        (1, 15, "HYG001-"),
    ):
        found = editor.call("textDocument/definition", editor.at(CONFIG, line, column))
        assert file in found["uri"]
    assert editor.call("textDocument/definition", editor.at(CONFIG, 0, 2)) is None


def test_a_pyproject(editor: Editor) -> None:
    name = "pyproject.toml"
    editor.open(name, "")
    assert editor.completions(name, "[project]\n|") == {}
    assert "select" in editor.completions(name, "[tool.modellint]\n|")
    assert "FUS002" in editor.completions(name, "[tool.modellint.severity]\n|")
    editor.change(name, "[project]\nselect = 1\n\n[tool.modellint]\nselekt = 1\n")
    assert [each["range"]["start"]["line"] for each in editor.diagnostics(name)] == [4]


def test_other_files_are_left_alone(editor: Editor) -> None:
    for name in ("other.toml", "notes.txt", "Cargo.toml"):
        editor.open(name, "selekt = 5")
        assert editor.call("textDocument/completion", editor.at(name, 0, 3)) is None
    assert not any("selekt" in str(each) for each in editor.kept)


def test_models(tmp_path: Path) -> None:
    """One process lints: opened, saved, and when the configuration changes."""
    config = "[severity]\nHYG005 = 'warning'\n"
    files = {"modellint.toml": "", "info.onnx": INFO, "sub/other.onnx": GOOD, "empty.onnx": GOOD}
    folder = project(tmp_path, files)
    (folder / "text.onnxtxt").write_text(INFO, encoding="utf-8")
    watching = {"didChangeWatchedFiles": {"dynamicRegistration": True}}
    editor = Editor(folder, workspace=watching)
    asked = editor.wait(lambda each: each.get("method") == "client/registerCapability")
    watchers = asked["params"]["registrations"][0]["registerOptions"]["watchers"]
    assert {"globPattern": "**/*.onnx"} in watchers

    editor.open("info.onnx", "\ufffd bytes", "onnx")
    (found,) = (each for each in editor.diagnostics("info.onnx") if each["code"] == "HYG005")
    assert found["severity"] == 3
    assert "'drop'" in found["message"]
    assert found["codeDescription"]["href"].endswith("HYG005.md")
    assert found["range"]["start"] == {"line": 0, "character": 0}

    editor.open("text.onnxtxt", INFO, "onnx")
    (found,) = (each for each in editor.diagnostics("text.onnxtxt") if each["code"] == "HYG005")
    line = INFO.splitlines()[found["range"]["start"]["line"]]
    assert line == "    [drop] a = Dropout (x)"

    (folder / "modellint.toml").write_text(config, encoding="utf-8")
    saved = {"textDocument": {"uri": editor.uri("modellint.toml")}}
    editor.notify("textDocument/didSave", saved)
    assert {each["severity"] for each in editor.diagnostics("info.onnx")} == {2}

    (folder / "modellint.toml").write_text("selekt = 1\n", encoding="utf-8")
    editor.notify("textDocument/didSave", saved)
    (found,) = editor.diagnostics("info.onnx")
    assert "modellint.toml:1: selekt: unknown key" in found["message"]
    (folder / "modellint.toml").write_text("probe = 'auto'\nverify = 'ort'\n", encoding="utf-8")
    changes = [{"uri": editor.uri(name), "type": 2} for name in ("modellint.toml", "empty.onnx")]
    (folder / "empty.onnx").write_bytes(b"no model")
    editor.notify("workspace/didChangeWatchedFiles", {"changes": changes})
    assert {each["severity"] for each in editor.diagnostics("empty.onnx")} == {1}

    (folder / "modellint.toml").write_text("exclude = ['empty.onnx']\n", encoding="utf-8")
    editor.notify("workspace/didChangeWatchedFiles", {"changes": changes})
    assert editor.diagnostics("empty.onnx") == []
    editor.notify(
        "workspace/didChangeWatchedFiles",
        {"changes": [{"uri": editor.uri("empty.onnx"), "type": 3}]},
    )
    assert editor.diagnostics("empty.onnx") == []
    arguments = {"command": "modellint.inspect", "arguments": [editor.uri("sub/other.onnx")]}
    page = editor.call("workspace/executeCommand", arguments)
    assert "Content-Security-Policy" in page
    assert "other.onnx" in page

    failing = TEMPLATE.replace('at = ["z"]', 'at = ["other"]')
    editor.open(RULE, failing)
    assert editor.diagnostics(RULE) == []
    (folder / RULE).write_text(failing, encoding="utf-8")
    editor.notify("textDocument/didSave", {"textDocument": {"uri": editor.uri(RULE)}})
    (found,) = next(each for each in iter(lambda: editor.diagnostics(RULE), None) if each)
    assert failing.splitlines()[found["range"]["start"]["line"]] == "[[examples.invalid]]"
    assert found["message"].startswith("examples.invalid[0]: expected findings at other:")

    request = editor.begin("workspace/executeCommand", arguments)
    editor.notify("$/cancelRequest", {"id": request})
    assert editor.answer(request).get("error", {"code": -32800})["code"] == -32800
    assert editor.call("shutdown") is None
    editor.notify("exit")
    assert editor.finish() == 0
