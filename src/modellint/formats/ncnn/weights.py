"""Weights of ncnn: a file without names, from which layers read theirs in order.

What each layer loads is `load_model` of the layers in
https://github.com/Tencent/ncnn/tree/20261020/src/layer, and how it is stored is in `modelbin.cpp`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from modellint.base.text import bounded
from modellint.formats.meanings import meanings
from modellint.formats.problems import MalformedError, Problems
from modellint.formats.source import Source
from modellint.formats.stored import StoredTensors
from modellint.model import DTYPES, DType, Model, Node, Region, Tensor, Use, Value, product

_TAGS = {0x01306B47: "float16", 0x000D4B38: "int8", 0x0002C056: "float32"}
_TABLE = 256 * 4
"""Bytes of the values that codes of a byte stand for."""
MOST = 1 << 31


class WeightRun(NamedTuple):
    """A run of weights that a layer loads."""

    name: str
    shape: tuple[int, ...]
    is_tagged: bool = False
    """True if the bytes ahead of it state its type."""


class UnknownWeightsError(Exception):
    """A layer whose parameters do not determine its weights."""


class LayerParameters:
    """Parameters of a layer, which have numbers for names."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def __call__(self, id: int, default: int = 0) -> int:
        value = self._node.attributes.get(str(id), default)
        return value if isinstance(value, int) else default


WeightRuns = Iterator[WeightRun]
Loader = Callable[[LayerParameters], WeightRuns]


def read_weights(model: Model, path: Path, problems: Problems) -> None:
    """Add the tensors of all layers, up to one whose weights are not known."""
    stored = StoredTensors(problems)
    at, name = 0, ""
    with Source(path) as source:
        try:
            for node in model.graph.nodes:
                loader = _LOADERS.get(node.op_type)
                for part in loader(LayerParameters(node)) if loader is not None else ():
                    name = bounded(f"{node.name}.{part.name}")
                    tensor, at = _read(source, part, name, at, stored)
                    model.tensors.append(tensor)
                    _give(node, tensor)
        except UnknownWeightsError:
            return  # where the next layer's weights are is not known
        except MalformedError as error:
            problems.note(
                "external-short",
                location=path.name,
                tensors=1,
                tensor=name,
                bytes=error.facts["expected"],
                expected=error.facts["expected"],
                size=source.size,
            )


def _give(node: Node, tensor: Tensor) -> None:
    """Make a tensor an input of the layer that loads it, after those that the file states."""
    values = node.graph.values
    if tensor.name not in values:
        value = values[tensor.name] = Value(tensor.name, node.graph)
        value.store(tensor)
        value.consumers.append(Use(node, len(node.inputs)))
        node.inputs = (*node.inputs, value)


def _read(
    source: Source, part: WeightRun, name: str, at: int, stored: StoredTensors
) -> tuple[Tensor, int]:
    """Return the tensor at an offset, and the offset after it."""
    if any(not 0 <= dim < MOST for dim in part.shape):
        raise UnknownWeightsError
    count = product(part.shape)
    dtype: DType | None = DTYPES["float32"]
    if part.is_tagged:
        tag = source.number(at, "<I", name)
        at += 4
        known = _TAGS.get(tag, "float32")
        dtype = DTYPES[known] if tag in _TAGS or not any(tag.to_bytes(4, "little")) else None
    if dtype is None:  # codes of a byte, after the values that they stand for
        length = _TABLE + _aligned(count)
        source.require(at, length, name)
        return Tensor(name, DTYPES["float32"], part.shape, length), at + length
    length = dtype.nbytes(count)
    source.require(at, _aligned(length), name)
    region = Region(source.path, at, length, external=True)
    return stored.raw(name, dtype, part.shape, region), at + _aligned(length)


def _aligned(length: int) -> int:
    return -(-length // 4) * 4


# What layers load


def _convolution(given: LayerParameters) -> WeightRuns:
    """Convolutions of one, two and three dims, which may be given their weights by others."""
    if given(19):
        return
    yield from _kernel(given)
    if given(8):
        yield WeightRun("weight_scale", (given(0),))
        yield WeightRun("input_scale", (1,))
    if given(8) > 100:
        yield WeightRun("output_scale", (1,))


def _depthwise(given: LayerParameters) -> WeightRuns:
    if given(19):
        return
    yield from _kernel(given)
    if given(8):
        yield WeightRun("weight_scale", (given(7, 1) if given(8) in (1, 101) else 1,))
        yield WeightRun("input_scale", (1,))
    if given(8) > 100:
        yield WeightRun("output_scale", (1,))


def _transposed(given: LayerParameters) -> WeightRuns:
    if not given(28):
        yield from _kernel(given)


def _kernel(given: LayerParameters) -> WeightRuns:
    width = given(1)
    window = (given(11, width), width) if width > 0 else ()
    yield _matrix(given(0), given(6), window)
    if given(5):
        yield WeightRun("bias", (given(0),))


def _matrix(rows: int, size: int, window: tuple[int, ...] = ()) -> WeightRun:
    """Return weights with the outputs as the first dim, if they divide that way."""
    inner = rows * product(window)
    if 0 < inner <= size and size % inner == 0:
        return WeightRun("weight", (rows, size // inner, *window), is_tagged=True)
    return WeightRun("weight", (size,), is_tagged=True)


def _inner(given: LayerParameters) -> WeightRuns:
    yield _matrix(given(0), given(2))
    if given(1):
        yield WeightRun("bias", (given(0),))
    if given(8):
        yield WeightRun("weight_scale", (given(0),))
        yield WeightRun("input_scale", (1,))


def _embed(given: LayerParameters) -> WeightRuns:
    size, width = given(3), given(0)
    is_whole = 0 < width <= size and size % width == 0
    yield WeightRun("weight", (size // width, width) if is_whole else (size,), is_tagged=True)
    if given(2):
        yield WeightRun("bias", (width,))
    if given(18):
        yield WeightRun("weight_scale", (1,))


def _batch_norm(given: LayerParameters) -> WeightRuns:
    for name in ("slope", "mean", "variance", "bias"):
        yield WeightRun(name, (given(0),))


def _scale(given: LayerParameters) -> WeightRuns:
    if given(0) == -233:  # the scale is an input
        return
    yield WeightRun("scale", (given(0),))
    if given(1):
        yield WeightRun("bias", (given(0),))


def _one(name: str, id: int) -> Loader:
    return lambda given: iter([WeightRun(name, (given(id),))])


def _affine(size: int, switch: int, *names: str) -> Loader:
    """Return a loader for a normalization, whose weights can be switched off."""

    def load(given: LayerParameters) -> WeightRuns:
        if given(switch, 1):
            yield from (WeightRun(name, (given(size),)) for name in names)

    return load


def _memory(given: LayerParameters) -> WeightRuns:
    sizes = (given(2), given(11), given(1), given(0))
    shape = tuple(size for size in sizes if size) or (1,)
    yield WeightRun("data", shape, is_tagged=not given(21, 1))


def _recurrent(gates: int, biases: int) -> Loader:
    def load(given: LayerParameters) -> WeightRuns:
        directions = 2 if given(2) == 2 else 1
        out = given(0)
        hidden = given(3, out) if gates == 4 else out
        if not out or not hidden:
            raise UnknownWeightsError
        size = given(1) // directions // hidden // gates
        yield WeightRun("weight", (directions, hidden * gates, size), is_tagged=True)
        yield WeightRun("bias", (directions, biases, hidden), is_tagged=True)
        yield WeightRun("recurrence", (directions, hidden * gates, out), is_tagged=True)
        if hidden != out:
            yield WeightRun("projection", (directions, out, hidden), is_tagged=True)
        if given(8):
            yield WeightRun("weight_scale", (directions, hidden * gates))
            yield WeightRun("recurrence_scale", (directions, hidden * gates))

    return load


def _attention(given: LayerParameters) -> WeightRuns:
    width, size = given(0), given(2)
    if given(18) or not width:
        raise UnknownWeightsError
    query = size // width
    for name, depth in (("query", query), ("key", given(3, width)), ("value", given(4, width))):
        yield WeightRun(f"{name}_weight", (width, depth), is_tagged=True)
        yield WeightRun(f"{name}_bias", (width,))
    yield WeightRun("output_weight", (query, width), is_tagged=True)
    yield WeightRun("output_bias", (query,))


def _dequantize(given: LayerParameters) -> WeightRuns:
    yield WeightRun("scale", (given(0, 1),))
    if given(1):
        yield WeightRun("bias", (given(1),))


def _requantize(given: LayerParameters) -> WeightRuns:
    yield WeightRun("input_scale", (given(0, 1),))
    yield WeightRun("output_scale", (given(1, 1),))
    if given(2):
        yield WeightRun("bias", (given(2),))


def _padding(given: LayerParameters) -> WeightRuns:
    if given(6):
        yield WeightRun("values", (given(6),))


def _product(given: LayerParameters) -> WeightRuns:
    """A product of two matrices, either of which may be a constant of the model."""
    if any(given(id) for id in (4, 5, 6)):
        yield from _constants_of_product(given)


def _constants_of_product(given: LayerParameters) -> WeightRuns:
    rows, columns, depth = given(7), given(8), given(9)
    if given(18):
        raise UnknownWeightsError
    if given(4):
        yield WeightRun("a", (depth, rows) if given(2) else (rows, depth), is_tagged=True)
    if given(5):
        yield WeightRun("b", (columns, depth) if given(3) else (depth, columns), is_tagged=True)
    shapes = {0: (1,), 1: (rows,), 2: (rows, 1), 3: (rows, columns), 4: (1, columns)}
    if given(6) and given(10) in shapes:
        yield WeightRun("c", shapes[given(10)], is_tagged=True)


_BY_NAME: Mapping[str, Loader] = {
    "convolution": _convolution,
    "depthwise": _depthwise,
    "transposed": _transposed,
    "inner": _inner,
    "embed": _embed,
    "batch-norm": _batch_norm,
    "scale": _scale,
    "slope": _one("slope", 0),
    "bias": _one("bias", 0),
    "quantize": lambda given: iter([WeightRun("scale", (given(0, 1),))]),
    "dequantize": _dequantize,
    "requantize": _requantize,
    "padding": _padding,
    "normalize": _one("scale", 3),
    "layer-norm": _affine(0, 2, "gamma", "beta"),
    "root-norm": _affine(0, 2, "gamma"),
    "instance-norm": _affine(0, 2, "gamma", "beta"),
    "group-norm": _affine(1, 3, "gamma", "beta"),
    "memory": _memory,
    "long-memory": _recurrent(4, 4),
    "gated": _recurrent(3, 4),
    "plain": _recurrent(1, 1),
    "attention": _attention,
    "product": _product,
}
_LOADERS: Mapping[str, Loader] = meanings(
    """
    convolution: Convolution Convolution1D Convolution3D DeformableConv2D
    depthwise: ConvolutionDepthWise ConvolutionDepthWise1D ConvolutionDepthWise3D
    transposed: Deconvolution Deconvolution1D Deconvolution3D DeconvolutionDepthWise
        DeconvolutionDepthWise1D DeconvolutionDepthWise3D
    inner: InnerProduct
    embed: Embed
    batch-norm: BatchNorm
    scale: Scale
    slope: PReLU
    bias: Bias
    quantize: Quantize
    dequantize: Dequantize
    requantize: Requantize
    padding: Padding
    normalize: Normalize
    layer-norm: LayerNorm
    root-norm: RMSNorm
    instance-norm: InstanceNorm
    group-norm: GroupNorm
    memory: MemoryData
    long-memory: LSTM
    gated: GRU
    plain: RNN
    attention: MultiHeadAttention
    product: Gemm
    """,
    _BY_NAME,
)
