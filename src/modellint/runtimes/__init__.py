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
from modellint.runtimes.runtime import LanguageMemory, Runtime, RuntimeMemory

__all__ = [
    "LanguageMemory",
    "Runtime",
    "RuntimeMemory",
    "builder_of",
    "find_runtime",
    "language_runtimes",
    "memory_of",
    "runtimes",
    "title_of",
]
