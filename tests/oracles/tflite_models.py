"""TFLite models in the notation of examples, and the parts that compilers make of them."""

from __future__ import annotations

from collections.abc import Mapping

_Q = "*0.5 @-1"
_BLOCK = """
main (x) => (y)
x int8[1,16,16,3] *0.5 @-1
w1 int8[8,3,3,3] *0.5 @0 = 1
b1 int32[8] *0.25 = 0
a int8[1,8,8,8] *0.5 @-1
w2 int8[1,3,3,8] *0.5 @0 = 1
b2 int32[8] *0.25 = 0
b int8[1,8,8,8] *0.5 @-1
w3 int8[8,1,1,8] *0.5 @0 = 1
c int8[1,8,8,8] *0.5 @-1
d int8[1,8,8,8] *0.5 @-1
axes int32[2] = 1 2
m int8[1,8] *0.5 @-1
w4 int8[4,8] *0.5 @0 = 1
b4 int32[4] *0.25 = 0
f int8[1,4] *0.5 @-1
y int8[1,4] *0.00390625 @-128
CONV_2D (x, w1, b1) => (a) {padding=SAME stride_w=2 stride_h=2 fused_activation_function=RELU6} v3
DEPTHWISE_CONV_2D (a, w2, b2) => (b) {padding=SAME stride_w=1 stride_h=1 depth_multiplier=1} v3
CONV_2D (b, w3, b2) => (c) {padding=SAME stride_w=1 stride_h=1} v3
ADD (a, c) => (d) {fused_activation_function=NONE} v2
MEAN (d, axes) => (m) {keep_dims=0} v2
FULLY_CONNECTED (m, w4, b4) => (f) {fused_activation_function=NONE} v4
SOFTMAX (f) => (y) {beta=1.0} v2
"""
TEXTS: Mapping[str, str] = {
    "block": _BLOCK,
    "float": _BLOCK.replace("int8[", "float32[")
    .replace("int32[8]", "float32[8]")
    .replace("int32[4]", "float32[4]")
    .replace("*0.5 @-1", "")
    .replace("*0.5 @0", "")
    .replace("*0.25", "")
    .replace("*0.00390625 @-128", ""),
    "open batch": _BLOCK.replace("[1,16", "[?,16")
    .replace("[1,8", "[?,8")
    .replace(" int8[1,4]", " int8[?,4]"),
    "float border": f"""
        main (x) => (y)
        x float32[1,8]
        a int8[1,8] {_Q}
        b int8[1,8] {_Q}
        y float32[1,8]
        QUANTIZE (x) => (a)
        ADD (a, a) => (b) {{fused_activation_function=RELU}} v2
        DEQUANTIZE (b) => (y) v2
        """,
    "around": f"""
        main (x) => (y)
        x int8[1,4,4,8] {_Q}
        a int8[1,4,4,8] {_Q}
        s int32[4] = 1 4 4 8
        b int8[1,4,4,8] {_Q}
        y int8[1,4,4,8] {_Q}
        ADD (x, x) => (a) {{fused_activation_function=NONE}} v2
        BROADCAST_TO (a, s) => (b) v2
        MUL (b, x) => (y) {{fused_activation_function=NONE}} v2
        """,
    "three times": f"""
        main (x) => (y)
        x int8[1,4,4,8] {_Q}
        a int8[1,4,4,8] {_Q}
        s int32[2] = 12 12
        b int8[1,12,12,8] {_Q}
        y int8[1,12,12,8] {_Q}
        ADD (x, x) => (a) {{fused_activation_function=NONE}} v2
        RESIZE_NEAREST_NEIGHBOR (a, s) => (b) {{align_corners=0 half_pixel_centers=0}} v2
        ADD (b, b) => (y) {{fused_activation_function=NONE}} v2
        """,
    "bilinear": f"""
        main (x) => (y)
        x int8[1,4,4,8] {_Q}
        s int32[2] = 8 8
        y int8[1,8,8,8] {_Q}
        RESIZE_BILINEAR (x, s) => (y) {{align_corners=0 half_pixel_centers=1}} v3
        """,
    "forked": f"""
        main (x) => (y, z)
        x int8[1,4,4,8] {_Q}
        a int8[1,4,4,8] {_Q}
        b int8[1,4,4,8] {_Q}
        s int32[4] = 1 4 4 8
        y int8[1,4,4,8] {_Q}
        z int8[1,4,4,8] {_Q}
        ADD (x, x) => (a) {{fused_activation_function=NONE}} v2
        BROADCAST_TO (x, s) => (b) v2
        ADD (a, x) => (y) {{fused_activation_function=NONE}} v2
        MUL (b, a) => (z) {{fused_activation_function=NONE}} v2
        """,
    "concatenated": f"""
        main (x) => (y)
        x int8[1,4,4,8] {_Q}
        p int32[4,2] = 0 0 1 1 1 1 0 0
        a int8[1,6,6,8] {_Q}
        y int8[1,6,6,16] {_Q}
        PAD (x, p) => (a) v2
        CONCATENATION (a, a) => (y) {{axis=3 fused_activation_function=NONE}} v2
        """,
    "depthwise of stride 4": f"""
        main (x) => (y)
        x int8[1,16,16,8] {_Q}
        w int8[1,3,3,8] *0.5 @0 = 1
        b int32[8] *0.25 = 0
        y int8[1,4,4,8] {_Q}
        DEPTHWISE_CONV_2D (x, w, b) => (y) {{stride_w=4 stride_h=4 depth_multiplier=1}} v3
        """,
    "strided slice": f"""
        main (x) => (y)
        x int8[1,8,8,8] {_Q}
        s int32[4] = 0 0 0 0
        e int32[4] = 1 8 8 8
        t int32[4] = 1 2 2 1
        a int8[1,4,4,8] {_Q}
        y int8[1,4,4,8] {_Q}
        STRIDED_SLICE (x, s, e, t) => (a) {{begin_mask=0 end_mask=0}} v2
        ADD (a, a) => (y) {{fused_activation_function=NONE}} v2
        """,
    "expanded": f"""
        main (x) => (y)
        x int8[4,8] {_Q}
        a int8[4,8] {_Q}
        axis int32[] = 1
        b int8[4,1,8] {_Q}
        y int8[4,1,8] {_Q}
        ADD (x, x) => (a) {{fused_activation_function=NONE}} v2
        EXPAND_DIMS (a, axis) => (b)
        ADD (b, b) => (y) {{fused_activation_function=NONE}} v2
        """,
    "streaming": f"""
        main (x) => (y)
        x int8[1,1,8] {_Q}
        h resource[]
        r int8[1,4,8] {_Q}
        a int8[1,5,8] {_Q}
        s int32[3] = 0 -4 0
        e int32[3] = 0 0 8
        t int32[3] = 1 1 1
        n int8[1,4,8] {_Q}
        y int8[1,5,8] {_Q}
        VAR_HANDLE () => (h) {{shared_name="history"}}
        READ_VARIABLE (h) => (r)
        CONCATENATION (r, x) => (a) {{axis=1 fused_activation_function=NONE}}
        STRIDED_SLICE (a, s, e, t) => (n) {{begin_mask=5 end_mask=7}}
        ASSIGN_VARIABLE (h, n) => ()
        ADD (a, a) => (y) {{fused_activation_function=NONE}}
        """,
    "selected": f"""
        main (c, x) => (y)
        c bool[1,4,4,8]
        x int8[1,4,4,8] {_Q}
        a int8[1,4,4,8] {_Q}
        y int8[1,4,4,8] {_Q}
        ADD (x, x) => (a) {{fused_activation_function=NONE}} v2
        SELECT_V2 (c, a, x) => (y)
        """,
}
PARTS: Mapping[str, Mapping[str, list[int]]] = {
    "ethos-u65-256": {
        "block": [7],
        "float": [],
        "open batch": [7],
        "float border": [1],
        "around": [1, 1],
        "three times": [1, 1],
        "bilinear": [1],
        "forked": [3],
        "concatenated": [2],
        "depthwise of stride 4": [],
        "strided slice": [2],
    },
    "ethos-u85-256": {
        "block": [7],
        "float": [],
        "open batch": [7],
        "float border": [1],
        "around": [1, 1],
        "three times": [3],
        "bilinear": [1],
        "forked": [3],
        "concatenated": [2],
        "depthwise of stride 4": [1],
        "strided slice": [2],
        "selected": [2],
    },
    "xnnpack": {
        "block": [6],
        "float": [7],
        "open batch": [6],
        "float border": [3],
        "around": [1, 1],
        "three times": [1, 1],
        "bilinear": [1],
        "forked": [2, 1],
        "concatenated": [2],
        "depthwise of stride 4": [1],
        "strided slice": [1],
        "expanded": [1, 1],
        "selected": [1],
        "streaming": [6],
    },
    "SM8650": {
        "block": [7],
        "float": [7],
        "open batch": [7],
        "float border": [3],
        "around": [3],
        "three times": [3],
        "bilinear": [1],
        "forked": [4],
        "concatenated": [2],
        "depthwise of stride 4": [1],
        "strided slice": [2],
        "expanded": [1, 1],
        "selected": [2],
    },
}
"""Nodes of each part that is accelerated, by compiler and model."""
