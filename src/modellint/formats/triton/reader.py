"""Reads `config.pbtxt`, and finds the models that it is about."""

from __future__ import annotations

from pathlib import Path

from modellint.base.files import read_text, regular_size
from modellint.base.paths import is_there
from modellint.base.text import bounded
from modellint.formats.problems import broken
from modellint.formats.triton import TRITON
from modellint.formats.triton.facts import TritonFacts, TritonPort
from modellint.formats.triton.text import Fields, TextError, parse
from modellint.model import Model

MOST_BYTES = 1 << 20
MOST_VERSIONS = 64
_FILES = {
    "onnxruntime": "model.onnx",
    "onnxruntime_onnx": "model.onnx",
    "tensorrt": "model.plan",
    "tensorrt_plan": "model.plan",
    "pytorch": "model.pt",
    "pytorch_libtorch": "model.pt",
    "openvino": "model.xml",
    "python": "model.py",
}
"""Usual names of model files, by platform or backend."""
_ON_CPU = "KIND_CPU"


def sniff(head: bytes, path: Path) -> bool:
    return path.name.lower() == TRITON.suffixes[0]


def read(path: Path) -> Model:
    try:
        stated = parse(read_text(path, MOST_BYTES))
    except (TextError, UnicodeDecodeError) as error:
        return broken(path, TRITON.name, "config-broken", location=path.name, detail=str(error))
    model = Model(path, TRITON.name)
    model.file_size = regular_size(path) or 0
    model.capabilities = TRITON.tells
    facts = _facts(stated, path.parent)
    model.format_facts = facts
    model.external_files = list(facts.models)
    shown = {"name": facts.name, "platform": facts.platform, "backend": facts.backend}
    shown["max_batch_size"] = str(facts.max_batch_size)
    model.metadata = {key: bounded(value) for key, value in shown.items() if value}
    return model


def _facts(stated: Fields, folder: Path) -> TritonFacts:
    platform, backend = stated.text("platform"), stated.text("backend")
    usual = _FILES.get(platform) or _FILES.get(backend) or ""
    model_file = stated.text("default_model_filename") or usual
    batching = stated.messages("dynamic_batching")
    groups = stated.messages("instance_group")
    on_gpu = [group for group in groups if group.text("kind") != _ON_CPU]
    return TritonFacts(
        name=stated.text("name"),
        platform=platform,
        backend=backend,
        max_batch_size=stated.whole("max_batch_size"),
        inputs=_ports(stated, "input"),
        outputs=_ports(stated, "output"),
        batches_dynamically=bool(batching),
        preferred_batches=tuple(
            size for each in batching for size in each.wholes("preferred_batch_size")
        ),
        instances=sum(group.whole("count", 1) for group in on_gpu) if groups else 1,
        model_file=model_file,
        models=_models(folder, model_file),
    )


def _ports(stated: Fields, name: str) -> tuple[TritonPort, ...]:
    return tuple(
        TritonPort(
            each.text("name"),
            each.text("data_type"),
            _dims(each),
            each.text("optional") == "true",
        )
        for each in stated.messages(name)
    )


def _dims(port: Fields) -> tuple[int, ...]:
    """Return the dims that the model sees, which may be others than clients see."""
    reshaped = port.messages("reshape")
    return tuple(reshaped[-1].wholes("shape") if reshaped else port.wholes("dims"))


def _models(folder: Path, model_file: str) -> tuple[Path, ...]:
    """Return the model of each version: a file in a folder whose name is a number."""
    if not model_file or Path(model_file).name != model_file:
        return ()
    versions = sorted(
        (each for each in folder.iterdir() if each.name.isascii() and each.name.isdigit()),
        key=lambda each: int(each.name[:18]),
    )
    found = (version / model_file for version in versions[-MOST_VERSIONS:])
    return tuple(file for file in found if is_there(file))
