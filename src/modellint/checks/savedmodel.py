"""TensorFlow's SavedModels: side effects of running them, and requirements for loading."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.checks.api import Context, Hit
from modellint.formats.savedmodel.facts import SavedModelFacts, saved_model_facts
from modellint.formats.savedmodel.results import registered

_FILES = ("WriteFile", "ReadFile", "MatchingFiles", "DeleteFile", "CopyFile", "RenameFile")
_PYTHON = ("PyFunc", "PyFuncStateless", "EagerPyFunc")
_SERVE = "serve"
_TRAINING = ("/.OPTIMIZER_SLOT/", "optimizer/_variables/", "optimizer/iter", "/_optimizer/")
_DEFINED_HERE = ("DELEGATE", "_")
"""Beginnings of names of operators that runtimes make."""


def _facts(context: Context) -> SavedModelFacts:
    return saved_model_facts(context.model) or SavedModelFacts((), {}, {}, {}, 0, ())


def touches_files(context: Context) -> Iterator[Hit]:
    """Operators that read or write files of the computer that runs the model."""
    facts = _facts(context)
    for op in _FILES:
        if op in facts.operators:
            yield Hit(None, {"op": op, "node": facts.places[op]}, count=facts.operators[op])
    for written in facts.written_files:
        yield Hit(None, {"printed": written}, variant="print")


def python_function(context: Context) -> Iterator[Hit]:
    """Operators that call a function of the process that saved the model."""
    facts = _facts(context)
    found = [op for op in _PYTHON if op in facts.operators]
    if found:
        named = {"op": found[0], "node": facts.places[found[0]]}
        yield Hit(None, named, count=sum(facts.operators[op] for op in found))


def custom_operator(context: Context) -> Iterator[Hit]:
    """Operators that TensorFlow does not have."""
    facts, known = _facts(context), registered()
    for op in facts.operators:
        if op not in known.operators and not op.startswith(_DEFINED_HERE):
            named = {"op": op, "node": facts.places[op], "release": known.release}
            yield Hit(None, named, count=facts.operators[op])


def not_tagged_for_serving(context: Context) -> Iterator[Hit]:
    """Graphs without the tag that servers ask for."""
    tags = _facts(context).tags
    if tags and not any(_SERVE in each for each in tags):
        yield Hit(None, {"tags": list(tags[0])}, variant="" if tags[0] else "none")


def no_signature(context: Context) -> Iterator[Hit]:
    """Models without anything that a server can call."""
    facts = _facts(context)
    if facts.tags and not facts.signatures:
        yield Hit()


def training_variables(context: Context) -> Iterator[Hit]:
    """Variables that only training reads."""
    tensors = context.model.tensors
    size = sum(each.nbytes for each in tensors if any(part in each.name for part in _TRAINING))
    if size and size >= context.options["min-bytes"]:
        yield Hit(None, {"size": size, "share": size / context.model.weight_bytes})
