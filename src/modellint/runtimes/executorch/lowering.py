"""In the child process: lets a partitioner of ExecuTorch choose from an exported program."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from modellint.base.records import dataclass

PARTITIONERS: Mapping[str, tuple[str, str]] = {
    "executorch": (
        "executorch.backends.xnnpack.partition.xnnpack_partitioner",
        "XnnpackPartitioner",
    ),
    "executorch-coreml": ("executorch.backends.apple.coreml.partition", "CoreMLPartitioner"),
    "executorch-vulkan": (
        "executorch.backends.vulkan.partitioner.vulkan_partitioner",
        "VulkanPartitioner",
    ),
}
"""Module and name of the class that chooses nodes, by runtime."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Names of the operators of an exported program by what becomes of them."""

    partitions: tuple[tuple[str, ...], ...] = ()
    """Operators of which all runs in a delegate, by delegate."""
    left: tuple[str, ...] = ()
    """Operators of which at least a part runs in portable kernels."""


class _ChosenError(Exception):
    """Raised once the partitioner has chosen, since what follows takes most of the time."""


def chosen(program: Any, runtime: str) -> Chosen:
    """Return what a partitioner chooses from a program; raises what ExecuTorch raises."""
    for node in program.graph.nodes:
        node.meta.pop("from_node", None)  # what it was before it was saved
    nodes: list[Any] = []
    partitioner = partitioner_of(runtime)
    choose = partitioner.partition

    def partition(exported: Any) -> None:
        nodes.extend(choose(exported).tagged_exported_program.graph.nodes)
        raise _ChosenError

    partitioner.partition = partition
    with contextlib.suppress(_ChosenError):
        lower(program, partitioner)
    parts: dict[str, dict[str, None]] = defaultdict(dict)
    left: dict[str, None] = {}
    for node in filter(_computes, nodes):
        tag = node.meta.get("delegation_tag")
        (left if tag is None else parts[tag]).update(dict.fromkeys(origins(node)))
    taken = (tuple(name for name in part if name not in left) for part in parts.values())
    return Chosen(tuple(taken), tuple(left))


def lower(program: Any, partitioner: Any) -> Any:
    exir = import_module("executorch.exir")
    config = exir.EdgeCompileConfig(_check_ir_validity=False)  # other operators are left, too
    return exir.to_edge_transform_and_lower(
        program, partitioner=[partitioner], compile_config=config
    )


def partitioner_of(runtime: str) -> Any:
    module, name = PARTITIONERS[runtime]
    return getattr(import_module(module), name)()


def _computes(node: Any) -> bool:
    """Return True for operators on tensors, which are neither sizes nor parts of results."""
    import torch

    if node.op != "call_function" or getattr(node.target, "__name__", "") == "getitem":
        return False
    return isinstance(node.meta.get("val"), (torch.Tensor, tuple, list))


def origins(node: Any) -> Iterator[str]:
    """Iterate over the names of the operators that one has been made of."""
    for source in node.meta.get("from_node") or ():
        while source.from_node:
            source = source.from_node[-1]
        yield source.name
