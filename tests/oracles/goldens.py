"""Small grey pictures of parts of pages, and how far two may differ.

A picture has one pixel for each few of the screen: enough to recognize by eye, and too little to
depend on how a font draws a letter. Two are compared by cells of several pixels, and strictly only
where texts are as wide as they were: in other fonts, lines wrap elsewhere.
"""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.browser import BrowserPage

Grey = NDArray[np.uint8]

FOLDER = Path(__file__).parent / "goldens"
FONTS = FOLDER / "fonts.json"
"""Widths of a text in the fonts that the goldens are in."""
CELL = 4
"""Pixels of a cell, in each direction."""
NEAR = 1
"""Cells by which something may have moved."""
STRICT, LOOSE = (14, 0.01), (26, 0.06)
"""Difference of two cells, of 255, from which it counts; share of a picture that may differ."""
HEIGHT = 0.06
"""Difference of heights, as a share, from which pictures differ."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WIDTHS = """(() => {
  const painter = new OffscreenCanvas(9, 9).getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const own = ["--sans", "--mono"].map((name) => style.getPropertyValue(name));
  return [...own, "system-ui"].map((family) => {
    painter.font = `100px ${family}`;
    return Math.round(painter.measureText("Fits on NVIDIA A10, 4.09 G MACs").width);
  });
})()"""
_SHRINK = """(async () => {
  const png = await (await fetch("data:image/png;base64,%s")).blob();
  const full = await createImageBitmap(png);
  const width = Math.round(full.width / %d), height = Math.round(full.height / %d);
  const canvas = new OffscreenCanvas(width, height), painter = canvas.getContext("2d");
  painter.imageSmoothingQuality = "high";
  painter.drawImage(full, 0, 0, width, height);
  const { data } = painter.getImageData(0, 0, width, height);
  let grey = "";
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue] = data.subarray(at, at + 3);
    grey += String.fromCharCode(Math.round(0.3 * red + 0.59 * green + 0.11 * blue));
  }
  return [width, height, btoa(grey)];
})()"""


def shrunk(png: bytes, by: int, page: BrowserPage) -> Grey:
    """Return a picture in grey, smaller by a factor; a blank page does it."""
    script = _SHRINK % (base64.b64encode(png).decode(), by, by)
    width, height, grey = page.evaluate(script)
    return np.frombuffer(base64.b64decode(grey), np.uint8).reshape(height, width)


def widths(page: BrowserPage) -> list[float]:
    """Return the widths of a text in the fonts that a page uses."""
    found: list[float] = page.evaluate(_WIDTHS)
    return found


def difference(golden: Grey, seen: Grey, levels: int = STRICT[0]) -> float:
    """Return the share of cells that differ; 1.0 if the sizes do."""
    if golden.shape[1] != seen.shape[1]:
        return 1.0
    rows = min(len(golden), len(seen))
    if abs(len(golden) - len(seen)) > HEIGHT * len(golden) + CELL:
        return 1.0
    one, other = _cells(golden[:rows]), _cells(seen[:rows])
    apart = np.full(one.shape, 255.0)
    for down in range(-NEAR, NEAR + 1):
        for across in range(-NEAR, NEAR + 1):
            moved = np.roll(other, (down, across), (0, 1))
            np.minimum(apart, np.abs(one - moved), out=apart)
    return float((apart > levels).mean())


def _cells(grey: Grey) -> NDArray[np.float64]:
    height, width = (size // CELL * CELL for size in grey.shape)
    blocks = grey[:height, :width].reshape(height // CELL, CELL, width // CELL, CELL)
    means: NDArray[np.float64] = blocks.mean(axis=(1, 3))
    return means


def write_png(path: Path, grey: Grey) -> None:
    height, width = grey.shape
    lines = b"".join(b"\0" + row.tobytes() for row in grey)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    chunks = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
    path.write_bytes(_SIGNATURE + chunks)


def read_png(path: Path) -> Grey:
    """Read a picture that `write_png` wrote."""
    content = path.read_bytes()
    width, height = struct.unpack(">II", content[16:24])
    (length,) = struct.unpack(">I", content[33:37])
    lines = np.frombuffer(zlib.decompress(content[41 : 41 + length]), np.uint8)
    picture: Any = lines.reshape(height, width + 1)[:, 1:]
    return picture  # type: ignore[no-any-return]
