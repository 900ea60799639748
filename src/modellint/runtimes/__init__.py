"""Runtimes that models are deployed on: one package each, with everything known about it.

See docs/adding-a-runtime.md.
"""

from modellint.runtimes.registry import (
    builder_of,
    find_runtime,
    language_runtimes,
    memory_of,
    runtimes,
    title_of,
)
from modellint.runtimes.runtime import (
    LanguageMemory,
    Reserved,
    ReservingDevice,
    Runtime,
    RuntimeMemory,
)

__all__ = [
    "LanguageMemory",
    "Reserved",
    "ReservingDevice",
    "Runtime",
    "RuntimeMemory",
    "builder_of",
    "find_runtime",
    "language_runtimes",
    "memory_of",
    "runtimes",
    "title_of",
]
