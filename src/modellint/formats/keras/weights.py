"""Weights of Keras: datasets of HDF5, in an archive or as a file of their own."""

from __future__ import annotations

from pathlib import Path

from modellint.base.text import bounded
from modellint.formats.archive import Archive
from modellint.formats.hdf5 import Dataset, Hdf5
from modellint.formats.source import Source
from modellint.formats.stored import StoredTensors, mistake_in, possible
from modellint.model import UNDEFINED, Model, Region, Tensor, product

STEM = "model.weights"
"""Beginning of the names of all files of weights."""
WEIGHTS = f"{STEM}.h5"


def read_weights(model: Model, archive: Archive, source: Source, stored: StoredTensors) -> None:
    """Add the tensors of an archive, if they are in it as they are."""
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
    if each.place is None or each.dtype is UNDEFINED:
        return Tensor(each.path, each.dtype, each.shape, nbytes)
    offset, length = each.place
    if length != nbytes or offset + length > path.stat().st_size:
        stored.invalid(each.path, each.dtype, each.shape, nbytes, length)
        return Tensor(each.path, each.dtype, each.shape, nbytes)
    if each.is_big:
        return Tensor(each.path, each.dtype, each.shape, nbytes, Region(path, offset, length))
    return stored.raw(each.path, each.dtype, each.shape, Region(path, offset, length))
