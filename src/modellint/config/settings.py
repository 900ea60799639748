"""Every setting there is, defined once: its type, its default, what it does, an example.

The command line, the JSON schema, `modellint init` and docs/configuration.md are made from this.
These are plain dataclasses, so that a run without a configuration file need not import pydantic.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Literal

from modellint.rules.suppression import Suppression
from modellint.targets.target import Precision

FailOn = Literal["error", "warning", "info", "never"]
Level = Literal["error", "warning", "info", "off"]
Quantity = int | float | str
OptionValue = bool | int | float | str | list[str] | list[int] | list[float]


def kebab(name: str) -> str:
    """A field's name as it is written in TOML and on the command line."""
    return name.replace("_", "-")


_STRICT: Any = {"extra": "forbid", "alias_generator": kebab}


def about(help: str, example: str, *, section: str = "") -> Mapping[str, str]:
    """What a reader must know of a setting; `example` is the TOML after the equals sign.

    A `section` opens a new group of settings in everything that lists them.
    """
    return {"help": help, "example": example, "section": section}


@dataclass(frozen=True, slots=True)
class SuppressTable:
    """One `[[suppress]]` entry."""

    rule: str
    reason: str
    path: str = "*"
    node: str | None = None
    expires: datetime.date | None = None

    __pydantic_config__: ClassVar[Any] = _STRICT

    def suppression(self) -> Suppression:
        return Suppression(self.rule, self.reason, self.path, self.node, self.expires)


@dataclass(frozen=True, slots=True)
class ProfileTable:
    """A range of shapes, spelled out."""

    min: str
    max: str
    opt: str | None = None

    __pydantic_config__: ClassVar[Any] = _STRICT

    def text(self) -> str:
        return "..".join(shape for shape in (self.min, self.opt, self.max) if shape is not None)


@dataclass(frozen=True, slots=True)
class Budgets:
    """Limits a team sets itself. Numbers, or numbers with a unit."""

    max_params: Quantity | None = None
    max_macs: Quantity | None = None
    max_nodes: Quantity | None = None
    max_file_size: Quantity | None = None
    max_vram: Quantity | None = None
    max_latency_bound: Quantity | None = None

    __pydantic_config__: ClassVar[Any] = _STRICT


@dataclass(frozen=True, slots=True)
class Settings:
    """What may stand in `[tool.modellint]`, or at the top of `modellint.toml`."""

    select: tuple[str, ...] | None = field(
        default=None,
        metadata=about(
            "Rules to run, by code, prefix, family or name, or ALL. Left out, the rules that are "
            "on by default run.",
            '["ALL"]',
            section="Which rules run",
        ),
    )
    extend_select: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Rules to run in addition; this is how to switch on a rule that is off by default.",
            '["FUS"]',
        ),
    )
    ignore: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Rules not to run. The more specific entry wins over `select`.", '["HYG003"]'
        ),
    )
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict,
        metadata=about(
            "Rules not to run on files that match a glob.", '{ "legacy/*.onnx" = ["fusion"] }'
        ),
    )
    severity: Mapping[str, Level] = field(
        default_factory=dict,
        metadata=about(
            "Severity by rule code, prefix, family or name: error, warning, info, or off.",
            '{ fusion = "info", FUS002 = "error" }',
        ),
    )
    rule_options: Mapping[str, Mapping[str, OptionValue]] = field(
        default_factory=dict,
        metadata=about(
            "Options of rules; `modellint rule CODE` lists those of a rule.",
            "{ HYG001 = { heavy-bytes = 4096 } }",
        ),
    )
    rules: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Folders with rule files of your own, relative to this file.", '["lint/rules"]'
        ),
    )

    targets: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Devices the models are deployed on; `modellint targets` lists them.",
            '["a10", "l4"]',
            section="Where the models will run",
        ),
    )
    target_dirs: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Folders with target files of your own, relative to this file.", '["lint/targets"]'
        ),
    )
    runtime: str | None = field(
        default=None,
        metadata=about("The runtime, where it is not the usual one of the target.", '"tensorrt"'),
    )
    precision: Precision | None = field(
        default=None, metadata=about("The precision the runtime is given.", '"fp16"')
    )
    batch: int | None = field(default=None, metadata=about("The batch size.", "8"))
    shapes: Mapping[str, str | ProfileTable] = field(
        default_factory=dict,
        metadata=about(
            "Input shapes: one shape, or a range as min..max or min..opt..max.",
            '{ input = "1x3x224x224..8x3x224x224..16x3x224x224" }',
        ),
    )
    symbols: Mapping[str, int] = field(
        default_factory=dict, metadata=about("Values of symbolic dims.", "{ sequence = 384 }")
    )
    dla: bool = field(
        default=False,
        metadata=about(
            "Whether a Jetson's deep-learning accelerator is to run what it can.", "true"
        ),
    )

    budgets: Budgets | None = field(
        default=None,
        metadata=about(
            "Limits of your own: max-params, max-macs, max-nodes (as 25M), max-file-size, max-vram "
            "(as 100MiB), max-latency-bound (as 5ms).",
            '{ max-params = "30M", max-file-size = "120MB" }',
            section="Limits of your own",
        ),
    )
    per_file_budgets: Mapping[str, Budgets] = field(
        default_factory=dict,
        metadata=about(
            "Other limits for files that match a glob.", '{ "edge/*.onnx" = { max-params = "5M" } }'
        ),
    )

    suppress: tuple[SuppressTable, ...] = field(
        default=(),
        metadata=about(
            "Findings accepted on purpose: rule and reason, and optionally path (a glob), node (a "
            "glob) and expires (a date).",
            '[{ rule = "FUS002", path = "legacy/*.onnx", reason = "retired in May" }]',
            section="What is accepted",
        ),
    )
    baseline: str | None = field(
        default=None,
        metadata=about(
            "File of findings that are known already, as --write-baseline writes it.",
            '"modellint-baseline.json"',
        ),
    )
    inline_suppressions: bool = field(
        default=True,
        metadata=about(
            "Whether a `modellint.ignore` entry in a model's own metadata counts. Problems of the "
            "file itself are never silenced by it.",
            "false",
        ),
    )
    fail_on: FailOn = field(
        default="error",
        metadata=about("The least severity that makes the exit code 1, or never.", '"warning"'),
    )

    include: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Globs of further files to lint when a folder is walked, besides the known suffixes.",
            '["*.bin"]',
            section="Which files are linted",
        ),
    )
    exclude: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Globs of files and folders to leave out when a folder is walked.", '["third_party/"]'
        ),
    )
    force_exclude: bool = field(
        default=False,
        metadata=about("Whether `exclude` holds for files named on the command line too.", "true"),
    )
    respect_gitignore: bool = field(
        default=True,
        metadata=about(
            "Whether files that git ignores are left out when a folder is walked.", "false"
        ),
    )
    weights: bool = field(
        default=True, metadata=about("Whether rules may read the values of weights.", "false")
    )
    verify: Literal["ort"] | None = field(
        default=None,
        metadata=about(
            "Have ONNX Runtime optimize each model, and compare that with what the rules predict.",
            '"ort"',
        ),
    )

    probe: str | None = field(
        default=None,
        metadata=about(
            "Ask a real runtime about every model, in a process of its own: one by name, or auto "
            "for the best that is installed and fits the target.",
            '"auto"',
            section="Asking real runtimes",
        ),
    )
    probe_level: Literal["parse", "build"] = field(
        default="build",
        metadata=about("How far to ask: whether it parses, or whether it builds.", '"parse"'),
    )
    probe_timeout: float = field(
        default=300.0, metadata=about("Seconds that one probe may take.", "60.0")
    )
    probe_memory: Quantity | None = field(
        default=None,
        metadata=about(
            "Memory that one probe may take. Left out, three quarters of this machine's.", '"8GiB"'
        ),
    )
    probe_workspace: Quantity | None = field(
        default=None,
        metadata=about("Scratch memory that a compiler may plan with.", '"4GiB"'),
    )
    save_engine: str | None = field(
        default=None,
        metadata=about("Folder for the engines that probes build.", '"engines"'),
    )

    output: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Where findings go: a format, or format:file. Several are possible.",
            '["full", "sarif:modellint.sarif"]',
            section="The run",
        ),
    )
    jobs: int | None = field(
        default=None, metadata=about("Processes to use. Left out, as many as pay.", "4")
    )
    cache: bool = field(
        default=True, metadata=about("Whether results of unchanged models are reused.", "false")
    )
    cache_dir: str | None = field(
        default=None,
        metadata=about("Where results are kept, relative to this file.", '".modellint_cache"'),
    )

    __pydantic_config__: ClassVar[Any] = _STRICT


KEYS = tuple(kebab(item.name) for item in fields(Settings))
REQUIRED_IN_SUPPRESS = tuple(item.name for item in fields(SuppressTable) if item.default is MISSING)
ADDED = frozenset({"extend_select", "ignore"})
"""Lists that the command line adds to; all others it replaces."""
