"""The command: `python -m tests.fuzz --seed 0 --count 5000`."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.batches import PROCESSOR, try_all
from tests.fuzz.mutants import mutant


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="another seed, other mutants")
    parser.add_argument("--count", type=int, default=5000, help="how many mutants")
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--keep", type=Path, help="folder for one mutant of each kind of failure")
    parser.add_argument("--processor", type=int, default=PROCESSOR, help="seconds for one mutant")
    parser.add_argument("--jobs", type=int, default=1, help="how many at once")
    given = parser.parse_args()
    numbers = range(given.first, given.first + given.count)
    kinds: Counter[str] = Counter()
    started = time.monotonic()
    for number, failure in try_all(given.seed, numbers, processor=given.processor, jobs=given.jobs):
        kinds[failure.kind] += 1
        if kinds[failure.kind] == 1:
            print(f"{given.seed}/{number}: {failure.kind}", flush=True)
            if given.keep is not None:
                _keep(given.keep, given.seed, number, failure.kind, failure.detail)
    seconds = time.monotonic() - started
    failed = sum(kinds.values())
    print(f"{given.count} mutants, {failed} failures of {len(kinds)} kinds, {seconds:.0f} s")
    for kind, count in kinds.most_common():
        print(f"{count:6} {kind}")
    return min(len(kinds), 1)


def _keep(folder: Path, seed: int, number: int, kind: str, detail: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    made = mutant(seed, number)
    path = (
        folder
        / f"{re.sub('[^A-Za-z0-9]+', '-', kind)[:60]}-{seed}-{number}{Path(made.name).suffix}"
    )
    path.write_bytes(made.data)
    path.with_name(f"{path.name}.txt").write_text(
        f"{kind}\n\n{detail[-4000:]}\n", encoding="utf-8", errors="replace"
    )


if __name__ == "__main__":
    sys.exit(main())
