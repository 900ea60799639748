"""Record the layers that ncnn knows, in an environment that has its Python package.

python tools/record_ncnn_layers.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path

RECORD = Path(__file__).parents[1] / "src/modellint/formats/ncnn/layers.json"
SOURCE = "https://github.com/Tencent/ncnn/tree/{}/src/layer"
_NAME = re.compile(rb"[A-Z][A-Za-z0-9]{1,40}(?=\0)")


def main() -> None:
    import ncnn

    library = next(Path(ncnn.__file__).parent.glob("*.so")).read_bytes()
    # Linkers keep a string that another one ends with inside of it.
    endings = {
        word[at:]
        for word in {match.group().decode() for match in _NAME.finditer(library)}
        for at in range(len(word))
    }
    release = ncnn.__version__.rpartition(".")[2]
    layers = sorted(name for name in endings if ncnn.layer_to_index(name) >= 0)
    recorded = {"source": SOURCE.format(release), "release": release, "layers": layers}
    RECORD.write_text(json.dumps(recorded, indent=1) + "\n")


if __name__ == "__main__":
    main()
