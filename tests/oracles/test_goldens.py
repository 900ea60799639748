"""Pages look as they did when they were looked at: each section, wide and narrow.

`python -m tests.oracles.test_goldens` writes the pictures again; look at them before committing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from modellint.browser import Browser, BrowserPage, find_browser
from modellint.profiles import write_json
from tests.benching.test_comparing import network
from tests.exports import materialise
from tests.oracles.goldens import (
    FOLDER,
    FONTS,
    LOOSE,
    STRICT,
    Grey,
    difference,
    read_png,
    shrunk,
    widths,
    write_png,
)
from tests.support import ROOT, run_cli

pytestmark = pytest.mark.skipif(find_browser() is None, reason="needs a browser")

DIFF = ROOT / "tests" / "data" / "diff"
PAGES: Mapping[str, tuple[str, ...]] = {
    "check": ("{resnet18}", "-t", "a10"),
    "inspect": ("inspect", "{resnet18}", "-t", "a10"),
    "decoder": ("inspect", "{llama}", "-t", "rtx-4090"),
    "several": ("inspect", "{resnet18}", "{mobilenet_v2}", "-t", "a10"),
    "diff": ("diff", f"{DIFF}/encoder_torchscript.onnx", f"{DIFF}/encoder_dynamo.onnx"),
    "compare": ("compare", "old.json", "new.json"),
}
WIDTHS = {1280: 4, 390: 3}
"""Widths of a window, and the factor by which its pictures are smaller."""
TALLEST = 2_000
"""Pixels of a section; what is below is not kept."""
PIN = """for (const [name, font] of [["--sans", "DejaVu Sans"], ["--mono", "DejaVu Sans Mono"]]) {
  document.documentElement.style.setProperty(name, `"${font}", sans-serif`);
}"""
READY = """(async () => {
  for (const host of document.querySelectorAll("article:not([hidden]) [data-graph]")) {
    host.scrollIntoView();
    while (!host.view) await new Promise(done => setTimeout(done, 20));
  }
  scrollTo(0, 0);
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
})()"""
MOST_TAKEN = 5
SECTIONS = """[...document.querySelectorAll("#index, .hero, article > section")].map(part => {
  const { left, top, width, height } = part.getBoundingClientRect();
  return [part.id || "hero", left + scrollX, top + scrollY, width, height];
}).filter(([, , , , height]) => height)"""
ELSEWHERE = {"check-charts", "check-details", "diff-text", "compare-text"}
"""Sections that other pages have, too, and those that are closed."""


def write_pages(folder: Path) -> dict[str, Path]:
    """Write the pages of real models into a folder."""
    for name, run in (("old", network()), ("new", network(slowed=12))):
        (folder / f"{name}.json").write_text(write_json([run]), encoding="utf-8")
    written = {}
    for name, arguments in PAGES.items():
        given = [_argument(each, folder) for each in arguments]
        written[name] = folder / f"{name}.html"
        isolated = () if name == "compare" else ("--isolated",)
        done = run_cli(*given, *isolated, "-o", f"html:{written[name]}", cwd=folder)
        assert done.exit_code in (0, 1), done
    return written


def _argument(text: str, folder: Path) -> str:
    if not text.startswith("{"):
        return text
    name = text.strip("{}")
    return (
        folder / f"{name}.onnx" if (folder / f"{name}.onnx").exists() else materialise(name, folder)
    ).name


def pictures(
    browser: Browser, file: Path, width: int, scheme: Literal["light", "dark"] = "light"
) -> dict[str, Grey]:
    """Return the small picture of each section of a page."""
    blank, page = browser.open(), browser.open()  # the last one is in front, and so is drawn
    page.resize(width, 900)
    page.show(scheme=scheme, still=True)
    page.go(file.as_uri(), seconds=60)
    page.evaluate(f"{PIN}; {READY}", seconds=60)
    found = {}
    for key, left, top, wide, high in page.evaluate(SECTIONS):
        name = f"{file.stem}-{key.removeprefix('m0-')}"
        if name not in ELSEWHERE:
            png = _settled(page, (left, top, wide, min(high, TALLEST)))
            found[f"{name}-{width}-{scheme}"] = shrunk(png, WIDTHS[width], blank)
    page.close()
    blank.close()
    return found


def _settled(page: BrowserPage, of: tuple[float, float, float, float]) -> bytes:
    """Return a picture that a second one equals: a busy browser may still be drawing the first."""
    png = page.screenshot(of=of)
    for _ in range(MOST_TAKEN):
        before, png = png, page.screenshot(of=of)
        if png == before:
            break
    return png


@dataclass(frozen=True)
class Seen:
    """All pictures, and the widths of the fonts in them."""

    pictures: dict[str, Grey]
    fonts: list[float]


def look_at_all(folder: Path) -> Seen:
    pages = write_pages(folder)
    found: dict[str, Grey] = {}
    with Browser.start() as browser:
        for file in pages.values():
            for width in WIDTHS:
                found |= pictures(browser, file, width)
        found |= pictures(browser, pages["inspect"], 1280, "dark")
        page = browser.open(pages["inspect"].as_uri())
        page.evaluate(PIN)
        return Seen(found, widths(page))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return look_at_all(tmp_path_factory.mktemp("pages"))


def test_every_section_looks_as_it_did(seen: Seen) -> None:
    known = {path.stem: read_png(path) for path in FOLDER.glob("*.png")}
    assert set(seen.pictures) == set(known), "python -m tests.oracles.test_goldens; look at them"
    levels, most = STRICT if json.loads(FONTS.read_text()) == seen.fonts else LOOSE
    apart = {name: difference(known[name], each, levels) for name, each in seen.pictures.items()}
    assert {name: share for name, share in apart.items() if share > most} == {}


def test_pictures_would_show_a_mistake(seen: Seen) -> None:
    """Whatever is missing, moved, or in another color is more than is tolerated."""
    hero, dark = (seen.pictures[f"inspect-hero-1280-{scheme}"] for scheme in ("light", "dark"))
    assert difference(hero, hero) == 0
    empty = hero.copy()
    empty[:, empty.shape[1] // 2 :] = hero[0, 0]
    wrong = {
        "inverted": 255 - hero,
        "dark": dark,
        "shorter": hero[: len(hero) * 3 // 4],
        "moved": np.roll(hero, 40, axis=0),
    }
    for levels, most in (STRICT, LOOSE):
        apart = {name: difference(hero, each, levels) for name, each in wrong.items()}
        assert {name: share for name, share in apart.items() if share <= most} == {}
    assert difference(hero, empty) > STRICT[1], "half of the cards are missing"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        found = look_at_all(Path(folder))
    for name, picture in found.pictures.items():
        write_png(FOLDER / f"{name}.png", picture)
    FONTS.write_text(json.dumps(found.fonts) + "\n")


if __name__ == "__main__":
    main()
