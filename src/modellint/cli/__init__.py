"""Command-line interface: one module per verb, imported on first use."""

import os

# Importing numpy starts one BLAS thread per core, which takes longer than the rest of the import;
# nothing here multiplies matrices.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from modellint.cli.app import main, script

__all__ = ["main", "script"]
