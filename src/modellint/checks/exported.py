"""Programs of torch.export: requirements for loading them, and their side effects."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.checks.api import Context, Hit
from modellint.formats.torch.facts import ExportFacts, torch_facts
from modellint.model import Node, Tensor, Value

SCHEMA_MAJOR, RELEASE = 8, "2.13"
"""From torch/_export/serde/schema.py, and the PyTorch release that contains it."""
_BUILT_IN = frozenset(
    """
    _c10d_functional _c10d_functional_autograd _dtensor _native _quantized aten c10d
    debugprims export higher_order inductor inductor_prims mkl mkldnn mkldnn_prepacked onednn prim
    prims profiler quantization quantized rngprims sparse static_runtime symm_mem
    """.split()
)
"""Libraries of operators that `import torch` registers, and its operators that run graphs."""
DECOMPOSED = "quantized_decomposed"
_OPERATORS = "torch.ops."
_DROPS = ("dropout", "native_dropout", "feature_dropout", "alpha_dropout", "dropout_")
_NORMALIZATIONS = ("batch_norm", "_native_batch_norm_legit_functional", "_native_batch_norm_legit")
_WIDENED = ("add", "sub", "mul", "div")


def _exported(context: Context) -> ExportFacts | None:
    facts = torch_facts(context.model)
    return facts.exported if facts is not None else None


def exported_for_training(context: Context) -> Iterator[Hit]:
    """Layers exported in training mode, in which a loaded program stays."""
    facts = _exported(context)
    if facts is None:
        return
    found = [node for node in facts.targets if _is_training(node, facts)]
    if found:
        yield Hit(found[0], {"op": found[0].op_type}, count=len(found))


def _is_training(node: Node, facts: ExportFacts) -> bool:
    if node.op_type in _DROPS:
        return bool(node.get_int("train", 0)) and node.get_float("p", 1) != 0
    if node.op_type not in _NORMALIZATIONS or not node.get_int("training", 0):
        return False
    return any(each is not None and facts.kinds.get(each.name) == "buffer" for each in node.inputs)


def library_needed(context: Context) -> Iterator[Hit]:
    """Operators of libraries that have to be imported before the program is loaded."""
    facts = _exported(context)
    found: dict[str, list[Node]] = {}
    for node, target in facts.targets.items() if facts else ():
        library = target.removeprefix(_OPERATORS).partition(".")[0]
        if target.startswith(_OPERATORS) and library not in _BUILT_IN:
            found.setdefault(library, []).append(node)
    for library, nodes in found.items():
        variant = "decomposed" if library == DECOMPOSED else ""
        yield Hit(nodes[0], {"library": library}, variant=variant, count=len(nodes))


def schema_refused(context: Context) -> Iterator[Hit]:
    """Versions of the schema that the newest known PyTorch does not read."""
    facts = _exported(context)
    if facts is not None and facts.schema[0] != SCHEMA_MAJOR:
        variant = "older" if facts.schema[0] < SCHEMA_MAJOR else ""
        stated = ".".join(map(str, facts.schema))
        yield Hit(None, {"schema": stated, "major": SCHEMA_MAJOR, "release": RELEASE}, variant)


def constant_widens(context: Context) -> Iterator[Hit]:
    """Half-precision arithmetic that a float32 constant widens to float32."""
    facts = _exported(context)
    for node in facts.targets if facts else ():
        if node.op_type in _WIDENED and _is_float(node.output(), 32):
            constant = next((each for each in node.inputs if _is_constant(each, facts)), None)
            if constant is not None and any(_is_float(each, 16) for each in node.inputs):
                yield Hit(node, {"constant": constant.name})


def _is_float(value: Value | None, bits: int) -> bool:
    dtype = value.declared_dtype if value is not None else None
    return dtype is not None and dtype.is_float and dtype.bits == bits


def _is_constant(value: Value | None, facts: ExportFacts | None) -> bool:
    """Return True for a float32 constant with dims: a single number widens nothing."""
    is_stored = value is not None and value.tensor is not None and bool(value.tensor.shape)
    kind = facts.kinds.get(value.name) if facts is not None and value is not None else None
    return is_stored and kind == "tensor_constant" and _is_float(value, 32)


def input_overwritten(context: Context) -> Iterator[Hit]:
    """Inputs that the program writes to, so that the caller's tensors change."""
    facts = _exported(context)
    if facts is None:
        return
    inputs = {value.name: value for value in context.model.inputs}
    written = [inputs[name] for name in facts.mutated if name in inputs]
    changed = [node.input(0) for node in facts.in_place]
    written += [value for value in changed if value is not None and value.is_input]
    for value in dict.fromkeys(written):
        yield Hit(value, {"input": value.name})


def stored_unused(context: Context) -> Iterator[Hit]:
    """Tensors that the file stores, and that no operator reads."""
    facts = _exported(context)
    least: int = context.options["min-bytes"]
    if facts is None:
        return
    values = context.model.graph.values
    used = {each.region for each in context.model.tensors if each.name in values}
    unused = [
        each
        for each in context.model.tensors
        if each.name in facts.kinds and each.name not in values and each.region not in used
    ]
    size = sum(each.nbytes for each in unused)
    if unused and size >= least:
        largest: Tensor = max(unused, key=lambda each: each.nbytes)
        yield Hit(largest, {"tensor": largest.name, "size": size}, count=len(unused))
