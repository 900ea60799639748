"""Writes the gallery of HTML reports: `make gallery`, then open build/gallery/index.html.

Its models are real architectures whose weights are holes, or made by rule, so nothing has to be
downloaded. With a browser installed, it also takes the pictures of docs/gallery.md, and the one of
the README, `docs/images/report.png`.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import gallery_models  # noqa: E402

from modellint.browser import Browser, find_browser  # noqa: E402
from tests.diff.sample import prepare as prepare_diff  # noqa: E402
from tests.exports import materialise  # noqa: E402

GALLERY = ROOT / "build" / "gallery"
PICTURE = ROOT / "docs" / "images" / "report.png"
PICTURES = ROOT / "docs" / "images" / "gallery"
DOCS = ROOT / "docs" / "gallery.md"
WIDTH, HEIGHT, SCALE, QUALITY = 1180, 820, 0.5, 62
"""Window of a picture, its size as a share of that, and the quality of WebP."""


@dataclass(frozen=True)
class GalleryPage:
    """A page: what it shows, the command that writes it, and what its picture shows."""

    title: str
    says: str
    arguments: Sequence[str]
    view: str = ""
    """JavaScript before the picture is taken; `view` is the graph."""


GRAPH = "document.querySelector('[data-nav=Graph]').scrollIntoView();"
CHARTS = "document.querySelector('[data-nav=Charts]').scrollIntoView();"
BY = "view.colorBy.value = '{0}'; view.way = view.ways.find(w => w.key === '{0}'); view.repaint();"
DETECTORS = [f"yolo-{precision}.onnx" for precision in ("fp32", "fp16", "int8")]
PAGES = {
    "resnet50": GalleryPage(
        "ResNet-50 on an A10",
        "Findings, and what to do first.",
        ["check", "{resnet50}", "-t", "a10"],
    ),
    "bert": GalleryPage(
        "BERT base on an A10",
        "Where the work is, and the time: every chart has a table that says the same.",
        ["inspect", "{bert_base_uncased}", "-t", "a10", "--quant"],
        CHARTS,
    ),
    "yolo": GalleryPage(
        "A detector in three precisions",
        "Several models on one page: a table, and a page for each.",
        ["inspect", *DETECTORS, "-t", "jetson-orin-nano-8gb", "--quant"],
    ),
    "engine": GalleryPage(
        "An engine against its model",
        "Hulls around the nodes that became one layer. The export of layers is made up: engines "
        "can only be read where there is a GPU.",
        ["inspect", "resnet18.onnx", "--layers", "layers.json", "-t", "rtx-4090", "--batch", "1"],
        GRAPH + BY.format("engine") + "view.fused.click(); view.toggle(0); view.selectNode(0);",
    ),
    "diff": GalleryPage(
        "A network before and after an edit",
        "Added in green, changed in yellow, removed in red.",
        ["diff", "convolutional.onnx", "edited.onnx", "-t", "a10"],
        GRAPH,
    ),
    "decoder-70b": GalleryPage(
        "A decoder with 70 billion parameters",
        "A folder of Hugging Face: memory by context, and the devices that it fits.",
        ["inspect", "llama-70b", "-t", "h100-sxm,h200,mi300x"],
    ),
    "llama": GalleryPage(
        "A small decoder as ONNX",
        "Its cache is an input and an output of the graph.",
        ["inspect", "{llama}", "-t", "rtx-4090"],
        GRAPH,
    ),
    "npu": GalleryPage(
        "MobileNet V2 on a phone's NPU",
        "Which part runs where, and why.",
        ["inspect", "{mobilenet_v2}", "-t", "snapdragon-8-gen-3", "--placement", "--batch", "1"],
    ),
    "devices": GalleryPage(
        "YOLOS on NVIDIA's devices",
        "Memory and time on each of them.",
        ["inspect", "{yolos_tiny}", "-t", "nvidia"],
        CHARTS,
    ),
    "examples": GalleryPage(
        "A folder of broken models",
        "A table of all, which any column sorts.",
        ["check", "examples", "-t", "a10"],
    ),
}
README_VIEW = f"""{BY.format("macs")}
  view.toggle(0);
  view.toggle(3);
  const heaviest = view.graph.inside[3].reduce(
    (a, b) => view.way.of(a) >= view.way.of(b) ? a : b);
  view.select(heaviest);
  view.show(heaviest);
  view.zoom(0.7);
  scrollTo(0, 0);"""
READY = """(async () => {
  const host = document.querySelector("article:not([hidden]) [data-graph]");
  if (host) host.scrollIntoView();
  while (host && !host.view) await new Promise(done => setTimeout(done, 20));
  const view = host?.view;
  scrollTo(0, 0);
  %s
  await new Promise(done => setTimeout(done, 300));
})()"""
INTRODUCTION = """\
`make gallery` writes these pages to `build/gallery/`, with an index. Nothing is downloaded: the
models are real architectures whose weights are holes, or made by rule.
[html-report.md](html-report.md) says what is on a page."""
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 76rem; margin: 2rem auto; padding: 0 1.2rem; }
ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1.6rem; }
ul { padding: 0; list-style: none; }
img { width: 100%; border: 1px solid #8884; border-radius: 10px; }
a { font-weight: 600; } p { margin: .2rem 0; opacity: .8; }
"""


def main() -> None:
    GALLERY.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gallery_models.detector(folder)
        gallery_models.decoder(folder)
        shutil.copytree(ROOT / "examples", folder / "examples")
        prepare_diff(folder)
        gallery_models.engine_layers(materialise("resnet18", folder))
        for key, page in PAGES.items():
            write(key, [_model(each, folder) for each in page.arguments], folder)
    if find_browser() is not None:
        take_pictures()
    (GALLERY / "index.html").write_text(index(), encoding="utf-8")
    DOCS.write_text(docs(), encoding="utf-8")


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


def take_pictures() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with Browser.start() as browser:
        for key, page in PAGES.items():
            shown = browser.open()
            shown.resize(WIDTH, HEIGHT, scale=SCALE)
            shown.show(scheme="light", still=True)
            shown.go((GALLERY / f"{key}.html").as_uri())
            shown.evaluate(READY % page.view)
            taken = shown.command("Page.captureScreenshot", format="webp", quality=QUALITY)
            (PICTURES / f"{key}.webp").write_bytes(base64.b64decode(taken["data"]))
            shown.close()
        opened = browser.open()
        opened.resize(WIDTH, 1240)
        opened.show(scheme="light", still=True)
        opened.go((GALLERY / "bert.html").as_uri())
        opened.evaluate(READY % README_VIEW)
        PICTURE.write_bytes(opened.screenshot())


def index() -> str:
    """Return a page that leads to all others."""
    entries = []
    for key, page in PAGES.items():
        file = PICTURES / f"{key}.webp"
        picture = base64.b64encode(file.read_bytes()).decode() if file.exists() else ""
        shown = f'<img alt="" src="data:image/webp;base64,{picture}">' if picture else ""
        link = f'<a href="{key}.html">{shown}{escape(page.title)}</a>'
        entries.append(f"<li>{link}<p>{escape(page.says)}</p></li>")
    head = f'<meta charset="utf-8"><title>Gallery</title><style>{STYLE}</style>'
    body = f"<h1>Reports of modellint</h1><ul>{''.join(entries)}</ul>"
    return f'<!doctype html><html lang="en">{head}{body}</html>\n'


def docs() -> str:
    """Return the page of the documentation, with the command that each report is from."""
    parts = ["# A gallery of HTML reports", INTRODUCTION]
    for key, page in PAGES.items():
        command = " ".join(each.strip("{}") for each in page.arguments)
        for name in ("resnet50", "bert_base_uncased", "llama", "mobilenet_v2", "yolos_tiny"):
            command = command.replace(f" {name} ", f" {name}.onnx ")
        parts += [
            f"## {page.title}",
            page.says,
            f"```console\n$ modellint {command} -o html:{key}.html\n```",
            f"![{page.title}](images/gallery/{key}.webp)",
        ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
