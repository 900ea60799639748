"""TFLite models of one operator each: every operator in several forms, with every type.

A form is written `inputs -> outputs {options} vVERSION`. A tensor is a type with its dims, perhaps
with a value; `T` is the type that is varied, `W` and `B` are weights and a bias for it. Integers of
type `T` are quantized, `T'` with another scale; `T!` is not quantized. `?` is an open dim.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import prod

from modellint.formats.tflite.notation import encode

TYPES = (
    "float32",
    "float16",
    "int8",
    "uint8",
    "int16",
    "int32",
    "int64",
    "bool",
    "uint32",
    "int4",
)
_ZERO = {"int8": -1, "uint8": 127}
_QUANTIZED = frozenset({"int4", "int8", "uint8", "int16", "int32", "int64"})
_WEIGHTS = {"int16": "int8"}
_BIASES = {"float32": "float32", "float16": "float16", "int16": "int64"}
_TENSOR = re.compile(
    r"(?P<type>[A-Za-z]\w*)(?P<mark>['!%]?)\[(?P<dims>[\d,?]*)\](?:=(?P<value>[-\d. ]+))?"
)
_FORM = re.compile(
    r"(?P<inputs>.*?)->(?P<outputs>[^{]*?)(?P<options>\{.*\})?\s*(?P<version>v\d+)?$"
)
D = "[1,4,4,8]"


def text_of(op: str, form: str, dtype: str) -> str:
    """Return a form with a type, in the notation that `encode` reads."""
    match = _FORM.match(form)
    assert match, form
    lines: list[str] = []
    places = [_declared(match[side], side[0], dtype, lines) for side in ("inputs", "outputs")]
    given = [
        name
        for name, line in zip(places[0], lines, strict=False)
        if name != "-" and "=" not in line.partition(" ")[2]
    ]
    options, version = match["options"] or "", match["version"] or "v1"
    return "\n".join(
        [
            f"main ({', '.join(given)}) => ({', '.join(places[1])})",
            *(line for line in lines if line),
            f"{op} ({', '.join(places[0])}) => ({', '.join(places[1])}) {options} {version}",
        ]
    )


def model_of(op: str, form: str, dtype: str) -> bytes:
    return encode(text_of(op, form, dtype))


def _declared(side: str, prefix: str, dtype: str, lines: list[str]) -> list[str]:
    names = []
    for place, text in enumerate(each.strip() for each in side.split(";") if each.strip()):
        if text == "-":
            names.append("-")
            lines.append("")
            continue
        match = _TENSOR.fullmatch(text)
        assert match, text
        name = f"{prefix}{place}"
        names.append(name)
        lines.append(_tensor(name, match, dtype))
    return names


def _tensor(name: str, match: re.Match[str], dtype: str) -> str:
    kind, mark, value = match["type"], match["mark"], match["value"]
    scale = 0.25 if mark == "'" else 0.5
    of, zero, axis = kind, 0, ""
    if kind == "T":
        of, zero = dtype, _ZERO.get(dtype, 0)
    elif kind == "W":
        of = _WEIGHTS.get(dtype, dtype)
        zero, value = (127 if of == "uint8" else 0), value or "1"
    elif kind == "B":
        of = _BIASES.get(dtype, "int32")
        value = value or "0"
        scale = 0.25
    line = f"{name} {of}[{match['dims']}]"
    if kind in ("T", "W", "B") and of in _QUANTIZED and dtype in _QUANTIZED and mark != "!":
        if mark == "%":  # a scale for each of the first dim
            count = int(match["dims"].split(",")[0])
            line += " *" + ",".join(["0.5"] * count) + " @0 axis 0"
        else:
            line += f" *{scale} @{zero}{axis}"
    if value is not None:
        numbers = value.split()
        size = prod(int(each) for each in match["dims"].split(",") if each)
        assert len(numbers) in (1, size), (name, value, size)
        line += f" = {' '.join(numbers)}"
    return line


def _unary(options: str = "") -> dict[str, str]:
    return {
        "rank 4": f"T{D} -> T{D} {options}",
        "another scale": f"T{D} -> T'{D} {options}",
        "not quantized": f"T!{D} -> T!{D} {options}",
        "rank 1": f"T[8] -> T[8] {options}",
        "rank 2": f"T[4,8] -> T[4,8] {options}",
        "rank 3": f"T[2,4,8] -> T[2,4,8] {options}",
        "rank 5": f"T[1,2,4,4,8] -> T[1,2,4,4,8] {options}",
        "rank 6": f"T[1,1,2,4,4,8] -> T[1,1,2,4,4,8] {options}",
        "batch 2": f"T[2,4,4,8] -> T[2,4,4,8] {options}",
        "open batch": f"T[?,4,4,8] -> T[?,4,4,8] {options}",
        "open height": f"T[1,?,4,8] -> T[1,?,4,8] {options}",
    }


def _binary(options: str = "", to: str = "T") -> dict[str, str]:
    both = f"T{D} -> {to}{D} {options}"
    return {
        "rank 4": f"T{D}; {both}",
        "another scale": f"T{D}; T{D} -> {to}'{D} {options}",
        "scales differ": f"T{D}; T'{D} -> {to}{D} {options}",
        "not quantized": f"T!{D}; T!{D} -> {to}!{D} {options}",
        "constant": f"T{D}; T{D}=1 -> {to}{D} {options}",
        "scalar": f"T{D}; T[]=1 -> {to}{D} {options}",
        "one element": f"T{D}; T[1]=1 -> {to}{D} {options}",
        "scalar first": f"T[]=1; T{D} -> {to}{D} {options}",
        "channels": f"T{D}; T[8]=1 -> {to}{D} {options}",
        "channels of rank 4": f"T{D}; T[1,1,1,8] -> {to}{D} {options}",
        "plane": f"T{D}; T[1,4,4,1] -> {to}{D} {options}",
        "both broadcast": f"T[1,4,1,8]; T[1,1,4,8] -> {to}{D} {options}",
        "rank 1": f"T[8]; T[8] -> {to}[8] {options}",
        "rank 2": f"T[4,8]; T[4,8] -> {to}[4,8] {options}",
        "rank 3": f"T[2,4,8]; T[2,4,8] -> {to}[2,4,8] {options}",
        "rank 5": f"T[1,2,4,4,8]; T[1,2,4,4,8] -> {to}[1,2,4,4,8] {options}",
        "rank 6 and constant": f"T[1,1,2,4,4,8]; T[8]=1 -> {to}[1,1,2,4,4,8] {options}",
        "rank 7": f"T[1,1,1,2,4,4,8]; T[1,1,1,2,4,4,8] -> {to}[1,1,1,2,4,4,8] {options}",
        "batch 2": f"T[2,4,4,8]; T[2,4,4,8] -> {to}[2,4,4,8] {options}",
        "open batch": f"T[?,4,4,8]; T[?,4,4,8] -> {to}[?,4,4,8] {options}",
        "open height": f"T[1,?,4,8]; T[1,?,4,8] -> {to}[1,?,4,8] {options}",
    }


def _activated() -> dict[str, str]:
    return {
        f"fused {each}": f"T{D}; T{D} -> T{D} {{fused_activation_function={each}}}"
        for each in ("RELU", "RELU6", "RELU_N1_TO_1", "TANH")
    }


def _reduction() -> dict[str, str]:
    def form(dims: str, axes: str, to: str, *, keep: int = 1, mark: str = "") -> str:
        count = len(axes.split())
        return f"T[{dims}]; int32[{count}]={axes} -> T{mark}[{to}] {{keep_dims={keep}}}"

    return {
        "spatial": form("1,4,4,8", "1 2", "1,1,1,8"),
        "spatial, dims dropped": form("1,4,4,8", "1 2", "1,8", keep=0),
        "height": form("1,4,4,8", "1", "1,1,4,8"),
        "width": form("1,4,4,8", "2", "1,4,1,8"),
        "channels": form("1,4,4,8", "3", "1,4,4,1"),
        "last": form("1,4,4,8", "-1", "1,4,4,1"),
        "channels of a row": form("1,1,4,8", "3", "1,1,4,1"),
        "width and channels": form("1,4,4,8", "2 3", "1,4,1,1"),
        "batch": form("1,4,4,8", "0", "1,4,4,8"),
        "batch of 2": form("2,4,4,8", "0", "1,4,4,8"),
        "spatial, batch 2": form("2,4,4,8", "1 2", "2,1,1,8"),
        "all": form("1,4,4,8", "0 1 2 3", "1,1,1,1"),
        "rank 1": form("8", "0", "1"),
        "rank 2": form("4,8", "1", "4,1"),
        "rank 2, first": form("4,8", "0", "1,8"),
        "rank 3": form("2,4,8", "1", "2,1,8"),
        "rank 3, first": form("2,4,8", "0", "1,4,8"),
        "rank 3, last": form("2,4,8", "2", "2,4,1"),
        "rank 5": form("1,2,4,4,8", "2 3", "1,2,1,1,8"),
        "rank 5, batch 1": form("1,1,4,4,8", "2 3", "1,1,1,1,8"),
        "channels of a column": form("1,4,1,8", "3", "1,4,1,1"),
        "one channel": form("1,4,4,1", "3", "1,4,4,1"),
        "another scale": form("1,4,4,8", "1 2", "1,1,1,8", mark="'"),
        "axes at run time": f"T{D}; int32[2] -> T[1,1,1,8] {{keep_dims=1}}",
        "large": form("1,128,128,8", "1 2", "1,1,1,8"),
        "larger": form("1,512,512,1", "1 2", "1,1,1,1"),
        "a long axis": form("1,5000,1,8", "1", "1,1,1,8"),
        "open batch": "T[?,4,4,8]; int32[2]=1 2 -> T[?,1,1,8] {keep_dims=1}",
    }


_BOUNDS = "int32[4]={} ; int32[4]={} ; int32[4]={}"


def _strided() -> dict[str, str]:
    def form(begin: str, end: str, step: str, to: str, masks: str = "", of: str = "1,4,4,8") -> str:
        zero = "begin_mask=0 end_mask=0 ellipsis_mask=0 new_axis_mask=0 shrink_axis_mask=0"
        options = {each.split("=")[0]: each for each in f"{zero} {masks}".split()}
        return (
            f"T[{of}]; {_BOUNDS.format(begin, end, step)} -> T[{to}] "
            f"{{{' '.join(options.values())}}}"
        )

    return {
        "plain": form("0 1 1 0", "1 3 3 8", "1 1 1 1", "1,2,2,8"),
        "channels": form("0 0 0 2", "1 4 4 6", "1 1 1 1", "1,4,4,4"),
        "stride of height": form("0 0 0 0", "1 4 4 8", "1 2 1 1", "1,2,4,8"),
        "stride of height and width": form("0 0 0 0", "1 4 4 8", "1 2 2 1", "1,2,2,8"),
        "stride of channels": form("0 0 0 0", "1 4 4 8", "1 1 1 2", "1,4,4,4"),
        "backward": form("0 3 0 0", "1 0 4 8", "1 -1 1 1", "1,3,4,8"),
        "begin mask": form("0 1 1 0", "1 3 3 8", "1 1 1 1", "1,3,3,8", "begin_mask=6"),
        "end mask": form("0 1 1 0", "1 3 3 8", "1 1 1 1", "1,3,3,8", "end_mask=6"),
        "shrink": form("0 1 0 0", "1 2 4 8", "1 1 1 1", "1,4,8", "shrink_axis_mask=2"),
        "new axis": form("0 0 0 0", "1 0 4 4", "1 1 1 1", "1,1,4,4,8", "new_axis_mask=2"),
        "ellipsis": form("0 0 0 0", "1 4 4 8", "1 1 1 1", "1,4,4,8", "ellipsis_mask=2"),
        "negative end": form("0 0 0 0", "1 -1 4 8", "1 1 1 1", "1,3,4,8"),
        "batch 2": form("0 1 1 0", "2 3 3 8", "1 1 1 1", "2,2,2,8", of="2,4,4,8"),
        "one of batch 2": form("1 0 0 0", "2 4 4 8", "1 1 1 1", "1,4,4,8", of="2,4,4,8"),
        "stride of batch": form("0 0 0 0", "4 4 4 8", "2 1 1 1", "2,4,4,8", of="4,4,4,8"),
        "at run time": f"T{D}; int32[4]; int32[4]; int32[4] -> T[1,2,2,8] {{begin_mask=0}}",
        "rank 2": "T[4,8]; int32[2]=0 1; int32[2]=4 5; int32[2]=1 1 -> T[4,4] {begin_mask=0}",
        "rank 3": "T[1,4,8]; int32[3]=0 1 0; int32[3]=1 3 8; int32[3]=1 1 1 -> T[1,2,8] "
        "{begin_mask=0}",
        "another scale": "T[4,8]; int32[2]=0 1; int32[2]=4 5; int32[2]=1 1 -> T'[4,4] "
        "{begin_mask=0}",
    }


_CONV = "padding={} stride_w={} stride_h={} dilation_w_factor={} dilation_h_factor={}"


def _convolution(weight: str, extra: str = "") -> dict[str, str]:
    """Forms of a convolution from 16 x 16 x 4 to 8 channels, whose weight has a place for `k`."""

    def form(
        k: str = "3,3",
        to: str = "1,16,16,8",
        padding: str = "SAME",
        s: str = "1 1",
        d: str = "1 1",
        *,
        bias: str = "B[8]",
        mark: str = "",
        fused: str = "",
    ) -> str:
        options = _CONV.format(padding, *s.split(), *d.split()) + extra + fused
        w = weight.format(k=k, mark=mark)
        return f"T[1,16,16,4]; {w}; {bias} -> T[{to}] {{{options}}}"

    relu = " fused_activation_function="
    return {
        "same": form(),
        "per channel": form(mark="%"),
        "valid": form(to="1,14,14,8", padding="VALID"),
        "pointwise": form("1,1"),
        "stride 2": form(to="1,8,8,8", s="2 2"),
        "stride 3": form(to="1,6,6,8", s="3 3"),
        "stride 4": form(to="1,4,4,8", s="4 4"),
        "stride 4, valid": form("4,4", "1,4,4,8", "VALID", "4 4"),
        "stride 4, valid, dilated": form("2,2", "1,4,4,8", "VALID", "4 4", "2 2"),
        "stride 4, padded": form("8,8", "1,4,4,8", s="4 4"),
        "strides differ": form(to="1,8,16,8", s="1 2"),
        "dilated": form(d="2 2"),
        "dilations differ": form(d="2 1"),
        "dilated and strided": form(to="1,8,8,8", s="2 2", d="2 2"),
        "large kernel": form("9,9"),
        "wide kernel": form("1,16"),
        "no bias": form(bias="-"),
        "bias at run time": form(bias="int32[8]"),
        "fused RELU": form(fused=f"{relu}RELU"),
        "fused RELU6": form(fused=f"{relu}RELU6"),
        "fused RELU_N1_TO_1": form(fused=f"{relu}RELU_N1_TO_1"),
        "fused TANH": form(fused=f"{relu}TANH"),
        "weights at run time": form().replace("W[", "W_[").replace("W_", "int8"),
        "batch 2": form(to="2,16,16,8").replace("T[1,", "T[2,"),
        "open batch": form(to="?,16,16,8").replace("T[1,", "T[?,"),
        "weights of float16": form().replace("W[", "float16["),
        "weights of int8": re.sub(r"W(\[[\d,]*\])", r"int8\1=1", form())
        .replace("B[", "float32[")
        .replace("float32[8]", "float32[8]=0"),
    }


def _pool() -> dict[str, str]:
    def form(k: int, s: int, padding: str, to: str, of: str = "1,16,16,8") -> str:
        return (
            f"T[{of}] -> T[{to}] {{padding={padding} stride_w={s} stride_h={s} "
            f"filter_width={k} filter_height={k}}}"
        )

    return {
        "2 by 2": form(2, 2, "VALID", "1,8,8,8"),
        "3 by 3, same": form(3, 1, "SAME", "1,16,16,8"),
        "3 by 3, strided": form(3, 2, "SAME", "1,8,8,8"),
        "stride 3": form(3, 3, "VALID", "1,5,5,8"),
        "stride 4": form(4, 4, "VALID", "1,4,4,8"),
        "stride 4, same": form(4, 4, "SAME", "1,4,4,8"),
        "stride 4, padded": form(7, 4, "SAME", "1,4,4,8"),
        "whole": form(16, 16, "VALID", "1,1,1,8"),
        "9 by 9, same": form(9, 1, "SAME", "1,16,16,8"),
        "9 by 9, valid": form(9, 1, "VALID", "1,8,8,8"),
        "1 by 1": form(1, 1, "SAME", "1,16,16,8"),
        "1 by 1, strided": form(1, 2, "SAME", "1,8,8,8"),
        "beyond 256": form(300, 1, "VALID", "1,1,1,1", "1,300,300,1"),
        "batch 2": form(2, 2, "VALID", "2,8,8,8", "2,16,16,8"),
        "open batch": form(2, 2, "VALID", "?,8,8,8", "?,16,16,8"),
        "another scale": form(2, 2, "VALID", "1,8,8,8").replace("-> T", "-> T'"),
        "fused RELU": form(2, 2, "VALID", "1,8,8,8").replace(
            "{", "{fused_activation_function=RELU "
        ),
    }


def _resize() -> dict[str, str]:
    def form(h: int, w: int, of: str = "4,4", options: str = "", mark: str = "") -> str:
        return f"T[1,{of},8]; int32[2]={h} {w} -> T{mark}[1,{h},{w},8] {{{options or _NEITHER}}}"

    half = "align_corners=0 half_pixel_centers=1"
    align = "align_corners=1 half_pixel_centers=0"
    return {
        "2 times": form(8, 8),
        "3 times": form(12, 12),
        "4 times": form(16, 16),
        "8 times": form(32, 32),
        "16 times": form(64, 64),
        "2 times, half pixels": form(8, 8, options=half),
        "3 times, half pixels": form(12, 12, options=half),
        "4 times, half pixels": form(16, 16, options=half),
        "2 times, aligned": form(7, 7, options=align),
        "4 times, aligned": form(13, 13, options=align),
        "not whole": form(6, 6),
        "half": form(2, 2),
        "same": form(4, 4),
        "factors differ": form(8, 16),
        "width only": form(4, 8),
        "of a row": form(1, 8, "1,4"),
        "of one pixel": form(5, 7, "1,1"),
        "both options": form(8, 8, options="align_corners=1 half_pixel_centers=1"),
        "another scale": form(8, 8, mark="'"),
        "size at run time": f"T{D}; int32[2] -> T[1,8,8,8] {{{_NEITHER}}}",
        "open batch": f"T[?,4,4,8]; int32[2]=8 8 -> T[?,8,8,8] {{{_NEITHER}}}",
        "batch 2": f"T[2,4,4,8]; int32[2]=8 8 -> T[2,8,8,8] {{{_NEITHER}}}",
    }


_LSTM = (
    "T[1,2,8]; W[4,8]; W[4,8]; W[4,8]; W[4,8]; W[4,4]; W[4,4]; W[4,4]; W[4,4]; {P}; "
    "B[4]; B[4]; B[4]; B[4]; {J}; T[1,4]; T[1,4]{N} -> T[1,2,4] "
    "{{fused_activation_function=TANH time_major=0}}"
)
_NEITHER = "align_corners=0 half_pixel_centers=0"


def _pad(value: str = "") -> dict[str, str]:
    def form(of: str, pads: str, to: str, kind: str = "int32") -> str:
        rank = len(of.split(","))
        return f"T[{of}]; {kind}[{rank},2]={pads}{value} -> T[{to}]"

    return {
        "spatial": form("1,4,4,8", "0 0 1 1 1 1 0 0", "1,6,6,8"),
        "channels": form("1,4,4,8", "0 0 0 0 0 0 0 8", "1,4,4,16"),
        "batch": form("1,4,4,8", "0 1 0 0 0 0 0 0", "2,4,4,8"),
        "of batch 2": form("2,4,4,8", "0 0 1 1 1 1 0 0", "2,6,6,8"),
        "all": form("1,4,4,8", "0 1 1 1 1 1 1 1", "2,6,6,10"),
        "int64": form("1,4,4,8", "0 0 1 1 1 1 0 0", "1,6,6,8", "int64"),
        "none": form("1,4,4,8", "0 0 0 0 0 0 0 0", "1,4,4,8"),
        "rank 1": form("8", "1 1", "10"),
        "rank 2": form("4,8", "1 1 1 1", "6,10"),
        "rank 3": form("1,4,8", "0 0 1 1 0 0", "1,6,8"),
        "rank 5": form("1,2,4,4,8", "0 0 0 0 1 1 1 1 0 0", "1,2,6,6,8"),
        "at run time": f"T{D}; int32[4,2]{value} -> T[1,6,6,8]",
        "another scale": form("1,4,4,8", "0 0 1 1 1 1 0 0", "1,6,6,8").replace("-> T", "-> T'"),
        "not quantized": form("1,4,4,8", "0 0 1 1 1 1 0 0", "1,6,6,8").replace("T[", "T!["),
    }


def _transposed() -> dict[str, str]:
    shapes = {
        "0 2 1 3": "1,4,6,8",
        "0 1 3 2": "1,4,6,8",
        "0 3 1 2": "1,4,6,8",
        "0 2 3 1": "1,4,6,8",
        "0 3 2 1": "1,4,6,8",
        "3 2 1 0": "2,4,6,8",
        "1 0 2 3": "2,4,6,8",
        "0 1 2 3": "1,4,6,8",
        "1 0": "4,8",
        "0 2 1": "2,4,8",
        "1 0 2": "2,4,8",
        "2 1 0": "2,4,8",
        "1 2 0": "2,4,8",
        "2 0 1": "2,4,8",
        "0 1 3 2 4": "1,2,4,6,8",
        "0 4 1 2 3": "1,2,4,6,8",
        "0 1 2 4 3 5": "1,1,2,4,6,8",
        "5 4 3 2 1 0": "2,2,2,2,2,2",
    }
    found = {}
    for perm, dims in shapes.items():
        sizes = dims.split(",")
        to = ",".join(sizes[int(each)] for each in perm.split())
        found[perm] = f"T[{dims}]; int32[{len(sizes)}]={perm} -> T[{to}]"
    found["not quantized"] = "T![4,8]; int32[2]=1 0 -> T![8,4]"
    found["at run time"] = "T[4,8]; int32[2] -> T[8,4]"
    found["0 2 3 1, batch 2"] = "T[2,4,6,8]; int32[4]=0 2 3 1 -> T[2,6,8,4]"
    return found


def _reshape() -> dict[str, str]:
    return {
        "flat": f"T{D}; int32[2]=1 128 -> T[1,128] {{new_shape=1,128}}",
        "by option": f"T{D} -> T[1,128] {{new_shape=1,128}}",
        "at run time": f"T{D}; int32[2] -> T[1,128] {{new_shape=1,128}}",
        "another scale": f"T{D}; int32[2]=1 128 -> T'[1,128] {{new_shape=1,128}}",
        "not quantized": f"T!{D}; int32[2]=1 128 -> T![1,128] {{new_shape=1,128}}",
        "rank 5": f"T{D}; int32[5]=1 4 4 4 2 -> T[1,4,4,4,2] {{new_shape=1,4,4,4,2}}",
        "rank 6": f"T{D}; int32[6]=1 1 4 4 4 2 -> T[1,1,4,4,4,2] {{new_shape=1,1,4,4,4,2}}",
        "batch 2": "T[2,4,4,8]; int32[2]=2 128 -> T[2,128] {new_shape=2,128}",
        "open batch": "T[?,4,4,8]; int32[2]=-1 128 -> T[?,128] {new_shape=-1,128}",
    }


def _compared() -> dict[str, str]:
    return {name: form for name, form in _binary(to="bool").items() if "another" not in name}


FORMS: dict[str, dict[str, str]] = {
    **{
        op: _unary()
        for op in """ABS NEG EXP LOG SQRT RSQRT SIN COS SQUARE FLOOR CEIL ROUND SIGN ELU RELU RELU6
        RELU_N1_TO_1 RELU_0_TO_1 LOGISTIC TANH HARD_SWISH ZEROS_LIKE LOG_SOFTMAX LOGICAL_NOT
        """.split()
    },
    "GELU": {**_unary("{approximate=0}"), "approximate": f"T{D} -> T{D} {{approximate=1}}"},
    "LEAKY_RELU": {**_unary("{alpha=0.1}"), "negative": f"T{D} -> T{D} {{alpha=-0.5}}"},
    "SOFTMAX": {
        **_unary("{beta=1.0}"),
        "beta 2": f"T{D} -> T{D} {{beta=2.0}}",
        "beta 0": f"T{D} -> T{D} {{beta=0.0}}",
        "large plane": "T[1,300,300,2] -> T[1,300,300,2] {beta=1.0}",
    },
    "L2_NORMALIZATION": _unary("{fused_activation_function=NONE}"),
    **{
        op: {**_binary("{fused_activation_function=NONE}"), **_activated()}
        for op in ("ADD", "SUB", "MUL", "DIV")
    },
    **{
        op: _binary()
        for op in """MAXIMUM MINIMUM SQUARED_DIFFERENCE POW FLOOR_DIV FLOOR_MOD ATAN2 LOGICAL_AND
        LOGICAL_OR BITWISE_XOR RIGHT_SHIFT""".split()
    },
    **{op: _compared() for op in "EQUAL NOT_EQUAL LESS LESS_EQUAL GREATER GREATER_EQUAL".split()},
    **{
        op: _reduction()
        for op in "MEAN SUM REDUCE_MAX REDUCE_MIN REDUCE_PROD REDUCE_ANY REDUCE_ALL".split()
    },
    "CONV_2D": {
        **_convolution("W{mark}[8,{k},4]"),
        "groups": "T[1,16,16,4]; W[8,3,3,2]; B[8] -> T[1,16,16,8] "
        f"{{{_CONV.format('SAME', 1, 1, 1, 1)}}}",
    },
    "DEPTHWISE_CONV_2D": {
        **{
            name: form.replace(",8]; B", ",8]; B")
            for name, form in _convolution("W[1,{k},8]", " depth_multiplier=2").items()
            if name != "per channel"
        },
        "one each": "T[1,16,16,8]; W[1,3,3,8]; B[8] -> T[1,16,16,8] {padding=SAME stride_w=1 "
        "stride_h=1 depth_multiplier=1}",
        "of one channel": "T[1,16,16,1]; W[1,3,3,8]; B[8] -> T[1,16,16,8] {padding=SAME stride_w=1 "
        "stride_h=1 depth_multiplier=8}",
    },
    "TRANSPOSE_CONV": {
        "stride 2, same": "int32[4]=1 8 8 4; W[4,3,3,8]; T[1,4,4,8] -> T[1,8,8,4] {padding=SAME "
        "stride_w=2 stride_h=2}",
        "stride 2, valid": "int32[4]=1 8 8 4; W[4,2,2,8]; T[1,4,4,8] -> T[1,8,8,4] {padding=VALID "
        "stride_w=2 stride_h=2}",
        "stride 1": "int32[4]=1 4 4 4; W[4,3,3,8]; T[1,4,4,8] -> T[1,4,4,4] {padding=SAME "
        "stride_w=1 stride_h=1}",
        "stride 3": "int32[4]=1 12 12 4; W[4,3,3,8]; T[1,4,4,8] -> T[1,12,12,4] {padding=SAME "
        "stride_w=3 stride_h=3}",
        "stride 4": "int32[4]=1 16 16 4; W[4,4,4,8]; T[1,4,4,8] -> T[1,16,16,4] {padding=VALID "
        "stride_w=4 stride_h=4}",
        "strides differ": "int32[4]=1 4 8 4; W[4,3,3,8]; T[1,4,4,8] -> T[1,4,8,4] {padding=SAME "
        "stride_w=2 stride_h=1}",
        "a row": "int32[4]=1 1 8 4; W[4,1,3,8]; T[1,1,4,8] -> T[1,1,8,4] {padding=SAME stride_w=2 "
        "stride_h=1}",
        "bias": "int32[4]=1 8 8 4; W[4,3,3,8]; T[1,4,4,8]; B[4] -> T[1,8,8,4] {padding=SAME "
        "stride_w=2 stride_h=2} v3",
        "shape at run time": "int32[4]; W[4,3,3,8]; T[1,4,4,8] -> T[1,8,8,4] {padding=SAME "
        "stride_w=2 stride_h=2}",
        "per channel": "int32[4]=1 8 8 4; W%[4,3,3,8]; T[1,4,4,8] -> T[1,8,8,4] {padding=SAME "
        "stride_w=2 stride_h=2}",
        "valid, larger": "int32[4]=1 9 9 4; W[4,3,3,8]; T[1,4,4,8] -> T[1,9,9,4] {padding=VALID "
        "stride_w=2 stride_h=2}",
    },
    "CONV_3D": {
        "same": "T[1,4,4,4,2]; W[3,3,3,2,8]; B[8] -> T[1,4,4,4,8] {padding=SAME stride_d=1 "
        "stride_w=1 stride_h=1 dilation_d_factor=1}"
    },
    "CONV_3D_TRANSPOSE": {
        "same": "int32[5]=1 4 4 4 8; W[3,3,3,8,2]; T[1,4,4,4,2]; B[8] -> "
        "T[1,4,4,4,8] {padding=SAME stride_d=1 stride_w=1 stride_h=1 "
        "dilation_d_factor=1}"
    },
    "FULLY_CONNECTED": {
        "plain": "T[1,16]; W[8,16]; B[8] -> T[1,8] {weights_format=DEFAULT}",
        "per channel": "T[1,16]; W%[8,16]; B[8] -> T[1,8] {weights_format=DEFAULT}",
        "no bias": "T[1,16]; W[8,16]; - -> T[1,8] {weights_format=DEFAULT}",
        "bias at run time": "T[1,16]; W[8,16]; int32[8] -> T[1,8] {weights_format=DEFAULT}",
        "batch 4": "T[4,16]; W[8,16]; B[8] -> T[4,8] {weights_format=DEFAULT}",
        "rank 3": "T[1,4,16]; W[8,16]; B[8] -> T[1,4,8] {keep_num_dims=1}",
        "rank 4": "T[1,2,4,16]; W[8,16]; B[8] -> T[1,2,4,8] {keep_num_dims=1}",
        "flattened": "T[1,2,2,4]; W[8,16]; B[8] -> T[1,8] {keep_num_dims=0}",
        "weights at run time": "T[1,16]; T[8,16]; B[8] -> T[1,8] {weights_format=DEFAULT}",
        "weights of int4": "T[1,16]; int4[8,16]=1; B[8] -> T[1,8] {weights_format=DEFAULT}",
        "weights of int8": "T[1,16]; int8[8,16]=1; float32[8]=0 -> T[1,8] {keep_num_dims=0}",
        "fused RELU": "T[1,16]; W[8,16]; B[8] -> T[1,8] {weights_format=DEFAULT "
        "fused_activation_function=RELU}",
        "fused TANH": "T[1,16]; W[8,16]; B[8] -> T[1,8] {weights_format=DEFAULT "
        "fused_activation_function=TANH}",
        "open batch": "T[?,16]; W[8,16]; B[8] -> T[?,8] {weights_format=DEFAULT}",
        "shuffled": "T[1,16]; W[8,16]; B[8] -> T[1,8] {weights_format=SHUFFLED4x16INT8}",
    },
    "BATCH_MATMUL": {
        "rank 3": "T[2,4,8]; T[2,8,6] -> T[2,4,6] {adj_x=0 adj_y=0}",
        "rank 4": "T[1,2,4,8]; T[1,2,8,6] -> T[1,2,4,6] {adj_x=0 adj_y=0}",
        "rank 2": "T[4,8]; T[8,6] -> T[4,6] {adj_x=0 adj_y=0}",
        "rank 5": "T[1,1,2,4,8]; T[1,1,2,8,6] -> T[1,1,2,4,6] {adj_x=0 adj_y=0}",
        "transposed": "T[2,4,8]; T[2,6,8] -> T[2,4,6] {adj_x=0 adj_y=1}",
        "first transposed": "T[2,8,4]; T[2,8,6] -> T[2,4,6] {adj_x=1 adj_y=0}",
        "constant": "T[2,4,8]; T[2,8,6]=1 -> T[2,4,6] {adj_x=0 adj_y=0}",
        "broadcast": "T[2,4,8]; T[1,8,6] -> T[2,4,6] {adj_x=0 adj_y=0}",
    },
    **{op: _pool() for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D")},
    **{op: _resize() for op in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")},
    "PAD": _pad(),
    "PADV2": _pad("; T[]=0"),
    "MIRROR_PAD": {
        name: f"{form} {{mode=REFLECT}}" for name, form in _pad().items() if name != "rank 1"
    },
    "TRANSPOSE": _transposed(),
    "RESHAPE": _reshape(),
    "SQUEEZE": {
        "plain": "T[1,1,1,8] -> T[1,8] {squeeze_dims=1,2}",
        "another scale": "T[1,1,1,8] -> T'[1,8] {squeeze_dims=1,2}",
        "not quantized": "T![1,1,1,8] -> T![1,8] {squeeze_dims=1,2}",
    },
    "EXPAND_DIMS": {
        "plain": "T[4,8]; int32[]=1 -> T[4,1,8]",
        "not quantized": "T![4,8]; int32[]=1 -> T![4,1,8]",
        "another scale": "T[4,8]; int32[]=1 -> T'[4,1,8]",
        "to rank 5": f"T{D}; int32[]=1 -> T[1,1,4,4,8]",
        "at run time": "T[4,8]; int32[] -> T[4,1,8]",
    },
    "CONCATENATION": {
        "channels": f"T{D}; T{D} -> T[1,4,4,16] {{axis=3}}",
        "last": f"T{D}; T{D} -> T[1,4,4,16] {{axis=-1}}",
        "height": f"T{D}; T{D} -> T[1,8,4,8] {{axis=1}}",
        "batch": f"T{D}; T{D} -> T[2,4,4,8] {{axis=0}}",
        "three": f"T{D}; T{D}; T{D} -> T[1,4,4,24] {{axis=3}}",
        "five": f"T{D}; T{D}; T{D}; T{D}; T{D} -> T[1,4,4,40] {{axis=3}}",
        "six": f"T{D}; T{D}; T{D}; T{D}; T{D}; T{D} -> T[1,4,4,48] {{axis=3}}",
        "one": f"T{D} -> T{D} {{axis=3}}",
        "constant": f"T{D}; T{D}=1 -> T[1,4,4,16] {{axis=3}}",
        "scales differ": f"T{D}; T'{D} -> T[1,4,4,16] {{axis=3}}",
        "rank 2": "T[4,8]; T[4,8] -> T[4,16] {axis=1}",
        "rank 5": "T[1,2,4,4,8]; T[1,2,4,4,8] -> T[1,2,4,4,16] {axis=4}",
        "fused RELU": f"T{D}; T{D} -> T[1,4,4,16] {{axis=3 fused_activation_function=RELU}}",
        "not quantized": f"T!{D}; T!{D} -> T![1,4,4,16] {{axis=3}}",
        "open batch": "T[?,4,4,8]; T[?,4,4,8] -> T[?,4,4,16] {axis=3}",
    },
    "PACK": {
        "first": "T[4,8]; T[4,8] -> T[2,4,8] {values_count=2 axis=0}",
        "last": "T[4,8]; T[4,8] -> T[4,8,2] {values_count=2 axis=2}",
        "to rank 5": f"T{D}; T{D} -> T[1,4,4,8,2] {{values_count=2 axis=4}}",
        "scalars": "T[]; T[] -> T[2] {values_count=2 axis=0}",
    },
    "UNPACK": {
        "first": "T[2,4,8] -> T[4,8]; T[4,8] {num=2 axis=0}",
        "last": "T[4,8,2] -> T[4,8]; T[4,8] {num=2 axis=2}",
        "rank 5": "T[1,2,4,4,8] -> T[1,4,4,8]; T[1,4,4,8] {num=2 axis=1}",
    },
    "SPLIT": {
        "channels": f"int32[]=3; T{D} -> T[1,4,4,4]; T[1,4,4,4] {{num_splits=2}}",
        "height": f"int32[]=1; T{D} -> T[1,2,4,8]; T[1,2,4,8] {{num_splits=2}}",
        "five": "int32[]=1; T[1,10] -> T[1,2]; T[1,2]; T[1,2]; T[1,2]; T[1,2] {num_splits=5}",
        "batch": "int32[]=0; T[2,4,4,8] -> T[1,4,4,8]; T[1,4,4,8] {num_splits=2}",
        "at run time": f"int32[]; T{D} -> T[1,4,4,4]; T[1,4,4,4] {{num_splits=2}}",
    },
    "SPLIT_V": {
        "channels": f"T{D}; int32[2]=2 6; int32[]=3 -> T[1,4,4,2]; T[1,4,4,6] {{num_splits=2}}",
        "rest": f"T{D}; int32[2]=2 -1; int32[]=3 -> T[1,4,4,2]; T[1,4,4,6] {{num_splits=2}}",
    },
    "STRIDED_SLICE": _strided(),
    "SLICE": {
        "plain": f"T{D}; int32[4]=0 1 1 0; int32[4]=1 2 2 8 -> T[1,2,2,8]",
        "rest": f"T{D}; int32[4]=0 1 1 0; int32[4]=1 -1 2 8 -> T[1,3,2,8]",
        "at run time": f"T{D}; int32[4]; int32[4] -> T[1,2,2,8]",
        "rank 5": "T[1,2,4,4,8]; int32[5]=0 1 0 0 0; int32[5]=1 1 4 4 8 -> T[1,1,4,4,8]",
        "rank 2": "T[4,8]; int32[2]=0 1; int32[2]=4 2 -> T[4,2]",
        "not quantized": "T![4,8]; int32[2]=0 1; int32[2]=4 2 -> T![4,2]",
    },
    "PRELU": {
        "channels": f"T{D}; T[1,1,8]=1 -> T{D}",
        "each": f"T{D}; T[4,4,8]=1 -> T{D}",
        "one": f"T{D}; T[1]=1 -> T{D}",
        "at run time": f"T{D}; T[1,1,8] -> T{D}",
    },
    "QUANTIZE": {
        "from float": f"float32{D} -> T{D}",
        "another scale": f"int8{D} -> T{D}",
        "from T": f"T{D} -> T'{D}",
        "from uint8": f"uint8{D} -> T{D}",
        "from int16": f"int16{D} -> T{D}",
    },
    "DEQUANTIZE": {"to float": f"T{D} -> float32{D}", "of a constant": f"T{D}=1 -> float32{D}"},
    "CAST": {
        **{
            f"to {to}": f"T!{D} -> {to}{D} {{in_data_type={{T}} out_data_type={to.upper()}}}"
            for to in ("float32", "float16", "int8", "int32", "int64", "bool", "uint8")
        },
        "quantized": f"T{D} -> T'{D} {{in_data_type={{T}} out_data_type={{T}}}}",
        "quantized to int32": f"T{D} -> int32{D} {{in_data_type={{T}} out_data_type=INT32}}",
    },
    "DEPTH_TO_SPACE": {
        "2": f"T{D} -> T[1,8,8,2] {{block_size=2}}",
        "batch 2": "T[2,4,4,8] -> T[2,8,8,2] {block_size=2}",
    },
    "SPACE_TO_DEPTH": {"2": f"T{D} -> T[1,2,2,32] {{block_size=2}}"},
    "BATCH_TO_SPACE_ND": {"2": "T[4,4,4,8]; int32[2]=2 2; int32[2,2]=0 -> T[1,8,8,8]"},
    "SPACE_TO_BATCH_ND": {"2": f"T{D}; int32[2]=2 2; int32[2,2]=0 -> T[4,2,2,8]"},
    "GATHER": {
        "first": "T[8,4]; int32[3]=0 2 1 -> T[3,4] {axis=0}",
        "indices at run time": "T[8,4]; int32[3] -> T[3,4] {axis=0}",
        "last": "T[4,8]; int32[3]=0 2 1 -> T[4,3] {axis=1}",
        "scalar": "T[8,4]; int32[]=2 -> T[4] {axis=0}",
        "of weights": "T[8,4]=1; int32[3] -> T[3,4] {axis=0}",
        "batch": "T[2,8,4]; int32[2,3] -> T[2,3,4] {axis=1 batch_dims=1}",
        "int64": "T[8,4]; int64[3] -> T[3,4] {axis=0}",
    },
    "GATHER_ND": {"plain": "T[8,4]; int32[3,1] -> T[3,4]"},
    "SCATTER_ND": {
        "plain": "int32[3,1]; T[3,4]; int32[2]=8 4 -> T[8,4]",
        "constant": "int32[3,1]=0 1 2; T[3,4]; int32[2]=8 4 -> T[8,4]",
    },
    "ONE_HOT": {"plain": "int32[3]; int32[]=4; T[]=1; T[]=0 -> T[3,4] {axis=-1}"},
    "TILE": {
        "channels": f"T{D}; int32[4]=1 1 1 2 -> T[1,4,4,16]",
        "spatial": f"T{D}; int32[4]=1 2 2 1 -> T[1,8,8,8]",
        "batch": f"T{D}; int32[4]=2 1 1 1 -> T[2,4,4,8]",
        "at run time": f"T{D}; int32[4] -> T[1,4,4,16]",
    },
    "BROADCAST_TO": {
        "plain": "T[1,8]; int32[2]=4 8 -> T[4,8] v2",
        "rank 4": f"T[1,1,1,8]; int32[4]=1 4 4 8 -> T{D} v2",
    },
    "ARG_MAX": {
        "channels": f"T{D}; int32[]=3 -> int32[1,4,4] {{output_type=INT32}}",
        "last": f"T{D}; int32[]=-1 -> int32[1,4,4] {{output_type=INT32}}",
        "int64": f"T{D}; int32[]=3 -> int64[1,4,4] {{output_type=INT64}}",
        "height": f"T{D}; int32[]=1 -> int32[1,4,8] {{output_type=INT32}}",
        "deep": "T[1,4,4,128]; int32[]=3 -> int32[1,4,4] {output_type=INT32}",
        "rank 2": "T[4,8]; int32[]=1 -> int32[4] {output_type=INT32}",
    },
    "ARG_MIN": {"channels": f"T{D}; int32[]=3 -> int32[1,4,4] {{output_type=INT32}}"},
    "TOPK_V2": {"plain": "T[1,8]; int32[]=3 -> T[1,3]; int32[1,3]"},
    "REVERSE_V2": {
        "height": f"T{D}; int32[1]=1 -> T{D}",
        "width": f"T{D}; int32[1]=2 -> T{D}",
        "channels": f"T{D}; int32[1]=3 -> T{D}",
        "batch": f"T{D}; int32[1]=0 -> T{D}",
        "rank 2": "T[4,8]; int32[1]=0 -> T[4,8]",
        "at run time": f"T{D}; int32[1] -> T{D}",
    },
    "REVERSE_SEQUENCE": {"plain": f"T{D}; int32[1]=4 -> T{D} {{seq_dim=1 batch_dim=0}}"},
    "SELECT": {
        "plain": f"bool{D}; T{D}; T{D} -> T{D}",
        "not quantized": f"bool{D}; T!{D}; T!{D} -> T!{D}",
        "scales differ": f"bool{D}; T{D}; T'{D} -> T{D}",
    },
    "SELECT_V2": {
        "plain": f"bool{D}; T{D}; T{D} -> T{D}",
        "broadcast": f"bool[1,4,4,1]; T{D}; T[]=0 -> T{D}",
        "not quantized": f"bool{D}; T!{D}; T!{D} -> T!{D}",
    },
    "SHAPE": {"plain": f"T{D} -> int32[4] {{out_type=INT32}}"},
    "RANK": {"plain": f"T{D} -> int32[]"},
    "RANGE": {"plain": "T[]; T[]; T[] -> T[4]", "constant": "T[]=0; T[]=4; T[]=1 -> T[4]"},
    "FILL": {"plain": "int32[2]=4 8; T[] -> T[4,8]", "constant": "int32[2]=4 8; T[]=1 -> T[4,8]"},
    "CUMSUM": {"plain": f"T{D}; int32[]=1 -> T{D} {{exclusive=0}}"},
    "WHERE": {"plain": "T[8] -> int64[?,1]"},
    "ADD_N": {"three": f"T{D}; T{D}; T{D} -> T{D}"},
    "EMBEDDING_LOOKUP": {"plain": "int32[3]; T[8,4]=1 -> T[3,4]"},
    "LOCAL_RESPONSE_NORMALIZATION": {"plain": f"T{D} -> T{D} {{radius=2 bias=1.0}}"},
    "MATRIX_DIAG": {"plain": "T[4] -> T[4,4]"},
    "UNIDIRECTIONAL_SEQUENCE_LSTM": {
        "plain": _LSTM.format(P="-; -; -", J="-; -", N=""),
        "peepholes": _LSTM.format(P="int16[4]=1; int16[4]=1; int16[4]=1", J="-; -", N=""),
        "projection": _LSTM.format(P="-; -; -", J="W[4,4]; -", N=""),
        "normalized": _LSTM.format(
            P="-; -; -", J="-; -", N="; int16[4]=1; int16[4]=1; int16[4]=1; int16[4]=1"
        ),
    },
    "READ_VARIABLE": {"plain": "resource[1] -> T[4,8]"},
    "SVDF": {"plain": "T[1,8]; W[4,8]; W[4,2]; B[4]; T[1,8] -> T[1,4] {rank=1}"},
    "DYNAMIC_UPDATE_SLICE": {
        "plain": "T[4,8]; T[2,8]; int32[2]=1 0 -> T[4,8]",
        "at run time": "T[4,8]; T[2,8]; int32[2] -> T[4,8]",
    },
    "BUCKETIZE": {"plain": f"T{D} -> int32{D} {{boundaries=}}"},
    "BITCAST": {"plain": f"T{D} -> T{D}"},
    "UNIQUE": {"plain": "T[8] -> T[?]; int32[8] {idx_out_type=INT32}"},
    "SEGMENT_SUM": {"plain": "T[4,8]; int32[4]=0 0 1 1 -> T[2,8]"},
}
"""Forms by operator and name."""


def cases() -> Iterator[tuple[str, str, str, bytes]]:
    """Iterate over operators, forms and types with a model of each; some types fit no form."""
    for op, forms in sorted(FORMS.items()):
        for name, form in forms.items():
            seen = set()
            for dtype in TYPES:
                text = form.replace("{T}", dtype.upper())
                try:
                    content = model_of(op, text, dtype)
                except (ValueError, KeyError, AssertionError, OverflowError):
                    continue
                if content not in seen:
                    seen.add(content)
                    yield op, name, dtype, content


def forms_of(op: str) -> Mapping[str, str]:
    return FORMS.get(op, {})
