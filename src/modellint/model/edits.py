"""A fix as data: edits of a model's view, which a format's editor carries out on the file.

The edits of one fix hold together, and all refer to the view that they were made from. Names of
new values, nodes and tensors are a fix's own: editors make them unique in the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from modellint.base.applicability import Applicability
from modellint.base.records import dataclass
from modellint.model.dims import Shape
from modellint.model.dtypes import DType
from modellint.model.graph import Attribute, Graph, Node, Use, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

Operand = Value | str | None
"""Something for a node to read: a value of the model, one that the same fix makes, or nothing."""
Elements = Callable[[], "NDArray[Any]"]
"""Computes a tensor's elements when the file is written."""


@dataclass(frozen=True, slots=True)
class RemoveNodes:
    """Remove nodes. Other uses of their outputs have to be replaced in the same fix."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Replace:
    """Replace a value by another one: all its uses, or only some.

    An output of the graph keeps its name, whatever it is replaced by.
    """

    value: Value
    by: Value | str
    uses: tuple[Use, ...] | None = None


@dataclass(frozen=True, slots=True)
class NewNode:
    """A node to insert, or to insert instead of those that made its outputs."""

    op_type: str
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    """Names of new values, or values whose producers the same fix removes."""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    domain: str = ""
    name: str = ""
    like: Node | None = None
    """A node to take all from that is not said here: attributes, subgraphs, metadata."""


@dataclass(frozen=True, slots=True)
class InsertNodes:
    """Insert nodes, in order, before one of the graph's or at its end."""

    graph: Graph
    nodes: tuple[NewNode, ...]
    before: Node | None = None


@dataclass(frozen=True, slots=True)
class SetInput:
    """Let a node read something else at one place, which may be one past its last."""

    node: Node
    index: int
    value: Operand


@dataclass(frozen=True, slots=True)
class SetAttribute:
    """Set an attribute, or remove it."""

    node: Node
    name: str
    value: Attribute | None


@dataclass(frozen=True, slots=True)
class SetOperator:
    """Give a node another operator, with the inputs, outputs and attributes that it has."""

    node: Node
    op_type: str
    domain: str = ""


@dataclass(frozen=True, slots=True)
class AddTensor:
    """Store a new constant."""

    name: str
    graph: Graph
    dtype: DType
    shape: tuple[int, ...]
    elements: Elements


@dataclass(frozen=True, slots=True)
class SetTensor:
    """Store other elements under a constant's name."""

    value: Value
    dtype: DType
    shape: tuple[int, ...]
    elements: Elements


@dataclass(frozen=True, slots=True)
class RemoveTensor:
    """Drop an initializer, and the input of that name that old files have to list."""

    value: Value


@dataclass(frozen=True, slots=True)
class SetShape:
    """State the shape of an input, output or inner value; None forgets what the file states."""

    value: Value
    shape: Shape | None


@dataclass(frozen=True, slots=True)
class SetType:
    """State the element type of an input, output or inner value."""

    value: Value
    dtype: DType


@dataclass(frozen=True, slots=True)
class RemoveInput:
    """Drop an input that nothing reads."""

    value: Value


@dataclass(frozen=True, slots=True)
class RemoveOutput:
    """Return one value less."""

    value: Value


@dataclass(frozen=True, slots=True)
class RemoveFunction:
    """Drop a function that nothing calls."""

    body: Graph


@dataclass(frozen=True, slots=True)
class SetMetadata:
    """Set an entry of the metadata of a node, a graph or the file (None), or remove it."""

    place: Node | Graph | None
    key: str
    value: str | None


@dataclass(frozen=True, slots=True)
class SetOpset:
    """Import a version of an operator set, or none, for the file or for a function."""

    domain: str
    version: int | None
    body: Graph | None = None


@dataclass(frozen=True, slots=True)
class Reorder:
    """Put all nodes of a graph into another order."""

    graph: Graph
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Rename:
    """Give a node, a value or a graph another name, wherever it is mentioned."""

    place: Node | Value | Graph
    name: str


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Whatever cannot be said otherwise: a function from the format's message to a new one.

    Large payloads are not in the message, only marks. It is applied in a round of its own.
    """

    transform: Callable[[Any], Any]


GraphEdit = (
    RemoveNodes
    | Replace
    | InsertNodes
    | SetInput
    | SetAttribute
    | SetOperator
    | AddTensor
    | SetTensor
    | RemoveTensor
    | SetShape
    | SetType
    | RemoveInput
    | RemoveOutput
    | RemoveFunction
    | SetMetadata
    | SetOpset
    | Reorder
    | Rename
    | Rewrite
)


@dataclass(frozen=True, slots=True, eq=False)
class Fix:
    """Edits that put one finding right, and how far they may be trusted."""

    edits: tuple[GraphEdit, ...]
    says: str
    """One sentence of what it does, such as ``Removes Identity 'a'.``"""
    applicability: Applicability | None = None
    """None for the rule's; it may be weaker, never stronger."""
    option: str = ""
    """The choice that it needs, such as ``dim:batch=SIZE``; without edits until it is given."""
    tolerance: float | None = None
    """Largest difference of an output, relative to its largest element, if numbers change."""
    changes_interface: bool = False
    """True if inputs or outputs have other names or types afterwards, as it says."""
    keeps_finding: bool = False
    """True if the finding may stay, such as about open dims of which some are chosen."""
    changes_outputs: bool = False
    """True if the outputs' numbers are meant to differ: it is carried out alone, by choice only."""


class EditError(Exception):
    """Edits that cannot be carried out, and the fix that they belong to if only one is to blame."""

    def __init__(self, message: str, fix: Fix | None = None) -> None:
        super().__init__(message)
        self.fix = fix
