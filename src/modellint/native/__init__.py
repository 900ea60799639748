"""The two compiled parts of the onnx package: its messages and its C++ library.

`import onnx` also imports helpers, compose, JSON and numpy, which takes four times as long as
everything else needed to lint a typical model. Both parts work on their own.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import Any


@cache
def messages() -> Any:
    """Return the module of protobuf messages, such as `ModelProto`."""
    return _part("onnx_ml_pb2")


@cache
def library() -> Any:
    """Return the C++ library: `defs`, `parser`, `shape_inference`."""
    return _part("onnx_cpp2py_export")


def _part(name: str) -> Any:
    """Import a module of the onnx package without importing the package itself.

    It is registered under its usual name, so that a later `import onnx` reuses it.
    """
    full_name = f"onnx.{name}"
    package = PathFinder.find_spec("onnx") if "onnx" not in sys.modules else None
    if full_name in sys.modules or package is None:
        return import_module(full_name)
    spec = PathFinder.find_spec(full_name, package.submodule_search_locations)
    if spec is None or spec.loader is None:
        return import_module(full_name)
    module = module_from_spec(spec)
    sys.modules[full_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[full_name]
        raise
    return module
