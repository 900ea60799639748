"""Duplicate computations and duplicate tensors of a model."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from functools import partial

from modellint.base.records import dataclass
from modellint.model import Attribute, Graph, Model, Node, Tensor, Value
from modellint.operators import Trait, having
from modellint.targets.deployment import Deployment

_CHANCE = having(Trait.RANDOM, Trait.DROPS)
_SAMPLES, _SAMPLE = 8, 64
"""Number and length of samples that are compared before reading whole tensors."""
_MANY, _DENSE = 1024, 1 << 14
"""Number and length of samples of tensors that are too large to read whole."""
_PIECE = 1 << 22
_MOST_CONSTANT = 1 << 16
"""Bytes up to which equal constants are of interest, too: reading them costs nothing."""
_SMALL = 1024
"""Maximum bytes of constants that are compared by content."""
_MOST_ALIKE = 32
"""Limit on candidates with equal inputs that a node is compared with."""


class Repeated:
    """Nodes that repeat the computation of an earlier node, found by value numbering."""

    def __init__(self, model: Model, deployment: Deployment) -> None:
        self.twins: dict[int, Node] = {}
        """The earlier node by the id of the later."""
        self.clusters: list[list[Node]] = []
        """Connected groups of repeated nodes, in file order."""
        for graph in model.graphs(functions=True):
            self._number(graph)

    def _number(self, graph: Graph) -> None:
        known: dict[Hashable, list[Node]] = {}
        stands_for: dict[int, int] = {}
        repeated: list[Node] = []
        for node in graph.nodes:
            if node.subgraphs or node.op_type in _CHANCE or not node.inputs:
                continue
            inputs = tuple(_kind(value, stands_for) for value in node.inputs)
            alike = known.setdefault((node.op_type, inputs), [])
            first = next((other for other in alike if _is_same(node, other)), None)
            if first is None:
                if len(alike) < _MOST_ALIKE:
                    alike.append(node)
                continue
            repeated.append(node)
            self.twins[id(node)] = first
            for mine, theirs in zip(node.outputs, first.outputs, strict=True):
                if mine is not None and theirs is not None:
                    stands_for[id(mine)] = stands_for.get(id(theirs), id(theirs))
        self.clusters += _hanging_together(repeated)


def _kind(value: Value | None, stands_for: dict[int, int]) -> Hashable:
    """Return a key that is equal for equal computations; for constants, only the type."""
    if value is None:
        return None
    tensor = value.tensor
    if tensor is None or not tensor.small or tensor.nbytes > _SMALL:
        return stands_for.get(id(value), id(value))
    return tensor.dtype.name, tensor.shape


def _is_same(one: Node, other: Node) -> bool:
    """Compare nodes with equal input kinds; attributes and constants are read only here."""
    return is_same_operation(one, other) and all(map(_hold_the_same, one.inputs, other.inputs))


def is_same_operation(one: Node, other: Node) -> bool:
    """Return True if two nodes without subgraphs compute the same, given the same inputs."""
    return (
        one.qualified_op == other.qualified_op
        and one.overload == other.overload
        and len(one.outputs) == len(other.outputs)
        and one.attributes.keys() == other.attributes.keys()
        and all(_is_equal(value, other.attributes[key]) for key, value in one.attributes.items())
    )


def _is_equal(one: Attribute, other: Attribute) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype is other.dtype and one.shape == other.shape and _hold_equal(one, other)
    if isinstance(one, tuple) and any(isinstance(item, Tensor) for item in one):
        return False
    return one == other


def _hold_the_same(one: Value | None, other: Value | None) -> bool:
    """Compare two inputs of the same kind, which may be small constants."""
    if one is other or one is None or other is None:
        return True
    if one.tensor is None or other.tensor is None or not one.tensor.small:
        return True
    return _hold_equal(one.tensor, other.tensor)


def _hold_equal(one: Tensor, other: Tensor) -> bool:
    """Compare the bytes of two tensors of a type and shape; those of strings differ."""
    ours, theirs = one.numpy(), other.numpy()
    return ours is not None and theirs is not None and ours.tobytes() == theirs.tobytes()


def _hanging_together(nodes: list[Node]) -> list[list[Node]]:
    """Return groups of nodes connected by values."""
    inside = {id(node) for node in nodes}
    group: dict[int, list[Node]] = {}
    for node in nodes:
        mine = [node]
        for before in node.predecessors:
            if id(before) in inside and group.get(id(before)) is not mine:
                theirs = group[id(before)]
                if len(theirs) < len(mine):
                    theirs, mine = mine, theirs
                theirs += mine
                for member in mine:
                    group[id(member)] = theirs
                mine = theirs
        group[id(node)] = mine
    unique = {id(members): members for members in group.values()}
    return [sorted(members, key=lambda n: n.index) for members in unique.values()]


@dataclass(frozen=True, slots=True)
class EqualTensors:
    """Stored tensors with the same elements, as far as they were read."""

    tensors: list[Tensor]
    read: float = 1.0
    """Share of each that was read."""


def equal_tensors(model: Model, least: int) -> Iterator[EqualTensors]:
    """Iterate over groups of stored tensors of a minimum size with the same elements."""
    alike: dict[Hashable, list[Tensor]] = defaultdict(list)
    for tensor in model.tensors:
        if tensor.nbytes >= least:
            alike[tensor.dtype.name, tensor.shape].append(tensor)
    unread: list[list[Tensor]] = []
    for candidates in alike.values():
        apart = list({_place(tensor): tensor for tensor in candidates}.values())
        if len(apart) < 2:
            continue
        for sampled in _grouped_by_samples(apart):
            if _looks_constant(sampled[0]):
                continue  # another rule's finding; and to be sure would take reading all of it
            if model.reading.affords("equal tensors", *sampled):
                yield from map(EqualTensors, _grouped(sampled, _content))
            else:
                unread.append(sampled)
    yield from _equal_in_samples(unread, model.reading.limit)


def _equal_in_samples(groups: list[list[Tensor]], limit: int) -> Iterator[EqualTensors]:
    """Iterate over groups that are too large to read, and equal in many more samples."""
    share = limit // max(1, sum(map(len, groups)))
    for sampled in groups:
        each = min(_DENSE, share * sampled[0].elements // (_MANY * sampled[0].nbytes))
        for group in _grouped(sampled, partial(_sample, samples=_MANY, length=each)):
            yield EqualTensors(group, each * _MANY / group[0].elements)


def same_elements(one: Tensor, other: Tensor) -> bool | None:
    """Compare evenly spaced samples of two tensors of one shape; None if they cannot be read."""
    samples = [_sample(each, _SAMPLES, _SAMPLE) for each in (one, other)]
    return samples[0] == samples[1] if all(samples) else None


def same_in_full(one: Tensor, other: Tensor) -> bool:
    """Compare all elements of two tensors; False if they cannot be read."""
    if one.dtype is not other.dtype or one.shape != other.shape:
        return False
    content = _content(one)
    return bool(content) and content == _content(other)


def _looks_constant(tensor: Tensor) -> bool:
    """Return True for a large matrix whose samples all hold the same number."""
    if len(tensor.shape) < 2 or tensor.nbytes <= _MOST_CONSTANT:
        return False
    samples = list(tensor.parts(_evenly(tensor.elements, _SAMPLES, _SAMPLE)))
    first = samples[0].flat[0]
    return all(bool((each == first).all()) for each in samples)


def _place(tensor: Tensor) -> Hashable:
    """Return the storage location; tensors that share one are not duplicates."""
    region = tensor.region
    return (region.path, region.offset) if region is not None else id(tensor)


def _grouped_by_samples(tensors: list[Tensor]) -> Iterator[list[Tensor]]:
    """Iterate over groups with equal samples; most tensors differ in the first."""
    for begun in _grouped(tensors, partial(_sample, samples=1, length=_SAMPLE)):
        yield from _grouped(begun, partial(_sample, samples=_SAMPLES, length=_SAMPLE))


def _grouped(tensors: list[Tensor], digest: Callable[[Tensor], bytes]) -> Iterator[list[Tensor]]:
    groups: dict[bytes, list[Tensor]] = defaultdict(list)
    for tensor in tensors:
        read = digest(tensor)
        if read:
            groups[read].append(tensor)
    yield from (group for group in groups.values() if len(group) > 1)


def _sample(tensor: Tensor, samples: int, length: int) -> bytes:
    """Return a digest of evenly spaced samples; empty if there are none."""
    digest, read = hashlib.blake2b(digest_size=16), 0
    for part in tensor.parts(_evenly(tensor.elements, samples, length)):
        digest.update(part.tobytes())
        read += part.size
    return digest.digest() if read else b""


def _evenly(size: int, samples: int, length: int) -> Iterator[tuple[int, int]]:
    """Iterate over evenly spaced ranges of a number of elements."""
    starts = range(0, size if length else 0, max(1, size // samples))
    return ((at, min(at + length, size)) for at in starts)


def _content(tensor: Tensor) -> bytes:
    """Return a digest of all elements; empty if not all can be read."""
    digest, read = hashlib.blake2b(digest_size=16), 0
    for piece in tensor.pieces(_PIECE):
        digest.update(piece.tobytes())
        read += piece.size
    return digest.digest() if read == tensor.elements else b""
