"""The face: arguments in, exit code out. One module for each verb, imported when it is used."""

import os

# numpy's import starts a thread for each core to multiply matrices with, which takes longer than
# all the rest of it; nothing here multiplies any.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from modellint.cli.app import main, script

__all__ = ["main", "script"]
