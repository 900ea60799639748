"""In the child process: builds for a Rockchip NPU with RKNN-Toolkit2, without one."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import field
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from modellint.base.records import dataclass
from modellint.runtimes.captured import captured, text_of
from modellint.runtimes.probe import Remark, Tell, as_plain, source_of
from modellint.runtimes.rknn.log import CPU, NPU, RknnLayer, errors, layers, memory


def answer(request: dict[str, Any], tell: Tell) -> None:
    from importlib.metadata import version

    said = {"version": version("rknn-toolkit2"), "level": request["level"]}
    started = time.perf_counter()
    found = RknnToolkit(request["chip"]).build(source_of(request), request["symbols"])
    if not found.starts:
        remarks = [Remark("model-refused", text) for text in found.errors or ["no reason given"]]
        tell({**said, "status": "refused", "remarks": as_plain(remarks)})
        return
    if request.get("names"):
        parts = [[(each.name, each.op) for each in part] for part in found.partitions]
        said = {**said, "partitions": parts, "left": [(e.name, e.op) for e in found.left]}
    placement = {unit: sum(each.unit == unit for each in found.layers) for unit in (NPU, CPU)}
    tell(
        {
            **said,
            "status": "accepted",
            "remarks": as_plain([Remark("on-cpu", "", each.name, each.op) for each in found.left]),
            "figures": {
                "build_seconds": time.perf_counter() - started,
                "nodes_taken": placement[NPU],
                "subgraphs_taken": len(found.partitions),
                "cycles": sum(each.cycles for each in found.layers),
                "moved_bytes": sum(each.moved_bytes for each in found.layers),
                "activation_bytes": found.memory.get("internal"),
                "weight_bytes": found.memory.get("weight"),
            },
            "placement": {unit: count for unit, count in placement.items() if count},
        }
    )


@dataclass(frozen=True, slots=True)
class RknnBuild:
    """Result of building a model."""

    starts: bool
    layers: tuple[RknnLayer, ...] = ()
    memory: Mapping[str, int] = field(default_factory=dict)
    errors: tuple[str, ...] = ()

    @property
    def left(self) -> list[RknnLayer]:
        return [layer for layer in self.layers if layer.unit != NPU]

    @property
    def partitions(self) -> list[list[RknnLayer]]:
        """Return the runs of layers on the NPU, in the order in which they run."""
        found: list[list[RknnLayer]] = []
        before = ""
        for layer in self.layers:
            if layer.unit == NPU:
                if before != NPU:
                    found.append([])
                found[-1].append(layer)
            before = layer.unit
        return found


class RknnToolkit:
    """RKNN-Toolkit2 for one chip."""

    def __init__(self, chip: str) -> None:
        if importlib.util.find_spec("torch") is None:
            sys.meta_path.append(_NoTorch())
        with captured():
            from rknn.api import RKNN

        self._make, self._chip = RKNN, chip

    def build(self, model: bytes | Path, symbols: Mapping[str, int] | None = None) -> RknnBuild:
        """Return what becomes of a model, of which some symbolic dims have a size."""
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            path = model if isinstance(model, Path) else Path(folder, "model.onnx")
            if isinstance(model, bytes):
                path.write_bytes(model)
            with captured() as log:
                is_built = self._is_built(path, symbols or {})
                said = text_of(log)
        if not is_built:
            return RknnBuild(False, errors=tuple(errors(said)))
        return RknnBuild(True, tuple(layers(said)), memory(said))

    def _is_built(self, path: Path, symbols: Mapping[str, int]) -> bool:
        """RKNN-Toolkit2 writes into the working folder, and raises or returns what went wrong."""
        toolkit = self._make(verbose=True)
        try:
            toolkit.config(target_platform=self._chip)
            is_loaded = toolkit.load_onnx(model=str(path), **_sizes(path, symbols)) == 0
            return is_loaded and bool(toolkit.build(do_quantization=False) == 0)
        except Exception as error:  # its errors have no common base class
            sys.stderr.write(f"\nE {''.join(str(error).strip().splitlines()[-1:])}\n")
            return False
        finally:
            with contextlib.suppress(Exception):
                toolkit.release()
            sys.stdout.flush()


def _sizes(path: Path, symbols: Mapping[str, int]) -> dict[str, Any]:
    """Return all inputs with their sizes, if some of them have open dims that are known."""
    import onnx

    graph = onnx.load(str(path), load_external_data=False).graph
    weights = {each.name for each in graph.initializer}
    fed = [each for each in graph.input if each.name not in weights]
    shapes = {each.name: _sized(each.type.tensor_type.shape.dim, symbols) for each in fed}
    is_open = any(dim.dim_param for each in fed for dim in each.type.tensor_type.shape.dim)
    if not is_open or not symbols or any(None in shape for shape in shapes.values()):
        return {}
    return {"inputs": list(shapes), "input_size_list": list(shapes.values())}


def _sized(dims: Sequence[Any], symbols: Mapping[str, int]) -> list[int | None]:
    return [symbols.get(dim.dim_param) if dim.dim_param else dim.dim_value for dim in dims]


class _NoTorch:
    """Stands in for torch, which RKNN-Toolkit2 imports and needs for PyTorch models only."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        is_wanted = name.partition(".")[0] == "torch"
        return ModuleSpec(name, self, is_package=True) if is_wanted else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Nothing(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


class _Nothing(ModuleType):
    __version__ = "2.0.0"

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (_Anything,), {})


class _Anything:
    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __call__(self, *given: Any, **_: object) -> Any:
        return given[0] if given else self

    def __getattr__(self, name: str) -> _Anything:
        return _Anything()
