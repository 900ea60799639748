"""Numbers that blocks of quantized elements stand for, and places of their scales.

Layouts and formulas: the structs ``block_*`` and functions ``dequantize_row_*`` in
https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-quants.c (October 2026).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[Any]
    Numbers = NDArray[np.float32]

SCALES: Mapping[str, tuple[int, ...]] = {
    "Q4_0": (0,),
    "Q4_1": (0, 2),
    "Q5_0": (0,),
    "Q5_1": (0, 2),
    "Q8_0": (0,),
    "Q2_K": (80, 82),
    "Q3_K": (108,),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q6_K": (208,),
    "IQ1_S": (0,),
    "IQ2_XXS": (0,),
    "IQ2_XS": (0,),
    "IQ2_S": (0,),
    "IQ3_XXS": (0,),
    "IQ3_S": (0,),
    "IQ4_NL": (0,),
    "IQ4_XS": (0,),
    "TQ1_0": (52,),
    "TQ2_0": (64,),
    "Q1_0": (0,),
    "Q2_0": (0,),
}
"""Places of float16 scales and minimums in a block."""


def broken_scales(buffer: Any, name: str, size: int) -> int | None:
    """Return how many blocks have a scale that is NaN or infinite; None for an unknown type."""
    import numpy as np

    blocks = np.frombuffer(buffer, np.uint8).reshape(-1, size)
    if name == "MXFP4":
        return int((blocks[:, 0] == 0xFF).sum())
    if name == "Q8_K":
        bad = ~np.isfinite(blocks[:, :4].copy().view("<f4")[:, 0])
    elif name == "IQ1_M":
        parts = blocks[:, 48:].copy().view("<u2") & 0xF000
        exponents = (parts[:, 3] | parts[:, 2] >> 4) & 0x7C00
        bad = exponents == 0x7C00
    elif name in SCALES:
        bad = np.zeros(len(blocks), bool)
        for place in SCALES[name]:
            bad |= ~np.isfinite(_half(blocks, place))
    else:
        return None
    return int(bad.sum())


def dequantize(buffer: Any, name: str) -> Numbers:
    """Return the numbers of whole blocks of a type in `READABLE`, in one row."""
    import numpy as np

    read, size = _READERS[name]
    blocks = np.frombuffer(buffer, np.uint8).reshape(-1, size)
    with np.errstate(all="ignore"):
        return read(blocks).astype(np.float32, copy=False).reshape(-1)


def _floats(numbers: NDArray[Any]) -> Numbers:
    import numpy as np

    return numbers.astype(np.float32)


def _half(blocks: Bytes, place: int) -> Numbers:
    """Return the float16 at a place of each block."""
    import numpy as np

    return np.ascontiguousarray(blocks[:, place : place + 2]).view("<f2")[:, 0].astype(np.float32)


def _column(blocks: Bytes, place: int) -> Numbers:
    return _half(blocks, place)[:, None]


def _nibbles(packed: Bytes) -> Bytes:
    """Return all low halves, then all high halves, of each row."""
    import numpy as np

    return np.concatenate([packed & 15, packed >> 4], axis=1)


def _fifth_bits(blocks: Bytes, place: int) -> Bytes:
    import numpy as np

    return np.unpackbits(blocks[:, place : place + 4], axis=1, bitorder="little") << 4


def _q4_0(blocks: Bytes) -> Numbers:
    return _column(blocks, 0) * (_floats(_nibbles(blocks[:, 2:])) - 8)


def _q4_1(blocks: Bytes) -> Numbers:
    return _column(blocks, 0) * _floats(_nibbles(blocks[:, 4:])) + _column(blocks, 2)


def _q5_0(blocks: Bytes) -> Numbers:
    codes = _nibbles(blocks[:, 6:]) | _fifth_bits(blocks, 2)
    return _column(blocks, 0) * (_floats(codes) - 16)


def _q5_1(blocks: Bytes) -> Numbers:
    codes = _nibbles(blocks[:, 8:]) | _fifth_bits(blocks, 4)
    return _column(blocks, 0) * _floats(codes) + _column(blocks, 2)


def _q8_0(blocks: Bytes) -> Numbers:
    return _column(blocks, 0) * _floats(blocks[:, 2:].view("i1"))


def _two_bits(packed: Bytes) -> Bytes:
    """Return codes of two bits: of each 32 bytes first all lowest, then all next, and so on."""
    import numpy as np

    groups = packed.reshape(len(packed), -1, 1, 32)
    shifts = np.arange(0, 8, 2, dtype=np.uint8)[None, None, :, None]
    return (groups >> shifts & 3).reshape(len(packed), -1)


def _q2_k(blocks: Bytes) -> Numbers:
    scales = blocks[:, :16]
    codes = _floats(_two_bits(blocks[:, 16:80])).reshape(-1, 16, 16)
    steps = _column(blocks, 80) * (scales & 15)
    minimums = _column(blocks, 82) * (scales >> 4)
    return steps[:, :, None] * codes - minimums[:, :, None]


def _q3_k(blocks: Bytes) -> Numbers:
    import numpy as np

    low = _two_bits(blocks[:, 32:96])
    shifts = np.arange(8, dtype=np.uint8)[None, :, None]
    high = (blocks[:, None, :32] >> shifts & 1).reshape(-1, 256)
    codes = _floats(low | high << 2) - 4
    packed = blocks[:, 96:108]
    fours = np.concatenate([packed[:, :8] & 15, packed[:, :8] >> 4], axis=1)
    twos = np.concatenate([packed[:, 8:] >> shift & 3 for shift in (0, 2, 4, 6)], axis=1)
    scales = _floats(fours | twos << 4) - 32
    steps = _column(blocks, 108) * scales
    return steps[:, :, None] * codes.reshape(-1, 16, 16)


def _six_bit_scales(packed: Bytes) -> tuple[Bytes, Bytes]:
    """Return the eight scales and eight minimums in the 12 bytes of Q4_K and Q5_K."""
    import numpy as np

    first, second, third = packed[:, :4], packed[:, 4:8], packed[:, 8:]
    scales = np.concatenate([first & 63, third & 15 | first >> 6 << 4], axis=1)
    minimums = np.concatenate([second & 63, third >> 4 | second >> 6 << 4], axis=1)
    return scales, minimums


def _halves(packed: Bytes) -> Bytes:
    """Return codes of four bits: of each 32 bytes first all low halves, then all high ones."""
    import numpy as np

    groups = packed.reshape(len(packed), -1, 1, 32)
    shifts = np.array([0, 4], np.uint8)[None, None, :, None]
    codes: Bytes = (groups >> shifts & 15).reshape(len(packed), -1, 32)
    return codes


def _of_steps(blocks: Bytes, codes: Bytes) -> Numbers:
    scales, minimums = _six_bit_scales(blocks[:, 4:16])
    steps, lowest = _column(blocks, 0) * scales, _column(blocks, 2) * minimums
    return steps[:, :, None] * _floats(codes) - lowest[:, :, None]


def _q4_k(blocks: Bytes) -> Numbers:
    return _of_steps(blocks, _halves(blocks[:, 16:]))


def _q5_k(blocks: Bytes) -> Numbers:
    import numpy as np

    shifts = np.arange(8, dtype=np.uint8)[None, :, None]
    high = blocks[:, None, 16:48] >> shifts & 1
    return _of_steps(blocks, _halves(blocks[:, 48:]) | high << 4)


def _q6_k(blocks: Bytes) -> Numbers:
    import numpy as np

    low = blocks[:, :128].reshape(-1, 2, 1, 64) >> np.array([0, 4], np.uint8)[:, None] & 15
    high = blocks[:, 128:192].reshape(-1, 2, 1, 32)
    high = high >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3
    codes = low.reshape(-1, 256) | high.reshape(-1, 256) << 4
    steps = _column(blocks, 208) * _floats(blocks[:, 192:208].view("i1"))
    return steps[:, :, None] * (_floats(codes) - 32).reshape(-1, 16, 16)


_IQ4 = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
_FP4 = (0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6)


def _looked_up(codes: Bytes, values: tuple[float, ...]) -> Numbers:
    import numpy as np

    found: Numbers = np.array(values, np.float32)[codes]
    return found


def _iq4_nl(blocks: Bytes) -> Numbers:
    return _column(blocks, 0) * _looked_up(_nibbles(blocks[:, 2:]), _IQ4)


def _iq4_xs(blocks: Bytes) -> Numbers:
    import numpy as np

    shifts = np.arange(0, 16, 2, dtype=np.uint16)
    high = np.ascontiguousarray(blocks[:, 2:4]).view("<u2") >> shifts & 3
    low = np.stack([blocks[:, 4:8] & 15, blocks[:, 4:8] >> 4], axis=2).reshape(-1, 8)
    steps = _column(blocks, 0) * (_floats(low | high << 4) - 32)
    codes = _nibbles(blocks[:, 8:].reshape(-1, 16)).reshape(-1, 8, 32)
    return steps[:, :, None] * _looked_up(codes, _IQ4)


def _mxfp4(blocks: Bytes) -> Numbers:
    import numpy as np

    scales = np.ldexp(np.float32(1), blocks[:, :1].astype(np.int32) - 127)
    scales = np.where(blocks[:, :1] == 0xFF, np.nan, scales)
    return scales * _looked_up(_nibbles(blocks[:, 1:]), _FP4)


def _tq2_0(blocks: Bytes) -> Numbers:
    return _column(blocks, 64) * (_floats(_two_bits(blocks[:, :64])) - 1)


_READERS: Mapping[str, tuple[Callable[[Bytes], Numbers], int]] = {
    "Q4_0": (_q4_0, 18),
    "Q4_1": (_q4_1, 20),
    "Q5_0": (_q5_0, 22),
    "Q5_1": (_q5_1, 24),
    "Q8_0": (_q8_0, 34),
    "Q2_K": (_q2_k, 84),
    "Q3_K": (_q3_k, 110),
    "Q4_K": (_q4_k, 144),
    "Q5_K": (_q5_k, 176),
    "Q6_K": (_q6_k, 210),
    "IQ4_NL": (_iq4_nl, 18),
    "IQ4_XS": (_iq4_xs, 136),
    "MXFP4": (_mxfp4, 17),
    "TQ2_0": (_tq2_0, 66),
}
READABLE = frozenset(_READERS)
"""Types whose numbers can be read; of all others, scales can be checked."""
