"""Signatures of files that are not models, by their first bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

Facts = Mapping[str, object]


class Signature(NamedTuple):
    """A signature: `kind` is the file's problem, and `matches` returns its facts or None."""

    kind: str
    matches: Callable[[bytes], Facts | None]


def _magic(magic: bytes, at: int = 0, **facts: object) -> Callable[[bytes], Facts | None]:
    return lambda head: facts if head[at : at + len(magic)] == magic else None


def _pattern(pattern: bytes, **facts: object) -> Callable[[bytes], Facts | None]:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda head: facts if compiled.match(head) else None


_POINTER = re.compile(
    rb"version https://(?:git-lfs\.github\.com|hawser\.github\.com)/spec/v\d+\r?\n"
)
_OID = re.compile(rb"^oid \w+:([0-9a-f]+)", re.MULTILINE)
_ENGINE_HEADER = 32
_SIZE = re.compile(rb"^size (\d{1,20})", re.MULTILINE)


def lfs_facts(head: bytes) -> Facts | None:
    """Return the facts of a Git LFS pointer."""
    if not _POINTER.match(head):
        return None
    oid, size = _OID.search(head), _SIZE.search(head)
    return {"oid": oid[1].decode() if oid else "", "size": int(size[1]) if size else 0}


def _zip(head: bytes) -> bool:
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")


def _encrypted_zip(head: bytes) -> Facts | None:
    if _zip(head) and len(head) > 8 and head[6] & 1:
        return {"detail": "a zip archive with a password"}
    return None


def _tensorrt(head: bytes) -> Facts | None:
    if head[:4] in (b"ftrt", b"ptrt", b"vtrt") and len(head) > _ENGINE_HEADER:
        return {"format": "TensorRT engine", "detail": "compiled for one GPU, layout not published"}
    return None


def _textual(head: bytes) -> Facts | None:
    """Detect plain text of an unknown kind."""
    sample = head[:1024]
    if b"\0" in sample:
        return None
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 3:
            return None
    controls = sum(byte < 32 and byte not in b"\t\n\r\f" for byte in sample)
    return {"detail": "text"} if not controls else None


_web_page = _pattern(rb"\s*<(!doctype\s+html|html|head)\b", detail="a web page")


def is_stand_in(head: bytes) -> bool:
    """Return True for content left by a failed download or checkout."""
    return lfs_facts(head) is not None or _web_page(head) is not None


SIGNATURES: tuple[Signature, ...] = (
    Signature("lfs-pointer", lfs_facts),
    Signature("encrypted", _encrypted_zip),
    Signature("compressed", lambda head: {"archive": "zip"} if _zip(head) else None),
    Signature("compressed", _magic(b"\x1f\x8b", archive="gzip")),
    Signature("compressed", _magic(b"7z\xbc\xaf\x27\x1c", archive="7z")),
    Signature("compressed", _magic(b"\xfd7zXZ\x00", archive="xz")),
    Signature("compressed", _pattern(rb"BZh[1-9]1AY&SY", archive="bzip2")),
    Signature("compressed", _magic(b"\x28\xb5\x2f\xfd", archive="zstd")),
    Signature("compressed", _magic(b"\x04\x22\x4d\x18", archive="lz4")),
    Signature("compressed", _magic(b"Rar!\x1a\x07", archive="rar")),
    Signature("compressed", _magic(b"ustar", at=257, archive="tar")),
    Signature("encrypted", _magic(b"Salted__", detail="OpenSSL's salted encryption")),
    Signature("encrypted", _magic(b"age-encryption.org/", detail="age encryption")),
    Signature("encrypted", _magic(b"-----BEGIN PGP MESSAGE", detail="a PGP message")),
    Signature("encrypted", _magic(b"$ANSIBLE_VAULT;", detail="an Ansible vault")),
    Signature("unsupported-format", _tensorrt),
    Signature("not-a-model", _web_page),
    Signature("not-a-model", _pattern(rb"\s*<\?xml", detail="XML")),
    Signature("not-a-model", _pattern(rb'\s*[{\[]\s*["{\[}\]]', detail="JSON")),
    Signature("not-a-model", _magic(b"\x89HDF\r\n\x1a\n", detail="HDF5, but no model of Keras")),
    Signature("not-a-model", _magic(b"\x89PNG", detail="a PNG picture")),
    Signature("not-a-model", _magic(b"\xff\xd8\xff", detail="a JPEG picture")),
    Signature("not-a-model", _magic(b"%PDF", detail="a PDF document")),
    Signature("not-a-model", _magic(b"\x7fELF", detail="an executable")),
    Signature("not-a-model", _textual),
)
