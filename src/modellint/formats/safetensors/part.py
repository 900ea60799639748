"""The tensors of one file, which is a model or a part of one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from modellint.formats.problems import MalformedError, Problems
from modellint.formats.safetensors.header import (
    StatedTensor,
    TensorHeader,
    mistakes_in,
    read_header,
)
from modellint.formats.source import Source
from modellint.formats.stored import StoredTensors
from modellint.model import Region, Tensor

UNLOADABLE_BITS = 6
"""No framework has the types of 6 bits that the format knows."""


class WeightFile(NamedTuple):
    """Content of one file."""

    path: Path
    tensors: list[Tensor]
    metadata: dict[str, str]
    data: int
    """Offset of the tensors' bytes."""


def read_part(path: Path, problems: Problems) -> WeightFile:
    """Read a file's header, and record what its loader rejects. Raises MalformedError, OSError."""
    with Source(path) as source:
        header = read_header(source)
        size = source.size
    end = header.data + max((entry.stop for entry in header.entries), default=0)
    if end > size:
        detail = "its last tensor ends after the file does"
        raise MalformedError("truncated", detail, expected=end, size=size)
    _check_coverage(path.name, header, size, problems)
    _check_use(path.name, header, problems)
    stored = StoredTensors(problems)
    tensors = [_tensor(path, header, entry, stored) for entry in header.entries]
    return WeightFile(path, tensors, header.metadata, header.data)


def _tensor(path: Path, header: TensorHeader, entry: StatedTensor, stored: StoredTensors) -> Tensor:
    length = entry.stop - entry.start
    region = Region(path, header.data + entry.start, max(length, 0))
    mistake = next(mistakes_in(entry), "")
    if mistake:
        stored.invalid(entry.name, entry.dtype, entry.shape, detail=mistake)
        return Tensor(entry.name, entry.dtype, entry.shape, max(length, 0), region)
    return stored.raw(entry.name, entry.dtype, entry.shape, region)


def _check_coverage(location: str, header: TensorHeader, size: int, problems: Problems) -> None:
    """Note tensors that overlap, and bytes that belong to none: the library refuses both."""
    for name in header.repeated:
        problems.note("duplicate-tensor", at=name, tensor=name, location=location)
    end, last = 0, ""
    for entry in header.entries:
        offset, name = header.data + end, entry.name
        if entry.stop < entry.start or entry.start < end:
            part = "reversed" if entry.stop < entry.start else "overlap"
            problems.note(
                "tensor-overlap", at=name, tensor=name, other=last, location=location, part=part
            )
        elif entry.start > end:
            unused = entry.start - end
            problems.note(
                "tensor-gap", at=name, tensor=name, offset=offset, unused=unused, location=location
            )
        end, last = max(end, entry.stop), name
    unused = size - header.data - end
    if unused:
        offset = header.data + end
        problems.note(
            "tensor-gap", tensor=last, offset=offset, unused=unused, location=location, part="tail"
        )


def _check_use(location: str, header: TensorHeader, problems: Problems) -> None:
    """Note tensors that the library takes, but that are of little use to who loads them."""
    unaligned = [entry for entry in header.entries if _is_unaligned(entry, header.data)]
    if unaligned:
        count, name = len(unaligned), unaligned[0].name
        problems.note("tensor-unaligned", at=name, location=location, tensors=count, tensor=name)
    unloadable = [entry for entry in header.entries if entry.dtype.bits == UNLOADABLE_BITS]
    if unloadable:
        name, dtype = unloadable[0].name, unloadable[0].dtype.name
        count = len(unloadable)
        problems.note("type-unloadable", at=name, tensor=name, dtype=dtype, tensors=count)


def _is_unaligned(entry: StatedTensor, data: int) -> bool:
    return (
        entry.start < entry.stop and (data + entry.start) % max(int(entry.dtype.bits) // 8, 1) > 0
    )
