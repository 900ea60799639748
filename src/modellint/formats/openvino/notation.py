"""Text for OpenVINO models, one layer a line, for the examples of rules.

net version=11
x = Parameter f32[1,3,?,1..8]
w = Const f16[8,3] offset=0
c = Convert(w) f32[8,3] destination_type=f32 @decompression
y, z = Split(c, x) f32[4,3] f32[4,3] num_splits=2
Result(y)
info conversion_parameters.framework=onnx
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, tostring

from modellint.formats.openvino.types import element_type

_TYPE = re.compile(r"(\w+)\[([^\]]*)\]$")
_PRECISIONS = {"f64": "FP64", "f32": "FP32", "f16": "FP16", "boolean": "BOOL"}


def encode(text: str) -> bytes:
    """Return the XML of a model. Raises ValueError with the mistake in the text."""
    net = Element("net", name="example", version="11")
    writer = _Writer(net)
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "net":
            net.attrib.update(_pairs(rest.split()))
        elif word == "info":
            writer.info(rest)
        else:
            writer.layer(line)
    encoded: bytes = tostring(net, encoding="utf-8", xml_declaration=True)
    return encoded


class _Writer:
    def __init__(self, net: Element) -> None:
        self.layers = SubElement(net, "layers")
        self.edges = SubElement(net, "edges")
        self.noted = SubElement(net, "rt_info")
        self.values: dict[str, tuple[str, str, str]] = {}
        """Layer, port and type of each value by name."""

    def info(self, text: str) -> None:
        path, _, value = text.partition("=")
        place = self.noted
        for key in path.split("."):
            found = place.find(key)
            place = found if found is not None else SubElement(place, key)
        place.set("value", value)

    def layer(self, line: str) -> None:
        before, _, after = line.rpartition(" = ")
        outputs = _words(before)
        kind, inputs, words = _call(after)
        kind, _, opset = kind.partition(":")
        types = [word for word in words if _TYPE.match(word)]
        id = str(len(self.layers))
        element = SubElement(
            self.layers,
            "layer",
            id=id,
            name=outputs[0] if outputs else f"layer_{id}",
            type=kind,
            version=opset or "opset1",
        )
        data = SubElement(element, "data")
        if kind in ("Parameter", "Const"):
            data.attrib.update(_content(types[0], kind))
        data.attrib.update(_pairs(word for word in words if "=" in word))
        for word in words:
            if word.startswith("@"):
                info = SubElement(element, "rt_info")
                SubElement(info, "attribute", name=word[1:], version="0")
        if inputs:
            self._inputs(id, SubElement(element, "input"), inputs)
        if outputs:
            if len(types) != len(outputs):
                raise ValueError(f"{len(outputs)} outputs, but {len(types)} types: {line}")
            ports = SubElement(element, "output")
            for place, (name, type) in enumerate(zip(outputs, types, strict=True), len(inputs)):
                self.values[name] = id, str(place), type
                _port(ports, str(place), type)

    def _inputs(self, id: str, ports: Element, inputs: list[str]) -> None:
        for place, name in enumerate(inputs):
            if name not in self.values:
                raise ValueError(f"no layer gives {name}")
            layer, port, type = self.values[name]
            _port(ports, str(place), type)
            ends = {"from-layer": layer, "from-port": port, "to-layer": id, "to-port": str(place)}
            SubElement(self.edges, "edge", ends)


def _call(text: str) -> tuple[str, list[str], list[str]]:
    """Parse ``Add:opset1(x, y) f32[2] a=b``: the operation, its inputs, and the rest."""
    first, _, rest = text.partition(" ")
    if "(" not in first:
        return first, [], rest.split()
    kind, _, more = text.partition("(")
    inputs, _, rest = more.partition(")")
    return kind, _words(inputs), rest.split()


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _pairs(words: Iterator[str] | list[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in words)


def _content(type: str, kind: str) -> dict[str, str]:
    """Return the attributes of an input or a constant."""
    name, shape = _parsed(type)
    content = {"element_type": name, "shape": shape}
    dtype = element_type(name)
    if kind == "Const" and dtype is not None:
        count = 1
        for dim in _words(shape):
            count *= int(dim)
        content |= {"offset": "0", "size": str(dtype.nbytes(count))}
    return content


def _parsed(type: str) -> tuple[str, str]:
    found = _TYPE.match(type)
    if found is None:
        raise ValueError(f"not a type: {type}")
    return found[1], found[2]


def _port(ports: Element, id: str, type: str) -> None:
    name, shape = _parsed(type)
    port = SubElement(ports, "port", id=id, precision=_PRECISIONS.get(name, name.upper()))
    for dim in _words(shape):
        if dim != "...":
            SubElement(port, "dim").text = dim if dim.isdigit() else "-1"
