"""`python -m modellint`, for where the console script is not on PATH."""

from modellint.cli import script

if __name__ == "__main__":
    script()
