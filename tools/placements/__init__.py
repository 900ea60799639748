"""Compilers that say where nodes run, for tools/measure_placement.py: a module for each runtime.

`compiler(chip)` returns a function of a file and the sizes of its open dims, which returns whether
the model `starts`, the names of nodes of each of its `partitions` on the accelerator, the names of
those that are `left`, and the `error` if it does not start; for a runtime that forms no parts, also
the number of `copies` between units. An empty chip is the usual one.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Compile = Callable[[Path, Mapping[str, int]], dict[str, Any]]
MOST_TEXT = 200
"""Characters of an error that are kept."""
