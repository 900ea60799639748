"""A child may crash, hang, eat all memory or print nonsense: each is recognized and cleaned up."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from modellint.probes.outcome import Figures, Outcome, from_json, to_json
from modellint.probes.runner import Ended, Limits, run_child
from modellint.runtimes.probe import Remark

ANSWER = "import json, pathlib; pathlib.Path('answer.json').write_text(json.dumps({'n': 1}))"
posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
linux = pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files, which must be empty again after each test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def run(code: str, seconds: float = 20, memory: int | None = None) -> Ended:
    return run_child([sys.executable, "-c", code], {"question": 1}, Limits(seconds, memory))


def test_an_answer_comes_back(temporary: Path) -> None:
    echo = (
        "import json, pathlib, sys\n"
        "pathlib.Path('answer.json').write_text(json.dumps({'heard': json.load(sys.stdin)}))"
    )
    ended = run(echo)
    assert ended.answer == {"heard": {"question": 1}}
    assert ended.death is None
    assert not list(temporary.iterdir())


@posix
@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGFPE", "SIGILL"])
def test_a_crash_is_known_by_its_signal(name: str, temporary: Path) -> None:
    ended = run(f"import os, signal; os.kill(os.getpid(), signal.{name})")
    assert ended.death == "crashed"
    assert f"native code crashed with {name}" in ended.detail
    assert not list(temporary.iterdir())


@posix
def test_native_code_that_crashes() -> None:
    ended = run("import ctypes; print('about to fall', flush=True); ctypes.string_at(0)")
    assert ended.death == "crashed"
    assert "last output: about to fall" in ended.detail


def test_a_hang_ends_in_time(temporary: Path) -> None:
    ended = run("while True: pass", seconds=0.5)
    assert ended.death == "hung"
    assert "0.5 s" in ended.detail
    assert not list(temporary.iterdir())


@linux
def test_too_much_memory_ends_the_child() -> None:
    ended = run("a = [bytearray(b'x' * (8 << 20)) for _ in range(10000)]", memory=200 << 20)
    assert ended.death == "out-of-memory"
    assert "the limit is 200 MiB" in ended.detail
    assert ended.peak is not None
    assert ended.peak > 200 << 20


@linux
def test_mapped_files_are_not_the_childs_memory(tmp_path_factory: pytest.TempPathFactory) -> None:
    large = tmp_path_factory.mktemp("weights") / "weights.bin"
    with large.open("wb") as file:
        file.truncate(300 << 20)
    read = (
        f"import mmap; file = open({str(large)!r}, 'rb')\n"
        "sum(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)[::4096])\n"
    )
    assert run(read + ANSWER, memory=200 << 20).death is None


@posix
def test_a_child_killed_by_the_system() -> None:
    ended = run("import os; os.kill(os.getpid(), 9)")
    assert ended.death == "killed"
    assert "out of memory" in ended.detail


@pytest.mark.parametrize(
    "answer", ["", "{", "[]", "null", "\\x00\\xff", "[" * 100000, '{"status": '], ids=range(7)
)
def test_garbage_for_an_answer(answer: str) -> None:
    code = f"import pathlib; pathlib.Path('answer.json').write_bytes({answer.encode()!r})"
    assert run(code).death == "garbage"


def test_no_answer_at_all() -> None:
    ended = run("print('\\x1b[31mred\\x07')")
    assert ended.death == "garbage"
    assert "?[31mred?" in ended.detail


def test_a_flood_of_words_is_stopped(temporary: Path) -> None:
    ended = run("while True: print('x' * 100000)")
    assert ended.death == "garbage"
    assert "printed too much output" in ended.detail
    assert not list(temporary.iterdir())


def test_a_failure_says_its_last_words() -> None:
    ended = run("raise SystemExit('no such library')")
    assert ended.death == "failed"
    assert "exit code 1" in ended.detail
    assert "no such library" in ended.detail


@posix
def test_what_was_answered_before_a_crash_is_kept() -> None:
    ended = run(ANSWER + "; import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert ended.answer == {"n": 1}
    assert ended.death == "crashed"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"status": "splendid"},
        {"status": "accepted", "remarks": "none"},
        {"status": "accepted", "remarks": [{"kind": "x", "colour": "red"}]},
        {"status": "accepted", "figures": {"engine_bytes": "many"}},
        {"status": "accepted", "figures": {"legs": 4}},
        {"status": "accepted", "profiles": [1]},
    ],
    ids=range(7),
)
def test_an_answer_that_makes_no_sense_is_none(answer: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        from_json(answer)


def test_an_outcome_survives_its_json() -> None:
    outcome = Outcome(
        "refused",
        "tensorrt",
        "10.9.0",
        "a10",
        "8.6",
        "build",
        "so",
        (Remark("kind", index=3),),
        Figures(engine_bytes=7),
        {"x": ((1, 2), (1, 2), (4, 2))},
        {"CPU": 1},
        ("layer",),
    )
    assert from_json(json.loads(json.dumps(to_json(outcome)))) == outcome


@posix
def test_what_the_child_started_ends_with_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    number = tmp_path_factory.mktemp("child") / "pid"
    code = (
        "import pathlib, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(number)!r}).write_text(str(child.pid))\n"
    )
    assert run(code + ANSWER).death is None
    pid = int(number.read_text())
    for _ in range(100):
        if not _is_alive(pid):
            return
        time.sleep(0.05)
    pytest.fail("a grandchild lives on")


def _is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_a_tick_tells_the_time() -> None:
    ticks: list[float] = []
    code = f"import time; time.sleep(0.3); {ANSWER}"
    run_child([sys.executable, "-c", code], {}, Limits(20), ticks.append)
    assert ticks
    assert ticks == sorted(ticks)


def test_an_interrupt_ends_the_child(temporary: Path) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_child([sys.executable, "-c", "import time; time.sleep(60)"], {}, Limits(50), interrupt)
    assert not list(temporary.iterdir())


@linux
def test_the_child_has_no_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        call = (
            "import json, pathlib, socket\n"
            "from modellint.probes.child import without_network\n"
            "without_network()\n"
            "try:\n"
            f"    socket.create_connection(('127.0.0.1', {port}), timeout=2)\n"
            "    said = 'connected'\n"
            "except OSError:\n"
            "    said = 'no network'\n"
            "pathlib.Path('answer.json').write_text(json.dumps({'said': said}))\n"
        )
        answer = run(call).answer
    assert answer is not None
    if answer["said"] == "connected":
        pytest.skip("this system lets no process give up its network")
    assert answer["said"] == "no network"


@linux
def test_the_child_dies_with_its_parent(tmp_path_factory: pytest.TempPathFactory) -> None:
    number = tmp_path_factory.mktemp("child") / "pid"
    grandchild = (
        "import os, pathlib, sys, time\n"
        "from modellint.base.children import live_no_longer_than\n"
        "live_no_longer_than(int(sys.argv[1]))\n"
        f"pathlib.Path({str(number)!r}).write_text(str(os.getpid()))\n"
        "time.sleep(60)\n"
    )
    code = (
        "import os, pathlib, subprocess, sys, time\n"
        f"command = [sys.executable, '-c', {grandchild!r}, str(os.getpid())]\n"
        "subprocess.Popen(command, start_new_session=True)\n"
        f"number = pathlib.Path({str(number)!r})\n"
        "while not number.exists() or not number.stat().st_size: time.sleep(0.02)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert run(code).death == "killed"
    pid = int(number.read_text())
    for _ in range(100):
        if not _is_alive(pid):
            return
        time.sleep(0.05)
    pytest.fail("it outlived its parent")


SUPERVISED = (
    "import os, pathlib, signal, subprocess, sys, time\n"
    "from modellint.probes.supervisor import supervise\n"
    "supervise(int(os.environ['MODELLINT_PARENT']))\n"
)
DETACHED = """
code = "import subprocess, sys\\nsubprocess.Popen(['sleep', '60'], start_new_session=True)"
subprocess.run([sys.executable, "-S", "-c", code], start_new_session=True, check=True)
"""
"""Starts a process that leaves the group, and whose own parent has ended."""


@pytest.fixture
def sleeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program `sleep` under a name that says which test started it."""
    program = shutil.which("sleep")
    assert program is not None
    shutil.copy(program, tmp_path / "sleep")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "sleep"


def _running(program: Path) -> list[str]:
    found = []
    for each in Path("/proc").glob("[0-9]*/exe"):
        with suppress(OSError):
            if each.readlink() == program:
                found.append(each.parent.name)
    return found


@linux
@pytest.mark.parametrize(
    ("end", "death"),
    [
        (ANSWER, None),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crashed"),
        ("raise SystemExit(3)", "failed"),
        ("time.sleep(60)", "hung"),
    ],
    ids=["answers", "crashes", "fails", "hangs"],
)
def test_nothing_that_it_started_outlives_a_supervised_child(
    end: str, death: str | None, sleeper: Path
) -> None:
    assert run(SUPERVISED + DETACHED + end, seconds=1.5).death == death
    assert not _running(sleeper)


@linux
def test_nothing_that_it_started_outlives_the_parent(sleeper: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from modellint.probes.runner import Limits, run_child\n"
        f"command = [sys.executable, '-c', {SUPERVISED + DETACHED + 'time.sleep(60)'!r}]\n"
        "run_child(command, {}, Limits(60))\n"
    )
    places = sleeper.parent / "places"
    places.mkdir()
    environment = {**os.environ, "TMPDIR": str(places)}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment)
    _wait_until(lambda: len(_running(sleeper)) == 1)
    assert list(places.iterdir())
    parent.kill()
    parent.wait()
    _wait_until(lambda: not _running(sleeper))
    _wait_until(lambda: not list(places.iterdir()))


def _wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.05)
    pytest.fail("it did not come to that")
