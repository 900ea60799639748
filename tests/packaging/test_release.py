"""Requirements of a release, and its notes: tools/release.py."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import release

from modellint.base import install, links
from modellint.base.version import __version__
from tests.support import ROOT

CHANGES = f"""# Changelog

## [Unreleased]

- **More.** See [docs/fix.md](docs/fix.md), [above](#changelog) and [there](https://example.com/).

## [{__version__}] - 2027-01-01

- First.

## [0.0.1] - 2026-01-01

[0.0.1]: https://example.com/
"""
STEP = re.compile(r"uses: *(\S+)(.*)")
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")


@pytest.fixture
def changelog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "CHANGELOG.md"
    path.write_text(CHANGES, encoding="utf-8")
    monkeypatch.setattr(release, "CHANGELOG", path)
    return path


def test_notes_are_a_section_whose_links_work_anywhere(changelog: Path) -> None:
    base = f"{links.REPOSITORY}/blob/main"
    assert release.notes(None) == (
        f"- **More.** See [docs/fix.md]({base}/docs/fix.md), [above](#changelog) "
        "and [there](https://example.com/).\n"
    )
    assert release.notes(release.TAG) == "- First.\n"


def test_what_does_not_agree_is_not_ready(changelog: Path) -> None:
    with pytest.raises(release.NotReady, match=r"the tag v9\.9 is not"):
        release.agree("v9.9")
    with pytest.raises(release.NotReady, match=r"under \[Unreleased\]"):
        release.agree(release.TAG)
    changelog.write_text(re.sub(r"- \*\*More.*\n", "", CHANGES), encoding="utf-8")
    release.agree(release.TAG)
    changelog.write_text("## [Unreleased]\n", encoding="utf-8")
    with pytest.raises(release.NotReady, match="no section"):
        release.agree(release.TAG)
    with pytest.raises(release.NotReady, match="says nothing"):
        release.notes(None)


def test_actions_are_pinned() -> None:
    files = [ROOT / "action.yml", *(ROOT / ".github" / "workflows").glob("*.yml")]
    for file in files:
        for action, comment in STEP.findall(file.read_text(encoding="utf-8")):
            if action != "./":
                assert PINNED.fullmatch(action), f"{file.name}: {action}"
                assert re.fullmatch(r" # v[\d.]+", comment), f"{file.name}: {action}"


@pytest.mark.parametrize(
    ("page", "on_site"),
    [
        ("rules/QNT001.md", "https://x.org/latest/rules/QNT001/"),
        ("fix.md#proof", "https://x.org/latest/fix/#proof"),
        ("rules/README.md", "https://x.org/latest/rules/"),
    ],
)
def test_pages_are_in_the_repository_until_there_is_a_site(
    page: str, on_site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (ROOT / "docs" / page.partition("#")[0]).is_file()
    assert links.page_url(page) == f"{links.REPOSITORY}/blob/main/docs/{page}"
    monkeypatch.setattr(links, "SITE", "https://x.org/latest")
    assert links.page_url(page) == on_site


def test_an_installation_from_git_knows_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / f"modellint-{__version__}.dist-info" / "direct_url.json"
    record.parent.mkdir()
    monkeypatch.setattr(install, "__file__", str(tmp_path / "modellint" / "base" / "install.py"))
    assert install.installed_version() == __version__
    for strange in ("{", "[]", '{"dir_info": {}}'):
        record.write_text(strange, encoding="utf-8")
        assert install.installed_version() == __version__
    told = {"url": "https://x.org", "vcs_info": {"vcs": "git", "commit_id": "8392443b" + "0" * 32}}
    record.write_text(json.dumps(told), encoding="utf-8")
    assert install.installed_version() == f"{__version__} (commit 8392443b00)"
