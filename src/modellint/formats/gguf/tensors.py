"""Tensors of the model view, from those that a file states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from modellint.formats.elements import read_range, read_ranges
from modellint.formats.gguf.header import GgufFile, StoredTensor
from modellint.formats.gguf.types import TYPES
from modellint.formats.stored import StoredTensors, possible
from modellint.model import UNDEFINED, DType, Region, Tensor, product

if TYPE_CHECKING:
    from modellint.formats.elements import Array


def tensor_of(
    part: GgufFile, stated: StoredTensor, stored: StoredTensors, *, external: bool = False
) -> Tensor:
    """Return the tensor; without a way to read it if its data are not where they should be."""
    dtype = TYPES.get(stated.type, UNDEFINED)
    shape = possible(stated.shape)
    nbytes = dtype.nbytes(product(shape))
    offset = part.start + stated.offset
    if (
        dtype is UNDEFINED
        or shape != stated.shape
        or offset + nbytes > part.size
        or (dtype.is_block and (not shape or shape[-1] % dtype.block))
    ):
        return Tensor(stated.name, dtype, shape, nbytes)
    region = Region(part.path, offset, nbytes, external=external)
    if dtype.is_block:
        return _blocks(stated.name, dtype, shape, region, part.is_big_endian, stored)
    if part.is_big_endian:
        read = partial(_read_swapped, region, dtype, shape, stored)
        return Tensor(stated.name, dtype, shape, nbytes, region, read=read)
    return stored.raw(stated.name, dtype, shape, region)


def _read_swapped(
    region: Region, dtype: DType, shape: tuple[int, ...], stored: StoredTensors
) -> Array | None:
    array = stored.read_raw(region, dtype, shape)
    return array.byteswap() if array is not None else None


def _blocks(
    name: str,
    dtype: DType,
    shape: tuple[int, ...],
    region: Region,
    is_big_endian: bool,
    stored: StoredTensors,
) -> Tensor:
    """Return a tensor of blocks; it can be read if the meaning of its blocks is known."""
    from modellint.formats.gguf.blocks import READABLE

    if dtype.name not in READABLE or is_big_endian:
        return Tensor(name, dtype, shape, region.length, region)
    return Tensor(
        name,
        dtype,
        shape,
        region.length,
        region,
        read=partial(_read_blocks, region, dtype, shape, stored),
        read_parts=partial(_read_parts, region, dtype, stored),
    )


def _read_blocks(
    region: Region, dtype: DType, shape: tuple[int, ...], stored: StoredTensors
) -> Array | None:
    from modellint.formats.gguf.blocks import dequantize

    try:
        return dequantize(
            read_range(region.path, region.offset, region.length), dtype.name
        ).reshape(shape)
    except OSError as error:
        stored.changed(region.path, error)
    except ValueError:  # numpy cannot have such a shape
        pass
    return None


def _read_parts(
    region: Region, dtype: DType, stored: StoredTensors, ranges: Iterable[tuple[int, int]]
) -> Iterator[Array]:
    """Iterate over ranges of the elements; whole blocks are read."""
    from modellint.formats.gguf.blocks import dequantize

    wanted = list(ranges)
    size, length = dtype.block, dtype.block_bytes
    blocks = [(start // size, -(-stop // size)) for start, stop in wanted]
    places = ((region.offset + first * length, (last - first) * length) for first, last in blocks)
    try:
        for (start, stop), (first, _), buffer in zip(
            wanted, blocks, read_ranges(region.path, places), strict=True
        ):
            yield dequantize(buffer, dtype.name)[start - first * size : stop - first * size]
    except OSError as error:
        stored.changed(region.path, error)
