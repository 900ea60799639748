"""Neural networks as graphs: layers with their weights in the model file itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from modellint.base.text import bounded
from modellint.formats.coreml.facts import Scaling
from modellint.formats.problems import MalformedError, Problems
from modellint.formats.protobuf import FieldSpan, Message
from modellint.formats.stored import StoredTensors
from modellint.formats.wiring import Wiring
from modellint.model import (
    DTYPES,
    HIGHEST_RANK,
    Attribute,
    DType,
    Graph,
    Model,
    Node,
    Region,
    Tensor,
    Value,
    product,
)

DOMAIN = "coreml"
MOST_DEPTH = 16
NAME, INPUTS, OUTPUTS, OUTPUT_TENSORS = 1, 2, 3, 5
FIRST_KIND = 100
"""Number of the first field that determines the kind of a layer."""
_KINDS = """
100 convolution 120 pooling 130 activation 140 innerProduct 150 embedding 160 batchnorm 165 mvn
170 l2normalize 175 softmax 180 lrn 190 crop 200 padding 210 upsample 211 resizeBilinear
212 cropResize 220 unary 230 add 231 multiply 240 average 245 scale 250 bias 260 max 261 min 270 dot
280 reduce 290 loadConstant 300 reshape 301 flatten 310 permute 320 concat 330 split
340 sequenceRepeat 345 reorganizeData 350 slice 400 simpleRecurrent 410 gru 420 uniDirectionalLSTM
430 biDirectionalLSTM 500 custom 600 copy 605 branch 615 loop 620 loopBreak 625 loopContinue
635 rangeStatic 640 rangeDynamic 660 clip 665 ceil 670 floor 680 sign 685 round 700 exp2 710 sin
715 cos 720 tan 730 asin 735 acos 740 atan 750 sinh 755 cosh 760 tanh 770 asinh 775 acosh 780 atanh
790 erf 795 gelu 815 equal 820 notEqual 825 lessThan 827 lessEqual 830 greaterThan 832 greaterEqual
840 logicalOr 845 logicalXor 850 logicalNot 855 logicalAnd 865 modBroadcastable
870 minBroadcastable 875 maxBroadcastable 880 addBroadcastable 885 powBroadcastable
890 divideBroadcastable 895 floorDivBroadcastable 900 multiplyBroadcastable
905 subtractBroadcastable 920 tile 925 stack 930 gather 935 scatter 940 gatherND 945 scatterND
950 softmaxND 952 gatherAlongAxis 954 scatterAlongAxis 960 reverse 965 reverseSeq 975 splitND
980 concatND 985 transpose 995 sliceStatic 1000 sliceDynamic 1005 slidingWindows 1015 topK
1020 argMin 1025 argMax 1040 embeddingND 1045 batchedMatmul 1065 getShape 1070 loadConstantND
1080 fillLike 1085 fillStatic 1090 fillDynamic 1100 broadcastToLike 1105 broadcastToStatic
1110 broadcastToDynamic 1120 squeeze 1125 expandDims 1130 flattenTo2D 1135 reshapeLike
1140 reshapeStatic 1145 reshapeDynamic 1150 rankPreservingReshape 1155 constantPad
1170 randomNormalLike 1175 randomNormalStatic 1180 randomNormalDynamic 1190 randomUniformLike
1195 randomUniformStatic 1200 randomUniformDynamic 1210 randomBernoulliLike
1215 randomBernoulliStatic 1220 randomBernoulliDynamic 1230 categoricalDistribution 1250 reduceL1
1255 reduceL2 1260 reduceMax 1265 reduceMin 1270 reduceSum 1275 reduceProd 1280 reduceMean
1285 reduceLogSum 1290 reduceSumSquare 1295 reduceLogSumExp 1313 whereNonZero 1315 matrixBandPart
1320 lowerTriangular 1325 upperTriangular 1330 whereBroadcastable 1350 layerNormalization
1400 NonMaximumSuppression 1450 oneHot 1455 cumSum 1460 clampedReLU 1461 argSort 1465 pooling3d
1466 globalPooling3d 1470 sliceBySize 1471 convolution3d
"""
_WORDS = _KINDS.split()
LAYER_KINDS: Mapping[int, str] = {
    int(number): kind for number, kind in zip(_WORDS[::2], _WORDS[1::2], strict=True)
}
"""Kinds of layers by their number in NeuralNetwork.proto."""
_ACTIVATIONS: Mapping[int, str] = {
    5: "linear",
    10: "ReLU",
    15: "leakyReLU",
    20: "thresholdedReLU",
    25: "PReLU",
    30: "tanh",
    31: "scaledTanh",
    40: "sigmoid",
    41: "sigmoidHard",
    50: "ELU",
    60: "softsign",
    70: "softplus",
    71: "parametricSoftplus",
}
_WEIGHTS = """
convolution 90:weight 91:bias
activation 25.1:alpha 71.1:alpha 71.2:beta
innerProduct 20:weight 21:bias
embedding 20:weight 21:bias
batchnorm 15:gamma 16:beta 17:mean 18:variance
scale 2:scale 5:bias
bias 2:bias
loadConstant 2:data
simpleRecurrent 30:weight 31:recursion 32:bias
gru 30:update_weight 31:reset_weight 32:output_weight 50:update_recursion 51:reset_recursion
    52:output_recursion 70:update_bias 71:reset_bias 72:output_bias
uniDirectionalLSTM 20.1:input_weight 20.2:forget_weight 20.3:block_weight 20.4:output_weight
    20.20:input_recursion 20.21:forget_recursion 20.22:block_recursion 20.23:output_recursion
    20.40:input_bias 20.41:forget_bias 20.42:block_bias 20.43:output_bias 20.60:input_peephole
    20.61:forget_peephole 20.62:output_peephole
biDirectionalLSTM 20.1:input_weight 20.2:forget_weight 20.3:block_weight 20.4:output_weight
    20.20:input_recursion 20.21:forget_recursion 20.22:block_recursion 20.23:output_recursion
    20.40:input_bias 20.41:forget_bias 20.42:block_bias 20.43:output_bias 20.60:input_peephole
    20.61:forget_peephole 20.62:output_peephole
custom 20:weight
embeddingND 20:weight 21:bias
batchedMatmul 8:weight 9:bias
loadConstantND 2:data
layerNormalization 3:gamma 4:beta
convolution3d 60:weight 61:bias
"""
FLOAT, FLOAT16, RAW, INT8, QUANTIZATION = 1, 2, 30, 31, 40
BRANCHES: Mapping[str, Mapping[int, str]] = {
    "branch": {1: "if", 2: "else"},
    "loop": {3: "condition", 4: "body"},
}
CUSTOM = "custom"


class _Place(NamedTuple):
    """Fields that lead to a weight, and its name."""

    fields: tuple[int, ...]
    name: str


def _places(text: str) -> dict[str, list[_Place]]:
    places: dict[str, list[_Place]] = {}
    kind = ""
    for word in text.split():
        if ":" in word:
            fields, _, name = word.partition(":")
            places[kind].append(_Place(tuple(map(int, fields.split("."))), name))
        else:
            places[kind := word] = []
    return places


_PLACES = _places(_WEIGHTS)


class LayerReader(StoredTensors):
    """Reads the layers of one network and of those inside its loops and branches."""

    def __init__(self, model: Model, path: Path, problems: Problems) -> None:
        super().__init__(problems)
        self.model = model
        self.path = path
        self.types: dict[Node, str] = {}
        self.tensors: list[Tensor] = []
        self.custom: list[str] = []
        self.stored: Counter[str] = Counter()

    def read(self, network: Message, graph: Graph, depth: int = 0) -> dict[str, Value]:
        """Add the layers of a network to a graph; return the values that its names refer to."""
        wiring = Wiring(graph)
        values = dict(graph.values)
        for layer in network.messages(1):
            self._layer(layer, wiring, values, depth)
        return values

    def _layer(self, layer: Message, wiring: Wiring, values: dict[str, Value], depth: int) -> None:
        name = bounded(layer.text(NAME))
        number = next((field for field in layer.fields if field in LAYER_KINDS), None)
        if number is None:
            unknown = next((field for field in layer.fields if field >= FIRST_KIND), 0)
            raise MalformedError("corrupt", f"layer {name!r} is of an unknown kind, {unknown}")
        kind, parameters = LAYER_KINDS[number], layer.message(number)
        if parameters is None:
            raise MalformedError("corrupt", f"layer {name!r} has no parameters")
        inputs = [
            self._input(wiring, values, bounded(each), name, kind) for each in layer.texts(INPUTS)
        ]
        inputs += self._weights(wiring, kind, parameters, name)
        outputs = []
        shapes = layer.messages(OUTPUT_TENSORS)
        for at, stated in enumerate(map(bounded, layer.texts(OUTPUTS))):
            value = wiring.value(stated)
            if at < len(shapes):
                dims = tuple(islice(shapes[at].integers(2), HIGHEST_RANK))
                if len(dims) == shapes[at].integer(1):
                    value.declare(DTYPES["float32"], tuple(d if d > 0 else None for d in dims))
            values[stated] = value
            outputs.append(value)
        op_type = self._op_type(kind, parameters)
        node = wiring.node(op_type, DOMAIN, name, inputs, outputs)
        node.attributes = _attributes(kind, parameters)
        self.types[node] = op_type
        if kind == CUSTOM:
            self.custom.append(bounded(parameters.text(10)))
        self._bodies(node, kind, parameters, values, depth)

    def _bodies(
        self, node: Node, kind: str, parameters: Message, values: dict[str, Value], depth: int
    ) -> None:
        if kind not in BRANCHES:
            return
        if depth >= MOST_DEPTH:
            detail = f"more than {MOST_DEPTH} nested networks"
            raise MalformedError("too-deep", detail, limit=MOST_DEPTH)
        subgraphs: dict[str, Graph] = {}
        for field, key in BRANCHES[kind].items():
            body = parameters.message(field)
            if body is not None:
                subgraphs[key] = graph = Graph(self.model, "", node, key)
                node.subgraphs = subgraphs
                self._read_body(body, graph, values, depth)

    def _read_body(self, body: Message, graph: Graph, values: dict[str, Value], depth: int) -> None:
        """Read a body. What it writes under a name from outside is read there afterwards."""
        wiring = Wiring(graph)
        for name, value in self.read(body, graph, depth + 1).items():
            if value.producer is not None and value.graph is graph:
                wiring.output(value)
                values.setdefault(name, value)

    def _op_type(self, kind: str, parameters: Message) -> str:
        if kind == "activation":
            found = next((f for f in parameters.fields if f in _ACTIVATIONS), None)
            return _ACTIVATIONS.get(found or 0, kind)
        if kind == "convolution" and parameters.integer(60):
            return "deconvolution"
        return kind

    def _input(
        self, wiring: Wiring, values: dict[str, Value], name: str, layer: str, kind: str
    ) -> Value:
        value = values.get(name)
        if value is None and wiring.graph.parent is not None:
            value = wiring.graph.resolve(name)
        if value is None:
            value = values[name] = wiring.value(name)
            facts = {"value": name, "node": layer, "op": kind, "graph": wiring.graph.path}
            self.problems.note("undefined-value", at=name, **facts)
        return value

    # Weights

    def _weights(
        self, wiring: Wiring, kind: str, parameters: Message, layer: str
    ) -> Iterator[Value]:
        for place in _PLACES.get(kind, ()):
            holders = [parameters]
            for field in place.fields:
                holders = [inner for each in holders for inner in each.messages(field)]
            for weight in holders:
                tensor = self._tensor(f"{layer}.{place.name}", weight, kind, place, parameters)
                if tensor is not None:
                    value = wiring.value(tensor.name)
                    value.store(tensor)
                    yield value

    def _tensor(
        self, name: str, weight: Message, kind: str, place: _Place, parameters: Message
    ) -> Tensor | None:
        stored = _stored(weight)
        if stored is None:
            return None
        dtype, span, count, bits = stored
        dims = _dims(kind, place, parameters)
        shape = dims if dims is not None and product(dims) <= count else (count,)
        nbytes = -(-product(shape) * bits // 8)
        if dims is not None and product(dims) > count:
            self.invalid(name, dtype, dims, -(-product(dims) * bits // 8), span.length)
        label = dtype.name if dtype.is_float else f"{bits}-bit"
        self.stored[label] += span.length
        region = Region(self.path, span.offset, nbytes)
        if dtype.bits != bits:
            tensor = Tensor(name, dtype, shape, nbytes, region)
        else:
            tensor = self.raw(name, dtype, shape, region)
        self.tensors.append(tensor)
        return tensor


class _Stored(NamedTuple):
    dtype: DType
    span: FieldSpan
    elements: int
    bits: int


def _stored(weight: Message) -> _Stored | None:
    """Return how a weight is stored, and where; None if it is empty."""
    for field, name, size in ((FLOAT, "float32", 4), (FLOAT16, "float16", 2), (INT8, "int8", 1)):
        span = weight.span_of(field)
        if span is not None and span.length:
            return _Stored(DTYPES[name], span, span.length // size, size * 8)
    span, quantization = weight.span_of(RAW), weight.message(QUANTIZATION)
    if span is None or not span.length:
        return None
    bits = quantization.integer(1) if quantization is not None else 8
    if not 1 <= bits <= 8:
        raise MalformedError("corrupt", f"weights of {bits} bits")
    dtype = DTYPES.get(f"uint{bits}", DTYPES["uint8"])
    return _Stored(dtype, span, span.length * 8 // bits, bits)


def _dims(kind: str, place: _Place, parameters: Message) -> tuple[int, ...] | None:
    """Return the shape that a layer's parameters give to its weight."""
    dims: tuple[int, ...] | None = None
    if place.name == "weight" and kind == "convolution":
        kernel = tuple(islice(parameters.integers(20), 2)) or (3, 3)
        first, second = parameters.integer(1), parameters.integer(2)
        if parameters.integer(60):
            first, second = second, first // max(parameters.integer(10, 1), 1)
        dims = (first, second, *kernel)
    elif place.name == "weight" and kind in ("innerProduct", "embedding", "embeddingND"):
        dims = (parameters.integer(2), parameters.integer(1))
    elif place.name == "weight" and kind == "batchedMatmul":
        dims = (parameters.integer(5), parameters.integer(6))
    elif place.name == "data":
        dims = tuple(islice(parameters.integers(1), HIGHEST_RANK))
    return dims if dims and all(dim > 0 for dim in dims) else None


_ATTRIBUTES: Mapping[str, Mapping[str, int]] = {
    "convolution": {"group": 10, "kernel_shape": 20, "strides": 30, "dilations": 40},
    "pooling": {"kernel_shape": 10, "strides": 20},
}


def _attributes(kind: str, parameters: Message) -> dict[str, Attribute]:
    attributes: dict[str, Attribute] = {}
    for name, field in _ATTRIBUTES.get(kind, {}).items():
        numbers = tuple(islice(parameters.integers(field), HIGHEST_RANK))
        if numbers:
            attributes[name] = numbers[0] if name == "group" else numbers
    return attributes


def scalings(network: Message) -> Iterator[Scaling]:
    """Iterate over the preprocessing of images."""
    for each in network.messages(2):
        scaler = each.message(10)
        if scaler is not None:
            numbers = {field: next(iter(scaler.floats(field)), 0.0) for field in (20, 21, 22, 30)}
            scale = next(iter(scaler.floats(10)), 0.0)
            yield Scaling(bounded(each.text(1)), scale, tuple(numbers.values()))
