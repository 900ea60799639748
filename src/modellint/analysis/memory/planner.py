"""Where a planner would put each tensor: offsets in one block of memory, first fit, in order."""

from __future__ import annotations

from collections.abc import Sequence

from modellint.analysis.liveness import Program, Task
from modellint.analysis.memory.fusion import PRODUCTS

MOST_STREAMS = 4
"""Branches that are seen to run at once, each with scratch memory of its own."""


def planned_bytes(program: Program, *, alignment: int, scratch: int) -> int:
    """The size of the block: no tensor moves once it is placed, so holes remain.

    Inputs and outputs are the caller's and lie elsewhere.
    """
    first, last = _lifetimes(program)
    streams = parallel_branches(program)
    placed: list[tuple[int, int, int]] = []  # offset, end, last step
    total = 0
    for step, task in enumerate(program.tasks):
        placed = [each for each in placed if each[2] >= step]
        for at in task.writes:
            buffer = program.buffers[at]
            if buffer.held or not buffer.nbytes or first[at] != step:
                continue
            size = -(-buffer.nbytes // alignment) * alignment
            offset = _first_fit(placed, size)
            placed.append((offset, offset + size, last[at]))
        top = max((end for _, end, _ in placed), default=0)
        wanted = scratch * streams[step] if _has_product(task) else 0
        total = max(total, top + task.inside + wanted)
    return total


def _first_fit(placed: list[tuple[int, int, int]], size: int) -> int:
    offset = 0
    for begin, end, _ in sorted(placed):
        if begin - offset >= size:
            break
        offset = max(offset, end)
    return offset


def _lifetimes(program: Program) -> tuple[list[int], list[int]]:
    first, last = [0] * len(program.buffers), [0] * len(program.buffers)
    for step, task in enumerate(program.tasks):
        for at in task.writes:
            first[at] = last[at] = step
        for at in task.reads:
            last[at] = step
    return first, last


def parallel_branches(program: Program) -> Sequence[int]:
    """For each task, how many branches with convolutions run beside each other there, itself in.

    Branches leave one tensor and meet again in one task: a downsampled residual has two.
    """
    writer = {at: step for step, task in enumerate(program.tasks) for at in task.writes}
    readers = [0] * len(program.buffers)
    for task in program.tasks:
        for at in task.reads:
            readers[at] += 1
    streams = [1] * len(program.tasks)
    for task in program.tasks:
        makers = dict.fromkeys(writer[at] for at in task.reads if at in writer)
        if len(makers) < 2:
            continue
        branches = [_branch(maker, program, writer, readers) for maker in makers]
        busy = [b for b in branches if any(_has_convolution(program.tasks[at]) for at in b)]
        count = min(len(busy), MOST_STREAMS)
        for at in (each for branch in busy for each in branch):
            streams[at] = max(streams[at], count)
    return streams


def _branch(step: int, program: Program, writer: dict[int, int], readers: list[int]) -> list[int]:
    """Tasks from `step` back to the fork: as long as each is read by one and reads one."""
    branch: list[int] = []
    while True:
        task = program.tasks[step]
        if sum(readers[at] for at in task.writes) != 1:
            return branch
        branch.append(step)
        makers = {writer[at] for at in task.reads if at in writer}
        if len(makers) != 1:
            return branch
        step = makers.pop()


def _has_product(task: Task) -> bool:
    return any(node.op_type in PRODUCTS for node in task.nodes)


def _has_convolution(task: Task) -> bool:
    return any("Conv" in node.op_type for node in task.nodes)
