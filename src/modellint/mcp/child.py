"""The process that answers for the server."""

from __future__ import annotations

from modellint.mcp.answers import ANSWERS
from modellint.serving.work import work


def main() -> None:
    work(ANSWERS)
