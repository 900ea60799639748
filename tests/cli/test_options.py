"""Options that are settings are made from the settings' definitions."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import click
import pytest

from modellint.cli import check, diff, inspect, probe
from modellint.cli.options import given_settings
from modellint.config.settings import DIFFERENCES, Settings

SETTINGS = {item.name: item.metadata["option"] for item in fields(Settings)}


@pytest.mark.parametrize("name", [name for name, option in SETTINGS.items() if option is not None])
def test_every_setting_is_an_option(name: str) -> None:
    command = diff.command if SETTINGS[name].group == DIFFERENCES else check.command
    (parameter,) = [each for each in command.params if each.name == name]
    assert isinstance(parameter, click.Option)
    assert SETTINGS[name].help in (parameter.help, SETTINGS["output"].help)


@pytest.mark.parametrize("command", [check.command, inspect.command, probe.command])
def test_an_option_that_was_not_given_is_not_passed_on(command: click.Command) -> None:
    assert given_settings(parsed(command, "model.onnx")) == {}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("-t a10,l4 -t t4", {"targets": ("a10", "l4", "t4")}),
        ("--batch 8", {"batch": 8}),
        ("--symbol n=4 --symbol m=2", {"symbols": {"n": 4, "m": 2}}),
        ("--shape x=1x3", {"shapes": {"x": "1x3"}}),
        ("--shape 1x3..4x3", {"shapes": {"*": "1x3..4x3"}}),
        ("--severity FUS=off,HYG001=info", {"severity": {"FUS": "off", "HYG001": "info"}}),
        ("--dla", {"dla": True}),
        ("--no-cache --no-weights", {"cache": False, "weights": False}),
        ("--probe-timeout 1.5", {"probe_timeout": 1.5}),
        ("-o json:a,b.json", {"output": ("json:a,b.json",)}),
    ],
)
def test_a_value_is_read_as_the_type_of_its_setting(
    arguments: str, expected: dict[str, Any]
) -> None:
    assert given_settings(parsed(check.command, *arguments.split())) == expected


def parsed(command: click.Command, *arguments: str) -> dict[str, Any]:
    return command.make_context(command.name, list(arguments)).params
