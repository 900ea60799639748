"""Absurd values of every type."""

from __future__ import annotations

import math
import random
import struct

POWERS = (0, 1, 7, 8, 16, 20, 31, 32, 53, 62, 63)
NUMBERS = (
    0,
    3,
    *((sign << power) + off for power in POWERS for sign in (1, -1) for off in (0, -1)),
)
DIMS = (*(1, 0, 1, 2, 3, 4, 8, 16, 224), *(-1, 1024, 1 << 31, 1 << 40, 1 << 62, (1 << 63) - 1))
"""The first ones are usual."""
USUAL = 9
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e-8, 1e9, 3.4e38, math.inf, -math.inf, math.nan)

# Bytes, one name a line: controls, terminals, workflow commands, bidi, invalid UTF-8, markup,
# format strings, paths, and what looks like something else.
_NAMES = r"""
\x00
a\x00b
\n
a\nb
\r
\n::error::injected
::error file=x::injected
##[error]injected
\x1b[31mred\x1b[0m
\x1b]0;title\x07
\x9b31m
\xc2\x9b31m
\xe2\x80\xaegnp.onnx
\xe2\x81\xa6x\xe2\x81\xa9
\xe2\x80\xa8line
\xef\xbb\xbfx
\xff\xfe
\x80
abc\xc3
\xed\xa0\x80
\xf4\x90\x80\x80
\xc0\x80
<script>alert(1)</script>
<img src=x onerror=alert(1)>
</testcase>
]]>
<!--
&amp;
[red]markup[/red]
[link=http://evil.example]x[/link]
![x](http://evil.example)
[x](javascript:alert(1))
|a|b|
`code`
@everyone #1
<!-- modellint -->
-->
{x!r:>99999999}
{node}
{0.__class__}
{
}
{unclosed
%s%n%99999999d
$(id)
../../etc/passwd
/dev/zero
~/x
C:\\x
-o
'"
\\
a/b:0
None
nan
\xc3\xa9\xcc\x81\xcc\x81
\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7
\xef\xbd\x97\xef\xbd\x89\xef\xbd\x84\xef\xbd\x85
\t
.
0
-1
"""
NAMES = (
    b"",
    b" ",
    *(
        each.encode().decode("unicode_escape").encode("latin-1")
        for each in _NAMES.split("\n")[1:-1]
    ),
)
"""Names that something could interpret."""


def name(chance: random.Random) -> bytes:
    kind = chance.random()
    if kind < 0.9:
        return chance.choice(NAMES)
    if kind < 0.97:
        return chance.choice(NAMES) + b"x" * chance.choice((100, 1000, 5000))
    return chance.choice((b"long", b"\xff", "é".encode(), b"a b ", b"\n")) * chance.choice(
        (1 << 12, 1 << 17)
    )


def number(chance: random.Random) -> int:
    if chance.random() < 0.15:
        return chance.randrange(-(1 << 63), 1 << 63) >> chance.randrange(64)
    return chance.choice(NUMBERS)


def small(chance: random.Random) -> int:
    """A number as an axis, a count or an enumeration has it, or just past it."""
    return chance.choice((-2, -1, 0, 0, 1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 9, 10, 11, 16, 22, 23, 99))


def dims(chance: random.Random) -> list[int]:
    """A shape: mostly of usual rank, of usual and absurd sizes."""
    rank = chance.choice(
        (0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 8, 40) if chance.random() < 0.995 else (3000,)
    )
    usual = chance.random() < 0.6
    return [chance.choice(DIMS[:USUAL] if usual else DIMS) for _ in range(rank)]


def payload(chance: random.Random, size: int) -> bytes:
    """Bytes of numbers: some pattern, all alike, or all special."""
    kind = chance.randrange(6)
    if kind == 0:
        return bytes(size)
    if kind == 1:
        return b"\xff" * size
    if kind == 2:
        return (struct.pack("<f", chance.choice(FLOATS)) * (size // 4 + 1))[:size]
    if kind == 3:
        number_ = chance.choice((1, -1, 2, 1 << 62, -(1 << 63)))
        return (struct.pack("<q", number_) * (size // 8 + 1))[:size]
    return chance.randbytes(size)
