"""Formulas for the shapes of results, by operator.

They are of nodes after translation: those of the standard have its inputs and attributes, those of
the domain `tensorflow` their own. A formula may raise any of `MISTAKES` for what it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod

from modellint.formats.meanings import meanings
from modellint.formats.savedmodel.given import MASKS, KnownValues, Sizes
from modellint.formats.savedmodel.translate import DOMAIN
from modellint.model import Node
from modellint.model.dims import broadcast


def sizes_of(node: Node, given: KnownValues) -> Sequence[Sizes]:
    """Return the shapes of a node's results; fewer if they are unknown."""
    own = _OWN_SHAPES if node.domain == DOMAIN else _SHAPES
    formula = own.get(node.op_type)
    return formula(given) if formula is not None else ()


# Shapes


def _broadcast(of: KnownValues) -> list[Sizes]:
    return [broadcast(*of.shapes())]


def _first(of: KnownValues) -> list[Sizes]:
    return [of.shape(0)]


def _last(of: KnownValues) -> list[Sizes]:
    return [of.shape(-1)]


def _matmul(of: KnownValues) -> list[Sizes]:
    left, right = of.shapes()
    if of.integer("transA", 0) or of.integer("adj_x", 0):
        left = (*left[:-2], left[-1], left[-2])
    if of.integer("transB", 0) or of.integer("adj_y", 0):
        right = (*right[:-2], right[-1], right[-2])
    return [(*broadcast(left[:-2], right[:-2]), left[-2], right[-1])]


def _einsum(of: KnownValues) -> list[Sizes]:
    terms, result = of.text("equation").replace(" ", "").split("->")
    sizes: dict[str, int] = {}
    for term, shape in zip(terms.split(","), of.shapes(), strict=True):
        before, dots, after = term.partition("...")
        if dots:
            covered = len(shape) - len(before) - len(after)
            term = before + "".join(map(chr, range(covered))) + after
        sizes |= {
            label: max(size, sizes.get(label, 1)) for label, size in zip(term, shape, strict=True)
        }
    dims = "".join(sorted(label for label in sizes if ord(label) < 32))
    return [tuple(sizes[label] for label in result.replace("...", dims))]


def _reshape(of: KnownValues) -> list[Sizes]:
    wanted, elements = list(of.numbers(1)), prod(of.shape(0))
    if -1 in wanted:
        known = prod(size for size in wanted if size != -1)
        wanted[wanted.index(-1)] = elements // known
    if prod(wanted) != elements:
        raise ValueError("another number of elements")
    return [tuple(wanted)]


def _squeeze(of: KnownValues) -> list[Sizes]:
    shape = of.shape(0)
    axes = of.ints("axes") or [at for at, size in enumerate(shape) if size == 1]
    removed = {axis % len(shape) for axis in axes}
    return [tuple(size for at, size in enumerate(shape) if at not in removed)]


def _unsqueeze(of: KnownValues) -> list[Sizes]:
    shape, (axis,) = list(of.shape(0)), of.ints("axes")
    shape.insert(axis % (len(shape) + 1), 1)
    return [tuple(shape)]


def _transpose(of: KnownValues) -> list[Sizes]:
    shape = of.shape(0)
    return [tuple(shape[axis] for axis in of.ints("perm"))]


def _own_transpose(of: KnownValues) -> list[Sizes]:
    shape = of.shape(0)
    return [tuple(shape[axis] for axis in of.numbers(1))]


def _concat(of: KnownValues) -> list[Sizes]:
    shapes, axis = of.shapes(), of.integer("axis")
    joined = list(shapes[0])
    joined[axis] = sum(shape[axis] for shape in shapes)
    return [tuple(joined)]


def _gather(of: KnownValues) -> list[Sizes]:
    data, indices = of.shapes()
    axis = of.integer("axis", 0) % len(data)
    return [(*data[:axis], *indices, *data[axis + 1 :])]


def _gather_nd(of: KnownValues) -> list[Sizes]:
    data, indices = of.shapes()
    return [(*indices[:-1], *data[indices[-1] :])]


def _reduce(of: KnownValues) -> list[Sizes]:
    shape = of.shape(0)
    return [_reduced(shape, of.numbers(1), keeps=bool(of.integer("keepdims", 1)))]


def _reduced(shape: Sizes, axes: Iterable[int], *, keeps: bool) -> Sizes:
    reduced = {axis % len(shape) for axis in axes}
    if keeps:
        return tuple(1 if at in reduced else size for at, size in enumerate(shape))
    return tuple(size for at, size in enumerate(shape) if at not in reduced)


def _own_reduce(of: KnownValues) -> list[Sizes]:
    return [_reduced(of.shape(0), of.numbers(1), keeps=bool(of.integer("keep_dims", 0)))]


def _extreme(of: KnownValues) -> list[Sizes]:
    return [_reduced(of.shape(0), [of.integer("axis")], keeps=False)]


def _split(of: KnownValues) -> list[Sizes]:
    shape, axis = list(of.shape(0)), of.integer("axis")
    parts = of.numbers(1) if len(of.node.inputs) > 1 else [shape[axis] // of.count] * of.count
    found = []
    for part in parts:
        shape[axis] = part
        found.append(tuple(shape))
    return found


def _tile(of: KnownValues) -> list[Sizes]:
    return [tuple(a * b for a, b in zip(of.shape(0), of.numbers(1), strict=True))]


def _given_shape(place: int) -> Callable[[KnownValues], list[Sizes]]:
    return lambda of: [of.numbers(place)]


def _slice(of: KnownValues) -> list[Sizes]:
    bounds = zip(of.shape(0), of.ints("starts"), of.ints("ends"), strict=True)
    return [tuple(len(range(size)[start:end]) for size, start, end in bounds)]


def _strided(of: KnownValues) -> list[Sizes]:
    shape = iter(_strided_dims(of, of.shape(0)))
    return [tuple(size for size in shape if size is not None)]


def _strided_dims(of: KnownValues, shape: Sizes) -> Iterable[int | None]:
    """Iterate over the dims of what a slice leaves; None for one that a number picks from."""
    begins, ends, steps = of.numbers(1), of.numbers(2), of.numbers(3)
    masks = {name: of.integer(f"{name}_mask", 0) for name in MASKS}
    rest = len(shape) - sum(
        not (masks["new_axis"] | masks["ellipsis"]) >> at & 1 for at in range(len(begins))
    )
    dims = list(shape)
    for at, (begin, end, step) in enumerate(zip(begins, ends, steps, strict=True)):
        has = {name: bool(mask >> at & 1) for name, mask in masks.items()}
        if has["ellipsis"]:
            yield from (dims.pop(0) for _ in range(rest))
        elif has["new_axis"]:
            yield 1
        elif has["shrink_axis"]:
            dims.pop(0)
            yield None
        else:
            bounds = (None if has["begin"] else begin, None if has["end"] else end)
            yield len(range(dims.pop(0))[slice(*bounds, step)])
    yield from dims


def _pack(of: KnownValues) -> list[Sizes]:
    shapes = of.shapes()
    found, axis = list(shapes[0]), of.integer("axis", 0)
    found.insert(axis % (len(found) + 1), len(shapes))
    return [tuple(found)]


def _unpack(of: KnownValues) -> list[Sizes]:
    found = list(of.shape(0))
    del found[of.integer("axis", 0)]
    return [tuple(found)] * of.count


def _pad(of: KnownValues) -> list[Sizes]:
    pads = of.numbers(1)
    sides = zip(of.shape(0), pads[::2], pads[1::2], strict=True)
    return [tuple(before + size + after for size, before, after in sides)]


def _top(of: KnownValues) -> list[Sizes]:
    return [(*of.shape(0)[:-1], of.number(1))] * 2


def _one_hot(of: KnownValues) -> list[Sizes]:
    found, axis = list(of.shape(0)), of.integer("axis", -1)
    found.insert(len(found) if axis == -1 else axis, of.number(1))
    return [tuple(found)]


def _resize(of: KnownValues) -> list[Sizes]:
    batch, *_, channels = of.shape(0)
    return [(batch, *of.numbers(1), channels)]


def _to_depth(of: KnownValues) -> list[Sizes]:
    (batch, height, width, channels), block = _channels_last(of), of.integer("block_size")
    return [(batch, height // block, width // block, channels * block**2)]


def _from_depth(of: KnownValues) -> list[Sizes]:
    (batch, height, width, channels), block = _channels_last(of), of.integer("block_size")
    return [(batch, height * block, width * block, channels // block**2)]


def _channels_last(of: KnownValues) -> Sizes:
    shape = of.shape(0)
    if len(shape) < 3 or of.text("data_format", "N..C")[-1] != "C":
        raise ValueError("another layout")
    return shape


def _window(of: KnownValues, kernel: Sizes, channels: int) -> list[Sizes]:
    batch, *sides, _ = _channels_last(of)
    strides, dilations = of.ints("strides")[1:-1], of.ints("dilations")[1:-1] or (1,) * len(sides)
    padding, explicit = of.text("padding"), of.ints("explicit_paddings")[2:-2]
    found = []
    for at, (side, size, stride, dilation) in enumerate(
        zip(sides, kernel, strides, dilations, strict=True)
    ):
        if padding == "SAME":
            found.append(-(-side // stride))
            continue
        more = sum(explicit[2 * at : 2 * at + 2])
        found.append(max(0, (side + more - (size - 1) * dilation - 1) // stride + 1))
    return [(batch, *found, channels)]


def _convolution(of: KnownValues) -> list[Sizes]:
    *kernel, _, channels = of.shape(1)
    return _window(of, tuple(kernel), channels)


def _depthwise(of: KnownValues) -> list[Sizes]:
    *kernel, channels, multiplier = of.shape(1)
    return _window(of, tuple(kernel), channels * multiplier)


def _pool(of: KnownValues) -> list[Sizes]:
    return _window(of, of.ints("ksize")[1:-1], of.shape(0)[-1])


def _to_batch(of: KnownValues) -> list[Sizes]:
    (batch, *rest), block, pads = of.shape(0), of.numbers(1), of.numbers(2)
    sides = [
        (size + sum(pads[2 * at : 2 * at + 2])) // each
        for at, (size, each) in enumerate(zip(rest, block, strict=False))
    ]
    return [(batch * prod(block), *sides, *rest[len(block) :])]


def _from_batch(of: KnownValues) -> list[Sizes]:
    (batch, *rest), block, crops = of.shape(0), of.numbers(1), of.numbers(2)
    sides = [
        size * each - sum(crops[2 * at : 2 * at + 2])
        for at, (size, each) in enumerate(zip(rest, block, strict=False))
    ]
    return [(batch // prod(block), *sides, *rest[len(block) :])]


def _normalized(of: KnownValues) -> list[Sizes]:
    return [of.shape(0), *[of.shape(1)] * 4]


def _choice(of: KnownValues) -> list[Sizes]:
    return [of.shape(1)]


def _rank(of: KnownValues) -> list[Sizes]:
    return [(len(of.shape(0)),)]


def _scalar(of: KnownValues) -> list[Sizes]:
    return [()]


def _counted(of: KnownValues) -> list[Sizes]:
    return [(len(range(of.number(0), of.number(1), of.number(2))),)]


Formula = Callable[[KnownValues], Sequence[Sizes]]
_BY_NAME: Mapping[str, Formula] = {
    "broadcast": _broadcast,
    "first": _first,
    "last": _last,
    "matmul": _matmul,
    "einsum": _einsum,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "transpose": _transpose,
    "own-transpose": _own_transpose,
    "concat": _concat,
    "gather": _gather,
    "gather-nd": _gather_nd,
    "reduce": _reduce,
    "own-reduce": _own_reduce,
    "extreme": _extreme,
    "split": _split,
    "tile": _tile,
    "shape-0": _given_shape(0),
    "shape-1": _given_shape(1),
    "slice": _slice,
    "strided": _strided,
    "pack": _pack,
    "unpack": _unpack,
    "pad": _pad,
    "top": _top,
    "one-hot": _one_hot,
    "resize": _resize,
    "to-depth": _to_depth,
    "from-depth": _from_depth,
    "convolution": _convolution,
    "depthwise": _depthwise,
    "pool": _pool,
    "to-batch": _to_batch,
    "from-batch": _from_batch,
    "normalized": _normalized,
    "choice": _choice,
    "rank": _rank,
    "scalar": _scalar,
    "counted": _counted,
}
_SHAPES = meanings(
    """
broadcast: Add And BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual
    Max Min Mod Mul Or Pow Sub Sum Where
first: Abs Acos Acosh Asin Asinh Atan Atanh Cast Ceil Clip Cos Cosh CumSum Elu Erf Exp Floor
    Identity IsInf IsNaN LeakyRelu Log LogSoftmax Neg Not Reciprocal Relu Round Selu Sigmoid Sign
    Sin Sinh Softmax Softplus Softsign Sqrt Tan Tanh
matmul: Gemm MatMul
einsum: Einsum
reshape: Reshape
squeeze: Squeeze
unsqueeze: Unsqueeze
transpose: Transpose
concat: Concat
gather: Gather
gather-nd: GatherND
reduce: ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
extreme: ArgMax ArgMin
split: Split
tile: Tile
shape-1: Expand
slice: Slice
rank: Shape
scalar: Size
""",
    _BY_NAME,
)
_OWN_SHAPES = meanings(
    """
broadcast: DivNoNan FloorDiv FloorMod MulNoNan NotEqual SquaredDifference TruncateDiv TruncateMod
    Xdivy Xlogy BiasAdd
first: CheckNumerics ClipByValue Erfc Expm1 IsFinite LRN LeakyReluGrad Log1p LookupTableFindV2
    MatrixBandPart OnesLike Roll Rsqrt Square StaticRegexReplace StringLower ZerosLike ReverseV2
    ReverseSequence
last: TensorListFromTensor
matmul: BatchMatMul BatchMatMulV2 BatchMatMulV3
own-reduce: All Any EuclideanNorm
own-transpose: Transpose
shape-0: Conv2DBackpropInput Conv3DBackpropInputV2 Fill RandomUniform RandomStandardNormal
strided: StridedSlice
pack: Pack
unpack: Unpack
pad: Pad PadV2 MirrorPad
top: TopKV2
one-hot: OneHot
resize: ResizeBicubic ResizeBilinear ResizeNearestNeighbor
to-depth: SpaceToDepth
from-depth: DepthToSpace
convolution: Conv2D Conv3D
depthwise: DepthwiseConv2dNative
pool: AvgPool AvgPool3D MaxPool MaxPool3D
to-batch: SpaceToBatchND
from-batch: BatchToSpaceND
normalized: FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3
choice: Select
scalar: Rank
counted: Range
""",
    _BY_NAME,
)
