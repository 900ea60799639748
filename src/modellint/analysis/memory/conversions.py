"""Copies of tensors in the blocks of channels that ONNX Runtime's convolutions compute in.

A tensor that nodes read in both layouts exists twice, and one that only the other layout's nodes
read does so while it is converted: from blocks as soon as it is made, to blocks when it is needed.
Blocks are filled up with zeros. To move the channels to the end, or from there, is part of a
conversion.
"""

from __future__ import annotations

from dataclasses import replace

from modellint.analysis.blocked import BlockedLayout, block
from modellint.analysis.laying_out import viewed_value
from modellint.analysis.programs import Buffer, Layout, Program, Task
from modellint.model import Node, Value
from modellint.operators import Trait, having

_TRANSPOSES = having(Trait.TRANSPOSE)
_CHANNELS = 1
_TO_THE_END, _FROM_THE_END = (0, 2, 3, 1), (0, 3, 1, 2)


def with_conversions(program: Program, blocked: BlockedLayout) -> Program:
    """Return the program with a task and a buffer for each conversion."""
    return _Conversion(program, blocked).program


class _Conversion:
    def __init__(self, program: Program, blocked: BlockedLayout) -> None:
        self._blocked = blocked
        self._at = {id(each.value): at for at, each in enumerate(program.buffers)}
        self._buffers = [
            each if each.held or not blocked.is_blocked(each.value) else _filled_up(each)
            for each in program.buffers
        ]
        self._plain = program.buffers
        self._tasks: list[Task] = []
        self._step: list[int] = []
        """New index of each task."""
        self._copies: dict[int, int] = {}
        """Buffers by that of the same tensor in the other layout."""
        self._returned: dict[int, int] = {}
        """Blocked buffers by the caller's buffers that they are converted to."""
        self._sources: dict[int, int] = {}
        """Buffers by those of their transposed values, which are made as they are converted."""
        self._makers: dict[int, int] = {}
        """Tasks that write buffers."""
        self._wanted = {buffer for task in program.tasks for buffer in self._foreign(task)}
        """Buffers that a task reads in the other layout."""
        for task in program.tasks:
            self._add(task)
        self.program = replace(
            program, layout=self._layout(), tasks=self._tasks, buffers=self._buffers
        )

    def _add(self, task: Task) -> None:
        if self._is_part_of_conversions(task):
            self._sources[task.writes[0]] = self._read(task.reads[0], is_foreign=False)
            self._step.append(max(len(self._tasks) - 1, 0))
            return
        foreign = self._foreign(task)
        for buffer in foreign:
            if buffer not in self._copies and buffer not in self._returned:
                self._copies[buffer] = self._convert(buffer)
        now = {at: self._read(at, is_foreign=at in foreign) for at in task.reads}
        returned = [at for at in task.writes if self._is_returned_in_blocks(at)]
        for at in returned:
            self._returned[at] = self._new(_filled_up(self._buffers[at]))
        after = {self._step[at] for at in task.after}
        after.update(self._makers[at] for at in now.values() if at in self._makers)
        self._step.append(len(self._tasks))
        self._append(
            replace(
                task,
                reads=tuple(now.values()),
                writes=tuple(self._returned.get(at, at) for at in task.writes),
                replaces=tuple(now[at] for at in task.replaces),
                after=tuple(sorted(after)),
            )
        )
        for at in returned:
            self._copy(self._returned[at], at)
        for at in task.writes:
            if at in self._wanted and at not in self._returned and self._is_made_of_blocks(at):
                self._copies.setdefault(at, self._convert(at))

    def _is_part_of_conversions(self, task: Task) -> bool:
        """Return True for a transposition whose result is only converted to blocks."""
        node = task.nodes[0] if len(task.nodes) == 1 else None
        if node is None or not _moves_channels(node, _FROM_THE_END) or len(task.reads) != 1:
            return False
        result = node.output()
        if result is None or result.is_output or not result.consumers:
            return False
        readers = (use.node for use in result.consumers)
        return all(result in self._blocked.foreign.get(id(each), ()) for each in readers)

    def _foreign(self, task: Task) -> set[int]:
        """Return the buffers that a task reads in the other layout than they are made in."""
        found = {
            self._buffer_of(value)
            for node in task.nodes
            if not _moves_channels(node, _TO_THE_END)
            for value in self._blocked.foreign.get(id(node), ())
        }
        return {at for at in task.reads if at in found}

    def _buffer_of(self, value: Value | None) -> int | None:
        while value is not None and id(value) not in self._at:
            value = viewed_value(value.producer) if value.producer is not None else None
        return self._at[id(value)] if value is not None else None

    def _read(self, buffer: int, *, is_foreign: bool) -> int:
        if buffer in self._returned:
            return buffer if is_foreign else self._returned[buffer]
        return self._copies[buffer] if is_foreign else buffer

    def _is_returned_in_blocks(self, buffer: int) -> bool:
        each = self._buffers[buffer]
        return each.held and self._is_made_of_blocks(buffer) and buffer not in self._returned

    def _is_made_of_blocks(self, buffer: int) -> bool:
        return self._blocked.is_blocked(self._buffers[buffer].value)

    def _convert(self, buffer: int) -> int:
        each = self._plain[buffer]
        is_blocked = self._blocked.is_blocked(each.value)
        copy = self._new(each if is_blocked else _filled_up(each))
        self._copy(self._sources.get(buffer, buffer), copy)
        return copy

    def _new(self, like: Buffer) -> int:
        self._buffers.append(replace(like, held=False))
        return len(self._buffers) - 1

    def _copy(self, source: int, copy: int) -> None:
        maker = self._makers.get(source)
        self._append(Task((), (source,), (copy,), after=() if maker is None else (maker,)))

    def _append(self, task: Task) -> None:
        self._makers.update(dict.fromkeys(task.writes, len(self._tasks)))
        self._tasks.append(task)

    def _layout(self) -> Layout:
        layout = Layout()
        layout.tasks = self._tasks
        layout.values = [each.value for each in self._buffers]
        layout.held = [each.held for each in self._buffers]
        return layout


def _filled_up(buffer: Buffer) -> Buffer:
    """Return the buffer with whole blocks of channels."""
    shape = buffer.shape
    channels = shape[_CHANNELS] if shape is not None and len(shape) > _CHANNELS else None
    if shape is None or not isinstance(channels, int) or not channels:
        return buffer
    whole = -(-channels // block()) * block()
    sizes = (*shape[:_CHANNELS], whole, *shape[_CHANNELS + 1 :])
    return replace(buffer, nbytes=buffer.nbytes // channels * whole, shape=sizes)


def _moves_channels(node: Node, order: tuple[int, ...]) -> bool:
    return node.op_type in _TRANSPOSES and tuple(node.get_ints("perm") or ()) == order
