"""Reading of untrusted XML: no entities, no other files, and limits on everything.

Entities expand without bound, or name other files.
"""

from __future__ import annotations

from io import RawIOBase
from typing import Any, NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from modellint.formats.openvino import OPENVINO
from modellint.formats.problems import MalformedError

CHUNK = 1 << 16
MOST_BYTES = 256 << 20
MOST_ELEMENTS = 1 << 21
DEEPEST = 100
LONGEST_TAG = 4 << 20
"""Limit on a single tag with its attributes: older versions of expat scan an unfinished one again
with each chunk."""


def read_tree(file: RawIOBase, size: int) -> Element:
    """Return the outermost element of an XML file."""
    if size > MOST_BYTES:
        raise MalformedError("corrupt", f"more than {MOST_BYTES >> 20} MB of XML")
    handler = _Handler()
    parser = handler.parser
    fed = 0
    try:
        while True:
            chunk = file.read(CHUNK)
            if not chunk:
                break
            fed += len(chunk)
            parser.Parse(chunk, False)
            if fed - max(parser.CurrentByteIndex, 0) > LONGEST_TAG:
                raise MalformedError("corrupt", f"a tag of more than {LONGEST_TAG >> 20} MB")
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise _malformed(error, fed) from None
    return handler.builder.close()


def _malformed(error: expat.ExpatError, size: int) -> MalformedError:
    place = f"line {error.lineno}, column {error.offset + 1}"
    detail = f"{place}: {expat.ErrorString(error.code)}"
    if error.code in _ENDS_EARLY:
        return MalformedError("truncated", detail, expected=size + 1, size=size)
    return MalformedError("corrupt", detail)


_ENDS_EARLY = frozenset(
    expat.errors.codes[text]
    for text in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
    )
)


class _Handler:
    def __init__(self) -> None:
        self.builder = TreeBuilder()
        self.depth = self.count = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.EntityDeclHandler = self.refuse
        self.parser.ExternalEntityRefHandler = self.refuse

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.count += 1
        if self.depth > DEEPEST:
            raise MalformedError("too-deep", f"more than {DEEPEST} nested elements", limit=DEEPEST)
        if self.count > MOST_ELEMENTS:
            raise MalformedError("corrupt", f"more than {MOST_ELEMENTS} elements")
        self.builder.start(tag, attributes)
        if tag == "dim":
            self.parser.CharacterDataHandler = self.builder.data

    def end(self, tag: str) -> None:
        self.depth -= 1
        self.parser.CharacterDataHandler = None
        self.builder.end(tag)

    def refuse(self, *_: Any) -> NoReturn:
        detail = "XML that defines entities, which are never expanded"
        raise MalformedError("unsupported-format", detail, format=OPENVINO.title)
