"""Mutants under everything that modellint does with files, in this process."""

from __future__ import annotations

import io
import json
import random
import re
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from modellint.base.paths import real_path
from modellint.cli.app import run
from modellint.cli.inspect import _asked as make_asked
from modellint.cli.looks import _asked as make_page_asked
from modellint.planning.setup import make_setup
from modellint.report.sarif import _rules as list_rules
from modellint.results.finding import Finding, Result, RuleInfo
from modellint.targets.loader import _load_all as load_all
from tests.fuzz.companions import profile
from tests.fuzz.outputs import faults
from tests.support import ROOT

FORMATS = ("jsonl", "sarif", "junit", "gitlab", "github", "markdown", "concise", "html")
"""Formats of findings besides full and json, of which each run writes one."""
DEAREST = "html"
"""The one that takes as long as linting; `full` is written instead where nothing else is done."""
SOME = 3
"""Files of a run that get more than `check` and `inspect`, which would cost more than these."""
_WRITTEN_AS = {"inspect-json": "json", "difference": "json", "card": "markdown"}
"""Formats of reports that are looked at otherwise than their formats'."""
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


class Tested(NamedTuple):
    """Files that are given to the same commands, and what these write."""

    paths: Sequence[Path]
    reports: Path
    turn: int

    @property
    def options(self) -> Options:
        return DEPLOYMENTS[self.turn % len(DEPLOYMENTS)]

    @property
    def way(self) -> int:
        """Part of the turn that is not the deployment."""
        return self.turn // len(DEPLOYMENTS)

    @property
    def size(self) -> int:
        """Size of the smallest file: if reports on all are short for it, each of them is."""
        return min(path.stat().st_size for path in self.paths)

    @property
    def some(self) -> Tested:
        """A few of the files, other ones in another turn."""
        start = self.turn % len(self.paths)
        return self._replace(paths=(*self.paths[start:], *self.paths[:start])[:SOME])

    @property
    def each(self) -> Iterator[Tested]:
        return (self._replace(paths=[path]) for path in self.paths)


def turn_of(deployment: int, way: int) -> int:
    """Return the turn with the deployment of one number, and all else by another."""
    return deployment % len(DEPLOYMENTS) + way * len(DEPLOYMENTS)


def warm_up(paths: Sequence[Path], reports: Path) -> None:
    """Make once what is kept for all files."""
    for number in range(len(DEPLOYMENTS)):
        failures([paths[number % len(paths)]], reports, turn_of(number, number))


def failures(
    paths: Sequence[Path],
    reports: Path,
    turn: int,
    *,
    no_models: Collection[Path] = (),
    light: bool = False,
) -> list[Failure]:
    """Lint and inspect files together, and more; return what a user should never see.

    The turn says with which options. Nothing can take those of `no_models` for models that are
    well. A light trial is the linting alone, with two reports: all that fails in it fails
    in the whole one of the same turn.
    """
    found: list[Failure] = []
    tested = Tested(paths, reports, turn)
    more = _MORE[tested.way % len(_MORE)]
    with _shortcuts(tested.options), _tracebacks() as raised:
        try:
            found += _check(tested, no_models, light=light)
            if not light:
                found += _inspect(tested)
                found += more(tested.some)
        except BaseException as error:  # nothing may come out
            raised.append(traceback.format_exception(error))
    if raised:  # all else follows from it
        found = [Failure(_place(lines), "".join(lines)) for lines in raised]
    return list({each.kind: each for each in found}.values())


def _check(tested: Tested, no_models: Collection[Path], *, light: bool) -> Iterator[Failure]:
    format_ = FORMATS[tested.way % len(FORMATS)]
    full = ("-o", "full") if not light or format_ == DEAREST else ()
    files = _files(tested, "json", *([] if light and full else [format_]))
    options = ("--isolated", "--no-cache", *tested.options, "--select", "ALL", "--jobs", "1")
    code, stdout, stderr = _run("check", *tested.paths, *options, *full, *_outputs(files))
    if code not in (0, 1):
        yield Failure(_ending("check", code, stderr), stderr)
        if code != 3 or "```" in stderr:  # there is no report
            return
    yield from _faults("full", stdout, tested)
    yield from _faults("stderr", stderr, tested)
    yield from _faults_of_files(files, tested)
    findings = json.loads(files["json"].read_text(encoding="utf-8"))["findings"]
    yield from _internal(findings)
    told = {real_path(Path(each["path"])) for each in findings if _is_of_file(each)}
    for path in no_models:
        if real_path(path) not in told:
            yield Failure("silence about what is not a model", path.name)


def _files(tested: Tested, *names: str) -> dict[str, Path]:
    """Return the files of reports, which do not exist yet."""
    files = {name: tested.reports / name for name in names}
    for file in files.values():
        file.unlink(missing_ok=True)
    return files


def _outputs(files: Mapping[str, Path]) -> Iterator[str]:
    for name, file in files.items():
        yield from ("-o", f"{_WRITTEN_AS.get(name, name)}:{file}")


def _internal(findings: Sequence[dict[str, Any]]) -> Iterator[Failure]:
    for finding in findings:
        if finding["code"].startswith("INT") or "too little memory" in finding["message"]:
            yield Failure(finding["message"][-120:], finding["message"])


def _is_of_file(finding: dict[str, Any]) -> bool:
    return bool(finding["code"].startswith(("FIL", "INT")))


def _inspect(tested: Tested) -> Iterator[Failure]:
    files = _files(tested, "inspect-json")
    looks = LOOKS[tested.way % len(LOOKS)]
    options = ("--isolated", *tested.options, *looks, "-o", "text", *_outputs(files))
    code, stdout, stderr = _run("inspect", *tested.paths, *options)
    if "no model files found" in stderr:  # in a folder
        return
    if code not in (0, 1):
        yield Failure(_ending("inspect", code, stderr), stderr + stdout)
        if code != 3:
            return
    yield from _faults("inspect-text", stdout, tested)
    yield from _faults("stderr", stderr, tested)
    yield from _faults_of_files(files, tested)
    for path in tested.paths:
        if path.suffix == ".json":  # may be an export of an engine's layers
            yield from _further(tested, "inspect", path, "--layers", path, refused=True)


# Of these, each run does one.

_CHANGES = (
    *(("nodes", how) for how in ("changed", "replaced", "removed", "added", "rewritten")),
    *(("weights", how) for how in ("changed", "removed", "added")),
    *(("findings", how) for how in ("new", "gone")),
)
More = Callable[[Tested], Iterator[Failure]]


def _pages(tested: Tested) -> Iterator[Failure]:
    files = _files(tested, "html", "csv", "jsonl")
    options = (*tested.options, "--placement", *_outputs(files))
    yield from _further(tested, "inspect", *tested.paths, *options)
    yield from _faults_of_files(files, tested)


def _cards(tested: Tested) -> Iterator[Failure]:
    for one in tested.each:
        files = _files(one, "card")
        options = (*one.options, "--card", "huggingface", *_outputs(files))
        yield from _further(one, "inspect", *one.paths, *options)
        yield from _faults_of_files(files, one)


def _graphs(tested: Tested) -> Iterator[Failure]:
    for one in tested.each:
        files = _files(one, "graph.json")
        yield from _further(
            one, "inspect", *one.paths, "--runtime", "webnn", "--graph", *files.values()
        )
        yield from _faults_of_files(files, one)


def _same(tested: Tested) -> Iterator[Failure]:
    for one in tested.each:
        files = _files(one, "difference")
        yield from _difference(one.paths[0], one, files)
        if files["difference"].exists() and one.paths[0].is_file():
            told = json.loads(files["difference"].read_text(encoding="utf-8"))
            parts = [told["interface"], *((told[part] or {}).get(how) for part, how in _CHANGES)]
            if any(parts):
                yield Failure("differs from itself", json.dumps(told)[:4000])


def _change(tested: Tested) -> Iterator[Failure]:
    yield from _difference(EXAMPLE, tested, _files(tested, "difference", "html"))


def _difference(old: Path, tested: Tested, files: Mapping[str, Path]) -> Iterator[Failure]:
    options = [each for each in tested.options if each != "--verbose"]
    arguments = (old, *tested.paths, *options, "-o", "full", *_outputs(files))
    yield from _further(tested, "diff", *arguments)
    yield from _faults_of_files(files, tested)


def _fixes(tested: Tested) -> Iterator[Failure]:
    """Fix one file, since that takes as long as all else."""
    path = tested.paths[0]
    before = path.read_bytes() if path.is_file() else b""
    options = (*tested.options, "--select", "ALL", "--jobs", "1", "--unsafe-fixes")
    yield from _further(tested, "check", path, *options, "--fix-to", tested.reports / "fixed")
    if path.is_file() and path.read_bytes() != before:
        yield Failure("the original is changed", path.name)


def _profiles(tested: Tested) -> Iterator[Failure]:
    """Give a file and a profile that may be another's, or nonsense."""
    name, content = profile(random.Random(tested.turn))
    path = tested.reports / name
    path.write_bytes(content)
    files = _files(tested, "inspect-json", "html")
    model = tested.paths[0]
    options = (*tested.options, *_outputs(files))
    yield from _further(tested, "inspect", model, "--run", path, *options, refused=True)
    yield from _faults_of_files(files, tested)
    for verb in (("bench", "--import"), ("fingerprint",), ("compare", path)):
        yield from _further(tested, *verb, path, refused=True)


_MORE: tuple[More, ...] = (*(_pages, _cards, _graphs, _same, _change, _profiles) * 4, _fixes)


_CONFIGURABLE = ("check", "diff", "inspect")


def _further(
    tested: Tested, verb: str, *arguments: object, refused: bool = False
) -> Iterator[Failure]:
    """Run a verb, which may end with 2 if what it is given may be refused."""
    refused = refused or any(path.is_dir() for path in tested.paths)  # with no model, or several
    isolated = ("--isolated",) if verb in _CONFIGURABLE else ()
    code, stdout, stderr = _run(verb, *arguments, *isolated)
    if code not in (0, 1, *((2,) if refused else ())) and "cannot" not in stderr:
        yield Failure(_ending(verb, code, stderr), stderr)
    yield from _faults("stdout", stdout, tested)
    yield from _faults("stderr", stderr, tested)


def _faults_of_files(files: Mapping[str, Path], tested: Tested) -> Iterator[Failure]:
    for name, file in files.items():
        if file.exists():
            yield from _faults(name, file.read_text(encoding="utf-8"), tested)


def _ending(verb: str, code: int, stderr: str) -> str:
    lines = [each for each in stderr.splitlines() if "/modellint/" in each]
    return f"{verb} ends with {code}" + (f" at {_place([*lines[-1:], ''])}" if lines else "")


def _faults(name: str, text: str, tested: Tested) -> Iterator[Failure]:
    for fault in faults(name, text, tested.size, len(tested.paths)):
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
        if given["layers"] is not None or given["runs"]:  # files of its own
            return make_asked(config, given)
        looks = tuple(f"{name}={given[name]}" for name in ASKED)
        return _once("asked", (*options, *looks), make_asked)(config, given)

    return first


def _once_for_settings(config: Any) -> Any:
    options = (repr(config.settings),)
    return _once("setup", options, make_setup)(config)


def _once_for_targets(index: Any, ids: Iterable[str]) -> Any:
    ids = tuple(ids)
    return _once("targets", ids, load_all)(index, ids)


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
        patch("modellint.lint.record.make_setup", _once_for_settings),
        patch("modellint.planning.setup.make_setup", _once_for_settings),
        patch("modellint.targets.loader._load_all", _once_for_targets),
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
