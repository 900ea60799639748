"""The pattern language of rule files: see docs/patterns.md."""

from modellint.rules.pattern.compiled import CompiledMatch, PatternMatch, compile_match, may_match
from modellint.rules.pattern.errors import PatternError
from modellint.rules.pattern.scope import Environment

__all__ = [
    "CompiledMatch",
    "Environment",
    "PatternError",
    "PatternMatch",
    "compile_match",
    "may_match",
]
