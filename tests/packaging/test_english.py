"""The glossary of CONTRIBUTING.md, held for documentation, rules and source code."""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
AVOIDED = re.compile(
    r"""
    \b(?: mend(?:s|ing)? | told | foret(?:ell|ells|old) | reckon(?:s|ed)? | anew
        | dear(?:er|est)? | takers? | beside | nobody | somebody | anybody | whoever
        | two\ of\ four | few\ bits | held\ against | puts?\ right | made\ up\ for | sums?\ up
        | stray | breaks\ off | foreign\ (?:files|models) | in\ the\ place\ of )\b
    | (?<!left\ )(?<!leaves\ )(?<!leave\ )(?<!left\ it\ )\bbehind\b
    | (?<!there\ )\b(?:is|are)\ no\ (?!longer\b|more\b|less\b)\w+
    | \d\ %(?!\ [\d(])(?![}\w])
    | ,\ as\ (?: (["'`])[^"'`]*\1 | \d[\w.]* )(?= [.,;:)] | \ or\ | \ and\ | $ )
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
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
    for line in (
        "a name that is no path",
        "a release, as 10.9 or 10.9.0",
        "a copy beside it",
        "8 % of them",
    ):
        assert AVOIDED.search(line), line
    for line in (
        "there is no GPU",
        "is no longer there",
        "written as `x`, as `torch.bmm` requires",
    ):
        assert not AVOIDED.search(line), line


CLAUSE = re.compile(
    r'^[ \t]*[rf]?"{3}((?:What|Whether|How|Who|Whose|Why|Where|Which|That)\b.*)', re.MULTILINE
)
SOURCE = sorted(ROOT.glob("src/**/*.py"))
OTHERS = sorted([*ROOT.glob("tests/**/*.py"), *ROOT.glob("tools/*.py")])


def comments(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Iterate over the lines of all strings; single words are names rather than prose."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield from enumerate(node.value.splitlines(), node.lineno)


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Iterate over the lines of strings that are statements, such as those below attributes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield from enumerate(str(node.value.value).splitlines(), node.lineno)


def avoided(paths: Iterable[Path], strings: Callable[[str], Iterator[tuple[int, str]]]) -> str:
    """Return the places of avoided words in comments and strings."""
    found = []
    for path in paths:
        source = path.read_text(encoding="utf-8")
        if AVOIDED.search(source):  # most have none, and need not be parsed
            found += [
                f"{path.relative_to(ROOT)}:{number}: {hit[0]}"
                for number, line in (*comments(source), *strings(source))
                for hit in AVOIDED.finditer(PLACEHOLDER.sub("", line))
            ]
    return "\n".join(found)


def test_avoided_words_are_absent_from_the_source() -> None:
    found = avoided(SOURCE, texts) or avoided(OTHERS, docstrings)
    assert not found, f"CONTRIBUTING.md says what to write instead:\n{found}"


def test_docstrings_open_with_a_verb_or_a_noun() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {opening}"
        for path in (*SOURCE, *OTHERS)
        for opening in CLAUSE.findall(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


def test_an_opening_that_is_avoided() -> None:
    quotes = '"' * 3
    assert CLAUSE.findall(f"    {quotes}What it is.{quotes}\n")
    assert not CLAUSE.findall(f"    {quotes}Return what it is.{quotes}\n")
