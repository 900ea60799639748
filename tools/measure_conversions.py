"""Counts how `modellint diff` answers about ONNX models and what vendors' tools made of them.

A true conversion has no differences; where it has some, the converter has written something in
another way. Then one attribute of the ONNX model is altered by the rules of
tests/diff/conversions.py: that has to be named, and nothing else besides what was there before.

    python tools/measure_conversions.py FOLDER [--show] [--openvino]

The folder has NAME.onnx, and next to it conversions: NAME.*, NAME_*. With `--openvino`, each ONNX
model is also converted by OpenVINO's own converter.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import onnx

sys.path.insert(0, str(Path(__file__).parents[1]))

from modellint.differ.matching import match_models
from modellint.differ.nodes import node_difference
from modellint.formats import read_model
from modellint.results.difference import NodeDifference
from tests.diff.conversions import ALTERATIONS
from tests.diff.pairs import name_nodes

FORMATS = (".xml", ".tflite", ".pt2", ".mlpackage", ".mlmodel")


def nodes(old: Path, new: Path) -> NodeDifference:
    return node_difference(match_models(read_model(old), read_model(new)), converted=False)


def named(found: NodeDifference) -> Counter[tuple[str, str]]:
    """Return each node that changed, and what of it; and those of one model alone."""
    names = [(each.new.name, aspect.name) for each in found.changed for aspect in each.attributes]
    names += [(each.new.name, "replaced") for each in found.replaced]
    names += [(each.name, "added") for each in found.added]
    names += [(each.name, "removed") for each in found.removed]
    return Counter(names)


def conversions(path: Path, folder: Path, *, openvino: bool) -> Iterator[Path]:
    for other in sorted(path.parent.glob(f"{path.stem}*")):
        if other.suffix in FORMATS and other.stem.removeprefix(path.stem)[:1] in ("", "_"):
            yield other
    if openvino:
        import openvino as ov

        ov.save_model(ov.convert_model(path), folder / "model.xml", compress_to_fp16=False)
        yield folder / "model.xml"


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def measure(
    path: Path, folder: Path, given: argparse.Namespace, counts: Counter[tuple[str, str]]
) -> None:
    model = onnx.load(path)
    name_nodes(model)
    del model.graph.value_info[:]
    plain = folder / "plain.onnx"
    onnx.save(model, plain)
    for other in conversions(path, folder, openvino=given.openvino):
        before = named(nodes(other, plain))
        kind = other.suffix
        counts[kind, "converted"] += 1
        counts[kind, "same"] += not before
        say(f"{other.name}: {sum(before.values())} differences")
        if before and given.show:
            say(f"    {Counter(what for _, what in before)}")
        for rule, alter in ALTERATIONS.items():
            changed = onnx.ModelProto()
            changed.CopyFrom(model)
            altered = alter(changed, random.Random(f"{path.name} {rule}"))  # noqa: S311
            if altered is None:
                continue
            onnx.save(changed, folder / "altered.onnx")
            after = named(nodes(other, folder / "altered.onnx"))
            counts[rule, "asked"] += 1
            expected = altered.node, altered.aspect
            is_named = after[expected] > 0
            counts[rule, "named"] += is_named
            is_alone = is_named and after - before == Counter([expected])
            counts[rule, "alone"] += is_alone and not before - after
            if not (is_named and is_alone) and given.show:
                say(f"    {rule}: {altered}; answer {dict(after - before)}, {dict(before - after)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--openvino", action="store_true")
    given = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(given.folder.glob("*.onnx")):
            if not given.names or path.stem in given.names:
                measure(path, Path(folder), given, counts)
    for kind in FORMATS:
        if counts[kind, "converted"]:
            say(f"{kind:16} {counts[kind, 'same']:4} of {counts[kind, 'converted']} the same")
    for rule in ALTERATIONS:
        asked, right, alone = (counts[rule, what] for what in ("asked", "named", "alone"))
        say(f"{rule:16} {right:4} of {asked} named, {alone} of them alone")
    return 0


if __name__ == "__main__":
    sys.exit(main())
