"""Builds a release and tests it, here or in a workflow: it publishes nothing.

    python tools/release.py make [--tag v1.2.3]    # everything, into dist/
    python tools/release.py try dist/*.whl         # installs a wheel apart, and lints the examples

docs/releasing.md says what happens with the results.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from generated import ROOT

from modellint.base.links import REPOSITORY
from modellint.base.version import __version__

CHANGELOG = ROOT / "CHANGELOG.md"
README = ROOT / "README.md"
DIST = ROOT / "dist"
TAG = f"v{__version__}"

SBOM = "sbom.cdx.json"
NOTES = "notes.md"

CLEAN = "clean_classifier.onnx"
"""The one example in which nothing needs to be done."""


ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
"""For programs that are to see what is installed, and not this checkout."""


class NotReady(Exception):  # noqa: N818 - a name fit to be read in `except`
    """A contradiction or a fault in what is to be released."""


def make(tag: str | None) -> None:
    """Write sdist, wheel, release notes and SBOM to dist/, each of them checked."""
    agree(tag)
    shutil.rmtree(DIST, ignore_errors=True)
    packages = DIST / "packages"
    _run(sys.executable, "-m", "build", "--outdir", str(packages), str(ROOT))
    _run(sys.executable, "-m", "twine", "check", "--strict", *map(str, packages.iterdir()))
    (DIST / NOTES).write_text(notes(tag), encoding="utf-8", newline="\n")
    (wheel,) = packages.glob("*.whl")
    try_out(wheel, DIST / SBOM)


def agree(tag: str | None) -> None:
    """Raise if the tag, the changelog and the README do not state the version of the code."""
    if tag is None:
        return
    if tag != TAG:
        raise NotReady(f"the tag {tag} is not {TAG}, which base/version.py would have")
    if _section(__version__) is None:
        raise NotReady(f"CHANGELOG.md has no section `## [{__version__}] - <date>`")
    if _section("Unreleased"):
        raise NotReady("CHANGELOG.md has changes under [Unreleased], which belong to the release")
    for stated in re.findall(r"(?:rev: |modellint@)(v[\d.]+)", README.read_text(encoding="utf-8")):
        if stated != tag:
            raise NotReady(f"README.md tells users to take {stated}")


def notes(tag: str | None) -> str:
    """Return the changelog's section, with links that work away from the repository."""
    title = __version__ if tag else "Unreleased"
    section = _section(title)
    if not section:
        raise NotReady(f"CHANGELOG.md says nothing under [{title}]")
    base = f"{REPOSITORY}/blob/{tag or 'main'}"
    return re.sub(r"\]\((?!https?:|#)", f"]({base}/", section) + "\n"


def _section(title: str) -> str | None:
    """Return the text of one version in the changelog; None if there is no such heading."""
    date = r" - \d{4}-\d\d-\d\d" if title == __version__ else ""
    pattern = rf"^## \[{re.escape(title)}\]{date}\n(.*?)(?=^## \[|^\[|\Z)"
    found = re.search(pattern, CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else None


def try_out(wheel: Path, sbom: Path | None = None) -> None:
    """Install the wheel in an environment of its own, and lint the examples with it.

    What that environment then consists of is the SBOM: it is what a user gets.
    """
    with tempfile.TemporaryDirectory(prefix="release-") as place:
        home = Path(place) / "venv"
        scripts = home / ("Scripts" if os.name == "nt" else "bin")
        _run(sys.executable, "-m", "venv", "--without-pip", str(home))
        pip = (sys.executable, "-m", "pip", "--python", str(scripts / "python"))
        _run(*pip, "install", "--quiet", "--disable-pip-version-check", str(wheel.resolve()))
        _lint_examples(scripts / "modellint", Path(place))
        if sbom is not None:
            _write_sbom(scripts / "python", sbom)


def _lint_examples(program: Path, place: Path) -> None:
    version = _run(str(program), "--version", cwd=place).strip()
    if version != f"modellint {__version__}":
        raise NotReady(f"the installed program calls itself {version!r}")
    command = [str(program), "check", str(ROOT / "examples"), "--target", "a10", "--isolated"]
    done = subprocess.run(
        [*command, "--output", "json"], cwd=place, env=ENVIRONMENT, capture_output=True, check=False
    )
    if done.returncode != 1:
        raise NotReady(f"linting the examples exits with {done.returncode}: {done.stderr!r}")
    found = {
        Path(each["path"]).name
        for each in json.loads(done.stdout)["findings"]
        if each["severity"] != "info"
    }
    wanted = {each.name for each in (ROOT / "examples").glob("*.onnx")} - {CLEAN}
    if found != wanted:
        raise NotReady(f"findings in {sorted(found)}, not in {sorted(wanted)}")
    sys.stdout.write(f"{version} on {sys.platform} finds what it should in {len(wanted)} models\n")


def _write_sbom(python: Path, path: Path) -> None:
    _run(
        *(sys.executable, "-m", "cyclonedx_py", "environment"),
        *("--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "library"),
        *("--output-reproducible", "--validate", "--output-file", str(path), str(python)),
    )
    written = json.loads(path.read_text(encoding="utf-8"))
    parts = {each["name"] for each in written["components"]}
    if not {"modellint", "numpy", "onnx"} <= parts | {written["metadata"]["component"]["name"]}:
        raise NotReady(f"the SBOM names only {sorted(parts)}")
    sys.stdout.write(f"{path.name} names {len(parts)} packages\n")


def _run(*command: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise NotReady(f"{' '.join(command)}\n{done.stdout}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    verbs = parser.add_subparsers(dest="verb", required=True)
    making = verbs.add_parser("make", help="build, check and test everything, into dist/")
    making.add_argument("--tag", help="the tag that is released; without it, a rehearsal")
    trying = verbs.add_parser("try", help="install a wheel apart, and lint the examples with it")
    trying.add_argument("wheel", type=Path)
    given = parser.parse_args()
    try:
        if given.verb == "make":
            make(given.tag)
        else:
            try_out(given.wheel)
    except NotReady as error:
        sys.exit(f"not ready: {error}")


if __name__ == "__main__":
    main()
