"""Reading of ONNX Runtime's format: the graph becomes ONNX's message, which is read like a file.

Large weights stay in the file, as they do in an ONNX file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from modellint.formats.flatbuffer import PAGE, Flatbuffer, FlatTable
from modellint.formats.onnx.facts import SavedSession, onnx_facts
from modellint.formats.ort import ORT
from modellint.formats.problems import MalformedError, broken
from modellint.formats.source import Source
from modellint.model import Model

IDENTIFIER = b"ORTM"
FORMAT = "version of the format"


def sniff(head: bytes, path: Path) -> bool:
    return head[4:8] == IDENTIFIER


def read(path: Path) -> Model:
    from modellint.formats.onnx.build import build
    from modellint.formats.ort.translate import Translator

    try:
        with Source(path, window=PAGE) as source:
            session = Flatbuffer(source).root()
            stated = session.table(1)
            if stated is None or stated.table(7) is None:
                raise MalformedError("corrupt", "no graph")
            translator = Translator()
            proto = translator.model(stated)
            saved = _saved(session, translator.optimizations)
    except MalformedError as error:
        return broken(path, ORT.name, error.kind, **error.facts)
    model = build(proto, path, payloads=translator.payloads, format=ORT.name)
    model.metadata = {**model.metadata, FORMAT: saved.format_version}
    model.format_facts = replace(onnx_facts(model), session=saved)
    return model


def _saved(session: FlatTable, optimizations: int) -> SavedSession:
    resolver = session.table(3)
    return SavedSession(
        format_version=session.text(0),
        kernel_hashes=sum(1 for _ in _kernels(session.table(2))),
        kernel_types=sum(1 for _ in resolver.tables(0)) if resolver is not None else 0,
        optimizations=optimizations,
    )


def _kernels(state: FlatTable | None) -> Iterator[int]:
    """Iterate over the hashes in a deprecated session state."""
    kernels = state.table(0) if state is not None else None
    if kernels is not None:
        yield from kernels.numbers(1, "Q")
