"""This machine as a Target: its first NVIDIA GPU, or its CPU."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from modellint.targets.target import HOST, DeviceMemory, Precision, Provenance, Target

MIB, GIB = 1024**2, 1024**3
_TIMEOUT_S = 5
_DRIVER = Path("/proc/driver/nvidia/gpus")
_MEASURED = Provenance("this machine", "measured")


Find = Callable[[str], Target | None]
"""Looks a device up by its name."""


def host_target(find: Find, known_targets: Callable[[], Iterable[Target]]) -> Target:
    """What a model would run on here; figures beyond name and memory come from known targets."""
    return _board(find) or _gpu(find, known_targets) or _cpu(find)


def _board(find: Find) -> Target | None:
    """A single-board computer such as a Jetson, which tells its name in the device tree."""
    name = _read("/proc/device-tree/model").strip("\0\n ")
    known = find(name) if name else None
    return _as_host(known, known.name, _system_memory()) if known else None


def _gpu(find: Find, known_targets: Callable[[], Iterable[Target]]) -> Target | None:
    row = _first_line(
        "nvidia-smi", "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"
    )
    name, memory, compute = ([field.strip() for field in row.split(",")] + [""] * 3)[:3]
    usable = int(memory) * MIB if memory.isdigit() else None
    name = name or _driver_gpu()
    known = find(name) if name else None
    if known and known.is_unified_memory:  # of which the driver knows no size
        usable = usable or _system_memory()
    if known:
        return _as_host(known, known.name, usable)
    if usable is None:
        return None
    capability = _capability(compute)
    like = next(
        (t for t in known_targets() if capability and t.compute_capability == capability),
        None,
    )
    return Target(
        id=HOST,
        name=name,
        vendor="nvidia",
        memory=DeviceMemory(nominal=usable, usable=usable),
        default_runtime="tensorrt",
        architecture=like.architecture if like else None,
        compute_capability=capability,
        matrix_precisions=like.matrix_precisions if like else (),
        vector_precisions=like.vector_precisions if like else (),
        origins={"memory": _MEASURED, "usable": _MEASURED},
        notes="No target file describes this GPU, so its rates are unknown.",
    )


def _driver_gpu() -> str:
    """What the kernel driver calls the first GPU, where nvidia-smi is not installed."""
    for file in sorted(_DRIVER.glob("*/information")):
        for line in _read(str(file)).splitlines():
            label, _, name = line.partition(":")
            if label == "Model":
                return name.strip()
    return ""


def _cpu(find: Find) -> Target:
    name, memory = _cpu_name(), _system_memory()
    known = find(name) if name else None
    if known and sys.platform == "darwin":
        return _as_host(known, known.name, _metal_share(memory), memory)
    if known:
        return _as_host(known, known.name, memory)
    flags = {*_cpuinfo("flags").split(), *_cpuinfo("Features").split()}
    matrix = tuple(p for p, names in _MATRIX_FLAGS.items() if flags & names)
    vector = tuple(p for p, names in _VECTOR_FLAGS.items() if flags & names and p not in matrix)
    return Target(
        id=HOST,
        name=name,
        vendor="cpu",
        memory=DeviceMemory(nominal=memory, usable=memory, unified=True),
        default_runtime="onnxruntime",
        matrix_precisions=matrix,
        vector_precisions=("fp64", "fp32", *vector),
        units=os.cpu_count(),
        origins={"memory": _MEASURED, "usable": _MEASURED, "precisions": _MEASURED},
    )


# What Linux calls the instructions on x86 and on Arm, by the precision that they multiply in.
_MATRIX_FLAGS: dict[Precision, set[str]] = {
    "bf16": {"amx_bf16", "bf16"},
    "fp16": {"amx_fp16"},
    "int8": {"amx_int8", "i8mm"},
}
_VECTOR_FLAGS: dict[Precision, set[str]] = {
    "bf16": {"avx512_bf16"},
    "fp16": {"avx512_fp16", "asimdhp"},
    "int8": {"avx512_vnni", "avx_vnni", "asimddp"},
}


def _metal_share(memory: int) -> int:
    """What macOS lends the GPU, unless told otherwise; the files of Apple's chips have sources."""
    return memory * 2 // 3 if memory < 36 * GIB else memory * 3 // 4


def _as_host(known: Target, name: str, usable: int | None, memory: int | None = None) -> Target:
    """A known device with the memory that this one of them really has, if that can be said."""
    figures, origins = known.memory, dict(known.origins)
    if usable:
        # Sold in several sizes under one name, where memory is the system's.
        nominal = usable if known.is_unified_memory else max(figures.nominal, usable)
        figures = replace(figures, usable=usable, nominal=memory or nominal)
        origins["usable"] = _MEASURED
    return replace(
        known, id=HOST, name=name, memory=figures, origins=origins, aliases=(known.id,), groups=()
    )


def _capability(text: str) -> tuple[int, int] | None:
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else None


def _system_memory() -> int:
    """Bytes of main memory, or the container's limit where that is lower; 0 if unknown."""
    limit = _read("/sys/fs/cgroup/memory.max").strip()
    total = _physical_memory()
    return min(total, int(limit)) if limit.isdigit() and total else total


def _physical_memory() -> int:
    if sys.platform == "win32":
        return _windows_memory()
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0


def _windows_memory() -> int:
    import ctypes

    kilobytes = ctypes.c_ulonglong(0)
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - absent from the stubs elsewhere
    kernel.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))
    return kilobytes.value * 1024


def _cpu_name() -> str:
    if sys.platform == "darwin":
        name = _first_line("sysctl", "-n", "machdep.cpu.brand_string")
    else:
        name = _cpuinfo("model name")
    return name or platform.processor() or platform.machine() or "this CPU"


def _cpuinfo(key: str) -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _first_line(*command: str) -> str:
    """What a program answers, or nothing if it is not there, fails or hangs."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return next(iter(done.stdout.splitlines()), "")
