"""Reader of OpenVINO's intermediate representation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

from modellint.base.files import open_regular
from modellint.base.text import bounded
from modellint.formats.openvino import OPENVINO
from modellint.formats.openvino.compression import schemes
from modellint.formats.openvino.constants import WeightsFile
from modellint.formats.openvino.facts import OpenVinoFacts
from modellint.formats.openvino.graph import NetworkReader
from modellint.formats.openvino.tree import read_tree
from modellint.formats.openvino.types import integer
from modellint.formats.problems import MalformedError, Problems, broken
from modellint.model import Graph, Model

name = OPENVINO.name

OLDEST = 10
"""Version of the format. Files of the older ones describe layers in another way."""
MOST_INFO = 10_000
_NET = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.{0,2000}?-->\s*)?"
    rb"<(!DOCTYPE\s+)?net\b",
    re.IGNORECASE,
)


_MARKS_OF_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def sniff(head: bytes, path: Path) -> bool:
    if head.startswith(_MARKS_OF_UTF_16):
        head = head.decode("utf-16", errors="ignore").encode(errors="ignore")
    return _NET.match(head) is not None


def read(path: Path) -> Model:
    try:
        with open_regular(path) as file:
            network = read_tree(file, path.stat().st_size)
        return _model(path, network)
    except MalformedError as error:
        return broken(path, name, error.kind, **error.facts)


def _model(path: Path, network: Element) -> Model:
    version = integer(network.get("version"))
    if network.tag != "net":
        raise MalformedError("corrupt", f"<{bounded(network.tag)}> where <net> should be")
    if version < OLDEST:
        detail = f"version {version} of the format; OpenVINO reads {OLDEST} and later"
        facts = {"format": OPENVINO.title, "detail": detail, "part": "outdated"}
        return broken(path, name, "unsupported-format", **facts)
    problems = Problems()
    model = Model(path, name)
    model.problems = problems
    model.capabilities = OPENVINO.tells
    weights = WeightsFile(path, problems)
    reader = NetworkReader(model, weights, problems)
    model.graph = Graph(model, bounded(network.get("name", "")))
    reader.read(network, model.graph)
    weights.report()
    model.tensors = weights.tensors
    model.external_files = [weights.path] if weights.is_needed else []
    info = _info(network)
    low = schemes(reader.types, reader.decompressions)
    model.metadata = {"format": f"IR version {version}", **low, **info}
    producer = _producer(info)
    model.producer_name, model.producer_version = producer.name, producer.version
    model.format_facts = OpenVinoFacts(
        version,
        reader.types,
        reader.input_shapes,
        info,
    )
    return model


def _info(network: Element) -> dict[str, str]:
    """Return what tools have noted on the model, by dotted path."""
    info: dict[str, str] = {}
    for section in ("rt_info", "meta_data"):
        for key, value in _entries(network.find(section), ""):
            if len(info) >= MOST_INFO:
                return info
            info.setdefault(bounded(key), value)
    return info


def _entries(section: Element | None, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in section if section is not None else ():
        key = f"{prefix}{entry.get('name') or entry.tag}"
        if entry.get("value") is not None:
            yield key, entry.get("value", "")
        yield from _entries(entry, f"{key}.")


class Producer(NamedTuple):
    """Program that wrote a model."""

    name: str = ""
    version: str = ""


_VERSIONS = {
    "Runtime_version": "OpenVINO",
    "OpenVINO Runtime": "OpenVINO",
    "MO_version": "Model Optimizer",
}


def _producer(info: dict[str, str]) -> Producer:
    for key, writer in _VERSIONS.items():
        if info.get(key):
            return Producer(writer, bounded(info[key]))
    return Producer()
