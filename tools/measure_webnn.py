"""Asks a real browser about WebNN: what a context takes, and what graphs of ours compute.

    python tools/measure_webnn.py limits       # writes limits-<browser>.json
    python tools/measure_webnn.py run MODEL... # converts, runs, compares with its runtime

The browser is the one of `modellint probe --setup webnn`.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from measure_placement import usual_sizes
from numpy.typing import NDArray

from modellint.browser import Browser, BrowserError, BrowserPage, PageError, Site, serving
from modellint.formats import read_model
from modellint.model import Model
from modellint.runtimes.webnn.installed import installed
from modellint.runtimes.webnn.ort_web import FLAGS
from modellint.targets.deployment import Deployment
from modellint.webnn.conversion import convert
from modellint.webnn.graphs import MLGraph
from modellint.webnn.limits import measured_limits
from modellint.webnn.writing import write_module

ROOM = Path(__file__).parent.parent / "src" / "modellint" / "webnn"
SOURCE = "https://www.w3.org/TR/webnn/#api-mlcontext-opsupportlimits"
_PAGE = b"<!doctype html><title>WebNN</title>"
_RUN = """(async () => {
    const {load} = await import("/graph.js?" + Math.random());
    const model = await load({deviceType: "cpu"});
    const fed = await (await fetch("/inputs.json")).json();
    const arrays = {float32: Float32Array, float16: Uint16Array, int32: Int32Array,
        uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array, int8: Int8Array,
        uint8: Uint8Array};
    const given = {};
    for (const [name, [type, text]] of Object.entries(fed))
        given[name] = new arrays[type](Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);
    const found = await model.compute(given), said = {};
    for (const [name, content] of Object.entries(found)) {
        const bytes = new Uint8Array(content.buffer);
        let text = "";
        for (let at = 0; at < bytes.length; at += 32768)
            text += String.fromCharCode(...bytes.subarray(at, at + 32768));
        said[name] = btoa(text);
    }
    model.graph.destroy?.();
    return said;
})()"""


@dataclass
class Ran:
    """Result of a model in the browser."""

    graph: MLGraph
    error: str = ""
    worst: float = 0.0
    """Largest difference of an output from its runtime's, in shares of the largest element."""


class WebNNPage:
    """A page that runs graphs."""

    def __init__(self, site: Site, stack: ExitStack, program: Path) -> None:
        self._site, self._stack, self._program = site, stack, program
        self._page: BrowserPage | None = None
        self._browser = self._started()

    @classmethod
    @contextmanager
    def start(cls, program: Path) -> Iterator[WebNNPage]:
        with serving({"/": _PAGE}) as site, ExitStack() as stack:
            yield cls(site, stack, program)

    def _started(self) -> Browser:
        """Start the browser, again if it ended: some graphs crash it."""
        self._stack.close()
        self._page = None
        return self._stack.enter_context(Browser.start(self._program, flags=FLAGS))

    @property
    def version(self) -> str:
        return self._browser.version

    def limits(self) -> dict[str, Any]:
        made = 'navigator.ml.createContext({deviceType: "cpu"})'
        found: dict[str, Any] = self.evaluate(f"{made}.then(made => made.opSupportLimits())")
        return found

    def evaluate(self, expression: str) -> Any:
        self._page = self._page or self._browser.open(self._site.url)
        return self._page.evaluate(expression)

    def run(self, model: Model, sizes: Mapping[str, int], seconds: float = 60.0) -> Ran:
        """Convert a model, run it with made-up inputs, and compare it with its own runtime."""
        is_tflite = model.format == "tflite"
        deployment = Deployment(symbols=sizes, batch=1 if is_tflite else None)
        graph = convert(model, deployment, measured_limits())
        if graph.obstacles or not graph.outputs:
            return Ran(graph, "obstacles" if graph.obstacles else "no outputs")
        fed = {name: made_up(model, name, each.shape) for name, each in graph.inputs.items()}
        expected = (by_litert if is_tflite else by_onnxruntime)(model.path, fed)
        with TemporaryDirectory() as folder:
            target = Path(folder) / "graph.js"
            write_module(graph, target, model.path.name)
            self._site.files.update({f"/{each.name}": each for each in Path(folder).iterdir()})
            self._site.files["/inputs.json"] = json.dumps(
                {name: _text(content, graph) for name, content in fed.items()}
            ).encode()
            try:
                page = self._page = self._page or self._browser.open(self._site.url)
                said = page.evaluate(_RUN, seconds=seconds)
            except (BrowserError, PageError) as error:
                if isinstance(error, BrowserError):
                    self._browser = self._started()
                return Ran(graph, str(error).partition("\n")[0])
        worst = 0.0
        for name, operand in graph.outputs.items():
            mine = np.frombuffer(base64.b64decode(said[name]), np.dtype(operand.dtype))
            worst = max(worst, difference(mine.reshape(operand.shape), expected[name]))
        return Ran(graph, "", worst)


def _text(content: NDArray[Any], graph: MLGraph) -> list[str]:
    kind = "uint8" if content.dtype == bool else str(content.dtype)
    return [kind, base64.b64encode(content.astype(kind).tobytes()).decode()]


def made_up(model: Model, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return elements for an input: floats around 0, any bytes, integers that may be indices."""
    value = model.graph.values[name]
    assert value.dtype is not None
    random = np.random.default_rng(7)
    if value.dtype.is_float:
        return random.standard_normal(shape).astype(value.dtype.numpy)
    if "mask" in name or value.dtype.name == "bool":
        return np.ones(shape, value.dtype.numpy)
    if value.dtype.name in ("int8", "uint8"):
        return random.integers(0, 256, shape, np.uint8).view(value.dtype.numpy)
    return random.integers(0, 2, shape).astype(value.dtype.numpy)


def by_onnxruntime(path: Path, fed: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return what ONNX Runtime computes with each node as it is written."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, fed), strict=True))


def by_litert(path: Path, fed: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return what LiteRT computes, by the names that modellint reads."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    places = interpreter.get_input_details()
    for place, content in zip(places, fed.values(), strict=True):
        if tuple(place["shape"]) != content.shape:
            interpreter.resize_tensor_input(place["index"], content.shape)
    interpreter.allocate_tensors()
    for place, content in zip(places, fed.values(), strict=True):
        interpreter.set_tensor(place["index"], content)
    interpreter.invoke()
    names = [value.name for value in read_model(path).outputs]
    places = interpreter.get_output_details()
    return {
        name: interpreter.get_tensor(place["index"])
        for name, place in zip(names, places, strict=True)
    }


def difference(mine: NDArray[Any], wanted: NDArray[Any]) -> float:
    a, b = mine.astype(np.float64), np.asarray(wanted).astype(np.float64)
    if a.shape != b.shape or np.isnan(a).any() != np.isnan(b).any():
        return float("inf")
    size = float(np.abs(b[np.isfinite(b)]).max(initial=0.0))
    return float(np.nanmax(np.abs(a - b), initial=0.0)) / (size or 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["limits", "run"])
    parser.add_argument("models", nargs="*", type=Path)
    given = parser.parse_args()
    with WebNNPage.start(installed().program) as page:
        if given.what == "limits":
            write_limits(page)
            return
        for path in given.models:
            try:
                ran = page.run(read_model(path), usual_sizes(path))
            except Exception as error:  # the next model may do
                sys.stdout.write(f"{path.name}: {type(error).__name__}: {str(error)[:200]}\n")
                continue
            said = ran.error or f"differs by {ran.worst:.1e}"
            sys.stdout.write(f"{path.name}: {len(ran.graph.calls)} operators, {said[:300]}\n")
            for each in ran.graph.obstacles[:5]:
                sys.stdout.write(f"    {each.op} {each.node}: {each.reason}\n")
            sys.stdout.flush()


def write_limits(page: WebNNPage) -> None:
    found = page.limits()
    most, layout = found.pop("maxTensorByteLength"), found.pop("preferredInputLayout")
    stated = {
        "about": "Written by tools/measure_webnn.py; do not edit.",
        "browser": page.version.replace("/", " "),
        "backend": "TFLite on the CPU",
        "date": date.today().isoformat(),
        "source": SOURCE,
        "maxTensorByteLength": most,
        "preferredInputLayout": layout,
    }
    release = page.version.rpartition("/")[2].partition(".")[0]
    lines = [f"    {json.dumps(name)}: {json.dumps(each)}" for name, each in sorted(found.items())]
    head = json.dumps(stated, indent=2).removesuffix("\n}")
    text = head + ',\n  "operators": {\n' + ",\n".join(lines) + "\n  }\n}\n"
    (ROOM / f"limits-chromium-{release}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
