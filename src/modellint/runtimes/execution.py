"""Interface for running models in a runtime: its package's description, and its child's code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from modellint.base.modules import is_installed
from modellint.base.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Executor:
    """Description of how to run models in a runtime on this machine's CPU."""

    code: str
    """Module with the functions of `ExecutorCode`, for a child process."""
    module: str
    """The runtime's Python module."""
    formats: tuple[str, ...]
    """Formats that it loads."""
    install: str
    """The command that installs it."""
    captures: bool = True
    """True if it can return values in the middle of the graph."""

    @property
    def is_installed(self) -> bool:
        return is_installed(self.module)


@dataclass(frozen=True, slots=True)
class Way:
    """The way of running a model."""

    optimized: bool = False
    """True if the runtime may rewrite the graph first: it is faster, and rounds differently."""
    threads: int = 1
    """One by default: several may add up in another order."""
    captured: tuple[str, ...] = ()
    """Names of values in the middle of the main graph that are returned as well."""
    packed: bool = True
    """False if kernels have to take constant weights as they are: packed ones add up in another
    order than computed ones."""


class Loaded(Protocol):
    """A model, ready to run."""

    def run(self, feed: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, NDArray[Any]]]:
        """Iterate over the outputs by name, and over the captured values."""


class ExecutorCode(Protocol):
    """Functions that run in a child process. They raise what the runtime raises."""

    def version(self) -> str: ...

    def load(self, path: Path, format: str, way: Way) -> Loaded: ...


class SharedInputs:
    """Inputs that are given by name, or by position where a runtime has other names for them."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def arranged(self, feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the inputs under the runtime's own names."""
        if set(self._names) <= set(feed) or len(feed) != len(self._names):
            return {name: feed[name] for name in self._names if name in feed}
        return dict(zip(self._names, feed.values(), strict=True))
