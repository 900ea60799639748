"""Reads a safetensors file."""

from __future__ import annotations

from pathlib import Path

from modellint.formats.problems import MalformedError, Problems, broken
from modellint.formats.safetensors import SAFETENSORS
from modellint.formats.safetensors.header import header_length
from modellint.formats.safetensors.part import read_part
from modellint.model import Model

name = SAFETENSORS.name


def sniff(head: bytes, path: Path) -> bool:
    return header_length(head) is not None


def read(path: Path) -> Model:
    problems = Problems()
    try:
        part = read_part(path, problems)
    except MalformedError as error:
        return broken(path, name, error.kind, **error.facts)
    model = Model(path, name)
    model.capabilities = SAFETENSORS.tells
    model.tensors, model.metadata = part.tensors, part.metadata
    model.problems = problems
    return model
