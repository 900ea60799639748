"""Every key of the configuration does what it says, through the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modellint.config.load import CommandLine, Configs
from modellint.config.settings import KEYS
from modellint.fixing.rounds import Wanted
from modellint.lint.fixing import wanted_by
from tests.remote.servers import serving
from tests.samples import ERROR, GOOD, INFO, RULES, WARNING, codes, lint_json, project
from tests.support import run_cli, save

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
OWN_TARGET = """
name = "My board"
vendor = "acme"
runtime = "onnxruntime"
[memory]
nominal = "4 GiB"
source = "https://acme.example/board"
confidence = "theoretical"
"""
HALF = """
<ir_version: 10, opset_import: ["" : 21]>
half (float[N, 8] x) => (float[N, 8] y) <float big = {-1e9}> { y = Add (x, big) }
"""
DECODER = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[batch,1,8] x, float16[batch,8,past,64] past_key, float16[batch,8,past,64] past_value,
      float16[batch,8,1,64] k, float16[batch,8,1,64] v) =>
     (float[batch,1,8] y, float16[batch,8,total,64] present_key,
      float16[batch,8,total,64] present_value)
{
    present_key = Concat <axis = 2> (past_key, k)
    present_value = Concat <axis = 2> (past_value, v)
    y = Relu (x)
}
"""
OLD = GOOD.replace("21", "6")
NEW = GOOD.replace("21", "99")

MODELS = {
    "good.onnx": GOOD,
    "info.onnx": INFO,
    "warning.onnx": WARNING,
    "error.onnx": ERROR,
    "sub/error.onnx": ERROR,
}


class Project:
    """A folder with models and a configuration that is about to be written."""

    def __init__(self, folder: Path) -> None:
        self.folder = project(folder, MODELS)

    def configure(self, text: str) -> None:
        (self.folder / "modellint.toml").write_text(text, encoding="utf-8")

    def codes(self, *args: str) -> list[str]:
        return codes(*(args or (".",)), cwd=self.folder)

    def shown(self, *args: str) -> str:
        return run_cli("check", ".", "--show-settings", *args, cwd=self.folder).stdout

    def exit_code(self, *args: str) -> int:
        return run_cli(*(args or (".",)), cwd=self.folder).exit_code


@pytest.fixture
def mine(tmp_path: Path) -> Project:
    return Project(tmp_path)


CHECKS: dict[str, Callable[[Project], None]] = {}


def key(name: str) -> Callable[[Callable[[Project], None]], Callable[[Project], None]]:
    def register(check: Callable[[Project], None]) -> Callable[[Project], None]:
        CHECKS[name] = check
        return check

    return register


@pytest.mark.parametrize("name", KEYS)
def test_key(name: str, mine: Project) -> None:
    CHECKS[name](mine)


@key("select")
def _(mine: Project) -> None:
    mine.configure('select = ["HYG005", "HYG002"]')
    assert mine.codes() == ["HYG005", "HYG002"]


@key("extend-select")
def _(mine: Project) -> None:
    mine.configure('select = ["HYG005"]\nextend-select = ["HYG002"]')
    assert mine.codes() == ["HYG005", "HYG002"]
    assert sorted(mine.codes(".", "--select", "VAL003")) == ["HYG002", "VAL003", "VAL003"]


@key("ignore")
def _(mine: Project) -> None:
    mine.configure('select = ["ALL"]\nignore = ["VAL003"]')
    assert "HYG005" in mine.codes()
    assert "VAL003" not in mine.codes()
    assert not {"VAL003", "HYG005"} & set(mine.codes(".", "--ignore", "HYG005"))


@key("per-file-ignores")
def _(mine: Project) -> None:
    mine.configure('select = ["VAL003"]\nper-file-ignores = { "sub/*.onnx" = ["validity"] }')
    assert [each["path"] for each in lint_json(".", cwd=mine.folder)["findings"]] == ["error.onnx"]
    outside = lint_json(mine.folder, cwd=mine.folder.parent)["findings"]
    assert len(outside) == 1  # globs start from the configuration, wherever the run does


@key("severity")
def _(mine: Project) -> None:
    mine.configure('select = ["HYG005", "HYG002"]\nseverity = { HYG005 = "error", HYG002 = "off" }')
    (found,) = lint_json(".", cwd=mine.folder)["findings"]
    assert (found["code"], found["severity"]) == ("HYG005", "error")


@key("rule-options")
def _(mine: Project) -> None:
    unused = GOOD.replace("{ [act]", "<float[8] w = {1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0}> { [act]")
    project(mine.folder, {"unused.onnx": unused})
    light = lint_json("unused.onnx", "--select", "HYG001", cwd=mine.folder)["findings"]
    mine.configure("rule-options = { HYG001 = { heavy-bytes = 8 } }")
    heavy = lint_json("unused.onnx", "--select", "HYG001", cwd=mine.folder)["findings"]
    assert [light[0]["severity"], heavy[0]["severity"]] == ["info", "warning"]
    mine.configure("rule-options.unused-initializer.heavy-bytes = 8")
    named = lint_json("unused.onnx", "--select", "HYG001", cwd=mine.folder)["findings"]
    assert named[0]["severity"] == "warning"


@key("rules")
def _(mine: Project) -> None:
    project(mine.folder, {"lint/own/OWN001-a-relu.toml": OWN_RULE})
    mine.configure('rules = ["lint"]\nselect = ["OWN"]')
    assert set(mine.codes()) == {"OWN001"}
    assert set(codes(mine.folder, cwd=mine.folder.parent)) == {"OWN001"}


@key("targets")
def _(mine: Project) -> None:
    project(mine.folder, {"new.onnx": NEW})
    mine.configure('targets = ["a10"]\nselect = ["CMP001"]')
    assert mine.codes("new.onnx") == ["CMP001"]


@key("target-dirs")
def _(mine: Project) -> None:
    project(mine.folder, {"boards/my-board.toml": OWN_TARGET})
    mine.configure('target-dirs = ["boards"]\ntargets = ["my-board"]\nselect = ["HYG005"]')
    assert mine.codes() == ["HYG005"]


@key("runtime")
def _(mine: Project) -> None:
    project(mine.folder, {"new.onnx": NEW})
    mine.configure('runtime = "tensorrt"\nselect = ["CMP001"]')
    assert mine.codes("new.onnx") == ["CMP001"]


@key("runtime-version")
def _(mine: Project) -> None:
    project(mine.folder, {"old.onnx": OLD})
    mine.configure('runtime = "onnxruntime"\nruntime-version = "1.14"\nselect = ["CMP001"]')
    assert 'runtime-version = "1.14"  # file' in mine.shown()
    assert "older than ONNX Runtime 1.14" in run_cli("old.onnx", cwd=mine.folder).stdout


@key("precision")
def _(mine: Project) -> None:
    project(mine.folder, {"half.onnx": HALF})
    mine.configure('precision = "fp16"\nselect = ["NUM002"]')
    assert mine.codes("half.onnx") == ["NUM002"]
    assert mine.codes("half.onnx", "--precision", "fp32") == []


@key("batch")
def _(mine: Project) -> None:
    mine.configure("batch = 4")
    assert "batch = 4  # file" in mine.shown()
    assert "batch = 8  # command line" in mine.shown("--batch", "8")
    assert mine.exit_code("good.onnx") == 0


@key("shapes")
def _(mine: Project) -> None:
    mine.configure('[shapes]\nx = "1x8..1x8..1x8"\ny = { min = "1x8", max = "8x8" }')
    assert 'x = "1x8..1x8..1x8"' in mine.shown()
    assert mine.exit_code("good.onnx", "--select", "HYG") == 0
    assert 'x = "2x8"' in mine.shown("--shape", "x=2x8")


@key("per-file-shapes")
def _(mine: Project) -> None:
    for name in ("here.onnx", "sub/there.onnx"):
        save(HALF, mine.folder / name)
    mine.configure("per-file-shapes = { 'sub/*' = { '*' = '4x8' } }")
    options = ("--runtime", "tensorrt", "--select", "DYN003")
    assert mine.codes("here.onnx", *options) == ["DYN003"]
    assert mine.codes("sub/there.onnx", *options) == []
    mine.configure("per-file-shapes = { 'sub/*' = { x = 'many' } }")
    said = run_cli("sub/there.onnx", *options, cwd=mine.folder)
    assert "per-file-shapes.\"sub/*\".x: invalid shape 'many'" in said.stderr


@key("symbols")
def _(mine: Project) -> None:
    mine.configure("symbols = { N = 4 }")
    assert "symbols = { N = 4, M = 2 }" in mine.shown("--symbol", "M=2")
    assert mine.exit_code("good.onnx") == 0


@key("dla")
def _(mine: Project) -> None:
    mine.configure('dla = true\ntargets = ["jetson-agx-orin-64gb"]\nselect = ["HYG005"]')
    assert mine.codes() == ["HYG005"]
    result = run_cli(".", "--target", "a10", cwd=mine.folder)
    assert "no target has a DLA" in result.stderr


@key("suppress")
def _(mine: Project) -> None:
    mine.configure(
        'select = ["VAL003"]\n[[suppress]]\nrule = "VAL"\npath = "sub/*"\nreason = "known"\n'
    )
    found = lint_json(".", cwd=mine.folder)["findings"]
    assert {each["path"]: each["suppressed"] for each in found} == {
        "error.onnx": None,
        "sub/error.onnx": "known",
    }


@key("baseline")
def _(mine: Project) -> None:
    mine.configure('select = ["VAL003"]\nbaseline = "known.json"')
    assert mine.exit_code(".", "--write-baseline") == 0
    assert len(json.loads((mine.folder / "known.json").read_text())["findings"]) == 2
    assert mine.exit_code() == 0


@key("inline-suppressions")
def _(mine: Project) -> None:
    spared = INFO.replace("<ir_version", '<metadata_props: ["modellint.ignore": "HYG"], ir_version')
    project(mine.folder, {"spared.onnx": spared})
    assert mine.codes("spared.onnx", *RULES) == []
    mine.configure("inline-suppressions = false")
    assert mine.codes("spared.onnx", *RULES) == ["HYG005"]


@key("fail-on")
def _(mine: Project) -> None:
    mine.configure('select = ["HYG005"]\nfail-on = "info"')
    assert mine.exit_code("info.onnx") == 1
    assert mine.exit_code("info.onnx", "--fail-on", "warning") == 0


@key("include")
def _(mine: Project) -> None:
    (mine.folder / "error.onnx").rename(mine.folder / "error.weights")
    mine.configure('select = ["VAL003"]\ninclude = ["*.weights"]\nexclude = ["sub/"]')
    assert mine.codes() == ["VAL003"]


@key("exclude")
def _(mine: Project) -> None:
    mine.configure('select = ["VAL003"]\nexclude = ["sub/"]')
    assert mine.codes() == ["VAL003"]
    assert mine.codes("sub/error.onnx") == ["VAL003"]
    mine.configure('select = ["VAL003"]\nexclude = ["error.onnx", "!/error.onnx"]')
    assert mine.codes() == ["VAL003"]


@key("force-exclude")
def _(mine: Project) -> None:
    mine.configure('select = ["VAL003"]\nexclude = ["sub/"]\nforce-exclude = true')
    assert mine.codes("sub/error.onnx", "error.onnx") == ["VAL003"]


def fetched(mine: Project, behaviour: str, text: str) -> str:
    """All that is said about a model on a server."""
    mine.configure(text)
    with serving(mine.folder) as web:
        done = run_cli("check", web.url(behaviour, "error.onnx"), cwd=mine.folder)
    return f"{done.exit_code} {' '.join((done.stdout + done.stderr).split())}"


@key("max-fetch")
def _(mine: Project) -> None:
    assert "VAL003" in fetched(mine, "whole", 'max-fetch = "1MB"')
    assert "exceed 10 B (--max-fetch)" in fetched(mine, "whole", "max-fetch = 10")
    mistake = fetched(mine, "whole", 'max-fetch = "much"')
    assert mistake.startswith("2 ")
    assert "max-fetch" in mistake


@key("fetch-timeout")
def _(mine: Project) -> None:
    assert "not answer within 0.1 s" in fetched(mine, "stall", "fetch-timeout = 0.1")
    assert "must be positive" in fetched(mine, "stall", "fetch-timeout = 0.0")


@key("respect-gitignore")
def _(mine: Project) -> None:
    project(mine.folder, {".gitignore": "sub/\n"})
    mine.configure('select = ["VAL003"]')
    assert mine.codes() == ["VAL003"]
    mine.configure('select = ["VAL003"]\nrespect-gitignore = false')
    assert mine.codes() == ["VAL003", "VAL003"]


@key("weights")
def _(mine: Project) -> None:
    mine.configure("weights = false")
    assert "weights = false  # file" in mine.shown()
    assert mine.exit_code("good.onnx") == 0


@key("weights-budget")
def _(mine: Project) -> None:
    names = "abc"
    weights = ", ".join(f"float[32, 32] {name} = {{{'0, ' * 1023}0}}" for name in names)
    twice = f"g (float[1, 32] x) => (float[1, 32] y) <{weights}>"
    body = "{ s = MatMul(x, a) t = MatMul(s, b) y = MatMul(t, c) }"
    save(f'<ir_version: 8, opset_import: ["" : 17]> {twice} {body}', mine.folder / "twice.onnx")
    options = 'select = ["FUS034"]\nrule-options = { FUS034 = { bytes = 256 } }\n'
    mine.configure(options)
    assert mine.codes("twice.onnx") == ["FUS034"]
    mine.configure(f'weights-budget = "1kB"\n{options}')
    assert mine.codes("twice.onnx") == []


@key("verify")
def _(mine: Project) -> None:
    mine.configure('verify = "ort"\nselect = ["HYG005"]')
    assert 'verify = "ort"  # file' in mine.shown()
    assert mine.codes("info.onnx") == ["HYG005"]


@key("output")
def _(mine: Project) -> None:
    mine.configure('select = ["VAL003"]\noutput = ["concise", "json:out.json"]')
    assert run_cli(".", cwd=mine.folder).stdout.startswith("error.onnx:")
    assert len(json.loads((mine.folder / "out.json").read_text())["findings"]) == 2
    (mine.folder / "out.json").unlink()
    run_cli(".", "-o", "concise", cwd=mine.folder)
    assert not (mine.folder / "out.json").exists()
    run_cli(".", cwd=mine.folder / "sub")
    assert (mine.folder / "out.json").exists()


def wanted(mine: Project, text: str) -> Wanted:
    mine.configure(text)
    return wanted_by(Configs(CommandLine({})).of(mine.folder).settings)


@key("fixable")
def _(mine: Project) -> None:
    assert wanted(mine, 'fixable = ["HYG001"]').only == ("HYG001",)


@key("unfixable")
def _(mine: Project) -> None:
    assert wanted(mine, 'unfixable = ["HYG002"]').never == ("HYG002",)


@key("unsafe-fixes")
def _(mine: Project) -> None:
    assert wanted(mine, "unsafe-fixes = true").unsafe


@key("diff-budgets")
def _(mine: Project) -> None:
    mine.configure('diff-budgets = { nodes = "-1" }')
    assert mine.exit_code("diff", "good.onnx", "good.onnx") == 1


@key("fix-dims")
def _(mine: Project) -> None:
    assert wanted(mine, "fix-dims = { batch = 1 }").choices == {"dim:batch": "1"}


@key("fix-choices")
def _(mine: Project) -> None:
    assert wanted(mine, 'fix-choices = { a = "b" }').choices == {"a": "b"}


@key("max-findings-per-rule")
def _(mine: Project) -> None:
    nodes = " ".join(f"[n{i}] y{i + 1} = Dropout (y{i})" for i in range(5))
    graph = f"many (float[1, 8] y0) => (float[1, 8] y5) {{ {nodes} }}"
    save(f'<ir_version: 10, opset_import: ["" : 21]> {graph}', mine.folder / "many.onnx")
    mine.configure('select = ["HYG005"]\nmax-findings-per-rule = 3')
    *_, last, more = lint_json("many.onnx", cwd=mine.folder)["findings"]
    assert (last["location"]["node"], more["location"]["node"]) == ("n2", None)
    assert (more["code"], more["count"], more["evidence"]) == ("HYG005", 2, {"listed": 3})
    assert "And 2 more like these" in run_cli("many.onnx", cwd=mine.folder).stdout
    mine.configure('select = ["HYG005"]')
    assert len(mine.codes("many.onnx")) == 5


@key("jobs")
def _(mine: Project) -> None:
    mine.configure('select = ["VAL003"]\njobs = 2\ncache = false')
    assert mine.codes() == ["VAL003", "VAL003"]


@key("cache")
def _(mine: Project) -> None:
    mine.configure('cache = false\ncache-dir = "kept"')
    mine.codes()
    assert not (mine.folder / "kept").exists()


@key("cache-dir")
def _(mine: Project) -> None:
    mine.configure('cache-dir = "kept"\nselect = ["VAL003"]')
    codes(mine.folder, cwd=mine.folder)
    assert list((mine.folder / "kept").rglob("*.json"))


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule of the family `budget`, which answers with the limit that it was given."""
    from modellint.rules import registry
    from modellint.rules.rule import Option, Rule

    rule = Rule(
        code="BUD901",
        name="limits",
        family="budget",
        summary="What the limits are.",
        severity="warning",
        message="nodes {nodes}, bytes {bytes}, seconds {seconds}",
        why="",
        fix="",
        options={
            "max-nodes": Option(0, ""),
            "max-file-size": Option(0, ""),
            "max-latency-bound": Option(0.0, ""),
        },
        check="hygiene.budget_for_tests",
    )

    def check(context: object) -> object:
        from modellint.checks.api import Context, Hit

        assert isinstance(context, Context)
        options = context.options
        return [
            Hit(
                facts={
                    "nodes": options["max-nodes"],
                    "bytes": options["max-file-size"],
                    "seconds": options["max-latency-bound"],
                }
            )
        ]

    from modellint.checks import hygiene

    built_in = registry._built_in(examples=True)
    monkeypatch.setattr(hygiene, "budget_for_tests", check, raising=False)
    monkeypatch.setattr(registry, "_built_in", lambda examples: {**built_in, rule.code: rule})


def limits(mine: Project, path: str) -> str:
    (found,) = lint_json(path, "--select", "BUD901", "--no-cache", cwd=mine.folder)["findings"]
    return str(found["message"])


def served(mine: Project, text: str, *args: str) -> dict[str, Any]:
    """Return the needs of a decoder that is served as configured."""
    project(mine.folder, {"decoder.onnx": DECODER})
    mine.configure(text)
    shown = run_cli("inspect", "decoder.onnx", "--json", *args, cwd=mine.folder)
    llm: dict[str, Any] = json.loads(shown.stdout)["llm"]
    return llm


@key("contexts")
def _(mine: Project) -> None:
    text = 'contexts = ["2k", "512"]'
    assert [each["tokens"] for each in served(mine, text)["contexts"]] == [512, 2048]
    given = served(mine, text, "--contexts", "1M,64")
    assert [each["tokens"] for each in given["contexts"]] == [64, 1 << 20]


@key("kv-precision")
def _(mine: Project) -> None:
    half = served(mine, 'kv-precision = "fp16"')["contexts"][0]["cache"]
    byte = served(mine, 'kv-precision = "int8"')["contexts"][0]["cache"]
    assert half == 2 * byte


@key("flash-attention")
def _(mine: Project) -> None:
    text = 'runtime = "transformers"\ncontexts = ["8k"]\nflash-attention = false'
    kept = served(mine, text)["contexts"][0]["compute"]
    assert kept > served(mine, text, "--flash-attention")["contexts"][0]["compute"]


@key("devices")
def _(mine: Project) -> None:
    one = served(mine, "devices = 1")["contexts"][0]["cache"]
    assert served(mine, "devices = 4")["contexts"][0]["cache"] == one // 4


@key("parallel")
def _(mine: Project) -> None:
    text = 'devices = 3\nparallel = "expert"'
    assert served(mine, text)["undivided"] == []
    assert served(mine, text, "--parallel", "tensor")["undivided"] == [
        "8 heads",
        "8 key-value heads",
    ]


@key("budgets")
def _(mine: Project) -> None:
    mine.configure("budgets = { max-nodes = '5k', max-file-size = '1 MiB' }")
    assert "budgets = { max-nodes" in mine.shown()


@key("per-file-budgets")
def _(mine: Project) -> None:
    mine.configure("per-file-budgets = { 'sub/*' = { max-nodes = 7 } }")
    assert "max-nodes = 7" in mine.shown()


UNKNOWN_OP = GOOD.replace("Relu", "my.Op").replace('"" : 21', '"" : 21, "my" : 1')


def probed(mine: Project, settings: str) -> list[str]:
    """The answer of ONNX Runtime to a model with an unknown operator."""
    pytest.importorskip("onnxruntime")
    project(mine.folder, {"unknown.onnx": UNKNOWN_OP})
    mine.configure(f'select = ["ORT", "PRB"]\nruntime = "onnxruntime"\n{settings}')
    return mine.codes("unknown.onnx")


@key("probe")
def _(mine: Project) -> None:
    assert probed(mine, "") == []
    assert probed(mine, 'probe = "auto"') == ["ORT010"]
    assert probed(mine, 'probe = "onnxruntime"') == ["ORT010"]


@key("probes")
def _(mine: Project) -> None:
    table = f"probes = {{ onnxruntime = {{ python = '{sys.executable}' }} }}"
    assert probed(mine, table) == []
    mine.configure(f'probe = "auto"\n{table}')
    assert mine.exit_code("good.onnx") == 2
    config = ("--config", str(mine.folder / "modellint.toml"))
    assert mine.exit_code("good.onnx", *config) == 0


@key("probe-level")
def _(mine: Project) -> None:
    assert probed(mine, 'probe = "auto"\nprobe-level = "parse"') == ["ORT010"]


@key("probe-timeout")
def _(mine: Project) -> None:
    assert probed(mine, 'probe = "auto"\nprobe-timeout = 0.01\ncache = false') == ["PRB001"]


@key("probe-memory")
def _(mine: Project) -> None:
    assert probed(mine, 'probe = "auto"\nprobe-memory = "64kB"\ncache = false') == ["PRB001"]


@key("probe-workspace")
def _(mine: Project) -> None:
    assert probed(mine, 'probe = "auto"\nprobe-workspace = "1GiB"') == ["ORT010"]


@key("save-engine")
def _(mine: Project) -> None:
    (mine.folder / "engines").mkdir()
    assert probed(mine, 'probe = "auto"\nsave-engine = "engines"') == ["ORT010"]
    mine.configure('probe = "onnxruntime"\nsave-engine = "nowhere"')
    assert mine.exit_code("good.onnx") == 2


@pytest.mark.usefixtures("budget")
@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("max-nodes = 5000", "nodes 5000, bytes 0, seconds 0.0"),
        ("max-nodes = '5k'", "nodes 5000, bytes 0, seconds 0.0"),
        ("max-nodes = '2.5M'", "nodes 2500000, bytes 0, seconds 0.0"),
        ("max-file-size = '1 MiB'", "nodes 0, bytes 1048576, seconds 0.0"),
        ("max-file-size = '1MB'", "nodes 0, bytes 1000000, seconds 0.0"),
        ("max-latency-bound = '5ms'", "nodes 0, bytes 0, seconds 0.005"),
        ("max-latency-bound = '250 us'", "nodes 0, bytes 0, seconds 0.00025"),
    ],
)
def test_budgets_are_options_of_the_rules_that_watch_them(
    mine: Project, limit: str, said: str
) -> None:
    mine.configure(f"budgets = {{ {limit} }}")
    assert limits(mine, "good.onnx") == said


@pytest.mark.usefixtures("budget")
def test_budgets_of_particular_files_come_over_the_others(mine: Project) -> None:
    mine.configure(
        "budgets = { max-nodes = 9, max-file-size = 8 }\n"
        "per-file-budgets = { 'sub/*' = { max-nodes = 7 } }\n"
    )
    assert limits(mine, "good.onnx").startswith("nodes 9, bytes 8")
    assert limits(mine, "sub/error.onnx").startswith("nodes 7, bytes 8")


@key("profile")
def _(mine: Project) -> None:
    profile = {
        "kind": "modellint-run",
        "version": 1,
        "model": {"name": "other.onnx"},
        "runtime": {"name": "onnxruntime"},
        "source": "bench",
        "layers": [{"name": "another model's", "op": "Conv", "seconds": 1.0}],
    }
    (mine.folder / "sub" / "run.json").write_text(json.dumps(profile), encoding="utf-8")
    mine.configure('select = ["MSR001"]')
    assert mine.codes("good.onnx") == []
    mine.configure('select = ["MSR001"]\nprofile = ["sub/run.json"]')
    assert mine.codes("good.onnx") == ["MSR001"]
    mine.configure('select = ["MSR001"]\nprofile = ["run.json"]')
    assert mine.exit_code("good.onnx") == 2
