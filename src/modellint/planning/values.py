"""Values of settings: sizes, and how mistakes quote them."""

from __future__ import annotations

from modellint.base.errors import UsageError
from modellint.base.text import LONGEST_WORD, shorten
from modellint.config.load import Config
from modellint.targets import parse_bytes


def size(config: Config, key: str) -> int | None:
    value = getattr(config.settings, key.replace("-", "_"))
    if value is None:
        return None
    try:
        return parse_bytes(str(value))
    except UsageError as error:
        raise config.mistake((key,), str(error)) from None


def quoted(value: float | str) -> str:
    return shorten(repr(value), LONGEST_WORD)
