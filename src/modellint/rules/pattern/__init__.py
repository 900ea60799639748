"""The pattern language of rule files: see docs/patterns.md."""

from modellint.rules.pattern.compiled import Claims, CompiledMatch, PatternMatch, compile_match
from modellint.rules.pattern.errors import PatternError
from modellint.rules.pattern.scope import Environment
from modellint.rules.pattern.syntax import required_ops

__all__ = [
    "Claims",
    "CompiledMatch",
    "Environment",
    "PatternError",
    "PatternMatch",
    "compile_match",
    "required_ops",
]
