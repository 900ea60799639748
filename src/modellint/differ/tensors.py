"""Tensors of two models without graphs: which is which by name or by role, and how they differ.

Samples are read first. Tensors whose samples are equal are read whole, within a budget.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from math import sqrt
from typing import TYPE_CHECKING, Literal

from modellint.analysis.parameters import learned, packed_bits
from modellint.base.records import dataclass
from modellint.differ.roles import Role, roles_of
from modellint.formats.elements import read_ranges
from modellint.model import Model, Region, Tensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

ROWS, SAMPLED = 16, 1 << 14
"""Rows of a tensor, and elements of them, that are read to see how it differs."""
_PIECE = 1 << 20
_MOST_TRANSPOSED = 1 << 22
"""Elements of a tensor that may be read to see it transposed."""
_ALIKE = 0.5
"""Relative difference up to which reordered tensors count as equal."""
_QUESTION = "diff"

Status = Literal["same", "changed", "unread"]


@dataclass(frozen=True, slots=True)
class Stack:
    """A tensor, or several that have one role together, such as one for each expert."""

    tensors: tuple[Tensor, ...]
    parameters: int

    @property
    def first(self) -> Tensor:
        return self.tensors[0]

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors)

    @property
    def shape(self) -> tuple[int, ...]:
        return (
            self.first.shape if len(self.tensors) == 1 else (len(self.tensors), *self.first.shape)
        )


@dataclass(frozen=True, slots=True)
class Twin:
    """Tensors of one role in both models, or in one of them."""

    role: str
    old: Stack | None
    new: Stack | None


@dataclass(frozen=True, slots=True)
class NumericDifference:
    """NumericDifference between the numbers of two tensors."""

    status: Status
    relative: float | None = None
    """Root mean square of the difference, relative to that of the old numbers."""
    is_sample: bool = False
    order: str = ""
    """Form of the new numbers, if not that of the old: ``transposed``, ``permuted``, ``plus 1``."""


# Which is which

_FUSED: Sequence[tuple[str, tuple[str, ...]]] = (
    ("attn_qkv", ("attn_q", "attn_k", "attn_v")),
    ("ffn_gate_up_exps", ("ffn_gate_exps", "ffn_up_exps")),
    ("ffn_up", ("ffn_gate", "ffn_up")),
)
"""Tensors that some files store as one."""

_Stacks = Mapping[Role, Stack]


def twins(old: Model, new: Model) -> list[Twin]:
    """Pair the tensors of two models: by name where the files use the same, else by role."""
    by_name = _names_agree(old.tensors, new.tensors)
    ours, theirs = _stacks(old, by_name=by_name), _stacks(new, by_name=by_name)
    merged = [] if by_name else [*_merged(ours, theirs)]
    done = {role for _, roles in merged for role in roles}
    rest = [role for role in dict.fromkeys((*ours, *theirs)) if role not in done]
    alone = [Twin(role.full, ours.get(role), theirs.get(role)) for role in rest]
    return [*(twin for twin, _ in merged), *alone]


def _names_agree(old: Sequence[Tensor], new: Sequence[Tensor]) -> bool:
    ours, theirs = {tensor.name for tensor in old}, {tensor.name for tensor in new}
    return 2 * len(ours & theirs) >= min(len(ours), len(theirs))


def _stacks(model: Model, *, by_name: bool) -> dict[Role, Stack]:
    names = [tensor.name for tensor in model.tensors]
    roles = {name: Role(name) for name in names} if by_name else roles_of(names)
    architecture = model.architecture
    bits = packed_bits(architecture) if architecture is not None else None
    found: dict[Role, list[tuple[int, Tensor]]] = defaultdict(list)
    for tensor in model.tensors:
        name, layer, expert = roles[tensor.name]
        found[Role(name, layer)].append((expert or 0, tensor))
    return {
        role: Stack(
            tuple(tensor for _, tensor in sorted(members, key=lambda each: each[0])),
            sum(learned(tensor, bits) for _, tensor in members),
        )
        for role, members in found.items()
    }


def _merged(ours: _Stacks, theirs: _Stacks) -> Iterator[tuple[Twin, set[Role]]]:
    """Iterate over tensors that one model stores whole and the other in several parts."""
    for one, other in ((ours, theirs), (theirs, ours)):
        for role, whole in one.items():
            stem, _, ending = role.name.partition(".")
            for fused, parts in _FUSED:
                members = [Role(f"{part}.{ending}", role.layer) for part in parts]
                if stem != fused or not all(member in other for member in members):
                    continue
                split = _together([other[member] for member in members])
                if split.parameters == whole.parameters:
                    twin = (whole, split) if one is ours else (split, whole)
                    yield Twin(role.full, *twin), {role, *members}


def _together(stacks: Sequence[Stack]) -> Stack:
    return Stack(
        tuple(tensor for stack in stacks for tensor in stack.tensors),
        sum(stack.parameters for stack in stacks),
    )


# How they differ


class NumericComparison:
    """Numbers of two models' tensors, read within a budget."""

    def __init__(self, old: Model, new: Model) -> None:
        self._reading = old.reading
        self._heads = _heads(old) if old.format != new.format else ()

    def of(self, old: Stack, new: Stack) -> NumericDifference:
        """Return how the numbers of two tensors differ."""
        if _stored_alike(old, new):
            return self._bytes(old, new)
        return self._numbers(old, new)

    def _bytes(self, old: Stack, new: Stack) -> NumericDifference:
        """Compare tensors of one type and shape: equal ones have the same bytes."""
        sampled = self._numbers(old, new)
        if sampled.status != "same" or sampled.order:
            return sampled
        if not self._reading.affords(_QUESTION, old.first, new.first):
            return NumericDifference("same", 0.0, is_sample=True)
        try:
            is_equal = _are_equal(old.first, new.first)
        except OSError:
            return NumericDifference("unread")
        return (
            NumericDifference("same", 0.0)
            if is_equal
            else NumericDifference("changed", is_sample=True)
        )

    def _numbers(self, old: Stack, new: Stack) -> NumericDifference:
        """Compare samples of the numbers, in each order that converters leave them in."""
        if old.parameters != new.parameters or not old.parameters:
            return NumericDifference("changed")
        found = [*self._orders(old, new)]
        if not found:
            return NumericDifference("unread")
        plain, *others = sorted(found, key=lambda each: bool(each.order))
        alike = [each for each in others if (each.relative or 0.0) <= _ALIKE]
        known = [each for each in (plain, *alike) if each.status != "unread"]
        return min(known, key=_distance, default=plain)

    def _orders(self, old: Stack, new: Stack) -> Iterator[NumericDifference]:
        """Iterate over the differences in each order that converters leave numbers in."""
        mine, theirs = _Rows(old.tensors), _Rows(new.tensors)
        is_square = (mine.count, mine.width) == (theirs.count, theirs.width)
        if is_square:
            yield _compared(mine, theirs)
        if not self._heads:
            return
        if is_square and _is_projection(old):
            for heads in self._heads:
                if mine.count % (2 * heads) == 0:
                    yield _compared(mine, theirs, heads=heads)
        if is_square and len(old.first.shape) == 1 and "norm" in old.first.name:
            yield _compared(mine, theirs, added=1.0)
        shape = old.first.shape
        if len(old.tensors) == 1 and len(shape) == 2 and shape[::-1] == new.first.shape:
            yield _transposed(old.first, new.first)


def _distance(each: NumericDifference) -> float:
    return 0.0 if each.status == "same" else each.relative or float("inf")


def _heads(model: Model) -> tuple[int, ...]:
    architecture = model.architecture
    layers = architecture.layers if architecture is not None else ()
    return tuple(dict.fromkeys(n for layer in layers for n in (layer.heads, layer.kv_heads) if n))


def _is_projection(stack: Stack) -> bool:
    """Return True for queries and keys, whose rows llama.cpp has in another order."""
    role = next(iter(roles_of([stack.first.name]).values()))
    return role.name.startswith(("attn_q.", "attn_k."))


def _stored_alike(old: Stack, new: Stack) -> bool:
    if len(old.tensors) != 1 or len(new.tensors) != 1:
        return False
    one, other = old.first, new.first
    is_there = one.region is not None and other.region is not None
    return is_there and (one.dtype, one.shape, one.nbytes) == (
        other.dtype,
        other.shape,
        other.nbytes,
    )


def _are_equal(old: Tensor, new: Tensor) -> bool:
    """Compare all bytes of two tensors of the same size."""
    pieces = (_pieces(each.region) for each in (old, new) if each.region is not None)
    return all(mine == theirs for mine, theirs in zip(*pieces, strict=True))


def _pieces(region: Region) -> Iterator[memoryview]:
    starts = range(0, region.length, _PIECE)
    ranges = ((region.offset + at, min(_PIECE, region.length - at)) for at in starts)
    return read_ranges(region.path, ranges)


class _Rows:
    """Rows of tensors on top of each other."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._tensors = tensors
        shape = tensors[0].shape
        self.width = shape[-1] if len(shape) > 1 and shape[-1] else max(tensors[0].elements, 1)
        self._ends = [*accumulate(tensor.elements // self.width for tensor in tensors)]
        self.count = self._ends[-1]

    def read(self, rows: Sequence[int], columns: int) -> Doubles | None:
        """Return the beginnings of some rows, in ascending order; None if they cannot be read."""
        import numpy as np

        found: list[Doubles] = []
        for row in rows:
            at = bisect_right(self._ends, row)
            start = (row - (self._ends[at - 1] if at else 0)) * self.width
            found += [
                np.asarray(part, dtype=np.float64)
                for part in self._tensors[at].parts([(start, start + columns)])
            ]
        return np.stack(found) if len(found) == len(rows) else None


def _compared(
    old: _Rows, new: _Rows, *, heads: int | None = None, added: float = 0.0
) -> NumericDifference:
    """Compare samples; `heads` if rows within each are interleaved, `added` to all numbers."""
    count = min(old.count, ROWS)
    columns = min(old.width, SAMPLED if old.count == 1 else max(SAMPLED // count, 1))
    rows = [at * old.count // count for at in range(count)]
    there = rows if heads is None else [_permuted(row, old.count // heads) for row in rows]
    try:
        mine, theirs = old.read(there, columns), new.read(rows, columns)
    except (OSError, TypeError, ValueError):  # of elements that are not numbers
        mine = theirs = None
    if mine is None or theirs is None:
        return NumericDifference("unread")
    is_sample = count * columns < old.count * old.width
    order = "permuted" if heads is not None else "plus 1" if added else ""
    return _difference(mine + added, theirs, order, is_sample=is_sample)


def _permuted(row: int, size: int) -> int:
    """Return the row that llama.cpp's converter moves to a place: halves of a head interleaved."""
    head, within = divmod(row, size)
    return head * size + (within % 2) * (size // 2) + within // 2


def _transposed(old: Tensor, new: Tensor) -> NumericDifference:
    import numpy as np

    if old.elements > _MOST_TRANSPOSED:
        return NumericDifference("unread", order="transposed")
    mine, theirs = old.numpy(), new.numpy()
    if mine is None or theirs is None:
        return NumericDifference("unread", order="transposed")
    numbers = np.asarray(mine.T, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    return _difference(*numbers, "transposed", is_sample=False)


def _difference(old: Doubles, new: Doubles, order: str, *, is_sample: bool) -> NumericDifference:
    import numpy as np

    with np.errstate(all="ignore"):
        before = float(np.square(old).mean())
        changed = float(np.square(new - old).mean())
    if not (np.isfinite(before) and np.isfinite(changed)):
        same = bool(np.array_equal(old, new, equal_nan=True))
        return NumericDifference("same" if same else "changed", None, is_sample, order)
    if changed == 0:
        return NumericDifference("same", 0.0, is_sample, order)
    return NumericDifference(
        "changed", sqrt(changed / before) if before else None, is_sample, order
    )
