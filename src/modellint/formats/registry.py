"""Registry of formats: built-in ones, and those of plugins."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.base.plugins import load_plugin, plugins
from modellint.formats.coreml import COREML, COREML_PACKAGE
from modellint.formats.format import FixWriter, Format
from modellint.formats.gguf import GGUF
from modellint.formats.huggingface import HUGGING_FACE
from modellint.formats.keras import KERAS, KERAS_HDF5
from modellint.formats.ncnn import NCNN
from modellint.formats.onnx import ONNX, ONNX_TEXT
from modellint.formats.openvino import OPENVINO
from modellint.formats.ort import ORT
from modellint.formats.recognised import RECOGNISED
from modellint.formats.safetensors import SAFETENSORS
from modellint.formats.savedmodel import SAVED_MODEL, TENSORFLOW_GRAPH
from modellint.formats.tflite import TFLITE
from modellint.formats.torch import PICKLE, TORCH
from modellint.formats.triton import TRITON
from modellint.formats.trt import ENGINE, LAYERS

GROUP = "modellint.formats"
READ: tuple[Format, ...] = (
    ONNX_TEXT,
    ONNX,
    GGUF,
    TFLITE,
    ORT,
    OPENVINO,
    SAFETENSORS,
    HUGGING_FACE,
    COREML,
    COREML_PACKAGE,
    TRITON,
    TORCH,
    KERAS,
    KERAS_HDF5,
    SAVED_MODEL,
    TENSORFLOW_GRAPH,
    NCNN,
    ENGINE,
    LAYERS,
    PICKLE,
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
    return next((each.family for each in formats() if each.name == format), "")


def editor_of(format: str) -> FixWriter | None:
    """Return what fixes files of a format; None if nothing does."""
    found = next((each for each in formats() if each.name == format), None)
    return found.load_editor() if found is not None else None


@cache
def is_fixable(format: str) -> bool:
    """Return True if files of a format can be fixed."""
    return any(each.editor for each in formats() if each.name == format)


def title_of(format: str) -> str:
    return next((each.title for each in formats() if each.name == format), format)


def dialects() -> set[str]:
    return {each.family for each in formats()}


def is_model(path: Path) -> bool:
    """Return True if the name is that of a model, as picked up in folders."""
    return path.name.lower().endswith(_suffixes(is_folder=False))


def is_model_folder(path: Path) -> bool:
    """Return True if a folder with this name is a model and nothing in it is a model of its own."""
    return path.name.lower().endswith(_suffixes(is_folder=True))


def folder_format(names: Collection[str]) -> Format | None:
    """Return the format of a folder that is a model because of the files in it."""
    return next((each for each in _by_contents() if each.is_made_of(names)), None)


def is_member(name: str, format: Format | None = None) -> bool:
    """Return True if files of this name are parts of folders of a format, by default of any."""
    return re.match(_members(format), name) is not None


def is_piece(name: str) -> bool:
    """Return True if a file of this name is only a part of a model, or none by its name."""
    return re.match(_pieces(), name) is not None or (is_member(name) and not is_model(Path(name)))


@cache
def _by_contents() -> tuple[Format, ...]:
    return tuple(format for format in formats() if format.contents)


@cache
def _members(format: Format | None) -> str:
    of = _by_contents() if format is None else (format,)
    return _any_of(glob for each in of for glob in each.member_names)


@cache
def _pieces() -> str:
    return _any_of(glob for each in _by_contents() for glob in each.pieces)


def _any_of(globs: Iterable[str]) -> str:
    """Return a regular expression for all names that match one of the globs."""
    return "|".join(map(fnmatch.translate, dict.fromkeys(globs))) or "(?!)"


@cache
def _suffixes(*, is_folder: bool) -> tuple[str, ...]:
    each = (format.suffixes for format in formats() if format.is_folder is is_folder)
    return tuple(suffix for suffixes in each for suffix in suffixes)


def first_part(path: Path) -> Path:
    """Return the file that stands for a model of several; for all other files, themselves."""
    firsts = (format.first_part(path) for format in formats() if format.parts)
    return next((first for first in firsts if first is not None), path)


def sharing(path: Path) -> list[Format]:
    """Return the formats that share a file's suffix with others."""
    name = path.name.lower()
    return [each for each in formats() if name.endswith(each.shared_suffixes)]


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
    """Return a regular expression for the names of all models and of their data files.

    Of names that models share with other files, it has those that a search looks into.
    """
    ours = (*READ, *RECOGNISED)
    endings = [_name_pattern(format) for format in ours if format.suffixes]
    searched = [format.shared_suffixes for format in ours if format.searched]
    endings += dict.fromkeys(
        re.escape(suffix.removeprefix(".")) for suffixes in searched for suffix in suffixes
    )
    names = dict.fromkeys(name for format in ours for name in format.member_names)
    others = [_regular(name) for name in names if not is_model(Path(name))]
    return rf"(?i)(\.({'|'.join(endings)})|(^|/)({'|'.join(others)}))$"


def _regular(glob: str) -> str:
    """``[^/]*\\.index\\.json``"""
    return re.escape(glob).replace(r"\*", "[^/]*")


def _name_pattern(format: Format) -> str:
    """``onnx(\\.data|_data)?``"""
    suffixes = "|".join(re.escape(suffix.removeprefix(".")) for suffix in format.suffixes)
    names = f"({suffixes})" if len(format.suffixes) > 1 else suffixes
    data = "|".join(format.data_expressions)
    return f"{names}({data})?" if data else names
