"""Globs with `.gitignore` syntax, for discovery and configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import count

from modellint.base.expressions import late
from modellint.base.records import dataclass

_SEPARATOR = late(r"(?<!\\)\\+(?=[\w.*-])")
"""A backslash before an ordinary character, hence a path separator (``\\*`` is an escape)."""
LONGEST = 4096
"""Limit on the length of a pattern, which is that of a path on most systems."""
_STAR = "*"
_FOLDERS = "**/"


@dataclass(frozen=True, slots=True)
class _Pattern:
    regex: re.Pattern[str]
    negated: bool
    folders_only: bool


class Globs:
    """Patterns relative to a folder. The last pattern that matches a path decides.

    A pattern without a slash matches at any depth; with a slash at its start or in the middle it is
    anchored; with a slash at its end it matches only folders; ``**`` spans folders; ``!`` negates.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        parsed = (_parse(pattern) for pattern in patterns)
        self._patterns = tuple(pattern for pattern in parsed if pattern is not None)

    @classmethod
    def of_setting(cls, patterns: Iterable[str]) -> Globs:
        r"""Parse patterns of a setting, which may also contain ``./`` and ``models\old``."""
        return cls(_SEPARATOR.sub("/", pattern).removeprefix("./") for pattern in patterns)

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def decide(self, path: str, *, is_folder: bool = False) -> bool | None:
        """Return True if matched, False if matched by a negated pattern, None if not matched."""
        for pattern in reversed(self._patterns):
            if pattern.folders_only and not is_folder:
                continue
            if pattern.regex.fullmatch(path):
                return not pattern.negated
        return None

    def match(self, path: str) -> bool:
        """Return True if a file, or a folder above it, is matched."""
        parts = path.split("/")
        folders = ("/".join(parts[:end]) for end in range(1, len(parts)))
        if any(self.decide(folder, is_folder=True) for folder in folders):
            return True
        return bool(self.decide(path))


def _parse(line: str) -> _Pattern | None:
    line = _strip_trailing_spaces(line.rstrip("\r\n"))
    if not line or line.startswith("#"):
        return None
    negated = line.startswith("!")
    line = line[1:] if negated else line
    folders_only = line.endswith("/")
    line = line.rstrip("/") if folders_only else line
    if not line:
        return None
    regex = _compile(line)
    return _Pattern(regex, negated, folders_only) if regex is not None else None


def _strip_trailing_spaces(line: str) -> str:
    """Strip trailing spaces, unless escaped with a backslash."""
    stripped = line.rstrip(" ")
    quoted = len(stripped) < len(line) and stripped.endswith("\\")
    return stripped + " " if quoted else stripped


@lru_cache(maxsize=1024)
def _compile(glob: str) -> re.Pattern[str] | None:
    if len(glob) > LONGEST:
        return None
    anchored = "/" in glob
    tokens = [*([] if anchored else [_FOLDERS]), *_tokens(glob.removeprefix("/"))]
    try:
        return re.compile(_expression(tokens), re.DOTALL)
    except re.error:
        return None  # as git does: a malformed pattern matches nothing


def _tokens(glob: str) -> Iterator[str]:
    """Convert a glob to expressions of one character each, and the wildcards between them."""
    at = 0
    while at < len(glob):
        starts_part = at == 0 or glob[at - 1] == "/"
        if starts_part and glob.startswith("**/", at):
            yield _FOLDERS
            at += 3
        elif starts_part and glob.startswith("**", at) and at + 2 == len(glob):
            yield ".+"
            at += 2
        elif glob[at] == "*":
            yield _STAR
            at += 1
        elif glob[at] == "?":
            yield "[^/]"
            at += 1
        elif glob[at] == "[":
            text, at = _character_class(glob, at)
            yield text
        elif glob[at] == "\\" and at + 1 < len(glob):
            yield re.escape(glob[at + 1])
            at += 2
        else:
            yield re.escape(glob[at])
            at += 1


def _expression(tokens: Sequence[str]) -> str:
    """Return a regular expression whose work grows with the path, not with its wildcards.

    What follows a wildcard is matched at the first place possible, once and for all: no later place
    leaves more of the path to the rest. Only what follows the last wildcard has to be at the end.
    """
    names = count()

    def join(parts: Sequence[str], first: str, last: str) -> str:
        begin, *inner = parts
        end = f"{last}{inner.pop()}" if inner else ""
        return "".join([begin, *(_once(first + part, next(names)) for part in inner if part), end])

    def part(tokens: Sequence[str]) -> str:
        return join(["".join(each) for each in _split(tokens, _STAR)], "[^/]*?", "[^/]*")

    def parts(tokens: Sequence[str]) -> str:
        return "/".join(map(part, _split(tokens, "/")))

    return join([*map(parts, _split(tokens, _FOLDERS))], "(?:.*?/)??", "(?:.*/)?")


def _once(expression: str, number: int) -> str:
    """Match an expression without trying others of its matches later: an atomic group."""
    return f"(?=(?P<_{number}>{expression}))(?P=_{number})"


def _split(tokens: Sequence[str], mark: str) -> Iterator[Sequence[str]]:
    start = 0
    for at, token in enumerate(tokens):
        if token == mark:
            yield tokens[start:at]
            start = at + 1
    yield tokens[start:]


_NAMED_CLASS = late(r"\[:(\w+):\]")
_NAMED_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "space": r"\s",
    "xdigit": "0-9a-fA-F",
    "punct": r"!-/:-@\[-`{-~",
    "word": r"\w",
}


def _character_class(glob: str, start: int) -> tuple[str, int]:
    """Convert ``[a-z]``, ``[!a-z]`` or ``[[:digit:]]`` at `start`; also return its end."""
    at = start + 1
    negated = glob[at : at + 1] in ("!", "^")
    at += negated
    members, first = [], True
    while at < len(glob) and (first or glob[at] != "]"):
        first = False
        named = _NAMED_CLASS.match(glob, at)
        if named and named[1] in _NAMED_CLASSES:
            members.append(_NAMED_CLASSES[named[1]])
            at = named.end()
        elif glob[at] == "\\" and at + 1 < len(glob):
            members.append(re.escape(glob[at + 1]))
            at += 2
        else:
            members.append("-" if glob[at] == "-" else re.escape(glob[at]))
            at += 1
    if at >= len(glob):
        return "(?!)", at  # never closed: as with git, nothing matches
    inside = "".join(members)
    return (f"[^/{inside}]" if negated else f"(?!/)[{inside}]"), at + 1
