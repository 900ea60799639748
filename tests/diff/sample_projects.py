"""The pages that docs/diff-projects.md shows. `python -m tests.diff.sample_projects` writes them
again; of a page that ends in `...`, the page begins with what is shown."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from tests.diff.language_models import convert, save_folder, weights
from tests.diff.sample import BLOCK, run
from tests.diff.sample import prepare as prepare_models
from tests.revisions.test_revisions import git
from tests.support import ROOT

DOCS = ROOT / "docs" / "diff-projects.md"
CUT = "...\n"


def prepare(folder: Path) -> None:
    """Put the models that the page names into a folder, which is a git repository."""
    prepare_models(folder)
    for name in ("models", "v1", "v2"):
        (folder / name).mkdir()
    small, edited = folder / "convolutional.onnx", folder / "edited.onnx"
    git(folder, "init", "-q", "-b", "main")
    shutil.copyfile(small, folder / "models/detector.onnx")
    git(folder, "add", "models")
    git(folder, "commit", "-q", "-m", "Add the detector")
    shutil.copyfile(edited, folder / "models/detector.onnx")
    shutil.copyfile(folder / "encoder.onnx", folder / "v1/encoder.onnx")
    shutil.copyfile(folder / "encoder.onnx", folder / "v2/text.onnx")
    shutil.copyfile(small, folder / "v1/detector.onnx")
    shutil.copyfile(folder / "int8.onnx", folder / "v2/detector.onnx")
    shutil.copyfile(edited, folder / "v2/experiment.onnx")
    save_folder(folder / "llama", weights())
    convert(folder / "llama-Q4_0.gguf", weights(), "Q4_0")
    for name, accuracy in (("a", 0.912), ("b", 0.909), ("c", 0.871)):
        (folder / f"{name}.json").write_text(json.dumps({"accuracy": accuracy}))


def fitting(command: str, shown: str, folder: Path) -> str:
    """Return what the program prints, cut where the page cuts it."""
    command, _, word = command.partition(" | grep ")
    printed = run(command, folder)
    if word:
        return "".join(line for line in printed.splitlines(keepends=True) if word in line)
    if not shown.endswith(CUT):
        return printed
    lines = shown.count("\n") - 1
    return "".join(printed.splitlines(keepends=True)[:lines]) + CUT


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        text = BLOCK.sub(
            lambda found: (
                f"```console\n$ modellint {found[1]}\n{fitting(found[1], found[2], folder)}```\n"
            ),
            DOCS.read_text(encoding="utf-8"),
        )
    DOCS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
