"""Writes the rule reference, docs/rules/, from the rule files, and the table of docs/fusion.md.

`--check` only compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from modellint.rules.registry import load_rules
from modellint.rules.rule import Rule

FOLDER = Path(__file__).parent.parent / "docs" / "rules"
FUSION = FOLDER.parent / "fusion.md"
BEGIN, END = "<!-- generated from here -->\n", "<!-- to here -->\n"
SEVERITIES = ("error", "warning", "info")


def pages() -> dict[Path, str]:
    """Every page by its path: one a rule, and the index."""
    rules = load_rules(plugins=False)
    result = {FOLDER / f"{rule.code}.md": rule.markdown() for rule in rules.values()}
    result[FOLDER / "README.md"] = "\n".join(_index(list(rules.values()))) + "\n"
    result[FUSION] = _fusion_page(rule for rule in rules.values() if rule.fused_by)
    return result


def _fusion_page(rules: Iterable[Rule]) -> str:
    """The hand-written page with its table made anew."""
    before, _, rest = FUSION.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = [
        f"| [{rule.code}](rules/{rule.code}.md) | {rule.summary} "
        f"| {_fuser(rule, 'onnxruntime')} | {_fuser(rule, 'tensorrt')} |\n"
        for rule in rules
    ]
    header = "| rule | what it finds | ONNX Runtime | TensorRT |\n| --- | --- | --- | --- |\n"
    return f"{before}{BEGIN}{header}{''.join(rows)}{END}{after}"


def _fuser(rule: Rule, runtime: str) -> str:
    fuser = rule.fused_by.get(runtime)
    if fuser is None or not fuser.by:
        return "no"
    return f"{fuser.by}{f' ({fuser.since})' if fuser.since else ''}"


def _index(rules: list[Rule]) -> Iterator[str]:
    yield "# Rules"
    yield ""
    yield f"{len(rules)} rules, generated from [rules/](../../rules). How to write one: "
    yield "[writing-rules.md](../writing-rules.md)."
    for family in sorted({rule.family for rule in rules}):
        yield from _table(family.capitalize(), (rule for rule in rules if rule.family == family))
    yield from ("", "## By severity", "")
    for severity in SEVERITIES:
        yield f"- **{severity}**: {_links(rule for rule in rules if rule.severity == severity)}"
    yield from ("", "## By runtime", "", "Rules that are asked only for some runtimes:", "")
    for runtime in sorted({runtime for rule in rules for runtime in rule.runtimes}):
        yield f"- **{runtime}**: {_links(rule for rule in rules if runtime in rule.runtimes)}"


def _table(title: str, rules: Iterable[Rule]) -> Iterator[str]:
    yield from ("", f"## {title}", "", "| code | name | severity | what it finds |")
    yield "| --- | --- | --- | --- |"
    for rule in rules:
        yield f"| {_links([rule])} | {rule.name} | {rule.severity} | {rule.summary} |"


def _links(rules: Iterable[Rule]) -> str:
    return ", ".join(f"[{rule.code}]({rule.code}.md)" for rule in rules)


def main(arguments: list[str]) -> int:
    wanted = pages()
    stale = [path for path, text in wanted.items() if not _same(path, text)]
    stale += [path for path in FOLDER.glob("*.md") if path not in wanted]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path} is out of date: run make generate\n")
        return int(bool(stale))
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in stale:
        if path in wanted:
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
    return 0


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
