"""Tokenizers and chat templates of GGUF files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from modellint.analysis.chat_template import dangers, mistake
from modellint.checks.api import Context, Hit
from modellint.checks.gguf_metadata import SPECIAL_TOKENS, known_facts, model_facts
from modellint.formats.gguf.facts import GgufFacts
from modellint.formats.gguf.header import FLOAT32, INT32, TEXT, TYPE_NAMES, Array
from modellint.results.finding import Severity

TOKENS = "tokenizer.ggml.tokens"
WITH_MERGES = frozenset({"gpt2", "gemma4", "hybriddna", "whitespace"})
WITHOUT_TOKENS = frozenset({"no_vocab", "none"})
PRE_TOKENIZED = frozenset({"gpt2", "hybriddna", "whitespace"})
WITHOUT_MERGES = "kimi-k2"
_CHAT = re.compile(r"(?<![a-z])(?:instruct|chat)(?![a-z])", re.IGNORECASE)


def tokenizer(context: Context) -> Iterator[Hit]:
    """A tokenizer that is missing or not known to llama.cpp."""
    known = known_facts(context)
    if known is None:
        return
    facts, loaded = known
    model = facts.text("tokenizer.ggml.model")
    if model is None:
        yield Hit(None, {"key": "tokenizer.ggml.model"}, "missing")
    elif model not in loaded.tokenizers:
        yield Hit(None, {"tokenizer": model, "release": loaded.release})
    elif model not in WITHOUT_TOKENS and facts.array(TOKENS) is None:
        yield Hit(None, {"key": TOKENS}, "missing")


def token_lists(context: Context) -> Iterator[Hit]:
    """Scores and types of tokens that are too few, or of the wrong type."""
    facts = _with_tokens(context)
    tokens = facts.array(TOKENS) if facts is not None else None
    if facts is None or tokens is None:
        return
    for key, types in (
        (TOKENS, (TEXT,)),
        ("tokenizer.ggml.scores", (FLOAT32, INT32)),
        ("tokenizer.ggml.token_type", (INT32,)),
    ):
        entry, array = facts.entry(key), facts.array(key)
        if entry is None:
            continue
        if array is None or array.type not in types:
            stated = entry.type_name if array is None else str(array)
            expected = TYPE_NAMES[types[0]]
            yield Hit(None, {"key": key, "type": stated, "expected": expected}, "type")
        elif array.count != tokens.count:
            counts = {"key": key, "number": array.count, "tokens": tokens.count}
            if array.count < tokens.count:
                yield Hit(None, counts)
            else:
                yield Hit(None, counts, variant="surplus", severity=Severity.WARNING)


def vocabulary(context: Context) -> Iterator[Hit]:
    """An embedding table whose rows do not match the number of tokens."""
    known = known_facts(context)
    if known is None:
        return
    facts, _ = known
    tokens = facts.array(TOKENS)
    for tensor in context.model.tensors:
        if tensor.name in ("token_embd.weight", "output.weight") and tokens is not None:
            rows = tensor.shape[0] if len(tensor.shape) == 2 else tokens.count
            if rows != tokens.count and facts.architecture not in SEVERAL_VOCABULARIES:
                yield Hit(tensor, {"tensor": tensor.name, "rows": rows, "tokens": tokens.count})


SEVERAL_VOCABULARIES = frozenset("eagle3 dflash gemma4-assistant qwen3tts pockettts".split())
"""Architectures whose tables are not of the tokenizer's tokens."""


def special_token(context: Context) -> Iterator[Hit]:
    """Special tokens that are not in the vocabulary."""
    facts = _with_tokens(context)
    tokens = facts.array(TOKENS) if facts is not None else None
    for key in SPECIAL_TOKENS:
        number = facts.integer(key) if facts is not None else None
        if tokens is not None and number is not None and not 0 <= number < tokens.count:
            yield Hit(None, {"key": key, "number": number, "tokens": tokens.count})


def merges(context: Context) -> Iterator[Hit]:
    facts = _with_tokens(context)
    if facts is None or facts.text("tokenizer.ggml.model") not in WITH_MERGES:
        return
    model, entry = facts.text("tokenizer.ggml.model"), facts.entry("tokenizer.ggml.merges")
    if entry is None:
        if facts.text("tokenizer.ggml.pre") != WITHOUT_MERGES:
            yield Hit(None, {"tokenizer": model})
    elif not isinstance(entry.value, Array) or not entry.value.is_text:
        yield Hit(None, {"type": entry.type_name}, "type")


def pre_tokenizer(context: Context) -> Iterator[Hit]:
    """A tokenizer without a rule for splitting text, or with the default one."""
    known = known_facts(context)
    if known is not None and known[0].text("tokenizer.ggml.model") in PRE_TOKENIZED:
        stated = known[0].text("tokenizer.ggml.pre")
        if not stated or stated == "default":
            yield Hit(None, {"stated": stated or "none"})


def unknown_pre_tokenizer(context: Context) -> Iterator[Hit]:
    known = known_facts(context)
    if known is None or known[0].text("tokenizer.ggml.model") not in PRE_TOKENIZED:
        return
    facts, loaded = known
    stated = facts.text("tokenizer.ggml.pre")
    if stated and stated not in loaded.pre_tokenizers:
        yield Hit(None, {"stated": stated, "release": loaded.release})


def repeated_token(context: Context) -> Iterator[Hit]:
    """Tokens with the same text; llama.cpp ends the process when it finds them."""
    facts = _with_tokens(context)
    tokens = facts.array(TOKENS) if facts is not None else None
    if tokens is None:
        return
    texts = sorted(tokens.raw_texts())
    again = {one for one, other in pairwise(texts) if one == other and one}
    if again:
        first = min(again).decode(errors="backslashreplace")
        yield Hit(None, {"token": first, "number": len(again)}, count=len(again))


def no_chat_template(context: Context) -> Iterator[Hit]:
    """A chat model without a chat template."""
    known = known_facts(context)
    if known is None or known[0].entry("tokenizer.chat_template") is not None:
        return
    facts, loaded = known
    keys = ("general.name", "general.basename", "general.finetune")
    named = next((text for key in keys if (text := facts.text(key)) and _CHAT.search(text)), None)
    if named is not None and facts.architecture not in loaded.without_cache:
        yield Hit(None, {"name": named})


def broken_template(context: Context) -> Iterator[Hit]:
    """Chat templates that no program can render."""
    facts = model_facts(context)
    text = facts.text("tokenizer.chat_template") if facts is not None else None
    if text is not None:
        wrong = mistake(text)
        if wrong:
            yield Hit(None, {"mistake": wrong})


def dangerous_template(context: Context) -> Iterator[Hit]:
    """Chat templates that do more than format messages."""
    facts = model_facts(context)
    if facts is None:
        return
    for key, entry in facts.first.entries.items():
        if key.startswith("tokenizer.chat_template") and isinstance(entry.value, str):
            for found in dangers(entry.value):
                yield Hit(None, {"key": key, "part": found.text}, variant=found.kind)


def _with_tokens(context: Context) -> GgufFacts | None:
    """Return the facts of a model whose tokenizer llama.cpp reads."""
    known = known_facts(context)
    if known is None:
        return None
    facts, loaded = known
    model = facts.text("tokenizer.ggml.model")
    return facts if model in loaded.tokenizers - WITHOUT_TOKENS else None
