"""The choice of a runtime for each deployment, depending on what is installed here."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest

from modellint.base.install import install_command
from modellint.probes import backends
from modellint.probes.backends import Backend, Choice, available, choose
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.runtimes import TENSORRT, TENSORRT_RTX

Install = Callable[[Collection[str]], None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make it seem that only these modules are installed, and that there is no GPU."""
    monkeypatch.setattr(backends, "gpu_capability", lambda: None)

    def only(modules: Collection[str]) -> None:
        monkeypatch.setattr(backends, "is_installed", lambda module: module in modules)

    return only


def on(target: str | None, runtime: str | None = None) -> Deployment:
    device = find_target(target) if target else None
    return Deployment(device, runtime or (device.default_runtime if device else None))


def chosen(answer: Choice | str) -> tuple[str, str, tuple[int, int] | None]:
    assert isinstance(answer, Choice), answer
    return answer.backend.name, answer.reach.level, answer.reach.capability


@pytest.mark.parametrize(
    ("module", "backend"),
    [
        ("tensorrt_rtx", TENSORRT_RTX),  # with the metapackage
        ("tensorrt_rtx_bindings", TENSORRT_RTX),  # with bindings and libs alone
        ("tensorrt", TENSORRT),
        ("tensorrt_bindings", TENSORRT),
    ],
)
def test_a_module_is_found_under_each_of_its_names(
    module: str, backend: Backend, install: Install
) -> None:
    install(())
    assert backend.module is None
    install([module])
    assert backend.module == module


ALL = ("tensorrt", "tensorrt_rtx_bindings", "onnxruntime")


@pytest.mark.parametrize(
    ("deployment", "expected"),
    [
        (on("a10"), ("tensorrt-rtx", "build", (8, 6))),
        (on("t4"), ("tensorrt-rtx", "build", (7, 5))),
        (on("a100-80gb"), ("tensorrt-rtx", "build", (8, 0))),
        (on("l4"), ("tensorrt-rtx", "build", (8, 9))),
        (on("rtx-5090"), ("tensorrt-rtx", "build", (12, 0))),
        (on("h100-sxm"), ("tensorrt-rtx", "parse", None)),
        (on("a10", "onnxruntime"), ("onnxruntime", "build", None)),
        (on(None, "tensorrt"), ("tensorrt-rtx", "parse", None)),
        (on(None), ("onnxruntime", "build", None)),
    ],
)
def test_the_best_that_fits_without_a_gpu(
    deployment: Deployment, expected: tuple[str, str, object], install: Install
) -> None:
    install(ALL)
    assert chosen(choose("auto", "build", deployment)) == expected


def test_with_the_gpu_of_the_target_tensorrt_itself_is_asked(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(ALL)
    monkeypatch.setattr(backends, "gpu_capability", lambda: (8, 6))
    assert chosen(choose("auto", "build", on("a10"))) == ("tensorrt", "build", None)
    # For another GPU than the one here, the runtime that can still build goes before it.
    assert chosen(choose("auto", "build", on("l4"))) == ("tensorrt-rtx", "build", (8, 9))


def test_what_is_missing_is_named_with_its_remedy(install: Install) -> None:
    install(["onnxruntime"])
    answer = choose("auto", "build", on("a10"))
    assert isinstance(answer, str)
    assert install_command("trt-rtx") in answer


def test_a_runtime_that_cannot_be_probed(install: Install) -> None:
    install(ALL)
    assert choose("auto", "build", on(None, "xla")) == ("no probe exists for the runtime 'xla'")


def test_tensorrt_without_a_gpu_says_so(install: Install) -> None:
    install(ALL)
    assert choose("tensorrt", "build", on("a10")) == (
        "TensorRT needs an NVIDIA GPU, but none was found"
    )


def test_what_doctor_says(install: Install) -> None:
    install(["onnxruntime"])
    said = {each.backend.name: each for each in available()}
    assert said["tensorrt"].version is None
    assert said["tensorrt-rtx"].detail == f"not installed: {install_command('trt-rtx')}"
    assert said["onnxruntime"].version is not None
