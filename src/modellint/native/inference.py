"""Shape inference by onnx's C++ library, in this process or in one that may die of it."""

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


def infer_shapes_apart(serialized: bytes, *, strict: bool, propagates: bool) -> bytes:
    """Infer shapes in a process that may die, and is kept as long as it lives."""
    from modellint.base import children  # hardly ever needed

    helper = _helper()
    try:
        children.tell(helper, (serialized, strict, propagates))
        inferred, error = children.answer(helper)
    except BaseException as error:
        _helper.cache_clear()
        how = children.end(helper)
        if isinstance(error, Exception):
            raise DiedError(f"onnx's shape inference {how}") from None
        raise
    if error is not None:
        raise ApartError(error)
    result: bytes = inferred
    return result


@cache
def _helper() -> Popen[bytes]:
    from modellint.base import children

    helper = children.start("native.child")
    atexit.register(children.end, helper)
    children.tell(helper, os.getpid())
    return helper
