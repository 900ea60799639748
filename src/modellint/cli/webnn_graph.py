"""`modellint inspect --graph`: a model as a WebNN graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellint.base.errors import UsageError
from modellint.base.text import clean
from modellint.cli.console import note
from modellint.cli.outputs import require_replaceable

if TYPE_CHECKING:
    from modellint.targets.deployment import Deployment
    from modellint.webnn.graphs import MLGraph

RUNTIME = "webnn"
MOST_LISTED = 10


def write_graph(files: Sequence[Any], target: Path, *, force: bool) -> int:
    """Write the graph of the only model, as what the name of a file asks for.

    Return the exit code: 1 if there is no graph to write.
    """
    from modellint.formats import read_model
    from modellint.webnn.conversion import convert
    from modellint.webnn.limits import measured_limits
    from modellint.webnn.writing import write_listing, write_module

    if target.suffix not in (".js", ".mjs", ".json"):
        raise UsageError(f"--graph writes .json, .js or .mjs, not {target.name}")
    if len(files) != 1:
        raise UsageError("--graph needs exactly one model")
    (file,) = files
    deployment = _deployment(file)
    if not force:
        require_replaceable([target], [file.path])
    limits = measured_limits()
    graph = convert(read_model(file.path), deployment, limits)
    try:
        if target.suffix == ".json":
            write_listing(graph, target, file.path.name)
            written = [target]
        else:
            if graph.obstacles or not graph.outputs:
                why = _listed(graph) or " it has no outputs"
                note(f"the model cannot become a WebNN graph:{why}")
                return 1
            written = write_module(graph, target, file.path.name, replaces=force)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from error
    names = " and ".join(str(each) for each in written)
    count = len(graph.calls)
    note(f"wrote {names}: {count} operators within the limits of {limits.browser}")
    if graph.narrowed:
        first, *others = dict.fromkeys(graph.narrowed)
        more = f" and {len(others)} more" if others else ""
        note(f"64-bit integers are computed in 32 bits: '{first}'{more}")
    if graph.obstacles:
        note(f"not convertible:{_listed(graph)}")
    return 0


def _deployment(file: Any) -> Deployment:
    from modellint.planning.deployments import deployments, deployments_for
    from modellint.rules.registry import load_rules

    every = deployments(file.config, load_rules(examples=False))
    every = deployments_for(file.place, file.config, every)
    found = [each for each in every if each.runtime == RUNTIME]
    if len(found) != 1:
        raise UsageError(f"--graph needs --runtime {RUNTIME}, or one target that has it")
    return found[0]


def _listed(graph: MLGraph) -> str:
    lines = [
        "\n  " + clean(f"{each.op} '{each.node}': {each.reason}. {each.fix}")
        for each in graph.obstacles[:MOST_LISTED]
    ]
    more = len(graph.obstacles) - MOST_LISTED
    return "".join([*lines, *([f"\n  and {more} more"] if more > 0 else [])])
