"""Rules that predict a refusal, compared with the runtimes: every example of every such rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from modellint.checks.probe import find_node
from modellint.formats import read_model
from modellint.probes import ProbeRequest, probe
from modellint.probes.agreement import confront
from modellint.probes.backends import known_backends
from modellint.probes.outcome import Outcome
from modellint.results.finding import Finding, Location, Severity
from modellint.rules.registry import load_rules
from modellint.rules.rule import Example, Rule
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from modellint.targets.shapes import parse_shape
from tests.runtimes import ONNXRUNTIME, TENSORRT_RTX

BACKENDS = {
    "tensorrt": TENSORRT_RTX,  # in its place: TensorRT itself needs a GPU
    "tensorrt-rtx": TENSORRT_RTX,
    "onnxruntime": ONNXRUNTIME,
    "openvino": known_backends()["openvino"],
}
PREDICTING = [
    rule
    for rule in load_rules(plugins=False).values()
    if rule.refused and "probe" not in rule.needs
]


@dataclass(frozen=True)
class Answer:
    """A rule's and a runtime's verdicts on one example."""

    rule: Rule
    name: str
    example: Example
    predicted: bool
    outcome: Outcome
    places: frozenset[str]

    @property
    def agrees(self) -> bool:
        refused = self.outcome.status == "refused"
        named = self.places and self.example.at and not self.outcome.of("model-refused")
        right_place = not named or self.places & set(self.example.at)
        return refused == self.predicted and bool(not refused or right_place)

    def __str__(self) -> str:
        said = "; ".join(each.text or each.kind for each in self.outcome.remarks[:2])
        return f"{self.name}: {self.outcome.status} at {sorted(self.places)} {said}"


def answers(folder: Path) -> list[Answer]:
    found = []
    for rule in PREDICTING:
        for predicted, examples in ((True, rule.examples.invalid), (False, rule.examples.valid)):
            for number, example in enumerate(examples):
                name = f"{rule.code} {'invalid' if predicted else 'valid'} {number}"
                runtime = example.runtime or ("tensorrt" if example.target else "")
                beyond = runtime == "onnxruntime" and example.target  # a GPU, which is not here
                is_asked = runtime in BACKENDS and BACKENDS[runtime].installation is not None
                if is_asked and runtime in rule.runtimes and example.model and not beyond:
                    found.append(ask(rule, name, example, predicted, runtime, folder))
    return found


def ask(
    rule: Rule, name: str, example: Example, predicted: bool, runtime: str, folder: Path
) -> Answer:
    path = folder / f"{name.replace(' ', '-')}.onnxtxt"
    path.write_text(example.model, encoding="utf-8")
    model = read_model(path)
    backend = BACKENDS[runtime]
    on_gpu = backend is TENSORRT_RTX
    deployment = Deployment(
        target=find_target(example.target or "a10") if on_gpu else None,
        runtime=runtime,
        shapes={key: parse_shape(text) for key, text in example.shapes.items()},
    )
    outcome = probe(model, deployment, ProbeRequest(backend.name))
    nodes = [find_node(model, remark) for remark in outcome.remarks]
    places = frozenset(node.label for node in nodes if node is not None)
    return Answer(rule, name, example, predicted, outcome, places)


@pytest.mark.skipif(
    TENSORRT_RTX.module is None or ONNXRUNTIME.module is None,
    reason=f"{TENSORRT_RTX.install} and {ONNXRUNTIME.install}",
)
@pytest.mark.usefixtures("warm")
def test_predictions_come_true(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Every disagreement is explained in the rule's file, and every explanation is of one."""
    said = answers(tmp_path)
    agreeing = sum(answer.agrees for answer in said)
    record_property(
        "summary",
        f"rules and runtimes: {agreeing} of {len(said)} predictions of {len(PREDICTING)} rules "
        f"come true ({agreeing / len(said):.0%})",
    )
    unexplained = [str(each) for each in said if not each.agrees and not each.example.contradicted]
    assert not unexplained, "\n".join(unexplained)
    outdated = [str(each) for each in said if each.agrees and each.example.contradicted]
    assert not outdated, "\n".join(outdated)
    assert agreeing / len(said) > 0.85


# The marking itself.


def finding(code: str, node: str | None, runtime: str = "tensorrt") -> Finding:
    place = Location(graph="main", node=node, index=0 if node else None)
    return Finding(code, "", "", Severity.ERROR, "Refused.", "m.onnx", place, runtime=runtime)


def verdicts(outcome: Outcome, *findings: Finding) -> list[object]:
    confronted = confront(findings, [outcome], {"QNT001"}, {"TRT010"})
    return [each.evidence.get("probe") for each in confronted]


REFUSED = Outcome("refused", backend="tensorrt-rtx", version="1.7", target="a10")
TAKEN = Outcome("accepted", backend="tensorrt-rtx", version="1.7", target="a10")


def test_a_prediction_that_comes_true_is_confirmed() -> None:
    both = finding("QNT001", "q"), finding("TRT010", "q")
    assert verdicts(REFUSED, *both) == ["confirmed", "foreseen"]


def test_a_refusal_that_no_rule_predicted() -> None:
    both = finding("QNT001", "q"), finding("TRT010", "other")
    assert verdicts(REFUSED, *both) == [None, "unforeseen"]


def test_a_prediction_that_the_runtime_contradicts_is_no_error_any_more() -> None:
    (confronted,) = confront((finding("QNT001", "q"),), [TAKEN], {"QNT001"}, {"TRT010"})
    assert confronted.severity is Severity.INFO
    assert confronted.evidence["probe"] == "contradicted"
    assert confronted.message.endswith("TensorRT for RTX 1.7 accepted the model.")


def test_other_runtimes_and_other_rules_are_left_alone() -> None:
    elsewhere = finding("QNT001", "q", runtime="onnxruntime")
    assert verdicts(TAKEN, elsewhere, finding("NUM001", "q")) == [None, None]


@pytest.mark.parametrize("status", ["crashed", "hung", "unanswered"])
def test_who_gave_no_answer_proves_nothing(status: str) -> None:
    silent = Outcome(status, backend="tensorrt-rtx")  # type: ignore[arg-type]
    assert verdicts(silent, finding("QNT001", "q")) == [None]
