"""Mutants by number: the same seed and number give the same bytes."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import onnx

from modellint.formats.hdf5 import SIGNATURE
from modellint.formats.torch.stream import MAGIC
from modellint.formats.trt.engine import WRITERS, read_header
from tests.fuzz import seeds
from tests.fuzz.folders import SUFFIX, folder, unpack
from tests.fuzz.mutate import mutated
from tests.fuzz.others import other
from tests.fuzz.tree import write
from tests.fuzz.trial import turn_of

GRAMMARS = (".gguf", ".tflite", ".ort", ".xml", ".mlmodel", ".param", ".pb")
"""Suffixes of files that are written by a grammar, and that their readers may take."""
CHECKPOINTS = (b"PK", MAGIC, SIGNATURE)
"""Beginnings of files that PyTorch or Keras may load, whatever their suffix."""
FOLDERS, OTHERS = 0.04, 0.38
"""Share of folders, and of all that are not binary ONNX models."""
GROUP, LIGHT_GROUP, ROUND = 10, 50, 100
"""Successive mutants that are tried in one run, the same where most are only linted, and those for
one deployment: its rules are kept."""


class Mutant(NamedTuple):
    name: str
    data: bytes
    turn: int
    """With which options it is tried."""
    light: bool = False
    """True if it is only linted."""

    @property
    def may_be_model(self) -> bool:
        """False if it is certain that no reader can make a model of it."""
        if self.name.endswith((*GRAMMARS, SUFFIX)) or self.data.startswith(CHECKPOINTS):
            return True
        if self.name.endswith((".onnxtxt", ".json", ".safetensors")) or b"trt" in self.data:
            return self.data[:4] not in WRITERS or read_header(self.data) is not None
        try:
            return bool(onnx.ModelProto.FromString(self.data).HasField("graph"))
        except Exception:
            return False

    def save(self, folder: Path) -> Path:
        path = folder / self.name
        if path.suffix == SUFFIX:
            unpack(self.data, path)
        else:
            path.write_bytes(self.data)
        return path


def mutant(seed: int, whole: int, number: int) -> Mutant:
    """Make a mutant; one group of `whole` gets everything, the others are only linted."""
    group = number // group_of(whole)
    turn = turn_of(_drawn(seed, number // ROUND), _drawn(seed, group))
    name, data = _made(random.Random(f"{seed}/{number}"))
    return Mutant(name, data, turn, light=group % whole > 0)


def group_of(whole: int) -> int:
    return GROUP if whole == 1 else LIGHT_GROUP


def _made(chance: random.Random) -> tuple[str, bytes]:
    kind = chance.random()
    if kind < FOLDERS:
        suffix, data = folder(chance)
        return f"mutant{suffix}", data
    if kind < OTHERS:
        suffix, data = other(chance)
        return f"mutant{suffix}", data
    return "mutant.onnx", write(mutated(seeds.seed(chance), chance))


def _drawn(seed: int, number: int) -> int:
    return crc32(f"{seed}/{number}".encode())


def read(path: Path) -> Mutant:
    """Return a file that was kept, to be tried as its name says, or by its content."""
    data = path.read_bytes()
    stated = re.search(r"-turn-(\d+)\.", path.name)
    return Mutant(path.name, data, int(stated[1]) if stated else crc32(data))
