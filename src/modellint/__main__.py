"""Entry point of the command `modellint` and of `python -m modellint`.

It imports next to nothing at module level, so that Ctrl-C is handled from the start.
"""

import gc
import os
import sys

if __name__ == "__main__" and not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
    # Files of the working folder, which `python -m` puts first, are not to be imported as modules.
    folder = sys.path.pop(0)
    if folder == os.path.dirname(os.path.dirname(__file__)):  # noqa: PTH120 - before all imports
        sys.path.append(folder)  # it holds this package

from modellint.base import interrupts


def main() -> None:
    """Import and run the program; exit with 130 if interrupted, 143 if terminated, at any time.

    Without memory, exit with 2, even where importing the program takes more than there is.
    """
    gc.disable()  # a run is short, and collects garbage explicitly where there is any
    try:
        interrupts.catch()
        from modellint.base import streams

        streams.prepare()
        from modellint.cli import script

        script()
    except MemoryError:  # wherever it happens: all but this would need some
        os.write(2, b"error: not enough memory\n")
        os._exit(2)
    except KeyboardInterrupt:
        os.write(2, f"{interrupts.word()}\n".encode())
        os._exit(interrupts.exit_code())


if __name__ == "__main__":
    main()
