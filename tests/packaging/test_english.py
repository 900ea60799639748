"""The glossary of CONTRIBUTING.md, held for what users read."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
AVOIDED = re.compile(
    r"\b(mend(s|ing)?|told|foret(ell|ells|old)|reckon(s|ed)?|anew|dear(er|est)?|takers?"
    r"|nobody|somebody)\b|(?<!left )(?<!leaves )(?<!leave )(?<!left it )\bbehind\b",
    re.IGNORECASE,
)
PLACEHOLDER = re.compile(r"\{\w+[^{}]*\}")


def test_avoided_words_are_absent() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("rules/**/*.toml")]
    found = [
        f"{page.relative_to(ROOT)}:{number}: {hit[0]}"
        for page in pages
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
        for hit in AVOIDED.finditer(PLACEHOLDER.sub("", line))
    ]
    assert not found, "CONTRIBUTING.md says what to write instead:\n" + "\n".join(found)
