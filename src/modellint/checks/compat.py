"""Operator sets, file versions and operators that a runtime does not support."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from modellint.checks.api import Context, Hit
from modellint.formats.onnx.facts import normal_domain, onnx_facts
from modellint.formats.registry import dialect_of
from modellint.model import Graph, Model, Node
from modellint.model.features import FOREIGN_DOMAIN
from modellint.native import library
from modellint.results.finding import Severity
from modellint.runtimes import find_runtime
from modellint.runtimes.kernels import Answer, KernelTable, kernels
from modellint.runtimes.runtime import Runtime
from modellint.runtimes.support import support
from modellint.runtimes.versions import Release, is_of, neighbours, newest_version

_LARGEST_VERSION = 2**31 - 1
"""The largest operator set version that onnx can be asked about."""
STANDARD_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training")
RUNTIME_DOMAINS = """
    com.microsoft com.microsoft.nchwc com.microsoft.experimental ai.onnx.contrib
    com.ms.internal.nhwc trt.plugins
    """.split()
_QAT_OPS = {"BipolarQuant", "FloatQuant", "IntQuant", "MultiThreshold", "Quant", "Trunc"}
_QAT_DOMAINS = ("finn", "onnx.brevitas", "qonnx")


def registered(context: Context) -> KernelTable | None:
    """Return what the runtime registers that loads the files; None if it is not known."""
    deployment, loader = context.deployment, _loader(context)
    of_same_version = loader is not None and loader.name == deployment.runtime
    version = deployment.runtime_version if of_same_version else None
    return kernels(loader.name, version) if loader is not None else None


def _loader(context: Context) -> Runtime | None:
    runtime = find_runtime(context.deployment.runtime)
    return find_runtime(runtime.loaded_by or runtime.name) if runtime is not None else None


def _loaded_by(context: Context) -> dict[str, object]:
    loader = _loader(context)
    return {"loader": loader.title if loader is not None else ""}


def opset_outside_runtime(context: Context) -> Iterator[Hit]:
    """An operator set that is newer or older than the runtime supports."""
    opset, deployment = onnx_facts(context.model).opset, context.deployment
    older, newer = neighbours(deployment.runtime or "", deployment.runtime_version, "opset")
    yield from _other_domains(context, older)
    if opset is None:
        return
    if older is not None and not older.strict:
        yield from _beyond_statement(context, opset, newer or older)
        return
    if older is not None and older.opset is not None and opset < older.opset[0]:
        lowest, highest = older.opset
        facts = {"opset": opset, "lowest": lowest, "highest": highest, "source": older.source}
        yield _older(context, {**_version(context), **facts})
        return
    yield from _too_new(context, "opset", opset, _highest_opset(older), _highest_opset(newer))


def _beyond_statement(context: Context, opset: int, release: Release) -> Iterator[Hit]:
    """Report an opset that the runtime reads, but perhaps by the definitions of an older one."""
    if release.opset is not None and opset > release.opset[1]:
        facts = {"opset": opset, "highest": release.opset[1], "source": release.source}
        version = _version(context)
        yield Hit(None, {**version, **facts}, variant="unstated", severity=Severity.WARNING)


def _older(context: Context, facts: dict[str, object]) -> Hit:
    """Only warn if it is known which ops of older sets the runtime has kernels for."""
    if registered(context) is None:
        return Hit(None, facts, variant="old")
    return Hit(None, facts, variant="unguaranteed", severity=Severity.WARNING)


def _other_domains(context: Context, release: Release | None) -> Iterator[Hit]:
    """Report operator sets of other domains that are newer than what the runtime registers."""
    table = registered(context)
    if table is None or release is None or not is_of(table.version, release.version):
        return
    for domain, version in onnx_facts(context.model).opsets.items():
        newest = table.domains.get(domain, version)
        if domain and version > newest:
            facts = {"opset": version, "domain": domain, "highest": newest}
            yield Hit(None, {**_version(context), **facts}, variant="domain")


def ir_newer_than_runtime(context: Context) -> Iterator[Hit]:
    """The file format version is newer than the runtime supports."""
    ir, deployment = onnx_facts(context.model).ir_version, context.deployment
    older, newer = neighbours(deployment.runtime or "", deployment.runtime_version, "ir")
    if not ir:
        facts = {"ir": ir, "highest": older.ir if older is not None else None}
        yield Hit(None, {**_version(context), **facts}, variant="missing")
    else:
        yield from _too_new(context, "ir", ir, _highest_ir(older), _highest_ir(newer))


_Limit = tuple[int, Release] | None
"""The highest number that a release supports."""


def _highest_opset(release: Release | None) -> _Limit:
    return (release.opset[1], release) if release is not None and release.opset else None


def _highest_ir(release: Release | None) -> _Limit:
    return (release.ir, release) if release is not None and release.ir else None


def _too_new(
    context: Context, name: str, number: int, older: _Limit, newer: _Limit
) -> Iterator[Hit]:
    """Report a number above what the nearest known releases support.

    What a newer release does not support, this one does not either; what only an older one does
    not support is not known.
    """
    limit = newer if newer is not None and number > newer[0] else older
    if limit is None or number <= limit[0]:
        return
    highest, release = limit
    facts = {**_version(context), name: number, "highest": highest, "source": release.source}
    if older is newer:
        yield Hit(None, facts)
    elif limit is newer:
        yield Hit(None, {**facts, "known": release.version}, variant="newer")
    else:
        facts["known"] = release.version
        yield Hit(None, facts, variant="unknown", severity=Severity.INFO)


def _version(context: Context) -> dict[str, object]:
    deployment = context.deployment
    return {"version": deployment.runtime_version or newest_version(deployment.runtime or "")}


def missing_opset_import(context: Context) -> Iterator[Hit]:
    """A node of a domain whose operator set the model does not import."""
    table = registered(context)
    missing: dict[tuple[Graph, str, bool], list[Node]] = {}
    for model_graph, imported in graphs_with_imports(context.model):
        for node in model_graph.nodes:
            if normal_domain(node.domain) not in imported:
                importing = model_graph.outermost, node.domain, bool(imported)
                missing.setdefault(importing, []).append(node)
    for (_, domain, imports_others), nodes in missing.items():
        facts: dict[str, object] = {"domain": domain or "ai.onnx", "nodes": len(nodes)}
        if table is not None and imports_others and normal_domain(domain) in table.domains:
            facts |= _loaded_by(context)
            yield Hit(nodes[0], facts, "implied", Severity.WARNING, count=len(nodes))
        else:
            milder = Severity.WARNING if _looks_at_names(context) else None
            yield Hit(nodes[0], facts, count=len(nodes), severity=milder)


def unknown_operator(context: Context) -> Iterator[Hit]:
    """An op of a standard domain that its operator set, or any, does not contain."""
    for graph, imported in graphs_with_imports(context.model):
        for op, nodes in graph.by_op.items():
            node = nodes[0]
            version = imported.get(normal_domain(node.domain))
            if node.domain not in STANDARD_DOMAINS or version is None:
                continue
            if all(is_skipped(each, context.deployment.runtime) for each in nodes):
                continue
            if context.model.function_of(node) is not None or _schema(node, version) is not None:
                continue
            first = _first_version(node.op_type, normal_domain(node.domain))
            facts = {"operator": op, "opset": version, "first": first, "nodes": len(nodes)}
            if _answer(context, node, version) in ("runs", "no-kernel"):
                facts |= _loaded_by(context)
                yield Hit(node, facts, "registered", Severity.WARNING, count=len(nodes))
                continue
            variant, milder = "" if first else "nowhere", _mildly(context, node)
            yield Hit(node, facts, variant=variant, count=len(nodes), severity=milder)


def is_skipped(node: Node, runtime_name: str | None) -> bool:
    """Return True for a node without inputs and outputs that the runtime does not look at."""
    if node.inputs or node.outputs:
        return False
    runtime = find_runtime(runtime_name)
    return runtime is not None and runtime.loading.skips_unwired


def _answer(context: Context, node: Node, version: int) -> Answer | None:
    """Return what the runtime says of an op, whatever its types; None if it is not known."""
    table = registered(context)
    if table is None:
        return None
    return table.ask(normal_domain(node.domain), node.op_type, version, lambda place: None)


def _mildly(context: Context, *nodes: Node) -> Severity | None:
    """Return a warning for ops that the runtime reads anyway, by their name alone."""
    deployment = context.deployment
    table = support(deployment.runtime or "", deployment.runtime_version)
    if not _looks_at_names(context):
        return None
    reads_all = table is not None and all(table.takes(node.op_type) for node in nodes)
    return Severity.WARNING if reads_all else None


def _looks_at_names(context: Context) -> bool:
    runtime = find_runtime(context.deployment.runtime or "")
    return context.for_tensorrt or (runtime is not None and runtime.loading.by_name)


def deprecated_operator(context: Context) -> Iterator[Hit]:
    """An op that its operator set has deprecated."""
    for graph, imported in graphs_with_imports(context.model):
        for nodes in graph.by_op.values():
            node = nodes[0]
            version = imported.get(normal_domain(node.domain))
            if node.domain not in STANDARD_DOMAINS or version is None:
                continue
            schema = _schema(node, version)
            if schema is not None and schema.deprecated:
                facts = {"opset": version, "since": schema.since_version, "nodes": len(nodes)}
                refused = _answer(context, node, version) == "removed"
                severity = Severity.ERROR if refused else None
                yield Hit(node, facts, severity=severity, count=len(nodes))


def unknown_domain(context: Context) -> Iterator[Hit]:
    """Ops of a domain that neither the standard, the model itself nor a known runtime defines."""
    if context.lacks([FOREIGN_DOMAIN]):
        return
    table = registered(context)
    defined = {*STANDARD_DOMAINS, *(RUNTIME_DOMAINS if table is None else table.domains)}
    for graph in context.graphs():
        for op, nodes in graph.by_op.items():
            node = nodes[0]
            if node.domain in defined or is_of_training(node):
                continue
            if all(is_skipped(each, context.deployment.runtime) for each in nodes):
                continue
            if node.domain in context.options["known-domains"]:
                continue
            if context.model.function_of(node) is None:
                facts = {"operator": op, "domain": node.domain, "nodes": len(nodes)}
                severity = Severity.ERROR if table is not None else None
                yield Hit(node, facts, severity=severity, count=len(nodes))


def of_a_library(model: Model, node: Node) -> bool:
    """Return True for an op that neither a standard, a runtime nor the model itself defines."""
    is_onnx = dialect_of(model.format) == "onnx"
    known = node.domain in (*STANDARD_DOMAINS, *RUNTIME_DOMAINS)
    return is_onnx and not known and model.function_of(node) is None


def is_of_training(node: Node) -> bool:
    """Return True for a quantizer of Brevitas, QONNX or FINN, which another rule reports."""
    return node.op_type in _QAT_OPS and node.domain.startswith(_QAT_DOMAINS)


def graphs_with_imports(model: Model) -> Iterator[tuple[Graph, dict[str, int]]]:
    """Iterate over all graphs, each with the operator sets of its nodes."""
    facts = onnx_facts(model)
    for graph in model.graphs(functions=True):
        opsets = facts.opsets_of(graph)
        yield graph, {normal_domain(domain): version for domain, version in opsets.items()}


def is_known_operator(node: Node, version: int) -> bool:
    """Return True if the standard contains an op at a version of its domain."""
    return _schema(node, version) is not None


def _schema(node: Node, version: int) -> Any:
    return find_schema(node.op_type, normal_domain(node.domain), version)


@cache
def find_schema(op_type: str, domain: str, version: int) -> Any:
    """Return the definition of an op that a version of its domain contains; None if none."""
    defs = library().defs
    if not 0 < version <= _LARGEST_VERSION:
        return None
    try:
        return defs.get_schema(op_type, max_inclusive_version=version, domain=domain)
    except (defs.SchemaError, TypeError):  # no text that UTF-8 can hold
        return None


def _first_version(op_type: str, domain: str) -> int | None:
    """Return the version of the domain that introduced an op, if any."""
    return next(iter(versions_of(op_type, domain)), None)


def versions_of(op_type: str, domain: str) -> Sequence[int]:
    """Return the versions of a domain in which an op was introduced or changed, in order."""
    return _versions().get((op_type, domain), ())


@cache
def _versions() -> dict[tuple[str, str], list[int]]:
    found: dict[tuple[str, str], list[int]] = {}
    for schema in library().defs.get_all_schemas_with_history():
        found.setdefault((schema.name, schema.domain), []).append(schema.since_version)
    return {op: sorted(versions) for op, versions in found.items()}
