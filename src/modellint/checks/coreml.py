"""Core ML models: what a system refuses, and what keeps a model off the Neural Engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from modellint.checks.api import Context, Hit
from modellint.formats.coreml.facts import CoreMlFacts, Feature, coreml_facts
from modellint.formats.coreml.versions import (
    FIRST_VERSION,
    SYSTEMS,
    version_of_opset,
    version_of_system,
)
from modellint.model import Node, Tensor, Value, element_count
from modellint.operators import Trait, having, of

PROGRAM = "mlProgram"
NETWORKS = frozenset({"neuralNetwork", "neuralNetworkClassifier", "neuralNetworkRegressor"})
FLOAT32, FLOAT16 = "float32", "float16"
STATES_SINCE, FLOAT16_SINCE, INT8_SINCE = 9, 7, 10
HEAVY = frozenset(
    {
        Trait.CONVOLUTION,
        Trait.TRANSPOSED_CONVOLUTION,
        Trait.MATMUL,
        Trait.GEMM,
        Trait.CONTRACTION,
        Trait.ATTENTION,
        Trait.RECURRENT,
    }
)


def newer_operation(context: Context) -> Iterator[Hit]:
    """Operations of an ML program that its operator set does not have yet."""
    facts = coreml_facts(context.model)
    version = version_of_opset(facts.opset)
    found: dict[str, list[Node]] = {}
    for node, kind in facts.types.items():
        if version is not None and FIRST_VERSION.get(kind, 0) > version:
            found.setdefault(kind, []).append(node)
    for kind, nodes in found.items():
        needed = FIRST_VERSION[kind]
        words = {"op": kind, "opset": facts.opset, "needed": f"CoreML{needed - 1}"}
        yield Hit(nodes[0], {**words, "system": _system(needed)}, count=len(nodes))


def opset_beyond_version(context: Context) -> Iterator[Hit]:
    """An operator set that came with a later version of the specification."""
    facts = coreml_facts(context.model)
    needed = version_of_opset(facts.opset)
    if needed is not None and needed > facts.version:
        yield Hit(facts={"opset": facts.opset, "version": facts.version, "needed": needed})


def deployment_target(context: Context) -> Iterator[Hit]:
    """A version of the specification that the configured system does not read."""
    wanted = str(context.options["system"] or "")
    newest, version = version_of_system(wanted), coreml_facts(context.model).version
    if newest is not None and version > newest:
        facts = {"version": version, "system": _system(version), "wanted": wanted}
        yield Hit(facts={**facts, "newest": newest})


def feature_beyond_version(context: Context) -> Iterator[Hit]:
    """Types of inputs and outputs that came with a later version of the specification."""
    facts = coreml_facts(context.model)
    for feature in (*facts.inputs, *facts.outputs):
        needed, what = _first_version(feature)
        if needed > facts.version:
            yield Hit(
                context.model.graph.values.get(feature.name),
                {
                    "feature": feature.name,
                    "type": what,
                    "version": facts.version,
                    "needed": needed,
                    "system": _system(needed),
                },
            )
    if facts.states and facts.version < STATES_SINCE:
        state = facts.states[0].name
        words = {"feature": state, "type": "a state", "version": facts.version}
        yield Hit(facts={**words, "needed": STATES_SINCE, "system": _system(STATES_SINCE)})


def _first_version(feature: Feature) -> tuple[int, str]:
    if feature.kind == "multiArray" and feature.dtype == FLOAT16:
        return FLOAT16_SINCE, "a float16 array"
    if feature.dtype == "GRAYSCALE_FLOAT16":
        return FLOAT16_SINCE, "a float16 image"
    if feature.kind == "multiArray" and feature.dtype == "int8":
        return INT8_SINCE, "an int8 array"
    return 0, ""


def _system(version: int) -> str:
    return SYSTEMS.get(version, f"version {version} of the specification")


def unbounded_range(context: Context) -> Iterator[Hit]:
    """Inputs of an ML program with a dim that has no upper bound."""
    facts = coreml_facts(context.model)
    for feature in facts.inputs:
        if feature.is_unbounded and facts.kind == PROGRAM:
            yield Hit(_value(context, feature), {"input": feature.name})


def flexible_range(context: Context) -> Iterator[Hit]:
    """Inputs with ranges of shapes, of which only the default runs on the Neural Engine."""
    facts = coreml_facts(context.model)
    for feature in facts.inputs:
        is_covered = facts.kind == PROGRAM and feature.is_unbounded
        if feature.ranges and feature.is_flexible and not is_covered:
            default = "×".join(map(str, feature.shape))
            yield Hit(_value(context, feature), {"input": feature.name, "default": default})


def _value(context: Context, feature: Feature) -> Value | None:
    return context.model.graph.values.get(feature.name)


def float32_weights(context: Context) -> Iterator[Hit]:
    """Weights in float32, of an ML program or a neural network."""
    sizes = Counter[str]()
    largest: Tensor | None = None
    for tensor in context.model.tensors:
        sizes[tensor.dtype.name] += tensor.nbytes
        if tensor.dtype.name == FLOAT32 and (largest is None or tensor.nbytes > largest.nbytes):
            largest = tensor
    wide, total = sizes[FLOAT32], sum(sizes.values())
    is_much = wide >= context.options["min-bytes"] and 2 * wide > total
    if largest is not None and is_much:
        yield Hit(largest, {"size": wide, "saved": wide // 2})


def float32_compute(context: Context) -> Iterator[Hit]:
    """Layers of an ML program that compute in float32."""
    if coreml_facts(context.model).kind != PROGRAM:
        return
    wide: list[Node] = []
    count = 0
    for node in context.model.nodes():
        result = node.output(0)
        if result is None or not HEAVY & of(node).traits:
            continue
        count += 1
        if str(result.declared_dtype) == FLOAT32:
            wide.append(node)
    if wide:
        yield Hit(wide[0], {"nodes": len(wide), "layers": count}, count=len(wide))


def float32_input(context: Context) -> Iterator[Hit]:
    """Inputs that arrive in float32 and are converted to float16 before anything else."""
    facts = coreml_facts(context.model)
    if facts.kind != PROGRAM or facts.version < FLOAT16_SINCE:
        return
    arrays = {each.name for each in facts.inputs if each.kind == "multiArray"}
    for value in context.model.inputs:
        users = [use.node for use in value.consumers]
        size = element_count(value.declared_shape) or 0
        is_large = size >= context.options["min-elements"]
        if value.name in arrays and is_large and str(value.dtype) == FLOAT32 and users:
            results = [user.output(0) for user in users if user.op_type in having(Trait.CAST)]
            types = {str(each.declared_dtype) for each in results if each is not None}
            if len(results) == len(users) and types == {FLOAT16}:
                yield Hit(value, {"input": value.name})


def old_format(context: Context) -> Iterator[Hit]:
    """A neural network, the format before ML programs."""
    kinds = [part.kind for part in _all_parts(coreml_facts(context.model))]
    if any(kind in NETWORKS for kind in kinds):
        yield Hit(facts={"version": coreml_facts(context.model).version})


def _all_parts(facts: CoreMlFacts) -> Iterator[CoreMlFacts]:
    yield facts
    for part in facts.parts:
        yield from _all_parts(part)


def quantized_network(context: Context) -> Iterator[Hit]:
    """Low-bit weights of a neural network, which are computed in floating point."""
    stored = coreml_facts(context.model).weight_bits
    bits = {kind: size for kind, size in stored.items() if kind.endswith("-bit")}
    if bits:
        widths = ", ".join(sorted(bits))
        yield Hit(facts={"widths": widths, "size": sum(bits.values())})


def custom_layer(context: Context) -> Iterator[Hit]:
    """Layers whose code the app must provide."""
    yield from _all_of("classes", coreml_facts(context.model).custom_layers)


def _all_of(fact: str, names: Sequence[str]) -> Iterator[Hit]:
    """Return one hit for all names, if there are any."""
    if names:
        yield Hit(facts={fact: names, "count": len(names)}, count=len(names))


def unscaled_image(context: Context) -> Iterator[Hit]:
    """Images that a neural network receives with their pixels from 0 to 255."""
    facts = coreml_facts(context.model)
    if facts.kind not in NETWORKS:
        return
    scaled = {each.feature for each in facts.scalings}
    for feature in facts.inputs:
        value = _value(context, feature)
        if feature.kind != "image" or value is None or scaled & {feature.name, ""}:
            continue
        readers = [use.node for use in value.consumers]
        layers = [node for node in readers if HEAVY & of(node).traits]
        if readers and len(layers) == len(readers):
            yield Hit(value, {"input": feature.name, "node": layers[0].label})


def missing_item(context: Context) -> Iterator[Hit]:
    """Items that a package's manifest names, but that are not there."""
    yield from _all_of("paths", coreml_facts(context.model).missing_items)


def pipeline_input(context: Context) -> Iterator[Hit]:
    """Inputs of a pipeline's models that nothing before them provides."""
    facts = coreml_facts(context.model)
    known = {feature.name for feature in facts.inputs}
    for place, part in enumerate(facts.parts, 1):
        for feature in part.inputs:
            if feature.name not in known and not feature.is_optional:
                yield Hit(facts={"input": feature.name, "place": place, "kind": part.kind})
        known |= {feature.name for feature in part.outputs}


def suppression_threshold(context: Context) -> Iterator[Hit]:
    """Thresholds of non-maximum suppression that keep everything, or nothing."""
    for part in _all_parts(coreml_facts(context.model)):
        if part.threshold is None:
            continue
        overlap, confidence = part.threshold
        facts = {"overlap": overlap, "confidence": confidence}
        if overlap >= 1:
            yield Hit(facts=facts)
        elif confidence >= 1:
            yield Hit(facts=facts, variant="nothing")
