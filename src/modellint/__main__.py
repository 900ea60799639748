"""Entry point of the command `modellint` and of `python -m modellint`.

It imports next to nothing at module level, so that Ctrl-C is handled from the start.
"""

import gc
import os

from modellint.base import interrupts


def main() -> None:
    """Import and run the program; exit with 130 if interrupted, 143 if terminated, at any time."""
    gc.disable()  # a run is short, and collects garbage explicitly where there is any
    try:
        interrupts.catch()
        from modellint.cli import script

        script()
    except KeyboardInterrupt:
        os.write(2, f"{interrupts.word()}\n".encode())
        os._exit(interrupts.exit_code())


if __name__ == "__main__":
    main()
