"""Linting and inspecting for servers, which act unasked, in folders that are not trusted yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellint.base.errors import UsageError
from modellint.config.load import CommandLine, Configs

if TYPE_CHECKING:
    from modellint.results.drawing import Drawing
    from modellint.results.inspection import Inspection

UNTRUSTED: Mapping[str, Any] = {"probe": None, "verify": None, "profile": ()}
"""Settings that a repository does not get: no runtime runs a model because a folder was opened."""


def command_line(given: Mapping[str, Any], top: Path | None = None) -> CommandLine:
    """Return what the command line of a server's run would be."""
    return CommandLine({**given, **UNTRUSTED}, top=top)


def look_at(
    path: Path, line: CommandLine, *, drawn: bool = False, placement: bool = True
) -> tuple[Inspection, Drawing | None]:
    """Inspect a model for the deployments of its configuration, with its graph if that is drawn."""
    from modellint.api.looking import asked
    from modellint.discovery import discover
    from modellint.inspector import inspect_and_draw, inspect_model
    from modellint.planning.deployments import deployments_for

    found = discover([path], Configs(line)).files
    if len(found) != 1:
        raise UsageError(f"{path}: {len(found)} models; expected one")
    (file,) = found
    asking = asked(file.config, placement=placement, every_layer=drawn)
    shaped = deployments_for(file.place, file.config, asking.deployments)
    asking = replace(asking, deployments=shaped)
    if drawn:
        return inspect_and_draw(file.path, file.shown, asking)
    return inspect_model(file.path, file.shown, asking), None
