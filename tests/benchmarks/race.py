"""Whole processes, timed side by side, with the most memory that each of them held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

NOISE = 1.25
"""Factor by which other programs can change a ratio of processor times."""
CHECKER = "import sys, onnx, onnx.checker; onnx.checker.check_model(onnx.load(sys.argv[1]))"
GRAPH_CHECKER = CHECKER.replace("sys.argv[1]", "sys.argv[1], load_external_data=False")
BY_NAMES = """
import sys, onnx
old, new = ({n.name: n.SerializeToString() for n in onnx.load(p).graph.node} for p in sys.argv[1:])
print(len(old.keys() ^ new.keys()), sum(old[name] != new[name] for name in old.keys() & new.keys()))
"""
"""The usual script without a tool, to which all nodes of a renamed model are others."""
DOCTOR = "import sys; from onnx_doctor._cli import main; sys.exit(main())"
STOPWATCH = """
import json, subprocess, sys, time
try:
    from resource import RUSAGE_CHILDREN, getrusage
except ImportError:
    getrusage = None
started = time.perf_counter()
code = subprocess.call(sys.argv[1:], stdout=sys.stderr)
seconds = time.perf_counter() - started
used = getrusage(RUSAGE_CHILDREN) if getrusage else None
processor = used.ru_utime + used.ru_stime if used else seconds
print(json.dumps([code, seconds, processor, used.ru_maxrss if used else 0]))
"""
"""A small process between: a child's peak counts what its parent held when it was started."""


@dataclass
class Contender:
    """One program, and what its runs took."""

    name: str
    command: Sequence[str | Path]
    seconds: list[float] = field(default_factory=list)
    processor_seconds: list[float] = field(default_factory=list)
    peak_mib: float = 0.0

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def processor(self) -> float:
        """The time of all processors, which other programs on the machine disturb less."""
        return median(self.processor_seconds)

    def forget(self) -> None:
        self.seconds.clear()
        self.processor_seconds.clear()

    def run(self, environment: Mapping[str, str]) -> None:
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-S", "-c", STOPWATCH, sys.executable, *self.command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        code, seconds, processor, peak = json.loads(done.stdout)
        assert code in (0, 1), done.stderr
        assert 0 < seconds < time.perf_counter() - started
        self.seconds.append(seconds)
        self.processor_seconds.append(processor)
        self.peak_mib = max(self.peak_mib, peak / (1 << 20 if sys.platform == "darwin" else 1024))


def modellint(*arguments: str | Path) -> Contender:
    return Contender("modellint", ["-m", "modellint", *arguments])


def lint(*paths: Path) -> Contender:
    """Every rule, with nothing remembered from an earlier run."""
    return modellint("check", *paths, "--select", "ALL", "--no-cache", "--isolated")


def lint_for_device(*paths: Path) -> Contender:
    """The same for a device, whose memory and speed no peer asks about."""
    ours = lint(*paths)
    return Contender(f"{ours.name} --target a10", [*ours.command, "--target", "a10"])


def checker(path: Path) -> Contender:
    return Contender("onnx.load + onnx.checker", ["-c", CHECKER, path])


def graph_checker(path: Path) -> Contender:
    return Contender("onnx.checker, graph alone", ["-c", GRAPH_CHECKER, path])


def doctor(*paths: Path) -> Contender:
    return Contender("onnx-doctor", ["-c", DOCTOR, "check", *paths])


def difference(old: Path, new: Path) -> Contender:
    return modellint("diff", old, new, "--isolated", "-o", "concise", "--fail-on", "never")


def by_names(old: Path, new: Path) -> Contender:
    return Contender("onnx.load + nodes by name", ["-c", BY_NAMES, old, new])


def race(benchmark: Any, ours: Contender, *peers: Contender, rounds: int) -> None:
    """Run all in turn, so that whatever else the machine does hits each of them alike."""
    environment = _environment()
    for contender in (ours, *peers):
        contender.run(environment)  # the first run compiles bytecode and fills the file cache
        contender.forget()

    def others() -> None:
        for peer in peers:
            peer.run(environment)

    benchmark.pedantic(ours.run, args=(environment,), setup=others, rounds=rounds)
    for contender in (ours, *peers):
        benchmark.extra_info[contender.name] = {
            "median": contender.median,
            "processor": contender.processor,
            "share": ours.processor / contender.processor,
            "peak_mib": contender.peak_mib,
        }


def _environment() -> dict[str, str]:
    """As an installed program has it: with its bytecode kept."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": os.environ["MODELLINT_CACHE_DIR"]}
