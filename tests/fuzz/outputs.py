"""Requirements for every report: well-formed, and free of control characters from models."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

from modellint.report.html.markup import VOID

LONGEST, TIMES, FEW = 2_000_000, 100, 10
"""Characters of a report: for a few files of any size, and for each byte."""


def faults(name: str, text: str, size: int, files: int = 1) -> Iterator[str]:
    """Yield what is wrong with a report in a format about files of this size, or larger."""
    if len(text) > LONGEST * max(files / FEW, 1) + TIMES * size:
        yield f"{name} is too long: {len(text)} characters"
    yield from (f"{name}: {each}" for each in _unprintable(text))
    try:
        text.encode()
        yield from (f"{name}: {each}" for each in _CHECKS.get(name, _plain)(text))
    except (ValueError, KeyError, TypeError, ElementTree.ParseError) as error:
        yield f"{name}: not well-formed: {type(error).__name__}: {str(error)[:200]}"


def _unprintable(text: str) -> Iterator[str]:
    if text.isascii() and text.isprintable():
        return
    for char in sorted(set(text)):
        if char != "\n" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            yield f"character U+{ord(char):04X}"


def _plain(text: str) -> Iterator[str]:
    for line in text.splitlines():
        # What GitHub executes in the log of a job: "::" at the start of a line, "##[" anywhere.
        if line.lstrip().startswith("::") or "##[" in line:
            yield "workflow command"


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} in JSON")


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=_no_constant)


def _objects(text: str) -> Iterator[str]:
    """Each file's object follows that of the one before."""
    decoder, at = json.JSONDecoder(parse_constant=_no_constant), 0
    while at < len(text.rstrip()):
        document, end = decoder.raw_decode(text, at)
        at = end + 1
        if not isinstance(document, dict):
            yield "not an object"


def _json(text: str) -> Iterator[str]:
    document = _parsed(text)
    for finding in document["findings"]:
        if not (finding["code"] and finding["message"] and finding["severity"]):
            yield "a finding lacks something"


def _jsonl(text: str) -> Iterator[str]:
    if not all(isinstance(_parsed(line), dict) for line in text.splitlines()):
        yield "a line is not an object"


def _sarif(text: str) -> Iterator[str]:
    document = _parsed(text)
    run = document["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        if rules[result["ruleIndex"]]["id"] != result["ruleId"]:
            yield "the index of a rule is wrong"
        if not result["message"]["text"]:
            yield "an empty message"
        for place in result["locations"]:
            uri = place["physicalLocation"]["artifactLocation"]["uri"]
            if not re.fullmatch(r"[A-Za-z0-9_.~/:%-]+", uri):
                yield f"not a URI: {uri[:50]}"
            for logical in place.get("logicalLocations", ()):
                if "" in logical.values():
                    yield "an empty logical location"


def _junit(text: str) -> Iterator[str]:
    suites = ElementTree.fromstring(text)
    if suites.tag != "testsuites":
        yield f"the root is {suites.tag}"
    for suite in suites.iter("testsuite"):
        if int(suite.attrib["tests"]) != len(suite.findall("testcase")):
            yield "the number of tests is wrong"


def _gitlab(text: str) -> Iterator[str]:
    prints = []
    for issue in _parsed(text):
        prints.append(issue["fingerprint"])
        if issue["severity"] not in ("info", "minor", "major", "critical", "blocker"):
            yield "an unknown severity"
        if not (issue["description"] and issue["check_name"] and issue["location"]["path"]):
            yield "an issue lacks something"
        if int(issue["location"]["lines"]["begin"]) < 1:
            yield "a line below 1"
    if len(prints) != len(set(prints)):
        yield "two issues have one fingerprint"


_COMMAND = re.compile(
    r"::(error|warning|notice|group|endgroup)( [a-z]+=[^:,]*(,[a-z]+=[^:,]*)*)?::[^\r]*"
)


def _github(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.lstrip().startswith("::") and not _COMMAND.fullmatch(line):
            yield f"not our command: {line[:100]}"
        if "##[" in line and not line.startswith("::"):
            yield "workflow command"


_ACTIVE = re.compile(
    r"""(?<!\\)<(?!/?code>|br>|!--\ modellint\ -->$)[a-zA-Z/!]  # HTML that is not ours
      | (?<!\\)!\[ | (?<!\\)\]\((?!https://github\.com/modellint/)  # pictures, links
      | (?<![\w/])@\w | (?<!github\.com)(?<!https)://""",
    re.VERBOSE | re.MULTILINE,
)


def _markdown(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if found := _ACTIVE.search(line):
            yield f"markup: {line[max(found.start() - 30, 0) : found.end() + 30]!r}"
    yield from _plain(text)


class _Page(HTMLParser):
    """Faults of a page: elements that do not match or are not ours, scripts in attributes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.faults += [f"attribute {name}" for name, _ in attrs if name.startswith("on")]
        self.faults += [
            f"address {text}" for name, text in attrs if name in _ADDRESSES and _leads(text)
        ]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> does not match")


_ADDRESSES = ("href", "src")


def _leads(text: str | None) -> bool:
    """Return True unless an address stays in the page, or leads to the documentation."""
    return text is None or not text.startswith(("#", "data:image/", "https://"))


_PICTURE = re.compile(r"!\[[\w ,]+\]\([\w-]+\.svg\)", re.MULTILINE)


def _card(text: str) -> Iterator[str]:
    yield from _markdown(_PICTURE.sub("", text))


def _html(text: str) -> Iterator[str]:
    page = _Page()
    page.feed(text)
    page.close()
    yield from page.faults


def _csv(text: str) -> Iterator[str]:
    csv.field_size_limit(2**31 - 1)  # the format has no limit
    rows = list(csv.reader(io.StringIO(text), strict=True))
    if len({len(row) for row in rows}) > 1:
        yield "rows of unequal lengths"


_CHECKS: dict[str, Callable[[str], Iterator[str]]] = {
    "json": _json,
    "jsonl": _jsonl,
    "sarif": _sarif,
    "junit": _junit,
    "gitlab": _gitlab,
    "github": _github,
    "markdown": _markdown,
    "html": _html,
    "card": _card,
    "csv": _csv,
    "difference": _objects,
    "graph.json": _objects,
    "inspect-json": _objects,
}
