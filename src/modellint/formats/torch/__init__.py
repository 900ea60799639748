"""Files that PyTorch saves: checkpoints in a zip archive or a stream of pickles, TorchScript.

Also pickles by themselves, of whatever library.
"""

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

PICKLE = Format(
    "pickle",
    "Python pickle",
    shared_suffixes=(".pkl", ".pickle", ".joblib"),
    tells=frozenset({Capability.METADATA}),
    dialect="torch",
    under_any_name=True,
    reader="modellint.formats.torch.bare",
)
