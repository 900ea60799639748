"""Deployments that figures are for: what was stated, and what was assumed."""

from __future__ import annotations

from typing import Annotated, Literal

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class AssumedPart:
    """A part of a deployment."""

    value: Annotated[str | int | None, "Null if any, or as in the model."]
    origin: Annotated[
        Literal["given", "configured", "assumed"],
        "Where it is from: the command line, a configuration file, or a default.",
    ]
    option: Annotated[str, "The option that changes it."]


@dataclass(frozen=True, slots=True)
class Assumed:
    """A deployment that figures are for, part by part."""

    deployment: Annotated[str, "Its description, such as `a10 (tensorrt 11.5, fp16)`."]
    parts: Annotated[
        dict[str, AssumedPart], "device, runtime, version, precision, batch, shapes and dla."
    ]
