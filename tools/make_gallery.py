"""Writes the gallery of HTML reports: `make gallery`, then open build/gallery/index.html.

Its models are real architectures whose weights are holes, so nothing has to be downloaded.
With a browser installed, it also takes the picture of the README, `docs/images/report.png`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from modellint.browser import Browser, find_browser  # noqa: E402
from tests.exports import materialise  # noqa: E402

GALLERY = ROOT / "build" / "gallery"
PICTURE = ROOT / "docs" / "images" / "report.png"
DIFF = ROOT / "tests" / "data" / "diff"
PAGES = {
    "resnet50": ("ResNet-50 on an A10", ["check", "{resnet50}", "-t", "a10"]),
    "bert": ("BERT base on an A10", ["inspect", "{bert_base_uncased}", "-t", "a10", "--quant"]),
    "npu": (
        "MobileNet V2 on a phone's NPU",
        ["inspect", "{mobilenet_v2}", "-t", "snapdragon-8-gen-3", "--placement", "--batch", "1"],
    ),
    "devices": ("YOLOS on NVIDIA's devices", ["inspect", "{yolos_tiny}", "-t", "nvidia"]),
    "llama": ("A decoder with its cache", ["inspect", "{llama}", "-t", "rtx-4090"]),
    "diff": (
        "An encoder, exported twice",
        ["diff", f"{DIFF}/encoder_torchscript.onnx", f"{DIFF}/encoder_dynamo.onnx", "-t", "a10"],
    ),
    "examples": ("A folder of broken models", ["check", str(ROOT / "examples"), "-t", "a10"]),
}
"""Title and arguments of each page."""

VIEW = """(async () => {
  const host = document.querySelector("[data-graph]");
  host.scrollIntoView();
  while (!host.view) await new Promise(done => setTimeout(done, 20));
  const view = host.view;
  view.way = view.ways.find(way => way.key === "macs");
  view.colorBy.value = "macs";
  view.repaint();
  view.toggle(0);
  view.toggle(3);
  const heaviest = view.graph.inside[3].reduce(
    (a, b) => view.way.of(a) >= view.way.of(b) ? a : b);
  view.select(heaviest);
  view.show(heaviest);
  view.zoom(0.7);
  scrollTo(0, 0);
  await new Promise(done => setTimeout(done, 300));
})()"""


def main() -> None:
    GALLERY.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for key, (_, arguments) in PAGES.items():
            write(key, [_model(each, Path(folder)) for each in arguments], Path(folder))
    listed = "".join(
        f'<li><a href="{key}.html">{escape(title)}</a>' for key, (title, _) in PAGES.items()
    )
    index = f"<!doctype html><meta charset=utf-8><title>Gallery</title><ul>{listed}</ul>\n"
    (GALLERY / "index.html").write_text(index, encoding="utf-8")
    if find_browser() is not None:
        take_picture(GALLERY / "bert.html")


def write(key: str, arguments: list[str], folder: Path) -> None:
    verb, *rest = arguments
    command = [sys.executable, "-m", "modellint", verb, *rest, "--isolated"]
    output = ["-o", f"html:{GALLERY / key}.html"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    ended = subprocess.run([*command, *output], env=environment, cwd=folder, check=False)
    if ended.returncode not in (0, 1):
        raise SystemExit(f"{key}: exit code {ended.returncode}")


def _model(argument: str, folder: Path) -> str:
    if not argument.startswith("{"):
        return argument
    return materialise(argument.strip("{}"), folder).name


def take_picture(page: Path) -> None:
    with Browser.start() as browser:
        opened = browser.open()
        opened.resize(1180, 1240)
        opened.show(scheme="light", still=True)
        opened.go(page.as_uri())
        opened.evaluate(VIEW)
        PICTURE.write_bytes(opened.screenshot())


if __name__ == "__main__":
    main()
