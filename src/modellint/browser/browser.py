"""A browser from its start to its end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from modellint.base import interrupts
from modellint.base.temporary import temporary_folder
from modellint.browser.connection import Connection
from modellint.browser.found import ENVIRONMENT, find_browser
from modellint.browser.page import BrowserPage
from modellint.browser.process import BrowserError, BrowserLimits, Process

_FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--metrics-recording-only",
    "--mute-audio",
    "--password-store=basic",
    "--use-mock-keychain",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

CONTAINED = "MODELLINT_BROWSER_CONTAINED"
"""Environment variable of a container, which keeps the browser in as its own sandbox would."""


class Browser:
    """A running browser; `Browser.start` begins and ends it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def start(
        cls,
        program: Path | None = None,
        *,
        flags: Sequence[str] = (),
        limits: BrowserLimits | None = None,
    ) -> Iterator[Browser]:
        """Yield a browser, by default the one that `find_browser` finds; raise BrowserError."""
        limits = limits or BrowserLimits()
        program = program or find_browser()
        if program is None:
            raise BrowserError(f"no Chromium, Chrome or Edge found; {ENVIRONMENT} may name one")
        if not hasattr(os, "posix_spawn"):
            raise BrowserError("browsers can be automated only on Linux and macOS")
        with temporary_folder() as folder:
            profile = f"--user-data-dir={folder / 'profile'}"
            command = [str(program), *_FLAGS, *_sandboxing(), *flags, profile]
            with interrupts.held(all=True):  # until it is known what is to be ended
                process = Process(command, folder, limits)
            try:
                yield cls(Connection(process, limits.seconds))
            finally:
                process.end()

    @property
    def version(self) -> str:
        """Name and version, such as `Chrome/147.0.7727.24`."""
        product = self._connection.command("Browser.getVersion")["product"]
        return str(product).removeprefix("Headless")

    def open(self, url: str = "about:blank", *, seconds: float | None = None) -> BrowserPage:
        """Return a new page of 1280 × 800 pixels that has loaded a URL: http or file."""
        page = BrowserPage(self._connection)
        page.resize(1280, 800)
        if url != "about:blank":
            page.go(url, seconds=seconds)
        return page


def _sandboxing() -> tuple[str, ...]:
    """Return flags for where its sandbox cannot work: for root, and in most containers."""
    if os.geteuid() and not os.environ.get(CONTAINED):
        return ()
    return ("--no-sandbox", "--no-zygote")
