"""An installed plugin whose rule kills the process that lints a model named so."""

from __future__ import annotations

from pathlib import Path

from tests.samples import INFO, project

NAMES = ("a.onnx", "b.onnx", "deadly.onnx", "y.onnx", "z.onnx")
_RULE = """
summary = "A Relu."
severity = "info"
message = "There is a Relu."
why = "Because."
fix = "None."
check = "deadly_checks:kill"
"""
_CHECKS = """
import os, signal

def kill(context):
    if "deadly" in context.model.path.name:
        os.kill(os.getpid(), signal.SIGKILL)
    return []
"""


def plugin(folder: Path) -> Path:
    """Write the plugin; return the folder to import it from."""
    return project(
        folder,
        {
            "deadly_checks.py": _CHECKS,
            "deadly_rules/__init__.py": "",
            "deadly_rules/own/DIE001-kills.toml": _RULE,
            "deadly-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: deadly\nVersion: 1.0\n",
            "deadly-1.0.dist-info/entry_points.txt": "[modellint.rules]\ndeadly = deadly_rules\n",
        },
    )


def models(folder: Path) -> Path:
    return project(folder, dict.fromkeys(NAMES, INFO))
