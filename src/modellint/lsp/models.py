"""Findings about the models of a workspace, made in the background."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from modellint.base.errors import UsageError
from modellint.base.links import rule_url
from modellint.base.mistakes import FileMistake
from modellint.base.paths import NEVER_WALKED, Folders
from modellint.base.text import brief
from modellint.base.toml_text import Range
from modellint.discovery import GitIgnores
from modellint.formats.registry import first_part, formats, is_model
from modellint.lsp.documents import TOP, OpenDocument, uri_of
from modellint.lsp.texts import ERROR, INFORMATION, SOURCE, WARNING, Diagnosis
from modellint.results.finding import Finding, Severity
from modellint.serving.chores import Chores
from modellint.serving.work import WorkEndedError, Worker

LINTING, SHOWING = 300.0, 300.0
"""Seconds that linting a model, or a page about it, may take."""
PAUSE = 0.5
"""Seconds to wait for a file that changes to change again."""
MOST_FINDINGS, MOST_RELATED = 500, 10
_SEVERITIES = {Severity.ERROR: ERROR, Severity.WARNING: WARNING, Severity.INFO: INFORMATION}

Publish = Callable[[str, list[Diagnosis]], None]


class ModelLinter:
    """Lints models that are opened or saved, one after the other."""

    def __init__(self, publish: Publish, document_of: Callable[[str], OpenDocument | None]) -> None:
        self.given: Mapping[str, Any] = {}
        """Settings of the client, which override those of a configuration."""
        self.folders: Sequence[Path] = ()
        """Folders of the workspace."""
        self._publish = publish
        self._document_of = document_of
        self._linting = Worker("lsp.child", LINTING)
        self._showing = Worker("lsp.child", SHOWING)
        self._chores = Chores()
        self._shown: dict[str, tuple[Path, bool]] = {}
        """Models that have findings in the editor, by URI, and whether they were named."""

    def lint(self, path: Path, seconds: float = 0.0, *, is_named: bool = True) -> None:
        """Lint a model after a pause; what is going on about it is out of date, and ends.

        One that was not named, but noticed, is left alone if the configuration excludes it.
        """
        path = first_part(path)
        uri = uri_of(path)
        _, was_named = self._shown.get(uri, (path, False))
        self._shown[uri] = path, is_named or was_named
        self._linting.cancel(uri)
        self._chores.later(uri, seconds, lambda: self._report(uri, path))

    def again(self) -> None:
        """Lint all models that have findings: a configuration has changed."""
        for path, is_named in tuple(self._shown.values()):
            self.lint(path, PAUSE, is_named=is_named)

    def cancel(self, path: Path) -> None:
        """Cancel pending work on a model that is being changed."""
        uri = uri_of(first_part(path))
        self._chores.forget(uri)
        self._linting.cancel(uri)

    def forget(self, path: Path) -> None:
        """Take a model's findings out of the editor."""
        self.cancel(path)
        uri = uri_of(first_part(path))
        if self._shown.pop(uri, None) is not None:
            self._publish(uri, [])

    def try_examples(self, path: Path, show: Callable[[list[FileMistake]], None]) -> None:
        """Run a rule file's examples, and show their failures."""
        uri = uri_of(path)

        def chore() -> None:
            try:
                show(self._linting.do(uri, "examples", str(path)))
            except (UsageError, WorkEndedError) as error:
                show([FileMistake(str(error))])

        self._linting.cancel(uri)
        self._chores.later(uri, 0.0, chore)

    def page(self, key: object, path: Path) -> str:
        page: str = self._showing.do(key, "page", *self._arguments(path))
        return page

    def cancel_page(self, key: object) -> None:
        self._showing.cancel(key)

    def end(self) -> None:
        self._linting.end()
        self._showing.end()

    def _arguments(self, path: Path, **more: Any) -> tuple[object, ...]:
        """Return a model, the settings, and the folder that its path is shown relative to."""
        around = (folder for folder in self.folders if path.is_relative_to(folder))
        return str(path), {**self.given, **more}, str(next(around, path.parent))

    def _report(self, uri: str, path: Path) -> None:
        _, is_named = self._shown.get(uri, (path, True))
        more = {} if is_named else {"force_exclude": True}
        try:
            found = self._linting.do(uri, "lint", *self._arguments(path, **more))
        except WorkEndedError as error:
            if str(error) == "cancelled":
                return
            found = None
            diagnoses = [_plain(f"this model was not linted: {error}")]
        except UsageError as error:  # such as a mistake in its configuration
            found = None
            diagnoses = [_plain(str(error))]
        if found is not None:
            diagnoses = _diagnoses(found, uri, self._document_of(uri))
        if uri in self._shown:
            self._publish(uri, diagnoses)


def globs() -> list[str]:
    """Return what names of models look like, for clients that watch files."""
    suffixes = sorted({suffix for format in formats() for suffix in format.suffixes})
    return [f"**/*{suffix}" for suffix in suffixes]


def is_linted(path: Path, folders: Sequence[Path]) -> bool:
    """Return True for models of a workspace, except those that a search would pass over."""
    if not is_model(path) or not path.is_file():
        return False
    top = next((folder for folder in folders if path.is_relative_to(folder)), None)
    if top is None or NEVER_WALKED & {part.casefold() for part in path.relative_to(top).parts}:
        return False
    ignores = GitIgnores(top, Folders())
    between = [each for each in path.parents if each != top and each.is_relative_to(top)]
    return not (
        ignores.ignored(path, False) or any(ignores.ignored(each, True) for each in between)
    )


def _plain(text: str) -> Diagnosis:
    return {"range": TOP, "severity": ERROR, "source": SOURCE, "message": text}


def _diagnoses(
    findings: Sequence[Finding], uri: str, document: OpenDocument | None
) -> list[Diagnosis]:
    found = sorted(findings, key=lambda each: -each.severity)
    shown = [_diagnosis(each, uri, document) for each in found[:MOST_FINDINGS]]
    if len(found) > MOST_FINDINGS:
        more = f"{len(found) - MOST_FINDINGS:,} more findings; modellint check lists them"
        shown.append({**_plain(more), "severity": INFORMATION})
    return shown


def _diagnosis(finding: Finding, uri: str, document: OpenDocument | None) -> Diagnosis:
    label = brief(finding.location.label)
    place = _place_in(document, finding.location.label) if document is not None else None
    target = f" [{finding.target}]" if finding.target else ""
    message = brief(finding.message)
    where = f"{label}: " if label and place is None and label not in message else ""
    related = [
        {"location": {"uri": uri, "range": _range(document, name)}, "message": brief(name)}
        for name in finding.nodes[:MOST_RELATED]
    ]
    url = rule_url(finding.code)
    return {
        "range": document.range(place) if document is not None and place is not None else TOP,
        "severity": _SEVERITIES[finding.severity],
        "source": SOURCE,
        "code": finding.code,
        **({"codeDescription": {"href": url}} if url else {}),
        "message": f"{where}{message}{target}",
        **({"relatedInformation": related} if related else {}),
    }


def _range(document: OpenDocument | None, name: str) -> dict[str, Any]:
    place = _place_in(document, name) if document is not None else None
    return document.range(place) if document is not None and place is not None else TOP


def _place_in(document: OpenDocument, name: str) -> Range | None:
    """Return where ONNX's text syntax defines a node or a value, or first names it."""
    if not name:
        return None
    word = re.escape(name)
    quoted = rf'(?:"{word}"|(?<![\w./:]){word}(?![\w./:]))'
    ways = (rf"\[\s*{quoted}\s*\]", rf"^[^=\n]*?{quoted}(?=[^=\n(]*=)", quoted)
    for way in ways:
        found = re.search(way, document.text, re.MULTILINE)
        if found is not None:
            end = found.end()
            return Range(end - len(name), end) if way == ways[1] else Range(*found.span())
    return None
