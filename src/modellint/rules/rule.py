"""Definition of a rule, stored in one file. See docs/writing-rules.md for the format."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, ClassVar, Literal

from modellint.base.applicability import FLAGS, Applicability
from modellint.base.records import dataclass
from modellint.capability import Capability
from modellint.results.finding import RuleInfo, Severity
from modellint.rules.message import as_prose

Facet = Literal["target", "runtime", "version", "precision", "shapes", "serving"]
Need = Literal["probe", "profile", "target"]
SeverityName = Literal["info", "warning", "error"]
OptionValue = bool | int | float | str | list[str] | list[int] | list[float] | None


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a rule, with the type of its default."""

    default: OptionValue
    help: str
    choices: tuple[str, ...] = ()

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class Fuser:
    """Handling of a rule's pattern by a runtime."""

    by: str = ""
    """Pass that fuses or removes it; empty if the runtime does not."""
    since: str = ""
    """First known version, which may be only the tested one."""
    note: str = ""
    """Conditions, or why the runtime and the rule differ."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    @property
    def answer(self) -> str:
        since = f" since {self.since}" if self.since else ""
        answer = f"yes{since}, {self.by}" if self.by else "no"
        return f"{answer}; {self.note.strip()}" if self.note else answer


@dataclass(frozen=True, slots=True)
class Autofix:
    """The fix of a rule's findings."""

    by: str
    """``module.function`` in `modellint.fixes`, or ``package.module:function`` of a plugin."""
    applicability: Applicability = "safe"
    """Of its fixes; one may be weaker, never stronger."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class MatchCase:
    """Overrides for the matches of a pattern for which `when` holds."""

    when: str
    variant: str = ""
    report: tuple[str, ...] = ()
    """Variables to report instead, tried in order; `it` is the variable in `when` and facts."""
    stopped: tuple[str, ...] = ()
    """Runtimes whose pass does not match the pattern in this case."""
    facts: Mapping[str, str] = field(default_factory=dict)

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class Match:
    """A declarative check: a graph pattern in the language of `modellint.rules.pattern`."""

    pattern: str
    report: str
    where: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    """Expressions whose values are available to the message."""
    variant: str = ""
    stopped: tuple[str, ...] = ()
    """Runtimes whose pass does not match this variant."""
    nodes: tuple[str, ...] = ()
    """Variables whose nodes are fused or removed; by default all of the pattern's."""
    vanishes: bool = False
    """True if the nodes are removed without replacement, such as two inverse Transposes."""
    witness: str = ""
    """Variable whose node disappears once fused; by default the reported one."""
    cases: tuple[MatchCase, ...] = ()
    """Cases, the first of which to hold overrides the block."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class Example:
    """A small model for which the rule must fire (`invalid`) or stay silent (`valid`)."""

    model: str = ""
    """Model in ONNX text syntax."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Alternatively, files by name, the first of which is linted: text, bytes after ``hex:``, or
    what a format's notation makes of the text after the format's name: ``gguf:``."""
    note: str = ""
    """Explanation of the example, required for near misses."""
    at: tuple[str, ...] = ()
    """Labels of the expected places, one per finding."""
    findings: int = 1
    message: str = ""
    """Part of the first finding's message."""
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    target: str | None = None
    runtime: str | None = None
    precision: str | None = None
    batch: int | None = None
    shapes: Mapping[str, str] = field(default_factory=dict)
    dla: bool = False
    serving: Mapping[str, Any] = field(default_factory=dict)
    """Settings of a language model: contexts, kv_precision, flash_attention, devices, parallel."""
    probe: str | None = None
    """Runtime to probe, for rules that need one; if not installed, the example is skipped."""
    recorded: Mapping[str, Any] = field(default_factory=dict)
    """Recorded outcome to use instead of `probe`, if the runtime is not available everywhere."""
    profile: Mapping[str, Any] = field(default_factory=dict)
    """A measured run of the model, as far as it differs from one without any figures."""
    fixed: str = ""
    """The model in ONNX text syntax once the rule's findings in it are fixed."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """Choices for the fix, by name: ``{ "dim:batch" = "1" }``."""
    contradicted: str = ""
    """Reason why the outcome of a probe differs from the rule's prediction."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    @property
    def circumstances(self) -> str:
        """Return the example's settings: ``--runtime tensorrt --batch 8, layers = 4``."""
        said = {
            "target": self.target,
            "runtime": self.runtime,
            "precision": self.precision,
            "batch": self.batch,
        }
        flags = [f"--{name} {value}" for name, value in said.items() if value is not None]
        flags += [f"--shape {name}={shape}" for name, shape in self.shapes.items()]
        flags += ["--dla"] if self.dla else []
        flags += [f"--{name.replace('_', '-')} {value}" for name, value in self.serving.items()]
        options = [f"{name} = {json.dumps(value)}" for name, value in self.options.items()]
        return ", ".join(filter(None, (" ".join(flags), *options)))


@dataclass(frozen=True, slots=True)
class Examples:
    invalid: tuple[Example, ...] = ()
    valid: tuple[Example, ...] = ()

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. Code, name and family are from its path: ``<family>/<CODE>-<name>.toml``."""

    code: str
    name: str
    family: str
    summary: str
    severity: SeverityName
    message: str
    why: str
    fix: str
    sources: tuple[str, ...] = ()
    messages: Mapping[str, str] = field(default_factory=dict)
    """Messages of variants."""
    fixes: Mapping[str, str] = field(default_factory=dict)
    """Other texts than `fix`, for variants."""
    note: str = ""
    """Annotation under the offending row of the frame."""
    reads: tuple[Capability, ...] = (Capability.GRAPH,)
    """Capabilities that a model must have for the rule to apply."""
    dialect: str = ""
    """Dialects of the files that the rule applies to, separated by spaces; empty for all."""
    operators: tuple[str, ...] = ()
    """Choices of operators, ``Relu | Clip`` or ``<quantize>``. A model without any operator of one
    of them gives the rule nothing to say. Those of patterns are read off the patterns."""
    needs: tuple[Need, ...] = ()
    """Requirements on the run: a target, a runtime to probe, or a profile of the model."""
    runtimes: tuple[str, ...] = ()
    """Runtimes the rule applies to; empty means all, including an unknown one."""
    per: tuple[Facet, ...] = ()
    """Parts of the deployment that the result depends on; the check runs once per combination."""
    refused: bool = False
    """True if the rule predicts that the runtime refuses the model, which a probe can verify."""
    once_loaded: bool = False
    """True if its findings are moot once another one says that the runtime refuses the model."""
    confidence: str | None = None
    default: bool = True
    """True if the rule runs without being selected by name."""
    since: str = "0.1.0"
    options: Mapping[str, Option] = field(default_factory=dict)
    fused_by: Mapping[str, Fuser] = field(default_factory=dict)
    """Handling of the pattern by runtimes, by name."""
    match: tuple[Match, ...] = ()
    """Patterns, the first of which to match a place reports it. A file may have a single table."""
    together: bool | Literal["alike"] = False
    """True if one finding stands for all nodes of an operator that match, or all problems;
    ``alike`` if for those with the same facts."""
    check: str | None = None
    """``module.function`` in `modellint.checks`, or ``package.module:function`` of a plugin."""
    problem: str | None = None
    """Kind of problem that the rule reports."""
    autofix: Autofix | None = None
    examples: Examples = Examples()
    file: str = ""
    """Path of the file, which few rules are asked for."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    @property
    def path(self) -> Path | None:
        return Path(self.file) if self.file else None

    @property
    def default_severity(self) -> Severity:
        return Severity.parse(self.severity)

    def is_about(self, dialect: str) -> bool:
        """Return True if it applies to files of a dialect."""
        return not self.dialect or dialect in self.dialect.split()

    @property
    def wordings(self) -> tuple[str, ...]:
        return (self.message, *self.messages.values())

    @property
    def all_fixes(self) -> tuple[str, ...]:
        return (self.fix, *self.fixes.values())

    def info(self) -> RuleInfo:
        return RuleInfo(
            code=self.code,
            name=self.name,
            family=self.family,
            summary=self.summary,
            severity=self.default_severity,
            why=as_prose(self.why),
            fix=as_prose(self.fix),
            markdown=self.markdown(),
            sources=self.sources,
        )

    def markdown(self) -> str:
        """Return the rule's page, for the documentation, `modellint rule` and SARIF's help."""
        parts = [f"# {self.name} ({self.code})", self.summary, self._traits()]
        parts += ["## Messages", *(f"> {as_prose(text)}" for text in self.wordings)]
        parts += ["## Why", as_prose(self.why), "## How to fix it"]
        parts += map(as_prose, self.all_fixes)
        if self.fused_by:
            parts += ["## Fused by", "\n".join(self._fuser_lines())]
        if self.options:
            parts += ["## Options", "\n".join(map(self._option_line, self.options))]
        for title, examples in (
            ("Fires on", self.examples.invalid),
            ("Stays silent on", self.examples.valid),
        ):
            shown = [example for example in examples if example.model or example.files]
            if shown:
                parts += [f"## {title}", *map(_example_markdown, shown)]
        if self.sources:
            parts += ["## Sources", "\n".join(f"- <{source}>" for source in self.sources)]
        return "\n\n".join(parts) + "\n"

    def _traits(self) -> str:
        traits = [f"severity **{self.severity}**", f"family **{self.family}**"]
        if self.runtimes:
            traits.append("runtimes " + ", ".join(f"**{runtime}**" for runtime in self.runtimes))
        if self.reads:
            traits.append("reads " + ", ".join(self.reads))
        if self.dialect:
            traits.append(
                "only for " + " and ".join(f"**{each}**" for each in self.dialect.split())
            )
        if not self.default:
            traits.append("off unless selected")
        if self.autofix is not None:
            traits.append(f"fixed by `{FLAGS[self.autofix.applicability]}`")
        return " · ".join([*traits, f"since {self.since}"])

    def _fuser_lines(self) -> Iterator[str]:
        for runtime, fuser in self.fused_by.items():
            yield f"- **{runtime}**: {fuser.answer}"

    def _option_line(self, name: str) -> str:
        option = self.options[name]
        choices = f" One of {', '.join(option.choices)}." if option.choices else ""
        return f"- `{name}` (default `{option.default}`): {option.help}{choices}"


def _example_markdown(example: Example) -> str:
    words = [example.note.strip()] if example.note else []
    if example.circumstances:
        words.append(f"With `{example.circumstances}`:")
    if example.contradicted:
        words.append(f"A probe disagrees: {example.contradicted.strip()}")
    note = "".join(f"{each}\n\n" for each in words)
    if example.model:
        shown = f"{note}```\n{example.model.strip()}\n```"
        if example.fixed:
            shown += f"\n\nFixed:\n\n```\n{example.fixed.strip()}\n```"
        return shown
    return note + "\n\n".join(
        f"`{name}`:\n\n```\n{content.strip()}\n```" for name, content in example.files.items()
    )
