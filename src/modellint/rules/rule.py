"""A rule: one question, whole in one file. See docs/writing-rules.md for the file's grammar."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, ClassVar, Literal

from modellint.base.records import dataclass
from modellint.capability import Capability
from modellint.finding import RuleInfo, Severity
from modellint.rules.message import as_prose

Facet = Literal["target", "runtime", "precision", "shapes"]
Need = Literal["probe", "target"]
SeverityName = Literal["info", "warning", "error"]
OptionValue = bool | int | float | str | list[str] | list[int] | list[float] | None


@dataclass(frozen=True, slots=True)
class Option:
    """A typed setting of a rule; its type is that of its default."""

    default: OptionValue
    help: str
    choices: tuple[str, ...] = ()

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class Fuser:
    """What one runtime does by itself about the pattern that a rule is about."""

    by: str = ""
    """The pass that fuses or removes it; empty when the runtime does not."""
    since: str = ""
    """A version that is known to: the tested one, where nobody looked further back."""
    note: str = ""
    """Where it holds, or why its answer and the rule's differ."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    @property
    def answer(self) -> str:
        since = f" since {self.since}" if self.since else ""
        answer = f"yes{since}, {self.by}" if self.by else "no"
        return f"{answer}; {self.note.strip()}" if self.note else answer


@dataclass(frozen=True, slots=True)
class Case:
    """What is particular about some of a pattern's matches: those for which `when` holds."""

    when: str
    variant: str = ""
    report: tuple[str, ...] = ()
    """The variables to report instead, tried in turn: `it` stands for each in `when` and facts."""
    stopped: tuple[str, ...] = ()
    """Runtimes whose pass does not recognise the pattern in this case."""
    facts: Mapping[str, str] = field(default_factory=dict)

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class Match:
    """A declarative check: a graph pattern in the language of `modellint.rules.pattern`."""

    pattern: str
    report: str
    where: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    """Expressions of the same language, whose values the message may name."""
    variant: str = ""
    stopped: tuple[str, ...] = ()
    """Runtimes whose pass does not recognise this way of writing it."""
    nodes: tuple[str, ...] = ()
    """The variables whose nodes become one, or vanish; all of the pattern's where it is empty."""
    vanishes: bool = False
    """Whether nothing takes the nodes' place, as of two Transposes that cancel."""
    witness: str = ""
    """The variable whose node is gone once a runtime has fused the match; else the report's."""
    cases: tuple[Case, ...] = ()
    """The first of them that holds decides; where none does, the match is as the block says."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class Example:
    """A small model for which the rule must fire (`invalid`) or stay silent (`valid`)."""

    model: str = ""
    """The model in ONNX text syntax."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Or files by name, the first of which is linted: text, or bytes after ``hex:``."""
    note: str = ""
    """Why the example is what it is; near misses need one."""
    at: tuple[str, ...] = ()
    """Labels of the places that must be named, one per finding."""
    findings: int = 1
    message: str = ""
    """A part of the first finding's message."""
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    target: str | None = None
    runtime: str | None = None
    precision: str | None = None
    batch: int | None = None
    shapes: Mapping[str, str] = field(default_factory=dict)
    dla: bool = False
    probe: str | None = None
    """The runtime that is asked, for rules that need one; without it the example is not run."""
    recorded: Mapping[str, Any] = field(default_factory=dict)
    """What a runtime said elsewhere, for what cannot be had everywhere; instead of `probe`."""
    contradicted: str = ""
    """Why a runtime that is asked answers otherwise than the rule foretells."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    @property
    def circumstances(self) -> str:
        """``--runtime tensorrt --batch 8, layers = 4``: what the answer rests on, besides."""
        said = {
            "target": self.target,
            "runtime": self.runtime,
            "precision": self.precision,
            "batch": self.batch,
        }
        flags = [f"--{name} {value}" for name, value in said.items() if value is not None]
        flags += [f"--shape {name}={shape}" for name, shape in self.shapes.items()]
        flags += ["--dla"] if self.dla else []
        options = [f"{name} = {json.dumps(value)}" for name, value in self.options.items()]
        return ", ".join(filter(None, (" ".join(flags), *options)))


@dataclass(frozen=True, slots=True)
class Examples:
    invalid: tuple[Example, ...] = ()
    valid: tuple[Example, ...] = ()

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class Rule:
    """Code, name and family come from where the file stands: ``<family>/<CODE>-<name>.toml``."""

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
    """Other wordings, for hits that name a variant."""
    note: str = ""
    """What stands under the offending row of the frame."""
    reads: tuple[Capability, ...] = (Capability.GRAPH,)
    """What a model must have for the rule to apply."""
    dialect: str = ""
    """The dialect of the files that the rule is about; empty for a rule about any network."""
    needs: tuple[Need, ...] = ()
    """What a run must have: a target, or a runtime to ask."""
    runtimes: tuple[str, ...] = ()
    """Runtimes the question makes sense for; empty means all, also when none is known."""
    per: tuple[Facet, ...] = ()
    """What the answer depends on besides the model; it is asked once for each combination."""
    refused: bool = False
    """Whether the rule foretells that the runtime refuses the model: a probe can contradict it."""
    confidence: str | None = None
    default: bool = True
    """Whether the rule runs unless it is selected by name."""
    since: str = "0.1.0"
    options: Mapping[str, Option] = field(default_factory=dict)
    fused_by: Mapping[str, Fuser] = field(default_factory=dict)
    """By runtime: whether it undoes by itself what the rule finds."""
    match: tuple[Match, ...] = ()
    """Patterns, the first of which to find a place reports it. A file may have a single table."""
    check: str | None = None
    """``module.function`` below `modellint.checks`, or ``package.module:function`` of a plugin."""
    problem: str | None = None
    """The kind of reading problem that the rule reports."""
    examples: Examples = Examples()
    path: Path | None = None

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    @property
    def default_severity(self) -> Severity:
        return Severity.parse(self.severity)

    @property
    def wordings(self) -> tuple[str, ...]:
        return (self.message, *self.messages.values())

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
        parts += ["## Why", as_prose(self.why), "## How to fix it", as_prose(self.fix)]
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
            traits.append(f"only for the dialect **{self.dialect}**")
        if not self.default:
            traits.append("off unless selected")
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
        words.append(f"A probe says otherwise: {example.contradicted.strip()}")
    note = "".join(f"{each}\n\n" for each in words)
    if example.model:
        return f"{note}```\n{example.model.strip()}\n```"
    return note + "\n\n".join(
        f"`{name}`:\n\n```\n{content.strip()}\n```" for name, content in example.files.items()
    )
