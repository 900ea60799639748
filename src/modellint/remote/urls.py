"""Addresses of models, and names for them without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from urllib.parse import unquote, urlsplit

from modellint.base.errors import UsageError
from modellint.base.install import install_command
from modellint.base.records import dataclass

Kind = Literal["file", "web", "store", "other"]
KINDS: Mapping[str, Kind] = {
    "file": "file",
    "http": "web",
    "https": "web",
    **dict.fromkeys(("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"), "store"),
}
"""Schemes; of all others, fsspec may know what they mean."""
_BUCKETS: Mapping[str, int] = {"hf": 2}
"""Number of parts of an address that name the top of a store, if it is not one."""


@dataclass(frozen=True, slots=True)
class Url:
    """An address: a folder, and perhaps a file in it."""

    scheme: str
    kind: Kind
    top: str
    """The folder, as requested."""
    shown: str
    """The folder, as displayed."""
    name: str = ""
    """The file; empty for the folder itself."""
    query: str = ""

    @property
    def shown_file(self) -> str:
        """Return the file as displayed, without the query, which may be a signature."""
        return f"{self.shown}/{self.name}{'?…' if self.query else ''}"

    @property
    def shown_whole(self) -> str:
        return self.shown_file if self.name else f"{self.shown}/"

    def inside(self) -> Url:
        """Return the address as that of a folder."""
        whole = f"{self.shown}/{self.name}".rstrip("/")
        return Url(self.scheme, self.kind, f"{self.top}/{self.name}".rstrip("/"), whole)


def parsed(text: str) -> Url:
    """Return the parts of an address. Raises UsageError."""
    scheme = text.partition("://")[0].lower()
    kind = KINDS.get(scheme, "other")
    if any(ord(sign) < 32 for sign in text) or (kind == "web" and " " in text):
        raise UsageError("a URL cannot contain control characters or, for http, spaces")
    if kind == "web":
        return _on_web(scheme, text)
    rest = text.split("://", 1)[1].rstrip("/")
    if not rest:
        raise UsageError(f"{text}: a URL needs a bucket or a server")
    folder, _, name = rest.rpartition("/")
    top_parts = _BUCKETS.get(scheme, 1)
    if text.endswith("/") or rest.count("/") < top_parts:
        return Url(scheme, kind, f"{scheme}://{rest}", f"{scheme}://{_public(rest)}")
    return Url(scheme, kind, f"{scheme}://{folder}", f"{scheme}://{_public(folder)}", name)


def _on_web(scheme: str, text: str) -> Url:
    try:
        parts = urlsplit(text)
        server = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"not a URL: {error}") from None
    folder, _, name = parts.path.rpartition("/")
    if not server:
        raise UsageError("a web URL needs a server")
    if not name:
        raise UsageError(
            f"{scheme}://{_public(parts.netloc)}{parts.path}: a web server does not tell what is "
            "in a folder; name a file"
        )
    shown = f"{scheme}://{_public(parts.netloc)}{unquote(folder)}"
    top = f"{scheme}://{parts.netloc}{folder}/"
    return Url(scheme, "web", top, shown, unquote(name), parts.query)


def _public(place: str) -> str:
    """Return a server or bucket without a name and a password before it."""
    first, slash, rest = place.partition("/")
    return f"{first.rpartition('@')[2]}{slash}{rest}" if ":" in first.rpartition("@")[0] else place


def needs_extra(scheme: str) -> UsageError:
    """Return the error of a scheme whose package is not installed."""
    return UsageError(f"reading {scheme}:// needs an extra: {install_command('remote')}")
