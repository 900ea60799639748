"""One mutant under everything that modellint does with a file, in this process."""

from __future__ import annotations

import io
import json
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from modellint.cli.app import run
from modellint.cli.inspect import _asked as make_asked
from modellint.cli.looks import _asked as make_page_asked
from modellint.planning.setup import make_setup
from modellint.report.sarif import _rules as list_rules
from modellint.results.finding import Finding, Result, RuleInfo
from tests.fuzz.outputs import faults
from tests.support import ROOT

FORMATS = ("jsonl", "sarif", "junit", "gitlab", "github", "markdown", "concise", "html")
"""Formats of findings besides full and json, of which a mutant gets some."""
SOME = 3
Options = tuple[str, ...]
DEVICES = (
    "a10",
    "browser",
    "coral-dev-board",
    "core-ultra-7-258v-npu",
    "corstone-300",
    "dimensity-9300",
    "hailo-8",
    "imx93",
    "jetson-agx-orin-64gb",
    "k230",
    "pixel-9-pro",
    "rk3588",
    "snapdragon-8-elite",
    "tda4vm",
)
"""One for each runtime that devices name."""
RUNTIMES = ("coreml", "ncnn", "nnapi", "onnxruntime", "tensorrt-rtx", "xnnpack")
USUAL: tuple[Options, ...] = (
    ("-t", "a10"),
    ("-t", "a10", "--verbose"),
    ("-t", "a10", "--precision", "int8", "--batch", "8"),
    (),
)
DEPLOYMENTS: tuple[Options, ...] = (
    *USUAL * 4,
    *(("-t", name) for name in DEVICES),
    *(("-t", "a10", "--runtime", name) for name in RUNTIMES),
)
LOOKS: tuple[Options, ...] = (
    ("--quant", "--profile"),
    ("--placement", "--weight-figures"),
    ("--placement", "--summary"),
    ("--quant", "--profile"),
)
ASKED = ("quant", "placement", "profiles", "weight_figures", "every_layer")
"""Looks that decide what is computed."""
EXAMPLE = ROOT / "examples" / "qat_residual.onnx"


class Failure(NamedTuple):
    """A failure: the kind by which it is counted once, and all details."""

    kind: str
    detail: str


def warm_up(path: Path, reports: Path) -> None:
    """Make once what is kept for all files."""
    for turn in range(len(DEPLOYMENTS)):
        failures(path, reports, turn)


def failures(path: Path, reports: Path, turn: int, *, is_model: bool = True) -> list[Failure]:
    """Lint and inspect a file, and more; return what a user should never see.

    The turn says with which options. `is_model` is False if it is known that nothing can take the
    file for a model that is well.
    """
    found: list[Failure] = []
    options = DEPLOYMENTS[turn % len(DEPLOYMENTS)]
    more = _MORE[turn % len(_MORE)]
    with _shortcuts(options), _tracebacks() as raised:
        try:
            found += _check(path, reports, turn, is_model)
            found += _inspect(path, reports, turn)
            found += more(path, reports, options)
        except BaseException as error:  # nothing may come out
            raised.append(traceback.format_exception(error))
    if raised:  # all else follows from it
        found = [Failure(_place(lines), "".join(lines)) for lines in raised]
    return list({each.kind: each for each in found}.values())


def _check(path: Path, reports: Path, turn: int, is_model: bool) -> Iterator[Failure]:
    formats = ("json", *(FORMATS[(turn + at) % len(FORMATS)] for at in range(SOME)))
    outputs = [argument for name in formats for argument in ("-o", f"{name}:{reports / name}")]
    deployment = DEPLOYMENTS[turn % len(DEPLOYMENTS)]
    options = ("--isolated", "--no-cache", *deployment, "--select", "ALL", "--jobs", "1")
    code, stdout, stderr = _run("check", path, *options, "-o", "full", *outputs)
    if code not in (0, 1):
        yield Failure(_ending("check", code, stderr), stderr)
        if code != 3 or "```" in stderr:  # there is no report
            return
    yield from _faults("full", stdout, path)
    yield from _faults("stderr", stderr, path)
    yield from _faults_of_files({name: reports / name for name in formats}, path)
    findings = json.loads((reports / "json").read_text(encoding="utf-8"))["findings"]
    yield from _internal(findings)
    if not is_model and not any(_is_of_file(each) for each in findings):
        yield Failure("silence about what is not a model", path.name)


def _internal(findings: Sequence[dict[str, Any]]) -> Iterator[Failure]:
    for finding in findings:
        if finding["code"].startswith("INT") or "too little memory" in finding["message"]:
            yield Failure(finding["message"][-120:], finding["message"])


def _is_of_file(finding: dict[str, Any]) -> bool:
    return bool(finding["code"].startswith(("FIL", "INT")))


def _inspect(path: Path, reports: Path, turn: int) -> Iterator[Failure]:
    output = reports / "inspect-json"
    looks = list(LOOKS[turn % len(LOOKS)])
    if path.suffix == ".json":  # may be an export of an engine's layers
        looks += ["--layers", str(path)]
    deployment = DEPLOYMENTS[turn % len(DEPLOYMENTS)]
    outputs = ["-o", "text", "-o", f"json:{output}"]
    code, stdout, stderr = _run("inspect", path, "--isolated", *deployment, *looks, *outputs)
    if code not in (0, 1):
        if code == 2 and "--layers" in looks:
            return
        yield Failure(_ending("inspect", code, stderr), stderr + stdout)
        if code != 3:
            return
    yield from _faults("inspect-text", stdout, path)
    yield from _faults("stderr", stderr, path)
    yield from _faults_of_files({"inspect-json": output}, path)


# Of these verbs, each mutant gets one.

_CHANGES = (
    *(("nodes", how) for how in ("changed", "replaced", "removed", "added", "rewritten")),
    *(("weights", how) for how in ("changed", "removed", "added")),
    *(("findings", how) for how in ("new", "gone")),
)
More = Callable[[Path, Path, Options], Iterator[Failure]]


def _pages(path: Path, reports: Path, options: Options) -> Iterator[Failure]:
    files = {name: reports / f"inspect-{name}" for name in ("html", "csv", "jsonl")}
    outputs = [argument for name, file in files.items() for argument in ("-o", f"{name}:{file}")]
    yield from _further(path, "inspect", path, *options, "--placement", *outputs)
    yield from _faults_of_files(files, path)


def _card(path: Path, reports: Path, options: Options) -> Iterator[Failure]:
    file = reports / "card"
    yield from _further(
        path, "inspect", path, *options, "--card", "huggingface", "-o", f"markdown:{file}"
    )
    yield from _faults_of_files({"card": file}, path)
    file.unlink(missing_ok=True)


def _graph(path: Path, reports: Path, _: Options) -> Iterator[Failure]:
    file = reports / "graph.json"
    yield from _further(path, "inspect", path, "--runtime", "webnn", "--graph", file)
    yield from _faults_of_files({"inspect-json": file}, path)


def _same(path: Path, reports: Path, options: Options) -> Iterator[Failure]:
    yield from _difference(path, path, reports, options)


def _change(path: Path, reports: Path, options: Options) -> Iterator[Failure]:
    yield from _difference(EXAMPLE, path, reports, options)


def _difference(old: Path, path: Path, reports: Path, options: Options) -> Iterator[Failure]:
    files = {"difference": reports / "difference", "html": reports / "difference-html"}
    outputs = ("-o", f"json:{files['difference']}", "-o", f"html:{files['html']}")
    options = tuple(each for each in options if each != "--verbose")
    yield from _further(path, "diff", old, path, *options, "-o", "full", *outputs)
    yield from _faults_of_files(files, path)
    if old == path and files["difference"].exists():
        told = json.loads(files["difference"].read_text(encoding="utf-8"))
        parts = [told["interface"], *((told[part] or {}).get(how) for part, how in _CHANGES)]
        if any(parts):
            yield Failure("differs from itself", json.dumps(told)[:4000])


_MORE: tuple[More, ...] = (_pages, _card, _graph, _same, _change)


def _further(path: Path, verb: str, *arguments: object) -> Iterator[Failure]:
    code, stdout, stderr = _run(verb, *arguments, "--isolated")
    if code not in (0, 1) and "cannot" not in stderr:
        yield Failure(_ending(verb, code, stderr), stderr)
    yield from _faults("stdout", stdout, path)
    yield from _faults("stderr", stderr, path)


def _faults_of_files(files: Mapping[str, Path], path: Path) -> Iterator[Failure]:
    for name, file in files.items():
        if file.exists():
            yield from _faults(name, file.read_text(encoding="utf-8"), path)


def _ending(verb: str, code: int, stderr: str) -> str:
    lines = [each for each in stderr.splitlines() if "/modellint/" in each]
    return f"{verb} ends with {code}" + (f" at {_place([*lines[-1:], ''])}" if lines else "")


def _faults(name: str, text: str, path: Path) -> Iterator[Failure]:
    for fault in faults(name, text, path.stat().st_size):
        yield Failure(re.split(r": '|: [0-9]", fault)[0][:120], f"{fault}\n\n{text[:3000]}")


def _run(*arguments: object) -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr):
        code = run([str(each) for each in arguments])
    return code, stdout.getvalue(), stderr.getvalue()


_kept: dict[tuple[str, Options], Any] = {}


def _once(what: str, options: Options, make: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that gives its first answer from then on."""

    def first(*args: Any) -> Any:
        if (what, options) not in _kept:
            _kept[what, options] = make(*args)
        return _kept[what, options]

    return first


def _once_for_looks(options: Options) -> Callable[..., Any]:
    """Return the command's function for what is asked, which answers once for the same looks."""

    def first(config: Any, given: dict[str, Any]) -> Any:
        if given["layers"] is not None:  # a file of its own
            return make_asked(config, given)
        looks = tuple(f"{name}={given[name]}" for name in ASKED)
        return _once("asked", (*options, *looks), make_asked)(config, given)

    return first


def _rules_of_findings(result: Result, shown: Iterable[Finding]) -> list[RuleInfo]:
    findings = list(shown)
    found = {each.code: result.rules[each.code] for each in findings if each.code in result.rules}
    return list_rules(replace(result, rules=found), findings)


@contextmanager
def _shortcuts(options: Options) -> Iterator[None]:
    """Make once what is the same for all files, or leave it out: 241 rules in every report."""
    with (
        patch("modellint.cli.inspect._asked", _once_for_looks(options)),
        patch("modellint.cli.looks._asked", _once("page", options, make_page_asked)),
        patch("modellint.lint.record.make_setup", _once("setup", options, make_setup)),
        patch("modellint.report.sarif._rules", _rules_of_findings),
    ):
        yield


@contextmanager
def _tracebacks() -> Iterator[list[list[str]]]:
    """Collect the tracebacks that modellint itself catches and looks at."""
    seen: list[list[str]] = []
    extract = traceback.extract_tb

    def watched(tb: Any, *args: Any, **kwargs: Any) -> traceback.StackSummary:
        error = sys.exc_info()[1]
        if error is not None:
            seen.append(traceback.format_exception(error))
        return extract(tb, *args, **kwargs)

    with patch("traceback.extract_tb", watched):
        yield seen


def _place(lines: Sequence[str]) -> str:
    """Return the last place of ours in a traceback, and the error."""
    own = [each for each in lines if "/modellint/" in each]
    where = own[-1].strip().splitlines()[0] if own else "?"
    file, _, line = where.partition(", line ")
    name = file.rpartition("/modellint/")[2].strip('"')
    return f"{name}:{line.partition(',')[0]}: {lines[-1].strip().partition(':')[0]}"
