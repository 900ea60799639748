"""Problems of a file itself. Rules report these kinds.

Fatal: the model cannot be read, and this is the file's only problem.

| kind | facts |
| --- | --- |
| `not-a-model` | `detail`: what it seems to be |
| `empty-file` | |
| `truncated` | `detail`, `expected` (minimum number of bytes), `size` |
| `corrupt` | `detail`, often `offset` |
| `too-deep` | `detail`, `limit` |
| `lfs-pointer` | `oid`, `size`; fatal for a model, not for its weights: then `location` |
| `compressed` | `archive`: the kind of archive |
| `encrypted` | `detail`: the kind of encryption |
| `unsupported-format` | `format`, `detail`: a kind that cannot be read; `part`: `outdated` |
| `unreadable-format` | `format`: recognized, but not read; `instead`: what to do |
| `unreadable` | `detail`: permission, folder, pipe, device, ... |

Not fatal, like `unreadable-format`:

| kind | facts |
| --- | --- |
| `pickle` | `listed`: the first of its imports; `part`: `nothing` or `unknown` |
| `external-missing` | `location`, `tensors` (how many), `tensor` (the first), `bytes` |
| `external-short` | the same, and `expected`, `size` |
| `external-outside` | the same, and `reason`: `absolute`, `parent`, `link`, `special` |
| `external-leftover` | `location`, `unused` (bytes), `size`, `part`: `file` or `range` |
| `invalid-tensor` | `tensor`, `dtype`, `shape`, `expected`, `found`, `unit`, `detail` |
| `duplicate-initializer` | `tensor` |
| `duplicate-value` | `value`, `node`, `op` (or `input`), `graph` |
| `duplicate-constant` | the same: all of its producers are Constant nodes |
| `undefined-value` | `value`, `node`, `op`, `graph` |
| `unsorted-graph` | `value`, `node`, `op`, `graph` (the first place), `nodes` (how many) |
| `graph-cycle` | `value`, `node`, `op`, `graph`: where a walk along edges comes back |
| `recursive-function` | `function`, `detail` |
| `invalid-reference` | `detail`: what does not exist, and where it is referred to |
| `tensor-overlap` | `tensor`, `other`, `location`, `part`: `overlap` or `reversed` |
| `tensor-gap` | `tensor` (the next, or the last), `offset`, `unused`, `location`, `part`: `tail` |
| `duplicate-tensor` | `tensor`, `location` |
| `tensor-unaligned` | `location`, `tensors` (how many), `tensor` (the first) |
| `type-unloadable` | `tensor` (the first), `dtype`, `tensors` (how many) |
| `tensor-in-two-shards` | `tensor`, `location`, `other` |
| `shard-missing` | `location`, `tensors` (how many), `tensor` (the first) |
| `shard-broken` | `location`, `detail` |
| `shard-surplus` | `location` (the index), `shards` (how many), `shard` (the first) |
| `index-missing` | `location`, `shards`, `shard` |
| `index-wrong` | `location`, `part`: `absent` (`tensors`, `tensor`) or `unreadable` (`detail`) |
| `index-stale` | `location`, `tensors`, `tensor`, `part`: `unlisted` or `elsewhere` |
| `index-size` | `location`, `stated`, `size` |
| `storage-missing` | `tensor`, `key` |
| `config-broken` | `location`, `detail` |
| `graph-broken` | `detail`: why calls and edges cannot be followed |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from modellint.model import Model, Problem

MOST_OF_A_KIND = 50
"""Maximum number of problems to record: a broken file may have a million."""

FATAL_KINDS = frozenset(
    """
    not-a-model empty-file truncated corrupt too-deep lfs-pointer compressed encrypted
    unsupported-format unreadable
    """.split()
)
OTHER_KINDS = frozenset(
    """
    pickle unreadable-format external-missing external-short external-outside external-leftover
    invalid-tensor duplicate-initializer duplicate-value duplicate-constant undefined-value
    unsorted-graph graph-cycle recursive-function invalid-reference tensor-overlap tensor-gap
    duplicate-tensor tensor-unaligned type-unloadable tensor-in-two-shards shard-missing
    shard-broken shard-surplus index-missing index-wrong index-stale index-size config-broken
    storage-missing graph-broken
    """.split()
)
KINDS = FATAL_KINDS | OTHER_KINDS


class Problems(list[Problem]):
    """Problems found while reading a file."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[str] = Counter()

    def note(self, kind: str, /, at: str | None = None, **facts: object) -> None:
        """Record a problem, unless it repeats the last one; `at` names the value it is about."""
        problem = Problem(kind, facts, at)
        if problem in self[-1:]:
            return
        self._counts[kind] += 1
        if self._counts[kind] <= MOST_OF_A_KIND:
            self.append(problem)


class MalformedError(Exception):
    """The content of a file violates its format; becomes the model's fatal problem."""

    def __init__(self, kind: str, detail: str, **facts: object) -> None:
        super().__init__(detail)
        self.kind = kind
        self.facts: Mapping[str, object] = {"detail": detail, **facts}


def broken(path: Path, format: str, kind: str, /, **facts: object) -> Model:
    """Return a model that could not be read, with the reason."""
    model = Model(path, format)
    model.problems.append(Problem(kind, facts, fatal=kind in FATAL_KINDS))
    return model
