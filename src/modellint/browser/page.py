"""A page in a browser."""

from __future__ import annotations

import base64
import time
from typing import Any, Literal

from modellint.base.records import dataclass
from modellint.browser.connection import Connection
from modellint.browser.process import BrowserError

_KEYS = {
    "ArrowDown": 40,
    "ArrowLeft": 37,
    "ArrowRight": 39,
    "ArrowUp": 38,
    "Backspace": 8,
    "Delete": 46,
    "End": 35,
    "Enter": 13,
    "Escape": 27,
    "Home": 36,
    "PageDown": 34,
    "PageUp": 33,
    "Tab": 9,
}
_TEXTS = {"Enter": "\r"}
_MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}


class PageError(Exception):
    """An exception that JavaScript raised, or a page that did not load."""


@dataclass(frozen=True, slots=True)
class ConsoleMessage:
    """A message on the console, or of the browser about the page."""

    level: str
    """`log`, `debug`, `info`, `warning` or `error`."""
    text: str


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Something that the page asked for."""

    url: str
    method: str
    kind: str
    """`Document`, `Script`, `Image`, `Fetch` and so on."""


class BrowserPage:
    """An open page. What it has said and asked for is in the lists below, also later on."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._loaded = False
        self.messages: list[ConsoleMessage] = []
        self.errors: list[str] = []
        """Uncaught exceptions."""
        self.requests: list[PageRequest] = []
        created = connection.command("Target.createTarget", url="about:blank")
        self._target = created["targetId"]
        attached = connection.command("Target.attachToTarget", targetId=self._target, flatten=True)
        self._session = attached["sessionId"]
        connection.listeners[self._session] = self._note
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.command(f"{domain}.enable")

    def go(self, url: str, *, seconds: float | None = None) -> None:
        """Load a URL, and wait until all that belongs to it is loaded."""
        self._loaded = False
        answer = self.command("Page.navigate", url=url, seconds=seconds)
        if answer.get("errorText"):
            raise PageError(f"{url}: {answer['errorText']}")
        deadline = time.monotonic() + (self._connection.seconds if seconds is None else seconds)
        while not self._loaded:
            if self._connection.receive(deadline) is None:
                raise BrowserError(f"{url} did not load in time")

    def evaluate(self, expression: str, *, seconds: float | None = None) -> Any:
        """Return the value of a JavaScript expression, as JSON has it; a promise is awaited.

        Raise PageError if it throws, or BrowserError if it takes longer than allowed.
        """
        answer = self.command(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
            seconds=seconds,
        )
        if "exceptionDetails" in answer:
            raise PageError(_exception(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def resize(self, width: int, height: int, *, scale: float = 1.0, mobile: bool = False) -> None:
        """Set the size of the viewport in CSS pixels, and the pixels of the device in each."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=mobile,
        )

    def show(
        self,
        *,
        media: Literal["screen", "print"] = "screen",
        scheme: Literal["light", "dark"] = "light",
        still: bool = False,
        contrast: bool = False,
        forced_colors: bool = False,
    ) -> None:
        """Emulate media, the colour scheme, and that a user wants less motion or more contrast."""
        features = {
            "prefers-color-scheme": scheme,
            "prefers-reduced-motion": "reduce" if still else "",
            "prefers-contrast": "more" if contrast else "",
            "forced-colors": "active" if forced_colors else "",
        }
        named = [{"name": name, "value": value} for name, value in features.items()]
        self.command("Emulation.setEmulatedMedia", media=media, features=named)

    def screenshot(
        self,
        *,
        whole: bool = False,
        of: tuple[float, float, float, float] | None = None,
        seconds: float | None = None,
    ) -> bytes:
        """Return a PNG of the viewport, of the whole page, or of left, top, width and height."""
        part: dict[str, Any] = {}
        if whole:
            size = self.command("Page.getLayoutMetrics")["cssContentSize"]
            of = 0, 0, size["width"], size["height"]
        if of is not None:
            clip = dict(zip(("x", "y", "width", "height"), of, strict=True)) | {"scale": 1}
            part = {"captureBeyondViewport": True, "clip": clip}
        answer = self.command("Page.captureScreenshot", format="png", seconds=seconds, **part)
        return base64.b64decode(answer["data"])

    def pdf(self, *, landscape: bool = False, seconds: float | None = None) -> bytes:
        """Return the printed page."""
        answer = self.command(
            "Page.printToPDF",
            landscape=landscape,
            printBackground=True,
            preferCSSPageSize=True,
            seconds=seconds,
        )
        return base64.b64decode(answer["data"])

    def press(self, key: str) -> None:
        """Press and release a key, such as `a`, `Tab`, `Shift+Tab` or `Control+Enter`."""
        *held, name = key.split("+") if len(key) > 1 else [key]
        text = _TEXTS.get(name, name if len(name) == 1 else "")
        code = _KEYS.get(name, ord(name.upper()) if len(name) == 1 else 0)
        about: dict[str, Any] = {
            "key": name,
            "windowsVirtualKeyCode": code,
            "modifiers": sum(_MODIFIERS[each] for each in held),
        }
        writes = {"text": text} if text and not held else {}
        kind = "keyDown" if writes else "rawKeyDown"
        self.command("Input.dispatchKeyEvent", **{"type": kind, **writes, **about})
        self.command("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text: str) -> None:
        """Insert a text where the focus is."""
        self.command("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        """Scroll the first element that a CSS selector matches into view, and click its middle."""
        x, y = self._middle(selector)
        about: dict[str, Any] = {"x": x, "y": y, "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.command("Input.dispatchMouseEvent", type=kind, **about)

    def hover(self, selector: str) -> None:
        """Move the mouse to the middle of the first element that a CSS selector matches."""
        x, y = self._middle(selector)
        self.command("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def close(self) -> None:
        self._connection.command("Target.closeTarget", targetId=self._target)
        del self._connection.listeners[self._session]

    def command(self, method: str, *, seconds: float | None = None, **given: Any) -> dict[str, Any]:
        """Give a command of the DevTools protocol that concerns this page."""
        return self._connection.command(method, session=self._session, seconds=seconds, **given)

    def _note(self, event: str, facts: dict[str, Any]) -> None:
        """Take note of an event."""
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Runtime.consoleAPICalled":
            text = " ".join(map(_printed, facts["args"]))
            self.messages.append(ConsoleMessage(facts["type"], text))
        elif event == "Log.entryAdded":
            self.messages.append(ConsoleMessage(facts["entry"]["level"], facts["entry"]["text"]))
        elif event == "Runtime.exceptionThrown":
            self.errors.append(_exception(facts["exceptionDetails"]))
        elif event == "Network.requestWillBeSent":
            asked = facts["request"]
            self.requests.append(PageRequest(asked["url"], asked["method"], facts.get("type", "")))

    def _middle(self, selector: str) -> tuple[float, float]:
        import json

        place = self.evaluate(
            f"""(() => {{
                const found = document.querySelector({json.dumps(selector)});
                if (!found) return null;
                found.scrollIntoView({{block: "center", inline: "center", behavior: "instant"}});
                const box = found.getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"""
        )
        if place is None:
            raise PageError(f"nothing matches {selector}")
        return place[0], place[1]


def _exception(details: dict[str, Any]) -> str:
    thrown = details.get("exception", {})
    return str(thrown.get("description") or thrown.get("value") or details.get("text", ""))


def _printed(argument: dict[str, Any]) -> str:
    return str(argument.get("value", argument.get("description", argument["type"])))
