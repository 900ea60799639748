"""The file around a page: styles and scripts inside, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from modellint.base.version import __version__
from modellint.report.charts import stylesheet
from modellint.report.html.markup import Markup, element, joined

HEADER = "<!doctype html>\n<!-- modellint report -->\n"
DARK = "/* dark */\n"
"""Places of the dark palette in the style: for a dark system, and for those who choose it."""
SCRIPTS = ("layout.js", "colors.js", "graph.js", "page.js")
LARGE = 4096
"""Length from which data is compressed."""


def document(title: str, body: Iterable[Markup | None]) -> str:
    """Return a whole file. The same page is the same bytes."""
    style, script = _style() + stylesheet(), _asset(SCRIPTS)
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {_digest(script)}",
            f"style-src {_digest(style)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="generator", content=f"modellint {__version__}"),
        element("title", title),
        Markup(f"<style>{style}</style>"),
    )
    end = Markup(f'<script type="module">{script}</script>')
    return f"{HEADER}{element('html', head, element('body', joined(body), end), lang='en')}\n"


def data(identity: str, plain: str) -> Markup:
    """Return JSON for scripts: nothing in it can end the element, and it is compressed if large."""
    if len(plain) < LARGE:
        for char in "<>&":
            plain = plain.replace(char, f"\\u{ord(char):04x}")
        return Markup(f'<script type="application/json" id="{identity}">{plain}</script>')
    packed = base64.b64encode(zlib.compress(plain.encode(), 9)).decode()
    return Markup(f'<script type="text/plain" data-deflate id="{identity}">{packed}</script>')


def _style() -> str:
    return _asset(("style.css",)).replace(DARK, _asset(("dark.css",)))


@cache
def _asset(names: tuple[str, ...]) -> str:
    folder = files("modellint.report.html").joinpath("assets")
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)


def _digest(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
