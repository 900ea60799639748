"""Reads the layers of a model of ncnn, and their weights in the file next to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from modellint.base.files import read_regular, regular_size
from modellint.base.text import bounded
from modellint.capability import Capability
from modellint.formats.ncnn import NCNN
from modellint.formats.ncnn.weights import read_weights
from modellint.formats.problems import MalformedError, Problems, broken
from modellint.formats.wiring import Wiring
from modellint.model import Model, Value

name = NCNN.name

_MAGIC = re.compile(rb"\s*7767517[ \t]*\r?\n")
MOST_TEXT = 64 << 20
MOST_ARRAY = 256
_ARRAY = -23300
"""Ids of arrays count down from here."""
_INPUT = "Input"
_NUMBER = re.compile(r"-?\d{1,19}")
Attributes = dict[str, int | float | str | tuple[int, ...] | tuple[float, ...]]


def sniff(head: bytes, path: Path) -> bool:
    return _MAGIC.match(head) is not None


def read(path: Path) -> Model:
    text = read_regular(path, MOST_TEXT).decode(errors="backslashreplace")
    model = Model(path, name)
    try:
        _fill(model, text.splitlines())
    except MalformedError as error:
        return broken(path, name, error.kind, **error.facts)
    model.capabilities = NCNN.tells
    model.producer_name = "ncnn"
    weights = path.with_suffix(".bin")
    if regular_size(weights) is not None:
        model.external_files.append(weights)
        problems = Problems()
        read_weights(model, weights, problems)
        model.problems = problems
    else:
        model.capabilities -= {Capability.WEIGHTS}
    return model


def _fill(model: Model, lines: list[str]) -> None:
    counts = lines[1].split() if len(lines) > 1 else []
    if len(counts) != 2 or not all(_NUMBER.fullmatch(each) for each in counts):
        raise MalformedError("corrupt", "its second line has no numbers of layers and blobs")
    layers, blobs = map(int, counts)
    if layers <= 0 or blobs <= 0:
        raise MalformedError("corrupt", f"it declares {layers} layers and {blobs} blobs")
    stated = [line for line in lines[2:] if line.strip()]
    if len(stated) < layers:
        detail = f"it states {layers} layers, and has {len(stated)}"
        raise MalformedError("corrupt", detail)
    wiring = Wiring(model.graph)
    known: dict[str, Value] = {}
    for line in stated[:layers]:
        _add_layer(wiring, known, line)
    for value in model.graph.values.values():
        if value.producer is not None and not value.consumers:
            wiring.output(value)


def _add_layer(wiring: Wiring, known: dict[str, Value], line: str) -> None:
    words = line.split()
    kind = bounded(words[0])
    if len(words) < 4 or not all(_NUMBER.fullmatch(each) for each in words[2:4]):
        raise MalformedError("corrupt", f"layer {kind} lacks its numbers of inputs and outputs")
    ins, outs = map(int, words[2:4])
    if ins < 0 or outs < 0 or len(words) < 4 + ins + outs:
        raise MalformedError("corrupt", f"layer {kind} names fewer than {ins + outs} blobs")
    inputs = [_value(wiring, known, each) for each in words[4 : 4 + ins]]
    outputs = [_made(wiring, known, each) for each in words[4 + ins : 4 + ins + outs]]
    if kind == _INPUT:
        for value in outputs:
            wiring.input(value)
        return
    node = wiring.node(kind, NCNN.name, words[1], inputs, outputs)
    node.attributes = dict(_attributes(words[4 + ins + outs :]))


def _value(wiring: Wiring, known: dict[str, Value], blob: str) -> Value:
    """Return a blob; one that no layer has made yet is an input."""
    if blob not in known:
        known[blob] = wiring.value(blob)
        wiring.input(known[blob])
    return known[blob]


def _made(wiring: Wiring, known: dict[str, Value], blob: str) -> Value:
    known[blob] = wiring.value(blob)
    return known[blob]


def _attributes(words: list[str]) -> Iterator[tuple[str, int | float | str | tuple[float, ...]]]:
    """Iterate over parameters, which have numbers for names: ``0=64`` or ``-23301=2,1,1``."""
    for word in words:
        key, found, value = word.partition("=")
        if not found or not _NUMBER.fullmatch(key):
            continue
        number = int(key)
        if number <= _ARRAY:
            items = value.split(",")[1 : MOST_ARRAY + 1]
            yield str(_ARRAY - number), tuple(map(_plain_number, items))
        else:
            yield key, value.strip('"') if value.startswith('"') else _plain_number(value)


def _plain_number(text: str) -> int | float:
    if _NUMBER.fullmatch(text):
        return int(text)
    try:
        return float(text[:50])
    except ValueError:
        return 0
