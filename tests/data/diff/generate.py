"""Makes the small networks in this folder, each with both exporters of PyTorch.

    python tests/data/diff/generate.py      # with torch and onnxscript installed

They have random weights and are as small as networks with all usual parts can be.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from torch import nn

HERE = Path(__file__).parent


class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.left = nn.Conv2d(8, 8, 3, padding=1)
        self.right = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.stem(image)
        x = torch.relu(self.left(x)) + torch.sigmoid(self.right(x))
        return self.head(nn.functional.avg_pool2d(x, 8).flatten(1))


class Encoder(nn.Module):
    """Two layers of a transformer, with normalization and GELU."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 16)
        self.layers = nn.ModuleList(Layer() for _ in range(2))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x)
        return x


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(16)
        self.q, self.k, self.v, self.o = (nn.Linear(16, 16) for _ in range(4))
        self.wide, self.narrow = nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x)
        scores = torch.softmax(self.q(y) @ self.k(y).transpose(1, 2) * 0.25, dim=-1)
        x = x + self.o(scores @ self.v(y))
        return x + self.narrow(nn.functional.gelu(self.wide(self.norm(x))))


NETWORKS = {
    "convolutional": (Convolutional, {"image": torch.zeros(1, 3, 8, 8)}),
    "encoder": (Encoder, {"tokens": torch.zeros(1, 6, dtype=torch.int64)}),
}


def main() -> None:
    for name, (network, inputs) in NETWORKS.items():
        torch.manual_seed(0)
        model = network().eval()
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.3)
        for exporter, opset in (("torchscript", 17), ("dynamo", 20)):
            torch.onnx.export(
                model,
                tuple(inputs.values()),
                HERE / f"{name}_{exporter}.onnx",
                input_names=list(inputs),
                output_names=["result"],
                opset_version=opset,
                dynamo=exporter == "dynamo",
                external_data=False,
            )
            strip(HERE / f"{name}_{exporter}.onnx")


def strip(path: Path) -> None:
    """Leave out what says where in the source code a node is from."""
    model = onnx.load(path)
    for part in (*model.graph.node, *model.graph.value_info, model.graph, model):
        del part.metadata_props[:]
    onnx.save(model, path)


if __name__ == "__main__":
    main()
