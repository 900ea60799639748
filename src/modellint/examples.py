"""Runs the examples of rule files: models on which a rule fires or stays silent."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellint.base.errors import UsageError
from modellint.base.paths import leaves_lexically
from modellint.base.records import dataclass
from modellint.engine import lint_file
from modellint.formats.registry import formats
from modellint.plan import Plan
from modellint.probes import ProbeRequest, known_backends
from modellint.probes.outcome import from_json
from modellint.results.finding import Finding
from modellint.rules.rule import Example, Rule
from modellint.targets import find_target
from modellint.targets.deployment import Deployment, Serving, split_runtime, version_of
from modellint.targets.shapes import parse_shape

if TYPE_CHECKING:
    from modellint.results.measured import MeasuredRun

FIRES, SILENT = "invalid", "valid"


@dataclass(frozen=True, slots=True)
class Case:
    """An example of a rule, with the expected result."""

    rule: Rule
    kind: str
    number: int
    example: Example

    @property
    def name(self) -> str:
        return f"{self.rule.code}-{self.kind}-{self.number}"

    @property
    def missing(self) -> str:
        """Return a message if the runtime that the example needs is not installed, else ""."""
        if self.example.probe is None or self.example.recorded:
            return ""
        backend = known_backends()[self.example.probe]
        return "" if backend.module else f"{backend.title} is not installed: {backend.install}"

    def failure(self) -> str:
        """Describe how the result differs from the expected one; empty if it does not."""
        try:
            with tempfile.TemporaryDirectory() as folder:
                findings = run_example(self.rule, self.example, Path(folder))
            return _difference(self, findings) or self._mistake_of_fix()
        except UsageError as error:
            return str(error)

    def _mistake_of_fix(self) -> str:
        """Describe how the fix's result differs from the expected one."""
        example = self.example
        if not example.fixed:
            return ""
        from modellint.fixing.example import failure_of

        with tempfile.TemporaryDirectory() as folder:
            plan = plan_of(self.rule, example)
            return failure_of(
                self.rule, plan, example.model, example.fixed, example.choices, Path(folder)
            )


def lacks_examples(rule: Rule) -> str:
    """Return a message if a rule has too few examples, else ""."""
    has_both = bool(rule.examples.invalid and rule.examples.valid)
    return "" if has_both or rule.check == "engine" else "needs both invalid and valid examples"


def cases_of(rule: Rule) -> Iterator[Case]:
    for kind in (FIRES, SILENT):
        for number, example in enumerate(getattr(rule.examples, kind)):
            yield Case(rule, kind, number, example)


def run_example(rule: Rule, example: Example, folder: Path) -> list[Finding]:
    """Lint the example as a file in an empty folder, with its rule only."""
    path = write_files(example, folder)
    return list(lint_file(path, path.name, plan_of(rule, example)).findings)


def plan_of(rule: Rule, example: Example) -> Plan:
    """Return the plan that lints an example with its rule only."""
    return Plan(
        rules=(rule,),
        deployments=(deployment_of(example),),
        options={rule.code: example.options},
        probe=probe_of(example),
        profile=profile_of(example),
    )


def _difference(case: Case, findings: list[Finding]) -> str:
    """Describe how the findings differ from the expected ones."""
    found = "".join(f"\n  {each.location.label}: {each.message}" for each in findings)
    if any(finding.code != case.rule.code for finding in findings):
        return f"the rule crashed:{found}"
    if case.kind == SILENT:
        return f"expected no findings, found {len(findings)}:{found}" if findings else ""
    example = case.example
    if len(findings) != example.findings:
        return f"expected {example.findings} findings, found {len(findings)}{found and ':'}{found}"
    labels = sorted(finding.location.label for finding in findings)
    if example.at and labels != sorted(example.at):
        return f"expected findings at {', '.join(sorted(example.at))}:{found}"
    if findings and example.message not in findings[0].message:
        return f"expected a message with {example.message!r}:{found}"
    return ""


def probe_of(example: Example) -> ProbeRequest | None:
    """Return the example's recorded probe outcome, or a request to run the runtime it names."""
    if example.recorded:
        try:
            return ProbeRequest(recorded=from_json(example.recorded))
        except ValueError as error:
            raise UsageError(f"the recorded outcome of an example: {error}") from error
    return ProbeRequest(example.probe) if example.probe is not None else None


def profile_of(example: Example) -> MeasuredRun | None:
    """Return the example's measured run."""
    if not example.profile:
        return None
    from modellint.results.measured import KIND, run_from_json

    run = {"kind": KIND, "model": {"name": "model"}, "runtime": {"name": "example"}}
    try:
        return run_from_json({**run, "source": "example", **example.profile})
    except ValueError as error:
        raise UsageError(f"the profile of an example: {error}") from error


def write_files(example: Example, folder: Path) -> Path:
    contents = dict(example.files) or {"model.onnxtxt": example.model}
    for name, content in contents.items():
        if leaves_lexically(name) or not name.strip("/."):
            raise UsageError(f"file {name!r} of an example is outside the example's folder")
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_bytes_of(name, content))
    return folder / next(iter(contents))


def _bytes_of(name: str, content: str) -> bytes:
    """Return the bytes that the text represents: after ``hex:``, or after a format's name."""
    kind, _, text = content.partition(":")
    notations = {each.name: each.encode for each in formats() if each.notation}
    encode = bytes.fromhex if kind == "hex" else notations.get(kind)
    try:
        return encode(text) if encode is not None else content.encode()
    except ValueError as error:
        raise UsageError(f"file {name!r} of an example: {error}") from error


def _serving(stated: Mapping[str, Any]) -> Serving:
    contexts = tuple(stated.get("contexts", ()))
    return Serving(**{**stated, "contexts": contexts})


def deployment_of(example: Example) -> Deployment:
    target = find_target(example.target) if example.target else None
    runtime, version = split_runtime(example.runtime) if example.runtime else (None, None)
    if runtime is None and target is not None:
        runtime = target.default_runtime
    return Deployment(
        target=target,
        runtime=runtime,
        runtime_version=version_of(runtime, version, target, example.dla),
        precision=example.precision,
        batch=example.batch,
        shapes={name: parse_shape(text) for name, text in example.shapes.items()},
        dla=example.dla,
        serving=_serving(example.serving),
    )
