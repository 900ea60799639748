"""Template of a rule file, which passes its own examples."""

from __future__ import annotations

import re
from collections.abc import Iterable

from modellint.base.errors import UsageError

CODE = re.compile(r"(?P<prefix>[A-Z]{2,5})(?P<number>\d{3})?")
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

TEMPLATE = '''\
summary  = "Two Relus in a row."
severity = "warning"
message  = "Relu '{node}' follows Relu '{first}' and changes nothing."
why = """
Say what this costs, or what breaks: a few sentences.
"""
fix = """
Say how to get rid of it.
"""
note    = "repeats the Relu above"
sources = []
reads   = ["graph"]

# See docs/patterns.md for the language, and docs/writing-rules.md for all fields. A rule that
# knows several forms of what it looks for has a [[match]] block for each.
[match]
pattern = """
    y = Relu(x)
    z = Relu(y)
"""
where  = []
report = "z"
facts  = { first = "name(y)" }

# Models for which the rule must fire. 'modellint rules test' runs them.
[[examples.invalid]]
model = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[2] x) => (float[2] z)
{
    y = Relu (x)
    z = Relu (y)
}
"""
at = ["z"]

# Models for which it must stay silent: those that are almost a case matter most.
[[examples.valid]]
note  = "Another op in between."
model = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[2] x) => (float[2] z)
{
    y = Relu (x)
    n = Neg (y)
    z = Relu (n)
}
"""
'''


def next_code(code: str, taken: Iterable[str]) -> str:
    """Return the code if it is free; for a prefix such as ``FUS``, its next free number."""
    parts = CODE.fullmatch(code)
    if parts is None:
        raise UsageError(f"invalid code {code!r} (examples: FUS, FUS042)")
    numbers = {int(each[-3:]) for each in taken if each[:-3] == parts["prefix"]}
    free = f"{parts['prefix']}{max(numbers, default=0) + 1:03}"
    if parts["number"] is None:
        return free
    if int(parts["number"]) in numbers:
        raise UsageError(f"{code} is already used; the next free code is {free}")
    return code


def file_name(code: str, name: str) -> str:
    if not NAME.fullmatch(name):
        raise UsageError(f"invalid name {name!r} (example: relu-after-relu)")
    return f"{code}-{name}.toml"
