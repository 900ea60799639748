"""In the child process: lowers an exported program with ExecuTorch, and says what is delegated."""

from __future__ import annotations

import logging
import warnings
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from modellint.formats import read_model
from modellint.runtimes.delegated import Delegated, tell_parts
from modellint.runtimes.executorch.lowering import chosen, lower, partitioner_of
from modellint.runtimes.probe import Tell


def answer(request: dict[str, Any], tell: Tell) -> None:
    tell_for("executorch", "XNNPACK", request, tell)


def tell_for(runtime: str, unit: str, request: dict[str, Any], tell: Tell) -> None:
    """Tell which operators a delegate takes; a build lets it compile them, too."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    ask = partial(_delegated, runtime=runtime, builds=request["level"] != "parse")
    tell_parts(request, tell, metadata.version("executorch"), unit, ask)


def _delegated(path: Path, runtime: str, *, builds: bool) -> Delegated:
    import torch

    try:
        program = torch.export.load(path)
        found = chosen(program, runtime)
        if builds:
            lower(program, partitioner_of(runtime))
    except Exception as error:  # whatever a compiler raises
        return Delegated(error=str(error).strip().partition("\n")[0] or type(error).__name__)
    nodes = {node.label: node for node in read_model(path).graph.nodes}
    parts = (tuple(nodes[name] for name in part if name in nodes) for part in found.partitions)
    left = tuple(nodes[name] for name in found.left if name in nodes)
    return Delegated(tuple(parts), left)
