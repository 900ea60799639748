"""Tests of the browser: what a page asks for is done and reported, and nothing is left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from modellint.browser import (
    Browser,
    BrowserError,
    BrowserLimits,
    BrowserPage,
    PageError,
    Site,
    find_browser,
    serving,
)
from modellint.browser import browser as browser_module
from tests.support import PATIENCE

pytestmark = pytest.mark.skipif(find_browser() is None, reason="needs a browser")

HTML = b"""<!doctype html><title>first</title>
<style>@media (prefers-color-scheme: dark) { body { background: #000 } }</style>
<button id=b onclick="document.title = 'clicked'; console.log('said', 1)">B</button>
<input id=i><p style="height: 3000px">long</p>
<script>setTimeout(() => { throw new Error('thrown') })</script>
<img src=https://example.com/x.png>"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser.start() as started:
        yield started


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving({"/": HTML, "/bytes": bytes(range(100))}, {"X-Ours": "yes"}) as served:
        yield served


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[BrowserPage]:
    opened = browser.open(site.url)
    yield opened
    opened.close()


def test_a_page_tells_what_it_says_throws_and_asks_for(page: BrowserPage, site: Site) -> None:
    page.click("#b")
    assert page.evaluate("new Promise(done => setTimeout(() => done(document.title)))") == "clicked"
    assert ("log", "said 1") in [(each.level, each.text) for each in page.messages]
    assert [each.partition("\n")[0] for each in page.errors] == ["Error: thrown"]
    asked = [each.url for each in page.requests if "favicon" not in each.url]
    assert asked == [site.url, "https://example.com/x.png"]


def test_other_hosts_are_out_of_reach(page: BrowserPage) -> None:
    with pytest.raises(PageError, match="Failed to fetch"):
        page.evaluate("fetch('https://example.com/')")


def test_keys_reach_what_has_the_focus(page: BrowserPage) -> None:
    page.click("#i")
    for key in ("a", "B", "Backspace"):
        page.press(key)
    page.type("ä")
    assert page.evaluate("document.activeElement.value") == "aä"
    page.press("Shift+Tab")
    assert page.evaluate("document.activeElement.id") == "b"


def test_the_viewport_and_media_are_emulated(page: BrowserPage) -> None:
    page.resize(400, 300, scale=2)
    page.show(scheme="dark", still=True)
    background = "getComputedStyle(document.body).backgroundColor"
    reduced = "matchMedia('(prefers-reduced-motion: reduce)').matches"
    assert page.evaluate(f"[{background}, innerWidth, {reduced}]") == ["rgb(0, 0, 0)", 400, True]
    page.show(media="print")
    assert page.evaluate("matchMedia('print').matches")


def test_pictures_and_prints(page: BrowserPage) -> None:
    page.resize(400, 300)
    seen, whole = page.screenshot(), page.screenshot(whole=True)
    assert _size(seen) == (400, 300)
    assert _size(whole)[1] > 3000
    assert page.pdf().startswith(b"%PDF-")


def test_ranges_and_headers_are_served(page: BrowserPage) -> None:
    asked = "fetch('/bytes', {headers: {Range: 'bytes=10-12'}})"
    read = f"{asked}.then(async got => [got.status, got.headers.get('X-Ours'), "
    read += "...new Uint8Array(await got.arrayBuffer())])"
    assert page.evaluate(read) == [206, "yes", 10, 11, 12]
    assert page.evaluate("fetch('/../etc/passwd').then(got => got.status)") == 404


def test_what_takes_too_long_is_given_up(browser: Browser) -> None:
    page = browser.open()
    with pytest.raises(PageError, match="nothing is not defined"):
        page.evaluate("nothing")
    with pytest.raises(BrowserError, match=r"longer than 0\.2 s"):
        page.evaluate("new Promise(() => 0)", seconds=0.2)
    with pytest.raises(BrowserError, match=r"longer than 0\.2 s"):
        page.evaluate("(() => { for (;;); })()", seconds=0.2)
    assert browser.open().evaluate("1 + 1") == 2


def test_a_browser_that_takes_too_much_memory_is_ended() -> None:
    with (
        pytest.raises(BrowserError, match="more memory"),
        Browser.start(limits=BrowserLimits(memory=1 << 20)) as small,
    ):
        small.open().evaluate("new Promise(done => setTimeout(done, 5000))")


def test_the_sandbox_is_left_out_only_where_it_cannot_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    without = browser_module._sandboxing()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert browser_module._sandboxing() == ()
    monkeypatch.setenv(browser_module.CONTAINED, "1")
    assert browser_module._sandboxing() == without


def test_a_program_that_is_no_browser_is_an_error() -> None:
    with (
        pytest.raises(BrowserError, match="ended"),
        Browser.start(Path(sys.executable)) as started,
    ):
        started.open()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder with a short name: a browser makes a socket in it."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def test_no_process_outlives_a_killed_parent(folder: Path) -> None:
    program = "import time, modellint.browser as b\n"
    program += "with b.Browser.start() as found: found.open(); print(1, flush=True); time.sleep(99)"
    environment = {**os.environ, "TMPDIR": str(folder)}
    parent = subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE
    )
    with parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert _processes_with(str(folder))
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while _processes_with(str(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _processes_with(str(folder))


def test_nothing_is_left_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(KeyboardInterrupt):
        _interrupted()
    assert not list(folder.iterdir())
    assert not _processes_with(str(folder))


def _interrupted() -> None:
    with Browser.start() as started:
        started.open()
        raise KeyboardInterrupt


def _size(png: bytes) -> tuple[int, int]:
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def _processes_with(words: str) -> list[str]:
    """Return the living processes that have some words on their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if words.encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
    return found
