"""Files that PyTorch saves: checkpoints in a zip archive or a stream of pickles, TorchScript."""

from __future__ import annotations

from modellint.capability import Capability
from modellint.formats.format import Format

TORCH = Format(
    "torch",
    "PyTorch",
    suffixes=(".pt2",),
    shared_suffixes=(".pt", ".pth", ".ckpt", ".bin"),
    searched=True,
    tells=frozenset(
        {Capability.GRAPH, Capability.QUANTIZATION, Capability.WEIGHTS, Capability.METADATA}
    ),
    reader="modellint.formats.torch.reader",
    notation="modellint.formats.torch.notation",
)
