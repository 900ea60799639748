"""Adapters: what they adapt, and ranks that their configuration contradicts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from modellint.base.paths import is_there
from modellint.checks.api import Context, Hit
from modellint.formats.huggingface import ADAPTER_CONFIG
from modellint.formats.huggingface.facts import folder_facts

_A = re.compile(r"^(?P<module>.*)\.lora_A(?:\.\w+)?\.weight$")
_BASE = "base_model_name_or_path"


def without_base(context: Context) -> Iterator[Hit]:
    """Adapters that do not name their base model, or that name a folder on another machine."""
    facts = folder_facts(context.model)
    config = facts.config(ADAPTER_CONFIG)
    if not config or "config.json" in facts.names:
        return
    base = config.text(_BASE)
    if not base:
        yield Hit(None)
    elif (Path(base).is_absolute() or PureWindowsPath(base).drive) and not is_there(base):
        yield Hit(None, {"base": base}, variant="local")


def rank_contradicts(context: Context) -> Iterator[Hit]:
    """Matrices of an adapter whose rank is not the configured one."""
    config = folder_facts(context.model).config(ADAPTER_CONFIG)
    rank, patterns = config.number("r"), config.table("rank_pattern")
    if rank is None or config.text("peft_type") != "LORA":
        return
    wrong = []
    for tensor in context.model.tensors:
        module = _A.match(tensor.name)
        if module is None or len(tensor.shape) < 2:
            continue
        expected = next(
            (patterns.number(key) for key in patterns if module["module"].endswith(key)), rank
        )
        if not _is_pattern(list(patterns)) and tensor.shape[0] != expected:
            wrong.append((tensor, expected))
    if wrong:
        tensor, expected = wrong[0]
        facts = {"tensor": tensor.name, "stored": tensor.shape[0], "stated": expected}
        yield Hit(tensor, facts, count=len(wrong))


def _is_pattern(keys: list[str]) -> bool:
    """True if a key is a regular expression rather than the end of a name."""
    return any(re.search(r"[\\*+?^$|()\[\]]", key) for key in keys)


def half_adapter(context: Context) -> Iterator[Hit]:
    """Matrices of an adapter without the other that they are multiplied with."""
    facts = folder_facts(context.model)
    if not facts.config(ADAPTER_CONFIG):
        return
    names = {tensor.name for tensor in context.model.tensors}
    for one, other in ((".lora_A.", ".lora_B."), (".lora_B.", ".lora_A.")):
        lonely = sorted(n for n in names if one in n and n.replace(one, other) not in names)
        if lonely:
            place = next(each for each in context.model.tensors if each.name == lonely[0])
            missing = lonely[0].replace(one, other)
            yield Hit(place, {"tensor": lonely[0], "other": missing}, count=len(lonely))
