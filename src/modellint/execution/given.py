"""Inputs that are given: arrays, images or texts in files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.base.errors import UsageError
from modellint.base.files import MOST_JSON, read_regular, read_text
from modellint.base.records import dataclass
from modellint.execution.arrays import Arrays
from modellint.execution.meanings import meaning_of
from modellint.model import Model, Value

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp"})
TEXTS = frozenset({".txt", ".text"})
SAMPLES = 128
"""Inputs that are read by default."""
AT_ONCE = 8
"""Rows of an array that are one input, where the model leaves the batch open."""
SIDE, TOKENS = 224, 128
"""Size of images and length of texts where the model leaves them open."""
_USUAL = "input_ids"
_BESIDE_TOKENS = frozenset({"attention_mask", "token_type_ids", "position_ids"})
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's channels, as torchvision's models expect:
https://docs.pytorch.org/vision/stable/models.html"""


@dataclass(frozen=True, slots=True)
class InputReader:
    """The way files become inputs."""

    model: Model
    normalize: str = "unit"
    """Range of images: 0 to 1, that with ImageNet's mean and deviation, or 0 to 255."""
    tokenizer: Path | None = None
    """A `tokenizer.json`, which texts need."""
    samples: int = SAMPLES

    def read(self, path: Path) -> list[Arrays]:
        """Return the inputs in a file or folder, checked against those of the model."""
        feeds: list[Arrays] = []
        for feed in self._feeds(path):
            feeds.append(self._checked(feed, path))
            if len(feeds) == self.samples:
                break
        if not feeds:
            raise UsageError(f"{path} contains no npz, npy, pb, image or text files")
        return feeds

    def _feeds(self, path: Path) -> Iterator[Arrays]:
        if not path.is_dir():
            yield from self._of_file(path)
            return
        entries = sorted(path.iterdir(), key=lambda each: _natural(each.name))
        stored = [each for each in entries if re.fullmatch(r"input_\d+\.pb", each.name)]
        if stored:  # a test case of ONNX's own
            yield {
                value.name: _of_protobuf(file)
                for value, file in zip(self.model.fed, stored, strict=False)
            }
        for entry in entries:
            if entry.is_dir() or entry.suffix.lower() in {".npz", ".npy", *IMAGES, *TEXTS}:
                yield from self._feeds(entry)

    def _of_file(self, path: Path) -> Iterator[Arrays]:
        suffix = path.suffix.lower()
        if suffix == ".npz":
            with _load(path) as stored:
                yield from self._split({name: stored[name] for name in stored.files}, path)
        elif suffix == ".npy":
            yield from self._split({self._only_input(path).name: _load(path)}, path)
        elif suffix in IMAGES:
            yield {self._only_input(path).name: self._of_image(path)}
        elif suffix in TEXTS:
            yield from self._of_text(path)
        else:
            raise UsageError(f"{path}: inputs are read from npz, npy, image and text files")

    def _only_input(self, path: Path) -> Value:
        if len(self.model.fed) != 1:
            names = ", ".join(value.name for value in self.model.fed)
            raise UsageError(f"{path}: the model has several inputs ({names}), so use an npz file")
        return self.model.fed[0]

    # Arrays

    def _split(self, arrays: Mapping[str, NDArray[Any]], path: Path) -> Iterator[Arrays]:
        """Split arrays of more rows than the model takes at once."""
        rows = {len(array) if array.ndim else 0 for array in arrays.values()}
        sizes = [_batch(value) for value in self.model.fed if value.name in arrays]
        if not sizes or len(rows) != 1 or None in sizes or not rows - {0}:
            yield dict(arrays)
            return
        count, step = rows.pop(), min(size or 1 for size in sizes)
        for start in range(0, count, step):
            part = {name: array[start : start + step] for name, array in arrays.items()}
            if start + step <= count or all(
                not isinstance((value.declared_shape or (None,))[0], int)
                for value in self.model.fed
            ):
                yield part

    def _checked(self, feed: Arrays, path: Path) -> Arrays:
        """Return the inputs in the model's types; raise UsageError if they do not fit."""
        checked = {}
        for value in self.model.fed:
            array = feed.get(value.name)
            if array is None:
                names = ", ".join(feed) or "nothing"
                raise UsageError(f"{path}: no input {value.name!r}, only {names}")
            declared, dtype = value.declared_shape, value.declared_dtype
            if declared is not None and (
                len(declared) != array.ndim
                or any(
                    isinstance(dim, int) and dim != size
                    for dim, size in zip(declared, array.shape, strict=True)
                )
            ):
                raise UsageError(
                    f"{path}: {value.name!r} has the shape {list(array.shape)}, "
                    f"the model's input {[dim if dim is not None else '?' for dim in declared]}"
                )
            is_plain = dtype is None or dtype.kind in ("string", "undefined")
            checked[value.name] = array if is_plain else array.astype(_numpy(value), copy=False)
        return checked

    # Images

    def _of_image(self, path: Path) -> NDArray[Any]:
        """Return an image in the size and layout of the input, as a batch of one or more."""
        value = self._only_input(path)
        shape = value.declared_shape or ()
        if len(shape) != 4:
            raise UsageError(f"{path}: the input {value.name!r} has {len(shape)} dims, images 4")
        last = shape[3] in (1, 3) and shape[1] not in (1, 3)
        channels = shape[3] if last else shape[1]
        height, width = shape[1:3] if last else shape[2:4]
        picture = _picture(
            path,
            gray=channels == 1,
            size=(
                width if isinstance(width, int) else SIDE,
                height if isinstance(height, int) else SIDE,
            ),
        )
        dtype = value.declared_dtype
        if dtype is not None and dtype.is_float:
            picture = self._normalized(picture)
        rows = picture if last else np.moveaxis(picture, 2, 0)
        batch = shape[0] if isinstance(shape[0], int) else 1
        return np.repeat(rows[None], batch, axis=0)

    def _normalized(self, picture: NDArray[Any]) -> NDArray[Any]:
        if self.normalize == "none":
            return picture.astype(np.float32)
        scaled = picture.astype(np.float32) / 255
        if self.normalize == "imagenet" and scaled.shape[2] == 3:
            return ((scaled - _MEAN) / _DEVIATION).astype(np.float32)
        return scaled

    # Texts

    def _of_text(self, path: Path) -> Iterator[Arrays]:
        """Iterate over the tokens of each line."""
        encode = self._encoder(path)
        for line in read_text(path, MOST_JSON).splitlines():
            if line.strip():
                yield self._of_tokens(encode(line), path)

    def _encoder(self, path: Path) -> Any:
        if self.tokenizer is None:
            raise UsageError(f"{path} is text, which `modellint diff --run --tokenizer FILE` reads")
        if find_spec("tokenizers") is None:
            raise UsageError("reading text needs the tokenizers package: pip install tokenizers")
        stored = read_text(self.tokenizer, MOST_JSON)
        tokenizer = import_module("tokenizers").Tokenizer.from_str(stored)
        return lambda line: tokenizer.encode(line).ids

    def _of_tokens(self, tokens: Sequence[int], path: Path) -> Arrays:
        """Return the tokens as the inputs that are named after them, padded with zeros."""
        feed = {}
        looked_up = self._looked_up()
        for value in self.model.fed:
            shape = value.declared_shape or (1, None)
            length = shape[-1] if isinstance(shape[-1], int) else min(len(tokens), TOKENS)
            ids = [*tokens[:length], *[0] * (length - len(tokens))]
            rows = {
                looked_up: ids,
                "attention_mask": [int(index < len(tokens)) for index in range(length)],
                "token_type_ids": [0] * length,
                "position_ids": list(range(length)),
            }
            if value.name not in rows:
                raise UsageError(f"{path}: text cannot be matched to an input: {value.name!r}")
            batch = shape[0] if isinstance(shape[0], int) else 1
            feed[value.name] = np.asarray([rows[value.name]] * batch)
        return feed

    def _looked_up(self) -> str:
        """Return the input of tokens: of the usual name, or the only one that indexes a table."""
        names = {value.name for value in self.model.fed}
        tables = [
            value.name
            for value in self.model.fed
            if value.name not in _BESIDE_TOKENS and meaning_of(self.model, value).limit is not None
        ]
        return tables[0] if _USUAL not in names and len(tables) == 1 else _USUAL


def _batch(value: Value) -> int | None:
    """Return how many rows are one input; None for an input without a batch."""
    shape = value.declared_shape
    if not shape:
        return None
    return shape[0] if isinstance(shape[0], int) else AT_ONCE


def _numpy(value: Value) -> np.dtype[Any]:
    assert value.declared_dtype is not None
    return value.declared_dtype.numpy


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts ``input_10`` after ``input_9``."""
    return [(int(part or 0), text) for text, part in re.findall(r"(\D*)(\d*)", name)]


def _load(path: Path) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from error


def _of_protobuf(path: Path) -> NDArray[Any]:
    from onnx import TensorProto, numpy_helper

    tensor = TensorProto()
    try:
        tensor.ParseFromString(read_regular(path, MOST_JSON))
        return numpy_helper.to_array(tensor)
    except Exception as error:  # what protobuf raises comes without types
        raise UsageError(f"{path} is not an ONNX tensor") from error


def _picture(path: Path, *, gray: bool, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the pixels as height, width, channels."""
    if find_spec("PIL") is None:
        raise UsageError("reading images needs Pillow: pip install pillow")
    images = import_module("PIL.Image")
    try:
        with images.open(path) as image:
            pixels = np.asarray(image.convert("L" if gray else "RGB").resize(size))
    except OSError as error:
        raise UsageError(f"{path}: {error}") from error
    return pixels[:, :, None] if gray else pixels
