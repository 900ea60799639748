"""safetensors files as text: a line for each tensor, its name, type, shape and numbers.

```
lm_head.weight F32 [2,2] = 1 2 3 4
norm.weight BF16 [4]
__metadata__ format = pt
```

Without numbers, the elements differ from each other. Lines that begin with ``@`` say what is not as
it should be: ``@gap 8`` leaves bytes unused, ``@back 8`` lets the next tensor begin within the last
one, ``@tail 8`` appends bytes, ``@cut 8`` removes them, and ``@header {"a": ...}`` replaces the
header.
"""

from __future__ import annotations

import json
import re
from typing import Any

from modellint.formats.safetensors.header import DTYPE_NAMES, METADATA
from modellint.model import DTYPES, product

ALIGNMENT = 8
_TENSOR = re.compile(r"(\S+) (\w+) \[([\d, ]*)\](?: = (.*))?")
_METADATA = re.compile(rf"{METADATA} (\S+) = (.*)")
_DAMAGE = re.compile(r"@(gap|back|tail|cut|header) (.+)")


def encode(text: str) -> bytes:
    """Return the file that the text describes."""
    written = _Written()
    for line in filter(None, map(str.strip, text.splitlines())):
        written.add(line)
    return written.content()


class _Written:
    """A partly written file."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, Any]] = []
        self.metadata: dict[str, str] = {}
        self.data = bytearray()
        self.end = 0
        self.tail = 0
        self.header: str | None = None

    def add(self, line: str) -> None:
        damage, metadata, tensor = (
            pattern.fullmatch(line) for pattern in (_DAMAGE, _METADATA, _TENSOR)
        )
        if damage is not None:
            self._damage(damage[1], damage[2])
        elif metadata is not None:
            self.metadata[metadata[1]] = metadata[2]
        elif tensor is not None:
            self._tensor(tensor[1], tensor[2], tensor[3], tensor[4])
        else:
            raise ValueError(f"neither a tensor nor metadata: {line}")

    def _damage(self, kind: str, argument: str) -> None:
        if kind == "header":
            self.header = argument
        elif kind in ("gap", "back"):
            self.end += int(argument) if kind == "gap" else -int(argument)
        else:
            self.tail += int(argument) if kind == "tail" else -int(argument)

    def _tensor(self, name: str, dtype: str, dims: str, numbers: str | None) -> None:
        shape = [int(dim) for dim in dims.split(",") if dim.strip()]
        content = _content(dtype, product(shape), numbers)
        stop = self.end + len(content)
        self.data.extend(bytes(max(0, stop - len(self.data))))
        self.data[self.end : stop] = content
        stated = {"dtype": dtype, "shape": shape, "data_offsets": [self.end, stop]}
        self.pairs.append((name, stated))
        self.end = stop

    def content(self) -> bytes:
        pairs = [*([(METADATA, self.metadata)] if self.metadata else []), *self.pairs]
        stated = ", ".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in pairs)
        header = (f"{{{stated}}}" if self.header is None else self.header).encode()
        header += b" " * (-len(header) % ALIGNMENT)
        data = bytes(self.data) + bytes(max(0, self.tail))
        data = data[: len(data) + min(0, self.tail)]
        return len(header).to_bytes(8, "little") + header + data


def _content(stated: str, count: int, numbers: str | None) -> bytes:
    """Return the elements' bytes: given numbers, or ones that differ."""
    if stated not in DTYPE_NAMES:
        raise ValueError(f"unknown dtype {stated}")
    dtype = DTYPES[DTYPE_NAMES[stated]]
    if numbers is None and dtype.bits < 16:
        return bytes(at % 251 % 120 for at in range(dtype.nbytes(count)))
    import numpy as np

    given = [float(number) for number in numbers.split()] if numbers is not None else range(count)
    if len(given) not in (1, count):
        raise ValueError(f"{len(given)} numbers for {count} elements")
    elements = np.resize(np.array(given), count)
    if numbers is None and dtype.is_float:
        elements = elements / (count + 1)
    stored: bytes = elements.astype(dtype.numpy).tobytes()
    return stored
