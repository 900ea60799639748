"""This machine as a target, whatever it is."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from modellint.targets import Target, find_target, host

GIB = 1024**3
Machine = Callable[..., Target]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with these programs' answers and these files, and the target it is taken for."""

    def pretend(
        programs: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        memory: int = 32 * GIB,
        platform: str = "linux",
        driver: str = "",
    ) -> Target:
        monkeypatch.setattr(host, "_first_line", lambda *c: (programs or {}).get(c[0], ""))
        monkeypatch.setattr(host, "_read", lambda path: (files or {}).get(path, ""))
        monkeypatch.setattr(host, "_physical_memory", lambda: memory)
        monkeypatch.setattr(host, "_driver_gpu", lambda: driver)
        monkeypatch.setattr("sys.platform", platform)
        return find_target("host")

    return pretend


def test_a_known_gpu_has_its_figures_and_its_measured_memory(machine: Machine) -> None:
    target = machine({"nvidia-smi": "NVIDIA A10, 22731, 8.6"})
    assert (target.id, target.aliases) == ("host", ("a10",))
    assert target.peak("int8") == 250e12
    assert target.memory.usable == 22731 * 1024**2
    assert target.memory.nominal == 24 * GIB
    assert target.confidence("usable") == "measured"
    assert target.overhead() is not None


def test_an_unknown_gpu_has_what_its_generation_has(machine: Machine) -> None:
    target = machine({"nvidia-smi": "NVIDIA RTX 9999, 12288, 8.9"})
    assert target.name == "NVIDIA RTX 9999"
    assert target.compute_capability == (8, 9)
    assert target.supports("fp8")
    assert target.peak("fp16") is None
    assert target.memory.usable == 12 * GIB


def test_a_gpu_of_an_unknown_generation_claims_nothing(machine: Machine) -> None:
    target = machine({"nvidia-smi": "NVIDIA Z1, 12288, 99.0"})
    assert target.compute_capability == (99, 0)
    assert not target.matrix_precisions


def test_the_drivers_word_counts_without_nvidia_smi(machine: Machine) -> None:
    target = machine(driver="NVIDIA L4")
    assert target.memory == find_target("l4").memory
    assert target.origins == find_target("l4").origins


def test_unified_memory_is_the_machines_own(machine: Machine) -> None:
    spark = machine({"nvidia-smi": "NVIDIA GB10, [N/A], 12.1"}, memory=119 * GIB)
    assert spark.name == "NVIDIA DGX Spark"
    assert spark.memory.usable == 119 * GIB


def test_a_jetson_tells_its_name_in_the_device_tree(machine: Machine) -> None:
    tree = {"/proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0"}
    target = machine(files=tree, memory=7 * GIB)
    assert target.aliases == ("jetson-orin-nano-8gb",)
    assert target.memory.usable == target.memory.nominal == 7 * GIB


def test_a_mac_is_its_chip(machine: Machine) -> None:
    target = machine({"sysctl": "Apple M2 Pro"}, memory=16 * GIB, platform="darwin")
    assert target.aliases == ("apple-m2-pro",)
    assert target.default_runtime == "coreml"
    assert target.memory.nominal == 16 * GIB
    assert target.memory.usable == 16 * GIB * 2 // 3


def test_a_large_mac_lends_its_gpu_more(machine: Machine) -> None:
    target = machine({"sysctl": "Apple M2 Max"}, memory=96 * GIB, platform="darwin")
    assert target.memory == find_target("apple-m2-max").memory


def test_a_cpu_computes_what_its_flags_say(machine: Machine) -> None:
    cpuinfo = "processor: 0\nmodel name\t: Intel(R) Xeon(R)\nflags\t: avx2 avx512_vnni amx_int8\n"
    target = machine(files={"/proc/cpuinfo": cpuinfo})
    assert target.name == "Intel(R) Xeon(R)"
    assert target.accelerates("int8")
    assert target.supports("fp32")
    assert not target.supports("bf16")
    assert target.default_runtime == "onnxruntime"


def test_an_arm_cpu_tells_its_features_too(machine: Machine) -> None:
    target = machine(files={"/proc/cpuinfo": "Features\t: fp asimd asimdhp asimddp i8mm bf16\n"})
    assert target.matrix_precisions == ("bf16", "int8")
    assert "fp16" in target.vector_precisions


@pytest.mark.parametrize("answer", ["", "No devices were found", "x,y", ",,,,"])
def test_an_answer_that_is_none_leaves_the_cpu(machine: Machine, answer: str) -> None:
    assert machine({"nvidia-smi": answer}).vendor == "cpu"


def test_a_containers_limit_is_its_memory(machine: Machine) -> None:
    files = {"/sys/fs/cgroup/memory.max": f"{4 * GIB}\n"}
    assert machine(files=files).memory.usable == 4 * GIB
    assert machine(files={"/sys/fs/cgroup/memory.max": "max\n"}).memory.usable == 32 * GIB


def test_the_real_machine_has_a_name_and_memory() -> None:
    target = find_target("host")
    assert target.name
    assert target.memory.usable > 2**28


def test_a_program_that_hangs_or_fails_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*args: object, **kwargs: object) -> None:
        raise subprocess.TimeoutExpired("nvidia-smi", 5)

    assert host._first_line("no-such-program-at-all") == ""
    monkeypatch.setattr(subprocess, "run", hang)
    assert host._first_line("nvidia-smi") == ""


def test_the_drivers_file_names_the_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "0000:00:1e.0" / "information"
    file.parent.mkdir()
    file.write_text("Model: \t\t NVIDIA A10G\nIRQ:   \t\t 10\n")
    monkeypatch.setattr(host, "_DRIVER", tmp_path)
    assert host._driver_gpu() == "NVIDIA A10G"
