"""`modellint.inspect`."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from modellint.api.given import GivenSettings, overriding
from modellint.api.sources import ModelSource, file_of
from modellint.base.errors import UsageError
from modellint.config.load import Config, Configs

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from modellint.inspector import Asked
    from modellint.results.inspection import Inspection


def inspect(
    model: ModelSource,
    *,
    quantization: bool = False,
    placement: bool = False,
    profiles: bool = False,
    every_layer: bool = False,
    weight_figures: bool = False,
    layers: str | os.PathLike[str] | None = None,
    draft: str | os.PathLike[str] | None = None,
    name: str | None = None,
    config: str | os.PathLike[str] | None = None,
    isolated: bool = False,
    **settings: Unpack[GivenSettings],
) -> Inspection:
    """Look into a model: its contents, and its memory and compute needs.

    A file that cannot be read has its `problems`; `is_readable` is False.
    """
    from modellint.discovery import discover
    from modellint.inspector import inspect_model
    from modellint.planning.deployments import deployments_for

    line = overriding(settings, Path(config) if config else None, isolated)
    configs = Configs(line)
    with file_of(model, name, line) as (path, shown):
        found = discover([path], configs).files
        if len(found) != 1:
            raise UsageError(f"{path}: {len(found)} models; expected one")
        (file,) = found
        own = configs.of(Path.cwd()) if shown else file.config
        asking = asked(
            own,
            quantization=quantization,
            placement=placement,
            profiles=profiles,
            every_layer=every_layer,
            weight_figures=weight_figures,
            layers=Path(layers) if layers is not None else None,
            draft=Path(draft) if draft is not None else None,
        )
        shaped = deployments_for(file.place, file.config, asking.deployments)
        return inspect_model(file.path, shown or file.shown, replace(asking, deployments=shaped))


def asked(
    config: Config,
    *,
    quantization: bool = False,
    placement: bool = False,
    profiles: bool = False,
    every_layer: bool = False,
    weight_figures: bool = False,
    layers: Path | None = None,
    draft: Path | None = None,
) -> Asked:
    """Return a configuration's settings for an inspection."""
    from modellint.inspector import Asked, layers_in
    from modellint.planning.deployments import deployments
    from modellint.rules.registry import load_rules
    from modellint.targets import load_targets

    folders = [config.path("target-dirs", folder) for folder in config.settings.target_dirs]
    rules = load_rules([config.path("rules", folder) for folder in config.settings.rules])
    return Asked(
        deployments(config, rules),
        rules,
        quantization=quantization,
        placement=placement,
        profile=profiles,
        every_layer=every_layer,
        weights=weight_figures,
        layers=layers_in(layers) if layers is not None else None,
        targets=cache(lambda: load_targets(folders)),
        draft=draft,
    )
