"""Features that a model must have for a check to report anything, found once and cheaply.

A check that opens with ``if context.lacks([FLOATS]): return`` is asked about one model without
stored floats, and then about no other. Operators are features, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from modellint.model.dims import is_static
from modellint.model.model import Model

FUNCTIONS = "its own functions"
STORED = "stored tensors"
FLOATS = "stored floats"
OPEN_INPUT = "an open input"
"""An input without a fixed shape, whatever the deployment."""
FOREIGN_DOMAIN = "a foreign domain"
"""An operator outside the format's default domain."""
NODE_METADATA = "metadata of nodes"


def features_of(model: Model) -> Iterator[str]:
    """Iterate over the features that a model has."""
    graphs = model.graphs(functions=True)
    if model.functions:
        yield FUNCTIONS
    held = [value.tensor for graph in graphs for value in graph.values.values()]
    stored = [*filter(None, held), *model.tensors]
    if stored:
        yield STORED
    if any(tensor.dtype.is_float for tensor in stored):
        yield FLOATS
    if any(value.tensor is None and not is_static(value.declared_shape) for value in model.inputs):
        yield OPEN_INPUT
    if any(nodes[0].domain for graph in graphs for nodes in graph.by_op.values()):
        yield FOREIGN_DOMAIN
    if any(node.metadata for graph in graphs for node in graph.nodes):
        yield NODE_METADATA
