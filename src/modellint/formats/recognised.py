"""Formats that are recognized but not read: their signatures, and what to lint in their place.

Where the first bytes of a format are not its own, its usual names have to agree with them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from modellint.base.files import open_regular
from modellint.formats.format import Format, Sniff

_ORIGINAL = "lint the ONNX or TFLite model that it was made from"
_TF_JS = re.compile(
    rb'"format"\s*:\s*"(graph|layers)-model"|"modelTopology"\s*:|"weightsManifest"\s*:'
    rb'|\[\s*\{\s*"(weights"\s*:\s*\[|paths"\s*:)'
)
_TF_JS_SHARD = re.compile(r"(-shard\d+(of\d+)?)(\.bin)?$")
_TABLE_END = bytes.fromhex("57fb808b247547db")
"""Last bytes of the tables that TensorFlow's checkpoints have for indexes."""


def _magic(magic: bytes, at: int = 0) -> Sniff:
    return lambda head, path: head[at : at + len(magic)] == magic


def _begins(pattern: bytes, names: str = "") -> Sniff:
    """Return a signature: a pattern of the first bytes, in files with such a name."""
    expression, named = re.compile(pattern, re.DOTALL), _named(names)
    return lambda head, path: named(head, path) and expression.match(head) is not None


def _named(names: str) -> Sniff:
    expression = re.compile(names, re.IGNORECASE)
    return lambda head, path: expression.search(path.name) is not None


def _either(*signatures: Sniff) -> Sniff:
    return lambda head, path: any(each(head, path) for each in signatures)


def _is_npz(head: bytes, path: Path) -> bool:
    from modellint.formats.archive import first_member  # brings zipfile and all compressions

    return first_member(head).endswith(".npy")


def _is_compiled(head: bytes, path: Path) -> bool:
    return (path / "coremldata.bin").is_file()


def _is_checkpoint(head: bytes, path: Path) -> bool:
    """The index of a checkpoint, its data next to the index, or the list of checkpoints."""
    if head.startswith(b"model_checkpoint_path:"):
        return True
    stem = re.sub(r"\.data-\d{5}-of-\d{5}$", "", path.name)
    if stem != path.name:
        return path.with_name(f"{stem}.index").is_file()
    if path.suffix != ".index":
        return False
    with open_regular(path) as file:
        file.seek(-min(len(_TABLE_END), file.seek(0, os.SEEK_END)), os.SEEK_END)
        return file.read(len(_TABLE_END)) == _TABLE_END


def _is_tf_js(head: bytes, path: Path) -> bool:
    """The JSON of a model, or the bytes of its weights, next to that."""
    if head.lstrip()[:1] in (b"{", b"["):
        return _TF_JS.search(head) is not None
    stem = _TF_JS_SHARD.sub("", path.name)
    is_shard = stem != path.name
    if not is_shard and path.suffix != ".bin":
        return False
    stem = stem.removesuffix(".bin")
    jsons = [f"{stem}.json", f"{stem}-weights_manifest.json", *["model.json"] * is_shard]
    return any(_holds(path.with_name(each), _TF_JS) for each in jsons)


def _holds(path: Path, pattern: re.Pattern[bytes]) -> bool:
    try:
        with open_regular(path) as file:
            return pattern.search(file.read(4096) or b"") is not None
    except OSError:
        return False


def _text(*names: str) -> bytes:
    """Return a pattern of a message of protobuf as text that begins with one of its fields."""
    return rb"(\s*#[^\n]*\n)*\s*(" + "|".join(names).encode() + rb")"


def _other(
    name: str, title: str, instead: str, signature: Sniff, suffixes: tuple[str, ...] = ()
) -> Format:
    return Format(name, title, shared_suffixes=suffixes, signature=signature, instead=instead)


RECOGNISED = (
    Format(
        "coreml-compiled",
        "compiled Core ML model",
        suffixes=(".mlmodelc",),
        is_folder=True,
        signature=_is_compiled,
        instead="lint the .mlmodel or .mlpackage that it was compiled from",
    ),
    _other("npz", "NumPy archive", "lint the model that its arrays belong to", _is_npz, (".npz",)),
    _other(
        "npy",
        "NumPy array",
        "lint the model that the array belongs to",
        _magic(b"\x93NUMPY"),
        (".npy",),
    ),
    _other(
        "ctranslate2",
        "CTranslate2 model",
        "lint the model that it was converted from",
        _begins(rb"[\x01-\x20]\0\0\0[\x05-\x40]\0[A-Z]\w+Spec\0"),
    ),
    _other(
        "keras-shards",
        "index of Keras weights",
        "lint the .weights.h5 files that it names, or the model as .keras",
        _begins(rb"\s*\{.*?\.weights\.h5", r"\.weights\.json$"),
    ),
    _other(
        "tensorflow-text",
        "TensorFlow graph as text",
        "write it with as_text=False, and lint the .pb",
        _begins(_text(r"node\s*\{\s*name\s*:", r"saved_model_schema_", r"meta_graphs\s*\{")),
        (".pbtxt",),
    ),
    _other(
        "tensorflow-checkpoint",
        "TensorFlow checkpoint",
        "lint the SavedModel that it belongs to, or export one from it",
        _is_checkpoint,
        (".index",),
    ),
    _other(
        "tensorflow-js",
        "TensorFlow.js model",
        "lint the SavedModel or the Keras model that it was converted from",
        _is_tf_js,
    ),
    _other(
        "mediapipe-graph",
        "MediaPipe graph",
        "lint the .tflite files that it names",
        _begins(rb"\n[\x80-\xff]{0,4}[\0-\x7f][\n\x12]", r"\.binarypb$"),
        (".binarypb",),
    ),
    _other(
        "litert-lm",
        "LiteRT-LM bundle",
        "lint the .tflite files that it was made of",
        _magic(b"LITERTLM"),
        (".litertlm",),
    ),
    _other(
        "paddle",
        "Paddle model",
        "convert it with paddle2onnx, and lint the result",
        _either(
            _begins(rb"\n[\x80-\xff]{0,4}[\0-\x7f]\x08\0\x10\xff|\s*\{\s*\"base_code\"\s*:"),
            _begins(rb"\0{16,}[^\0]", r"\.pdiparams$"),
        ),
        (".pdmodel", ".pdiparams"),
    ),
    _other(
        "mxnet",
        "MXNet model",
        "export it to ONNX, and lint the result",
        _begins(rb"\x12\x01\0\0\0\0\0\0|\s*\{\s*\"nodes\"\s*:\s*\[\s*\{\s*\"op\"\s*:"),
        (".params",),
    ),
    _other(
        "caffe",
        "Caffe model",
        "convert it to ONNX, and lint the result",
        _either(
            _begins(rb"\n", r"\.caffemodel$"),
            _begins(_text(r"name\s*:", r"layers?\s*\{", r"input\s*:"), r"\.prototxt$"),
        ),
        (".caffemodel", ".prototxt"),
    ),
    _other(
        "darknet",
        "Darknet model",
        "convert it to ONNX, and lint the result",
        _either(
            _begins(rb"(?!\0{8})[\0-\x09]\0\0\0[\0-\x09]\0\0\0", r"\.weights$"),
            _begins(_text(r"\[net(work)?\]"), r"\.cfg$"),
        ),
        (".weights", ".cfg"),
    ),
    _other(
        "mnn",
        "MNN model",
        _ORIGINAL,
        _begins(rb"[\x08-\xff][\0-\x03]\0\0", r"\.mnn$"),
        (".mnn",),
    ),
    _other("rknn", "RKNN model", _ORIGINAL, _magic(b"RKNN"), (".rknn",)),
    _other(
        "dlc", "Qualcomm DLC", _ORIGINAL, _begins(rb"PK\x03\x04|\0+[^\0]", r"\.dlc$"), (".dlc",)
    ),
    _other("hef", "Hailo HEF", _ORIGINAL, _magic(b"\x01HEF"), (".hef",)),
    _other(
        "executorch",
        "ExecuTorch program",
        "lint the exported program (.pt2) that it was lowered from",
        _begins(rb".{4}ET\d\d"),
        (".pte",),
    ),
    _other(
        "llamafile",
        "llamafile",
        "unzip the GGUF file that is in it, and lint that",
        _begins(rb"MZ|\x7fELF|#!|PK", r"\.llamafile$"),
        (".llamafile",),
    ),
    _other(
        "nemo",
        "NeMo archive",
        "unpack it, and lint the model_weights.ckpt in it, or export it to ONNX",
        _begins(rb"\x1f\x8b|.{257}ustar", r"\.nemo$"),
        (".nemo",),
    ),
    _other(
        "fasttext",
        "fastText model",
        "exclude the file",
        _magic((793712314).to_bytes(4, "little")),
        (".ftz",),
    ),
)
