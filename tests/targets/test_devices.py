"""Every shipped device: complete, sourced, and physically possible."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import chain

import pytest

from modellint.base.data import data_dir
from modellint.targets import Target, load_targets
from modellint.targets.loader import normalize

TARGETS = load_targets()
FOLDER = data_dir("hardware_targets")
each_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: str(target.id))

# Dense operations of one unit in one clock, a multiply-accumulate counting as two.
FP16_PER_CLOCK: dict[tuple[int, int] | str, int] = {
    (5, 3): 512,
    (6, 2): 512,
    (7, 0): 1024,
    (7, 2): 1024,
    (7, 5): 1024,
    (8, 0): 2048,
    (8, 6): 1024,
    (8, 7): 2048,
    (8, 9): 1024,
    (9, 0): 4096,
    (12, 0): 1024,
    "cdna": 1024,
    "cdna2": 1024,
    "cdna3": 2048,
    "cdna4": 4096,
    "rdna3": 512,
    "rdna3-5": 512,
    "rdna4": 1024,
    "xe-hpc": 4096,
}
FP32_PER_CLOCK: dict[tuple[int, int] | str, int] = {
    (7, 0): 128,
    (7, 5): 128,
    (8, 0): 128,
    (8, 6): 256,
    (8, 7): 256,
    (8, 9): 256,
    (9, 0): 256,
    (12, 0): 256,
}


# The first and the last compute capability whose tensor cores take a precision.
TENSOR_CORES: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "fp16": ((7, 0), (99, 0)),
    "int8": ((7, 2), (99, 0)),
    "int4": ((7, 5), (8, 9)),
    "bf16": ((8, 0), (99, 0)),
    "tf32": ((8, 0), (99, 0)),
    "fp8": ((8, 9), (99, 0)),
    "fp4": ((10, 0), (99, 0)),
}


def ratio(upper: str, lower: str) -> Callable[[Target], float | None]:
    def of(target: Target) -> float | None:
        high, low = target.peak(upper), target.peak(lower)
        if lower == "fp16":  # devices without it have bf16 instead
            low = low or target.peak("bf16")
        return high / low if high and low else None

    return of


def of_clock(
    precision: str, per_clock: dict[tuple[int, int] | str, int]
) -> Callable[[Target], float | None]:
    def of(target: Target) -> float | None:
        operations = per_clock.get(target.compute_capability or target.architecture or "")
        rate = target.peak(precision)
        if not (operations and rate and target.units and target.clock):
            return None
        return rate / (target.units * target.clock * operations)

    return of


# What holds for matrix units of a kind; the datasheet trap is a factor of two (sparsity).
PHYSICS: dict[str, tuple[Callable[[Target], float | None], float]] = {
    "bf16 = fp16": (ratio("bf16", "fp16"), 1),
    "tf32 = fp16 / 2": (ratio("tf32", "fp16"), 0.5),
    "int8 = 2 × fp16": (ratio("int8", "fp16"), 2),
    "fp8 = 2 × fp16": (ratio("fp8", "fp16"), 2),
    "int4 = 2 × int8": (ratio("int4", "int8"), 2),
    "fp4 = 2 × fp8": (ratio("fp4", "fp8"), 2),
    "fp16 = units × clock": (of_clock("fp16", FP16_PER_CLOCK), 1),
    "fp32 = units × clock": (of_clock("fp32", FP32_PER_CLOCK), 1),
}
ROUNDING = 0.025


def test_there_are_enough_devices() -> None:
    assert len(TARGETS) >= 100


def test_every_file_stands_in_its_vendors_folder() -> None:
    vendors = {path.stem: path.parent.name for path in FOLDER.rglob("*.toml")}
    assert {target.id: target.vendor for target in TARGETS} == vendors


def test_no_name_means_two_devices() -> None:
    groups = {normalize(name) for t in TARGETS for name in (t.vendor, *t.groups)}
    taken: dict[str, str] = dict.fromkeys(groups | {"all", "host"}, "a group")
    for target in TARGETS:
        spellings = {normalize(name) for name in (target.id, target.name, *target.aliases)}
        for spelling in {name.replace("-", "") for name in spellings}:
            assert spelling not in taken, f"{spelling}: {target.id} and {taken[spelling]}"
            taken[spelling] = target.id


@each_target
def test_no_alias_repeats_the_id_or_the_name(target: Target) -> None:
    own, *aliases = (
        {normalize(name).replace("-", "") for name in names}
        for names in ([target.id, target.name], *([alias] for alias in target.aliases))
    )
    assert own.isdisjoint(set().union(*aliases))
    assert len(aliases) == len(set().union(*aliases)), target.aliases


@each_target
def test_every_figure_has_a_source(target: Target) -> None:
    origins = [
        *target.origins.values(),
        *(overhead.origin for overhead in target.overheads.values()),
        *(newest.origin for newest in target.newest.values()),
    ]
    assert "memory" in target.origins
    assert all(re.match(r"https?://[\w.-]+/", origin.source) for origin in origins)
    assert bool(target.matrix_precisions or target.vector_precisions) == (
        "precisions" in target.origins
    )


@each_target
def test_memory_is_possible(target: Target) -> None:
    memory = target.memory
    assert 2**23 <= memory.nominal <= 2**40
    assert memory.nominal / 2 <= memory.usable <= memory.nominal
    assert memory.bandwidth is None or 1e9 <= memory.bandwidth <= 1e14


@each_target
def test_nvidia_devices_are_complete(target: Target) -> None:
    if target.vendor == "nvidia":
        assert target.compute_capability
        assert target.default_runtime == "tensorrt"
        assert target.memory.bandwidth
        assert target.rates


@each_target
def test_what_a_device_computes_in_is_known(target: Target) -> None:
    assert target.matrix_precisions or target.vector_precisions
    assert not set(target.matrix_precisions) & set(target.vector_precisions)


@each_target
def test_tensor_cores_are_those_of_the_compute_capability(target: Target) -> None:
    if target.compute_capability:
        expected = {
            precision
            for precision, (first, last) in TENSOR_CORES.items()
            if first <= target.compute_capability <= last
        }
        assert set(target.matrix_precisions) - {"fp64"} == expected


@each_target
def test_notes_are_sentences(target: Target) -> None:
    for text in (target.notes, *(f"{reason}." for reason in target.exceptions.values())):
        assert not text or text.endswith(".")


@pytest.mark.parametrize(
    ("target", "law"),
    [(t, law) for t in TARGETS for law in PHYSICS],
    ids=lambda x: getattr(x, "id", x),
)
def test_physics_holds_or_the_file_says_why_not(target: Target, law: str) -> None:
    measure, expected = PHYSICS[law]
    actual = measure(target)
    holds = actual is None or abs(actual / expected - 1) <= ROUNDING
    if law in target.exceptions:
        assert actual is not None, "an exception to nothing"
        assert not holds, "an exception that is none"
    else:
        assert holds, f"{law}: off by a factor of {(actual or 0) / expected:.3g}"


def test_exceptions_are_to_known_laws() -> None:
    named = set(chain.from_iterable(target.exceptions for target in TARGETS))
    assert named <= PHYSICS.keys()


@each_target
def test_power_and_bandwidth_bound_the_rates(target: Target) -> None:
    """No device of today does more than 20 dense fp16 TFLOPS per watt, or less than a matrix
    unit would be worth."""
    fp16 = target.peak("fp16") or target.peak("bf16")
    if fp16 and target.tdp_watts:
        assert fp16 / target.tdp_watts < 5e12
