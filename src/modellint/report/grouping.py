"""Ordering and grouping of findings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace

from modellint.base.expressions import late
from modellint.base.records import dataclass
from modellint.base.text import clean, counted, listed, shorten
from modellint.results.finding import MORE, Finding, ModelSummary, Result, Severity

LONGEST_NAME = 100
"""Maximum length of a name in a list."""
MOST_NAMED = 3
"""Devices or runtimes named of those of which the same is found."""

_NUMBER = late(r"(\d+)")
_NAME_OR_NUMBER = late(r"'[^']*'(?: and [\d,]+ more)?|\d[\d,.]*")


@dataclass(frozen=True, slots=True)
class Group:
    """The same finding at several places in a model, represented by the first.

    A finding that stands for several nodes is a group of its own.
    """

    findings: tuple[Finding, ...]
    targets: tuple[str, ...] = ()
    """All devices of which the same is found."""
    runtimes: tuple[str, ...] = ()
    """All runtimes of which the same is found, whatever the device."""

    @property
    def first(self) -> Finding:
        return self.findings[0]

    @property
    def count(self) -> int:
        return len(self.findings) * max(len(self.targets), len(self.runtimes), 1)

    @property
    def devices(self) -> str:
        """Return `a10, l4 and 54 more`; empty if no device is meant."""
        return listed(self.every_target, MOST_NAMED)

    @property
    def every_target(self) -> tuple[str, ...]:
        target = self.first.target
        return self.targets or ((target,) if target else ())

    @property
    def every_runtime(self) -> tuple[str, ...]:
        runtime = self.first.runtime
        return self.runtimes or ((runtime,) if runtime else ())

    @property
    def rest(self) -> tuple[Finding, ...]:
        return self.findings[1:]

    @property
    def other_places(self) -> list[str]:
        """Return the names of all places but the first; empty for those without one."""
        if self.first.nodes:
            return self.first.nodes[1:]
        return [finding.location.label or "" for finding in self.rest]


@dataclass(frozen=True, slots=True)
class Section:
    """Section of a file in a report. Files other than models (a configuration) lack a summary."""

    path: str
    model: ModelSummary | None
    findings: tuple[Finding, ...]
    """Findings that count, most severe first."""
    suppressed: tuple[Finding, ...]
    devices: Mapping[str, str] = field(default_factory=dict)
    """Names of the targets by id."""

    @property
    def groups(self) -> list[Group]:
        return across_deployments(grouped(self.findings), self.devices)

    def count(self, severity: Severity) -> int:
        return sum(finding.severity is severity for finding in self.findings)


def ordered(result: Result) -> list[Finding]:
    """Sort findings by file in the order of the run, then by severity, rule and place.

    With a profile, after errors, what takes most time comes first.
    """
    files = _ranks(result)

    def rank(finding: Finding) -> tuple[object, ...]:
        place = finding.location
        index = -1 if place.index is None else place.index
        is_rest = finding.variant == MORE
        graph = place.graph or ""
        cost = 0.0 if finding.severity is Severity.ERROR else -finding.milliseconds
        return (
            *(files[finding.path], finding.severity is not Severity.ERROR, cost),
            *(-finding.severity, finding.code, is_rest, graph, index),
        )

    return sorted(result.findings, key=rank)


def sections(result: Result) -> list[Section]:
    """Return a section for every file, including those without findings."""
    models = {model.path: model for model in result.models}
    made = []
    for path, findings in by_file(result).items():
        active = tuple(finding for finding in findings if finding.suppressed is None)
        hidden = tuple(finding for finding in findings if finding.suppressed is not None)
        made.append(Section(path, models.get(path), active, hidden, result.devices))
    return made


def by_file(result: Result) -> dict[str, list[Finding]]:
    """Return the ordered findings of every file, including those without any."""
    files: dict[str, list[Finding]] = {path: [] for path in _ranks(result)}
    for finding in ordered(result):
        files[finding.path].append(finding)
    return files


def grouped(findings: Iterable[Finding]) -> list[Group]:
    """Group findings that differ only in their place, in order of first occurrence."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        groups.setdefault(_likeness(finding), []).append(finding)
    return [Group(tuple(members)) for members in groups.values()]


def across_deployments(groups: Iterable[Group], devices: Mapping[str, str]) -> list[Group]:
    """Merge groups that differ only in their target or runtime, in order of first occurrence.

    What is said of several targets names none of them.
    """
    named = {target: _device_pattern(name) for target, name in devices.items()}
    alike: dict[tuple[object, ...], list[tuple[Group, list[Finding]]]] = {}
    for group in groups:
        unnamed = [_of_any_device(finding, named) for finding in group.findings]
        alike.setdefault(tuple(map(_anywhere, unnamed)), []).append((group, unnamed))
    return [_merged(same) for same in alike.values()]


def _merged(same: Sequence[tuple[Group, list[Finding]]]) -> Group:
    group, unnamed = same[0]
    firsts = [each.first for each, _ in same]
    return Group(
        group.findings if len(same) == 1 else tuple(unnamed),
        tuple(first.target for first in firsts if first.target),
        tuple(dict.fromkeys(first.runtime for first in firsts if first.runtime)),
    )


def _device_pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:[Tt]he )?{re.escape(name)}(?!\w)")


def _of_any_device(finding: Finding, named: Mapping[str, re.Pattern[str]]) -> Finding:
    """Return the finding with `the target` for the name of its target."""
    pattern = named.get(finding.target or "")
    if pattern is None:
        return finding
    message, fix = (pattern.sub(_any_device, text) for text in (finding.message, finding.fix))
    if (message, fix) == (finding.message, finding.fix):
        return finding
    return replace(finding, message=message, fix=fix)


def _any_device(name: re.Match[str]) -> str:
    begins = name.start() == 0 or name[0].startswith("The ")
    return "The target" if begins else "the target"


@dataclass(frozen=True, slots=True)
class RuleGroups:
    """Findings of a rule in several models, represented by the first group of one."""

    groups: tuple[Group, ...]

    @property
    def first(self) -> Group:
        return self.groups[0]

    @property
    def count(self) -> int:
        return sum(group.count for group in self.groups)

    @property
    def forms(self) -> list[RuleGroups]:
        """Split it by what is said, whatever the names and numbers: the most frequent first."""
        alike: dict[str, list[Group]] = {}
        for group in self.groups:
            alike.setdefault(_masked(group.first.message), []).append(group)
        return sorted(
            (RuleGroups(tuple(groups)) for groups in alike.values()),
            key=lambda form: -len(form.groups),
        )

    @property
    def others(self) -> dict[str, int]:
        """Return the paths of all models but the first, with their numbers of findings."""
        counts: dict[str, int] = {}
        for group in self.groups:
            path = group.first.path
            counts[path] = counts.get(path, 0) + group.count
        counts.pop(self.first.first.path)
        return counts


def by_rule(told: Iterable[Section]) -> list[RuleGroups]:
    """Group findings across models by rule and variant: the most severe and most frequent first."""
    alike: dict[tuple[object, ...], list[Group]] = {}
    for section in told:
        for group in section.groups:
            first = group.first
            key = first.code, first.severity, first.runtime, first.variant
            alike.setdefault(key, []).append(group)
    models = Counter(
        (group.first.severity, group.first.code) for groups in alike.values() for group in groups
    )

    def rank(found: RuleGroups) -> tuple[object, ...]:
        first = found.first.first
        frequency = models[first.severity, first.code]
        return -first.severity, -frequency, first.code, -len(found.groups)

    return sorted((RuleGroups(tuple(groups)) for groups in alike.values()), key=rank)


def patterns(names: Sequence[str]) -> list[tuple[str, int]]:
    """Merge names that differ only in numbers, as in `layers.*.attn`, with their count."""
    families: dict[tuple[str, ...], list[list[str]]] = {}
    for name in names:
        parts = _NUMBER.split(name)
        families.setdefault(tuple(parts[::2]), []).append(parts)
    return [(_pattern(members), len(members)) for members in families.values()]


def also(group: Group, most: int | None = 3, times: str = "×", ellipsis: str = "…") -> str:
    """Return `at 11 more places: layer*.bn1 (×3), …`; empty for a group of one."""
    places = group.other_places
    if not places:
        return ""
    total = f"at {counted(len(places), 'more place')}"
    labels = list(filter(None, places))
    if not labels:
        return total
    names = patterns(labels)
    if most is None or not all(any(map(str.isalpha, name)) for name, _ in names):
        names = [(label, 1) for label in labels]  # a pattern such as `*` names nothing
    alone = len(names) == 1  # its count equals the total
    shown = [
        shorten(clean(name), LONGEST_NAME, ellipsis)
        + ("" if alone or number == 1 else f" ({times}{number})")
        for name, number in names[:most]
    ]
    more = [ellipsis] if len(names) > len(shown) else []
    return f"{total}: {', '.join(shown + more)}"


def _pattern(members: list[list[str]]) -> str:
    """Return the common pattern; numbers that are equal in all names are kept."""
    return "".join(
        column[0] if len(set(column)) == 1 else "*" for column in zip(*members, strict=True)
    )


def _likeness(finding: Finding) -> tuple[object, ...]:
    return (
        finding.path,
        finding.code,
        finding.severity,
        finding.target,
        finding.runtime,
        finding.variant,
        # Findings without a place, or at several, are the same only if their messages are.
        None if finding.location.label and finding.count == 1 else finding.message,
    )


def _masked(message: str) -> str:
    return _NAME_OR_NUMBER.sub("*", message)


def _anywhere(finding: Finding) -> tuple[object, ...]:
    """Return what a finding says, whatever the target, or the runtime if no target is meant."""
    return (
        *(finding.path, finding.code, finding.severity, finding.variant, finding.location),
        *(finding.message, finding.fix, finding.count, finding.confidence),
        finding.runtime if finding.target else None,
    )


def _ranks(result: Result) -> dict[str, int]:
    others = sorted({finding.path for finding in result.findings})
    paths = dict.fromkeys([*(model.path for model in result.models), *others])
    return {path: rank for rank, path in enumerate(paths)}
