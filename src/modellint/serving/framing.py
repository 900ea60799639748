"""Messages on a stream: with a length header, as in LSP, or one per line."""

from __future__ import annotations

import re
from typing import BinaryIO, Protocol

from modellint.base.errors import ModellintError

LONGEST_HEADER = 4096
LONGEST_LINE = 4 << 20
LONGEST_BODY = 64 << 20
"""Maximum bytes of a message; longer ones are skipped."""
_PART = 1 << 16
_LENGTH = re.compile(rb"content-length:[ \t]*(\d{1,18})[ \t]*\r?\n", re.IGNORECASE)


class BrokenStreamError(ModellintError):
    """Malformed data after which the start of the next message is unknown."""


class TooLongError(ModellintError):
    """A message that is too long, and has been skipped."""


class Framing(Protocol):
    """The beginnings and ends of messages on a stream."""

    def read(self, stream: BinaryIO) -> bytes | None:
        """Return the next message; None at the end of the stream."""

    def framed(self, body: bytes) -> bytes:
        """Return a message as it is written."""


class HeaderFraming:
    """A header with the length, an empty line, the message."""

    def read(self, stream: BinaryIO) -> bytes | None:
        length, size = None, 0
        while True:
            line = stream.readline(LONGEST_HEADER + 1)
            if not line:
                return None
            size += len(line)
            if size > LONGEST_HEADER or not line.endswith(b"\n"):
                raise BrokenStreamError("a header is too long")
            if not line.strip():
                break
            if found := _LENGTH.fullmatch(line):
                length = int(found[1])
        if length is None:
            raise BrokenStreamError("a header without Content-Length")
        if length > LONGEST_BODY:
            _pass_over(stream, length)
            raise TooLongError(f"a message of {length:,} bytes, more than {LONGEST_BODY:,}")
        body = stream.read(length)
        return body if len(body) == length else None

    def framed(self, body: bytes) -> bytes:
        return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


class LineFraming:
    """A message on each line."""

    def read(self, stream: BinaryIO) -> bytes | None:
        while True:
            line = stream.readline(LONGEST_LINE + 1)
            if not line:
                return None
            if len(line) > LONGEST_LINE and not line.endswith(b"\n"):
                while (part := stream.readline(_PART)) and not part.endswith(b"\n"):
                    pass
                raise TooLongError(f"a message of more than {LONGEST_LINE:,} bytes")
            if line.strip():
                return line

    def framed(self, body: bytes) -> bytes:
        return body + b"\n"


def _pass_over(stream: BinaryIO, length: int) -> None:
    while length > 0:
        part = stream.read(min(length, _PART))
        if not part:
            return
        length -= len(part)
