"""The description of a runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modellint.base.records import dataclass

if TYPE_CHECKING:
    from modellint.runtimes.execution import Executor
    from modellint.runtimes.optimizer import Optimizer
    from modellint.runtimes.placing import Placing
    from modellint.runtimes.probe import Probe

MIB = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class RuntimeMemory:
    """Mapping of nodes to kernels by a runtime, and its memory besides tensors.

    There is one for each runtime, compared by identity.
    """

    fuses: bool = True
    """True if chains of pointwise ops are fused into the preceding kernel."""
    fuses_attention: bool = True
    """True if attention at 16 bits or fewer keeps its scores on chip."""
    scratch: int = 0
    """Workspace of a convolution or matrix product."""
    scratch_high: int = 32 * MIB
    alignment: int = 64
    in_place: bool = False
    """True if pointwise results overwrite inputs that are no longer needed."""
    fits_best: bool = False
    """True if a tensor is placed in the smallest hole that it fits in, not in the first."""
    recycles: bool = False
    """True if memory is kept for the next tensor of the same shape rather than freed.

    Only for shapes known to the planner, not for tensors in the convolutions' own layout.
    """
    changes_layout: bool = False
    """True if convolutions use their own layout, so that inputs are copied."""
    blocks_channels: bool = False
    """True if convolutions on a CPU are computed in blocks of channels."""
    joins: bool = False
    """True if the inputs of a Concat are written directly into its output."""
    computes_constants: bool = False
    """True if products of constants are computed in every run."""
    fills_above: int = 0
    """Elements above which constants from ConstantOfShape are computed in every run; 0 for never.

    Those of fewer elements are stored.
    """
    ahead_from: int = 0
    """Operations from which what needs no input has a stream of its own.

    It runs along with everything that comes before its first use.
    """
    branches: bool = True
    """True if branches run at once."""
    parallel_work: int = 0
    """Multiply-accumulates of a run above which branches run one after the other; 0 for never."""
    gathers: bool = False
    """True if kernels of pointwise ops or a Concat run in the only one that reads their results."""
    widens_products: bool = False
    """True if a product of integers writes floats, which the next kernel scales and quantizes."""
    packs_channels: int = 1
    """Channels per group of a convolution of integers come in multiples of this number.

    The zeros that fill up its input are stored with the weights.
    """


@dataclass(frozen=True, slots=True)
class Loading:
    """Files that a runtime treats differently from what the standard says."""

    unique_node_names: bool = False
    """True if it refuses two nodes of one graph with the same name."""
    tolerates: frozenset[str] = frozenset()
    """Kinds of problems of a file in spite of which it loads it."""
    refuses: frozenset[str] = frozenset()
    """Parts of such problems for which it loads no file, though others may."""
    by_name: bool = False
    """True if it looks operators up by name, whatever operator sets the file imports."""
    skips_unwired: bool = False
    """True if it does not look at nodes that have neither inputs nor outputs."""
    by_type_alone: bool = False
    """True if it does not look at the domain of an operator."""


@dataclass(frozen=True, slots=True)
class LanguageMemory:
    """Memory that a runtime needs for a language model besides its weights."""

    formats: tuple[str, ...]
    """Formats that it is the usual runtime of."""
    cache_types: tuple[str, ...]
    """Types of cached keys and values, the default first."""
    sources: tuple[str, ...]
    also_loads: tuple[str, ...] = ()
    """Other formats that it loads."""
    block: int = 1
    """Tokens to a multiple of which the cache of a sequence is rounded up."""
    windows: bool = True
    """True if layers with a window cache no more than it by default."""
    step: int | None = None
    """Tokens of a prompt that are computed at once; None for the whole prompt."""
    share: float = 1.0
    """Share of a device's memory that it takes by default."""
    state_bytes: int = 2
    """Bytes of an element of a recurrent layer's state."""
    chooses_attention: bool = False
    """True if attention's scores can be kept in memory, instead of on chip."""
    pads_values: bool = False
    """True if it then caches values of all layers in the width of the widest."""
    split: str = "tensor"
    """Way of splitting a model over several devices by default."""
    even_heads: bool = False
    """True if it refuses heads which the devices do not share evenly."""
    serves_for: tuple[str, ...] = ()
    """Runtimes of graphs that it is built on: it serves the language models of their users."""
    offloads: bool = False
    """True if it can leave layers in the host's memory."""
    repacks: tuple[str, ...] = ()
    """Types of weights that it rearranges on a CPU; tied embeddings then exist twice."""
    graph: str = ""
    """Module whose `compute_bytes` plans its buffers, if they are known exactly."""
    startup: str = ""
    """Module whose `reserved` estimates what it keeps free from its start, for whatever prompts."""


@dataclass(frozen=True, slots=True)
class ReservingDevice:
    """A device as a runtime sees it when it starts."""

    name: str
    memory: int
    units: int
    capability: tuple[int, int]
    link: str
    """Kind of the connection between several of them, ``NVLink 4``; empty if unknown."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """Bytes that a runtime keeps free of weights and cache on each device."""

    compute: int
    overhead: int


@dataclass(frozen=True, slots=True)
class Input:
    """The only files that a runtime or its compiler loads."""

    dialects: tuple[str, ...]
    title: str
    """Their name, as in ``loads TFLite files``."""
    advice: str
    """Advice on how models of other formats become such files."""
    source: str
    formats: tuple[str, ...] = ()
    """Formats of other dialects, of which it does not load all."""
    is_end: bool = False
    """True if a file of another format is a mistake, rather than what is converted later on."""
    if_named: bool = False
    """True if devices that it is the default on run other runtimes, which load other files."""

    def takes(self, format: str, dialect: str) -> bool:
        return format in self.formats or dialect in self.dialects


BY_THE_STANDARD = Loading()
TYPICAL = RuntimeMemory()
"""Default for runtimes whose planner has not been studied."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Description of a runtime."""

    name: str
    """Id used in settings and findings, for example ``tensorrt-rtx``."""
    title: str
    """Display name."""
    usual_precision: str = ""
    """Precision that most users deploy in, on devices that accelerate it; empty for the stored."""
    builder: str = ""
    """Runtime whose compiler it shares, if a different one: it fuses the same."""
    loaded_by: str = ""
    """Runtime that loads the files, if a different one, of which this is an execution provider."""
    memory: RuntimeMemory = TYPICAL
    loading: Loading = BY_THE_STANDARD
    input: Input | None = None
    """The only files that it loads; None for several formats, or if that is not known."""
    tables: Path | None = None
    """Folder of its support tables: docs/adding-a-runtime.md lists their names."""
    quantizes: bool = False
    """True if its compiler quantizes models of floats itself, so that they run on integers, too."""
    measured_on_cpu: bool = False
    """True if the tables describe its CPU kernels only, not deployments on a GPU."""
    probe: Probe | None = None
    """Description for probing it, if possible."""
    language: LanguageMemory | None = None
    """Description of its memory, if it serves language models."""
    optimizer: Optimizer | None = None
    """Its own graph optimizer, if it can run without the target."""
    executor: Executor | None = None
    """Description for running models in it, if it can on a CPU."""
    placing: Placing | None = None
    """Division of a graph, if it may leave nodes to another unit than the accelerator."""
