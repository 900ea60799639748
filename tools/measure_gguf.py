"""Compares errors in GGUF files with llama.cpp: small models, and mutants of them.

    python tools/measure_gguf.py [ARCHITECTURE ...] [--write]

llama.cpp comes with xllamacpp (`pip install xllamacpp`); each file is loaded in a process of its
own, because many mistakes end it. Prints how many errors llama.cpp confirms (precision), how many
of its refusals are predicted (recall), and every disagreement. With ``--write``, verdicts on the
examples of rules and the sums are kept in tests/data/gguf/verdicts.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from modellint.engine import lint_file
from modellint.formats.gguf.notation import SMALL_LLAMA, encode
from modellint.plan import Plan
from modellint.results.finding import Severity
from modellint.rules.registry import load_rules, with_examples
from modellint.rules.rule import Rule
from modellint.targets.deployment import Deployment

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "tests/data/gguf"
VERDICTS = MODELS / "verdicts.json"
LOADER = """
import json, os, select, signal, sys, time, xllamacpp

def load(path):
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_ctx = params.n_batch = params.n_ubatch = 64
    params.n_parallel = 1
    params.warmup = params.fit_params = False
    params.check_tensors = True
    try:
        server = xllamacpp.Server(params)
    except RuntimeError:
        os._exit(1)
    os.write(1, b"it is loaded")
    os._exit(0)

for line in sys.stdin:
    receiving, sending = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(sending, 1), os.dup2(sending, 2)
        load(line.strip())
    os.close(sending)
    said, end = b"", time.monotonic() + 10
    while b"it is loaded" not in said and time.monotonic() < end:
        if select.select([receiving], [], [], 0.5)[0]:
            more = os.read(receiving, 1 << 16)
            if not more:
                break
            said += more
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(receiving)
    print(json.dumps(said.decode(errors="replace")), flush=True)
"""
REASON = re.compile(
    r"error loading model: (.*)|gguf_init_from_\w+: (.*)|GGML_ASSERT\((.*)\) failed"
    r"|what\(\):\s+(.*)|\.cpp:\d+: (.*)"
)
SECURITY = "GGF038"
"""Rule about what a loader takes without a word."""


class Verdict(NamedTuple):
    """Answer of llama.cpp."""

    loads: bool
    reason: str


class Case(NamedTuple):
    """A file in the notation of examples."""

    name: str
    text: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("architectures", nargs="*")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--examples", action="store_true", help="no mutants; keep their sums")
    options = parser.parse_args()
    if options.examples:
        known = json.loads(VERDICTS.read_text())
        keep(known["mutants"])
        return
    names = options.architectures or sorted(path.stem for path in MODELS.glob("*.txt"))
    cases = [case for name in names for case in mutants(name, text_of(name))]
    say(f"{len(cases)} files of {', '.join(names)}")
    sums = measure(cases)
    if options.write:
        keep(sums)


def keep(sums: dict[str, int]) -> None:
    found = {"llama.cpp": version(), "mutants": sums, "examples": verdicts_on_examples()}
    VERDICTS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def text_of(name: str) -> str:
    """Return the model without references to others, so that every line can be changed."""
    text = (MODELS / f"{name}.txt").read_text()
    if text.strip() == "small llama":
        return SMALL_LLAMA.strip()
    return text.strip()


def mutants(name: str, text: str) -> Iterator[Case]:
    """Iterate over the model and what becomes of it with one line changed."""
    yield Case(name, text)
    lines = text.splitlines()
    for index, line in enumerate(lines):
        for change, new in changes(line):
            changed = [*lines[:index], *new, *lines[index + 1 :]]
            yield Case(f"{name}: {change} {line.split()[0]}", "\n".join(changed))
    for size in (1, 40, 1000):
        yield Case(f"{name}: shorter by {size}", f"{text}\nshorter by {size}")
    yield Case(f"{name}: big-endian", f"big-endian\n{text}")
    yield Case(f"{name}: version 1", f"{text}\nversion 1")
    yield Case(f"{name}: version 4", f"{text}\nversion 4")
    yield Case(f"{name}: repeated key", f"{text}\nrepeat general.architecture")
    for stated in ("0", "24", "64", "4294967295"):
        yield Case(f"{name}: alignment {stated}", f"{text}\ngeneral.alignment = {stated}")
    for scaling in ("yarn", "llama3", "dynamic"):
        entry = f'{name}.rope.scaling.type = "{scaling}"'
        yield Case(f"{name}: rope scaling {scaling}", f"{text}\n{entry}")


def changes(line: str) -> Iterator[tuple[str, list[str]]]:
    """Iterate over what may become of a line."""
    yield "without", []
    key, is_entry, value = line.partition(" = ")
    if is_entry:
        yield from changes_of_value(key, value)
        return
    name, _, rest = line.partition(": ")
    kind, _, dims = rest.partition(" ")
    sizes = [int(size) for size in re.findall(r"\d+", dims.partition("]")[0])]
    yield "renamed", [f"{name}x: {rest}"]
    yield "twice", [line, f"{line} again"]
    yield "at 8", [f"{name}: {kind} {sizes} at 8"]
    yield "of no type", [f"{name}: type99 {sizes}"]
    yield "of 4 bits", [f"{name}: Q4_K {sizes}"]
    yield "of F16", [f"{name}: F16 {sizes}"]
    for place, size in enumerate(sizes):
        for other in (size + 32, size // 2, -size):
            changed = [*sizes[:place], other, *sizes[place + 1 :]]
            yield f"dim {place} {other} of", [f"{name}: {kind} {changed}"]
    yield "one more dim of", [f"{name}: {kind} {[*sizes, 2]}"]
    if kind == "F32":
        yield "NaN in", [f"{name}: F32 {sizes} of 0000c07f"]
        yield "infinity in", [f"{name}: F32 {sizes} of 0000807f"]


def changes_of_value(key: str, value: str) -> Iterator[tuple[str, list[str]]]:
    if value.startswith("texts * ") or "] * " in value:
        start, _, count = value.rpartition(" * ")
        for other in (int(count) - 1, int(count) + 5, 1, 0):
            yield f"{other} of", [f"{key} = {start} * {other}"]
        yield "numbers in", [f"{key} = [1] * {count}"]
        yield "reals in", [f"{key} = [1.0] * {count}"]
        yield "scalar", [f"{key} = 1"]
        return
    stated: Any = json.loads(value)
    if isinstance(stated, bool):
        yield "number", [f"{key} = 1"]
    elif isinstance(stated, int):
        for other in {0, 1, 3, stated * 2, stated + 1, 100_000, 2**32 - 1} - {stated}:
            yield f"{other} for", [f"{key} = {other}"]
        for kind in ("i32", "u64", "u16", "f32"):
            yield f"{kind} for", [f"{key} ({kind}) = {stated}"]
        yield "text for", [f'{key} = "{stated}"']
        yield "array for", [f"{key} = [{stated}]"]
    elif isinstance(stated, float):
        yield "f64 for", [f"{key} (f64) = {stated}"]
        yield "whole", [f"{key} = 1"]
    elif isinstance(stated, str):
        yield "other text for", [f'{key} = "{stated[:-1]}x"']
        yield "no text for", [f'{key} = ""']
        yield "number for", [f"{key} = 1"]
    else:
        yield "empty", [f"{key} = []"]


def measure(cases: list[Case]) -> dict[str, int]:
    rules = tuple(load_rules().values())
    counts: Counter[str] = Counter()
    llama = LlamaCpp()
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.gguf")
            path.write_bytes(encode(case.text))
            codes = sorted(errors(path, rules) - {SECURITY})
            verdict = llama.ask(path)
        kind = ("refused" if codes else "passed") + (" loads" if verdict.loads else " not")
        counts[kind] += 1
        if bool(codes) is verdict.loads:
            said = " ".join(codes) or "nothing"
            say(f"{case.name}\n    we: {said}\n    llama.cpp: {verdict.reason or 'loads'}")
    confirmed, wrong = counts["refused not"], counts["refused loads"]
    missed = counts["passed not"]
    say(f"errors confirmed {confirmed}, wrong {wrong}, missed {missed}")
    say(f"precision {confirmed / max(confirmed + wrong, 1):.1%}")
    say(f"recall {confirmed / max(confirmed + missed, 1):.1%}")
    return {"files": len(cases), "confirmed": confirmed, "wrong": wrong, "missed": missed}


def errors(path: Path, rules: tuple[Rule, ...]) -> set[str]:
    """Return the codes of errors in a file, and of what is not read at all."""
    findings = lint_file(path, path.name, Plan(rules=rules, deployments=(Deployment(),))).findings
    return {
        each.code
        for each in findings
        if each.severity >= Severity.ERROR or each.code in ("GGF011", "FIL009")
    }


class LlamaCpp:
    """A process that loads each file in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", LOADER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "GGML_NO_BACKTRACE": "1"},
        )

    def ask(self, path: Path) -> Verdict:
        """Return the verdict on a file."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the process has no pipes")
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        said: str = json.loads(self._process.stdout.readline())
        if "it is loaded" in said:
            return Verdict(True, "")
        match = REASON.search(said)
        reason = next((group for group in match.groups() if group), "") if match else ""
        return Verdict(False, reason.strip()[:200] or "it ends without a reason")


def verdicts_on_examples() -> dict[str, dict[str, Any]]:
    """Return the verdict on every example of the rules about GGUF files."""
    verdicts = {}
    llama = LlamaCpp()
    for rule in map(with_examples, load_rules().values()):
        if rule.dialect == "gguf":
            for kind in ("invalid", "valid"):
                for number, example in enumerate(getattr(rule.examples, kind)):
                    with tempfile.TemporaryDirectory() as folder:
                        for name, content in example.files.items():
                            Path(folder, name).write_bytes(encode(content.partition(":")[2]))
                        verdict = llama.ask(Path(folder, next(iter(example.files))))
                    verdicts[f"{rule.code}-{kind}-{number}"] = verdict._asdict()
    return verdicts


def version() -> str:
    return f"that of xllamacpp {metadata.version('xllamacpp')}"


if __name__ == "__main__":
    main()
