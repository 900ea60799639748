"""Registry of formats: built-in ones, and those of plugins."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.base.plugins import load_plugin, plugins
from modellint.formats.format import Format
from modellint.formats.gguf import GGUF
from modellint.formats.onnx import ONNX, ONNX_TEXT
from modellint.formats.openvino import OPENVINO
from modellint.formats.recognised import RECOGNISED
from modellint.formats.tflite import TFLITE
from modellint.formats.trt import ENGINE, LAYERS

GROUP = "modellint.formats"
READ: tuple[Format, ...] = (
    ONNX_TEXT,
    ONNX,
    GGUF,
    TFLITE,
    OPENVINO,
    ENGINE,
    LAYERS,
)
"""Formats with a reader, in order of detection."""


@cache
def formats() -> tuple[Format, ...]:
    """Return all formats; those of plugins come before those that cannot be read yet."""
    return (*READ, *plugin_formats(), *RECOGNISED)


def plugin_formats() -> tuple[Format, ...]:
    """The formats of installed packages, each the target of an entry point."""
    return _plugins()[0]


def plugin_mistakes() -> tuple[str, ...]:
    """Errors in formats of plugins; all other formats can be used."""
    return _plugins()[1]


@cache
def _plugins() -> tuple[tuple[Format, ...], tuple[str, ...]]:
    found, mistakes = [], []
    for point in plugins(GROUP):
        try:
            found.append(load_plugin(point, Format))
        except UsageError as error:
            mistakes.append(str(error))
    return tuple(found), tuple(mistakes)


@cache
def dialect_of(format: str) -> str:
    """The dialect of a format's files; empty for an unknown format."""
    return next((each.dialect or each.name for each in formats() if each.name == format), "")


def dialects() -> set[str]:
    return {each.dialect or each.name for each in formats()}


def is_model(path: Path) -> bool:
    """Return True if the name is that of a model, as picked up in folders."""
    return path.name.lower().endswith(_suffixes(is_folder=False))


def is_model_folder(path: Path) -> bool:
    """Return True if a folder with this name is a model."""
    return path.name.lower().endswith(_suffixes(is_folder=True))


@cache
def _suffixes(*, is_folder: bool) -> tuple[str, ...]:
    each = (format.suffixes for format in formats() if format.is_folder is is_folder)
    return tuple(suffix for suffixes in each for suffix in suffixes)


def first_part(path: Path) -> Path:
    """Return the file that stands for a model of several; for all other files, themselves."""
    firsts = (format.first_part(path) for format in formats() if format.parts)
    return next((first for first in firsts if first is not None), path)


def with_companions(path: Path) -> list[Format]:
    """Return the formats that match a file's suffix and have companion files."""
    name = path.name.lower()
    return [each for each in formats() if each.companions and name.endswith(each.all_suffixes)]


def looks_like_data(path: Path) -> bool:
    """Return True if the name is that of a model's weights rather than of a model."""
    return re.search(_data_ending(), path.name, re.IGNORECASE) is not None


@cache
def _data_ending() -> str:
    endings = dict.fromkeys(ending for each in formats() for ending in each.data_expressions)
    return f"({'|'.join(endings)})$"


def file_pattern() -> str:
    """Return a regular expression for the names of all models and of their data files."""
    each = (_name_pattern(format) for format in (*READ, *RECOGNISED) if format.suffixes)
    return rf"(?i)\.({'|'.join(each)})$"


def _name_pattern(format: Format) -> str:
    """``onnx(\\.data|_data)?``"""
    suffixes = "|".join(re.escape(suffix.removeprefix(".")) for suffix in format.suffixes)
    names = f"({suffixes})" if len(format.suffixes) > 1 else suffixes
    data = "|".join(format.data_expressions)
    return f"{names}({data})?" if data else names
