"""Work in a child process: a model may take long, or kill the process that reads it."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import field
from queue import SimpleQueue
from threading import Lock, Thread, Timer
from typing import Any, BinaryIO

from modellint.base import children
from modellint.base.errors import ModellintError, UsageError
from modellint.base.records import dataclass

Tasks = Mapping[str, Callable[..., Any]]


class WorkEndedError(ModellintError):
    """The process did not finish: it took too long, was cancelled, or died."""


@dataclass(frozen=True, slots=True, eq=False)
class WaitingTask:
    """A task, and where its outcome is waited for."""

    key: object
    message: tuple[str, tuple[object, ...]]
    outcome: SimpleQueue[Any] = field(default_factory=SimpleQueue)


class Worker:
    """A child process that does one task at a time, started when there is one."""

    def __init__(self, module: str, seconds: float) -> None:
        self._module = module
        self._seconds = seconds
        self._asked: SimpleQueue[WaitingTask] = SimpleQueue()
        self._lock = Lock()
        self._waiting: list[WaitingTask] = []
        self._process: Any = None
        self._task: WaitingTask | None = None
        self._why = ""
        # Linux ends the process with the thread that started it.
        self._thread = Thread(target=self._attend, daemon=True)

    def do(self, key: object, task: str, *arguments: object) -> Any:
        """Return what a task returns; raise UsageError with the words of an error of ours.

        Others wait for their turn. The `key` is for `cancel`.
        """
        asked = WaitingTask(key, (task, arguments))
        with self._lock:
            if self._thread.ident is None:
                self._thread.start()
            self._waiting.append(asked)
        self._asked.put(asked)
        result, error = asked.outcome.get()
        if error is not None:
            raise error
        return result

    def cancel(self, key: object, why: str = "cancelled") -> None:
        """End what is at work on this, and forget what waits to be."""
        with self._lock:
            self._waiting = [each for each in self._waiting if each.key != key]
            if self._task is not None and self._task.key == key and self._process is not None:
                self._why, process, self._process = why, self._process, None
                process.kill()

    def end(self) -> None:
        """End the process, whatever it is at."""
        with self._lock:
            self._waiting.clear()
            process, self._process = self._process, None
        if process is not None:
            children.end(process)

    def _attend(self) -> None:
        while True:
            asked = self._asked.get()
            asked.outcome.put(self._outcome(asked))

    def _outcome(self, asked: WaitingTask) -> tuple[Any, Exception | None]:
        with self._lock:
            if asked not in self._waiting:
                return None, WorkEndedError("cancelled")
            self._waiting.remove(asked)
            try:
                process = self._started()
            except OSError as error:  # no memory, no processes
                return None, WorkEndedError(str(error))
            self._task, self._why = asked, ""
        late = f"it took more than {self._seconds:g} s"
        timer = Timer(self._seconds, self.cancel, (asked.key, late))
        timer.daemon = True
        timer.start()
        try:
            children.tell(process, asked.message)
            result, refusal = children.answer(process)
            return result, UsageError(refusal) if refusal else None
        except Exception:  # whatever half an answer unpickles to
            how = children.end(process)
            return None, WorkEndedError(self._why or f"the process {how}")
        finally:
            timer.cancel()
            with self._lock:
                self._task = None

    def _started(self) -> Any:
        if self._process is None or self._process.poll() is not None:
            self._process = children.start(self._module)
            children.tell(self._process, os.getpid())
        return self._process


def work(tasks: Tasks) -> None:
    """Do the tasks that come in on standard input; be gone when the parent is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for Windows, where signals cannot be blocked
    asked = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # for whatever native code prints
    children.live_no_longer_than(children.receive(asked))
    queue: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_receive, args=(asked, queue), daemon=True).start()
    while True:
        task, arguments = queue.get()
        answers.write(pickle.dumps(_outcome(tasks[task], arguments)))
        answers.flush()


def _receive(pipe: BinaryIO, queue: SimpleQueue[Any]) -> None:
    """Pass on tasks; end the process, whatever it does, when the parent has ended."""
    try:
        while True:
            queue.put(children.receive(pipe))
    finally:
        os._exit(1)


def _outcome(task: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, str]:
    """Return what a task returns, and what went wrong."""
    try:
        return task(*arguments), ""
    except ModellintError as error:
        return None, str(error)
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        return None, f"internal error: {type(error).__name__}: {error}"
