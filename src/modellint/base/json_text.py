"""JSON of files that others wrote."""

from __future__ import annotations

import json
from typing import Any

from modellint.base.expressions import late

_ESCAPE = late(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
)
_REPLACED = r"\ufffd"


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; half of a surrogate pair, which no text can hold, becomes U+FFFD.

    Raises ValueError and RecursionError.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text))
    if r"\ud" in text or r"\uD" in text:
        text = _ESCAPE.sub(lambda found: _REPLACED if found["half"] else found[0], text)
    return json.loads(text)
