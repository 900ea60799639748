"""Fixed files: written whole or not at all, and nothing else is touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import numpy_helper

from modellint.base.drafts import DAY, DRAFT, own_draft
from modellint.base.files import open_regular
from modellint.fixing.files import ENDING, STAGE, Destination, fix_file, put
from modellint.fixing.rounds import Wanted
from modellint.formats import read_model
from modellint.formats.onnx.edit.message import Copied
from modellint.formats.onnx.edit.output import write_pieces
from modellint.formats.protobuf import FileWindow
from modellint.plan import Plan
from modellint.rules.registry import load_rules
from tests.samples import GOOD, failed, project
from tests.support import EXAMPLES, PATIENCE, run_cli, save

RULES = load_rules(plugins=False)
PLAN = Plan(rules=(RULES["HYG001"], RULES["HYG004"]))
MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[4] x) => (float[4] y) <float[4] w = {1, 2, 3, 4}, float[4] unused = {1, 2, 3, 4}>
{
    [same] a = Identity (x)
    [sum] y = Add (a, w)
}
"""
CLEAN = ["Add"]
OPEN = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[N,4] x, bool[N] kept) => (float[4,M] y, float[4,N] z)
{
    a = Relu (x)
    b = Compress <axis = 0> (a, kept)
    y = Transpose (b)
    c = Transpose (a)
    z = Sigmoid (c)
}
"""
CHAIN = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[4,32] x) => (float[4,40] y)
{
    a = MatMul (x, w0)
    b = MatMul (x, w1)
    c = MatMul (x, w2)
    d = Add (a, b)
    y = Add (c, d)
}
"""


def ops(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(MODEL, tmp_path / "model.onnx")


@pytest.mark.usefixtures("in_process")
class TestInThisProcess:
    def test_the_file_is_replaced_and_keeps_its_mode(self, model: Path) -> None:
        model.chmod(0o640)
        fixes = fix_file(model, "model.onnx", PLAN, Wanted(), Destination())
        assert fixes.counts == {"HYG001": 1, "HYG004": 1}
        assert (ops(model), model.stat().st_mode & 0o777) == (CLEAN, 0o640)
        assert [path.name for path in model.parent.iterdir()] == ["model.onnx"]
        assert "outputs" not in fixes.problem

    def test_a_plan_writes_nothing(self, model: Path) -> None:
        before = model.read_bytes()
        fixes = fix_file(model, "model.onnx", PLAN, Wanted(), Destination(nowhere=True))
        assert [(each.kind, each.name) for each in fixes.changes] == [
            ("removed", "unused"),
            ("removed", "same"),
            ("changed", "sum"),
        ]
        assert model.read_bytes() == before

    def test_elsewhere_the_model_finds_its_external_data(self, model: Path, tmp_path: Path) -> None:
        proto = onnx.load(model)
        for tensor in proto.graph.initializer:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
        onnx.save(proto, model, save_as_external_data=True, location="w.bin", size_threshold=0)
        to = tmp_path / "new" / "model.onnx"
        fixes = fix_file(model, "model.onnx", PLAN, Wanted(), Destination(file=to))
        assert (fixes.written, ops(to), len(ops(model))) == (str(to), CLEAN, 2)
        assert list(numpy_helper.to_array(onnx.load(to).graph.initializer[0])) == [1, 2, 3, 4]

    def test_a_link_to_itself_is_no_external_data(self, model: Path, tmp_path: Path) -> None:
        proto = onnx.load(model)
        tensor = proto.graph.initializer.add(name="x", data_type=1, dims=[1], data_location=1)
        tensor.external_data.add(key="location", value="loop")
        model.write_bytes(proto.SerializeToString())
        (model.parent / "loop").symlink_to("loop")
        draft, to = tmp_path / "draft", tmp_path / "new" / "model.onnx"
        shutil.copy(model, draft)
        assert put(draft, read_model(model), Destination(file=to)) == to
        assert list(to.parent.iterdir()) == [to]

    @pytest.mark.parametrize("obstacle", ["link", "read-only", "text", "exists"])
    def test_what_may_not_be_replaced_stays(
        self, obstacle: str, model: Path, tmp_path: Path
    ) -> None:
        path, destination = model, Destination()
        if obstacle == "link":
            path = tmp_path / "link.onnx"
            path.symlink_to(model)
        elif obstacle == "read-only":
            model.chmod(0o444)
        elif obstacle == "text":
            path = tmp_path / "model.onnxtxt"
            path.write_text(MODEL, encoding="utf-8")
        else:
            destination = Destination(file=model)
        before = path.read_bytes()
        fixes = fix_file(path, path.name, PLAN, Wanted(), destination)
        assert fixes.problem
        assert (fixes.written, path.read_bytes()) == ("", before)

    def test_a_model_that_changes_meanwhile_is_not_overwritten(
        self, model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def meddle(*args: object) -> None:
            shutil.copyfile(model, model.with_name("copy"))
            os.utime(model, ns=(1, 1))

        monkeypatch.setattr("modellint.fixing.proof.Proof.go_on", meddle)
        fixes = fix_file(model, "model.onnx", PLAN, Wanted(), Destination())
        assert fixes.problem == "it has changed in the meantime"
        assert len(ops(model)) == 2

    def test_the_report_says_what_was_fixed_and_how_it_was_proved(self, tmp_path: Path) -> None:
        folder = project(tmp_path, {"model.onnx": MODEL})
        rules = ("--select", "HYG001,HYG004", "--isolated")
        plan = run_cli("check", "model.onnx", "--diff", *rules, cwd=folder)
        assert plan.exit_code == 1
        assert "- Identity  same    x → a" in plan.stdout
        assert "Would fix 2 findings in 1 model." in plan.stdout
        told = run_cli("check", "model.onnx", *rules, cwd=folder).stdout
        assert "`--fix` may fix 2 of them" in told
        done = run_cli("check", "model.onnx", "--fix", "-o", "json", *rules, cwd=folder)
        (fixes,) = json.loads(done.stdout)["fixes"]
        assert [each["code"] for each in fixes["fixed"]] == ["HYG001", "HYG004"]
        assert fixes["proof"].startswith("run in ONNX Runtime on 2 random inputs")
        assert run_cli("check", "model.onnx", "--diff", *rules, cwd=folder).exit_code == 0

    def test_fixed_models_of_a_folder_go_where_they_are_wanted(self, tmp_path: Path) -> None:
        folder = project(tmp_path, {"a/model.onnx": MODEL, "good.onnx": GOOD})
        (folder / "weights.gguf").write_bytes(b"GGUF")
        args = ("check", ".", "--fix-to", "out", "-o", "json", "--select", "HYG001,HYG004")
        done = run_cli(*args, "--isolated", cwd=folder)
        tried = {each["path"] for each in json.loads(done.stdout)["fixes"]}
        assert tried == {"a/model.onnx", "good.onnx"}
        assert ops(folder / "out" / "a" / "model.onnx") == CLEAN
        assert len(ops(folder / "a" / "model.onnx")) == 2
        assert not (folder / "out" / "good.onnx").exists()

    def test_what_other_options_would_fix_is_named(self) -> None:
        result = run_cli("check", EXAMPLES / "qat_residual.onnx", "-t", "a10", "--diff")
        assert (
            "Nothing to fix with these options: QNT111 with --unsafe-fixes; DYN003" in result.stdout
        )

    def test_standard_input_cannot_be_fixed(self, model: Path) -> None:
        result = run_cli("check", "-", "--fix", stdin=model.read_bytes())
        failed(result, "standard input cannot be fixed")

    def test_optimize_writes_a_new_file_and_tells_what_is_gained(self, tmp_path: Path) -> None:
        folder = project(tmp_path, {"model.onnx": MODEL})
        args = ("optimize", "model.onnx", "-o", "new.onnx", "--select", "HYG", "--isolated")
        done = run_cli(*args, cwd=folder)
        assert done.exit_code == 0, done
        assert "nodes" in done.stdout
        assert (ops(folder / "new.onnx"), len(ops(folder / "model.onnx"))) == (CLEAN, 2)
        failed(run_cli(*args, cwd=folder), "new.onnx exists; to overwrite it, name it")
        os.mkfifo(folder / "pipe.onnx")
        onto_pipe = ("optimize", "model.onnx", "-o", "pipe.onnx", "--force")
        failed(run_cli(*onto_pipe, cwd=folder), "pipe.onnx is a pipe; name a file")
        same = run_cli("optimize", "model.onnx", "-o", "model.onnx", cwd=folder)
        assert (same.exit_code, "is the model itself" in same.stderr) == (2, True)

    def test_optimize_moves_weights_out_of_the_model_apart_and_in(self, tmp_path: Path) -> None:
        weights = {f"w{n}": np.full((32, 40), n + 1, np.float32) for n in range(3)}
        proto = onnx.parser.parse_model(CHAIN)
        proto.graph.initializer.extend(
            numpy_helper.from_array(array, name) for name, array in weights.items()
        )
        stored = proto.graph.initializer[2]  # as a field of its type, which has the same bytes
        stored.ClearField("raw_data")
        stored.float_data.extend(weights["w2"].ravel().tolist())
        onnx.save(proto, tmp_path / "model.onnx")

        def moved(source: str, to: str, layout: str) -> tuple[str, list[str]]:
            args = ("optimize", source, "-o", to, "--external-data", layout, "--select", "HYG001")
            done = run_cli(*args, "--isolated", "--json", cwd=tmp_path)
            told = json.loads(done.stdout) if done.stdout else {}
            return told.get("problem") or done.stderr, told.get("data_files", [])

        assert moved("model.onnx", "one.onnx", "one-file") == ("", ["one.onnx.data"])
        names = ["split.onnx_data_1", "split.onnx_data_2"]
        assert moved("one.onnx", "split.onnx", "split=12KB") == ("", names)
        assert moved("split.onnx", "in.onnx", "embedded") == ("", [])
        assert moved("split.onnx", "same.onnx", "split=12KB") == ("", []), "nothing to be moved"
        for name in ("one", "split", "in", "same"):
            found = onnx.load(tmp_path / f"{name}.onnx").graph.initializer
            arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in found}
            assert all(np.array_equal(arrays[key], weights[key]) for key in weights), name
        for tensor in onnx.load(tmp_path / "one.onnx", load_external_data=False).graph.initializer:
            assert int(tensor.external_data[1].value) % 64 == 0
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        problem, _ = moved("in.onnx", "one.onnx", "one-file")
        assert "exists" in problem
        (tmp_path / "new.onnx.data").touch()
        problem, _ = moved("in.onnx", "new.onnx", "one-file")
        assert "never overwritten" in problem
        (tmp_path / "new.onnx.data").unlink()
        problem, _ = moved("in.onnx", "new.onnx", "folder")
        assert "split=SIZE" in problem
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before

    def test_optimize_records_what_is_known_of_shapes(self, tmp_path: Path) -> None:
        folder = project(tmp_path, {"model.onnx": OPEN})
        args = ("optimize", "model.onnx", "-o", "new.onnx", "--record-shapes", "--isolated")
        done = run_cli(*args, "--select", "HYG001", cwd=folder)
        assert "recorded 3 shapes" in done.stdout, done
        stated = onnx.load(folder / "new.onnx").graph.value_info
        assert {
            info.name: [d.dim_param or d.dim_value for d in info.type.tensor_type.shape.dim]
            for info in stated
        } == {"a": ["N", 4], "b": [0, 4], "c": [4, "N"]}, "what depends on numbers stays open"

    @pytest.mark.parametrize("location", ["../outside", "missing", "link"])
    def test_external_data_that_is_not_read_is_not_moved(
        self, location: str, tmp_path: Path
    ) -> None:
        (tmp_path / "outside").write_bytes(bytes(16))
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "link").symlink_to(tmp_path / "outside")
        proto = onnx.parser.parse_model(MODEL)
        tensor = proto.graph.initializer[0]
        tensor.ClearField("float_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
        (folder / "model.onnx").write_bytes(proto.SerializeToString())
        args = ("optimize", "model.onnx", "-o", "new.onnx", "--external-data", "embedded")
        done = run_cli(*args, "--select", "HYG001", "--isolated", cwd=folder)
        assert "is missing, or not to be read" in " ".join(done.stdout.split())
        assert not (folder / "new.onnx").exists()

    @pytest.mark.skipif(sys.platform != "linux", reason="not all systems keep holes")
    def test_holes_of_sparse_data_stay_holes(self, tmp_path: Path) -> None:
        source, to = tmp_path / "source", tmp_path / "to"
        with source.open("wb") as file:
            file.truncate(1 << 30)
            file.seek(1 << 29)
            file.write(b"here")
        with open_regular(source) as file:
            window = FileWindow(file, 1 << 30)
            write_pieces([b"head", Copied(window, 0, 1 << 30)], to)
        status = to.stat()
        assert status.st_size == 4 + (1 << 30)
        assert status.st_blocks * 512 < 1 << 20
        with to.open("rb") as copied:
            assert copied.read(5) == b"head\0"
            copied.seek(4 + (1 << 29))
            assert copied.read(5) == b"here\0"


KILLED_AT_EACH_STEP = """
import os, signal, sys
from pathlib import Path
from modellint.base.files import open_regular
from modellint.fixing.files import Destination, put
from modellint.formats import read_model
draft, path = Path(sys.argv[1]), Path(sys.argv[2])
old, new = path.read_bytes(), draft.read_bytes()
model = read_model(path)
def write(point):
    left = point
    def count(event, args):
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)
    try:
        put(draft, model, Destination())
    finally:
        os._exit(0)
found, point, ended = [], 0, 1
while ended:
    point += 1
    path.write_bytes(old)
    draft.write_bytes(new)
    child = os.fork()
    if not child:
        write(point)
    ended = os.waitpid(child, 0)[1]
    found.append(path.read_bytes())
print(point, set(found) == {old, new}, found[0] == old, found[-1] == new)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows")
def test_killed_at_any_step_of_writing_the_old_or_the_new_file_is_there(
    model: Path, tmp_path: Path
) -> None:
    draft = save(MODEL.replace("unused", "other"), tmp_path / "draft.onnx")
    command = [sys.executable, "-c", KILLED_AT_EACH_STEP, str(draft), str(model)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE, text=True)
    steps, *verdicts = done.stdout.split()
    assert int(steps) > 5
    assert verdicts == ["True", "True", "True"]


def test_the_next_run_removes_what_a_killed_one_has_left(model: Path, tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir()
    gone = own_draft().replace(f"-{os.getpid()}-", f"-{1 << 30}-")  # no process has such a number
    for home in (model.parent, others):
        (home / f"{gone}new{ENDING}").write_bytes(b"half")
        (home / f"{gone}data{ENDING}").write_bytes(b"half")
    fixes = fix_file(model, model.name, PLAN, Wanted(), Destination(file=others / "m.onnx"))
    assert fixes.written
    assert [each.name for each in others.iterdir()] == ["m.onnx"]
    assert fix_file(model, model.name, PLAN, Wanted(), Destination()).written
    assert not list(model.parent.glob(f"{DRAFT}*"))


def test_drafts_of_another_container_stay_for_a_day(model: Path) -> None:
    """A process has no way to ask whether those of another container live."""
    old, new = (model.parent / f"{DRAFT}12345678-7-{each}{ENDING}" for each in ("old", "new"))
    for each in (old, new):
        each.write_bytes(b"half")
    os.utime(old, times=(0, time.time() - 2 * DAY))
    assert fix_file(model, model.name, PLAN, Wanted(), Destination()).written
    assert new.exists()
    assert not old.exists()


def test_folders_of_others_with_such_an_ending_stay(model: Path) -> None:
    kept = model.parent / f"{DRAFT}back{STAGE}"
    kept.mkdir()
    os.utime(kept, times=(0, 0))
    assert fix_file(model, model.name, PLAN, Wanted(), Destination()).written
    assert kept.exists()


SEEN_AT_EACH_STEP = """
import sys
from pathlib import Path
path = Path(sys.argv[1])
seen, looking = [], False
def look(event, args):
    global looking
    if not looking:
        looking = True
        seen.append(path.read_bytes())
        looking = False
from modellint.cli import main
sys.argv = ["modellint", "check", str(path), "--fix", "--select", "HYG001,HYG004", "--isolated"]
old = path.read_bytes()
sys.addaudithook(look)
try:
    main()
finally:
    looking = True
    new = path.read_bytes()
    print(len(seen), set(seen) == {old, new}, old != new, file=sys.stderr)
"""


def test_whatever_the_program_does_the_old_or_the_new_file_is_there(model: Path) -> None:
    """To be killed leaves what is there at that moment, so it is looked at before each step."""
    command = [sys.executable, "-c", SEEN_AT_EACH_STEP, str(model)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE, text=True)
    steps, *verdicts = done.stderr.split()
    assert int(steps) > 100
    assert verdicts == ["True", "True"], done.stdout
