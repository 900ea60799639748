"""The cache is not trusted, and deletes nothing but what it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modellint.base.errors import UsageError
from modellint.base.store import INSIDE, MARK, Store, _packed
from modellint.cache import RACY_NS
from modellint.checks.resolve import resolve_check
from modellint.rules.registry import load_rules
from tests.samples import ERROR, INFO, RULES, project
from tests.support import PATIENCE, CliResult, run_process

posix = pytest.mark.skipif(sys.platform == "win32", reason="no such files or permissions there")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path / "models", {"info.onnx": INFO, "error.onnx": ERROR})


def run(folder: Path, *options: str | Path, **environment: str) -> CliResult:
    return run_process(".", *RULES, "-o", "concise", *options, cwd=folder, env=environment)


def entries_of(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*.json") if path.is_file()]


def _truncated(entry: Path) -> None:
    entry.write_bytes(entry.read_bytes()[:-20])


def _edited(entry: Path) -> None:
    entry.write_bytes(entry.read_bytes().replace(b"HYG005", b"HYG999").replace(b"1", b"2"))


def _empty_list(entry: Path) -> None:
    entry.write_text("[]")


def _valid_nonsense(entry: Path) -> None:
    """Write nonsense that only someone who knows the format of entries can write."""
    entry.write_bytes(_packed(_nonsense(json.loads(entry.read_text())["content"])))


def _nonsense(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _nonsense(each) for key, each in content.items()}
    if isinstance(content, list):
        return [_nonsense(each) for each in content]
    return [content, {"\x1b[31m": 1e300}]


def _deep(entry: Path) -> None:
    content = b"[" * 100_000 + b"]" * 100_000
    entry.write_bytes(_packed([]).replace(b"[]", content))


def _pipe(entry: Path) -> None:
    entry.unlink()
    os.mkfifo(entry)


def _endless(entry: Path) -> None:
    entry.unlink()
    entry.symlink_to("/dev/zero")


def _huge(entry: Path) -> None:
    os.truncate(entry, 1 << 40)


def _folder(entry: Path) -> None:
    entry.unlink()
    entry.mkdir()


def _looping(entry: Path) -> None:
    entry.unlink()
    entry.symlink_to(entry)


@posix
@pytest.mark.parametrize(
    "damage",
    [
        _truncated,
        _edited,
        _empty_list,
        _valid_nonsense,
        _deep,
        _pipe,
        _endless,
        _huge,
        _folder,
        _looping,
    ],
)
def test_a_tampered_cache_counts_as_absent(
    folder: Path, isolated: Path, damage: Callable[[Path], None]
) -> None:
    project(folder, {"modellint.toml": 'targets = ["a10"]'})
    first = run(folder)
    for entry in entries_of(isolated):
        damage(entry)
    again = run(folder)
    assert (again.exit_code, again.stdout) == (first.exit_code, first.stdout) != (0, "")


def _rules(isolated: Path) -> tuple[Path, list[dict[str, Any]]]:
    load_rules.__globals__["_built_in"].cache_clear()
    load_rules(examples=False)
    (index,) = isolated.glob("rules-*.json")
    return index, json.loads(index.read_text())["content"]


def test_a_forged_list_of_rules_disables_none(folder: Path, isolated: Path) -> None:
    index, tables = _rules(isolated)
    first = run(folder, "--no-cache")
    assert first.exit_code == 1
    for forged in ([], tables[:5], [*tables, {**tables[0], "code": "ABC001"}]):
        index.write_bytes(_packed(forged))
        assert run(folder, "--no-cache") == first


def test_a_forged_check_is_not_imported(folder: Path, isolated: Path, tmp_path: Path) -> None:
    index, tables = _rules(isolated)
    project(tmp_path, {"evil.py": f"open({str(tmp_path / 'ran')!r}, 'w')\ndef f(c): return []"})
    for table in tables:
        if "check" in table and table["check"] != "engine":
            table["check"] = "evil:f"
    index.write_bytes(_packed(tables))
    result = run(folder, "--no-cache", PYTHONPATH=str(tmp_path))
    assert result.exit_code == 1
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("check", ["os:getcwd", "os.getcwd", "..os.getcwd", "engine", ""])
def test_a_check_is_ours_or_a_plugin_s(check: str) -> None:
    from dataclasses import replace

    rule = replace(load_rules()["HYG005"], match=(), check=check, file="x.toml")
    with pytest.raises(UsageError):
        resolve_check(rule)


@posix
@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_folder_that_others_can_write_to_is_not_used(
    folder: Path, tmp_path: Path, mode: int
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    for _ in range(2):
        assert run(folder, MODELLINT_CACHE_DIR=str(shared)).exit_code == 1
    assert [path.name for path in shared.iterdir()] == [INSIDE]
    assert (shared / INSIDE).stat().st_mode & 0o777 == 0o700
    (shared / INSIDE).chmod(mode)
    (index,) = (shared / INSIDE).glob("rules-*.json")
    index.write_bytes(_packed([]))
    assert run(folder, MODELLINT_CACHE_DIR=str(shared)).exit_code == 1
    assert index.read_bytes() == _packed([])


@posix
def test_an_entry_that_others_can_write_is_absent(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache", "lint")
    store.save("key", 1)
    assert store.load("key") == 1
    store.path("key").chmod(0o666)
    assert store.load("key") is None


def test_files_of_others_are_never_deleted(folder: Path, tmp_path: Path) -> None:
    """Whatever they are called, and however old."""
    names = ["rules-mine.json", "rule-examples-x.json", "lint/en/s.json", "targets/a10.json"]
    mine = project(tmp_path / "mine", dict.fromkeys(names, "{}"))
    for name in names:
        os.utime(mine / name, (0, 0))
    for _ in range(2):
        run(folder, MODELLINT_CACHE_DIR=str(mine))
    run(folder, "--cache-dir", mine)
    assert {name: (mine / name).read_text() for name in names} == dict.fromkeys(names, "{}")
    assert len(list((mine / INSIDE / "lint").glob("*/*.json"))) >= 2


def test_a_project_as_cache_loses_nothing(folder: Path) -> None:
    project(folder, {"modellint.toml": 'cache-dir = "."', "lint/en/s.json": "{}"})
    os.utime(folder / "lint/en/s.json", (0, 0))
    run(folder)
    assert (folder / "lint/en/s.json").read_text() == "{}"


def test_files_without_our_mark_stay_even_in_our_folder(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache", "lint")
    store.save("a" * 64, 1)
    foreign = store.path("a" * 64).with_name("mine.json")
    foreign.write_text("{}")
    draft = foreign.with_name(".modellint-1-2")
    draft.write_bytes(store.path("a" * 64).read_bytes())
    for path in (foreign, draft, store.path("a" * 64)):
        os.utime(path, (0, 0))
    store.prune(0, 0)
    assert foreign.exists()
    assert not draft.exists()
    assert not store.path("a" * 64).exists()


@posix
def test_a_link_inside_leads_nowhere(tmp_path: Path) -> None:
    outside = Store(tmp_path / "outside", "lint")
    outside.save("a" * 64, 1)
    cache = tmp_path / "cache"
    Store(cache).claim()
    (cache / "lint").symlink_to(tmp_path / "outside/lint")
    store = Store(cache, "lint")
    assert not store.save("b" * 64, 2)
    store.prune(0, 0)
    assert outside.load("a" * 64) == 1
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (cache / "entry.json").symlink_to(precious)
    assert Store(cache).save("entry", 3)
    assert precious.read_text() == "mine"


def test_the_folder_says_whose_it_is(folder: Path, isolated: Path) -> None:
    run(folder)
    assert "modellint" in (isolated / MARK).read_text()


@posix
def test_an_edit_of_the_same_size_and_time_is_seen(folder: Path) -> None:
    path = folder / "info.onnx"
    old = time.time() - 3600
    os.utime(path, (old, old))
    time.sleep(RACY_NS / 1e9 + 0.1)
    first = run(folder)
    assert "HYG005" in first.stdout
    data, inode = path.read_bytes(), path.stat().st_ino
    with path.open("r+b") as file:
        file.write(bytes(len(data)))
    os.utime(path, (old, old))
    assert path.stat().st_ino == inode
    assert run(folder).stdout != first.stdout


def test_a_number_too_long_for_json_is_not_kept(tmp_path: Path) -> None:
    assert not Store(tmp_path / "cache").save("key", 10**5000)


def test_a_cache_that_disappears_only_costs_time(
    folder: Path, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(isolated, "lint")
    store.save("a" * 64, 1)

    def gone(path: Path) -> Any:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "iterdir", gone)
    store.prune(0, 0)
    assert store.load("a" * 64) == 1


@posix
def test_runs_at_once_make_one_cache(folder: Path, tmp_path: Path) -> None:
    """Whichever creates the folder first, the others find it theirs."""
    environment = {**os.environ, "MODELLINT_CACHE_DIR": str(tmp_path / "new" / "cache")}
    command = [sys.executable, "-m", "modellint", ".", *RULES, "-o", "concise"]
    running = [
        subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE)
        for _ in range(8)
    ]
    said = {process.communicate(timeout=PATIENCE)[0] for process in running}
    assert {process.returncode for process in running} == {1}
    assert len(said) == 1
    assert not (tmp_path / "new/cache" / INSIDE).exists()
    assert (tmp_path / "new/cache" / MARK).is_file()
