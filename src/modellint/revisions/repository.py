"""A git repository, asked for names and contents only: nothing of it is run, nothing is fetched."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from modellint.base import interrupts
from modellint.base.errors import UsageError
from modellint.base.paths import real_path
from modellint.base.suggest import did_you_mean
from modellint.base.text import brief

_QUIET = (
    "--no-pager",
    "--literal-pathspecs",
    *("-c", "core.fsmonitor=false"),
    *("-c", f"core.hooksPath={os.devnull}"),
)
_ALONE = {
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}
"""No protocol is allowed, so that git cannot fetch what a partial clone lacks."""
_REVISION = re.compile(r"[^-\s:\0-\x1f\x7f][^\s:\0-\x1f\x7f]*")
"""Text that may name a commit. A colon would name a file in one, and a hyphen begins an option."""
_LINK, _SUBMODULE = "120000", "160000"
PIECE = 1 << 20


class GitFile(NamedTuple):
    """A file of a commit or of the index."""

    object: str
    is_link: bool = False


class Repository:
    """The repository that a folder is in."""

    def __init__(self, folder: Path) -> None:
        from shutil import which

        self._folder = folder
        self._git = which("git") or ""
        if not self._git:
            raise UsageError("git is not installed, or not on PATH")
        self.top = real_path(Path(self._line("rev-parse", "--show-toplevel")))

    def name_of(self, path: Path) -> str:
        """Return the name of a path in the repository, which need not exist; empty for its top."""
        real = real_path(path.parent) / path.name
        if path.name in ("", ".."):
            real = real_path(path)
        if not real.is_relative_to(self.top):
            raise UsageError(f"{path} is not in the git repository {self.top}")
        name = real.relative_to(self.top).as_posix()
        return "" if name == "." else name

    @property
    def has_commits(self) -> bool:
        return self._run("rev-parse", "--verify", "--quiet", "HEAD").returncode == 0

    def commit(self, revision: str) -> str:
        """Return the id of the commit that a branch, a tag or an expression of git's means."""
        if not _REVISION.fullmatch(revision):
            raise UsageError(f"{brief(revision)!r} is not a git revision")
        done = self._run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        found = done.stdout.decode().strip()
        if done.returncode or not re.fullmatch(r"[0-9a-f]{40,64}", found):
            raise UsageError(self._unknown(revision))
        return found

    def _unknown(self, revision: str) -> str:
        heads = self._run("for-each-ref", "--format=%(refname:short)", "--count=10000")
        known = heads.stdout.decode(errors="replace").split()
        hint = did_you_mean(revision, known)
        remote = next((each for each in known if each.endswith(f"/{revision}")), "")
        if remote:
            hint = f"did you mean {remote!r}?"
        elif not hint and self._line("rev-parse", "--is-shallow-repository") == "true":
            hint = f"the clone is shallow: git fetch --depth 1 origin {brief(revision)}"
        unknown = f"the git repository knows no revision {brief(revision)!r}"
        return f"{unknown}; {hint}" if hint else unknown

    def merge_base(self, one: str, other: str) -> str:
        """Return the commit from which two commits went apart."""
        done = self._run("merge-base", one, other)
        if done.returncode:
            raise UsageError("the two revisions have no commit in common")
        return done.stdout.decode().split()[0]

    def files(self, commit: str, folder: str) -> dict[str, GitFile]:
        """Return the files of a commit below a folder, by name."""
        below = (f"{folder}/",) if folder else ()
        listed = self._listed("ls-tree", "-r", "-z", "--full-tree", commit, "--", *below)
        entries = (each.partition("\t") for each in listed)
        return _entries((what.split(" ")[0], what.split(" ")[2], name) for what, _, name in entries)

    def staged(self, folder: str) -> dict[str, GitFile]:
        """Return the files of the index below a folder, by name."""
        listed = self._listed("ls-files", "-z", "--stage", "--", folder or ".", at=self.top)
        entries = (each.partition("\t") for each in listed)
        return _entries((what.split(" ")[0], what.split(" ")[1], name) for what, _, name in entries)

    def working(self, folder: str) -> list[str]:
        """Return the names of files below a folder that are tracked, or could be."""
        options = ("--cached", "--others", "--exclude-standard", "-z")
        names = self._listed("ls-files", *options, "--", folder or ".", at=self.top)
        return [name for name in dict.fromkeys(names) if os.path.lexists(self.top / name)]

    def lfs_object(self, digest: str) -> Path:
        """Return where the object of a Git LFS pointer is kept, if it has been fetched."""
        stored = self._run("config", "--get", "lfs.storage").stdout.decode().strip()
        common = Path(self._line("rev-parse", "--git-common-dir"))
        storage = self._folder / common / (stored or "lfs")
        return storage / "objects" / digest[:2] / digest[2:4] / digest

    def objects(self) -> Objects:
        return Objects(self)

    def _line(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode:
            told = done.stderr.decode(errors="replace").splitlines()
            reason = brief(told[0].removeprefix("fatal: ")) if told else "git refuses"
            raise UsageError(f"{self._folder}: {reason}")
        return os.fsdecode(done.stdout).removesuffix("\n")

    def _listed(self, *arguments: str, at: Path | None = None) -> Sequence[str]:
        done = self._run(*arguments, at=at)
        if done.returncode:
            told = brief(done.stderr.decode(errors="replace"))
            raise UsageError(f"git cannot list the files: {told}")
        return os.fsdecode(done.stdout).split("\0")[:-1]

    def _run(self, *arguments: str, at: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self._git, *_QUIET, *arguments],
            cwd=at or self._folder,
            env={**os.environ, **_ALONE},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with interrupts.held():  # only the parent handles Ctrl-C
            return subprocess.Popen(
                [self._git, *_QUIET, *arguments],
                cwd=self._folder,
                env={**os.environ, **_ALONE},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )


def _entries(listed: Iterator[tuple[str, str, str]]) -> dict[str, GitFile]:
    return {
        name: GitFile(object, mode == _LINK) for mode, object, name in listed if mode != _SUBMODULE
    }


class Objects:
    """Contents of a repository, read one after the other in pieces."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Objects:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()

    def size(self, object: str) -> int:
        return self._asked("--batch-check", object)[0]

    def size_and_content(self, object: str) -> tuple[int, Iterator[bytes]]:
        """Return the size of a file, and its content, which has to be read before the next."""
        size, answers = self._asked("--batch", object)
        return size, _content(answers, size)

    def _asked(self, how: str, object: str) -> tuple[int, Any]:
        """Return the size of a file, and where the rest of git's answer can be read."""
        process = self._processes.get(how)
        if process is None:
            process = self._processes[how] = self._repository.start("cat-file", how)
        ask: Any = process.stdin
        answers: Any = process.stdout
        with suppress(OSError):  # it has ended
            ask.write(f"{object}\n".encode())
            ask.flush()
        header = answers.readline().split()
        if len(header) != 3 or header[1] != b"blob":
            raise UsageError(
                f"the git repository lacks the object {object[:12]}; a partial clone has to fetch "
                "it first"
            )
        return int(header[2]), answers


def _content(answers: Any, size: int) -> Iterator[bytes]:
    while size:
        piece = answers.read(min(PIECE, size))
        if not piece:
            raise UsageError("git exited while reading an object")
        size -= len(piece)
        yield piece
    answers.read(1)  # the newline after it
