"""This machine while it measures: who else uses its processors, and the energy that it takes."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Mapping
from pathlib import Path

PROC = Path("/proc")
POWERCAP = Path("/sys/class/powercap")
_MOST = 1 << 20
_STEAL = 7
"""Column of the hypervisor's share in the first line of /proc/stat."""


def system() -> str:
    return f"{platform.system()} {platform.release()} {platform.machine()}"


def load_per_core() -> float | None:
    """Return the processes that want to run, per core."""
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except (AttributeError, OSError):
        return None


def ticks() -> tuple[int, int] | None:
    """Return the ticks that all cores have spent so far, and those the hypervisor took."""
    line = _read(PROC / "stat").partition("\n")[0].split()[1:]
    if len(line) <= _STEAL or not all(each.isdecimal() for each in line):
        return None
    numbers = list(map(int, line))
    return sum(numbers[: _STEAL + 1]), numbers[_STEAL]


def stolen(before: tuple[int, int] | None, after: tuple[int, int] | None) -> float | None:
    """Return the share of all cores' time that the hypervisor took."""
    if before is None or after is None or after[0] <= before[0]:
        return None
    return (after[1] - before[1]) / (after[0] - before[0])


def waited() -> tuple[int, int] | None:
    """Return nanoseconds that the threads of this process have run so far, and have waited."""
    ran = waiting = 0
    for task in (PROC / "self" / "task").glob("*/schedstat"):
        numbers = _read(task).split()
        if len(numbers) < 2 or not all(each.isdecimal() for each in numbers[:2]):
            return None
        ran, waiting = ran + int(numbers[0]), waiting + int(numbers[1])
    return (ran, waiting) if ran else None


def waiting(before: tuple[int, int] | None, after: tuple[int, int] | None) -> float | None:
    """Return the share of the time in which threads were ready to run, but did not."""
    if before is None or after is None:
        return None
    ran, waits = after[0] - before[0], after[1] - before[1]
    return waits / (ran + waits) if ran > 0 and waits >= 0 else None


def peak_memory() -> int | None:
    """Return the most memory that this process has had so far, in bytes."""
    for line in _read(PROC / "self" / "status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


class Rapl:
    """Energy counters of processor packages, which wrap around."""

    source = "rapl"

    def __init__(self, folder: Path = POWERCAP) -> None:
        packages = [each for each in folder.glob("intel-rapl:*") if each.name.count(":") == 1]
        self._ranges = {each: _whole(each / "max_energy_range_uj") for each in packages}
        self._last = self._counters()
        self.joules = 0.0
        """Energy since the beginning."""

    @property
    def is_readable(self) -> bool:
        return bool(self._last)

    def update(self) -> float:
        """Return the energy since the beginning; call it more often than counters wrap."""
        now = self._counters()
        for package, count in now.items():
            more = count - self._last.get(package, count)
            if more < 0:
                more += self._ranges[package] or 0
            self.joules += max(0, more) * 1e-6
        self._last = now
        return self.joules

    def _counters(self) -> Mapping[Path, int]:
        counts = {each: _whole(each / "energy_uj") for each in self._ranges}
        return {each: count for each, count in counts.items() if count is not None}


class Nvml:
    """Energy counter of the first NVIDIA GPU."""

    source = "nvml"

    def __init__(self) -> None:
        self._library = self._device = None
        try:
            library = ctypes.CDLL("libnvidia-ml.so.1")
            device = ctypes.c_void_p()
            if library.nvmlInit_v2() or library.nvmlDeviceGetHandleByIndex_v2(
                0, ctypes.byref(device)
            ):
                return
        except (OSError, AttributeError):
            return
        self._library, self._device = library, device
        self._start = self._millijoules()

    @property
    def is_readable(self) -> bool:
        return self._library is not None and self._start is not None

    def update(self) -> float:
        now = self._millijoules()
        return (now - self._start) * 1e-3 if now is not None and self._start is not None else 0.0

    def _millijoules(self) -> int | None:
        if self._library is None:
            return None
        count = ctypes.c_ulonglong()
        failed = self._library.nvmlDeviceGetTotalEnergyConsumption(
            self._device, ctypes.byref(count)
        )
        return None if failed else count.value


def energy_counter(*, on_gpu: bool) -> Rapl | Nvml | None:
    """Return the counter of what runs the model, if this user may read it."""
    counter = Nvml() if on_gpu else Rapl()
    return counter if counter.is_readable else None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:  # files of the kernel have no size to go by
            return file.read(_MOST).decode("utf-8", "replace")
    except OSError:
        return ""


def _whole(path: Path) -> int | None:
    text = _read(path).strip()
    return int(text) if text.isdecimal() and len(text) < 20 else None
