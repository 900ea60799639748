"""Files of PyTorch: what is read of them, and that nothing of them is run.

The files in `tests/data/torch` are PyTorch 2.13's own, without traces of where they were made.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.formats.problems import MalformedError
from modellint.formats.torch.facts import Import, torch_facts
from modellint.formats.torch.notation import encode
from modellint.formats.torch.pickled import read_pickle
from modellint.model import Model
from tests.support import run_cli

SAVED = Path(__file__).parents[1] / "data" / "torch"
STATE = {
    "0.weight": ("float32", (2, 1, 2, 2)),
    "0.bias": ("float32", (2,)),
    "1.weight": ("float32", (2,)),
    "1.bias": ("float32", (2,)),
    "1.running_mean": ("float32", (2,)),
    "1.running_var": ("float32", (2,)),
    "1.num_batches_tracked": ("int64", ()),
}


def types(model: Model) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {each.name: (each.dtype.name, each.shape) for each in model.tensors}


def read(path: Path, text: str) -> Model:
    path.write_bytes(encode(text))
    return read_model(path)


@pytest.mark.parametrize(
    ("file", "container"),
    [
        ("state.pth", "archive"),
        ("module.pt", "archive"),
        ("stream.pth", "stream"),
        ("script.pt", "torchscript"),
        ("export.pt2", "export"),
    ],
)
def test_every_container_of_a_model_has_its_tensors(file: str, container: str) -> None:
    model = read_model(SAVED / file)
    assert (model.format, model.problems, types(model)) == ("torch", [], STATE)
    facts = torch_facts(model)
    assert facts is not None
    assert facts.container == container
    by_name = {each.name: each.numpy() for each in model.tensors}
    assert by_name["1.running_var"].tolist() == [1.0, 1.0]  # type: ignore[union-attr]
    weight = {each.name: each for each in read_model(SAVED / "state.pth").tensors}["0.weight"]
    assert by_name["0.weight"].tolist() == weight.numpy().tolist()  # type: ignore[union-attr]


def test_tensors_of_unusual_types_and_layouts() -> None:
    model = read_model(SAVED / "types.pt")
    assert types(model) == {
        "t": ("float32", (3, 2)),
        "f8": ("float8e4m3fn", (4,)),
        "bf": ("bfloat16", (2,)),
        "u": ("uint16", (2,)),
        "e": ("float32", (0, 3)),
        "s": ("float32", ()),
        "part": ("float32", (3,)),
    }
    read_back = {each.name: each.numpy() for each in model.tensors}
    assert read_back["t"] is None  # transposed: its elements are not one after the other
    assert read_back["f8"].tolist() == [1, 1, 1, 1]  # type: ignore[union-attr]
    assert read_back["part"].tolist() == [3, 4, 5]  # type: ignore[union-attr]


class Trap:
    """An object whose pickle would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_nothing_is_imported_or_called(tmp_path: Path) -> None:
    trap, path = tmp_path / "sprung", tmp_path / "m.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", pickle.dumps({"x": Trap(trap)}))
    facts = torch_facts(read_model(path))
    assert facts is not None
    assert Import("pathlib", "Path.touch") in facts.imports or len(facts.imports) > 1
    assert not trap.exists()
    pickle.loads(pickle.dumps(Trap(trap)))
    assert trap.exists()


@pytest.mark.parametrize("protocol", range(6))
def test_all_protocols_of_pickle_are_read(protocol: int) -> None:
    saved = {"a": [1, 2.5, None, True, "é", b"x", (1, 2, 3, 4), {3}], "b": {}, 7: 1 << 70}
    read_back = read_pickle(pickle.dumps(saved, protocol))
    assert [key for key, _ in read_back.root.pairs] == ["a", "b", 7]
    assert read_back.root.pairs[2][1] == 1 << 70


@pytest.mark.parametrize(
    "program",
    [b"", b"\x80\x02", b".", b"\x80\x02h\x07.", b"\x80\x02R.", b"\x80\x02t.", b"\x80\x02\xff."],
)
def test_a_damaged_pickle_is_refused(program: bytes) -> None:
    with pytest.raises(MalformedError):
        read_pickle(program)


def test_a_storage_may_be_missing_or_short(tmp_path: Path) -> None:
    missing = read(tmp_path / "a.pt", "a float32 [2]\nb float32 [2]\n@missing")
    assert [each.kind for each in missing.problems] == ["storage-missing"]
    short = read(tmp_path / "b.pt", "a float32 [2]\nb float32 [2]\n@short 4")
    assert [(each.kind, each.facts["found"]) for each in short.problems] == [("invalid-tensor", 4)]


def test_a_stream_that_is_cut_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    path.write_bytes((SAVED / "stream.pth").read_bytes()[:-3])
    assert [each.kind for each in read_model(path).problems] == ["truncated"]


def test_an_archive_without_its_directory_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    path.write_bytes((SAVED / "state.pth").read_bytes()[:-30])
    result = run_cli(str(path), "-o", "concise")
    assert (result.exit_code, result.stdout.count("\n")) == (1, 1)
    assert "its zip directory is damaged or missing" in result.stdout


def test_what_torch_does_not_look_at_may_be_damaged(tmp_path: Path) -> None:
    """The sums of members and the names ahead of them, which PyTorch may leave wrong on purpose."""
    path = tmp_path / "m.pth"
    content = bytearray((SAVED / "state.pth").read_bytes())
    content[14:18] = content[30:34] = b"\xff" * 4
    listed = content.index(b"PK\x01\x02")
    content[listed + 16 : listed + 20] = b"\xff" * 4
    path.write_bytes(content)
    model = read_model(path)
    assert (model.format, model.problems, types(model)) == ("torch", [], STATE)


@pytest.mark.parametrize("protocol", range(6))
def test_a_bare_pickle_states_its_imports(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "m.bin"
    path.write_bytes(pickle.dumps({"a": [1, complex(1, 2)]}, protocol))
    facts = torch_facts(read_model(path))
    assert facts is not None
    assert (facts.container, list(map(str, facts.imports))[-1]) == (
        "pickle",
        f"{'__builtin__' if protocol < 3 else 'builtins'}.complex",
    )


def test_a_pickle_that_is_cut_has_the_imports_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(b"\x80\x02]q\x00cposix\nsystem\n")
    shown = run_cli(str(path), "-o", "concise").stdout
    assert "imports posix.system and more" in shown
    assert "SEC001" in shown


def test_a_list_of_words_is_no_pickle(tmp_path: Path) -> None:
    words, pickled = tmp_path / "labels.onnx", tmp_path / "evil.onnx"
    words.write_bytes(b"cat\ndog\nFish\nbird\n")
    pickled.write_bytes(b"cos\nsystem\n(S'id'\ntR.")
    kinds = [[each.kind for each in read_model(path).problems] for path in (words, pickled)]
    assert kinds == [["not-a-model"], ["pickle"]]


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(b"\x80\x02K\x000" + b"N0" * 900_000 + b".", id="pickles"),
        pytest.param(
            b"\x80\x02ccollections\nOrderedDict\nq\x00]q\x01("
            + b"](K\x01K\x02e" * 10_000
            + b"e"
            + b"h\x00h\x01\x85R" * 1000
            + b".",
            id="pairs",
        ),
    ],
)
def test_a_pickle_that_asks_for_much_work_is_given_up(tmp_path: Path, program: bytes) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(program * 3)
    (problem,) = read_model(path).problems
    assert problem.facts.get("part") == "unknown" or "more" in str(problem.facts["listed"])


def test_a_large_checkpoint_is_read_without_its_weights(tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    few, many = 77, 1 << 30
    content = encode(f"w float32 [2] of {few}\n@stream")
    content = content.replace(struct.pack("<i", few), struct.pack("<i", many))
    content = content[: -few * 4].replace(struct.pack("<q", few), struct.pack("<q", many))
    with path.open("wb") as file:
        file.write(content)
        file.truncate(len(content) + many * 4)
    model = read_model(path)
    assert not model.problems
    assert [each.numpy() is not None for each in model.tensors] == [True]
