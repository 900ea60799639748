"""Reader of ONNX's text syntax."""

from __future__ import annotations

import re
from pathlib import Path

from modellint.base.files import read_regular
from modellint.formats.onnx import ONNX_TEXT
from modellint.formats.problems import broken
from modellint.model import Model

name = ONNX_TEXT.name

_BEGINS = re.compile(
    rb"\s*(?:<\s*(?:ir_version|opset_import|producer_name|producer_version|domain|model_version"
    rb"|doc_string|metadata_props)\s*:|[\w.]+\s*\([^)]{0,2000}\)\s*=>)"
)
# Compiled on first use: this module is imported to recognize any file.
_ESCAPED = r"\\[^\n]"
_SKIPPED = r'"[^"]*(?:"|\Z)|#[^\n]*'
"""Strings, the last of which may be open, and comments."""
_NO_BRACKET = r"=>|[^{(\[<})\]>]"
_PARSE_ERROR = (
    r"(?s)\[ParseError at position \(line: (\d+) column: (\d+)\)\]\s*"
    r"(?:Error context:[^\n]*\n)?(.*)"
)
DEEPEST = 64
"""Limit on nested brackets, on which onnx's parser recurses."""
LONGEST = 256 << 20


def sniff(head: bytes, path: Path) -> bool:
    return _BEGINS.match(head) is not None


def read(path: Path) -> Model:
    if path.stat().st_size > LONGEST:
        return broken(path, name, "unsupported-format", format=ONNX_TEXT.title, detail="its length")
    raw = read_regular(path, LONGEST)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return broken(path, name, "corrupt", detail="not UTF-8", offset=error.start)
    return read_text(text, path)


def read_text(text: str, path: Path = Path("example.onnxtxt")) -> Model:
    """Build a model from text. Its external data would be next to the path."""
    if _depth(text) > DEEPEST:
        return broken(
            path, name, "too-deep", detail=f"more than {DEEPEST} nested brackets", limit=DEEPEST
        )
    from modellint.formats.onnx.build import build
    from modellint.native import library, messages

    try:
        parsed, message, serialized = library().parser.parse_model(text)
        if not parsed:
            return broken(path, name, "corrupt", detail=_parse_error(message))
        proto = messages().ModelProto.FromString(serialized)
    except Exception as error:  # what the parser lets through of protobuf's and the standard ones
        detail = f"onnx cannot parse it: {_one_line(str(error))}"
        return broken(path, name, "corrupt", detail=detail)
    return build(proto, path, format=name)


def encoded(text: str) -> bytes:
    """Return the same model as protobuf. Raises ValueError with the mistake in the text."""
    from modellint.native import library

    parsed, message, serialized = library().parser.parse_model(text)
    if not parsed:
        raise ValueError(_parse_error(message))
    content: bytes = serialized
    return content


def _depth(text: str) -> int:
    deepest = depth = 0
    written = re.sub(_SKIPPED, "", re.sub(_ESCAPED, "", text))
    for character in re.sub(_NO_BRACKET, "", written):
        depth += 1 if character in "{([<" else -1
        deepest = max(deepest, depth)
    return deepest


def _parse_error(message: bytes) -> str:
    """Shorten onnx's message to ``line 2, column 48: Expected character ) not found``."""
    found = re.match(_PARSE_ERROR, message.decode(errors="backslashreplace"))
    if not found:
        return _one_line(message)
    return f"line {found[1]}, column {found[2]}: {_one_line(found[3]).removesuffix('.')}"


def _one_line(message: str | bytes) -> str:
    text = message if isinstance(message, str) else message.decode(errors="backslashreplace")
    return " ".join(text.split())
