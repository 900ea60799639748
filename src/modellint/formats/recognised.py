"""Formats that are recognized but cannot be read yet. Each will become a package."""

from __future__ import annotations

from pathlib import Path

from modellint.formats.format import Format, Sniff


def _magic(magic: bytes, at: int = 0) -> Sniff:
    return lambda head, path: head[at : at + len(magic)] == magic


def _is_npz(head: bytes, path: Path) -> bool:
    from modellint.formats.archive import first_member  # brings zipfile and all compressions

    return first_member(head).endswith(".npy")


def _is_compiled(head: bytes, path: Path) -> bool:
    return (path / "coremldata.bin").is_file()


RECOGNISED = (
    Format(
        "coreml-compiled",
        "compiled Core ML model",
        suffixes=(".mlmodelc",),
        is_folder=True,
        signature=_is_compiled,
    ),
    Format("npz", "NumPy archive", shared_suffixes=(".npz",), signature=_is_npz),
    Format("npy", "NumPy array", shared_suffixes=(".npy",), signature=_magic(b"\x93NUMPY")),
)
