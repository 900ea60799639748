"""Differences of weights, without reading more than needed.

Weights that lie in the same place of the same file are equal. Others are compared byte by byte if
all of them fit into a budget, else by samples. Numbers are only looked at where bytes differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from modellint.analysis.layouts import is_layout_known, is_read_transposed, order_between
from modellint.differ.canonical import CanonicalStep
from modellint.differ.crossing import FEW, is_crossing
from modellint.differ.folding import FoldingEffect, folded_weights
from modellint.differ.matched import Matching, Pair, paired_weights
from modellint.differ.samples import sample_of
from modellint.model import Model, Tensor
from modellint.results.difference import StoredWeight, WeightChange, WeightDifference

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NO_NUMBERS = "OSUc"
"""Kinds of NumPy's types that have no order: texts and complex numbers."""
PIECE = 1 << 20
"""Elements that are compared at a time."""
MOST_RENAMINGS = 20


class WeightPair(NamedTuple):
    """A weight of both models."""

    old: Tensor
    new: Tensor
    flipped: bool = False
    """True if the new one is stored transposed."""
    order: tuple[int, ...] = ()
    """Dims of the old one in the order of the new one, if formats store them in another order."""
    folding: FoldingEffect | None = None
    """Effect of an operation folded into one weight, and separate in the other model."""

    @property
    def has_same_shape(self) -> bool:
        """Return True if the new one has the shape that the old one has in its order."""
        one, other = self.old.shape, self.new.shape
        if self.flipped or one == other:
            return True
        if self.order:
            one = tuple(one[dim] for dim in self.order)
        return [dim for dim in one if dim != 1] == [dim for dim in other if dim != 1]


class CompareResult(NamedTuple):
    """Result of comparing a weight's numbers."""

    numbers: str
    changed: int | None = None
    largest: float | None = None
    sparsity: list[float] | None = None


def weight_difference(
    found: Matching | None, old: Model, new: Model, budget: int
) -> WeightDifference:
    """Compare the weights of two models; `budget` is the number of bytes to read."""
    pairs = list(_of_steps(found)) if found is not None else []
    pairs, removed, added = _with_unpaired(pairs, old, new, found)
    reading = _Reading(pairs, budget)
    crossing = is_crossing(old, new)
    changes: list[WeightChange] = []
    types: Counter[str] = Counter()
    for pair in pairs:
        one, other = pair.old, pair.new
        if one.dtype is not other.dtype:
            types[f"{one.dtype} -> {other.dtype}"] += 1
        compared = reading.compare(pair)
        is_arranged = crossing and compared.numbers == "equal"
        if compared.numbers == "different" or not (pair.has_same_shape or is_arranged):
            changes.append(_change(pair, compared))
    changes.sort(key=lambda change: -(change.largest or 0))
    renamings = {p.old.name: p.new.name for p in pairs if p.old.name != p.new.name}
    return WeightDifference(
        matched=len(pairs),
        equal=sum(each in ("equal", "sampled") for each in reading.results),
        changed=changes,
        removed=[_stored(tensor) for tensor in removed],
        added=[_stored(tensor) for tensor in added],
        renamed=len(renamings),
        renamings=dict(list(renamings.items())[:MOST_RENAMINGS]),
        types=dict(types.most_common()),
        bytes_read=reading.spent,
        sampled=reading.results.count("sampled"),
        largest=max((c.largest for c in changes if c.largest is not None), default=None),
    )


def _change(pair: WeightPair, compared: CompareResult) -> WeightChange:
    one, other = pair.old, pair.new
    return WeightChange(
        name=other.name,
        was=one.name if one.name != other.name else None,
        dtype=[str(one.dtype), str(other.dtype)],
        shape=[list(one.shape), list(other.shape)],
        numbers=compared.numbers,  # type: ignore[arg-type]
        changed=compared.changed,
        largest=compared.largest,
        sparsity=compared.sparsity,
    )


def _stored(tensor: Tensor) -> StoredWeight:
    return StoredWeight(tensor.name, str(tensor.dtype), list(tensor.shape), tensor.nbytes)


# --- Pairs ---------------------------------------------------------------------------------------


def _of_steps(found: Matching) -> Iterator[WeightPair]:
    """Iterate over the weights of matched operations, shared ones once."""
    seen: set[tuple[int, int]] = set()
    for pair in found.pairs:
        folded = folded_weights(pair)
        if folded is not None:
            for old, new, folding in folded:
                yield WeightPair(old, new, False, _order(pair, old, new, folding), folding)
            continue
        for before, after in paired_weights(pair):
            one, other = before.tensor, after.tensor
            if one is None or other is None or (id(one), id(other)) in seen:
                continue
            if one.elements != other.elements and not (_is_weight(one) and _is_weight(other)):
                continue  # parameters, such as axes
            seen.add((id(one), id(other)))
            flipped = pair.new.op == "MatMul" and len(one.shape) == 2 == len(other.shape)
            if flipped:
                flipped = is_read_transposed(pair.old.main) != is_read_transposed(pair.new.main)
            order: tuple[int, ...] = ()
            if is_layout_known(pair.old.main) or is_layout_known(pair.new.main):
                flipped = False
                if before in pair.old.inputs[1:2]:
                    order = order_between(pair.old.main, pair.new.main, one.shape, other.shape)
                    order = _after_transposes(pair, order)
            yield WeightPair(one, other, flipped, order)


def _order(pair: Pair, old: Tensor, new: Tensor, folding: FoldingEffect) -> tuple[int, ...]:
    if folding.is_bias:
        return ()
    order = order_between(pair.old.main, pair.new.main, old.shape, new.shape)
    return _after_transposes(pair, order)


def _after_transposes(pair: Pair, order: tuple[int, ...]) -> tuple[int, ...]:
    """Return the order of dims between two matrices, one of which may be read transposed."""
    if len(order) != 2:
        return order
    turned = sum(
        not is_layout_known(step.main) and is_read_transposed(step.main)
        for step in (pair.old, pair.new)
    )
    return order[::-1] if turned % 2 else order


def _with_unpaired(
    pairs: list[WeightPair], old: Model, new: Model, found: Matching | None
) -> tuple[list[WeightPair], list[Tensor], list[Tensor]]:
    """Pair the weights that no matched operation reads by name, then by value."""
    olds = _unpaired(old, {id(pair.old) for pair in pairs}, found.removed if found else None)
    news = _unpaired(new, {id(pair.new) for pair in pairs}, found.added if found else None)
    for tell in (_by_name, _by_content):
        keyed = {tell(tensor): tensor for tensor in news}
        taken: set[int] = set()
        for tensor in olds:
            twin = keyed.get(tell(tensor))
            if twin is not None and id(twin) not in taken and twin.shape == tensor.shape:
                pairs.append(WeightPair(tensor, twin))
                taken |= {id(twin), id(tensor)}
        olds = [tensor for tensor in olds if id(tensor) not in taken]
        news = [tensor for tensor in news if id(tensor) not in taken]
        if not olds or not news:
            break
    return pairs, olds, news


def _unpaired(
    model: Model, paired: set[int], steps: Sequence[CanonicalStep] | None
) -> list[Tensor]:
    """Return the weights of unmatched operations; of a model without a graph, all."""
    tensors: Iterable[Tensor | None] = model.tensors
    if steps is not None and model.has_graph:
        tensors = [value.tensor for step in steps for _, value in step.weights()]
        tensors = [t for t in tensors if t is not None and _is_weight(t)]
    unique = {id(t): t for t in tensors if t is not None and id(t) not in paired}
    return list(unique.values())


def _is_weight(tensor: Tensor) -> bool:
    return tensor.dtype.is_float or tensor.elements > FEW


def _by_name(tensor: Tensor) -> Hashable:
    return tensor.name


def _by_content(tensor: Tensor) -> Hashable:
    return tensor.dtype, tensor.shape, sample_of(tensor) or tensor.name


# --- Numbers -------------------------------------------------------------------------------------


class _Reading:
    """Comparison of weights within a budget."""

    def __init__(self, pairs: Sequence[WeightPair], budget: int) -> None:
        self._reads = sum(p.old.nbytes + p.new.nbytes for p in pairs) <= budget
        self.spent = 0
        self.results: list[str] = []

    def compare(self, pair: WeightPair) -> CompareResult:
        found = self._compared(pair)
        self.results.append(found.numbers)
        return found

    def _compared(self, pair: WeightPair) -> CompareResult:
        old, new = pair.old, pair.new
        if old.region is not None and old.region == new.region:
            return CompareResult("equal")
        are_floats = old.dtype.is_float and new.dtype.is_float
        is_alike = old.dtype is new.dtype and old.shape == new.shape
        if not is_alike and not (are_floats and old.elements == new.elements):
            return CompareResult("unread")
        if not self._reads:
            return self._sampled(pair)
        self.spent += old.nbytes + new.nbytes
        return _read(pair)

    def _sampled(self, pair: WeightPair) -> CompareResult:
        if pair.flipped or pair.order or pair.folding or pair.old.dtype is not pair.new.dtype:
            return CompareResult("unread")
        samples = [sample_of(tensor) for tensor in (pair.old, pair.new)]
        if not all(samples):
            return CompareResult("unread")
        return CompareResult("sampled" if samples[0] == samples[1] else "different")


def _read(pair: WeightPair) -> CompareResult:
    """Compare bytes, then the numbers of weights that have other ones."""
    old, new = pair.old, pair.new
    if not (pair.flipped or pair.order or pair.folding) and old.dtype is new.dtype:
        quick = old.small_bytes() if old.small and new.small else None
        if quick is not None and quick == new.small_bytes():
            return CompareResult("equal")
        pieces = list(_are_equal(old, new))
        if sum(pieces) >= old.elements:
            return CompareResult("equal")
    return _Numbers(pair).comparison()


def _are_equal(old: Tensor, new: Tensor) -> Iterator[int]:
    """Iterate over the sizes of pieces with the same bytes, up to the first that differs."""
    import numpy as np

    for one, other in zip(old.pieces(PIECE), new.pieces(PIECE), strict=False):
        if one.dtype.hasobject or one.dtype != other.dtype or one.shape != other.shape:
            return
        if not np.array_equal(one.view(np.uint8), other.view(np.uint8)):
            return
        yield one.size


class _Numbers:
    """Sums over the elements of a weight in both models."""

    def __init__(self, pair: WeightPair) -> None:
        self._pair = pair
        self._changed = 0
        self._largest = 0.0
        self._scale = 0.0
        self._zeros = [0, 0]
        self._read = 0

    def comparison(self) -> CompareResult:
        for one, other in self._pieces():
            self._read += one.size
            if one.dtype.kind in _NO_NUMBERS:
                self._changed += int((one != other).sum())
            else:
                self._note(_numbers(one), _numbers(other))
        elements = self._pair.old.elements
        if self._read < elements:
            return CompareResult("unread")
        if not self._changed:
            return CompareResult("equal")
        largest = self._largest / self._scale if self._scale else self._largest
        sparsity = [zeros / elements for zeros in self._zeros]
        return CompareResult("different", self._changed, largest, sparsity)

    def _pieces(self) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        old, new = self._pair.old, self._pair.new
        order = self._pair.order or ((1, 0) if self._pair.flipped else ())
        folding = self._pair.folding
        if not order and folding is None:
            yield from zip(old.pieces(PIECE), new.pieces(PIECE), strict=False)
            return
        one, other = old.numpy(), new.numpy()
        if folding is not None and one is not None and other is not None:
            one, other = (
                folding.applied(each.astype("f8")) if is_new == folding.of_new else each
                for is_new, each in ((False, one), (True, other))
            )
        order = order or tuple(range(len(old.shape)))
        if one is not None and other is not None:
            if one.ndim != len(order):  # it has axes of size 1
                one = one.reshape([other.shape[order.index(dim)] for dim in range(len(order))])
            yield one.transpose(order).reshape(-1), other.reshape(-1)

    def _note(self, one: NDArray[Any], other: NDArray[Any]) -> None:
        import numpy as np

        with np.errstate(all="ignore"):
            difference = np.abs(other - one)
            relative, absolute = self._rounding(one)
            limit = np.maximum(np.abs(one) * relative, absolute)
            differs = ~((difference <= limit) | (np.isnan(one) & np.isnan(other)) | (one == other))
            self._changed += int(differs.sum())
            finite = difference[np.isfinite(difference)]
            if finite.size:
                self._largest = max(self._largest, float(finite.max()))
            magnitude = np.abs(one[np.isfinite(one)])
            if magnitude.size:
                self._scale = max(self._scale, float(magnitude.max()))
        self._zeros[0] += int((one == 0).sum())
        self._zeros[1] += int((other == 0).sum())

    def _rounding(self, piece: NDArray[Any]) -> tuple[float, float]:
        """Return the relative and absolute error of rounding to the narrower type."""
        old, new = self._pair.old.dtype, self._pair.new.dtype
        bits = min(old.bits, new.bits)
        relative, absolute = _ROUNDING.get(bits, (0.0, 0.0))
        if self._pair.folding is None:
            return (0.0, 0.0) if old is new else (relative, absolute)
        relative, share = _FOLDED_ROUNDING.get(bits, (0.0, 0.0))
        return relative, max(absolute, share * min(1.0, float(abs(piece).max(initial=0.0))))


_ROUNDING: Mapping[float, tuple[float, float]] = {16: (2.0**-8, 2.0**-24), 32: (2.0**-23, 1e-45)}
"""Errors by bits; bfloat16 has fewer digits than float16, and float16 fewer small numbers."""


_FOLDED_ROUNDING: Mapping[float, tuple[float, float]] = {16: (2.0**-7, 1e-3), 32: (2.0**-14, 1e-6)}
"""The same for what is computed before it is stored, from numbers that may cancel out; the second
is relative to the largest number where that is small."""


def _numbers(piece: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    return piece if piece.dtype == np.float64 else piece.astype(np.float64)
