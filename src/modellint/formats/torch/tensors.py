"""The tensors that a pickle of PyTorch refers to, with names by their place in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from modellint.base.text import bounded
from modellint.formats.stored import StoredTensors, mistake_in, possible
from modellint.formats.torch.facts import Import, StorageUse
from modellint.formats.torch.pickled import Built, Persistent
from modellint.model import DTYPES, UNDEFINED, DType, Region, Tensor, product

MOST_PLACES = 2_000_000

_STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "QInt8Storage": "int8",
    "QUInt8Storage": "uint8",
    "QInt32Storage": "int32",
    "UntypedStorage": "uint8",
}
_TYPES = {
    "float8_e4m3fn": "float8e4m3fn",
    "float8_e4m3fnuz": "float8e4m3fnuz",
    "float8_e5m2": "float8e5m2",
    "float8_e5m2fnuz": "float8e5m2fnuz",
    "float8_e8m0fnu": "float8e8m0",
}
"""PyTorch's names of types that differ from ours."""
_OF_STORAGE = frozenset({"_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_qtensor"})
_WITH_TYPE = "_rebuild_tensor_v3"


class StorageReference(NamedTuple):
    """A storage as the pickle states it."""

    key: str
    dtype: DType
    location: str
    elements: int

    @property
    def width(self) -> int:
        """Return the bytes of an element."""
        return max(int(self.dtype.bits) // 8, 1)


class Reference(NamedTuple):
    """A tensor as the pickle states it."""

    name: str
    dtype: DType
    storage: StorageReference
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def width(self) -> int:
        """Return the bytes of an element."""
        return max(int(self.dtype.bits) // 8, 1)


def references(root: Any) -> Iterator[Reference]:
    """Iterate over the tensors below an object, each once."""
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", root)]
    while waiting and len(seen) < MOST_PLACES:
        name, each = waiting.pop()
        if isinstance(each, (str, bytes, int, float, Import)) or each is None or id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, Built):
            found = _reference(name, each)
            if found is not None:
                yield found
                continue
        waiting += reversed(list(_children(name, each)))


def _children(name: str, each: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(each, Built):
        if isinstance(each.arguments, (tuple, list)):
            yield from ((name, argument) for argument in each.arguments)
        for at, element in enumerate(each.elements):
            yield _joined(name, at), element
        for key, item in each.pairs:
            yield _joined(name, key), item
        yield name, each.state
    elif isinstance(each, (list, tuple)) and not isinstance(each, Persistent):
        yield from ((_joined(name, at), item) for at, item in enumerate(each))


def _joined(name: str, key: Any) -> str:
    inner = str(key) if isinstance(key, (str, int)) else "?"
    if inner in ("_parameters", "_buffers", "_modules"):  # of a pickled module
        return name
    inner = inner.encode(errors="backslashreplace").decode()
    return bounded(f"{name}.{inner}" if name else inner)


def _reference(name: str, built: Built) -> Reference | None:
    """Return the tensor that a call makes from a storage; None for other calls."""
    called, arguments = built.called, built.arguments
    if called is None or called.module != "torch._utils" or not isinstance(arguments, tuple):
        return None
    if called.name not in _OF_STORAGE and called.name != _WITH_TYPE:
        return None
    storage = _storage(arguments[0]) if len(arguments) >= 4 else None
    if storage is None:
        return None
    dtype = storage.dtype
    if called.name == _WITH_TYPE and len(arguments) >= 7:
        dtype = _named_type(arguments[6])
    offset, shape, strides = arguments[1], _dims(arguments[2]), _dims(arguments[3])
    if not isinstance(offset, int) or shape is None or strides is None:
        return None
    return Reference(name, dtype, storage, offset, shape, strides)


def _storage(each: Any) -> StorageReference | None:
    if not isinstance(each, Persistent) or not isinstance(each.id, tuple) or len(each.id) < 5:
        return None
    tag, kind, key, location, elements = each.id[:5]
    if tag != "storage" or not isinstance(elements, int):
        return None
    return StorageReference(bounded(str(key)), _dtype(kind), bounded(str(location)), elements)


def storages_of(root: Any) -> dict[str, int]:
    """Return the bytes of an element of each storage that tensors below an object refer to."""
    return {each.storage.key: each.storage.width for each in references(root)}


def _dims(each: Any) -> tuple[int, ...] | None:
    if isinstance(each, Built) and each.called == Import("torch", "Size"):
        each = each.arguments[0] if isinstance(each.arguments, tuple) and each.arguments else ()
    if not isinstance(each, (tuple, list)) or not all(isinstance(dim, int) for dim in each):
        return None
    return tuple(each)


def _dtype(kind: Any) -> DType:
    name = _STORAGES.get(kind.name, "") if isinstance(kind, Import) else ""
    return DTYPES.get(name, UNDEFINED)


def _named_type(kind: Any) -> DType:
    if not isinstance(kind, Import):
        return UNDEFINED
    return DTYPES.get(_TYPES.get(kind.name, kind.name), UNDEFINED)


class Records(NamedTuple):
    """Places of storages by key: offset and length, or None if they cannot be read in place."""

    region: dict[str, tuple[int, int] | None]
    is_little_endian: bool = True


def tensors_of(
    found: list[Reference], records: Records, stored: StoredTensors, path: Path
) -> tuple[list[Tensor], list[StorageUse]]:
    """Return the tensors and the use of storages, and note what does not fit."""
    used: dict[str, list[tuple[int, int]]] = {}
    first: dict[str, str] = {}
    tensors, missing = [], set()
    for each in found:
        key = each.storage.key
        if key not in records.region and key not in missing:
            missing.add(key)
            stored.problems.note("storage-missing", at=each.name, tensor=each.name, key=key)
        tensors.append(_tensor(each, records, stored, path))
        first.setdefault(key, each.name)
        used.setdefault(key, []).append(_span(each))
    uses = [
        StorageUse(place[1], _covered(used[key]), first[key])
        for key, place in records.region.items()
        if place is not None and key in used
    ]
    return tensors, uses


def _span(each: Reference) -> tuple[int, int]:
    """Return the bytes of its storage between a tensor's first and last element."""
    if 0 in each.shape:
        return 0, 0
    steps = zip(each.shape, each.strides, strict=False)
    last = each.offset + sum((dim - 1) * stride for dim, stride in steps)
    return each.offset * each.width, (last + 1) * each.width


def _covered(spans: list[tuple[int, int]]) -> int:
    total = reached = 0
    for start, stop in sorted(spans):
        total += max(stop - max(start, reached), 0)
        reached = max(reached, stop)
    return total


def _tensor(each: Reference, records: Records, stored: StoredTensors, path: Path) -> Tensor:
    place = records.region.get(each.storage.key)
    nbytes = each.dtype.nbytes(product(each.shape)) if not mistake_in(each.shape) else 0
    mistake = mistake_in(each.shape)
    if mistake:
        stored.invalid(each.name, each.dtype, each.shape, detail=mistake)
        return Tensor(each.name, each.dtype, possible(each.shape), 0)
    if place is None:
        return Tensor(each.name, each.dtype, each.shape, nbytes)
    offset, length = place
    start, stop = _span(each)
    stated = each.storage.elements * each.storage.width
    if start < 0 or stop > length or length != stated:
        needed = max(stop, stated)
        detail = f"storage '{each.storage.key}' has {length} bytes where {needed} are needed"
        stored.invalid(each.name, each.dtype, each.shape, needed, length, detail=detail)
        return Tensor(each.name, each.dtype, each.shape, nbytes)
    if each.dtype is UNDEFINED or not _is_contiguous(each) or not records.is_little_endian:
        region = Region(path, offset + start, stop - start)
        return Tensor(each.name, each.dtype, each.shape, nbytes, region)
    return stored.raw(each.name, each.dtype, each.shape, Region(path, offset + start, nbytes))


def _is_contiguous(each: Reference) -> bool:
    step = 1
    for dim, stride in zip(reversed(each.shape), reversed(each.strides), strict=False):
        if dim != 1 and stride != step:
            return False
        step *= dim
    return len(each.shape) == len(each.strides)
