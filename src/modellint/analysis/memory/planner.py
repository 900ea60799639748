"""Simulation of a memory planner: offsets in one block of memory, first fit, in order."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import replace

from modellint.analysis.memory.fusion import PRODUCTS
from modellint.analysis.programs import Alive, Buffer, Profile, Program, Task, profile
from modellint.analysis.shapes import DeployedTypes
from modellint.base.records import dataclass
from modellint.model import is_static
from modellint.runtimes import RuntimeMemory

CROWD = 1000
"""Limit on live tensors; with more, holes matter little and are slow to find."""
ROW = 8
"""Alignment of rows of matrix products, in elements."""
MOST_STREAMS = 4
"""Number of branches that usually run in parallel at most, each with its own workspace."""
UTMOST_STREAMS = 6
"""As many as were seen, in HRNet."""


@dataclass(frozen=True, slots=True)
class BufferPlan:
    """Size of the block for all tensors, without and with workspace."""

    nbytes: int
    with_scratch: int


def plan(program: Program, runtime: RuntimeMemory) -> BufferPlan:
    """Place each tensor in order; tensors never move, so holes remain.

    Inputs and outputs belong to the caller and are elsewhere.
    """
    played = profile(
        without_held(program),
        program.tasks,
        in_place=runtime.in_place,
        recycles=runtime.recycles,
    )
    streams = parallel_branches(program) if runtime.branches else [1] * len(program.tasks)
    tensors = _kept_from_others(program, played.tensors, streams)
    begins: dict[int, list[Alive]] = {}
    for tensor in tensors:
        begins.setdefault(tensor.first, []).append(tensor)
    block = _Block(fits_best=runtime.fits_best)
    bare = full = 0
    for step, task in enumerate(program.tasks):
        block.release(step)
        if task.copied:
            bare = max(bare, block.place(_aligned(task.copied, runtime), step))
        for tensor in begins.get(step, ()):
            bare = max(bare, block.place(_aligned(tensor.nbytes, runtime), tensor.last))
        scratch = [runtime.scratch] * streams[step] if has_product(task) else []
        if task.inside:
            bare = max(bare, block.end_with([task.inside], step))
            scratch.insert(0, task.inside)
        if scratch:
            full = max(full, block.end_with(scratch, step))
    return BufferPlan(bare, max(bare, full))


class _Block:
    """Memory in use, as offset, end and last step, in order of the offsets."""

    def __init__(self, *, fits_best: bool = False) -> None:
        self._fits_best = fits_best
        self._placed: list[tuple[int, int, int]] = []
        self._ending: dict[int, list[tuple[int, int, int]]] = {}
        """Places in use, by the last step that uses them."""
        self._hopeless = math.inf
        """Upper bound on hole sizes; holes only shrink until something is released."""

    def end_with(self, sizes: Sequence[int], step: int) -> int:
        """Return the end of the block if it also contained these sizes for one step."""
        if len(sizes) == 1:
            return self._fit(sizes[0]) + sizes[0]
        meanwhile = _Block(fits_best=self._fits_best)
        meanwhile._placed, meanwhile._hopeless = list(self._placed), self._hopeless
        return max(meanwhile.place(size, step) for size in sizes)

    def release(self, step: int) -> None:
        """Release memory last used in the step before `step`."""
        ended = self._ending.pop(step - 1, ())
        for each in ended:
            del self._placed[bisect_left(self._placed, each)]
        if ended:
            self._hopeless = math.inf

    def place(self, size: int, last: int) -> int:
        """Allocate from a hole that fits; return the end."""
        offset = self._fit(size)
        placed = offset, offset + size, last
        insort(self._placed, placed)
        self._ending.setdefault(last, []).append(placed)
        return offset + size

    def _fit(self, size: int) -> int:
        """Return the offset of the first or smallest hole that is large enough, or the end."""
        top = self._placed[-1][1] if self._placed else 0
        if size >= self._hopeless or len(self._placed) > CROWD:
            return top
        offset, best = 0, None
        for begin, end, _ in self._placed:
            hole = begin - offset
            if hole >= size and (best is None or hole < best[0]):
                best = hole, offset
                if not self._fits_best:
                    break
            offset = max(offset, end)
        if best is not None:
            return best[1]
        self._hopeless = size
        return top


def _aligned(nbytes: int, runtime: RuntimeMemory) -> int:
    return -(-nbytes // runtime.alignment) * runtime.alignment


def without_held(program: Program) -> Program:
    """Remove the caller's inputs and outputs."""
    buffers = [
        Buffer(buffer.value, 0 if buffer.held else buffer.nbytes, buffer.held, buffer.shape)
        for buffer in program.buffers
    ]
    return Program(program.layout, program.tasks, buffers)


def peak_with_scratch(played: Profile, scratch: int) -> int:
    """Return the peak including the workspace of convolutions; products may go without."""
    sizes = zip(played.timeline, played.order, strict=True)
    return max((size + scratch * _has_convolution(task) for size, task in sizes), default=0)


def add_copies(program: Program, types: DeployedTypes, *, narrow: bool) -> None:
    """Add copies of the caller's tensors whose layout the library does not support.

    Images are converted to channels last, at 16 bits in multiples of four channels. Results of
    products are single matrices, copied if batched, and again if their rows are padded.
    """
    buffers = program.buffers
    program.tasks = list(program.tasks)
    for at, task in enumerate(program.tasks):
        images = [buffers[read] for read in task.reads if buffers[read].held]
        results = [buffers[written] for written in task.writes if buffers[written].held]
        before = after = 0
        if images and _has_convolution(task):
            before = sum(_image_copy(image, types, narrow) for image in images)
        if results and has_product(task):
            after = sum(result.nbytes * _copies(result, types) for result in results)
        if before or after:
            program.tasks[at] = replace(task, inside=task.inside + after, copied=before)


def _image_copy(buffer: Buffer, types: DeployedTypes, narrow: bool) -> int:
    shape = types.shape(buffer.value) or ()
    if len(shape) < 3 or not isinstance(shape[1], int) or not shape[1] or not buffer.value.is_input:
        return 0
    channels = -(-shape[1] // 4) * 4 if narrow else shape[1]
    return buffer.nbytes * channels // shape[1]


def _copies(buffer: Buffer, types: DeployedTypes) -> int:
    shape = types.shape(buffer.value) or ()
    if len(shape) < 3 or not is_static(shape):
        return 0
    batch, row = shape[0], shape[-1]
    return (batch != 1) + (int(row or 0) % ROW != 0)


def parallel_branches(program: Program, most: int = MOST_STREAMS) -> Sequence[int]:
    """Return the number of branches with products that run in parallel to each task.

    Convolutions and matrix products of which none needs another's result can run at once, if a
    later task needs the results of both: a downsampled residual has two, as has attention whose
    keys come from fewer positions than its queries. Products of constants are branches as well,
    which a planner can schedule anywhere.
    """
    tasks, beside = program.tasks, program.beside
    streams = [min(1 + beside * _has_convolution(task), most) for task in tasks]
    busy = [at for at, task in enumerate(tasks) if has_product(task)]
    if program.is_busy or len(busy) > CROWD:
        return streams
    for at, count in zip(busy, _widths(tasks, busy, most), strict=True):
        streams[at] = min(count + beside * _has_convolution(tasks[at]), most)
    return streams


def _kept_from_others(
    program: Program, tensors: Sequence[Alive], streams: Sequence[int]
) -> Sequence[Alive]:
    """Extend the lifetimes of tensors in parallel branches.

    A branch may only use memory again that all others have finished with.
    """
    tasks = program.tasks
    if program.beside or max(streams, default=1) == 1 or len(tasks) > CROWD:
        return tensors
    before = [0] * len(tasks)
    users: dict[int, int] = {}
    for at, task in enumerate(tasks):
        for needed in task.after:
            before[at] |= before[needed] | 1 << needed
        for buffer in (*task.reads, *task.writes):
            users[buffer] = users.get(buffer, 0) | 1 << at
    users_of = {id(buffer.value): users.get(at, 0) for at, buffer in enumerate(program.buffers)}
    is_apart = _steps_in_branches(tasks, streams)

    def end(tensor: Alive) -> int:
        last = tensor.last
        while last + 1 < len(tasks) and is_apart[last + 1]:
            if not users_of[id(tensor.value)] & ~(before[last + 1] | 1 << (last + 1)):
                break
            last += 1
        return last

    return [replace(tensor, last=end(tensor)) for tensor in tensors]


def _steps_in_branches(tasks: Sequence[Task], streams: Sequence[int]) -> Sequence[bool]:
    """Return for each step whether the products around it run in parallel to others."""
    found, now = [False] * len(tasks), False
    for at in reversed(range(len(tasks))):
        if has_product(tasks[at]):
            now = streams[at] > 1
        found[at] = now
    return found


def _widths(tasks: Sequence[Task], busy: Sequence[int], most: int) -> Iterator[int]:
    """For each busy task, iterate over how many others, with it, run at once."""
    kernels: dict[object, int] = {}
    kernel_of = {at: kernels.setdefault(_kernel(tasks[at], at), len(kernels)) for at in busy}
    own = [1 << kernel_of[at] if at in kernel_of else 0 for at in range(len(tasks))]
    before, behind = [0] * len(tasks), [0] * len(tasks)
    """For each task, the kernels that it needs, and those that need it, as bits."""
    for at, task in enumerate(tasks):
        for needed in task.after:
            before[at] |= before[needed] | own[needed]
    meeting = list(before)
    """For each task, what later tasks need along with its results."""
    for at in reversed(range(len(tasks))):
        for needed in tasks[at].after:
            behind[needed] |= behind[at] | own[at]
            meeting[needed] |= meeting[at]
    apart = [(1 << len(kernels)) - 1] * len(kernels)
    for at, kernel in kernel_of.items():
        apart[kernel] &= ~(before[at] | behind[at] | own[at])
    for at in busy:
        count, left = 1, apart[kernel_of[at]] & meeting[at]
        while left and count < most:
            left &= apart[(left & -left).bit_length() - 1]
            count += 1
        yield count


def _kernel(task: Task, at: int) -> object:
    """Return a key that is equal for tasks that run as one: products of the same tensor."""
    return at if _has_convolution(task) else tuple(task.reads)


def has_product(task: Task) -> bool:
    return any(node.op_type in PRODUCTS for node in task.nodes)


def _has_convolution(task: Task) -> bool:
    return any("Conv" in node.op_type for node in task.nodes)
