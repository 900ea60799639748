"""Relocation of weights: into one file next to the model, into several, or into the model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import field
from pathlib import Path
from typing import NamedTuple

from modellint.base.files import open_regular
from modellint.base.records import dataclass
from modellint.base.units import format_bytes
from modellint.base.weight_layout import WeightLayout
from modellint.formats.onnx.edit.message import (
    Copied,
    EditedMessage,
    Piece,
    length_of,
    merged,
    new_field,
    new_number,
)
from modellint.formats.onnx.edit.output import write_pieces
from modellint.formats.onnx.tensors import DOUBLE_DATA, EXTERNAL, FLOAT_DATA, TensorReader
from modellint.formats.onnx.wire import (
    CHILDREN,
    DATA_LOCATION,
    EXTERNAL_DATA,
    LARGE,
    RAW_DATA,
)
from modellint.formats.problems import Problems
from modellint.formats.protobuf import LENGTH, READ_WHOLE, Buffer, FileWindow
from modellint.model import Region
from modellint.model.edits import EditError
from modellint.native import messages

MOST_BYTES = (1 << 31) - 1
"""Size limit of protobuf, and therefore of runtimes."""
_ALIGNMENTS = ((1 << 20, 1 << 16), (1 << 14, 1 << 12))
"""Sizes of tensors, and the multiples at which such start: those of memory pages, so that runtimes
can map them; of Windows, for the largest."""
_LEAST_ALIGNMENT = 64
_DATA_TYPE, _NAME = 2, 8
_AS_RAW = {1: FLOAT_DATA, 11: DOUBLE_DATA}
"""Fields that hold the same bytes as raw data, by the type of elements."""


class _Weight(NamedTuple):
    """A stored tensor that may move, and where its bytes are."""

    tensor: EditedMessage
    bytes: Copied
    source: Region | None
    """Its place in an external file."""


@dataclass(slots=True)
class _DataFile:
    name: str
    pieces: list[Piece] = field(default_factory=list)
    size: int = 0

    def add(self, content: Copied) -> int:
        """Add a tensor's bytes, aligned; return their offset."""
        start = _aligned(self.size, content.length)
        self.pieces += [bytes(start - self.size), content]
        self.size = start + content.length
        return start


def _aligned(offset: int, length: int) -> int:
    sizes = (to for least, to in _ALIGNMENTS if length >= least)
    multiple = next(sizes, _LEAST_ALIGNMENT)
    return -(-offset // multiple) * multiple


class Relocation:
    """A model whose weights are to be moved. Its files are open inside the context."""

    def __init__(self, path: Path, layout: WeightLayout, name: str) -> None:
        self.path = path
        self.layout = layout
        self.name = name
        self._files: list[_DataFile] = []
        self._pieces: list[Piece] = []
        self._open = ExitStack()
        self._windows: dict[Path, FileWindow] = {}
        self._reader = TensorReader(path, None, Problems())

    def __enter__(self) -> Relocation:
        with ExitStack() as opened:
            self._open = opened
            file = opened.enter_context(open_regular(self.path))
            size = os.fstat(file.fileno()).st_size
            data: Buffer = file.read(size) or b"" if size <= READ_WHOLE else FileWindow(file, size)
            self._plan(EditedMessage(data, 0, size))
            self._open = opened.pop_all()
        return self

    def __exit__(self, *ended: object) -> None:
        self._open.close()

    @property
    def is_needed(self) -> bool:
        """Return False if the weights are already where they should be."""
        return bool(self._pieces)

    @property
    def names(self) -> list[str]:
        """Return the names of the files next to the model."""
        return [file.name for file in self._files]

    def write(self, folder: Path) -> None:
        """Write the model and its data files."""
        for file in self._files:
            write_pieces(merged(file.pieces), folder / file.name)
        write_pieces(merged(self._pieces), folder / self.name)

    def _plan(self, message: EditedMessage) -> None:
        weights = list(self._weights("Model", message))
        if self._lie_well(weights):
            return
        if self.layout.kind == "embedded":
            for weight in weights:
                weight.tensor.set(EXTERNAL_DATA, [])
                weight.tensor.set(DATA_LOCATION, [])
                weight.tensor.set(RAW_DATA, [new_field(RAW_DATA, weight.bytes)])
        else:
            self._move_out(weights)
        self._pieces = list(message.pieces())
        size = length_of(self._pieces)
        if size > MOST_BYTES:
            raise EditError(
                f"the file would have {format_bytes(size)}, and protobuf's limit is 2 GB"
            )

    def _lie_well(self, weights: list[_Weight]) -> bool:
        if any(weight.source is None for weight in weights):
            return False
        files = {weight.source.path for weight in weights if weight.source is not None}
        if self.layout.kind == "one-file":
            return len(files) <= 1
        most = self.layout.most if self.layout.kind == "split" else -1
        return all(file.stat().st_size <= most for file in files)

    def _move_out(self, weights: list[_Weight]) -> None:
        placed: dict[Region, tuple[str, int]] = {}
        """Places of bytes that several tensors share."""
        for weight in weights:
            known = placed.get(weight.source) if weight.source is not None else None
            if known is None:
                file = self._file_for(weight.bytes.length)
                known = file.name, file.add(weight.bytes)
                if weight.source is not None:
                    placed[weight.source] = known
            entries = {"location": known[0], "offset": known[1], "length": weight.bytes.length}
            for number in (RAW_DATA, FLOAT_DATA, DOUBLE_DATA):
                weight.tensor.set(number, [])
            entry = messages().StringStringEntryProto
            fields = [
                new_field(EXTERNAL_DATA, entry(key=key, value=str(value)).SerializeToString())
                for key, value in entries.items()
            ]
            weight.tensor.set(EXTERNAL_DATA, fields)
            weight.tensor.set(DATA_LOCATION, [new_number(DATA_LOCATION, EXTERNAL)])

    def _file_for(self, length: int) -> _DataFile:
        """Return the file for the next tensor, which is a new one if the last would be too long."""
        files, split = self._files, self.layout.kind == "split"
        if not files or (split and _aligned(files[-1].size, length) + length > self.layout.most):
            name = f"{self.name}_data_{len(files) + 1}" if split else f"{self.name}.data"
            files.append(_DataFile(name))
        return files[-1]

    # What is there

    def _weights(self, kind: str, message: EditedMessage, parent: str = "") -> Iterator[_Weight]:
        """Iterate over external tensors anywhere, and large initializers of the main graph unless
        all are to be embedded."""
        children = CHILDREN[kind]
        for each in message.fields:
            child = children.get(each.number)
            if each.wire != LENGTH or child in (None, "Blob"):
                continue
            assert child is not None
            if child != "Tensor":
                yield from self._weights(child, each.open(), kind)
                continue
            found = self._external(each.open()) or (
                _stored(each.open())
                if parent == "Model" and kind == "Graph" and self.layout.kind != "embedded"
                else None
            )
            if found is not None:
                yield found

    def _external(self, tensor: EditedMessage) -> _Weight | None:
        locations = tensor.all(DATA_LOCATION)
        if not locations or locations[-1].content != bytes([EXTERNAL]):
            return None
        proto = messages().TensorProto.FromString(tensor.encoded())
        region = self._reader.tensor(proto, proto.name).region
        if region is None:
            raise EditError(f"the external data of {proto.name!r} is missing, or not to be read")
        window = self._window(region.path)
        return _Weight(tensor, Copied(window, region.offset, region.length), region)

    def _window(self, path: Path) -> FileWindow:
        if path not in self._windows:
            file = self._open.enter_context(open_regular(path))
            self._windows[path] = FileWindow(file, os.fstat(file.fileno()).st_size)
        return self._windows[path]


def _stored(tensor: EditedMessage) -> _Weight | None:
    """Return a large tensor in the file whose bytes are those of an external one."""
    types = tensor.all(_DATA_TYPE)
    typed = _AS_RAW.get(types[-1].content[0]) if types else None
    content = tensor.all(RAW_DATA) or (tensor.all(typed) if typed is not None else [])
    if len(content) != 1 or content[0].wire != LENGTH:
        return None
    start, end = content[0].body, content[0].end
    if end - start < LARGE:
        return None
    return _Weight(tensor, Copied(content[0].data, start, end - start), None)
