"""OpenVINO's intermediate representation (IR): the network as XML, and a file of weights."""

from __future__ import annotations

from modellint.capability import Capability
from modellint.formats.format import Format

OPENVINO = Format(
    "openvino",
    "OpenVINO IR",
    shared_suffixes=(".xml",),
    companions=("{stem}.bin",),
    tells=frozenset(
        {Capability.GRAPH, Capability.WEIGHTS, Capability.QUANTIZATION, Capability.METADATA}
    ),
    reader="modellint.formats.openvino.reader",
    notation="modellint.formats.openvino.notation",
)
