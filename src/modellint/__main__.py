"""Entry point of the command `modellint` and of `python -m modellint`.

It imports next to nothing at module level, so that Ctrl-C is handled from the start.
"""

import gc
import os
import sys

from modellint.base import interrupts


def main() -> None:
    """Import and run the program; exit with 130 if interrupted at any time."""
    gc.disable()  # a run is short, and collects garbage explicitly where there is any
    try:
        interrupts.catch()
        from modellint.cli import script

        script()
    except KeyboardInterrupt:
        os.write(sys.stderr.fileno(), b"interrupted\n")
        os._exit(130)


if __name__ == "__main__":
    main()
