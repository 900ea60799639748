"""Reading of a pickle without running it: what it would build, and what it would import.

A pickle is a program for a stack machine. Here, its instructions make plain records of what
they ask for: nothing is imported, and nothing is called.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from modellint.base.records import dataclass
from modellint.formats.problems import MalformedError
from modellint.formats.torch.facts import Import

MOST_STEPS = 2_000_000
"""Limit of instructions, of all pickles of a file together, a few seconds; a checkpoint with a
tensor per instruction has fewer."""

_PROTO = b"\x80"

Pairs = list[tuple[Any, Any]]


class Persistent(NamedTuple):
    """A reference to data stored outside of the pickle."""

    id: Any


class Built:
    """An object: the callable, its arguments, and the state set afterwards."""

    __slots__ = ("arguments", "elements", "function", "pairs", "state")

    def __init__(self, function: Any = None, arguments: Any = ()) -> None:
        self.function = function
        self.arguments = arguments
        self.pairs: Pairs = []
        self.elements: list[Any] = []
        self.state: Any = None

    @property
    def called(self) -> Import | None:
        return self.function if isinstance(self.function, Import) else None


@dataclass(frozen=True, slots=True)
class Pickled:
    """Content of a pickle."""

    root: Any
    imports: tuple[Import, ...]
    opcodes: frozenset[str]
    end: int
    """Offset after it."""


_MARK = object()
_ORDERED = Import("collections", "OrderedDict")


def read_pickle(data: bytes, start: int = 0) -> Pickled:
    """Read the pickle at an offset. Raises MalformedError."""
    return _Machine().run(data, start)


def imports_of(data: bytes) -> tuple[Sequence[Import], bool]:
    """Return what pickles one after the other import, up to where they cannot be followed.

    The flag is True if that is the end of the last one.
    """
    machine, at = _Machine(), 0
    try:
        while not at or data[at : at + 1] == _PROTO:
            at = machine.run(data, at).end
        return tuple(machine.imports), True
    except MalformedError:
        pass
    return tuple(machine.imports), False


def _instructions(data: bytes, start: int) -> Iterator[tuple[str, Any, int]]:
    stream = io.BytesIO(data)
    stream.seek(start)
    for opcode, argument, position in pickletools.genops(stream):
        yield opcode.name, argument, position or 0


class _Machine:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.imports: dict[Import, None] = {}
        self._left = MOST_STEPS

    def run(self, data: bytes, start: int = 0) -> Pickled:
        """Carry out the pickle at an offset. Raises MalformedError."""
        opcodes: set[str] = set()
        try:
            for opcode, argument, position in _instructions(data, start):
                self._count(1)
                opcodes.add(opcode)
                if opcode == "STOP":
                    root, end = self.stack.pop(), position + 1
                    return Pickled(root, tuple(self.imports), frozenset(opcodes), end)
                self.step(opcode, argument)
        except (
            ValueError,
            IndexError,
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
        ) as error:
            raise MalformedError("corrupt", f"its pickle is damaged ({error})") from error
        raise MalformedError("corrupt", "its pickle has no end")

    def _count(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            detail = f"a pickle of more than {MOST_STEPS} instructions"
            raise MalformedError("unsupported-format", detail, format="PyTorch")

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in _PUSHES_ARGUMENT:
            self.stack.append(argument)
        elif opcode in _PUSHES:
            self.stack.append(_PUSHES[opcode]())
        elif opcode in _TUPLES:
            self._tuple(_TUPLES[opcode])
        elif opcode in _STEPS:
            _STEPS[opcode](self, argument)
        elif opcode not in _IGNORED:
            raise ValueError(f"instruction {opcode}")

    def _tuple(self, length: int) -> None:
        if len(self.stack) < length:
            raise IndexError("the stack is empty")
        items = tuple(self.stack[-length:])
        del self.stack[-length:]
        self.stack.append(items)

    def marked(self) -> list[Any]:
        """Pop everything pushed since the last mark."""
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise IndexError("no mark")
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    def found(self, module: Any, name: Any) -> Import:
        """Note an import; strings that the program computes are unknown."""
        texts = [each if isinstance(each, str) else "?" for each in (module, name)]
        imported = Import(*texts)
        self.imports[imported] = None
        return imported

    def put_pairs(self, items: list[Any]) -> None:
        self.stack[-1].pairs.extend(zip(items[::2], items[1::2], strict=False))

    def put_elements(self, items: list[Any]) -> None:
        top = self.stack[-1]
        (top if isinstance(top, list) else top.elements).extend(items)

    def call(self, function: Any, arguments: Any) -> None:
        pairs = self._listed_pairs(arguments) if function == _ORDERED else []
        built = Built(function, () if pairs else arguments)
        built.pairs = pairs
        self.stack.append(built)

    def _listed_pairs(self, arguments: Any) -> Pairs:
        """Return the pairs of an ordered dictionary, as Python 2 stores it."""
        match arguments:
            case ([[_, _], *_] as items,):
                self._count(len(items))  # each call may name the same list again
                if all(isinstance(each, list) and len(each) == 2 for each in items):
                    return [(key, value) for key, value in items]
        return []

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self.call(function, arguments)

    def build(self) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Built):
            self.stack[-1].state = state


def _stack_global(machine: _Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(machine.found(module, name))


def _global(machine: _Machine, argument: str) -> None:
    machine.stack.append(machine.found(*argument.split(" ", 1)))


def _inst(machine: _Machine, argument: str) -> None:
    machine.call(machine.found(*argument.split(" ", 1)), tuple(machine.marked()))


def _obj(machine: _Machine) -> None:
    function, *arguments = machine.marked()
    machine.call(function, tuple(arguments))


def _new_with_keywords(machine: _Machine) -> None:
    keywords, arguments, function = (machine.stack.pop() for _ in range(3))
    machine.call(function, (arguments, keywords))


def _dict(machine: _Machine) -> None:
    items = machine.marked()
    machine.stack.append(Built())
    machine.put_pairs(items)


def _memoize(machine: _Machine) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _one_pair(machine: _Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.put_pairs([key, value])


_PUSHES_ARGUMENT = frozenset(
    """
    INT LONG LONG1 LONG4 BININT BININT1 BININT2 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING
    UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8
    """.split()
)
_PUSHES: Mapping[str, Callable[[], Any]] = {
    "MARK": lambda: _MARK,
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": Built,
    "EMPTY_SET": Built,
    "NEXT_BUFFER": Built,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = frozenset({"PROTO", "FRAME", "READONLY_BUFFER"})
_STEPS: Mapping[str, Callable[[_Machine, Any], object]] = {
    "POP": lambda machine, _: machine.stack.pop(),
    "POP_MARK": lambda machine, _: machine.marked(),
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    "LIST": lambda machine, _: machine.stack.append(machine.marked()),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.marked())),
    "DICT": lambda machine, _: _dict(machine),
    "FROZENSET": lambda machine, _: machine.stack.append(machine.marked()),
    "APPEND": lambda machine, _: machine.put_elements([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.put_elements(machine.marked()),
    "ADDITEMS": lambda machine, _: machine.put_elements(machine.marked()),
    "SETITEM": lambda machine, _: _one_pair(machine),
    "SETITEMS": lambda machine, _: machine.put_pairs(machine.marked()),
    "PUT": lambda machine, at: machine.memo.__setitem__(at, machine.stack[-1]),
    "BINPUT": lambda machine, at: machine.memo.__setitem__(at, machine.stack[-1]),
    "LONG_BINPUT": lambda machine, at: machine.memo.__setitem__(at, machine.stack[-1]),
    "MEMOIZE": lambda machine, _: _memoize(machine),
    "GET": lambda machine, at: machine.stack.append(machine.memo[at]),
    "BINGET": lambda machine, at: machine.stack.append(machine.memo[at]),
    "LONG_BINGET": lambda machine, at: machine.stack.append(machine.memo[at]),
    "GLOBAL": _global,
    "STACK_GLOBAL": lambda machine, _: _stack_global(machine),
    "INST": _inst,
    "OBJ": lambda machine, _: _obj(machine),
    "REDUCE": lambda machine, _: machine.reduce(),
    "NEWOBJ": lambda machine, _: machine.reduce(),
    "NEWOBJ_EX": lambda machine, _: _new_with_keywords(machine),
    "BUILD": lambda machine, _: machine.build(),
    "PERSID": lambda machine, id: machine.stack.append(Persistent(id)),
    "BINPERSID": lambda machine, _: machine.stack.append(Persistent(machine.stack.pop())),
    "EXT1": lambda machine, code: machine.stack.append(machine.found("copyreg", f"{code}")),
    "EXT2": lambda machine, code: machine.stack.append(machine.found("copyreg", f"{code}")),
    "EXT4": lambda machine, code: machine.stack.append(machine.found("copyreg", f"{code}")),
}
