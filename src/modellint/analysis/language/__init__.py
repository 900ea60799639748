"""Memory and time of a language model, by context length, as its runtime needs them.

>>> needs = language_needs(model, deployment)     # None for other models
>>> needs.at(8192).total, needs.longest, needs.requests(8192)
"""

from modellint.analysis.language.caching import cache_bytes, cached_per_token, element_bytes
from modellint.analysis.language.needs import ContextNeed, LanguageNeeds, language_needs
from modellint.analysis.language.parts import PART_NAMES, Parts, PartSize, weight_parts
from modellint.analysis.language.serving import Server, servers
from modellint.analysis.language.speed import ContextSpeed, break_even, context_speed
from modellint.analysis.language.view import architecture_of, language_runtime

__all__ = [
    "PART_NAMES",
    "ContextNeed",
    "ContextSpeed",
    "LanguageNeeds",
    "PartSize",
    "Parts",
    "Server",
    "architecture_of",
    "break_even",
    "cache_bytes",
    "cached_per_token",
    "context_speed",
    "element_bytes",
    "language_needs",
    "language_runtime",
    "servers",
    "weight_parts",
]
