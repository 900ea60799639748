"""Layers: convolutions, products, normalizations, attention, pools."""

from __future__ import annotations

from collections.abc import Mapping

from modellint.formats.meanings import meanings
from modellint.formats.torch.aten.arguments import AtenArguments
from modellint.formats.torch.aten.stated import Meaning, Stated, rank_of, spread
from modellint.model import Attribute


def _convolution(given: AtenArguments) -> Stated | None:
    data, weight = given.tensor("input"), given.tensor("weight")
    count = (rank_of(weight) or 0) - 2
    if count < 1 or rank_of(data) != count + 2:
        return None
    attributes = _window_of(given, count, "stride", "dilation")
    padding = given.argument("padding", 0)
    if attributes is None:
        return None
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            return None
        attributes["auto_pad"] = "SAME_UPPER" if padding == "same" else "VALID"
    else:
        pads = spread(given.ints("padding") or (0,), count)
        if pads is None:
            return None
        attributes["pads"] = pads + pads
    attributes["group"] = given.integer("groups", 1) or 1
    return given.present("input", "weight", "bias"), attributes


def _transposed(given: AtenArguments) -> Stated | None:
    data, weight = given.tensor("input"), given.tensor("weight")
    count = (rank_of(weight) or 0) - 2
    if count < 1 or rank_of(data) != count + 2:
        return None
    attributes = _window_of(given, count, "stride", "dilation")
    pads = spread(given.ints("padding") or (0,), count)
    more = spread(given.ints("output_padding") or (0,), count)
    if attributes is None or pads is None or more is None:
        return None
    attributes |= {"pads": pads + pads, "output_padding": more}
    attributes["group"] = given.integer("groups", 1) or 1
    return given.present("input", "weight", "bias"), attributes


def _window_of(
    given: AtenArguments, count: int, stride: str, dilation: str
) -> dict[str, Attribute] | None:
    strides = spread(given.ints(stride) or (1,), count)
    dilations = spread(given.ints(dilation) or (1,), count)
    if strides is None or dilations is None:
        return None
    return {"strides": strides, "dilations": dilations}


def _linear(given: AtenArguments) -> Stated | None:
    if rank_of(given.tensor("input")) != 2 or rank_of(given.tensor("weight")) != 2:
        return None
    return given.present("input", "weight", "bias"), {"transB": 1}


def _addmm(given: AtenArguments) -> Stated | None:
    if given.number("alpha", 1) != 1 or given.number("beta", 1) != 1:
        return None
    return given.present("mat1", "mat2", "self"), {}


def _two(left: str, right: str) -> Meaning:
    return lambda given: (given.present(left, right), {})


def _batch_norm(given: AtenArguments) -> Stated | None:
    inputs = given.present("input", "weight", "bias", "running_mean", "running_var")
    epsilon = given.number("eps", 1e-5)
    if given.flag("training") or None in inputs or len(inputs) != 5 or epsilon is None:
        return None
    return inputs, {"epsilon": float(epsilon)}


def _layer_norm(given: AtenArguments) -> Stated | None:
    shape, epsilon = given.ints("normalized_shape"), given.number("eps", 1e-5)
    inputs = given.present("input", "weight", "bias")
    if not shape or len(inputs) < 2 or None in inputs or epsilon is None:
        return None
    return inputs, {"axis": -len(shape), "epsilon": float(epsilon)}


def _rms_norm(given: AtenArguments) -> Stated | None:
    shape, inputs = given.ints("normalized_shape"), given.present("input", "weight")
    epsilon = given.number("eps", 0)
    if not shape or len(inputs) < 2 or not epsilon:
        return None
    return inputs, {"axis": -len(shape), "epsilon": float(epsilon)}


def _group_norm(given: AtenArguments) -> Stated | None:
    inputs, epsilon = given.present("input", "weight", "bias"), given.number("eps", 1e-5)
    groups = given.integer("num_groups", given.integer("group"))
    if len(inputs) < 3 or None in inputs or groups is None or epsilon is None:
        return None
    return inputs, {"num_groups": groups, "epsilon": float(epsilon)}


def _instance_norm(given: AtenArguments) -> Stated | None:
    inputs, epsilon = given.present("input", "weight", "bias"), given.number("eps", 1e-5)
    if len(inputs) < 3 or None in inputs or not given.flag("use_input_stats") or epsilon is None:
        return None
    return inputs, {"epsilon": float(epsilon)}


def _attention(given: AtenArguments) -> Stated | None:
    inputs = given.present("query", "key", "value", "attn_mask")
    if any(rank_of(value) != 4 for value in inputs[:3]) or given.number("dropout_p", 0):
        return None
    attributes: dict[str, Attribute] = {"is_causal": int(given.flag("is_causal"))}
    scale = given.number("scale", None)
    if scale is not None:
        attributes["scale"] = float(scale)
    return inputs, attributes


def _pool(given: AtenArguments) -> Stated | None:
    data = given.tensor("self")
    kernel = given.ints("kernel_size")
    count = (rank_of(data) or 0) - 2
    sizes = spread(kernel, count) if kernel and count > 0 else None
    if sizes is None or given.argument("divisor_override", None) is not None:
        return None
    strides = spread(given.ints("stride") or sizes, count)
    pads = spread(given.ints("padding") or (0,), count)
    dilations = spread(given.ints("dilation") or (1,), count)
    if strides is None or pads is None or dilations is None:
        return None
    attributes: dict[str, Attribute] = {
        "kernel_shape": sizes,
        "strides": strides,
        "pads": pads + pads,
        "ceil_mode": int(given.flag("ceil_mode")),
    }
    if "dilation" in given:
        attributes["dilations"] = dilations
    if given.operator.startswith("avg"):
        attributes["count_include_pad"] = int(given.flag("count_include_pad", default=True))
    return (data,), attributes


def _global_pool(given: AtenArguments) -> Stated | None:
    data, sizes = given.tensor("self"), given.ints("output_size")
    if sizes is None or set(sizes) != {1} or (rank_of(data) or 0) < 3:
        return None
    return (data,), {}


_BY_NAME: Mapping[str, Meaning] = {
    "addmm": _addmm,
    "attention": _attention,
    "batch-norm": _batch_norm,
    "convolution": _convolution,
    "global-pool": _global_pool,
    "group-norm": _group_norm,
    "instance-norm": _instance_norm,
    "layer-norm": _layer_norm,
    "linear": _linear,
    "pool": _pool,
    "product": _two("self", "other"),
    "product-of-two": _two("self", "mat2"),
    "rms-norm": _rms_norm,
    "transposed": _transposed,
}
MEANINGS: Mapping[str, Meaning] = meanings(
    """
addmm: addmm
attention: scaled_dot_product_attention
batch-norm: batch_norm _native_batch_norm_legit_no_training
convolution: conv1d conv2d conv3d convolution
global-pool: adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d
group-norm: group_norm native_group_norm
instance-norm: instance_norm
layer-norm: layer_norm native_layer_norm
linear: linear
pool: max_pool1d max_pool2d max_pool3d max_pool2d_with_indices avg_pool1d avg_pool2d avg_pool3d
product: matmul
product-of-two: mm bmm
rms-norm: rms_norm
transposed: conv_transpose1d conv_transpose2d conv_transpose3d
""",
    _BY_NAME,
)
