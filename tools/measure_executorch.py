"""Measures which of PyTorch's operators ExecuTorch's delegates take, and in which types.

    PYTHON_WITH_EXECUTORCH tools/measure_executorch.py ask FOLDER
    python tools/measure_executorch.py write FOLDER

`ask` exports the sample calls with which PyTorch tests its operators, many to a program, and keeps
each program in FOLDER next to what the partitioners choose from it. It needs torch, expecttest,
executorch and coremltools. `write` makes the tables of the runtimes from that.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from modellint.runtimes.executorch.lowering import PARTITIONERS, chosen

VERSION = "1.5.1"
SOURCE = "https://pypi.org/project/executorch/1.5.1/"
USUAL, CORE = "usual", "core"
"""Calls as models make them, and the same in the operators that PyTorch calls its core."""
TYPES = "usual core float32 float16 int64 bool bfloat16 int32".split()
SAMPLES = {"float32": 5}
"""Sample calls of an operator by type; one of the others."""
BATCH = 30
OPERATORS = """
    nn.functional.conv1d nn.functional.conv2d nn.functional.conv3d nn.functional.linear
    nn.functional.conv_transpose1d nn.functional.conv_transpose2d nn.functional.batch_norm
    nn.functional.layer_norm nn.functional.group_norm nn.functional.instance_norm
    nn.functional.rms_norm nn.functional.max_pool1d nn.functional.max_pool2d
    nn.functional.avg_pool1d nn.functional.avg_pool2d nn.functional.adaptive_avg_pool1d
    nn.functional.adaptive_avg_pool2d nn.functional.adaptive_max_pool2d nn.functional.relu
    nn.functional.relu6 nn.functional.leaky_relu nn.functional.prelu nn.functional.elu
    nn.functional.selu nn.functional.gelu nn.functional.silu nn.functional.mish
    nn.functional.hardswish nn.functional.hardsigmoid nn.functional.hardtanh
    nn.functional.softplus nn.functional.softsign nn.functional.logsigmoid nn.functional.glu
    nn.functional.pad nn.functional.interpolate nn.functional.upsample_nearest
    nn.functional.upsample_bilinear nn.functional.pixel_shuffle nn.functional.pixel_unshuffle
    nn.functional.embedding nn.functional.scaled_dot_product_attention nn.functional.normalize
    nn.functional.dropout nn.functional.grid_sample nn.functional.unfold
    nn.functional.cosine_similarity nn.functional.channel_shuffle softmax log_softmax add sub
    mul div true_divide pow square sqrt rsqrt reciprocal abs neg exp log log1p exp2 expm1 erf sin
    cos tan tanh atan sinh sigmoid ceil floor round sign trunc clamp clamp_min clamp_max maximum
    minimum fmod remainder floor_divide rsub addcmul addcdiv lerp where eq ne lt le gt ge
    logical_and logical_or logical_not logical_xor bitwise_and bitwise_or bitwise_not isnan isinf
    isfinite mean sum prod amax amin max min argmax argmin var std norm all any cumsum cumprod
    sort topk mm bmm matmul addmm baddbmm einsum cat stack split chunk unbind narrow select slice
    view reshape flatten unflatten permute transpose t movedim swapaxes squeeze unsqueeze expand
    expand_as repeat tile roll flip tril triu diagonal gather scatter scatter_add index_select
    take_along_dim masked_fill index_add contiguous clone to float half double long int bool
    type_as zeros_like ones_like full_like empty_like full zeros ones arange new_ones new_zeros
    new_full meshgrid nonzero as_strided outer dot __getitem__ index_put linalg.vector_norm hypot
    nan_to_num detach repeat_interleave fill copysign log2 log10 acos asin atan2 cosh rot90
    count_nonzero unfold native_layer_norm logsumexp heaviside bincount one_hot
""".split()
"""Operators as PyTorch's tests name them: those that exported models have."""


# Asking.


def usual() -> Iterator[tuple[Any, Any]]:
    """Iterate over calls as models make them, which PyTorch's tests have in other forms only."""
    import torch
    from torch.nn import functional as f

    image, plane, row = torch.randn(2, 8, 6, 6), torch.randn(4, 8), torch.randn(2, 5, 8)
    kernel, single = torch.ones(8, 8, 3, 3), torch.ones(8, 8, 1, 1)
    square, bias, channels = torch.randn(8, 8), torch.randn(8), torch.rand(8)
    yield lambda x: f.adaptive_avg_pool2d(x, 1), image
    yield lambda x: f.adaptive_avg_pool2d(x, 3), image
    yield lambda x: x.mean((2, 3), keepdim=True), image
    yield lambda x: x.mean((2, 3)), image
    yield lambda x: x.max(1)[0], image
    yield lambda x: tuple(x.max(1)), image
    yield lambda x: torch.addmm(bias, x, square), plane
    yield lambda x: x @ square, plane
    yield lambda x: x @ square, row
    yield lambda x: x @ x.transpose(1, 2), row
    yield lambda x: x.unsqueeze(-1), row
    yield lambda x: x.clamp(0, 1), row
    yield lambda x: x.clamp(max=1), row
    yield lambda x: x.clamp_max(1), row
    yield lambda x: x.pow(3), row
    yield lambda x: x**0.5, row
    yield lambda x: x + 1, row
    yield lambda x: x * 2.5, row
    yield lambda x: 1 / x, row
    yield lambda x: 1 - x, row
    yield lambda x: f.pad(x, (1, 1, 2, 0)), image
    yield lambda x: f.pad(x, (1, 1), mode="reflect"), row
    yield lambda x: f.pad(x, (1, 1, 1, 1), mode="replicate"), image
    yield lambda x: f.conv2d(x, kernel, padding="same"), image
    yield lambda x: f.batch_norm(x, bias, channels, bias, bias), image
    yield lambda x: f.batch_norm(f.conv2d(x, single), bias, channels), image
    yield lambda x: f.layer_norm(x, (8,), bias, bias), row
    yield lambda x: f.gelu(x, approximate="tanh"), row
    yield lambda x: f.interpolate(x, scale_factor=2), image
    yield lambda x: f.interpolate(x, scale_factor=2, mode="bilinear"), image
    yield lambda x: f.interpolate(x, size=9, mode="bilinear", align_corners=True), image
    yield lambda x: f.interpolate(x, size=9, mode="bicubic"), image
    yield lambda x: f.max_pool2d(x, 3, 2, 1), image
    yield lambda x: f.avg_pool2d(x, 3, 2, 1), image
    yield lambda x: f.avg_pool2d(x, 2), image
    yield lambda x: f.adaptive_avg_pool1d(x, 1), row
    yield lambda x: x.split(4, -1), row
    yield lambda x: x.chunk(2, 1), image
    yield lambda x: x.split([3, 5], -1), row
    yield lambda x: x.squeeze(0), row[:1]
    yield lambda x: x.squeeze(), row[:1]
    yield lambda x: x[:, 1], row
    yield lambda x: x[:, 1:3], row
    yield lambda x: x[:, ::2], row
    yield lambda x: x.expand(3, 5, 8), row[:1]
    yield lambda x: torch.cat([x, x], -1), row
    yield lambda x: torch.cat([x, x * 2], -1), row
    yield lambda x: torch.stack([x, x * 2]), row
    yield lambda x: x.half().float(), row
    yield lambda x: torch.where(x > 0, x, 0.0), row
    yield lambda x: x.masked_fill(x > 0, -1.0), row
    yield lambda x: x.softmax(1), row
    yield lambda x: x.softmax(-1, dtype=torch.float32), row
    yield lambda x: x.log_softmax(-1), row
    yield lambda x: x.argmax(-1), row
    yield lambda x: tuple(x.topk(2)), row
    yield lambda x: x.sum(-1, keepdim=True), row
    yield lambda x: x.amax((2, 3)), image
    yield lambda x: x.norm(dim=-1, keepdim=True), row
    yield lambda x: f.normalize(x, dim=-1), row
    yield lambda x: f.elu(x), row
    yield lambda x: f.prelu(x, channels), image
    yield lambda x: f.embedding(torch.zeros(2, 3, dtype=torch.int64), x), plane
    yield lambda x: torch.einsum("bij,bkj->bik", x, x), row
    yield lambda x: f.scaled_dot_product_attention(x, x, x), image
    yield lambda x: f.scaled_dot_product_attention(x, x, x, is_causal=True), image
    yield lambda x: f.group_norm(x, 2, bias, bias), image
    yield lambda x: f.instance_norm(x), image
    yield lambda x: x.flatten(1), image
    yield lambda x: x.std(-1), row
    yield lambda x: torch.index_select(x, 1, torch.tensor([0, 2])), row
    yield lambda x: torch.baddbmm(x, x, torch.ones(2, 8, 8)), row
    yield lambda x: torch.bmm(x, torch.ones(2, 8, 3)), row
    yield lambda x: f.conv1d(x, torch.ones(4, 5, 3)), row
    yield lambda x: f.conv_transpose2d(x, torch.ones(8, 4, 2, 2), stride=2), image
    yield lambda x: f.conv2d(x, x[:, :, :3, :3]), image
    yield lambda x: x.transpose(1, 2).contiguous(), row
    yield lambda x: x + torch.arange(8), row
    yield lambda x: x + torch.arange(0, 16, 2), row
    yield lambda x: x + torch.full((8,), 2.0) + torch.zeros(8) + torch.ones(8), row
    yield lambda x: (x >= 1) & (x <= 2) | (x == 3), row
    yield lambda x: (x > 1).logical_and(x < 2).logical_not().float(), row
    yield lambda x: (x != 1).to(torch.int64).cumsum(-1) * 2 + 1, row
    yield lambda x: x + torch.zeros(5, 8, dtype=torch.bool).masked_fill(x[0] > 0, True), row
    yield lambda x: torch.arange(5)[:, None] >= torch.arange(5) * x.new_ones(5), row
    yield lambda x: torch._weight_norm(x, torch.ones(2, 1, 1), 0), row
    yield lambda x: x - x.mean(-1, keepdim=True), row
    yield lambda x: x.repeat(1, 2, 1), row
    yield lambda x: torch.floor_divide(x.int(), 2), row
    yield lambda x: torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6), row
    yield lambda x: x.gather(1, torch.zeros(2, 1, 8, dtype=torch.int64)), row
    yield lambda x: x.roll(1, 1), row
    yield lambda x: x.permute(0, 2, 3, 1).reshape(2, 3, 2, 3, 2, 8).permute(0, 1, 3, 2, 4, 5), image
    yield lambda x: f.unfold(x, 3), image
    yield lambda x: torch.meshgrid(x[0, 0], x[0, 1], indexing="ij"), row
    yield lambda x: f.softplus(x) * torch.sigmoid(x) + f.silu(x), row
    yield lambda x: x.unbind(1), row
    yield lambda x: x.type_as(torch.zeros(1, dtype=torch.float16)), row
    yield lambda x: torch.log(torch.abs(x).int()), row
    yield lambda x: x.to(torch.int32) // 2, row
    yield lambda x: x.long().diff(dim=-1), row
    yield lambda x: f.conv_transpose2d(f.conv2d(x, kernel, stride=2), kernel), image[:1]


def calls(types: Sequence[str]) -> Iterator[tuple[str, Any, Any]]:
    """Iterate over sample calls of one operator."""
    import torch
    from torch.testing._internal.common_methods_invocations import op_db

    tests = {each.name: each for each in op_db if not each.variant_test_name}
    for kind in types:
        dtype = getattr(torch, kind)
        for name in OPERATORS:
            each = tests.get(name)
            if each is None or dtype not in each.dtypes:
                continue
            samples = each.sample_inputs("cpu", dtype)
            for sample in islice(samples, SAMPLES.get(kind, 1)):
                if isinstance(sample.input, torch.Tensor):
                    yield kind, each.op, sample


class _NOTHING:  # a sample without further arguments
    args, kwargs = (), {}  # type: ignore[var-annotated]


def modules() -> tuple[Any, Any]:
    """Return the classes of a module that makes one call, and of one that makes several."""
    import torch

    class Call(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, op: Any, sample: Any) -> None:
            super().__init__()
            self.op, self.rest, self.named = op, sample.args, sample.kwargs

        def forward(self, given: Any) -> Any:
            return self.op(given, *self.rest, **self.named)

    class Calls(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, each: Sequence[Any]) -> None:
            super().__init__()
            self.each = torch.nn.ModuleList(each)

        def forward(self, *given: Any) -> Any:
            return tuple(call(one) for call, one in zip(self.each, given, strict=True))

    return Call, Calls


def ask(folder: Path, types: Sequence[str]) -> None:
    one, several = modules()
    for kind in types:
        if kind in (USUAL, CORE):
            made = [(one(op, _NOTHING).eval(), given) for op, given in usual()]
        else:
            made = [
                (one(op, sample).eval(), sample.input.detach()) for _, op, sample in calls([kind])
            ]
        for start in range(0, len(made), BATCH):
            file = folder / f"{kind}-{start:04}.pt2"
            settle(file, several, made[start : start + BATCH])


def settle(file: Path, several: Any, batch: Sequence[tuple[Any, Any]]) -> None:
    """Keep a program with what the partitioners choose; halve one that cannot be lowered."""
    import torch

    if not batch:
        return
    try:
        with torch.no_grad():
            program = torch.export.export(
                several([call for call, _ in batch]), tuple(given for _, given in batch)
            )
        if file.name.startswith(CORE):
            program = program.run_decompositions()
        torch.export.save(program, file)
        told = {}
        for runtime in PARTITIONERS:
            found = chosen(program, runtime)
            taken = [name for part in found.partitions for name in part]
            told[runtime] = {"taken": taken, "left": list(found.left)}
    except Exception as error:  # whatever a compiler raises
        file.unlink(missing_ok=True)
        sys.stderr.write(f"{file.stem} of {len(batch)}: {str(error).splitlines()[:1]}\n")
        if len(batch) > 1:
            middle = len(batch) // 2
            settle(file.with_stem(f"{file.stem}a"), several, batch[:middle])
            settle(file.with_stem(f"{file.stem}b"), several, batch[middle:])
        return
    file.with_suffix(".json").write_text(json.dumps(told), encoding="utf-8")
    sys.stderr.write(f"{file.stem}: {len(batch)} calls\n")


# Writing.


def write(folder: Path) -> None:
    from supports.tables import write_table

    rows = list(answered(folder))
    for runtime in PARTITIONERS:
        write_table(runtime, VERSION, "measured", SOURCE, operators(rows, runtime))


Row = tuple[str, str, str, Mapping[str, bool]]
"""Kind of calls, operator, type of the first input, and whether each runtime takes it."""


def answered(folder: Path) -> Iterator[Row]:
    """Iterate over all operators of the programs."""
    from modellint.formats import read_model
    from modellint.formats.torch.facts import torch_facts

    for file in sorted(folder.glob("*.json")):
        told = json.loads(file.read_text(encoding="utf-8"))
        model = read_model(file.with_suffix(".pt2"))
        facts = torch_facts(model)
        assert facts is not None, f"{file} is of no program"
        assert facts.exported is not None, f"{file} is of no exported program"
        for node in model.graph.nodes:
            value = node.input(0)
            dtype = value.dtype.name if value is not None and value.dtype is not None else ""
            taken = {
                runtime: node.label in answer["taken"]
                for runtime, answer in told.items()
                if node.label in answer["taken"] or node.label in answer["left"]
            }
            target = facts.exported.targets[node].removeprefix("torch.ops.")
            yield file.name.partition("-")[0], target, dtype, taken


def operators(rows: Sequence[Row], runtime: str) -> dict[str, Any]:
    """Return what is known of each operator.

    A type is not taken if the first sample call is taken in another one: further types have that
    sample only, which may be refused for other reasons.
    """
    from supports.tables import Operator

    told: dict[str, dict[str, bool]] = defaultdict(dict)
    first: dict[str, bool] = {}
    for kind, op, dtype, taken in rows:
        if runtime in taken:
            told[op][dtype] = told[op].get(dtype, False) or taken[runtime]
            if kind == dtype == "float32":
                first.setdefault(op, taken[runtime])
    table = {}
    for op, by_type in told.items():
        known = [dtype for dtype in TYPES if dtype in by_type]
        taken_types = [dtype for dtype in known if by_type[dtype]]
        tried = known if first.get(op, False) else taken_types
        table[op] = Operator(accepted=int(any(by_type.values())), tried=tried, taken=taken_types)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["ask", "write"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--types", nargs="*", default=TYPES)
    given = parser.parse_args()
    if given.what == "ask":
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        given.folder.mkdir(exist_ok=True, parents=True)
        ask(given.folder, given.types)
    else:
        write(given.folder)


if __name__ == "__main__":
    main()
