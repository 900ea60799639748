"""Shape inference and conversion by onnx's C++ library, here or in a process that may die of it."""

from __future__ import annotations

import atexit
import os
from functools import cache
from typing import TYPE_CHECKING

from modellint.native import library

if TYPE_CHECKING:
    from subprocess import Popen


class DiedError(Exception):
    """The process that was asked in this one's place died."""


class ApartError(Exception):
    """Message of an error that onnx raised in another process."""


def infer_shapes(serialized: bytes, *, strict: bool, propagates: bool) -> bytes:
    """Infer shapes in this process, which may not survive it."""
    inferred: bytes = library().shape_inference.infer_shapes(serialized, False, strict, propagates)
    return inferred


def convert_version(serialized: bytes, *, version: int) -> bytes:
    """Convert a model to a version of the default operator set in this process."""
    converted: bytes = library().version_converter.convert_version(serialized, version)
    return converted


def infer_shapes_apart(serialized: bytes, *, strict: bool, propagates: bool) -> bytes:
    """Infer shapes in a process that may die, and is kept as long as it lives."""
    return _ask("infer_shapes", serialized, strict=strict, propagates=propagates)


def convert_version_apart(serialized: bytes, *, version: int) -> bytes:
    """Convert a model in the same process."""
    return _ask("convert_version", serialized, version=version)


def _ask(task: str, serialized: bytes, **arguments: object) -> bytes:
    from modellint.base import children  # hardly ever needed

    helper = _helper()
    try:
        children.tell(helper, (task, serialized, arguments))
        made, error = children.answer(helper)
    except BaseException as error:
        _helper.cache_clear()
        how = children.end(helper)
        if isinstance(error, Exception):
            raise DiedError(f"onnx's {_NAMES[task]} {how}") from None
        raise
    if error is not None:
        raise ApartError(error)
    result: bytes = made
    return result


_NAMES = {"infer_shapes": "shape inference", "convert_version": "version converter"}


@cache
def _helper() -> Popen[bytes]:
    from modellint.base import children

    helper = children.start("native.child")
    atexit.register(children.end, helper)
    children.tell(helper, os.getpid())
    return helper
