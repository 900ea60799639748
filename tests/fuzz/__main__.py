"""The command: `python -m tests.fuzz --seed 0 --count 5000`."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

from tests.fuzz.batches import PROCESSOR, Make, Tried, try_all, try_batch, warm_folder
from tests.fuzz.minimize import minimize
from tests.fuzz.mutants import Mutant, group_of, mutant, read
from tests.fuzz.trial import Failure

PROGRESS = 1000


def main() -> int:
    given = _arguments()
    if given.minimize is not None:
        minimize(given.minimize, given.processor)
        return 0
    make: Make = partial(mutant, given.seed, given.whole)
    numbers = range(given.first, given.first + given.count)
    group = group_of(given.whole)
    if given.files is not None:
        files = sorted(path for path in given.files.iterdir() if path.suffix != ".md")
        make, numbers = lambda number: read(files[number]), range(len(files))
        group = 1
    return _try(make, numbers, group, given)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="another seed, other mutants")
    parser.add_argument("--count", type=int, default=5000, help="how many mutants")
    parser.add_argument(
        "--whole", type=int, default=1, help="only lint, except one group in so many"
    )
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--files", type=Path, help="a folder of files to try instead")
    parser.add_argument("--keep", type=Path, help="folder for one mutant of each kind of failure")
    parser.add_argument("--processor", type=int, default=PROCESSOR, help="seconds for one mutant")
    parser.add_argument("--jobs", type=int, default=1, help="how many at once")
    parser.add_argument("--worst", type=int, default=0, help="table of as many costly mutants")
    parser.add_argument("--minimize", type=Path, help="a file that fails: make it small")
    return parser.parse_args()


def _try(make: Make, numbers: range, group: int, given: argparse.Namespace) -> int:
    """Try all, print what fails, and return the exit code."""
    kinds: Counter[str] = Counter()
    suffixes: Counter[str] = Counter()
    costs: list[Tried] = []
    started = time.monotonic()
    with warm_folder() as folder:
        every = try_all(make, numbers, folder, group, processor=given.processor, jobs=given.jobs)
        for count, tried in enumerate(every, 1):
            suffixes[tried.suffix] += 1
            for failure in tried.failures:
                kinds[failure.kind] += 1
                if kinds[failure.kind] == 1:
                    _report(failure, make(tried.number), tried.number, given)
            if given.worst:
                costs = _worst([*costs, tried], given.worst)
            if count % PROGRESS == 0:
                print(f"{count} tried, {sum(kinds.values())} failures", flush=True)
        if costs:
            _tabulate(make, costs, folder, given)
    seconds, failed = time.monotonic() - started, sum(kinds.values())
    print(", ".join(f"{count} {suffix or 'dead'}" for suffix, count in suffixes.most_common()))
    print(
        f"{len(numbers)} mutants, {failed} failures of {len(kinds)} kinds, {seconds:.0f} s"
        f" ({_processor_time():.0f} s of processor time)"
    )
    for kind, count in kinds.most_common():
        print(f"{count:6} {kind}")
    return min(len(kinds), 1)


def _processor_time() -> float:
    """Seconds so far, of this process and of those it waited for."""
    spent = os.times()
    return sum(spent[:4])


def _worst(tried: list[Tried], count: int) -> list[Tried]:
    """Return those that took the most time, and those that took the most memory."""
    slow = sorted(tried, key=lambda each: -each.seconds)[:count]
    large = sorted(tried, key=lambda each: -each.memory)[:count]
    return list({each.number: each for each in (*slow, *large)}.values())


def _tabulate(make: Make, costs: list[Tried], folder: Path, given: argparse.Namespace) -> None:
    """Print what the worst ones take, each in a process of its own."""
    alone = [next(try_batch([each.number], make, folder, given.processor, 1)) for each in costs]
    print("   seconds  MB over idle      bytes  mutant")
    for each in sorted(alone, key=lambda each: -each.seconds):
        made = make(each.number)
        memory = each.memory / 1e6
        label = _label(made, each.number, given)
        print(f"{each.seconds:10.2f}  {memory:12.0f}  {len(made.data):9}  {label}", flush=True)


def _label(made: Mutant, number: int, given: argparse.Namespace) -> str:
    return made.name if given.files is not None else f"{given.seed}/{number}"


def _report(failure: Failure, made: Mutant, number: int, given: argparse.Namespace) -> None:
    label = _label(made, number, given)
    print(f"{label}: {failure.kind}", flush=True)
    if given.keep is not None:
        _keep(made, given.keep, f"{failure.kind}-{label}", failure.detail)
    elif given.files is not None:
        print(failure.detail)


def _keep(made: Mutant, folder: Path, label: str, detail: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub("[^A-Za-z0-9]+", "-", label)[:100] + f"-turn-{made.turn}"
    (folder / f"{stem}{Path(made.name).suffix}").write_bytes(made.data)
    (folder / f"{stem}.txt").write_text(detail[-4000:], encoding="utf-8", errors="replace")


if __name__ == "__main__":
    sys.exit(main())
