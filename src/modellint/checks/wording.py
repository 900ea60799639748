"""Formatting of hits with the messages of their rules."""

from __future__ import annotations

from modellint.checks.api import Hit, Place
from modellint.model import Model, Node, Problem, Tensor, Value
from modellint.rules.message import fill
from modellint.rules.rule import Rule
from modellint.targets.deployment import Deployment


def problem_hit(problem: Problem, rule: Rule, model: Model) -> Hit:
    """Convert a problem of the file to a hit of the rule that reports it."""
    place = _place(model, problem.value) if problem.value else None
    variant = next((fact for fact in problem.facts.values() if fact in rule.messages), "")
    facts: dict[str, object] = {"location": model.path.name, **problem.facts}
    if rule.together:
        facts["rest"] = ""
    return Hit(place, facts, variant=str(variant))


def _place(model: Model, name: str) -> Place:
    """Return the value of a name; in a file without a graph, the tensor."""
    if model.has_graph:
        return model.graph.resolve(name)
    return next((tensor for tensor in model.tensors if tensor.name == name), None)


def words_of(hit: Hit, file: str, deployment: Deployment | None = None) -> dict[str, object]:
    """Return all facts available to the rule's texts."""
    words = {**_names(hit.place), **hit.facts, "file": file, "count": hit.count}
    if deployment is not None:
        words |= {
            "target": deployment.target.name if deployment.target else "the target",
            "runtime": deployment.runtime_name,
            "precision": deployment.precision or "its stored precision",
        }
    return words


def message_of(hit: Hit, rule: Rule, words: dict[str, object]) -> str:
    return fill(rule.messages[hit.variant] if hit.variant else rule.message, words)


def _names(place: Place) -> dict[str, object]:
    """Return the facts of all messages: ``{node}``, ``{op}``, ``{value}``, ``{graph}``."""
    if isinstance(place, Node):
        return {"node": place.label, "op": place.qualified_op, "graph": place.graph.path}
    if isinstance(place, Value):
        return {"value": place.name, "graph": place.graph.path}
    if isinstance(place, Tensor):
        return {"value": place.name}
    return {"graph": place.path if place is not None else ""}
