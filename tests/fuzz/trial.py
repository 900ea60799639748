"""One mutant under everything that modellint does with a file, in this process."""

from __future__ import annotations

import io
import json
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch
from zlib import crc32

from modellint.cli.app import run
from modellint.cli.inspect import _asked as make_asked
from modellint.config.load import Config
from modellint.finding import Finding, Result, RuleInfo
from modellint.inspector import Asked
from modellint.planning import make_setup
from modellint.report.sarif import _rules as list_rules
from tests.fuzz.outputs import faults

FORMATS = ("json", "jsonl", "sarif", "junit", "gitlab", "github", "markdown", "concise")
Options = tuple[str, ...]
DEPLOYMENTS: tuple[Options, ...] = (
    *(("-t", "a10"),) * 4,
    ("-t", "a10", "--verbose"),
    ("-t", "a10", "--precision", "int8", "--batch", "8"),
    ("-t", "a10", "--runtime", "onnxruntime"),
    (),
)


class Failure(NamedTuple):
    """A failure: the kind by which it is counted once, and all details."""

    kind: str
    detail: str


def failures(path: Path, reports: Path, *, is_model: bool = True) -> list[Failure]:
    """Lint and inspect a file; return what a user should never see.

    `is_model` is False if it is known that nothing can take the file for a model that is well.
    """
    return _failures(path, reports, _deployment(path), is_model)


def warm_up(path: Path, reports: Path) -> None:
    """Make once what is kept for all files."""
    for options in dict.fromkeys(DEPLOYMENTS):
        _failures(path, reports, options, is_model=True)


def _failures(path: Path, reports: Path, options: Options, is_model: bool) -> list[Failure]:
    found: list[Failure] = []
    with _shortcuts(options), _tracebacks() as raised:
        try:
            found += _check(path, reports, options, is_model)
            found += _inspect(path, reports, options)
        except BaseException as error:  # nothing may come out
            raised.append(traceback.format_exception(error))
    if raised:  # all else follows from it
        found = [Failure(_place(lines), "".join(lines)) for lines in raised]
    return list({each.kind: each for each in found}.values())


def _deployment(path: Path) -> Options:
    """Return options by content, so that the same file is always asked the same."""
    return DEPLOYMENTS[crc32(path.read_bytes()) % len(DEPLOYMENTS)]


def _check(path: Path, reports: Path, deployment: Options, is_model: bool) -> Iterator[Failure]:
    outputs = [argument for name in FORMATS for argument in ("-o", f"{name}:{reports / name}")]
    options = ("--isolated", "--no-cache", *deployment, "--select", "ALL", "--jobs", "1")
    code, stdout, stderr = _run("check", path, *options, "-o", "full", *outputs)
    if code not in (0, 1):
        yield Failure(_ending("check", code, stderr), stderr)
        if code != 3 or "```" in stderr:  # there is no report
            return
    yield from _faults("full", stdout, path)
    yield from _faults("stderr", stderr, path)
    for name in FORMATS:
        yield from _faults(name, (reports / name).read_text(encoding="utf-8"), path)
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


def _inspect(path: Path, reports: Path, deployment: Options) -> Iterator[Failure]:
    output = reports / "inspect-json"
    looks = ["--quant", "--profile"]
    if path.suffix == ".json":  # may be an export of an engine's layers
        looks += ["--layers", str(path)]
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
    if output.exists():
        yield from _faults("inspect-json", output.read_text(encoding="utf-8"), path)


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


def _make_asked(config: Config, given: dict[str, Any]) -> Asked:
    asked = make_asked(config, given)
    targets = tuple(asked.targets())
    return replace(asked, targets=lambda: targets)


def _rules_of_findings(result: Result, shown: Iterable[Finding]) -> list[RuleInfo]:
    findings = list(shown)
    found = {each.code: result.rules[each.code] for each in findings if each.code in result.rules}
    return list_rules(replace(result, rules=found), findings)


@contextmanager
def _shortcuts(options: Options) -> Iterator[None]:
    """Make once what is the same for all files, or leave it out: 241 rules in every report."""
    with (
        patch("modellint.cli.inspect._asked", _once("asked", options, _make_asked)),
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
