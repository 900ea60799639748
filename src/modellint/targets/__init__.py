"""Devices and deployments; each device is a file in `hardware_targets/`."""

from modellint.base.units import format_bytes, parse_bytes
from modellint.targets.loader import (
    TargetFileError,
    UnknownTarget,
    expand_targets,
    filter_targets,
    find_target,
    find_target_or_file,
    load_smaller,
    load_targets,
    parse_target,
    target_groups,
    target_ids,
)
from modellint.targets.target import HOST, DeviceMemory, Overhead, Target

__all__ = [
    "HOST",
    "DeviceMemory",
    "Overhead",
    "Target",
    "TargetFileError",
    "UnknownTarget",
    "expand_targets",
    "filter_targets",
    "find_target",
    "find_target_or_file",
    "format_bytes",
    "load_smaller",
    "load_targets",
    "parse_bytes",
    "parse_target",
    "target_groups",
    "target_ids",
]
