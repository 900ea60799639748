"""Makes the rule reference, docs/rules/, from the rule files, and the table of docs/fusion.md."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from generated import DOCS, Contents, between, bring_up_to_date

from modellint.rules.registry import load_rules
from modellint.rules.rule import Rule

FOLDER = DOCS / "rules"
FUSION = DOCS / "fusion.md"
BEGIN, END = "<!-- generated from here -->\n", "<!-- to here -->\n"
SEVERITIES = ("error", "warning", "info")


def contents() -> Contents:
    """One page for each rule, the index, and no page of a rule that is gone."""
    rules = load_rules(plugins=False)
    return {
        **dict.fromkeys(FOLDER.glob("*.md")),
        **{FOLDER / f"{rule.code}.md": rule.markdown() for rule in rules.values()},
        FOLDER / "README.md": "\n".join(_index(list(rules.values()))) + "\n",
        FUSION: between(
            FUSION, BEGIN, _fusions(rule for rule in rules.values() if rule.fused_by), END
        ),
    }


def _fusions(rules: Iterable[Rule]) -> str:
    rows = [
        f"| [{rule.code}](rules/{rule.code}.md) | {rule.summary} "
        f"| {_fuser(rule, 'onnxruntime')} | {_fuser(rule, 'tensorrt')} |\n"
        for rule in rules
    ]
    header = "| rule | what it finds | ONNX Runtime | TensorRT |\n| --- | --- | --- | --- |\n"
    return header + "".join(rows)


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
    fixed = sum(rule.autofix is not None for rule in rules)
    yield f"{fixed} of them have a fix, and how far it may be trusted: [fix.md](../fix.md)."
    for family in sorted({rule.family for rule in rules}):
        yield from _table(family.capitalize(), (rule for rule in rules if rule.family == family))
    yield from ("", "## By severity", "")
    for severity in SEVERITIES:
        yield f"- **{severity}**: {_links(rule for rule in rules if rule.severity == severity)}"
    yield from ("", "## By runtime", "", "Rules that are asked only for some runtimes:", "")
    for runtime in sorted({runtime for rule in rules for runtime in rule.runtimes}):
        yield f"- **{runtime}**: {_links(rule for rule in rules if runtime in rule.runtimes)}"


def _table(title: str, rules: Iterable[Rule]) -> Iterator[str]:
    yield from ("", f"## {title}", "", "| code | name | severity | fix | what it finds |")
    yield "| --- | --- | --- | --- | --- |"
    for rule in rules:
        fix = rule.autofix.applicability if rule.autofix is not None else ""
        yield f"| {_links([rule])} | {rule.name} | {rule.severity} | {fix} | {rule.summary} |"


def _links(rules: Iterable[Rule]) -> str:
    return ", ".join(f"[{rule.code}]({rule.code}.md)" for rule in rules)


if __name__ == "__main__":
    sys.exit(bring_up_to_date(contents()))
