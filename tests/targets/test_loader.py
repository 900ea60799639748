"""Finding devices: by id, alias, name and group, in our folder and in the user's."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from modellint.base.errors import ModellintError
from modellint.targets import (
    TargetFileError,
    UnknownTarget,
    expand_targets,
    filter_targets,
    find_target,
    load_targets,
    target_groups,
    target_ids,
)

MINE = """
name = "My board"
vendor = "acme"
runtime = "onnxruntime"
aliases = ["Acme One"]
groups = ["desk"]

[memory]
nominal = "4 GiB"
source = "https://acme.example/board"
confidence = "theoretical"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my-board.toml").write_text(MINE)
    return tmp_path


def refused(folder: Path, text: str) -> str:
    """The message about a broken file, which must name it."""
    (folder / "my-board.toml").write_text(text)
    with pytest.raises(TargetFileError) as caught:
        find_target("my-board", [folder])
    message = str(caught.value)
    assert "my-board.toml" in message
    return message


@pytest.mark.parametrize(
    ("name", "target_id"),
    [
        ("a10", "a10"),
        ("A10", "a10"),
        ("NVIDIA A10", "a10"),
        ("Tesla T4", "t4"),
        ("rtx4090", "rtx-4090"),
        ("RTX_4090", "rtx-4090"),
        ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("agx-orin", "jetson-agx-orin-64gb"),
    ],
)
def test_a_target_is_found_however_it_is_spelled(name: str, target_id: str) -> None:
    assert find_target(name).id == target_id


@pytest.mark.parametrize(
    ("name", "target_id"),
    [
        ("NVIDIA A100-SXM4-80GB", "a100-80gb"),
        ("NVIDIA A100 80GB PCIe", "a100-80gb-pcie"),
        ("Tesla V100-SXM2-32GB", "v100-32gb"),
        ("NVIDIA GH200 480GB", "gh200-96gb"),
        ("NVIDIA GB10", "dgx-spark"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx-6000-ada"),
        ("NVIDIA Jetson AGX Thor Developer Kit", "jetson-agx-thor"),
        ("Raspberry Pi 5 Model B Rev 1.0", "raspberry-pi-5"),
        ("Apple M3 Max", "apple-m3-max"),
    ],
)
def test_a_target_is_found_by_what_drivers_call_it(name: str, target_id: str) -> None:
    assert find_target(name).id == target_id


def test_the_a10_is_not_the_a10g() -> None:
    a10, a10g = find_target("a10"), find_target("a10g")
    assert a10.memory.nominal == 24 * 1024**3
    assert a10.memory.bandwidth == 600e9
    assert a10.compute_capability == (8, 6)
    assert a10.default_runtime == "tensorrt"
    assert not a10.is_unified_memory
    assert (a10.peak("fp16"), a10.peak("int8")) == (125e12, 250e12)
    assert (a10g.peak("fp16"), a10g.peak("int8")) == (70e12, 140e12)
    assert a10.peak("fp8") is None
    assert not a10.supports("fp8")
    assert a10.supports("fp32")
    assert not a10.accelerates("fp32")
    assert a10.accelerates("int8")
    assert a10.lacks("fp8")
    assert not a10.lacks("int8")
    assert a10.overhead() == a10.overhead("tensorrt") == a10.overhead("tensorrt-rtx")
    assert a10.overhead("openvino") is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("a1O", "a10"),
        ("rtx-409", "rtx-4090"),
        ("h100", "h100-sxm"),
        ("a100", "a100-80gb"),
        ("jetsn", "jetson"),
    ],
)
def test_an_unknown_target_suggests_what_was_meant(typed: str, meant: str) -> None:
    with pytest.raises(UnknownTarget) as caught:
        find_target(typed)
    assert meant in caught.value.suggestions
    assert repr(meant) in str(caught.value)
    assert isinstance(caught.value, ModellintError)


def test_nonsense_suggests_nothing() -> None:
    with pytest.raises(
        UnknownTarget, match=r"^unknown target 'qqqqqqqq'; see 'modellint targets'$"
    ):
        find_target("qqqqqqqq")


def test_a_target_survives_a_trip_to_another_process() -> None:
    target = find_target("a10")
    assert pickle.loads(pickle.dumps(target)) == target
    assert hash(target) == hash(find_target("a10"))


def test_all_is_every_target() -> None:
    assert expand_targets(["all"]) == load_targets()
    assert [target.id for target in load_targets()] == target_ids()


def test_groups_vendors_and_ids_expand_without_repeats() -> None:
    ids = [target.id for target in expand_targets(["a10", "nvidia-datacenter", "Jetson", "A10"])]
    assert ids[0] == "a10"
    assert len(ids) == len(set(ids))
    assert {"h100-sxm", "jetson-agx-orin-64gb"} <= set(ids)
    assert "rtx-4090" not in ids
    assert set(target_groups()["nvidia"]) >= set(ids)


def test_an_unknown_group_is_an_unknown_target() -> None:
    with pytest.raises(UnknownTarget, match="nvidia-datacenter"):
        expand_targets(["nvidia-datacentre"])


def test_filters() -> None:
    ids = {
        target.id
        for target in filter_targets(
            load_targets(), min_memory=24 * 10**9, vendor="NVIDIA", supports="fp8"
        )
    }
    assert {"l4", "h100-sxm", "rtx-4090"} <= ids
    assert not {"a10", "t4"} & ids
    assert filter_targets(load_targets(), supports=["fp8", "fp64"], min_memory=10**15) == []


def test_a_users_folder_adds_a_target(folder: Path) -> None:
    mine = find_target("acme one", [folder])
    assert mine.id == "my-board"
    assert not mine.lacks("fp8"), "nothing is said of precisions"
    assert find_target("a10", [folder]).id == "a10"
    assert [target.id for target in expand_targets(["desk"], [folder])] == ["my-board"]
    with pytest.raises(UnknownTarget):
        find_target("my-board")


def test_a_users_file_replaces_ours(folder: Path) -> None:
    (folder / "a10.toml").write_text(MINE.replace("Acme One", "Acme Ten"))
    assert find_target("a10", [folder]).vendor == "acme"
    assert len(target_ids([folder])) == len(target_ids()) + 1


def test_a_users_file_extends_its_namesake(folder: Path) -> None:
    (folder / "a10.toml").write_text(
        'extends = "a10"\n[usable]\nsize = "12 GiB"\n'
        'source = "https://acme.example/quota"\nconfidence = "measured"\n'
    )
    ours, theirs = find_target("a10"), find_target("NVIDIA A10", [folder])
    assert theirs.memory.usable == 12 * 1024**3
    assert theirs.rates == ours.rates


def test_extending_another_target_keeps_the_names_apart(folder: Path) -> None:
    (folder / "half-a10.toml").write_text('extends = "a10"\nname = "Half an A10"\n')
    assert find_target("half an a10", [folder]).rates == find_target("a10").rates
    assert find_target("NVIDIA A10", [folder]).id == "a10"


def test_broken_extensions_are_named(folder: Path) -> None:
    assert "extends 'nothing'" in refused(folder, 'extends = "nothing"')
    assert "extends 'my-board'" in refused(folder, 'extends = "my-board"')
    (folder / "other.toml").write_text('extends = "my-board"')
    (folder / "my-board.toml").write_text('extends = "other"')
    with pytest.raises(TargetFileError, match="extends itself"):
        find_target("my-board", [folder])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("nominal", "nomnal"), "memory.nomnal: unknown key; did you mean 'nominal'?"),
        (("runtime", "runtimes"), "did you mean 'runtime'?"),
        (('"4 GiB"', "4"), "memory.nominal: write 4 as a string with a unit"),
        (('"4 GiB"', '"4 apples"'), "memory.nominal: invalid size '4 apples'"),
        (('"theoretical"', '"certain"'), "memory.confidence"),
        (('source = "https://acme.example/board"', ""), "memory.source"),
        (("[memory]", "[memory"), "line"),
        (('"onnxruntime"', '"onnxruntime"\ncompute_capability = "8.6.1"'), "compute_capability"),
    ],
)
def test_a_mistake_names_the_key_and_the_remedy(
    folder: Path, change: tuple[str, str], message: str
) -> None:
    assert message in refused(folder, MINE.replace(*change))


FIGURES = 'source = "https://acme.example"\nconfidence = "theoretical"\n'


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (f'[usable]\nsize = "5 GiB"\n{FIGURES}', "usable.size is above memory.nominal"),
        (f"[peak]\nfp16 = 1\n{FIGURES}", "fp16, which [precisions] does not list"),
        (
            f'[precisions]\nmatrix = ["int8"]\nvector = ["int8"]\n{FIGURES}',
            "int8 is already listed in matrix",
        ),
        (
            f'[overhead.onnxruntime]\nlow = "2 MiB"\nhigh = "1 MiB"\n{FIGURES}',
            "low is above high",
        ),
    ],
)
def test_impossible_figures_are_refused(folder: Path, more: str, message: str) -> None:
    assert message in refused(folder, MINE + more)


@pytest.mark.parametrize("name", ["My_Board", "all", "host"])
def test_a_file_name_that_cannot_be_an_id_is_refused(folder: Path, name: str) -> None:
    (folder / f"{name}.toml").write_text(MINE)
    with pytest.raises(TargetFileError, match=name):
        load_targets([folder])


def test_two_files_of_one_id_are_refused(folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "my-board.toml").write_text(MINE)
    with pytest.raises(TargetFileError, match="the same id"):
        load_targets([folder])


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TargetFileError, match="nowhere does not exist"):
        load_targets([tmp_path / "nowhere"])


def test_pydantic_waits_until_a_file_is_read() -> None:
    script = "import sys, modellint.targets; print('pydantic' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
