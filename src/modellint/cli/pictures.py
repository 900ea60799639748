"""Conversion of SVG to PNG with whatever is installed: a browser, or CairoSVG."""

from __future__ import annotations

import re
import struct
import zlib

from modellint.base.errors import UsageError
from modellint.base.temporary import temporary_folder

SCALE = 2
"""Pixels of a picture for each of its own units, so that it is sharp on usual screens."""
_SIGNATURE_AND_HEADER = 33
"""Bytes of a PNG file before its second chunk."""
_SIZE = re.compile(
    r'<svg [^<>]{0,300}?width="(\d{1,9}(?:\.\d{1,9})?)" height="(\d{1,9}(?:\.\d{1,9})?)"'
)


def png_of(svg: str) -> bytes:
    """Return a picture, marked as ours."""
    from modellint.report.charts import with_theme

    plain = with_theme(svg, "light")
    return _marked(_by_cairo(plain) or _by_browser(plain))


def _by_cairo(svg: str) -> bytes | None:
    try:
        import cairosvg
    except (ImportError, OSError):  # without its own library, it raises the latter
        return None
    made: bytes = cairosvg.svg2png(bytestring=svg.encode(), scale=SCALE)
    return made


def _by_browser(svg: str) -> bytes:
    from modellint.browser import Browser, BrowserError, find_browser

    if find_browser() is None:
        raise UsageError("png needs CairoSVG (pip install 'modellint[png]') or a browser: Chromium")
    size = _SIZE.search(svg)
    width, height = (round(float(part)) for part in size.groups()) if size else (800, 600)
    with temporary_folder() as folder:
        page = folder / "picture.html"
        page.write_text(f'<!doctype html><meta charset="utf-8"><body style="margin:0">{svg}')
        try:
            with Browser.start() as browser:
                shown = browser.open(page.as_uri())
                shown.resize(width, height, scale=SCALE)
                return shown.screenshot()
        except BrowserError as error:
            raise UsageError(f"the browser could not draw the picture: {error}") from error


def _marked(png: bytes) -> bytes:
    """Return a PNG that records its origin, so that a later run may replace it."""
    body = b"tEXtSoftware\0modellint"
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:_SIGNATURE_AND_HEADER] + chunk + png[_SIGNATURE_AND_HEADER:]
