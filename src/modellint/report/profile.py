"""Optimization profiles in the syntax of the tools that build engines."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence

Profiles = Mapping[str, Mapping[str, Sequence[int]]]
"""Shapes by input name, as ``min``, ``opt`` and ``max``."""

WHICH = ("min", "opt", "max")


def trtexec(profiles: Profiles, model: str) -> str:
    """Return a command line of TensorRT's trtexec."""
    flags = [f"--{which}Shapes={_joined(profiles, which)}" for which in WHICH]
    return _command("trtexec", f"--onnx={model}", *flags)


def polygraphy(profiles: Profiles, model: str) -> str:
    """Return a command line of Polygraphy."""
    arguments = []
    for which in WHICH:
        arguments.append(f"--trt-{which}-shapes")
        arguments += [f"{name}:{json.dumps(shapes[which])}" for name, shapes in profiles.items()]
    return _command("polygraphy", "run", model, "--trt", *arguments)


def tensorrt_python(profiles: Profiles) -> str:
    """Return statements for TensorRT's Python API."""
    statements = []
    for name, shapes in profiles.items():
        bounds = ", ".join(str(tuple(shapes[which])) for which in WHICH)
        statements.append(f"profile.set_shape({name!r}, {bounds})")
    return "\n".join(
        [
            "profile = builder.create_optimization_profile()",
            *statements,
            "config.add_optimization_profile(profile)",
        ]
    )


def onnxruntime_python(profiles: Profiles, model: str) -> str:
    """Return options of ONNX Runtime's TensorRT execution provider."""
    options = [
        f'    "trt_profile_{which}_shapes": {_joined(profiles, which)!r},' for which in WHICH
    ]
    return "\n".join(
        [
            "options = {",
            *options,
            "}",
            f"session = onnxruntime.InferenceSession({model!r},",
            '    providers=[("TensorrtExecutionProvider", options), "CUDAExecutionProvider"])',
        ]
    )


FORMS = {
    "trtexec": trtexec,
    "Polygraphy": polygraphy,
    "TensorRT, Python": lambda profiles, model: tensorrt_python(profiles),
    "ONNX Runtime": onnxruntime_python,
}


def _joined(profiles: Profiles, which: str) -> str:
    """Return ``x:1x3x224x224,mask:1x128``, the syntax of both trtexec and ONNX Runtime."""
    return ",".join(f"{name}:{'x'.join(map(str, s[which]))}" for name, s in profiles.items())


def _command(*words: str) -> str:
    """Return a shell command with one argument per line."""
    return " \\\n    ".join(shlex.join([word]) for word in words)
