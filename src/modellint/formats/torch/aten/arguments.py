"""Arguments of one operator of an exported program, by their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.formats.torch.arguments import Body, ScalarType, SymbolName, TensorName, tensors_in
from modellint.formats.torch.types import scalar_type
from modellint.formats.wiring import Wiring
from modellint.model import DTYPES, Attribute, DType, Tensor, Value, product

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Values = tuple["Value | None", ...]


class AtenArguments:
    """Arguments and results of an operator."""

    def __init__(
        self,
        operator: str,
        arguments: Sequence[tuple[str, Any]],
        values: Mapping[str, Value],
        results: Sequence[Value],
        wiring: Wiring,
    ) -> None:
        self.operator = operator
        self.results = results
        self._listed = arguments
        self._arguments = dict(arguments)
        self._values = values
        self._wiring = wiring

    def __contains__(self, name: str) -> bool:
        return self._arguments.get(name) is not None

    @property
    def result(self) -> Value:
        """Return the first result; there is always one."""
        return self.results[0]

    def argument(self, name: str, default: Any) -> Any:
        return self._arguments.get(name, default)

    def tensor(self, name: str) -> Value | None:
        """Return the value of an argument that is one tensor."""
        stated = self._arguments.get(name)
        return self._values.get(stated.name) if isinstance(stated, TensorName) else None

    def tensors(self, name: str) -> Values:
        return self._found(tensors_in(self._arguments.get(name)))

    def present(self, *names: str) -> Values:
        """Return tensors in order, without those that are not given at the end."""
        values = [self.tensor(name) for name in names]
        while values and values[-1] is None:
            values.pop()
        return tuple(values)

    def all_tensors(self) -> Values:
        """Return all tensors, in the order of the arguments."""
        return self._found(each for _, stated in self._listed for each in tensors_in(stated))

    def _found(self, names: Iterable[TensorName | None]) -> Values:
        return tuple(self._values.get(each.name) if each is not None else None for each in names)

    def flag(self, name: str, *, default: bool = False) -> bool:
        stated = self._arguments.get(name)
        return bool(stated) if isinstance(stated, (bool, int)) else default

    def number(self, name: str, default: float | None = None) -> float | None:
        """Return a number; None if only the sizes of inputs tell it."""
        stated = self._arguments.get(name)
        if stated is None:
            return default
        return stated if isinstance(stated, (int, float)) else None

    def integer(self, name: str, default: int | None = None) -> int | None:
        number = self.number(name, default)
        return number if isinstance(number, int) else None

    def ints(self, name: str) -> tuple[int, ...] | None:
        """Return integers, of which one may stand without a list; None for anything else."""
        stated = self._arguments.get(name)
        listed = stated if isinstance(stated, list) else [stated]
        found = tuple(each for each in listed if isinstance(each, int))
        return found if len(found) == len(listed) else None

    def element_type(self, name: str) -> DType | None:
        stated = self._arguments.get(name)
        return scalar_type(stated.code) if isinstance(stated, ScalarType) else None

    def scalar(self, name: str, like: Value) -> Value | None:
        """Return a number among the arguments as a constant of another value's type."""
        number, dtype = self.number(name), like.declared_dtype
        if number is None or dtype is None or (isinstance(number, float) and not dtype.is_float):
            return None
        return self.constant(name, number, dtype.name)

    def constant(self, name: str, numbers: int | float | Sequence[int], dtype: str) -> Value:
        """Add a constant to the graph, for an argument that the standard takes as a tensor."""
        value = self._wiring.value(f"{self.result.name}.{name}")
        value.store(_constant(value.name, numbers, DTYPES[dtype]))
        return value

    def plain(self) -> Mapping[str, Attribute]:
        """Return the arguments that are not tensors, by their own names."""
        found = {name: _attribute(stated) for name, stated in self._listed if name}
        return {name: each for name, each in found.items() if each is not None}


def _attribute(stated: Any) -> Attribute | None:
    if isinstance(stated, bool):
        return int(stated)
    if isinstance(stated, (int, float, str)) and not isinstance(stated, SymbolName):
        return stated
    if isinstance(stated, ScalarType):
        dtype = scalar_type(stated.code)
        return dtype.name if dtype is not None else None
    if isinstance(stated, list) and stated and not isinstance(stated[0], (TensorName, Body)):
        for kind in (int, float, str):
            if all(isinstance(each, kind) for each in stated):
                return tuple(stated)
    return None


def _constant(name: str, numbers: int | float | Sequence[int], dtype: DType) -> Tensor:
    listed: tuple[float, ...] = (numbers,) if isinstance(numbers, (int, float)) else tuple(numbers)
    shape = () if isinstance(numbers, (int, float)) else (len(numbers),)
    read = partial(_elements, listed, dtype, shape)
    return Tensor(name, dtype, shape, dtype.nbytes(product(shape)), small=True, read=read)


def _elements(
    numbers: tuple[float, ...], dtype: DType, shape: tuple[int, ...]
) -> NDArray[np.generic] | None:
    import numpy as np

    try:
        with np.errstate(all="ignore"):
            return np.array(numbers).astype(dtype.numpy).reshape(shape)
    except (OverflowError, ValueError):
        return None
