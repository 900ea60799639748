"""The program, as the command `modellint` and `python -m modellint` start it.

It imports next to nothing by itself, so that Ctrl-C is caught from the first moment on.
"""

import os
import sys

from modellint.base import interrupts


def main() -> None:
    """Import and run the program; it ends with 130 if interrupted, whenever that is."""
    try:
        interrupts.catch()
        from modellint.cli import script

        script()
    except KeyboardInterrupt:
        os.write(sys.stderr.fileno(), b"interrupted\n")
        os._exit(130)


if __name__ == "__main__":
    main()
