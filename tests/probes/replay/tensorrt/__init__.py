"""A stand-in that speaks TensorRT 10's Python interface and replays what a builder said once.

TensorRT itself needs a GPU to begin with. What it says is read from the JSON file that the
environment names: parser errors, log lines before and after parsing, and the engine's size.
"""

from __future__ import annotations

import enum
import json
import os
from pathlib import Path
from typing import Any

__version__ = "10.9.0.34"
SAID: dict[str, Any] = json.loads(Path(os.environ["REPLAY"]).read_text(encoding="utf-8"))
DONE: dict[str, Any] = {}


def _note(**facts: Any) -> None:
    """Record what was asked of the stand-in, for the test to look at."""
    DONE.update(facts)
    Path(os.environ["REPLAY"]).with_suffix(".done").write_text(json.dumps(DONE), encoding="utf-8")


class Severity(enum.IntEnum):
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = Severity

    def log(self, severity: Severity, message: str) -> None:
        raise NotImplementedError


class NetworkDefinitionCreationFlag(enum.IntEnum):
    EXPLICIT_BATCH = 0
    STRONGLY_TYPED = 1


class BuilderFlag(enum.IntEnum):
    FP16, BF16, INT8, FP8, TF32 = range(5)


class MemoryPoolType(enum.IntEnum):
    WORKSPACE = 0


def _say(logger: ILogger, part: str) -> None:
    for severity, message in SAID.get(part, ()):
        logger.log(Severity[severity], message)


class Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, Any] = {}

    def set_shape(self, name: str, *shapes: Any) -> None:
        self.shapes[name] = shapes


class Config:
    def __init__(self) -> None:
        self.flags: list[str] = []
        self.cleared: list[str] = []
        self.limits: dict[str, int] = {}
        self.profiles: list[Any] = []

    def set_flag(self, flag: BuilderFlag) -> None:
        self.flags.append(flag.name)

    def clear_flag(self, flag: BuilderFlag) -> None:
        self.cleared.append(flag.name)

    def set_memory_pool_limit(self, pool: MemoryPoolType, size: int) -> None:
        self.limits[pool.name] = size

    def add_optimization_profile(self, profile: Profile) -> None:
        self.profiles.append(profile.shapes)


class Tensor:
    def __init__(self, name: str) -> None:
        self.name = name


class Network:
    def __init__(self, flags: int) -> None:
        _note(network_flags=flags)
        self.num_inputs = len(SAID.get("inputs", ()))

    def get_input(self, at: int) -> Tensor:
        return Tensor(SAID["inputs"][at])


class Builder:
    def __init__(self, logger: ILogger) -> None:
        self.logger = logger

    def create_network(self, flags: int) -> Network:
        return Network(flags)

    def create_builder_config(self) -> Config:
        return Config()

    def create_optimization_profile(self) -> Profile:
        return Profile()

    def build_serialized_network(self, network: Network, config: Config) -> memoryview | None:
        _note(
            flags=config.flags,
            cleared=config.cleared,
            limits=config.limits,
            profiles=config.profiles,
        )
        _say(self.logger, "building")
        size = SAID.get("engine")
        return memoryview(b"ftrt".ljust(size, b"\0")) if size else None


class LayerInformationFormat(enum.IntEnum):
    ONELINE, JSON = range(2)


class Inspector:
    def get_engine_information(self, form: LayerInformationFormat) -> str:
        assert form is LayerInformationFormat.JSON
        return json.dumps(SAID["layers"])


class Engine:
    def create_engine_inspector(self) -> Inspector:
        return Inspector()


class Runtime:
    def __init__(self, logger: ILogger) -> None:
        self.logger = logger

    def deserialize_cuda_engine(self, data: bytes) -> Engine | None:
        assert data[:4] == b"ftrt"
        _say(self.logger, "loading")
        return Engine() if "layers" in SAID else None


class Code(enum.IntEnum):
    UNSUPPORTED_NODE = 8
    INVALID_NODE = 6


class Error:
    def __init__(self, said: dict[str, Any]) -> None:
        self.said = said

    def code(self) -> Code:
        return Code[self.said["code"]]

    def desc(self) -> str:
        return str(self.said["desc"])

    def node(self) -> int:
        return int(self.said["node"])

    def node_name(self) -> str:
        return str(self.said["name"])

    def node_operator(self) -> str:
        return str(self.said["op"])


class OnnxParser:
    def __init__(self, network: Network, logger: ILogger) -> None:
        self.logger = logger
        self.errors = [Error(said) for said in SAID.get("errors", ())]

    def parse_from_file(self, path: str) -> bool:
        assert Path(path).is_file()
        _say(self.logger, "parsing")
        return not self.errors

    @property
    def num_errors(self) -> int:
        return len(self.errors)

    def get_error(self, at: int) -> Error:
        return self.errors[at]

    def supports_model_v2(self, model: bytes, path: str) -> bool:
        return not self.errors

    @property
    def num_subgraphs(self) -> int:
        return len(SAID.get("subgraphs", ()))

    def is_subgraph_supported(self, at: int) -> bool:
        return True

    def get_subgraph_nodes(self, at: int) -> list[int]:
        return list(SAID["subgraphs"][at])
