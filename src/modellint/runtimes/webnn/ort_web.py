"""ONNX Runtime Web with its provider for WebNN or another one, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from modellint.base.paths import real_path
from modellint.base.records import dataclass
from modellint.browser import Browser, BrowserError, BrowserPage, PageError, Site, serving
from modellint.runtimes.webnn.log import WebPlacement, placement_in

FLAGS = (
    "--enable-features=WebMachineLearningNeuralNetwork,SharedArrayBuffer",
    "--in-process-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
)
"""Flags that switch WebNN on, on a machine without a GPU."""
_PAGE = b"<!doctype html><title>ONNX Runtime Web</title>"
_START = """import("/ort/LOADED").then(loaded => {
    globalThis.ort = loaded;
    Object.assign(ort.env.wasm, {wasmPaths: "/ort/", numThreads: 1});
    Object.assign(ort.env, {logLevel: "verbose", debug: true});
})"""
_WITHOUT_BUILDING = """(() => {
    MLGraphBuilder.prototype.build = async () => ({destroy() {}});
})()"""
_SUPPORTED = """(async () => {
    try {
        return (await CONTEXT) ? "" : "no device";
    } catch (error) {
        return String(error) || "no reason given";
    }
})()"""
_CREATE = """(async () => {
    const bytes = new Uint8Array(await (await fetch("/model")).arrayBuffer());
    const options = await (await fetch("/options.json")).json();
    try {
        const session = await ort.InferenceSession.create(bytes, options);
        await session.release();
        return "";
    } catch (error) {
        return String(error) || "no reason given";
    }
})()"""


@dataclass(frozen=True, slots=True)
class WebProvider:
    """A provider of ONNX Runtime Web."""

    options: Mapping[str, str]
    """Name and settings that a session has for it."""
    loaded: str
    """The file of the npm package that has it."""
    flags: tuple[str, ...]
    """Flags of a browser on a machine without a GPU."""
    placement_in: Callable[[Iterable[str]], WebPlacement | None]
    """Returns the placement that its log states."""
    context: str
    """JavaScript that makes what the provider runs on, and fails in a browser that lacks it."""


WEBNN = WebProvider(
    {"name": "webnn", "deviceType": "cpu"},
    "ort.all.min.mjs",
    FLAGS,
    placement_in,
    'navigator.ml.createContext({deviceType: "cpu"})',
)


@dataclass(frozen=True, slots=True)
class WebSession:
    """Result of making a session."""

    placed: WebPlacement | None
    """None if ONNX Runtime refused the model before."""
    error: str = ""
    """Message of what went wrong while the browser built the graphs, or before."""
    messages: tuple[str, ...] = ()
    """The log."""


class OrtWeb:
    """A page with ONNX Runtime Web, which makes one session after the other."""

    def __init__(
        self, browser: Browser, site: Site, provider: WebProvider, *, builds: bool
    ) -> None:
        self._browser, self._site, self._provider = browser, site, provider
        self._builds = builds
        self._page: BrowserPage | None = None

    @classmethod
    @contextmanager
    def start(
        cls, package: Path, program: Path, provider: WebProvider = WEBNN, *, builds: bool = True
    ) -> Iterator[OrtWeb]:
        """Yield a page, with the files of the npm package `onnxruntime-web`.

        Unless it `builds`, nodes are only placed and described to WebNN, which is quick.
        """
        files: dict[str, Path | bytes] = {"/": _PAGE}
        files |= {f"/ort/{each.name}": each for each in (package / "dist").glob("ort*.[mw]*")}
        with ExitStack() as stack:
            site = stack.enter_context(serving(files))
            browser = stack.enter_context(Browser.start(program, flags=provider.flags))
            yield cls(browser, site, provider, builds=builds)

    @property
    def browser_version(self) -> str:
        return self._browser.version

    def obstacle(self) -> str:
        """Return why the browser lacks what the provider runs on; empty if it has it."""
        page = self._page or self._opened()
        return str(page.evaluate(_SUPPORTED.replace("CONTEXT", self._provider.context)))

    def create(
        self,
        model: bytes | Path,
        symbols: Mapping[str, int] | None = None,
        *,
        optimizes: bool = True,
        seconds: float = 120.0,
    ) -> WebSession:
        """Make a session of a model, of which some symbolic dims have a size."""
        import json

        page = self._page or self._opened()
        self._site.files["/model"] = model
        outside = _external(model) if isinstance(model, Path) else {}
        self._site.files.update((f"/data/{at}", each) for at, each in enumerate(outside.values()))
        options = {
            "executionProviders": [dict(self._provider.options)],
            "externalData": [
                {"path": name, "data": f"/data/{at}"} for at, name in enumerate(outside)
            ],
            "freeDimensionOverrides": dict(symbols or {}),
            "graphOptimizationLevel": "all" if optimizes else "disabled",
            "logSeverityLevel": 0,
            "logVerbosityLevel": 0,
        }
        self._site.files["/options.json"] = json.dumps(options).encode()
        page.messages.clear()
        try:
            error = page.evaluate(_CREATE, seconds=seconds)
        except (BrowserError, PageError) as failure:
            error = f"the browser does not finish: {failure}"
            self._page = None  # it may never be free again
            page.close()
        said = tuple(each.text for each in page.messages)
        return WebSession(self._provider.placement_in(said), error, said)

    def _opened(self) -> BrowserPage:
        page = self._page = self._browser.open(self._site.url)
        page.evaluate(_START.replace("LOADED", self._provider.loaded))
        if not self._builds:
            page.evaluate(_WITHOUT_BUILDING)
        return page


def _external(model: Path) -> dict[str, Path]:
    """Return the files that hold weights of a model, by the names that it has for them."""
    from onnx import load
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    stated = load(model, load_external_data=False).graph.initializer
    names = {ExternalDataInfo(each).location for each in stated if uses_external_data(each)}
    inside = {name: real_path(model.parent / name) for name in sorted(names)}
    folder = real_path(model.parent)
    return {name: path for name, path in inside.items() if path.is_relative_to(folder)}
