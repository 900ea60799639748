"""Products of integers in graphs with Q and DQ, and the memory that runtimes give them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from modellint.analysis.folding import Folding
from modellint.analysis.laying_out import DEQUANTIZE
from modellint.analysis.programs import Program, Task
from modellint.base.records import dataclass
from modellint.model import Node, Shape, Value, element_count
from modellint.operators import Trait, having

_FLOAT_PRODUCT = having(Trait.FLOAT_PRODUCT)
_CONVOLUTION = having(Trait.CONVOLUTION)
_CHANNELS = 1


@dataclass(frozen=True, slots=True)
class Filling:
    """Zeros that pad the channels of an integer convolution's input."""

    node: Node
    value: Value
    """The integers before."""
    shape: Shape
    group: int
    nbytes: int


def is_integer_product(node: Node) -> bool:
    """Return True for a product of two quantized operands, which is computed on integers."""
    if node.op_type not in _FLOAT_PRODUCT:
        return False
    return all(integers_of(value) is not None for value in node.inputs[:2])


def is_integer_layer(node: Node, folding: Folding) -> bool:
    """Return True for a product of integers with stored weights, scaled by channel."""
    return is_integer_product(node) and any(
        value is not None
        and value.producer is not None
        and is_quantized_weight(value.producer, folding)
        for value in node.inputs[:2]
    )


def integers_of(value: Value | None) -> Value | None:
    """Return the 8-bit integers that are dequantized to a value."""
    node = value.producer if value is not None else None
    if node is None or node.op_type not in DEQUANTIZE:
        return None
    source = node.input(0)
    known = source.dtype if source is not None else None
    return source if known is None or known.bits == 8 else None


def is_quantized_weight(node: Node, folding: Folding) -> bool:
    """Return True for the dequantization of a weight, which its reader does on the fly."""
    source = node.input(0) if node.op_type in DEQUANTIZE else None
    return source is not None and folding.is_constant(source)


def find_fillings(nodes: Iterable[Node], folding: Folding, multiple: int) -> Iterator[Filling]:
    """Iterate over the additions that round up the channels of each group."""
    for node in nodes:
        if node.op_type not in _CONVOLUTION or not is_integer_product(node):
            continue
        value, group = integers_of(node.input(0)), max(1, node.get_int("group", 1) or 1)
        shape = folding.types.shape(value) if value is not None else None
        elements = element_count(shape)
        if value is None or shape is None or not elements or len(shape) < 3:
            continue
        channels = shape[_CHANNELS]
        if not isinstance(channels, int):
            continue
        each = max(1, channels // group)
        added = elements // each * (-each % multiple)
        if added:
            yield Filling(node, value, shape, group, added)


def fill_up(program: Program, fillings: Sequence[Filling]) -> None:
    """Let the tensors take their filled size, or a copy of them if others read them as they are."""
    if not fillings:
        return
    reading = {id(filling.node) for filling in fillings}
    buffer_of = {id(buffer.value): buffer for buffer in program.buffers}
    step_of = {id(node): at for at, task in enumerate(program.tasks) for node in task.nodes}
    program.tasks = list(program.tasks)
    for filling in fillings:
        buffer = buffer_of.get(id(filling.value))
        if buffer is None:
            continue
        if not buffer.held and all(id(node) in reading for node in _readers(filling.value)):
            buffer.nbytes += filling.nbytes
        else:
            at = step_of[id(filling.node)]
            task: Task = program.tasks[at]
            copy = buffer.nbytes + filling.nbytes
            program.tasks[at] = replace(task, inside=task.inside + copy)


def _readers(value: Value) -> Iterator[Node]:
    """Iterate over the nodes that read a value, dequantized or not."""
    for node, _ in value.consumers:
        result = node.output() if node.op_type in DEQUANTIZE else None
        if result is None:
            yield node
        else:
            yield from (use.node for use in result.consumers)
