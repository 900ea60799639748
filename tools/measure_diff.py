"""Counts how often `modellint diff` finds exactly what differs, over folders of models.

Each model is changed by the rules of tests/diff/pairs.py, which say what is to be found.

    python tools/measure_diff.py FOLDER_OR_FILE... [--rules NAME,...] [--most NODES] [--show]
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import onnx

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.diff.answers import answer_of
from tests.diff.pairs import RULES, name_nodes

HELD_OUT = "01234"
"""First digits of the digest of a file's name: such files are not looked at while developing."""
LARGEST = 1 << 30


def models(paths: list[str], *, held_out: bool) -> Iterator[Path]:
    for given in map(Path, paths):
        if given.suffix == ".txt":
            found = [Path(line) for line in given.read_text().split("\n") if line]
        else:
            found = sorted(given.rglob("*.onnx")) if given.is_dir() else [given]
        for path in found:
            digit = hashlib.sha256(path.name.encode()).hexdigest()[0]
            if (digit in HELD_OUT) == held_out:
                yield path


def loaded(path: Path) -> onnx.ModelProto | None:
    try:
        if path.stat().st_size > LARGEST:
            return None
        return onnx.load(path, load_external_data=False)
    except Exception:  # whatever is wrong with a third-party file
        return None


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--rules", default=",".join(RULES).replace(", ", "/"))
    parser.add_argument("--most", type=int, default=5000, help="largest number of nodes")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--show", action="store_true", help="print what was found wrongly")
    parser.add_argument("--seconds", type=float, default=500)
    given = parser.parse_args()
    rules = [name.replace("/", ", ") for name in given.rules.split(",")]
    right: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    started = time.monotonic()
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in models(given.paths, held_out=given.held_out):
            if time.monotonic() - started > given.seconds:
                say(f"out of time before {path}")
                break
            model = loaded(path)
            if model is None or not 0 < len(model.graph.node) <= given.most:
                continue
            count += 1
            name_nodes(model)
            old = Path(folder) / "old.onnx"
            onnx.save(model, old)
            for name in rules:
                changed = onnx.ModelProto()
                changed.CopyFrom(model)
                expected = RULES[name](changed, random.Random(f"{path.name} {name}"))  # noqa: S311
                if expected is None:
                    continue
                new = Path(folder) / "new.onnx"
                onnx.save(changed, new)
                answer = answer_of(old, new)
                asked[name] += 1
                right[name] += answer == expected
                if answer != expected and given.show:
                    say(f"{path} [{name}]\n  expected {expected}\n  answer   {answer}")
    say(f"{count} models")
    for name in rules:
        if asked[name]:
            say(f"{name:32} {right[name]:5} of {asked[name]:5}")
    total, correct = sum(asked.values()), sum(right.values())
    say(f"{'all':32} {correct:5} of {total:5}  {correct / max(total, 1):.2%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
