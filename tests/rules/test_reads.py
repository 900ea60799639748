"""Rule files state what their rules read of a model, and the rules read nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from modellint.analysis.quantization import QuantizationMap
from modellint.base.errors import UsageError
from modellint.capability import Capability
from modellint.checks.api import Analyses, Context
from modellint.checks.resolve import resolve_check
from modellint.examples import (
    FIRES,
    Case,
    cases_of,
    deployment_of,
    probe_of,
    profile_of,
    write_files,
)
from modellint.formats import read_model
from modellint.formats.onnx.facts import OnnxFacts
from modellint.model import Model, Tensor
from modellint.rules.registry import load_rules, read_rule
from modellint.rules.rule import Rule
from modellint.targets.deployment import Deployment

T = TypeVar("T")

RULES = load_rules(plugins=False)
CASES = [
    pytest.param(case, id=case.name)
    for rule in RULES.values()
    if rule.problem is None and rule.check != "engine"
    for case in cases_of(rule)
    if case.kind == FIRES and not case.missing
]
ASK_FOR_OPSETS = {"FUS015", "FUS044", "HYG006", "VAL006"}
"""Rules about any network that tell old exports by their opset."""
WEIGH_ALL = {"LLM012"}
"""Rules about models without a graph that ask what their weights take: graphs may share them."""
PARTS = {
    "metadata": "metadata",
    "producer_name": "metadata",
    "producer_version": "metadata",
    "functions": "graph",
}


class UnstatedError(Exception):
    """A rule reads what its file does not state."""


class Unreadable:
    """Stands for a part of a model that must not be looked into."""

    name = ""

    def __init__(self, part: str) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        raise UnstatedError(f"{self._part}.{name}")

    def _refuse(self, *_: object) -> Any:
        raise UnstatedError(self._part)

    __bool__ = __iter__ = __len__ = __contains__ = __getitem__ = __str__ = _refuse
    __eq__ = __ne__ = _refuse
    __hash__ = object.__hash__


class UnreadableFacts(OnnxFacts):
    """Facts that only ONNX files state, for rules about files of every format."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        raise UnstatedError(f"{name} of ONNX files")


def _if_small(tensor: Tensor) -> object:
    return tensor.read() if tensor.small and tensor.read is not None else None


class Watched(Analyses):
    """Analyses that refuse the map of quantization to a rule that does not read it."""

    reads: frozenset[str] = frozenset()

    def get(self, analyse: Callable[[Model, Deployment], T]) -> T:
        if analyse is QuantizationMap and "quantization" not in self.reads:
            raise UnstatedError("quantization")
        return super().get(analyse)


def only_what_is_stated(model: Model, rule: Rule) -> None:
    """Make everything else of the model raise an error when it is read."""
    reads = {each.value for each in rule.reads}
    # Layers are the nodes of a graph, and weights its values if there is one.
    reads |= {"graph"} if reads & {"layers", "weights"} else set()
    reads |= {"graph"} if rule.code in WEIGH_ALL else set()
    # Layers of a measured run are found again in the graph, if there is one.
    reads |= {"graph"} if "profile" in rule.needs else set()
    if "graph" not in reads:
        model.graph = Unreadable("graph")  # type: ignore[assignment]
    for name, part in PARTS.items():
        if part not in reads:
            setattr(model, name, Unreadable(name))
    if not rule.dialect and rule.code not in ASK_FOR_OPSETS:
        model.format_facts = UnreadableFacts()


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("case", CASES)
def test_a_rule_reads_what_its_file_states(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = case.rule
    model = read_model(write_files(case.example, tmp_path))
    if not set(rule.reads) <= model.capabilities:
        return  # the engine does not ask
    only_what_is_stated(model, rule)
    if Capability.WEIGHTS not in rule.reads:
        monkeypatch.setattr(Tensor, "if_small", _if_small)
        monkeypatch.setattr(Tensor, "numpy", lambda tensor: Unreadable("weights").content)
    analyses = Watched(
        model, deployment_of(case.example), probe_of(case.example), profile_of(case.example)
    )
    analyses.reads = frozenset(rule.reads)
    options = {name: option.default for name, option in rule.options.items()}
    context = Context(rule, analyses, options | dict(case.example.options))
    assert len(list(resolve_check(rule)(context))) == case.example.findings


def test_every_rule_file_states_it() -> None:
    silent = [
        rule.code
        for rule in RULES.values()
        if rule.path is not None and "\nreads" not in rule.path.read_text(encoding="utf-8")
    ]
    assert not silent


def test_rules_about_problems_of_the_file_read_nothing() -> None:
    assert not [rule.code for rule in RULES.values() if rule.problem is not None and rule.reads]


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ('reads = ["grpah"]', "reads.0"),
        ('reads = ["target"]', "reads.0"),
        ('needs = ["weights"]', 'write reads = ["weights"]'),
        ("needs = [[]]", "needs.0"),
        ('operators = ["<softmx>"]', "<softmx>: no operators have this trait; did you mean"),
        ('examples.valid = [{ naem = "x" }]', "examples.valid.0.naem: unknown key"),
        ('examples.valid = [{ modl = "x" }]', "unknown key; did you mean 'model'?"),
        ('dialect = "onx"', "unknown dialect 'onx'; did you mean 'onnx'?"),
    ],
)
def test_a_mistake_is_shown(line: str, mistake: str, tmp_path: Path) -> None:
    path = tmp_path / "ACM001-some-rule.toml"
    texts = "\n".join(f'{key} = "x"' for key in ("summary", "message", "why", "fix"))
    path.write_text(f'severity = "info"\n{texts}\n{line}\nproblem = "corrupt"\n')
    with pytest.raises(UsageError) as caught:
        read_rule(path)
    assert mistake in str(caught.value)
