"""The glossary of CONTRIBUTING.md, held for what users read."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
AVOIDED = re.compile(
    r"""
    \b(?: mend(?:s|ing)? | told | foret(?:ell|ells|old) | reckon(?:s|ed)? | anew
        | dear(?:er|est)? | takers? | beside | nobody | somebody | anybody | whoever
        | two\ of\ four | few\ bits )\b
    | (?<!left\ )(?<!leaves\ )(?<!leave\ )(?<!left\ it\ )\bbehind\b
    | (?<!there\ )\b(?:is|are)\ no\ (?!longer\b|more\b|less\b)\w+
    | ,\ as\ (?: (["'`])[^"'`]*\1 | \d[\w.]* )(?= [.,;:)] | \ or\ | \ and\ | $ )
    """,
    re.IGNORECASE | re.VERBOSE,
)
PLACEHOLDER = re.compile(r"\{\w+[^{}]*\}")


def test_avoided_words_are_absent() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("rules/**/*.toml")]
    pages += ROOT.glob("hardware_targets/**/*.toml")
    found = [
        f"{page.relative_to(ROOT)}:{number}: {hit[0]}"
        for page in pages
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
        for hit in AVOIDED.finditer(PLACEHOLDER.sub("", line))
    ]
    assert not found, "CONTRIBUTING.md says what to write instead:\n" + "\n".join(found)


def test_examples_of_what_is_avoided() -> None:
    for line in ("a name that is no path", "a release, as 10.9 or 10.9.0", "a copy beside it"):
        assert AVOIDED.search(line), line
    for line in (
        "there is no GPU",
        "is no longer there",
        "written as `x`, as `torch.bmm` requires",
    ):
        assert not AVOIDED.search(line), line
