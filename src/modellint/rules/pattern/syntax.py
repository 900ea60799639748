"""Parser of patterns, with one node per line: ``z = Relu|Clip(y, _, ...)``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from keyword import iskeyword
from typing import NamedTuple, NoReturn

from modellint.base.expressions import late
from modellint.base.records import dataclass
from modellint.operators import Trait, choice
from modellint.rules.pattern.errors import PatternError, hint

UNNAMED = "_"
MOST_LINES = 100

_TOKENS = late(
    r"(?P<space>[ \t]+|\#.*)"
    r"|(?P<name>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)"
    r"|(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<mark>\.\.\.|[=(),?!|<>])"
)
_COMMENT = late("#.*")
_OPS = late(r"=([\w.|<>\s-]+)\(")


class Slot(NamedTuple):
    """An input or output of a line."""

    name: str | None = None
    optional: bool = False
    absent: bool = False
    literal: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A node of the pattern."""

    number: int
    ops: frozenset[str] | None
    """Qualified op types, or None for any op."""
    outputs: tuple[Slot, ...]
    inputs: tuple[Slot, ...]
    gap: int | None
    """Number of inputs before those that may stand anywhere after them."""
    more_inputs: bool
    more_outputs: bool


@dataclass(frozen=True, slots=True)
class Pattern:
    lines: tuple[Line, ...]
    producers: dict[str, int]
    """Index of the line that produces each variable."""
    variables: frozenset[str]
    optional: frozenset[str]


class _Listed(NamedTuple):
    """The inputs or outputs of a line."""

    slots: tuple[Slot, ...]
    gap: int | None
    more: bool


class _Token(NamedTuple):
    kind: str
    text: str
    column: int


@cache
def required_ops(text: str) -> tuple[frozenset[str], ...]:
    """Return the op types of each node of a pattern, one of which a graph must contain.

    Reads the text without parsing it, so that rules whose ops are absent are never compiled.
    """
    choices = map(choice, _choices(text))
    return tuple(each for each in choices if each is not None)


def choices_of(patterns: Sequence[str]) -> tuple[str, ...]:
    """Return choices of ops of which a model needs one each if any of the patterns is to match."""
    first, *others = map(_choices, patterns)
    if not others:
        return first
    narrowest = [min(each, key=lambda text: text.count("|")) for each in (first, *others) if each]
    return (" | ".join(narrowest),) if len(narrowest) == len(patterns) else ()


def _choices(text: str) -> tuple[str, ...]:
    """Return the choices of a pattern's nodes as it states them, without those of any op."""
    stated = (ops.strip() for ops in _OPS.findall(_COMMENT.sub("", text)))
    return tuple(dict.fromkeys(ops for ops in stated if "_" not in ops.split("|")))


def parse(text: str) -> Pattern:
    """Parse a pattern; raise PatternError if invalid."""
    lines = [
        _LineParser(text, number, line).parse()
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if len(lines) > MOST_LINES:
        reason = f"more than {MOST_LINES} nodes"
        raise PatternError(reason, "pattern", text, lines[MOST_LINES].number, 1)
    if not lines:
        raise PatternError("the pattern is empty", "pattern", text, 1, 1)
    return _checked(text, lines)


class _LineParser:
    def __init__(self, text: str, number: int, line: str) -> None:
        self.text = text
        self.number = number
        self.line = line
        self.tokens = list(self._tokenize())
        self.position = 0

    def _tokenize(self) -> Iterator[_Token]:
        at = 0
        while at < len(self.line):
            found = _TOKENS.match(self.line, at)
            if found is None:
                self._fail(f"unexpected {self.line[at]!r}", at + 1)
            if found.lastgroup != "space":
                yield _Token(str(found.lastgroup), found.group(), at + 1)
            at = found.end()
        yield _Token("end", "", len(self.line.rstrip()) + 1)

    def _fail(self, message: str, column: int | None = None) -> NoReturn:
        at = column if column is not None else self.tokens[self.position].column
        raise PatternError(message, "pattern", self.text, self.number, at)

    def _take(self) -> _Token:
        token = self.tokens[self.position]
        self.position += token.kind != "end"
        return token

    def _skip(self, text: str) -> bool:
        """Skip a mark if it is the next token."""
        found = self.tokens[self.position].text == text
        self.position += found
        return found

    def _expect(self, text: str, after: str) -> None:
        if not self._skip(text):
            token = self.tokens[self.position]
            self._fail(f"expected {text!r} {after}, found {token.text or 'the end of the line'!r}")

    def parse(self) -> Line:
        outputs = self._slots("=", output=True)
        self._expect("=", "after the outputs")
        ops = self._ops()
        self._expect("(", "after the op type")
        inputs = self._slots(")", output=False)
        self._expect(")", "after the inputs")
        if self.tokens[self.position].kind != "end":
            self._fail("only one node per line: nothing may follow ')'")
        if not outputs.slots:
            self._fail("a node needs an output to its left; '_' if no name is needed", 1)
        return Line(
            number=self.number,
            ops=ops,
            outputs=outputs.slots,
            inputs=inputs.slots,
            gap=inputs.gap,
            more_inputs=inputs.more,
            more_outputs=outputs.more,
        )

    def _ops(self) -> frozenset[str] | None:
        ops = [self._op()]
        while self._skip("|"):
            ops.append(self._op())
        return choice("|".join(ops))

    def _op(self) -> str:
        if self._skip("<"):
            trait = self.tokens[self.position].text
            known = [each.value for each in Trait]
            if trait not in known:
                self._fail(f"no operators have the trait {trait!r}{hint(trait, known)}")
            self._take()
            self._expect(">", "after the trait")
            return f"<{trait}>"
        if self.tokens[self.position].kind != "name":
            self._fail("expected an op type, such as Conv or com.microsoft.FusedConv")
        return self._take().text

    def _slots(self, end: str, *, output: bool) -> _Listed:
        slots: list[Slot] = []
        gap: int | None = None
        while self.tokens[self.position].text != end:
            if slots or gap is not None:
                self._expect(",", "between names")
            if not self._skip("..."):
                slots.append(self._slot(output=output))
            elif output or gap is not None or self.tokens[self.position].text == end:
                return _Listed(tuple(slots), gap, more=True)
            else:
                gap = len(slots)
        return _Listed(tuple(slots), gap, more=False)

    def _slot(self, *, output: bool) -> Slot:
        token = self.tokens[self.position]
        if not output and token.kind == "number":
            self._take()
            return Slot(literal=float(token.text))
        if not output and self._skip("!"):
            return Slot(absent=True)
        if token.kind != "name":
            kinds = "a name" if output else "a name, a number, '_', '!' or '...'"
            self._fail(f"expected {kinds}, found {token.text or 'the end of the line'!r}")
        if not token.text.isidentifier() or iskeyword(token.text) or token.text == "null":
            self._fail(f"{token.text!r} cannot name a value")
        self._take()
        name = None if token.text == UNNAMED else token.text
        # Unnamed outputs may be absent.
        return Slot(name, optional=self._skip("?") or (output and name is None))


def ties(line: Line, optional: frozenset[str]) -> frozenset[str]:
    """Return the variables by which the search can reach this node from others."""
    named = {slot.name for slot in (*line.inputs, *line.outputs) if slot.name is not None}
    return frozenset(named - optional)


def _checked(text: str, lines: list[Line]) -> Pattern:
    """Raise for patterns that can never match, or that match unconnected nodes."""

    def fail(message: str, line: Line, word: str = "") -> NoReturn:
        source = text.splitlines()[line.number - 1]
        place = re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)" if word else r"\S", source)
        column = place.start() + 1 if place else 1
        raise PatternError(message, "pattern", text, line.number, column)

    producers: dict[str, int] = {}
    used: set[str] = set()
    optional: set[str] = set()
    for index, line in enumerate(lines):
        for name, slot in _named(line.inputs):
            if slot.optional and name in producers:
                fail(f"{name!r} is made by another line, so it cannot be optional", line, name)
            used.add(name)
            optional |= {name} if slot.optional else set()
        for name, slot in _named(line.outputs):
            if name in producers:
                before = lines[producers[name]].number
                fail(f"{name!r} is already made on line {before}", line, name)
            if name in used:
                fail(f"{name!r} is used before it is made", line, name)
            producers[name] = index
            optional |= {name} if slot.optional else set()
    for name in sorted(optional & used & producers.keys()):
        fail(f"{name!r} is used, so it cannot be optional", lines[producers[name]], name)
    if all(line.ops is None for line in lines):
        fail("at least one node needs an op type other than '_'", lines[0])
    _check_connected(lines, frozenset(optional), fail)
    return Pattern(tuple(lines), producers, frozenset(producers) | used, frozenset(optional))


def _named(slots: tuple[Slot, ...]) -> Iterator[tuple[str, Slot]]:
    return ((slot.name, slot) for slot in slots if slot.name is not None)


def _check_connected(
    lines: list[Line], optional: frozenset[str], fail: Callable[[str, Line], NoReturn]
) -> None:
    reached = ties(lines[0], optional)
    rest = lines[1:]
    while rest:
        touching = [line for line in rest if ties(line, optional) & reached]
        if not touching:
            fail("shares no value with the other nodes", rest[0])
        reached = reached.union(*(ties(line, optional) for line in touching))
        rest = [line for line in rest if line not in touching]
