"""Arrays in files, to pass them between processes without pickling or copying."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
Listing = list[tuple[str, str, list[int], str]]
"""Name, type, shape and file of each array."""


def write(arrays: Iterable[tuple[str, NDArray[Any]]], folder: Path) -> Listing:
    """Write each array to a file of the folder."""
    listing: Listing = []
    for name, array in arrays:
        plain = array.astype(np.str_) if array.dtype.hasobject else array
        file = folder / f"{len(listing)}.bin"
        with file.open("wb") as stream:
            np.ascontiguousarray(plain).reshape(-1).view(np.uint8).tofile(stream)
        listing.append((name, _name_of(plain.dtype), list(array.shape), file.name))
    return listing


def read(listing: Iterable[Any], folder: Path) -> Arrays:
    """Map arrays into memory as they are needed. They outlive their files where that is possible.

    Raises ValueError if a file does not hold what the listing says.
    """
    return {name: _read(dtype, tuple(shape), folder / file) for name, dtype, shape, file in listing}


def _read(dtype: str, shape: tuple[int, ...], file: Path) -> NDArray[Any]:
    kind = _type_of(dtype)
    if not file.stat().st_size:
        return np.empty(shape, kind) if 0 in shape else np.full(shape, "", kind)
    stored = np.memmap(file, mode="r")
    return np.asarray(stored).view(kind).reshape(shape)


def _name_of(dtype: np.dtype[Any]) -> str:
    """Return the name of a type, which for those that NumPy does not know is not their `str`."""
    return dtype.name if dtype.kind == "V" else dtype.str


def _type_of(name: str) -> np.dtype[Any]:
    import ml_dtypes

    return np.dtype(getattr(ml_dtypes, name, name))
