"""The pattern language of rule files: see docs/patterns.md."""

from modellint.rules.pattern.compiled import Claims, CompiledMatch, PatternMatch, compile_match
from modellint.rules.pattern.errors import PatternError, WorkLimitError
from modellint.rules.pattern.scope import Budget, Environment, SharedBudget
from modellint.rules.pattern.syntax import required_ops

__all__ = [
    "Budget",
    "Claims",
    "CompiledMatch",
    "Environment",
    "PatternError",
    "PatternMatch",
    "SharedBudget",
    "WorkLimitError",
    "compile_match",
    "required_ops",
]
