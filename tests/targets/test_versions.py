"""The version of a runtime that a deployment has, and the tables that hold for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from modellint.base.data import read_toml
from modellint.base.errors import UsageError
from modellint.config.load import Config
from modellint.config.settings import Settings
from modellint.planning.setup import make_setup
from modellint.runtimes import runtimes
from modellint.runtimes.support import support
from modellint.runtimes.versions import (
    find_table,
    full_version,
    is_known,
    neighbours,
    newest_version,
    releases,
)
from tests.support import ROOT

TABLES = sorted((ROOT / "src" / "modellint" / "runtimes").glob("*/*-*.toml"))


def deployed(overrides: tuple[str, ...] = (), **settings: object) -> list[tuple[object, ...]]:
    given = {name: settings[name] for name in overrides}
    config = Config(Settings(**settings), Path(), overrides=given)  # type: ignore[arg-type]
    found = make_setup(config).plan.deployments
    return [(each.target_id, each.runtime, each.runtime_version) for each in found]


@pytest.mark.parametrize("path", TABLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_table_is_named_after_a_version_and_states_its_source(path: Path) -> None:
    assert re.fullmatch(r"[a-z]+-\d+(\.\d+)*", path.stem)
    if path.stem.startswith("release"):
        table = read_toml(path)
        assert table["source"].startswith("https://")
        assert table["confidence"] in ("measured", "derived", "theoretical")


def test_releases_are_ordered_as_numbers() -> None:
    known = [each.version for each in releases("tensorrt")]
    assert known.index("11.0") < known.index("10.15") < known.index("8.2")
    assert newest_version("tensorrt") == known[0]
    assert newest_version("no-such-runtime") is None


def test_a_version_without_a_table_gets_that_of_the_nearest_older_one() -> None:
    def version(wanted: str | None) -> str:
        table = find_table("onnxruntime", "release", wanted)
        assert table is not None
        return table.version

    assert version("1.31.0") == version("1.31.9") == "1.31"
    assert version("0.1") == releases("onnxruntime")[-1].version
    assert version("99") == version(None) == releases("onnxruntime")[0].version


def test_a_release_is_between_its_neighbours() -> None:
    older, newer = neighbours("onnxruntime", "1.32.1", "opset")
    assert older is newer is not None
    older, newer = neighbours("onnxruntime", "999.0", "ir")
    assert older is not None
    assert newer is None


def test_an_old_table_gets_what_later_releases_added() -> None:
    before, after = support("tensorrt", "10.15"), support("tensorrt", "11.0")
    assert before is not None
    assert after is not None
    assert before.takes("Swish") is not True
    assert after.takes("Swish") is True


def test_a_new_table_lacks_what_a_later_release_added() -> None:
    table = support("tensorrt", "10.3")
    assert table is not None
    assert table.takes("Attention") is False
    assert table.takes("Relu") is True


def test_with_a_dla_the_default_is_the_newest_version_that_supports_it() -> None:
    def version(target: str) -> object:
        ((_, _, version),) = deployed(targets=(target,), dla=True)
        return version

    assert version("jetson-agx-orin-64gb") == "11.4.1"
    assert version("jetson-orin-nx-16gb") == "10.7"
    assert version("jetson-agx-xavier") == "8.5"


def test_a_version_above_all_known_ones_is_not_known() -> None:
    newest = newest_version("tensorrt")
    assert newest is not None
    assert is_known("tensorrt", newest)
    assert is_known("tensorrt", f"{newest}.9")
    assert not is_known("tensorrt", "999.0")
    assert is_known("coreml", "999.0")  # of which nothing is known anyway


def test_a_major_version_is_its_newest_release() -> None:
    assert full_version("tensorrt", "8") == "8.6"
    assert full_version("tensorrt", "8.2") == "8.2"
    assert full_version("tensorrt", "99") == "99"


def test_the_default_is_the_newest_version_that_runs_on_the_target() -> None:
    newest = newest_version("tensorrt")
    assert deployed(targets=("a10",)) == [("a10", "tensorrt", newest)]
    assert deployed(runtime="tensorrt") == [(None, "tensorrt", newest)]
    assert deployed(targets=("v100-16gb",)) == [("v100-16gb", "tensorrt", "10.4")]
    orin = "jetson-orin-nano-8gb"
    assert deployed(targets=(orin,)) == [(orin, "tensorrt", "10.16")]
    assert deployed(runtime="coreml") == [(None, "coreml", None)]
    assert deployed() == [(None, None, None)]


def test_the_version_may_be_stated_after_the_runtime_or_apart() -> None:
    expected = [("a10", "tensorrt", "10.3")]
    assert deployed(targets=("a10",), runtime="tensorrt==10.3") == expected
    assert deployed(targets=("a10",), runtime="tensorrt", runtime_version="10.3") == expected
    assert deployed(targets=("a10",), runtime_version="10.3") == expected


def test_a_version_in_the_file_belongs_to_the_runtime_in_the_file() -> None:
    named = deployed(("runtime",), runtime="onnxruntime", runtime_version="10.3")
    assert named == [(None, "onnxruntime", newest_version("onnxruntime"))]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"runtime": "tensorrt==new"}, "'new' is not a version"),
        ({"runtime": "tensorrt", "runtime_version": "10.x"}, "'10.x' is not a version"),
        ({"runtime": "tensorrt==1" + "0" * 999}, "is not a version"),
        ({"runtime": "tensort==10.3"}, "unknown runtime 'tensort'"),
        ({"runtime": "tensorrt==10.3", "runtime_version": "11.0"}, "already names version 10.3"),
        ({"runtime_version": "10.3"}, "give the runtime"),
        ({"targets": ("a10", "raspberry-pi-5"), "runtime_version": "10.3"}, "give the runtime"),
    ],
)
def test_a_mistake_in_a_version_is_explained(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        deployed((), **settings)


def test_every_runtime_with_measured_tables_has_releases() -> None:
    for runtime in runtimes():
        table = support(runtime)  # Core ML's and NNAPI's is a list of ONNX Runtime's
        assert table is None or not table.measured or releases(runtime), runtime
