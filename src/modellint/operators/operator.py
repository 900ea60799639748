"""Rows of the catalogue, and queries on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple, Protocol

from modellint.operators.catalogue import ROWS
from modellint.operators.trait import Trait

_TRAITS = {trait.value: trait for trait in Trait}
NO_COST = "-"
"""Stands for a cost that is not known."""


class Dialect(NamedTuple):
    """Name of an operator in another format."""

    format: str
    name: str
    differs: tuple[str, ...] = ()
    """``nhwc`` (channels last), ``activation`` (fused into it), ``weight-transposed``, …"""
    cost: str = ""
    """Formula for its work, if it takes another one."""
    inputs: tuple[str, ...] = ()
    """Roles of its inputs, if they come in another order."""


class Operator(NamedTuple):
    """A row of the catalogue: everything known about an operator."""

    name: str
    """``Conv``, or ``com.microsoft.FusedConv`` outside the default domain."""
    cost: str = ""
    """Formula of `analysis.cost` for its work; empty without one."""
    traits: frozenset[Trait] = frozenset()
    inputs: tuple[str, ...] = ()
    """Role of each input, as far as used: ``data weight bias``."""
    elsewhere: tuple[str, ...] = ()
    """Its names in other formats, as its row has them."""

    @property
    def op_type(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        return tuple(map(_dialect, self.elsewhere))

    def places(self, *roles: str) -> tuple[int, ...]:
        """Return the indices of the inputs with one of these roles."""
        return tuple(at for at, role in enumerate(self.inputs) if role in roles)

    def place(self, role: str) -> int | None:
        """Return the index of the first input with this role."""
        return self.inputs.index(role) if role in self.inputs else None


class Named(Protocol):
    """A node, as far as its operator is concerned."""

    @property
    def op_type(self) -> str: ...

    @property
    def domain(self) -> str: ...


def of(node: Named) -> Operator:
    """Return the row of a node's operator; one without traits for unknown operators."""
    is_standard = node.domain in ("", "ai.onnx")
    name = node.op_type if is_standard else f"{node.domain}.{node.op_type}"
    found = rows().get(name)
    if found is None and node.domain in _elsewhere():
        found = in_format(node.domain).get(node.op_type)
    return found or Operator(name)


def having(*traits: Trait) -> Mapping[str, Operator]:
    """Return the operators with any of these traits by op type, in any domain.

    Exporters and optimizers keep the usual names in domains of their own, so most code asks for
    the op type alone: ``node.op_type in having(Trait.VIEW)``. Of two domains with an operator of
    one name, the default domain's counts.
    """
    return _having(frozenset(traits))


@cache
def names(*traits: Trait) -> tuple[str, ...]:
    """Return the qualified names of operators with any of these traits, in catalogue order."""
    wanted = frozenset(traits)
    return tuple(row.name for row in rows().values() if wanted & row.traits)


@cache
def with_own_names(*traits: Trait) -> Mapping[str, Operator]:
    """Return the operators with any of these traits in formats that keep their own names.

    The keys are qualified: ``tflite.CONV_2D``.
    """
    wanted = frozenset(traits)
    return {
        f"{format}.{each.name}": _in_dialect(row, each)
        for format in (*OWN_NAMES, *OFTEN_OWN_NAMES)
        for row, word in _elsewhere().get(format, ())
        if wanted & row.traits
        for each in (_dialect(word),)
    }


@cache
def with_input(*roles: str) -> Mapping[str, tuple[int, ...]]:
    """Op types with an input of one of these roles, and the indices of those inputs."""
    wanted = frozenset(roles)
    return {
        op: row.places(*roles)
        for op, row in _by_op_type().items()
        if not wanted.isdisjoint(row.inputs)
    }


@cache
def rows() -> Mapping[str, Operator]:
    """Return the whole catalogue by qualified name."""
    return {row.name: row for row in _parse(ROWS)}


@cache
def _elsewhere() -> Mapping[str, Sequence[tuple[Operator, str]]]:
    """Return the rows that have other names in a format, each with how the row has it."""
    found: dict[str, list[tuple[Operator, str]]] = {}
    for row in rows().values():
        for word in row.elsewhere:
            found.setdefault(word.partition(":")[0], []).append((row, word))
    return found


@cache
def in_format(format: str) -> Mapping[str, Operator]:
    """Return operators by their names in a format, or in NumPy."""
    found = ((row, _dialect(word)) for row, word in _elsewhere().get(format, ()))
    return {each.name: _in_dialect(row, each) for row, each in found}


def _in_dialect(row: Operator, dialect: Dialect) -> Operator:
    if not (dialect.cost or dialect.inputs):
        return row
    cost = (dialect.cost or row.cost).strip(NO_COST)
    return row._replace(cost=cost, inputs=dialect.inputs or row.inputs)


OWN_NAMES = ("tflite",)
"""Formats whose nodes keep their names, which no other format has."""
OFTEN_OWN_NAMES = ("openvino",)
"""Formats whose nodes keep them where the standard cannot state the same."""


@cache
def _by_op_type() -> Mapping[str, Operator]:
    found: dict[str, Operator] = {}
    for row in rows().values():
        if row.name == row.op_type or row.op_type not in found:
            found[row.op_type] = row
    for format in OWN_NAMES:
        found.update(in_format(format))
    return found


@cache
def _having(traits: frozenset[Trait]) -> Mapping[str, Operator]:
    found = [_places()[trait] for trait in traits]
    places = found[0] if len(found) == 1 else sorted(set(chain.from_iterable(found)))
    rows = tuple(_by_op_type().items())
    return dict([rows[place] for place in places])


@cache
def _places() -> Mapping[Trait, Sequence[int]]:
    """Return the places of rows by trait."""
    found: dict[Trait, list[int]] = {trait: [] for trait in Trait}
    for place, row in enumerate(_by_op_type().values()):
        for trait in row.traits:
            found[trait].append(place)
    return found


def _parse(text: str) -> Iterator[Operator]:
    """Parse rows: each line that is not indented starts one, and indented lines continue it."""
    pending: list[str] = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if pending and not line.startswith(" "):
            yield _row(" ".join(pending))
            pending = []
        pending.append(line)
    if pending:
        yield _row(" ".join(pending))


def _row(text: str) -> Operator:
    before, _, rest = text.partition("(")
    inputs, _, after = rest.partition(")")
    name, cost, *words = (before + after).split()
    traits = frozenset([_TRAITS[word] for word in words if ":" not in word])
    elsewhere = tuple([word for word in words if ":" in word])
    return Operator(name, cost.strip(NO_COST), traits, tuple(inputs.split()), elsewhere)


def _dialect(word: str) -> Dialect:
    """Parse ``tflite:CONV_3D[nhwc,cost=conv_3d,data+weight]``."""
    kind, _, rest = word.partition(":")
    name, _, listed = rest.rstrip("]").partition("[")
    if not listed:
        return Dialect(kind, name)
    parts = listed.split(",")
    cost = next((each.removeprefix("cost=") for each in parts if each.startswith("cost=")), "")
    inputs = next((tuple(each.split("+")) for each in parts if "+" in each), ())
    differs = [each for each in parts if "=" not in each and "+" not in each]
    return Dialect(kind, name, tuple(differs), cost, inputs)
