"""Formats that are recognized but cannot be read yet. Each will become a package."""

from __future__ import annotations

import re
from pathlib import Path

from modellint.formats.format import Format, Sniff


def _magic(magic: bytes, at: int = 0) -> Sniff:
    return lambda head, path: head[at : at + len(magic)] == magic


def _first_member(head: bytes) -> str:
    """Return the name of the first file in an unencrypted zip archive; empty for anything else."""
    if head[:4] != b"PK\x03\x04" or (len(head) > 8 and head[6] & 1):
        return ""
    length = int.from_bytes(head[26:28], "little")
    return head[30 : 30 + length].decode(errors="replace")


_TORCH = re.compile(r"(^|/)(data\.pkl|version|\.data/serialization_id|constants\.pkl)$")


def _is_torch(head: bytes, path: Path) -> bool:
    return _TORCH.search(_first_member(head)) is not None


def _is_keras(head: bytes, path: Path) -> bool:
    return _first_member(head) in ("metadata.json", "config.json", "model.weights.h5")


def _is_npz(head: bytes, path: Path) -> bool:
    return _first_member(head).endswith(".npy")


RECOGNISED = (
    Format("torch", "PyTorch archive", shared_suffixes=(".pt", ".pth"), signature=_is_torch),
    Format("keras", "Keras", shared_suffixes=(".keras",), signature=_is_keras),
    Format(
        "keras-hdf5",
        "Keras (HDF5)",
        shared_suffixes=(".h5", ".hdf5"),
        signature=_magic(b"\x89HDF\r\n\x1a\n"),
    ),
    Format("npz", "NumPy archive", shared_suffixes=(".npz",), signature=_is_npz),
    Format("npy", "NumPy array", shared_suffixes=(".npy",), signature=_magic(b"\x93NUMPY")),
)
