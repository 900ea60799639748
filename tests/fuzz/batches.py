"""Mutants in child processes with limits, which may die of them."""

from __future__ import annotations

import faulthandler
import gc
import os
import re
import resource
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from itertools import groupby
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from tests.fuzz import seeds
from tests.fuzz.mutants import Mutant
from tests.fuzz.trial import Failure, failures, warm_up

Make = Callable[[int], Mutant]
MIB = 1 << 20
MEMORY = 1 << 30
"""Bytes of address space over those of an idle process."""
PROCESSOR, PATIENCE = 20, 120
"""Seconds of processor time for one mutant, and as many for each MiB, which has more findings;
seconds without any until a process is ended."""
USUAL = 200
"""Or this many times what a usual model takes, on machines where that is more."""
BATCH = 100
STDERR, MUTANT = "stderr", "mutant"
SLOW = "slow"
"""Kind of a failure to end in half of the time that is given."""


class Tried(NamedTuple):
    """Result of a mutant, and its cost: seconds of processor time, bytes of memory.

    Those that were tried together share what that costs.
    """

    number: int
    failures: list[Failure]
    seconds: float = 0
    memory: int = 0
    suffix: str = ""


def try_all(
    make: Make,
    numbers: Sequence[int],
    folder: Path,
    group: int,
    *,
    processor: int = PROCESSOR,
    jobs: int = 1,
) -> Iterator[Tried]:
    """Make and try mutants in a warm folder."""
    if jobs == 1:
        yield from try_batch(numbers, make, folder, processor, group)
        return
    batches = [numbers[at : at + BATCH] for at in range(0, len(numbers), BATCH)]
    task = partial(_listed, make=make, folder=folder, processor=processor, group=group)
    with get_context("fork").Pool(jobs) as pool:
        for found in pool.imap_unordered(task, batches):
            yield from found


@contextmanager
def warm_folder() -> Iterator[Path]:
    """Import and read all that every run needs, before processes are forked."""
    from tests.support import EXAMPLES

    with tempfile.TemporaryDirectory(dir=_quick_folder()) as place:
        folder = Path(place)
        os.environ["MODELLINT_CACHE_DIR"] = str(folder / "cache")
        warm_up([EXAMPLES / "qat_residual.onnx", EXAMPLES / "encoder_fp16_mask.onnx"], folder)
        seeds.load()
        usual_seconds()
        gc.collect()
        gc.freeze()
        yield folder


@cache
def usual_seconds() -> float:
    """Return the processor time for an example, once all is warm; measured before forks."""
    from tests.support import EXAMPLES

    with tempfile.TemporaryDirectory(dir=_quick_folder()) as folder:
        started = time.process_time()
        failures([EXAMPLES / "qat_residual.onnx"], Path(folder), 0)
        return time.process_time() - started


def _quick_folder() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _listed(
    numbers: Sequence[int], make: Make, folder: Path, processor: int, group: int
) -> list[Tried]:
    return list(try_batch(numbers, make, folder, processor, group))


def try_batch(
    numbers: Sequence[int], make: Make, folder: Path, processor: int, group: int
) -> Iterator[Tried]:
    """Try mutants in groups; those of a group that fails each alone, to find which it was."""
    own = Path(tempfile.mkdtemp(dir=folder))
    groups = [list(each) for _, each in groupby(numbers, lambda number: number // group)]
    done = 0
    while done < len(groups):
        for tried in _try(make, groups[done:], own, processor):
            if tried[0].failures and len(tried) > 1:
                yield from _apart(tried, make, folder, processor)
            else:
                yield from tried
            done += 1
    shutil.rmtree(own, ignore_errors=True)


def _apart(together: Sequence[Tried], make: Make, folder: Path, processor: int) -> Iterator[Tried]:
    """Try each mutant of a group that failed alone."""
    numbers = [each.number for each in together]
    alone = [next(try_batch([number], make, folder, processor, 1)) for number in numbers]
    if not any(each.failures for each in alone):
        lasting = [each for each in together[0].failures if each.kind != SLOW]  # as a sum may be
        kinds = [each._replace(kind=f"together: {each.kind}") for each in lasting]
        alone[0] = alone[0]._replace(failures=kinds)
    yield from alone


def _try(
    make: Make, groups: Sequence[Sequence[int]], folder: Path, processor: int
) -> Iterator[list[Tried]]:
    """Try each group until all are tried, one kills the process, or it has grown too large."""
    answers, writer = Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        answers.close()
        _work(make, groups, folder, processor, writer)
    writer.close()
    tried, is_idle = 0, False
    with suppress(EOFError):
        while tried < len(groups) and not is_idle:
            if _wait(answers, child):
                yield answers.recv()
                tried += 1
            else:
                is_idle = True
    if tried < len(groups):
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if tried < len(groups) and (status or not tried):
        said = (folder / STDERR).read_text(errors="replace")
        death = Failure("death: hang (idle)", said) if is_idle else _death(status, said)
        yield [Tried(number, [death]) for number in groups[tried]]


def _wait(answers: Connection, child: int) -> bool:
    """Wait for an answer; return False if the process does nothing, however busy the machine is."""
    used = -1
    while not answers.poll(PATIENCE):
        before, used = used, _processor_time(child)
        if used == before:
            return False
    return True


def _processor_time(process: int) -> int:
    """Ticks so far of a process, and of its children that have ended."""
    stated = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, stated[11:15]))


def _death(status: int, said: str) -> Failure:
    if not os.WIFSIGNALED(status):
        return Failure(f"death: exit {os.WEXITSTATUS(status)}", said)
    signal_ = signal.Signals(os.WTERMSIG(status))
    name = {signal.SIGPROF: "hang", signal.SIGKILL: "SIGKILL, as for want of memory"}.get(
        signal_, signal_.name
    )
    ours = re.search(r'/modellint/(\S+)", line (\d+)', said)
    return Failure(f"death: {name}" + (f" at {ours[1]}:{ours[2]}" if ours else ""), said[-4000:])


def _work(
    make: Make, groups: Sequence[Sequence[int]], folder: Path, processor: int, answers: Connection
) -> None:
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1):
            os.dup2(null, stream)
        log = os.open(folder / STDERR, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 2)
        faulthandler.enable(2)
        faulthandler.register(signal.SIGPROF, 2, chain=True)  # tells where, then dies
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        idle = _address_space()
        for numbers in groups:
            made = [make(number) for number in numbers]  # without the limit on what reads them
            limit = _address_space() + MEMORY
            resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
            answers.send(_measured(numbers, made, folder / MUTANT, processor))
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
            if _address_space() > idle + MEMORY // 2:  # a new process needs less
                break
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(70)
    os._exit(0)


def _measured(
    numbers: Sequence[int], made: Sequence[Mutant], folder: Path, processor: int
) -> list[Tried]:
    """Try mutants together; a group has no more time than the smallest of its mutants alone."""
    shutil.rmtree(folder, ignore_errors=True)
    paths = [_saved(each, folder / str(at)) for at, each in enumerate(made)]
    no_models = [path for path, each in zip(paths, made, strict=True) if not each.may_be_model]
    gc.collect()  # modellint leaves that to the end of the process
    gc.freeze()  # what is left stays: the next mutant's collection need not look at it again
    before = _resident()
    _PEAK.write_text("5")  # forgets the highest so far
    size = min(len(each.data) for each in made)
    limit = max(processor, USUAL * usual_seconds()) * (1 + size / MIB)
    signal.setitimer(signal.ITIMER_PROF, limit)  # its signal ends native code as well
    started = time.process_time()
    found = failures(paths, folder, made[0].turn, no_models=no_models, light=made[0].light)
    signal.setitimer(signal.ITIMER_PROF, 0)
    seconds = time.process_time() - started
    if seconds > limit / 2:
        found.append(Failure(SLOW, f"{seconds:.1f} s"))
    memory = _resident("VmHWM") - before
    return [
        Tried(number, found, seconds / len(numbers), memory, path.suffix)
        for number, path in zip(numbers, paths, strict=True)
    ]


def _saved(made: Mutant, folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "weights.bin").write_bytes(bytes(64))
    return made.save(folder)


_PEAK = Path("/proc/self/clear_refs")


def _resident(what: str = "VmRSS") -> int:
    """Bytes of memory in use, now or at most."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0]) << 10


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()
