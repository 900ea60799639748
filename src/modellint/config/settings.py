"""Definition of all settings: type, default, description, example.

The command line, JSON schema, `modellint init` and docs/configuration.md are generated from it.
These are plain dataclasses so that a run without a configuration file need not import pydantic.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import MISSING, field, fields
from typing import Any, ClassVar, Literal, get_args

from modellint.base.records import dataclass
from modellint.results.finding import MOST_FINDINGS
from modellint.rules.suppression import Suppression
from modellint.targets.deployment import KvPrecision, Parallel
from modellint.targets.target import Precision

FailOn = Literal["error", "warning", "info", "never"]
Level = Literal["error", "warning", "info", "off"]
Quantity = int | float | str
OptionValue = bool | int | float | str | list[str] | list[int] | list[float]


def kebab(name: str) -> str:
    """Return a field's name in TOML and on the command line."""
    return name.replace("_", "-")


_STRICT: Any = {"extra": "forbid", "alias_generator": kebab}


DEPLOYMENT, RULES, PROBING, FILES = "Deployment", "Rules", "Probing", "Files"
LANGUAGE, FIXING, DIFFERENCES = "Language models", "Fixing", "Differences"
OUTPUT, EXIT, RUNNING = "Output", "Exit code", "Running"
PROFILE = "Profile"
"""Headings of options in the help of verbs."""
PROBES = "auto, or a runtime listed under Probes by 'modellint doctor'"


@dataclass(frozen=True, slots=True)
class CommandOption:
    """A setting on the command line. How its value is read follows from the setting's type."""

    group: str
    help: str
    metavar: str | None = None
    name: str = ""
    """Its name on the command line, if not the setting's own. A switch that turns a setting off
    starts with `no-`."""
    short: str = ""


def about(
    help: str, example: str, *, section: str = "", option: CommandOption | None = None
) -> Mapping[str, Any]:
    """Return the metadata of a setting; `example` is the TOML after the equals sign.

    A `section` starts a new group wherever settings are listed.
    """
    return {"help": help, "example": example, "section": section, "option": option}


@dataclass(frozen=True, slots=True)
class SuppressTable:
    """A `[[suppress]]` entry."""

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
class ProbeTable:
    """A `[probes.NAME]` table."""

    python: str

    __pydantic_config__: ClassVar[Any] = _STRICT


@dataclass(frozen=True, slots=True)
class Budgets:
    """Limits that a team sets itself: numbers, with or without a unit."""

    max_params: Quantity | None = None
    max_macs: Quantity | None = None
    max_nodes: Quantity | None = None
    max_file_size: Quantity | None = None
    max_vram: Quantity | None = None
    max_latency_bound: Quantity | None = None
    max_partitions: Quantity | None = None
    min_share_on_accelerator: Quantity | None = None

    __pydantic_config__: ClassVar[Any] = _STRICT


@dataclass(frozen=True, slots=True)
class Settings:
    """Contents of `[tool.modellint]`, or of `modellint.toml`."""

    select: tuple[str, ...] | None = field(
        default=None,
        metadata=about(
            "Rules to run, by code, prefix, family or name, or ALL. If not set, all rules except "
            "those that are off by default.",
            '["ALL"]',
            section="Which rules run",
            option=CommandOption(
                RULES,
                "Run only these rules: codes, prefixes, families, names, ALL.",
                "RULES",
                short="s",
            ),
        ),
    )
    extend_select: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Additional rules to run, for example rules that are off by default.",
            '["FUS"]',
            option=CommandOption(RULES, "Run these rules as well.", "RULES"),
        ),
    )
    ignore: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Rules to skip. The more specific entry of `select` and `ignore` wins.",
            '["HYG003"]',
            option=CommandOption(RULES, "Skip these rules.", "RULES", short="i"),
        ),
    )
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict,
        metadata=about(
            "Rules to skip for files that match a glob.", '{ "legacy/*.onnx" = ["fusion"] }'
        ),
    )
    severity: Mapping[str, Level] = field(
        default_factory=dict,
        metadata=about(
            "Severity by rule code, prefix, family or name: error, warning, info, or off.",
            '{ fusion = "info", FUS002 = "error" }',
            option=CommandOption(
                RULES, "Override a severity: error, warning, info, off.", "RULE=LEVEL"
            ),
        ),
    )
    rule_options: Mapping[str, Mapping[str, OptionValue]] = field(
        default_factory=dict,
        metadata=about(
            "Options of rules; `modellint rule CODE` lists the options of a rule.",
            "{ HYG001 = { heavy-bytes = 4096 } }",
        ),
    )
    rules: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Folders with your own rule files, relative to this file.", '["lint/rules"]'
        ),
    )

    targets: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Devices the models will run on; `modellint targets` lists them.",
            '["a10", "l4"]',
            section="Deployment",
            option=CommandOption(
                DEPLOYMENT, "Device, group, or 'host'; repeatable.", "ID", "target", "t"
            ),
        ),
    )
    target_dirs: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Folders with your own target files, relative to this file.", '["lint/targets"]'
        ),
    )
    runtime: str | None = field(
        default=None,
        metadata=about(
            "The runtime, if not the target's default, and optionally its version after ==.",
            '"tensorrt==10.15"',
            option=CommandOption(
                DEPLOYMENT, "Runtime, for example tensorrt or tensorrt==10.15.", "NAME[==VERSION]"
            ),
        ),
    )
    runtime_version: str | None = field(
        default=None,
        metadata=about(
            "The version of the runtime. If not set, the newest that is known and runs on the "
            "target.",
            '"10.15"',
        ),
    )
    precision: Precision | None = field(
        default=None,
        metadata=about(
            "The precision that the model runs in.",
            '"fp16"',
            option=CommandOption(DEPLOYMENT, f"{', '.join(get_args(Precision))}.", "NAME"),
        ),
    )
    batch: int | None = field(
        default=None,
        metadata=about(
            "The batch size.",
            "8",
            option=CommandOption(DEPLOYMENT, "Batch size.", "N"),
        ),
    )
    shapes: Mapping[str, str | ProfileTable] = field(
        default_factory=dict,
        metadata=about(
            "Input shapes: one shape, or a range: min..max or min..opt..max; "
            'for "*", the only input of a model.',
            '{ input = "1x3x224x224..8x3x224x224..16x3x224x224" }',
            option=CommandOption(
                DEPLOYMENT,
                "1x3x224x224, or a range: min..max or min..opt..max; without INPUT= for models "
                "with one.",
                "INPUT=SHAPE",
                "shape",
            ),
        ),
    )
    per_file_shapes: Mapping[str, Mapping[str, str | ProfileTable]] = field(
        default_factory=dict,
        metadata=about(
            "Input shapes for files that match a glob.",
            '{ "detectors/*.onnx" = { "*" = "1x3x640x640" } }',
        ),
    )
    symbols: Mapping[str, int] = field(
        default_factory=dict,
        metadata=about(
            "Values of symbolic dimensions.",
            "{ sequence = 384 }",
            option=CommandOption(DEPLOYMENT, "Value of a symbolic dimension.", "NAME=N", "symbol"),
        ),
    )
    dla: bool = field(
        default=False,
        metadata=about(
            "Use a Jetson's deep-learning accelerator for the layers it supports.",
            "true",
            option=CommandOption(DEPLOYMENT, "Use a Jetson's DLA."),
        ),
    )

    contexts: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Context lengths in tokens that a language model is served with; k is 1024 tokens.",
            '["8k", "32k"]',
            section="Language models",
            option=CommandOption(
                LANGUAGE, "Context lengths in tokens (example: 8k,32k).", "TOKENS"
            ),
        ),
    )
    kv_precision: KvPrecision | None = field(
        default=None,
        metadata=about(
            "Type of the keys and values that a language model caches. By default 16 bits.",
            '"q8_0"',
            option=CommandOption(LANGUAGE, f"{', '.join(get_args(KvPrecision))}.", "TYPE"),
        ),
    )
    flash_attention: bool | None = field(
        default=None,
        metadata=about(
            "Whether attention keeps its scores on chip, where the runtime has the choice.",
            "false",
            option=CommandOption(LANGUAGE, "Use flash attention, or not."),
        ),
    )
    devices: int = field(
        default=1,
        metadata=about(
            "Number of devices that a language model is split over.",
            "4",
            option=CommandOption(LANGUAGE, "Number of devices.", "N"),
        ),
    )
    parallel: Parallel | None = field(
        default=None,
        metadata=about(
            "How a language model is split over devices: tensor, pipeline or expert.",
            '"tensor"',
            option=CommandOption(LANGUAGE, "tensor, pipeline or expert.", "NAME"),
        ),
    )

    budgets: Budgets | None = field(
        default=None,
        metadata=about(
            "Your own limits: max-params, max-macs, max-nodes (example: 25M), max-file-size, "
            "max-vram (example: 100MiB), max-latency-bound (example: 5ms), max-partitions, "
            "min-share-on-accelerator (example: 95%).",
            '{ max-params = "30M", max-file-size = "120MB" }',
            section="Budgets",
        ),
    )
    per_file_budgets: Mapping[str, Budgets] = field(
        default_factory=dict,
        metadata=about(
            "Limits for files that match a glob.", '{ "edge/*.onnx" = { max-params = "5M" } }'
        ),
    )

    diff_budgets: Mapping[str, str] = field(
        default_factory=dict,
        metadata=about(
            "Limits on what a new model needs more than the old one, for `modellint diff`: params, "
            "macs, nodes, size, weights, kv-cache, memory, activations, latency, findings, or a "
            "metric.",
            '{ params = "+1%", latency = "+5%", size = "+0" }',
            option=CommandOption(
                DIFFERENCES,
                "Fail if a figure grows by more (example: params=+1%,latency=+5%).",
                "NAME=+N[%]",
                "budget",
            ),
        ),
    )

    suppress: tuple[SuppressTable, ...] = field(
        default=(),
        metadata=about(
            "Accepted findings: rule and reason, and optionally path (a glob), node (a "
            "glob) and expires (a date).",
            '[{ rule = "FUS002", path = "legacy/*.onnx", reason = "retired in May" }]',
            section="Suppressions",
        ),
    )
    baseline: str | None = field(
        default=None,
        metadata=about(
            "File of known findings, written by --write-baseline.",
            '"modellint-baseline.json"',
            option=CommandOption(EXIT, "File of known findings, which do not count.", "FILE"),
        ),
    )
    inline_suppressions: bool = field(
        default=True,
        metadata=about(
            "Honor `modellint.ignore` entries in a model's metadata. Problems of the file itself "
            "cannot be ignored this way.",
            "false",
        ),
    )
    fail_on: FailOn = field(
        default="error",
        metadata=about(
            "Lowest severity that makes the exit code 1, or never.",
            '"warning"',
            option=CommandOption(
                EXIT,
                "Fail at this severity: error, warning, info, never.  [default: error]",
                "LEVEL",
            ),
        ),
    )

    fixable: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Rules whose findings `--fix` may fix. If not set, all that have a fix.",
            '["HYG"]',
            section="Fixing",
            option=CommandOption(
                FIXING, "Fix only findings of these rules.", "RULES", name="fix-only"
            ),
        ),
    )
    unfixable: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Rules whose findings `--fix` leaves alone. The more specific entry of `fixable` and "
            "`unfixable` wins.",
            '["HYG014"]',
        ),
    )
    unsafe_fixes: bool = field(
        default=False,
        metadata=about(
            "Let `--fix` carry out what is exact on this model alone, or changes numbers, as well.",
            "true",
            option=CommandOption(
                FIXING, "Also apply fixes that are exact only for this model, or change values."
            ),
        ),
    )
    fix_dims: Mapping[str, int] = field(
        default_factory=dict,
        metadata=about(
            "Sizes to give to open dims of the model, by name.",
            "{ batch = 1 }",
            option=CommandOption(FIXING, "Give an open dim this size.", "NAME=N", name="fix-dim"),
        ),
    )
    fix_choices: Mapping[str, str] = field(
        default_factory=dict,
        metadata=about(
            "Choices for fixes that need one; the rule's page and the findings name them.",
            '{ clamp = "30000" }',
            option=CommandOption(
                FIXING, "Make a choice that a fix needs.", "NAME=VALUE", name="choose"
            ),
        ),
    )

    exclude: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Globs of files and folders to skip when walking folders.",
            '["third_party/"]',
            section="Which files are linted",
            option=CommandOption(FILES, "Skip matching files and folders.", "GLOB"),
        ),
    )
    include: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Globs of additional files to lint in folders, besides those with known suffixes.",
            '["*.bin"]',
            option=CommandOption(FILES, "Also lint files with other suffixes.", "GLOB"),
        ),
    )
    force_exclude: bool = field(
        default=False,
        metadata=about(
            "Apply `exclude` to files named on the command line.",
            "true",
            option=CommandOption(FILES, "Apply excludes to files named explicitly."),
        ),
    )
    max_fetch: Quantity | None = field(
        default=None,
        metadata=about(
            "Bytes to fetch for one model that is named by its address, such as `s3://…`. A model "
            "that needs more is a finding. By default 256 MB.",
            '"1GB"',
            option=CommandOption(
                FILES, "Bytes to fetch for a remote model.  [default: 256MB]", "SIZE"
            ),
        ),
    )
    fetch_timeout: float = field(
        default=30.0,
        metadata=about(
            "Seconds that a server may take to answer, for models that are named by their address.",
            "10.0",
            option=CommandOption(
                FILES, "Time limit for a server's answer.  [default: 30]", "SECONDS"
            ),
        ),
    )
    respect_gitignore: bool = field(
        default=True,
        metadata=about(
            "Skip files that git ignores when walking folders.",
            "false",
            option=CommandOption(FILES, "Also lint files that git ignores."),
        ),
    )
    weights: bool = field(
        default=True,
        metadata=about(
            "Let rules read the values of weights.",
            "false",
            option=CommandOption(RULES, "Do not read weight values."),
        ),
    )
    weights_budget: Quantity | None = field(
        default=None,
        metadata=about(
            "Bytes of a file's weights that a question which needs every number may read, such as "
            "which tensors are equal. Beyond them, rules read samples and say so, or say nothing. "
            "By default 2 GiB.",
            '"20GiB"',
            option=CommandOption(
                RULES,
                "Bytes of weights to read in full (example: 20GiB).  [default: 2GiB]",
                "SIZE",
            ),
        ),
    )
    verify: Literal["ort"] | None = field(
        default=None,
        metadata=about(
            "Optimize each model with ONNX Runtime and check the rules' predictions against it.",
            '"ort"',
            option=CommandOption(
                RULES, "Check predictions against ONNX Runtime's optimizer.", "ort"
            ),
        ),
    )

    probe: str | None = field(
        default=None,
        metadata=about(
            "Test every model with a real runtime, in a separate process: a runtime's name, or "
            "auto for the best one installed that supports the target.",
            '"auto"',
            section="Probing",
            option=CommandOption(PROBING, f"Test with a real runtime: {PROBES}.", "[BACKEND]"),
        ),
    )
    probes: Mapping[str, ProbeTable] = field(
        default_factory=dict,
        metadata=about(
            "The Python interpreter that a runtime is probed in, if not this one. A program that a "
            "repository names is never run: a file with this setting has to be named with --config "
            "or MODELLINT_CONFIG.",
            '{ qnn = { python = ".venvs/qnn/bin/python" } }',
            option=CommandOption(
                PROBING, "Probe a runtime in another interpreter.", "NAME=PYTHON", "probe-python"
            ),
        ),
    )
    probe_level: Literal["parse", "build"] = field(
        default="build",
        metadata=about(
            "Depth of probes: only parse the model, or build it.",
            '"parse"',
            option=CommandOption(PROBING, "Only parse, or build.  [default: build]"),
        ),
    )
    probe_timeout: float = field(
        default=300.0,
        metadata=about(
            "Time limit of a probe, in seconds.",
            "60.0",
            option=CommandOption(PROBING, "Time limit of a probe.  [default: 300]", "SECONDS"),
        ),
    )
    probe_memory: Quantity | None = field(
        default=None,
        metadata=about(
            "Memory limit of a probe. By default, three quarters of this machine's RAM.",
            '"8GiB"',
            option=CommandOption(
                PROBING, "Memory limit of a probe (example: 8GiB).  [default: 3/4 of RAM]", "SIZE"
            ),
        ),
    )
    probe_workspace: Quantity | None = field(
        default=None,
        metadata=about(
            "Workspace memory for the compiler.",
            '"4GiB"',
            option=CommandOption(PROBING, "Workspace memory for the compiler.", "SIZE"),
        ),
    )
    save_engine: str | None = field(
        default=None,
        metadata=about(
            "Folder in which to keep engines that probes build.",
            '"engines"',
            option=CommandOption(PROBING, "Save the built engines here.", "DIR"),
        ),
    )

    profile: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "A profile of the model, in any of the formats of docs/profiles.md; several files are "
            "parts of one run. Findings state the time that they are about.",
            '["run.json"]',
            section="Profile",
            option=CommandOption(
                PROFILE, "A profile of the model: findings say what they cost.", "FILE"
            ),
        ),
    )

    output: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Reports to write: a format, or format:file. Several are possible.",
            '["full", "sarif:modellint.sarif"]',
            section="Output and performance",
            option=CommandOption(
                OUTPUT, "Format, or format and file; repeatable.", "FORMAT[:FILE]", short="o"
            ),
        ),
    )
    max_findings_per_rule: int = field(
        default=MOST_FINDINGS,
        metadata=about(
            "Number of findings that a rule lists for a file and target; one more finding counts "
            "the rest.",
            "50",
            option=CommandOption(
                OUTPUT, "List at most N findings per rule and file.  [default: 1000]", "N"
            ),
        ),
    )
    jobs: int | None = field(
        default=None,
        metadata=about(
            "Number of processes. By default, chosen automatically.",
            "4",
            option=CommandOption(
                RUNNING, "Number of processes.  [default: chosen automatically]", "N", short="j"
            ),
        ),
    )
    cache: bool = field(
        default=True,
        metadata=about(
            "Reuse results of unchanged models.",
            "false",
            option=CommandOption(RUNNING, "Do not read or write the cache."),
        ),
    )
    cache_dir: str | None = field(
        default=None,
        metadata=about(
            "Cache folder, relative to this file.",
            '".modellint_cache"',
            option=CommandOption(RUNNING, "Cache folder.", "DIR"),
        ),
    )

    __pydantic_config__: ClassVar[Any] = _STRICT


KEYS = tuple(kebab(item.name) for item in fields(Settings))
REQUIRED_IN_SUPPRESS = tuple(item.name for item in fields(SuppressTable) if item.default is MISSING)
ADDED = frozenset({"extend_select", "ignore"})
"""Lists that the command line extends; it replaces all others."""
