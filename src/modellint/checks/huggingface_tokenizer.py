"""Tokenizers, chat templates and special tokens of Hugging Face folders."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modellint.analysis.chat_template import dangers
from modellint.base.paths import real_path
from modellint.checks.api import Context, Hit
from modellint.formats.huggingface.config import JsonTable, natural
from modellint.formats.huggingface.facts import FolderFacts, folder_facts
from modellint.results.finding import Severity

TOKENIZER, TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"
TEMPLATE = "chat_template.jinja"
OLD_TEMPLATE = "chat_template.json"
_SPECIAL = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
_CHATS = re.compile(r"(?<![a-z])(?:instruct|chat|it)(?![a-z])", re.IGNORECASE)
_MARKERS = ("<|im_start|>", "<start_of_turn>", "<|start_header_id|>", "[INST]", "<|user|>")
"""Tokens that begin a message of a chat."""


def tokenizer_exceeds_embeddings(context: Context) -> Iterator[Hit]:
    """Tokenizers with more tokens than there are embeddings."""
    facts, rows = folder_facts(context.model), _vocabulary(context)
    if rows is None or TOKENIZER not in facts.names:
        return
    tokenizer = facts.other(TOKENIZER)
    highest = _highest(_tokens(tokenizer.table("model")))
    added = max(
        filter(None, (each.number("id") for each in tokenizer.tables("added_tokens"))), default=-1
    )
    if highest >= rows:
        yield Hit(None, {"highest": highest, "rows": rows})
    elif added >= rows:
        tokens = [each for each in tokenizer.tables("added_tokens") if each.number("id") == added]
        said = {"highest": added, "rows": rows, "token": tokens[0].text("content")}
        yield Hit(None, said, variant="added", severity=Severity.WARNING)


def _tokens(model: JsonTable) -> list[object]:
    """Return the ids of a vocabulary: a table of them, or a list of tokens in their order."""
    listed = model.items("vocab")
    return list(range(len(listed))) if listed else list(model.table("vocab").values())


def _highest(ids: list[object]) -> int:
    return max((number for each in ids if (number := natural(each)) is not None), default=-1)


def token_outside_vocabulary(context: Context) -> Iterator[Hit]:
    """Special tokens beyond the vocabulary."""
    facts, rows = folder_facts(context.model), _vocabulary(context)
    if rows is None:
        return
    seen: set[tuple[str, int]] = set()
    for file in ("config.json", "generation_config.json"):
        config = facts.config(file)
        for key in _SPECIAL:
            ids = [natural(each) for each in (config.items(key) or [config.get(key)])]
            beyond = [number for number in ids if number is not None and number >= rows]
            if beyond and (key, beyond[0]) not in seen:
                seen.add((key, beyond[0]))
                refused = file == "config.json" and key == "pad_token_id"
                said = {"config": file, "key": key, "id": beyond[0], "rows": rows}
                yield Hit(None, said, severity=Severity.ERROR if refused else None)


def chat_template_twice(context: Context) -> Iterator[Hit]:
    """Two chat templates that are not the same."""
    facts = folder_facts(context.model)
    inside = facts.config(TOKENIZER_CONFIG).text("chat_template")
    apart = facts.text(TEMPLATE)
    if inside and apart and inside.strip() != apart.strip():
        yield Hit(None, {"used": TEMPLATE, "ignored": TOKENIZER_CONFIG})


def chat_template_missing(context: Context) -> Iterator[Hit]:
    """Models for chats, by their names and tokens, without a chat template."""
    facts = folder_facts(context.model)
    config = facts.config(TOKENIZER_CONFIG)
    if not config or any(_templates(facts)) or not context.model.architecture:
        return
    name = f"{facts.config().text('_name_or_path')} {real_path(facts.folder).name}"
    table = config.table("added_tokens_decoder")
    tokens = {table.table(key).text("content") for key in table}
    markers = [marker for marker in _MARKERS if marker in tokens]
    if markers and _CHATS.search(name):
        yield Hit(None, {"marker": markers[0]})


def template_runs_code(context: Context) -> Iterator[Hit]:
    """Chat templates that do more than format messages."""
    for file, template in _templates(folder_facts(context.model)):
        for danger in dangers(template):
            yield Hit(None, {"config": file, "kind": danger.kind, "text": danger.text})


def _templates(facts: FolderFacts) -> Iterator[tuple[str, str]]:
    """Iterate over all chat templates of a folder, with the files that they are in."""
    config = facts.config(TOKENIZER_CONFIG)
    texts = [config.text("chat_template")]
    texts += [each.text("template") for each in config.tables("chat_template")]
    yield from ((TOKENIZER_CONFIG, text) for text in texts if text)
    apart = facts.text(TEMPLATE)
    if apart:
        yield TEMPLATE, apart
    old = facts.other(OLD_TEMPLATE).text("chat_template")
    if old:
        yield OLD_TEMPLATE, old


def _vocabulary(context: Context) -> int | None:
    """Return the rows of the table of embeddings, by the configuration."""
    architecture = context.model.architecture
    return architecture.vocabulary if architecture is not None else None
