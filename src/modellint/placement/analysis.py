"""Computes the placement of a model for a deployment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from modellint.analysis.assume import settle
from modellint.analysis.cost import cost
from modellint.analysis.cost.traffic import total_of
from modellint.formats.registry import dialect_of
from modellint.model import Model, Node
from modellint.operators import Trait, having
from modellint.placement.aten import AtenJudge
from modellint.placement.dla import DlaJudge
from modellint.placement.islands import islands
from modellint.placement.judging import NodeJudge
from modellint.placement.kernels import KernelJudge
from modellint.placement.layouts import LayoutJudge
from modellint.placement.placed import Merge, NotTaken, Partition, UnitPlacement
from modellint.placement.tflite import TFLiteJudge
from modellint.runtimes import find_runtime
from modellint.runtimes.placing import Placing
from modellint.runtimes.support import Support, taken_by
from modellint.targets.deployment import Deployment

_JUDGES: Mapping[str, type[NodeJudge]] = {
    "tflite": TFLiteJudge,
    "torch": AtenJudge,
}
"""Judges of models of a dialect, if not the usual one."""
_KERNELS_ONLY = Support("", measured=True, operators={}, data_types=frozenset())
"""For a runtime that has no other table than that of its kernels."""
_CONVERTERS = having(Trait.QUANTIZE, Trait.DEQUANTIZE)
MOST_MERGES = 3
MOST_TRIED = 20
"""Maximum number of changes to evaluate: those that affect the most nodes."""


def placement(model: Model, deployment: Deployment) -> UnitPlacement | None:
    """Return where each node runs; None if the deployment's runtime has only one unit."""
    deployment = _for_dialect(model, deployment)
    runtime = find_runtime(deployment.runtime or "")
    if runtime is None or runtime.placing is None or not model.has_graph:
        return None
    placing, dialect = runtime.placing, dialect_of(model.format)
    if dialect not in placing.dialects or not places(placing, deployment):
        return None
    table = taken_by(runtime.name, deployment.runtime_version, placing.operators)
    table = table or (_KERNELS_ONLY if placing.kernels else None)
    if table is None:
        return None
    judge = _judge_of(placing, dialect)(model, deployment, placing, table)
    nodes = judge.steps()
    refusals = _refusals(judge, nodes)
    if placing.drops_lone_pairs:
        refusals |= _lonely(judge.parts(nodes, _unless(refusals)))
    if placing.keeps != "all":
        refusals |= _dropped(judge.parts(nodes, _unless(refusals)), placing.keeps)
    partitions = _partitions(judge, nodes, refusals, placing.unit, placing.fallback)
    now = sum(each.unit == placing.unit for each in partitions)
    merges = [*_fixed(judge, deployment, nodes, refusals), *_merges(judge, nodes, refusals)]
    useful = [each for each in merges if each.partitions < now or not now]
    return UnitPlacement(
        unit=placing.unit,
        fallback=placing.fallback,
        partitions=partitions,
        refusals=refusals,
        boundaries=tuple(judge.boundaries(nodes, refusals)),
        merges=tuple(sorted(useful, key=lambda merge: merge.partitions)[:MOST_MERGES]),
        nodes=nodes,
        shares=_shares(judge, partitions),
        runtime=runtime.name,
        version=judge.version,
        measured=table.measured,
        article=placing.article,
        most=placing.most_parts,
    )


def places(placing: Placing, deployment: Deployment) -> bool:
    """Return True if the deployment's device has the accelerator."""
    if placing.only_on_dla:
        return deployment.is_on_dla
    return deployment.is_on_cuda or not placing.only_on_cuda


def _judge_of(placing: Placing, dialect: str) -> type[NodeJudge]:
    if placing.only_on_dla:
        return DlaJudge
    if placing.adds_layouts:
        return LayoutJudge
    return KernelJudge if placing.kernels else _JUDGES.get(dialect, NodeJudge)


def _for_dialect(model: Model, deployment: Deployment) -> Deployment:
    """Return the deployment with the runtime that runs models of this dialect on the device."""
    runtime = find_runtime(deployment.runtime or "")
    others = dict(runtime.placing.others) if runtime is not None and runtime.placing else {}
    other = others.get(dialect_of(model.format))
    return replace(deployment, runtime=other, runtime_version=None) if other else deployment


def _dropped(parts: Sequence[Sequence[Node]], keeps: str) -> dict[int, NotTaken]:
    """Return the nodes of all parts but the one that is kept."""
    kept = max(parts, key=len, default=()) if keeps == "largest" else next(iter(parts), ())
    which = f"{keeps} part" + (f" of {len(kept)} nodes" if keeps == "largest" else "")
    left = NotTaken("neighbor", f"is not in the {which}, the only one that is used")
    return {id(node): left for part in parts if part is not kept for node in part}


def _lonely(parts: Sequence[Sequence[Node]]) -> dict[int, NotTaken]:
    """Return the conversions that would be a part each."""
    alone = [part[0] for part in parts if len(part) == 1 and part[0].op_type in _CONVERTERS]
    return {id(node): NotTaken("neighbor", "would be a separate part") for node in alone}


def _refusals(judge: NodeJudge, nodes: Sequence[Node]) -> dict[int, NotTaken]:
    """Return the reasons by node; the DQ of a weight goes where the weight is read."""
    weights = [node for node in nodes if judge.follows_its_reader(node)]
    of_weights = {id(node) for node in weights}
    found: dict[int, NotTaken] = {}
    for node in nodes:
        refusal = judge.refusal(node) if id(node) not in of_weights else None
        if refusal is not None:
            found[id(node)] = refusal
    for node in weights:
        value = node.output()
        readers = [use.node for use in value.consumers] if value is not None else []
        if readers and all(id(reader) in found for reader in readers):
            label = readers[0].label
            found[id(node)] = NotTaken("neighbor", f"dequantizes a weight of '{label}'")
    return found


def _partitions(
    judge: NodeJudge, nodes: Sequence[Node], refusals: dict[int, NotTaken], unit: str, fallback: str
) -> tuple[Partition, ...]:
    """Return runs of nodes on one unit, ordered by their first nodes."""
    groups = [(unit, group) for group in judge.parts(nodes, _unless(refusals))]
    left = [node for node in nodes if id(node) in refusals]
    groups += [(fallback, each) for each in islands(left)]
    place = {id(node): index for index, node in enumerate(nodes)}
    groups.sort(key=lambda group: place[id(group[1][0])])
    costs = judge.analysis(cost)
    found = []
    for where, group in groups:
        whole = [node for node in group if where != unit or id(node) not in refusals]
        written_out = [node for node in group if where == unit and id(node) in refusals]
        macs = total_of([costs.macs_of(node) for node in whole])
        found.append(Partition(where, tuple(whole), macs, tuple(written_out)))
    return tuple(found)


def _fixed(
    judge: NodeJudge, deployment: Deployment, nodes: Sequence[Node], refusals: dict[int, NotTaken]
) -> Iterator[Merge]:
    """Return the effect of fixing all open dims at usual sizes."""
    open_nodes = [node for node in nodes if _is_open(refusals.get(id(node)))]
    settled = judge.analysis(settle).deployment
    if not open_nodes or settled is deployment:
        return
    fixed = judge.under(settled)
    running = fixed.steps()
    left = _refusals(fixed, running)
    after = len(fixed.parts(running, _unless(left)))
    yield Merge(tuple(open_nodes), NotTaken("open-dims", "has open dims"), after)


def _merges(
    judge: NodeJudge, nodes: Sequence[Node], refusals: dict[int, NotTaken]
) -> Iterator[Merge]:
    """Return the effects of changes that make the accelerator take all nodes of one kind."""
    alike: dict[tuple[str, NotTaken], list[Node]] = defaultdict(list)
    for node in nodes:
        refusal = refusals.get(id(node))
        if refusal is not None and refusal.cause not in ("neighbor", "open-dims"):
            alike[node.qualified_op, refusal].append(node)
    tried = sorted(alike.items(), key=lambda item: -len(item[1]))[:MOST_TRIED]
    for (_, refusal), changed in tried:
        taken = {id(node) for node in changed}
        after = len(judge.parts(nodes, _unless(refusals, taken)))
        yield Merge(tuple(changed), refusal, after)


def _is_open(refusal: NotTaken | None) -> bool:
    return refusal is not None and refusal.cause == "open-dims"


def _unless(refusals: dict[int, NotTaken], but: Collection[int] = ()) -> Callable[[Node], bool]:
    return lambda node: id(node) not in refusals or id(node) in but


def _shares(judge: NodeJudge, partitions: Sequence[Partition]) -> dict[str, float]:
    totals: dict[str, int] = defaultdict(int)
    for part in partitions:
        if part.macs is None:
            return {}
        totals[part.unit] += part.macs
    whole = sum(totals.values())
    return {unit: macs / whole for unit, macs in totals.items()} if whole else {}
