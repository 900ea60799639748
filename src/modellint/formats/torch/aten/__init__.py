"""Common names of PyTorch's operators, where operators of the standard mean the same.

An operator becomes one of the standard only if its arguments can be stated as the standard does:
in a tensor's shape, a number that depends on the input's size often cannot. All others keep their
names, with the library that defines them as the domain, `aten` for PyTorch's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from modellint.formats.torch.aten import layers, movement, pointwise, quantized, reducing
from modellint.formats.torch.aten.arguments import AtenArguments
from modellint.formats.torch.aten.stated import Meaning, Values
from modellint.model import Attribute
from modellint.operators import of

DOMAIN = "aten"
_LIBRARIES = frozenset({DOMAIN, "quantized_decomposed"})
_MEANINGS: Mapping[str, Meaning] = {
    **layers.MEANINGS,
    **reducing.MEANINGS,
    **pointwise.MEANINGS,
    **movement.MEANINGS,
    **quantized.MEANINGS,
}


class AtenOperation(NamedTuple):
    """A node in common terms."""

    op_type: str
    domain: str
    inputs: Values
    attributes: Mapping[str, Attribute]


class _AtenName(NamedTuple):
    op_type: str
    domain: str


def translate(library: str, operator: str, given: AtenArguments) -> AtenOperation:
    """Return a node in common terms, from the names of its operator."""
    name = "conv_transpose2d" if given.flag("transposed") else operator
    meaning = _MEANINGS.get(name) if library in _LIBRARIES else None
    stated = meaning(given) if meaning is not None else None
    if stated is None:
        return AtenOperation(operator, library, given.all_tensors(), given.plain())
    return AtenOperation(common_name(library, name), "", *stated)


@cache
def common_name(library: str, operator: str) -> str:
    return of(_AtenName(operator, library)).op_type
