"""A real browser without a window: for reports, for charts, and for probes of WebNN.

    with serving({"/": Path("report.html")}) as site, Browser.start() as browser:
        page = browser.open(site.url)                       # or any file: Path.as_uri()
        page.resize(400, 800, mobile=True)
        page.show(scheme="dark")                            # or media="print"
        title = page.evaluate("document.title")             # promises are awaited
        page.click("#filter")
        page.press("Tab")
        png, pdf = page.screenshot(), page.pdf()
        assert not page.errors and not page.messages        # exceptions; console messages
        assert all(each.url.startswith(site.url) for each in page.requests)

It is any Chromium, Chrome or Edge (`find_browser`), started with a profile that is thrown away, and
talked to by the DevTools protocol over two pipes. Only this machine can be reached from its pages:
other hosts have no address. Everything that waits has a limit of time, and the browser as a whole
one of memory. Leaving the `with` ends all of its processes and deletes the profile; if this process
is killed, the pipes close, which ends the browser, and a later run deletes the profile.
"""

from modellint.browser.browser import Browser
from modellint.browser.found import ENVIRONMENT, find_browser
from modellint.browser.page import BrowserPage, ConsoleMessage, PageError, PageRequest
from modellint.browser.process import BrowserError, BrowserLimits
from modellint.browser.site import Site, serving

__all__ = [
    "ENVIRONMENT",
    "Browser",
    "BrowserError",
    "BrowserLimits",
    "BrowserPage",
    "ConsoleMessage",
    "PageError",
    "PageRequest",
    "Site",
    "find_browser",
    "serving",
]
