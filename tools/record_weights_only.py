"""Record what PyTorch's `torch.load` builds by default, in an environment that has PyTorch.

python tools/record_weights_only.py
"""

from __future__ import annotations

import json
import pickletools
from pathlib import Path

DATA = Path(__file__).parents[1] / "src/modellint/formats/torch"
SOURCE = "https://github.com/pytorch/pytorch/blob/v{}/torch/_weights_only_unpickler.py"


def main() -> None:
    import torch
    from torch import _weights_only_unpickler as unpickler

    version = torch.__version__.partition("+")[0]
    names = {each.code.encode("latin1"): each.name for each in pickletools.opcodes}
    codes = {each for each in vars(unpickler).values() if isinstance(each, bytes)}
    recorded = {
        "source": SOURCE.format(version),
        "version": version,
        "imports": sorted(unpickler._get_allowed_globals()),
        "opcodes": sorted(names[code] for code in codes if code in names),
    }
    release = ".".join(version.split(".")[:2])
    path = DATA / f"weights-only-{release}.json"
    path.write_text(json.dumps(recorded, indent=1) + "\n")


if __name__ == "__main__":
    main()
