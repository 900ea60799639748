"""Catalogue of operators: traits, cost, and names in other formats.

    >>> node.op_type in having(Trait.VIEW)          # by op type, whatever the domain
    >>> context.nodes(*names(Trait.RECURRENT))      # qualified names, to iterate over nodes
    >>> of(node).place("weight")                    # the row of one node's operator

To add an operator, add a row to `catalogue.py`.
"""

from __future__ import annotations

from modellint.operators.choice import choice, with_domains
from modellint.operators.operator import (
    Dialect,
    Operator,
    having,
    in_format,
    names,
    of,
    rows,
    with_input,
    with_own_names,
)
from modellint.operators.trait import Trait

__all__ = [
    "Dialect",
    "Operator",
    "Trait",
    "choice",
    "having",
    "in_format",
    "names",
    "of",
    "rows",
    "with_domains",
    "with_input",
    "with_own_names",
]
