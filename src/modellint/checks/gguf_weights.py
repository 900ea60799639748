"""Weights of GGUF files: types that were chosen badly, and broken numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from modellint.analysis.weights import PIECE, PIECES, Weights, is_weight, pieces
from modellint.checks.api import Context, Hit
from modellint.checks.gguf_metadata import model_facts
from modellint.formats.elements import read_ranges
from modellint.formats.gguf import gguf_facts
from modellint.formats.gguf.llama import loader
from modellint.model import UNDEFINED, Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEEDS_IMPORTANCE = frozenset("IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ3_XXS".split())
"""Types to which llama.cpp's tool does not quantize without an importance matrix."""
EMBEDDINGS, OUTPUT = "token_embd.weight", "output.weight"
BLOCKS = 1 << 14
"""Blocks to read at once."""
SAMPLED_BLOCKS = 256
LOW_BITS = 0xFFFF
"""Bits of a float32 that bfloat16 does not have."""


def broken_number(context: Context) -> Iterator[Hit]:
    """Tensors with NaN or infinite numbers, or with blocks whose scale is one, that no sample of
    their numbers shows: a rule about all formats reports the others."""
    facts = gguf_facts(context.model)
    if facts is None or facts.first.is_big_endian:
        return
    is_small = context.model.weight_bytes <= context.options["whole-bytes"]
    for tensor in context.model.tensors:
        if tensor.region is None or not tensor.dtype.is_float or not tensor.elements:
            continue
        sample = context.analysis(Weights).of(tensor)
        if sample is not None and (sample.nans or (sample.infinities and is_weight(tensor))):
            continue
        whole = is_small and context.model.reading.affords("broken numbers", tensor)
        if tensor.dtype.is_block and (whole or sample is None):
            bad = _bad_blocks(tensor, whole=whole)
        elif whole or len(tensor.shape) < 2:
            bad = _bad_numbers(tensor, whole=whole)
        else:
            continue
        if bad:
            variant = "scale" if tensor.dtype.is_block else ""
            yield Hit(tensor, {"tensor": tensor.name, "number": bad}, variant=variant)


def _bad_numbers(tensor: Tensor, *, whole: bool) -> int:
    """Return how many numbers are not finite: of all, or of a sample."""
    import numpy as np

    bad = 0
    for part in tensor.pieces(PIECES * PIECE) if whole else pieces(tensor):
        numbers = part.astype(np.promote_types(part.dtype, np.float32), copy=False)
        if not np.isfinite(numbers).all():
            bad += int((~np.isfinite(numbers)).sum())
    return bad


def _bad_blocks(tensor: Tensor, *, whole: bool) -> int:
    """Return how many blocks have a broken scale: of all, or of a sample."""
    from modellint.formats.gguf.blocks import broken_scales

    region, size = tensor.region, tensor.dtype.block_bytes
    if region is None:
        return 0
    blocks = tensor.nbytes // size
    length = BLOCKS if whole else SAMPLED_BLOCKS
    step = length if whole else max(length, blocks // PIECES)
    places = (
        (region.offset + start * size, min(length, blocks - start) * size)
        for start in range(0, blocks, step)
    )
    try:
        counts = (
            broken_scales(buffer, tensor.dtype.name, size)
            for buffer in read_ranges(region.path, places)
        )
        return sum(count or 0 for count in counts)
    except OSError:  # the file has changed
        return 0


def narrow_vector(context: Context) -> Iterator[Hit]:
    """Norms and biases that llama.cpp's kernels for processors do not take."""
    facts = model_facts(context)
    if facts is None or facts.architecture in loader().without_cache:
        return
    narrow = [
        tensor
        for tensor in context.model.tensors
        if tensor.name.endswith(("norm.weight", ".bias"))
        and len(tensor.shape) == 1
        and tensor.dtype.name != "float32"
        and tensor.dtype is not UNDEFINED
    ]
    if narrow:
        first = narrow[0]
        number = {"tensor": first.name, "type": first.dtype.name, "tensors": len(narrow)}
        yield Hit(first, number, count=len(narrow))


def without_importance(context: Context) -> Iterator[Hit]:
    """Tensors of about two bits in a file that names no importance matrix."""
    facts = model_facts(context)
    if facts is None or any(key.startswith("quantize.imatrix.") for key in facts.first.entries):
        return
    names = [
        tensor.name
        for tensor in context.model.tensors
        if tensor.dtype.name in NEEDS_IMPORTANCE and tensor.name not in (EMBEDDINGS, OUTPUT)
    ]
    if names:
        types = {tensor.dtype.name for tensor in context.model.tensors} & NEEDS_IMPORTANCE
        yield Hit(None, {"types": sorted(types), "tensors": len(names)}, count=len(names))


def needlessly_wide(context: Context) -> Iterator[Hit]:
    """Weights stored as 32-bit floats, all of which have 16 bits or less."""
    facts = model_facts(context)
    if facts is None or facts.first.is_big_endian:
        return
    wide = [
        tensor
        for tensor in context.model.tensors
        if tensor.dtype.name == "float32" and len(tensor.shape) > 1 and tensor.read is not None
    ]
    size = sum(tensor.nbytes for tensor in wide)
    if size < context.options["min-bytes"]:
        return
    if all(_fits_in_16_bits(tensor) for tensor in wide):
        yield Hit(None, {"tensors": len(wide), "size": size, "saved": size // 2}, count=len(wide))


def _fits_in_16_bits(tensor: Tensor) -> bool:
    """Return True if no number of a sample needs more bits than bfloat16 has."""
    import numpy as np

    for part in pieces(tensor):
        bits: NDArray[Any] = np.ascontiguousarray(part, np.float32).view(np.uint32)
        if (bits & LOW_BITS).any():
            return False
    return True
