"""Compares the errors that modellint reports with what runtimes say, and writes docs/agreement.md.

    python tools/measure_agreement.py                              # the corpora kept here, printed
    python tools/measure_agreement.py FOLDER --runtime onnxruntime --json
    python tools/measure_agreement.py FOLDER --write               # brings the page up to date
    python tools/measure_agreement.py list.txt --part held-out     # only files kept apart

Every ONNX file in the folders, or in lists of paths, is given to each runtime that is installed, in
a process of its own, and linted for that runtime with the default rules. A runtime's verdict is
kept by the file's content and the runtime's version, so that measuring again is quick.

Files whose name hashes into HELD_OUT are kept apart: they are not looked at while writing rules,
and their disagreements are counted without being listed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from modellint.base.text import clean, shorten  # noqa: E402
from modellint.config.load import CommandLine  # noqa: E402
from modellint.formats import read_model  # noqa: E402
from modellint.lint import Request, lint  # noqa: E402
from modellint.model import is_static  # noqa: E402
from modellint.probes import CHILD, Outcome, known_backends  # noqa: E402
from modellint.probes import cache as by_content  # noqa: E402
from modellint.probes.backends import Backend  # noqa: E402
from modellint.probes.outcome import Status, from_json  # noqa: E402
from modellint.probes.runner import Limits, run_child  # noqa: E402
from modellint.report.table import markdown  # noqa: E402
from modellint.results.finding import Finding, Severity  # noqa: E402
from modellint.runtimes.probe import Remark  # noqa: E402
from tests.exports import exports, materialise  # noqa: E402

PAGE = ROOT / "docs" / "agreement.md"
LEVELS = {"onnxruntime": "build", "openvino": "build", "tensorrt-rtx": "parse"}
"""Levels of the runtimes' probes. TensorRT for RTX builds for a GPU that the file does not name."""
BUILT_FOR = {"tensorrt-rtx": (12, 0)}
"""Compute capability to build for what is parsed in spite of an error."""
RUNS = "onnxruntime"
"""The runtime that runs what it loads in spite of an error."""
OPEN_DIM = 4
"""Size given to open dims of a model that is built."""
HELD_OUT = "01234"
"""First hexadecimal digits of the hash of a file's name that keep the file apart."""
LIMITS = Limits(seconds=180, memory=6 << 30)
MOST_COPIED = 1 << 40
"""Said to be the weights' size, so that no optimized model is written out."""
AT_ONCE = 2
LONGEST_REASON = 160
KEPT_OF_REMARKS = ("kind", "text", "op")
NO_LOCALE = "facet::_S_create_c_locale"
"""Part of the error of a machine without the locale that StringNormalizer asks for."""
GOAL_CONTRADICTED, GOAL_PREDICTED = 0.01, 0.95
FOREIGN = "models that other projects test themselves with"
ONNX_TESTS = "tests of the onnx package"
KEPT = "kept exports"


@dataclass(frozen=True)
class Corpus:
    name: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Measured:
    """One file: what the runtime says of it, and the errors reported for that runtime."""

    corpus: str
    file: str
    """Its path within the corpus."""
    held_out: bool
    runtime: str
    version: str
    status: str
    reason: str
    errors: tuple[str, ...]
    """The rules' codes, one for each finding."""
    messages: tuple[str, ...]
    warned: bool
    """A warning names the unknown operator for which the runtime refuses the file."""

    @property
    def refused(self) -> bool:
        return self.status == "refused"

    @property
    def contradicted(self) -> bool:
        return self.status == "accepted" and bool(self.errors)

    @property
    def missed(self) -> bool:
        return self.refused and not self.errors and not self.warned


@dataclass(frozen=True)
class Tally:
    """The figures of several files."""

    every: Sequence[Measured] = field(repr=False)

    @cached_property
    def files(self) -> int:
        return len(self.every)

    @cached_property
    def refused(self) -> int:
        return sum(each.refused for each in self.every)

    @cached_property
    def other(self) -> int:
        """Files about which the runtime gave no verdict: it crashed, or ran out of a limit."""
        return sum(each.status not in ("accepted", "refused") for each in self.every)

    @cached_property
    def right(self) -> int:
        """Refused files with an error."""
        return sum(each.refused and bool(each.errors) for each in self.every)

    @cached_property
    def warned(self) -> int:
        """Refused files where only a warning names the cause."""
        return sum(each.refused and not each.errors and each.warned for each in self.every)

    @cached_property
    def contradicted(self) -> int:
        """Accepted files with an error."""
        return sum(each.contradicted for each in self.every)

    @cached_property
    def missed(self) -> int:
        return sum(each.missed for each in self.every)

    @property
    def share_contradicted(self) -> float:
        """Of the files with an error, those that the runtime accepts."""
        return self.contradicted / (self.right + self.contradicted or 1)

    @property
    def share_predicted(self) -> float:
        """Of the refused files, those predicted by an error, or a warning that names the cause."""
        return (self.right + self.warned) / self.refused if self.refused else 1.0

    def figures(self) -> dict[str, Any]:
        names = ("files", "refused", "other", "right", "warned", "contradicted", "missed")
        shares = ("share_contradicted", "share_predicted")
        return {name: getattr(self, name) for name in (*names, *shares)}


# What is compared.


def is_held_out(path: Path) -> bool:
    return hashlib.sha256(path.name.encode()).hexdigest()[0] in HELD_OUT


def corpus(path: Path, name: str = FOREIGN) -> Corpus:
    """The ONNX files of a folder, of a list of paths, or a single one."""
    if path.is_dir():
        return Corpus(name, tuple(sorted(path.rglob("*.onnx"))))
    if path.suffix == ".txt":
        return Corpus(name, tuple(map(Path, path.read_text(encoding="utf-8").split("\n")[:-1])))
    return Corpus(name, (path,))


def kept_exports(folder: Path) -> Corpus:
    return Corpus(KEPT, tuple(materialise(name, folder) for name in exports()))


def onnx_tests(folder: Path, every: int = 1) -> Corpus:
    """The onnx package's own tests, as files; `every` leaves out all but each n-th of them."""
    import onnx.backend.test
    from supports.cases import node_tests

    paths = []
    tests = sorted(node_tests(), key=lambda test: str(test.name))  # in no order of imports
    for test in tests[::every]:
        paths.append(folder / f"{test.name}.onnx")
        paths[-1].write_bytes(test.model.SerializeToString())
    stored = sorted(Path(onnx.backend.test.__file__).parent.rglob("*.onnx"))[::every]
    for path in stored:
        paths.append(folder / "-".join(path.parts[-3:]))
        paths[-1].write_bytes(path.read_bytes())
    return Corpus(ONNX_TESTS, tuple(paths))


# What a runtime says.


class Verdicts:
    """Outcomes by content and runtime version, kept in a file of one JSON value per line."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: dict[str, Outcome] = {}
        self._lock = threading.Lock()
        if file is not None and file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                self._known[entry["key"]] = from_json(entry["outcome"])

    def of(self, path: Path, backend: Backend, level: str = "") -> Outcome:
        """Return the verdict on a file, asked for if it is not known."""
        key = key_of(path, backend.name, backend.version, level)
        if key not in self._known and backend.module is None:
            return Outcome("unanswered", backend.name, backend.version)
        if key not in self._known:
            self._keep(key, ask(path, backend, level or LEVELS[backend.name]))
        return self._known[key]

    def known(self, path: Path, runtime: str, version: str, level: str = "") -> Outcome | None:
        return self._known.get(key_of(path, runtime, version, level))

    def _keep(self, key: str, outcome: Outcome) -> None:
        with self._lock:
            self._known[key] = outcome
            if self._file is not None:
                with self._file.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps({"key": key, "outcome": _short(outcome)}) + "\n")


def key_of(path: Path, runtime: str, version: str, level: str = "") -> str:
    files = [path, *read_model(path).external_files]
    level = level or LEVELS[runtime]
    return by_content.key(files, {"runtime": runtime, "version": version, "level": level})


def _short(outcome: Outcome) -> dict[str, Any]:
    """Return the compared parts of an outcome, as JSON."""
    remarks = [
        {name: value for name, value in asdict(remark).items() if name in KEPT_OF_REMARKS and value}
        for remark in outcome.remarks
    ]
    return {"status": outcome.status, "detail": outcome.detail, "remarks": remarks}


RUN = """
import sys, numpy as np, onnxruntime as ort
ort.set_default_logger_severity(4)
session = ort.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
kinds = {"tensor(float)": "f4", "tensor(float16)": "f2", "tensor(double)": "f8",
         "tensor(int64)": "i8", "tensor(int32)": "i4", "tensor(bool)": "?"}
size = int(sys.argv[2])
fed = {each.name: np.zeros([dim if isinstance(dim, int) else size for dim in each.shape],
                           kinds[each.type]) for each in session.get_inputs()}
try:
    session.run(None, fed)
except Exception as error:
    print("failed:", error)
"""


def run(path: Path, backend: Backend) -> Outcome:
    """Run a model with zeros, and one size for all open dims, with ONNX Runtime."""
    command = [sys.executable, "-c", RUN, str(path), str(OPEN_DIM)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=LIMITS.seconds
    )
    _, failed, why = done.stdout.partition("failed: ")
    remarks = (Remark("run-failed", shorten(clean(why), LONGEST_REASON)),) if failed else ()
    status: Status = "refused" if failed else "accepted" if done.returncode == 0 else "failed"
    return Outcome(status, backend.name, backend.version, remarks=remarks)


def ask(path: Path, backend: Backend, level: str) -> Outcome:
    """Give the file to the runtime whatever we make of it ourselves, unlike `modellint probe`."""
    if level == "run":
        return run(path, backend)
    request: dict[str, Any] = {
        "code": backend.probe.code,
        "module": backend.module,
        "path": str(path.absolute()),
        "format": "onnx",
        "level": level,
        "capability": BUILT_FOR.get(backend.name) if level == "build" else None,
        "precision": None,
        "quantized": False,
        "workspace": None,
        "profiles": _profiles(path) if level == "build" else {},
        "symbols": {},
        "on_cuda": False,
        "weight_bytes": MOST_COPIED,
        "save_engine": None,
    }
    ended = run_child(CHILD, request, LIMITS)
    outcome = from_json(ended.answer or {"status": ended.death})
    if any(NO_LOCALE in remark.text for remark in outcome.remarks):
        return Outcome("failed", backend.name, backend.version, detail="no such locale here")
    if ended.death is not None and outcome.status != "refused":
        return Outcome(ended.death, backend.name, backend.version, detail=ended.detail)
    return outcome


def _profiles(path: Path) -> dict[str, list[list[int]]]:
    """Return one size for each input with open dims."""
    shapes = {value.name: value.declared_shape for value in read_model(path).inputs}
    return {
        name: [[dim if isinstance(dim, int) else OPEN_DIM for dim in shape]] * 3
        for name, shape in shapes.items()
        if shape and not is_static(shape)
    }


# The comparison.


def measure(
    corpora: Iterable[Corpus], runtimes: Sequence[str], verdicts: Verdicts, part: str = "all"
) -> list[Measured]:
    found: list[Measured] = []
    for each in corpora:
        files = [path for path in each.files if part in ("all", part_of(path))]
        for runtime in runtimes:
            found += _measure(each, files, known_backends()[runtime], verdicts)
    return found


def part_of(path: Path) -> str:
    return "held-out" if is_held_out(path) else "seen"


def _measure(
    corpus: Corpus, files: Sequence[Path], backend: Backend, verdicts: Verdicts
) -> Iterator[Measured]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(lambda path: verdicts.of(path, backend), files))
    yield from compare(corpus, files, outcomes, backend, verdicts)


def compare(
    corpus: Corpus,
    files: Sequence[Path],
    outcomes: Iterable[Outcome],
    backend: Backend,
    verdicts: Verdicts,
) -> Iterator[Measured]:
    """Lint files, and compare the findings with the runtime's verdict on each."""
    findings = lint_for(backend.name, files)
    top = _common_folder(corpus.files)
    for path, outcome in zip(files, outcomes, strict=True):
        mine = findings[str(path)]
        broken = next((each for each in mine if each.is_internal), None)
        if broken is not None:
            raise SystemExit(f"{path}: {broken.message}")
        errors = [each for each in mine if each.severity is Severity.ERROR]
        if errors and outcome.status == "accepted":
            outcome = next(_confirmations(path, errors, backend, verdicts), outcome)
        yield Measured(
            corpus.name,
            _shown(path.relative_to(top)),
            is_held_out(path),
            backend.title,
            backend.version,
            outcome.status,
            reason(outcome),
            tuple(each.code for each in errors),
            tuple(each.message for each in errors),
            names_the_cause(mine, outcome),
        )


def lint_for(runtime: str, files: Sequence[Path]) -> Mapping[str, list[Finding]]:
    """Findings by path, as the program reports them with the runtime alone."""
    command_line = CommandLine({"runtime": runtime, "cache": False}, isolated=True)
    shown_as = {path: str(path) for path in files}
    found: dict[str, list[Finding]] = defaultdict(list)
    for finding in lint(Request(files, command_line, shown_as=shown_as)).result.findings:
        found[finding.path].append(finding)
    return found


def _confirmations(
    path: Path, errors: Sequence[Finding], backend: Backend, verdicts: Verdicts
) -> Iterator[Outcome]:
    """Iterate over what goes wrong after a file was loaded in spite of errors."""
    is_open = bool(_profiles(path))
    if backend.name in BUILT_FOR:
        built = verdicts.of(path, backend, "build")
        if confirms(built, errors, is_open=is_open):
            yield built
    elif backend.name == RUNS and (not is_open or all(each.family == "shapes" for each in errors)):
        ran = verdicts.of(path, backend, "run")
        if ran.status == "refused":
            yield ran


def confirms(built: Outcome, errors: Sequence[Finding], *, is_open: bool) -> bool:
    """Return True if a build fails, and not because of the sizes that were given to open dims.

    What fails at one size is what errors about shapes say; others have to be at the node it names.
    """
    if built.status != "refused":
        return False
    if not is_open or any(each.family == "shapes" for each in errors):
        return True
    places = {name for each in errors for name in (each.location.node, each.location.value) if name}
    text = " ".join(remark.text for remark in built.remarks)
    return any(f"node_of_{name}" in text for name in places)


def names_the_cause(findings: Iterable[Finding], outcome: Outcome) -> bool:
    """Return True if a warning is about an operator that the runtime does not know."""
    refused = outcome.of("no-importer", "no-kernel", "no-plugin")
    unknown = {each.op.rpartition(".")[2] for each in refused if each.op}
    return any(
        (finding.location.op_type or "").rpartition(".")[2] in unknown
        for finding in findings
        if finding.severity is Severity.WARNING
    )


def reason(outcome: Outcome) -> str:
    """The first thing that the runtime says, without this machine's paths."""
    for remark in outcome.remarks:
        what = remark.text or remark.kind
        return shorten(clean(f"{remark.op}: {what}" if remark.op else what), LONGEST_REASON)
    return outcome.detail


def _shown(path: Path) -> str:
    """The path, from a folder named ``owner+repository`` on, if there is one."""
    at = next((at for at, part in enumerate(path.parts) if "+" in part), None)
    if at is None:
        return path.as_posix()
    return Path(path.parts[at].replace("+", "/", 1), *path.parts[at + 1 :]).as_posix()


def _common_folder(files: Iterable[Path]) -> Path:
    folders = [set(path.parents) for path in files]
    common = set.intersection(*folders) if folders else {Path()}
    return max(common, key=lambda folder: len(folder.parts))


# The page.


def page(found: Sequence[Measured]) -> str:
    return "\n".join([*_page(found), ""])


def _page(found: Sequence[Measured]) -> Iterator[str]:
    yield "# Agreement with runtimes"
    yield ""
    yield "Written by `tools/measure_agreement.py`: every file is linted for a runtime with the"
    yield "default rules, and loaded by that runtime itself. An error is *right* if the runtime"
    yield "refuses the file, and *contradicted* if it accepts it. A refusal is *missed* without an"
    yield "error, or a warning that names the operator which the runtime does not know."
    yield "TensorRT for RTX parses every file, and builds those that it parses despite an error,"
    yield f"for compute capability 12.0, with open dims of {OPEN_DIM}. ONNX Runtime runs those that"
    yield "it loads despite an error, with zeros, if all dims are fixed; with open dims, of the"
    yield "same size, only if the error is about shapes."
    yield "*Held out* are files that were not looked at while writing rules, chosen by the hash of"
    yield "their name; they are counted, but not listed."
    yield ""
    yield f"The goal, on held-out files: at most {GOAL_CONTRADICTED:.0%} of errors contradicted,"
    yield f"and at least {GOAL_PREDICTED:.0%} of refusals predicted."
    for runtime, mine in _by(found, "runtime").items():
        yield ""
        yield f"## {runtime} {mine[0].version}"
        yield ""
        yield from _table(mine)
        yield from _listed("Contradicted", [each for each in mine if each.contradicted])
        yield from _listed("Missed", [each for each in mine if each.missed])


def _table(found: Sequence[Measured]) -> Iterator[str]:
    titles = """models,part,files,refused,right errors,named by a warning,missed,predicted,
        contradicted errors,share,no verdict""".split(",")
    rows = []
    for corpus, every in _by(found, "corpus").items():
        for held_out, mine in sorted(_by(every, "held_out").items()):
            tally = Tally(mine)
            rows.append(
                [
                    corpus,
                    "held out" if held_out else "seen",
                    str(tally.files),
                    str(tally.refused),
                    str(tally.right),
                    str(tally.warned),
                    str(tally.missed),
                    f"{tally.share_predicted:.1%}",
                    str(tally.contradicted),
                    f"{tally.share_contradicted:.1%}",
                    str(tally.other),
                ]
            )
    yield from markdown([title.strip() for title in titles], rows)


def _listed(title: str, disagreeing: Sequence[Measured]) -> Iterator[str]:
    """The disagreements of files that may be looked at, by cause."""
    seen = [each for each in disagreeing if not each.held_out]
    if not seen:
        return
    yield ""
    yield f"### {title}"
    for cause, mine in sorted(_by_cause(seen).items()):
        yield ""
        yield f"{_cell(cause)}:"
        yield ""
        for each in mine:
            yield f"- {each.file}" + (f": {_cell(each.reason)}" if each.reason else "")


def _by_cause(found: Iterable[Measured]) -> Mapping[str, list[Measured]]:
    causes = defaultdict(list)
    for each in found:
        codes = ", ".join(sorted(set(each.errors)))
        causes[codes or each.reason.partition(":")[0]].append(each)
    return causes


def _by(found: Iterable[Measured], attribute: str) -> dict[Any, list[Measured]]:
    groups: dict[Any, list[Measured]] = defaultdict(list)
    for each in found:
        groups[getattr(each, attribute)].append(each)
    return groups


def _cell(text: str) -> str:
    """Text for a list, without paths of this machine or the runtime's sources."""
    text = " ".join(word for word in text.split() if not word.startswith("/"))
    return text.replace("|", "\\|").replace("<", "&lt;")


# The command.


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="[NAME=]PATH",
        help="folders, files, or .txt lists of them, and what the page calls these models",
    )
    parser.add_argument("--runtime", nargs="+", choices=LEVELS, default=_installed())
    parser.add_argument("--part", choices=("all", "seen", "held-out"), default="all")
    parser.add_argument("--verdicts", type=Path, help="file that keeps what runtimes said")
    parser.add_argument("--only", action="store_true", help="nothing but these paths")
    parser.add_argument("--json", action="store_true", help="print each file and the figures")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    parser.add_argument(
        "--results", nargs="+", type=Path, help="what --json printed, measured before"
    )
    given = parser.parse_args()
    found = _measured_before(given.results) if given.results else _measured_now(given)
    if given.json:
        sys.stdout.write(json.dumps(_as_json(found), indent=1) + "\n")
    if given.write:
        PAGE.write_text(page(found), encoding="utf-8")
    if not given.json and not given.write:
        sys.stdout.write(page(found))
    return 0


def _measured_before(files: Iterable[Path]) -> list[Measured]:
    read = [json.loads(file.read_text(encoding="utf-8"))["files"] for file in files]
    return [
        Measured(**{**each, "errors": tuple(each["errors"]), "messages": tuple(each["messages"])})
        for found in read
        for each in found
    ]


def _measured_now(given: argparse.Namespace) -> list[Measured]:
    with tempfile.TemporaryDirectory() as folder:
        corpora = list(_named(given.paths))
        if not given.only:
            corpora += [kept_exports(Path(folder)), onnx_tests(_subfolder(folder))]
        return measure(corpora, given.runtime, Verdicts(given.verdicts), given.part)


def _installed() -> list[str]:
    return [name for name in LEVELS if known_backends()[name].module is not None]


def _named(texts: Iterable[str]) -> Iterator[Corpus]:
    """Corpora of the command line; those of one name are one."""
    files: dict[str, list[Path]] = defaultdict(list)
    for text in texts:
        name, _, path = text.rpartition("=")
        files[name or FOREIGN] += corpus(Path(path)).files
    return (Corpus(name, tuple(paths)) for name, paths in files.items())


def _subfolder(folder: str) -> Path:
    path = Path(folder) / "node"
    path.mkdir()
    return path


def _as_json(found: Sequence[Measured]) -> dict[str, Any]:
    figures = [
        {"runtime": runtime, "corpus": corpus, "held_out": held_out, **Tally(files).figures()}
        for runtime, mine in _by(found, "runtime").items()
        for corpus, every in _by(mine, "corpus").items()
        for held_out, files in sorted(_by(every, "held_out").items())
    ]
    return {"figures": figures, "files": [asdict(each) for each in found]}


if __name__ == "__main__":
    sys.exit(main())
