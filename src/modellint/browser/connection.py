"""Commands of the DevTools protocol to a browser, and the events that it tells."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from modellint.browser.process import BrowserError, Process

Listener = Callable[[str, dict[str, Any]], None]
"""Takes the name of an event and its facts."""


class Connection:
    """The one line to a browser, with a session for each page."""

    def __init__(self, process: Process, seconds: float) -> None:
        self._process = process
        self._last = 0
        self.seconds = seconds
        """Limit of a command, unless another is stated with it."""
        self.listeners: dict[str, Listener] = {}
        """Functions that note the events of each session."""

    def command(
        self, method: str, *, session: str = "", seconds: float | None = None, **given: Any
    ) -> dict[str, Any]:
        """Give a command of the DevTools protocol, and return its result."""
        self._last += 1
        sent, seconds = self._last, self.seconds if seconds is None else seconds
        addressed = {"sessionId": session} if session else {}
        self._process.send({"id": sent, "method": method, "params": given, **addressed})
        deadline = time.monotonic() + seconds
        while True:
            message = self.receive(deadline)
            if message is None:
                raise BrowserError(f"{method} took longer than {seconds:g} s")
            if message.get("id") != sent:
                continue  # a late answer to a command that was given up
            if "error" in message:
                raise BrowserError(f"{method}: {message['error'].get('message', '')}")
            result = message.get("result")
            return result if isinstance(result, dict) else {}

    def receive(self, deadline: float) -> dict[str, Any] | None:
        """Return the next message, after its listener heard it if it is an event."""
        message = self._process.receive(deadline)
        if message and "method" in message:
            listener = self.listeners.get(message.get("sessionId", ""))
            if listener is not None:
                listener(message["method"], message.get("params", {}))
        return message
