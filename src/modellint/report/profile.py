"""Optimization profiles as the tools that build engines want to be told them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from modellint.targets.profiles import InputProfile

WHICH = ("min", "opt", "max")


def trtexec(profiles: Sequence[InputProfile], model: str) -> str:
    """A command line of TensorRT's trtexec."""
    flags = [f"--{which}Shapes={_joined(profiles, at)}" for at, which in enumerate(WHICH)]
    return _command("trtexec", f"--onnx={model}", *flags)


def polygraphy(profiles: Sequence[InputProfile], model: str) -> str:
    """A command line of Polygraphy."""
    arguments = []
    for at, which in enumerate(WHICH):
        arguments.append(f"--trt-{which}-shapes")
        arguments += [f"{each.value.name}:{json.dumps(each.bound(at))}" for each in profiles]
    return _command("polygraphy", "run", model, "--trt", *arguments)


def tensorrt_python(profiles: Sequence[InputProfile]) -> str:
    """Statements for TensorRT's Python API."""
    shapes = []
    for each in profiles:
        bounds = ", ".join(str(each.bound(at)) for at in range(len(WHICH)))
        shapes.append(f"profile.set_shape({each.value.name!r}, {bounds})")
    return "\n".join(
        ["profile = builder.create_optimization_profile()", *shapes,
         "config.add_optimization_profile(profile)"]
    )  # fmt: skip


def onnxruntime_python(profiles: Sequence[InputProfile], model: str) -> str:
    """Options of ONNX Runtime's TensorRT execution provider."""
    options = [
        f'    "trt_profile_{which}_shapes": {_joined(profiles, at)!r},'
        for at, which in enumerate(WHICH)
    ]
    return "\n".join(
        ["options = {", *options, "}",
         f"session = onnxruntime.InferenceSession({model!r},",
         '    providers=[("TensorrtExecutionProvider", options), "CUDAExecutionProvider"])']
    )  # fmt: skip


FORMS = {
    "trtexec": trtexec,
    "Polygraphy": polygraphy,
    "TensorRT, Python": lambda profiles, model: tensorrt_python(profiles),
    "ONNX Runtime": onnxruntime_python,
}


def as_json(profiles: Sequence[InputProfile]) -> dict[str, dict[str, list[int]]]:
    """The same by input name, for programs."""
    return {
        each.value.name: {which: list(each.bound(at)) for at, which in enumerate(WHICH)}
        for each in profiles
    }


def _joined(profiles: Sequence[InputProfile], at: int) -> str:
    """``x:1x3x224x224,mask:1x128``, which trtexec and ONNX Runtime share."""
    return ",".join(f"{each.value.name}:{'x'.join(map(str, each.bound(at)))}" for each in profiles)


def _command(*words: str) -> str:
    """One argument a line, as a shell takes it."""
    return " \\\n    ".join(shlex.join([word]) for word in words)
