"""Edits of ONNX files: what no edit touches keeps its bytes, and is not even read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modellint.base.files import open_regular
from modellint.base.weight_layout import WeightLayout
from modellint.formats.onnx.edit.carry_out import Editor
from modellint.formats.onnx.edit.message import EditedMessage, Piece, length_of, merged
from modellint.formats.onnx.edit.output import write_pieces
from modellint.formats.onnx.edit.relocation import MOST_BYTES, Relocation
from modellint.formats.onnx.edit.resolution import Resolution
from modellint.formats.onnx.edit.rewriting import rewritten
from modellint.formats.onnx.facts import onnx_facts
from modellint.formats.protobuf import READ_WHOLE, Buffer, FileWindow
from modellint.model import Model
from modellint.model.edits import EditError, Fix, Rewrite

if TYPE_CHECKING:
    from io import FileIO


def write_fixed(model: Model, fixes: Sequence[Fix], to: Path) -> None:
    """Write the file of a model with fixes carried out. Raises EditError and OSError."""
    with open_regular(model.path) as file:
        size = os.fstat(file.fileno()).st_size
        if size != model.file_size:
            raise EditError("the file has changed since it was read")
        pieces = list(merged(_edited(model, fixes, file, size)))
        if size <= MOST_BYTES < length_of(pieces):
            raise EditError("the file would exceed protobuf's 2 GB")
        write_pieces(pieces, to)


def relocation(path: Path, layout: WeightLayout, name: str) -> Relocation:
    """Return a model, under a name, with its weights elsewhere. Raises EditError and OSError."""
    return Relocation(path, layout, name)


def _edited(model: Model, fixes: Sequence[Fix], file: FileIO, size: int) -> list[Piece]:
    rewrites = [(fix, edit) for fix in fixes for edit in fix.edits if isinstance(edit, Rewrite)]
    if rewrites:
        fix, edit = rewrites[0]
        if len(fixes) > 1 or len(fix.edits) > 1:
            raise EditError("it rewrites the file, and nothing else can be done with it", fix)
        return rewritten(model.path, edit, file)
    if onnx_facts(model).training:
        raise EditError("it carries training information, which may refer to anything")
    data: Buffer = (file.read(size) or b"") if size <= READ_WHOLE else FileWindow(file, size)
    message = EditedMessage(data, 0, size)
    Editor(model, message).carry_out(Resolution(model, fixes))
    return list(message.pieces())
