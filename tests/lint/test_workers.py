"""Several processes: the same findings, and a process that dies takes one model with it only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import pytest

from modellint import workers
from modellint.base import children
from modellint.plan import FileReport, Plan
from modellint.results.finding import Finding
from modellint.rules.registry import load_rules
from modellint.workers import job as work
from modellint.workers import pool, run
from modellint.workers.job import Job, lint_job
from tests.samples import GOOD, INFO, RULES, codes, install, lint_json, project
from tests.support import PATIENCE, save

DEADLY = """
summary = "A Relu."
severity = "info"
message = "There is a Relu."
why = "Because."
fix = "None."
check = "deadly_checks:{check}"
"""
CHECKS = '''
"""Checks that end their process, or never end."""
import os, signal, sys, time
from pathlib import Path

def is_worker():
    return "modellint.workers.child" in sys.modules

if is_worker() and "INTERRUPT_IMPORTS" in os.environ:
    os.killpg(0, signal.SIGINT)  # as a terminal does: parent and workers alike

def kill(context):
    if "deadly" in context.model.path.name:
        os.kill(os.getpid(), signal.SIGKILL)
    return []

def hang(context):
    if is_worker():
        Path("hangs").touch()
    time.sleep(600)
    return []
'''


def plans(*codes_: str) -> list[Plan]:
    rules = load_rules(plugins=False)
    return [Plan(tuple(rules[code] for code in codes_))]


def lint(folder: Path, names: list[str], processes: int | None) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}

    def done(job: Job, report: FileReport) -> None:
        assert job.shown not in found
        found[job.shown] = list(report.findings)

    jobs = [Job(folder / name, name, 0) for name in names]
    run(jobs, plans("HYG005", "FIL003"), processes, done)
    return found


@pytest.mark.parametrize("processes", [1, 2, None])
def test_every_model_is_linted_once(tmp_path: Path, processes: int | None) -> None:
    names = [f"{number}.onnx" for number in range(7)]
    project(tmp_path, dict.fromkeys(names[:-1], INFO))
    (tmp_path / names[-1]).write_bytes((tmp_path / names[0]).read_bytes()[:-9])
    found = lint(tmp_path, names, processes)
    assert {name: [each.code for each in found[name]] for name in names} == {
        **{name: ["HYG005"] for name in names[:-1]},
        names[-1]: ["FIL003"],
    }
    assert all(each.path == name for name in names for each in found[name])


def test_processes_are_started_when_the_work_proves_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{number}.onnx" for number in range(5)]
    project(tmp_path, dict.fromkeys(names, INFO))
    shared_out: list[int] = []

    class Pool(pool.Pool):
        def run(self, jobs: object, done: object) -> None:
            assert isinstance(jobs, list | tuple)
            shared_out.append(len(jobs))
            for job in jobs:
                done(job, lint_job(job, self._plans))  # type: ignore[operator]

    monkeypatch.setattr(pool, "Pool", Pool)
    monkeypatch.setattr(workers, "cores", lambda: 2)
    lint(tmp_path, names, None)
    assert shared_out == []  # quick enough for one
    monkeypatch.setattr(workers, "PATIENCE", 0.0)
    monkeypatch.setattr(workers, "WORTH", 0.0)
    assert len(lint(tmp_path, names, None)) == 5
    assert shared_out == [4]


def test_one_core_shares_nothing_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "PATIENCE", 0.0)
    monkeypatch.setattr(workers, "WORTH", 0.0)
    monkeypatch.setattr(workers, "cores", lambda: 1)
    monkeypatch.setattr(pool, "Pool", None)
    names = ["1.onnx", "2.onnx", "3.onnx"]
    project(tmp_path, dict.fromkeys(names, INFO))
    assert len(lint(tmp_path, names, None)) == 3


def test_cores_are_those_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= workers.cores() <= (os.cpu_count() or 1)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert workers.cores() == (os.cpu_count() or 1)


def test_a_failure_outside_of_the_rules_is_a_finding_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(path: Path, *_: object) -> None:
        raise RecursionError("too deep")

    save(INFO, tmp_path / "info.onnx")
    monkeypatch.setattr(work, "lint_file", crash)
    document = lint_json("info.onnx", *RULES, cwd=tmp_path)
    assert document["exit"] == 3
    (found,) = document["findings"]
    assert found["code"] == "INT003"
    assert "RecursionError: too deep (test_workers.py:" in found["message"]


@pytest.fixture
def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed plugin whose rules do harm; gives a folder with models."""
    site = project(
        tmp_path / "site",
        {
            "deadly_checks.py": CHECKS,
            "deadly_rules/__init__.py": "",
            "deadly_rules/own/DIE001-kills.toml": DEADLY.format(check="kill"),
            "deadly_rules/own/DIE002-hangs.toml": DEADLY.format(check="hang"),
            "deadly-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: deadly\nVersion: 1.0\n",
            "deadly-1.0.dist-info/entry_points.txt": "[modellint.rules]\ndeadly = deadly_rules\n",
        },
    )
    install(site, monkeypatch)
    names = ("a.onnx", "b.onnx", "deadly.onnx", "y.onnx", "z.onnx")
    return project(tmp_path / "models", dict.fromkeys(names, INFO))


@pytest.mark.skipif(os.name == "nt", reason="processes die otherwise there")
def test_a_worker_that_dies_takes_one_model_with_it(deadly: Path) -> None:
    options = ("--select", "HYG005,DIE001", "--jobs", "2", "--no-cache")
    document = lint_json(".", *options, cwd=deadly)
    found = sorted((each["path"], each["code"]) for each in document["findings"])
    assert found == [
        ("a.onnx", "HYG005"),
        ("b.onnx", "HYG005"),
        ("deadly.onnx", "INT002"),
        ("y.onnx", "HYG005"),
        ("z.onnx", "HYG005"),
    ]
    assert document["exit"] == 3


DIE = "import os, sys; os.kill(os.getpid(), 9)\n"
READ_AND_DIE = "import os, sys; sys.stdin.buffer.read(9); os.kill(os.getpid(), 9)\n"


@pytest.mark.skipif(os.name == "nt", reason="processes die otherwise there")
@pytest.mark.parametrize("fate", [DIE, READ_AND_DIE, "import sys; sys.exit(5)", "print('?')"])
def test_workers_that_die_as_they_start_leave_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    names = [f"{number}.onnx" for number in range(4)]
    project(tmp_path, dict.fromkeys(names, INFO))
    monkeypatch.setattr(children, "_BEGIN", fate)
    found = lint(tmp_path, names, 3)
    assert {name: [each.code for each in found[name]] for name in names} == {
        name: ["INT002"] for name in names
    }


@pytest.mark.skipif(os.name == "nt", reason="processes die otherwise there")
@pytest.mark.parametrize("fate", [DIE, READ_AND_DIE])
def test_the_death_of_a_worker_at_its_start_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    names = [f"{number}.onnx" for number in range(5)]
    project(tmp_path, dict.fromkeys(names, INFO))
    once = (
        "import os\n"
        "try:\n"
        f"    os.mkdir({str(tmp_path / 'died')!r})\n"
        "except FileExistsError:\n"
        "    pass\n"
        "else:\n"
        f"    {fate}"
    )
    monkeypatch.setattr(children, "_BEGIN", once + children._BEGIN)
    found = lint(tmp_path, names, 2)
    assert [each.code for name in names for each in found[name]] == ["HYG005"] * 5


def test_a_worker_may_be_ended_before_its_thread_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", lambda thread: threads.append(thread))
    ended: pool.Ended = SimpleQueue()
    pool._Worker(plans("HYG002"), ended).end()
    threads[0].run()  # which finds the pipes closed
    assert ended.empty()


def test_without_another_process_this_one_lints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("too many open files")

    names = [f"{number}.onnx" for number in range(3)]
    project(tmp_path, dict.fromkeys(names, INFO))
    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert len(lint(tmp_path, names, 2)) == 3


def test_workers_run_no_code_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["1.onnx", "2.onnx"]
    project(tmp_path, {**dict.fromkeys(names, INFO), "pickle.py": "open('ran', 'w')"})
    monkeypatch.chdir(tmp_path)
    assert len(lint(tmp_path, names, 2)) == 2
    assert not Path("ran").exists()


@pytest.mark.skipif(os.name == "nt", reason="signals are another thing there")
def test_ctrl_c_ends_the_workers_too(deadly: Path) -> None:
    process = start_hanging(deadly)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: parent and workers alike
    assert_ended(process, 130)


@pytest.mark.skipif(os.name == "nt", reason="signals are another thing there")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_workers_end_with_their_parent(deadly: Path, number: signal.Signals, code: int) -> None:
    process = start_hanging(deadly)
    process.send_signal(number)
    assert_ended(process, code)


@pytest.mark.skipif(os.name == "nt", reason="signals are another thing there")
def test_ctrl_c_while_workers_start(deadly: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERRUPT_IMPORTS", "1")
    assert_ended(start(deadly), 130)


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "modellint", ".", "--select", "DIE002", "--jobs", "2"]
    return subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )


def start_hanging(folder: Path) -> subprocess.Popen[bytes]:
    """Start a run, and return when a worker is at work."""
    process = start(folder)
    while not (folder / "hangs").exists():
        assert process.poll() is None
        time.sleep(0.05)
    return process


def assert_ended(process: subprocess.Popen[bytes], code: int) -> None:
    _, stderr = process.communicate(timeout=PATIENCE)  # the checks hang for ten minutes
    assert process.returncode == code
    assert b"Traceback" not in stderr
    assert all_gone(process.pid)


def all_gone(group: int) -> bool:
    """Return True if every process of the group ends within a while."""
    deadline = time.monotonic() + PATIENCE
    while any_lives(group):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def any_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    if sys.platform != "linux":
        return True
    return any(map(partial(is_living_member, group), Path("/proc").glob("[0-9]*/stat")))


def is_living_member(group: int, stat: Path) -> bool:
    """Return True if a process is of the group and not a zombie, which may never be reaped."""
    try:
        state, _, own = stat.read_text().rpartition(")")[2].split()[:3]
    except OSError:
        return False
    return int(own) == group and state != "Z"


def test_progress_is_reported_for_every_model(tmp_path: Path) -> None:
    from modellint.config.load import CommandLine
    from modellint.lint import Request, lint

    project(tmp_path, {"a.onnx": GOOD, "b.onnx": GOOD})
    progress: list[tuple[int, int]] = []
    request = Request([tmp_path], CommandLine({"cache": False}, isolated=True))
    lint(request, lambda done, total: progress.append((done, total)))
    assert progress == [(0, 2), (1, 2), (2, 2)]


def test_threads_are_no_matter(tmp_path: Path) -> None:
    """The progress bar runs in one, so workers must not be forked."""
    names = ["1.onnx", "2.onnx"]
    project(tmp_path, dict.fromkeys(names, INFO))
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert len(lint(tmp_path, names, 2)) == 2
    finally:
        stop.set()
        thread.join()


def test_findings_are_in_the_order_of_the_files_whichever_worker_linted_them(
    tmp_path: Path,
) -> None:
    names = [f"{number}.onnx" for number in range(6)]
    project(tmp_path, dict.fromkeys(names, INFO))
    options = ("--select", "HYG005", "--no-cache", "--jobs", "2")
    assert [each["path"] for each in lint_json(".", *options, cwd=tmp_path)["findings"]] == names
    assert codes(".", *options, cwd=tmp_path) == ["HYG005"] * 6
