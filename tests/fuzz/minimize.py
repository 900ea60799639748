"""Makes a file that fails as small as it can be and still fail in the same way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.fuzz.batches import try_batch, warm_folder
from tests.fuzz.mutants import Mutant, read
from tests.fuzz.tree import LENGTH, Field, Message, kind_of, parse, write

SHORT = 8
"""Bytes of a text that are not worth shortening."""


def minimize(path: Path, processor: int) -> None:
    """Write what is left of the file next to it; print how it fails."""
    data, turn = read(path)[1:3]
    with warm_folder() as folder:

        def kinds(data: bytes) -> set[str]:
            made = Mutant(f"mutant{path.suffix}", data, turn)
            tried = next(try_batch([0], lambda _: made, folder, processor, 1))
            return {each.kind for each in tried.failures}

        wanted = kinds(data)
        tree = _tree(data)
        if not wanted or tree is None:
            print(f"{path}: {'not protobuf' if wanted else 'nothing fails'}")
            return
        fails = lambda: bool(kinds(write(tree)) & wanted)  # noqa: E731
        while _shrunk(tree, fails):
            pass
    small = path.with_name(f"{path.stem.partition('-turn-')[0]}-turn-{turn}{path.suffix}")
    small.write_bytes(write(tree))
    print(f"{small}: {', '.join(sorted(wanted))}: {len(data)} -> {small.stat().st_size} bytes")


def _shrunk(tree: Message, fails: Callable[[], bool]) -> bool:
    """Leave out what can be, the largest parts first; return True if there was anything."""
    before = len(write(tree))
    for message in tree.walk():
        step = len(message.fields)
        while step:
            at = 0
            while at < len(message.fields):
                kept = list(message.fields)
                del message.fields[at : at + step]
                if not fails():
                    message.fields = kept
                    at += step
            step //= 2
        for item in message.fields:
            _shorten(item, fails)
    return len(write(tree)) < before


def _shorten(item: Field, fails: Callable[[], bool]) -> None:
    while isinstance(item.value, bytes) and item.wire == LENGTH and len(item.value) > SHORT:
        kept = item.value
        item.value = kept[: len(kept) // 2]
        if not fails():
            item.value = kept
            return


def _tree(data: bytes) -> Message | None:
    try:
        tree = parse(data, kind_of("ModelProto"))
    except (IndexError, RecursionError):  # not protobuf
        return None
    return tree if write(tree) == data else None
