"""Configurations of Triton, against the models that they are about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modellint.analysis.memory import memory
from modellint.checks.api import Context, Hit
from modellint.formats import read_model
from modellint.formats.triton.facts import TritonFacts, TritonPort, triton_facts
from modellint.model import Model, Shape, Value, format_shape

_TYPES = {
    "TYPE_BOOL": "bool",
    "TYPE_UINT8": "uint8",
    "TYPE_UINT16": "uint16",
    "TYPE_UINT32": "uint32",
    "TYPE_UINT64": "uint64",
    "TYPE_INT8": "int8",
    "TYPE_INT16": "int16",
    "TYPE_INT32": "int32",
    "TYPE_INT64": "int64",
    "TYPE_FP16": "float16",
    "TYPE_FP32": "float32",
    "TYPE_FP64": "float64",
    "TYPE_STRING": "string",
    "TYPE_BF16": "bfloat16",
}
OPEN = -1
"""A dim of any size, in a configuration."""


def model_missing(context: Context) -> Iterator[Hit]:
    """Configurations without their model."""
    facts = triton_facts(context.model)
    if facts is not None and facts.model_file and not facts.models:
        yield Hit(None, {"model_file": facts.model_file})


def port_unknown(context: Context) -> Iterator[Hit]:
    """Inputs and outputs that the model does not have."""
    for facts, model in _served(context):
        for kind, ports, values in _both(facts, model):
            known = [value.name for value in values]
            for port in ports:
                if port.name and port.name not in known:
                    yield Hit(None, {"kind": kind, "name": port.name, "known": known})


def input_missing(context: Context) -> Iterator[Hit]:
    """Model inputs that are missing from the configuration."""
    for facts, model in _served(context):
        configured = {port.name for port in facts.inputs}
        missing = [value.name for value in model.fed if value.name not in configured]
        if facts.inputs and missing:
            yield Hit(None, {"missing": missing, "count": len(missing)})


def type_differs(context: Context) -> Iterator[Hit]:
    """Types that are not those of the model."""
    for served in _served(context):
        for port, value, kind in _pairs(*served):
            stated = _TYPES.get(port.type)
            if stated is not None and value.dtype is not None and stated != value.dtype.name:
                facts = {"kind": kind, "name": port.name, "stated": port.type}
                yield Hit(None, facts | {"type": value.dtype.name})


def dims_differ(context: Context) -> Iterator[Hit]:
    """Dims that are not those of the model."""
    for facts, model in _served(context):
        batch = (OPEN,) if facts.max_batch_size > 0 else ()
        for port, value, kind in _pairs(facts, model):
            stated, shape = (*batch, *port.dims), _shape(model, value)
            if port.dims and shape is not None and not _agree(stated, shape, kind):
                shown = {"stated": format_shape(stated), "shape": format_shape(shape)}
                yield Hit(None, {"kind": kind, "name": port.name} | shown)


def batch_is_fixed(context: Context) -> Iterator[Hit]:
    """Models whose batch is fixed, though the server is to batch."""
    for facts, model in _served(context):
        fixed = [value for _, value, _ in _pairs(facts, model) if isinstance(_first(value), int)]
        if facts.max_batch_size > 0 and fixed:
            shown = {"name": fixed[0].name, "size": _first(fixed[0])}
            yield Hit(None, {"most": facts.max_batch_size} | shown)


def batching_without_batch(context: Context) -> Iterator[Hit]:
    """Dynamic batching of a model that is served one request at a time."""
    facts = triton_facts(context.model)
    if facts is None or not facts.batches_dynamically:
        return
    if facts.max_batch_size <= 1:
        yield Hit(None, {"most": facts.max_batch_size})
    elif max(facts.preferred_batches, default=0) > facts.max_batch_size:
        preferred = max(facts.preferred_batches)
        yield Hit(None, {"most": facts.max_batch_size, "preferred": preferred}, variant="preferred")


def instances_do_not_fit(context: Context) -> Iterator[Hit]:
    """Copies of the model that need more memory than the device has."""
    for facts, model in _served(context):
        estimate = memory(model, context.deployment)
        usable, overhead = estimate.usable, estimate.overhead.expected
        if usable is None or facts.instances < 2:
            continue
        each = estimate.total.low - estimate.overhead.low
        if each + overhead <= usable < facts.instances * each + overhead:
            total = facts.instances * each + overhead
            yield Hit(None, {"instances": facts.instances, "total": total, "usable": usable})


def _served(context: Context) -> Iterator[tuple[TritonFacts, Model]]:
    """Iterate over the newest version of the model, if it can be read and has a graph."""
    facts = triton_facts(context.model)
    if facts is None or not facts.is_onnx or not facts.models:
        return
    model = context.analysis(_newest)
    if model is not None:
        yield facts, model


def _newest(configuration: Model, deployment: object) -> Model | None:
    """Return the newest version of the model of a configuration."""
    model = read_model(configuration.external_files[-1])
    is_broken = any(problem.fatal for problem in model.problems)
    return model if model.has_graph and not is_broken else None


def _both(
    facts: TritonFacts, model: Model
) -> Iterator[tuple[str, Sequence[TritonPort], Sequence[Value]]]:
    yield "input", facts.inputs, model.fed
    yield "output", facts.outputs, model.outputs


def _pairs(facts: TritonFacts, model: Model) -> Iterator[tuple[TritonPort, Value, str]]:
    """Iterate over the ports that the configuration and the model both have."""
    for kind, ports, values in _both(facts, model):
        by_name = {value.name: value for value in values}
        for port in ports:
            if port.name in by_name:
                yield port, by_name[port.name], kind


def _shape(model: Model, value: Value) -> Shape | None:
    """Return the shape that the runtime gives: an output's may follow from its graph."""
    if value.is_output:
        model.infer()
        return value.shape
    return value.declared_shape


def _agree(stated: Sequence[int], shape: Shape, kind: str) -> bool:
    """Return True as the server does: an open dim of an input agrees with any other."""
    if len(stated) != len(shape):
        return False
    return all(
        a == b if isinstance(b, int) else kind == "input" or a == OPEN
        for a, b in zip(stated, shape, strict=True)
    )


def _first(value: Value) -> object:
    shape = value.declared_shape
    return shape[0] if shape else None
