"""This machine as a target: its first NVIDIA GPU, or its CPU."""

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
"""Looks up a device by name."""


def host_target(find: Find, known_targets: Callable[[], Iterable[Target]]) -> Target:
    """Return this machine's device; figures besides name and memory are those of known targets."""
    return _board(find) or _gpu(find, known_targets) or _cpu(find)


def _board(find: Find) -> Target | None:
    """Return a single-board computer such as a Jetson, by its name in the device tree."""
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
    if known and known.is_unified_memory:  # the driver does not report its size
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
    """Return the kernel driver's name of the first GPU, for systems without nvidia-smi."""
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


# CPU flags in Linux on x86 and Arm, by the precision of their multiplication instructions.
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
    """Return the GPU's default share of memory on macOS; Apple's target files have sources."""
    return memory * 2 // 3 if memory < 36 * GIB else memory * 3 // 4


def _as_host(known: Target, name: str, usable: int | None, memory: int | None = None) -> Target:
    """Return a known device with the actual memory of this one, if known."""
    figures, origins = known.memory, dict(known.origins)
    if usable:
        # Devices with unified memory are sold in several sizes under one name.
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
    """Return the bytes of main memory, or the container's lower limit; 0 if unknown."""
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
    """Return the first line a program prints; empty if it is missing, fails or hangs."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return next(iter(done.stdout.splitlines()), "")
