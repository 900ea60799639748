"""Weights of Keras: datasets of HDF5, in an archive or as a file of their own."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from modellint.base.text import bounded
from modellint.formats.archive import Archive
from modellint.formats.elements import decoded, read_ranges
from modellint.formats.hdf5 import Dataset, Hdf5
from modellint.formats.hdf5_chunks import Chunks
from modellint.formats.source import Source
from modellint.formats.stored import StoredTensors, mistake_in, possible
from modellint.model import UNDEFINED, Model, Region, Tensor, product

if TYPE_CHECKING:
    from modellint.formats.elements import Array

LARGEST_IN_CHUNKS = 1 << 28
"""Maximum bytes of a tensor whose chunks are joined."""
STEM = "model.weights"
"""Beginning of the names of all files of weights."""
WEIGHTS = f"{STEM}.h5"


def read_weights(model: Model, archive: Archive, source: Source, stored: StoredTensors) -> None:
    """Add the tensors of an archive, if they are stored uncompressed."""
    place = archive.place(WEIGHTS) if WEIGHTS in archive.members else None
    if place is not None:
        add_datasets(model, Hdf5(source, place[0]), stored)


def add_datasets(model: Model, content: Hdf5, stored: StoredTensors) -> None:
    model.tensors += [_tensor(model.path, each, stored) for each in content.datasets]
    if content.unread:
        model.metadata = {"unread groups": bounded(", ".join(content.unread[:10]))}


def _tensor(path: Path, each: Dataset, stored: StoredTensors) -> Tensor:
    mistake = mistake_in(each.shape)
    if mistake:
        stored.invalid(each.path, each.dtype, each.shape, detail=mistake)
        return Tensor(each.path, each.dtype, possible(each.shape), 0)
    nbytes = each.dtype.nbytes(product(each.shape))
    if each.chunks is not None and each.dtype is not UNDEFINED:
        return _chunked(path, each, each.chunks, nbytes, stored)
    if each.place is None or each.dtype is UNDEFINED:
        return Tensor(each.path, each.dtype, each.shape, nbytes)
    offset, length = each.place
    if length != nbytes or offset + length > path.stat().st_size:
        stored.invalid(each.path, each.dtype, each.shape, nbytes, length)
        return Tensor(each.path, each.dtype, each.shape, nbytes)
    if each.is_big:
        return Tensor(each.path, each.dtype, each.shape, nbytes, Region(path, offset, length))
    return stored.raw(each.path, each.dtype, each.shape, Region(path, offset, length))


def _chunked(
    path: Path, each: Dataset, chunks: Chunks, nbytes: int, stored: StoredTensors
) -> Tensor:
    """Return a tensor in chunks, which are read and decompressed on demand."""
    size = path.stat().st_size
    if any(part.offset + part.length > size for part in chunks.parts):
        detail = "a chunk of its elements ends after the file"
        stored.invalid(each.path, each.dtype, each.shape, detail=detail)
        return Tensor(each.path, each.dtype, each.shape, nbytes)
    width = int(each.dtype.bits) // 8
    if each.is_big or max(nbytes, chunks.work) > LARGEST_IN_CHUNKS or width != chunks.width:
        return Tensor(each.path, each.dtype, each.shape, nbytes)
    read = partial(_read_chunks, path, each, chunks, stored)
    return Tensor(each.path, each.dtype, each.shape, nbytes, read=read)


def _read_chunks(path: Path, each: Dataset, chunks: Chunks, stored: StoredTensors) -> Array | None:
    places = ((part.offset, part.length) for part in chunks.parts)
    try:
        content = chunks.elements(map(bytes, read_ranges(path, places)), each.shape)
    except OSError as error:
        stored.changed(path, error)
        return None
    return decoded(content, each.dtype, each.shape) if content is not None else None
