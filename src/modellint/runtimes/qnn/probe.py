"""In the child process: compiles for a Snapdragon's Hexagon processor, without one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modellint.base.records import dataclass
from modellint.runtimes.captured import captured, text_of
from modellint.runtimes.onnxruntime.log import refusal
from modellint.runtimes.probe import Remark, Tell, as_plain, source_of
from modellint.runtimes.qnn.log import NodeUnit, node_units

PROVIDER, CPU = "QNNExecutionProvider", "CPUExecutionProvider"
ASSIGNMENT = "session.record_ep_graph_assignment_info"
VERBOSE = 0


def answer(request: dict[str, Any], tell: Tell) -> None:
    from importlib.metadata import version

    said = {"version": version("onnxruntime-qnn"), "level": request["level"]}
    started = time.perf_counter()
    found = Compiler(request["chip"]).compile(source_of(request), request["symbols"])
    left = [Remark("on-cpu", unit.reason, unit.name, unit.op) for unit in found.refusals]
    if not found.starts:
        remarks = [refusal(found.error), *left]
        tell({**said, "status": "refused", "remarks": as_plain(remarks)})
        return
    if request.get("names"):
        said = {**said, "partitions": found.partitions, "left": found.left}
    placement = {PROVIDER: sum(map(len, found.partitions)), CPU: len(found.left)}
    tell(
        {
            **said,
            "status": "accepted",
            "remarks": as_plain(left if found.taken else left[:1]),
            "figures": {
                "build_seconds": time.perf_counter() - started,
                "nodes_taken": placement[PROVIDER],
                "subgraphs_taken": len(found.partitions),
            },
            "placement": {name: count for name, count in placement.items() if count},
        }
    )


@dataclass(frozen=True, slots=True)
class Compiled:
    """Result of compiling a model."""

    starts: bool
    partitions: tuple[tuple[tuple[str, str], ...], ...] = ()
    """Names and operators of the nodes on the accelerator."""
    left: tuple[tuple[str, str], ...] = ()
    """The same for nodes left to the CPU."""
    units: tuple[NodeUnit, ...] = ()
    error: str = ""

    @property
    def taken(self) -> bool:
        return bool(self.partitions)

    @property
    def refusals(self) -> list[NodeUnit]:
        return [unit for unit in self.units if not unit.taken]


class Compiler:
    """ONNX Runtime with Qualcomm's provider, for one chip."""

    def __init__(self, chip: str) -> None:
        import onnxruntime as ort
        import onnxruntime_qnn as qnn

        self._ort, self._chip, self._backend = ort, chip, qnn.get_qnn_htp_path()
        ort.set_default_logger_severity(VERBOSE)
        ort.register_execution_provider_library(PROVIDER, qnn.get_library_path())
        devices = [each for each in ort.get_ep_devices() if each.ep_name == PROVIDER]
        self._devices = devices[:1]

    def compile(self, model: bytes | Path, symbols: Mapping[str, int] | None = None) -> Compiled:
        """Return what becomes of a model, of which some symbolic dims have a size."""
        with captured() as log:
            try:
                session = self._session(model, symbols or {})
            except Exception as error:  # the runtime's errors have no common base class
                return Compiled(False, units=tuple(node_units(text_of(log))), error=str(error))
            groups = session.get_provider_graph_assignment_info()
            units = tuple(node_units(text_of(log)))
        named = [(group.ep_name, _nodes(group)) for group in groups]
        return Compiled(
            True,
            partitions=tuple(nodes for provider, nodes in named if provider == PROVIDER),
            left=tuple(node for provider, nodes in named if provider != PROVIDER for node in nodes),
            units=units,
        )

    def _session(self, model: bytes | Path, symbols: Mapping[str, int]) -> Any:
        options = self._ort.SessionOptions()
        options.log_severity_level = VERBOSE
        options.add_session_config_entry(ASSIGNMENT, "1")
        for name, size in symbols.items():
            options.add_free_dimension_override_by_name(name, size)
        settings = {
            "backend_path": self._backend,
            "soc_model": self._chip,
            "offload_graph_io_quantization": "0",  # Q and DQ at the border say nothing of a model
        }
        options.add_provider_for_devices(self._devices, settings)
        source = model if isinstance(model, bytes) else str(model)
        return self._ort.InferenceSession(source, options)


def _nodes(group: Any) -> tuple[tuple[str, str], ...]:
    return tuple((node.name, node.op_type) for node in group.get_nodes())
