"""Records what PyTorch knows of small exported programs, for tests without PyTorch.

    PYTHON_WITH_TORCH tools/record_exports.py

Writes `tests/data/torch/NAME.pt2`, without the traces of where they were made, and
`tests/data/torch/exports.json`: operators, types, tensors and floating-point operations as
`torch.export.load` and `torch.utils.flop_counter` state them.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

DATA = Path(__file__).parents[1] / "tests" / "data" / "torch"


class Mixed(nn.Module):  # type: ignore[misc]
    """Parameters, a buffer that is not saved, a constant of forward(), and a tied weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(12, 8)
        self.first = nn.Linear(8, 16)
        self.last = nn.Linear(8, 12, bias=False)
        self.last.weight = self.embedding.weight
        self.unused = nn.Linear(2, 2)
        self.register_buffer("scale", torch.arange(8.0), persistent=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden = functional.gelu(self.first(self.embedding(tokens)))
        return self.last(hidden[..., ::2] * self.scale + torch.tensor([0.5, 1.5] * 4))


class Image(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.ConvTranspose2d(4, 2, 2, stride=2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(2, 3),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.layers(image)
        return result


class Branches(nn.Module):  # type: ignore[misc]
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        first, second = x.split(2, dim=1)
        taken = torch.cond(x.sum() > 0, torch.sin, torch.cos, (first.clone(),))
        return taken, second.transpose(0, 1) @ torch.clamp(first, 0, 6)


def programs() -> Iterator[tuple[str, Any]]:
    batch, length = torch.export.Dim("batch", max=16), torch.export.Dim("length")
    tokens = torch.zeros(2, 5, dtype=torch.long)
    shapes = ({0: batch, 1: 2 * length + 1},)
    yield "mixed", torch.export.export(Mixed().eval(), (tokens,), dynamic_shapes=shapes)
    image = torch.randn(2, 3, 16, 16)
    yield "image", torch.export.export(Image().eval(), (image,))
    decomposed = torch.export.export(Image().eval(), (image,)).run_decompositions()
    yield "image_core", decomposed
    yield "branches", torch.export.export(Branches(), (torch.randn(3, 4),))


def without_traces(saved: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved)) as archive, zipfile.ZipFile(made, "w") as clean:
        for name in archive.namelist():
            content = archive.read(name)
            if "/models/" in name:
                stated = json.loads(content)
                _strip(stated)
                content = json.dumps(stated, separators=(",", ":")).encode()
            clean.writestr(zipfile.ZipInfo(name), content)
    return made.getvalue()


def _strip(stated: Any) -> None:
    if isinstance(stated, dict):
        for key in ("stack_trace", "from_node", "torch_fn", "source_fn_stack"):
            stated.pop(key, None)
        for each in stated.values():
            _strip(each)
    elif isinstance(stated, list):
        for each in stated:
            _strip(each)


def truth(program: Any) -> dict[str, Any]:
    signature = program.graph_signature
    stored = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    stored |= signature.inputs_to_lifted_tensor_constants
    types, operators = {}, []
    for node in program.graph.nodes:
        result = node.meta.get("val")
        if isinstance(result, torch.Tensor):
            types[stored.get(node.name, node.name)] = _type(result)
        many = isinstance(result, (tuple, list))
        is_operator = node.op == "call_function" and "getitem" not in str(node.target)
        if is_operator and (isinstance(result, torch.Tensor) or many):
            operators.append([node.name, str(node.target)])
    with FlopCounterMode(display=False) as counter:
        program.module()(*program.example_inputs[0])
    return {
        "operators": operators,
        "types": types,
        "tensors": {
            name: [*_type(each), float(each.double().sum())]
            for name, each in [*program.state_dict.items(), *program.constants.items()]
        },
        "inputs": list(signature.user_inputs),
        "example": [list(each.shape) for each in program.example_inputs[0]],
        "flops": counter.get_total_flops(),
    }


def _type(tensor: torch.Tensor) -> list[Any]:
    shape = [dim if isinstance(dim, int) else str(dim) for dim in tensor.shape]
    return [str(tensor.dtype).removeprefix("torch."), shape]


def main() -> None:
    torch.manual_seed(0)
    record = {}
    for name, program in programs():
        saved = io.BytesIO()
        torch.export.save(program, saved)
        path = DATA / f"{name}.pt2"
        path.write_bytes(without_traces(saved.getvalue()))
        record[name] = truth(torch.export.load(path))
    text = json.dumps({"pytorch": torch.__version__, "programs": record}, indent=None)
    (DATA / "exports.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
