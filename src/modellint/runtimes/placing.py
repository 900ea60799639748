"""Description of how a runtime shares a graph out between an accelerator and what is left."""

from __future__ import annotations

from typing import Literal

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class Placing:
    """Division of a graph by a runtime that may leave nodes to another unit.

    Its package's `support` and `restrictions` tables say what the accelerator takes, and which
    operators are removed before, or taken only `within` a larger one that is written out.
    """

    unit: str
    """The accelerator."""
    article: str = "the "
    """Its article in a sentence; names have none."""
    fallback: str = "CPU"
    """The unit of all other nodes; empty if there is none, and the model does not start."""
    static_only: bool = True
    """True if a node with an open dim is never taken."""
    fixes_batch: bool = False
    """True if an open batch counts as 1."""
    converts: bool = True
    """True if it takes Q/DQ nodes with one stored scale, and of weights; else the table says."""
    highest_rank: int = 0
    """The highest rank of a value that it takes; 0 for any."""
    oldest_opset: int = 0
    """The oldest operator set whose nodes it places at all."""
    dialects: tuple[str, ...] = ("onnx",)
    """Of the files whose operators the tables name."""
    grouping: Literal["waves", "epochs", "unions"] = "waves"
    """Way of forming parts of what is taken: the modules of these names in `placement/` say how."""
    adds_layouts: bool = False
    """True if its toolkit adds layers that change layouts, of which tables list some as `added`."""
    widens_constants: bool = False
    """True if it widens narrow constants itself, so that nodes which do so count for nothing."""
    keeps: Literal["all", "first", "largest"] = "all"
    """Parts that it takes: those after the first, or smaller ones, may go to the other unit."""
    others: tuple[tuple[str, str], ...] = ()
    """Runtimes that place models of other dialects on the same accelerator, by dialect."""
    kernels: str = ""
    """Kind of the table of kernels that say what it takes, instead of `support`."""
    api: str = "CUDA"
    """Interface that these kernels are written for."""
    drops_lone_pairs: bool = False
    """True if a part of a single Q or DQ goes to the other unit."""
    keeps_shapes: bool = True
    """True if nodes that read only what the fallback has stay there although they have kernels."""
    operators: str = ""
    """Kind of the table of operators that it takes, instead of `support`."""
    forms: str = "restrictions"
    """Kind of the table of forms that it refuses."""
    only_on_cuda: bool = False
    """True if only an NVIDIA GPU is such an accelerator."""
    only_on_dla: bool = False
    """True if only a Jetson's deep-learning accelerator is one, where it is asked for."""
    most_parts: int = 0
    """Most parts that it can have; 0 for any number."""
    source: str = ""
