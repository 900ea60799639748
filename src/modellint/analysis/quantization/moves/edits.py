"""Edits of pairs, the moves that consist of them, and their names."""

from __future__ import annotations

from typing import Any, Literal

from modellint.analysis.quantization.parts import Converter, WeightedOp
from modellint.analysis.quantization.scheme import Scheme
from modellint.base.records import dataclass
from modellint.model import Node, Use, Value

Action = Literal["insert", "remove", "replace"]
Form = Literal["same", "unsigned", "from-zero", "calibrate", "weight"]
"""Relation of a pair's parameters to its scheme: as they are, as uint8 of the same numbers, or as
uint8 of the numbers from zero up. Without a scheme they are calibrated, or taken from a weight."""

EditKey = tuple[str, int]

_MOST_NAMED = 3
"""Most edits to be named."""


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """A pair to be inserted, removed or replaced on an edge."""

    action: Action
    value: Value
    """The float value that the pair quantizes."""
    uses: tuple[Use, ...]
    """The consumers that read, or will read, the result of the pair."""
    form: Form = "same"
    scheme: Scheme | None = None
    scale: float | None = None
    """The scale that a bias implies, where there is no scheme."""

    @property
    def key(self) -> EditKey:
        """Return its identity among the edits that layers need: one per action and edge."""
        return self.action, id(self.value)

    def to_json(self) -> dict[str, Any]:
        """Return the edit as JSON data."""
        like = self.scheme.node.label if self.scheme is not None else None
        return {
            "action": self.action,
            "value": self.value.name,
            "uses": [{"node": use.node.label, "input": use.index} for use in self.uses],
            "form": self.form,
            "like": like,
            "scale": self.scale,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """Edits that belong together, and the layers that they make integer."""

    edits: tuple[Edit, ...]
    node: Node
    """The node that it is about: a layer, an addition, or the Q or DQ of a pair to be removed."""
    ops: tuple[WeightedOp, ...] = ()
    """The layers that become integer."""
    conversions: int = 0
    """Number of Q and DQ of activations that no longer run on their own; negative if more do."""

    @property
    def only_removes(self) -> bool:
        return all(edit.action == "remove" for edit in self.edits)

    @property
    def what(self) -> str:
        """Return what to do as a sentence without a full stop."""
        said: list[str] = []
        left = list(self.edits)
        while left:
            edit = left.pop(0)
            target = _target(edit, left)
            if target is not None:
                left.remove(target)
                said.append(_moved(edit, target))
            else:
                said.append(_alone(edit, self.node))
        if len(said) > _MOST_NAMED + 1:
            said[_MOST_NAMED:] = [f"and {len(said) - _MOST_NAMED} more pairs like it"]
        text = ", ".join(said)
        return text[:1].upper() + text[1:]


def removal(quantizer: Converter, reader: Node) -> Edit:
    """Return the removal of a pair before the first input of a node."""
    return Edit("remove", quantizer.source, (Use(reader, 0),), "same", quantizer.scheme)


def _target(edit: Edit, others: list[Edit]) -> Edit | None:
    """Return the insertion that a removal makes a move."""
    if edit.action != "remove" or not edit.uses:
        return None
    reader = edit.uses[0].node
    wanted = (reader.output(), *reader.inputs)
    return next(
        (e for e in others if e.action == "insert" and any(e.value is v for v in wanted)), None
    )


def _moved(edit: Edit, target: Edit) -> str:
    reader = edit.uses[0].node
    if any(target.value is value for value in reader.inputs):
        layer = edit.value.producer
        branch = f" of {_named(layer)}" if layer is not None else ""
        return f"move the pair from before {_named(reader)} to the skip branch{branch}"
    return f"move the pair from before {_named(reader)} to after it{_from_zero(target)}"


def _alone(edit: Edit, node: Node) -> str:
    place = _place(edit.value)
    readers = [use.node for use in edit.uses]
    if edit.form == "weight":
        implied = " with the scales that its bias implies" if edit.scale is not None else ""
        return f"quantize the weight of {_named(node)}{implied}"
    if edit.action == "replace":
        form = "uint8 from zero" if edit.form == "from-zero" else "uint8 of the same scale"
        return f"replace the pair {place} by {form}"
    if edit.action == "remove":
        return _removed(edit, node)
    if _is_there(edit) and readers:
        rest = f" and {len(readers) - 1} more" if len(readers) > 1 else ""
        return f"let {_named(readers[0])}{rest} read the pair {place}"
    if edit.scheme is not None:
        return f"insert a pair {place} like that of '{edit.scheme.node.label}'"
    scale = f" with scale {edit.scale:.3g}, which the bias implies" if edit.scale else ""
    return f"insert a pair {place}{_from_zero(edit)}{scale}"


def _removed(edit: Edit, node: Node) -> str:
    source, result = _named_source(edit.value), node.output()
    if not edit.uses:
        return f"remove the pair between {source} and output '{result.name if result else ''}'"
    readers = _named(edit.uses[0].node)
    if len(edit.uses) < _readers_of_pair(edit):
        rest = f" and {len(edit.uses) - 1} more" if len(edit.uses) > 1 else ""
        return f"let {readers}{rest} read {source} from before the pair"
    return f"remove the pair between {source} and {readers}"


def _readers_of_pair(edit: Edit) -> int:
    """Return the number of readers of all DQs of the pair that an edit removes."""
    quantized = edit.scheme.node.output() if edit.scheme is not None else None
    results = (use.node.output() for use in quantized.consumers) if quantized is not None else ()
    return sum(len(result.consumers) for result in results if result is not None)


def _from_zero(edit: Edit) -> str:
    return ", as uint8 from zero" if edit.form == "from-zero" else ""


def _is_there(edit: Edit) -> bool:
    """Return True if the pair to insert is one that quantizes the value already."""
    like = edit.scheme.node if edit.scheme is not None and edit.form == "same" else None
    return like is not None and like.input(0) is edit.value


def _place(value: Value) -> str:
    return (
        f"after {_named_source(value)}"
        if value.producer is not None
        else f"on input '{value.name}'"
    )


def _named_source(value: Value) -> str:
    return _named(value.producer) if value.producer is not None else f"'{value.name}'"


def _named(node: Node) -> str:
    return f"{node.op_type} '{node.label}'"
