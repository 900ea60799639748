"""Names of variables in a checkpoint, from the graph's own operators that restore them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modellint.formats.protobuf import Message
from modellint.formats.savedmodel.bodies import Bodies, FunctionBody, ResultSource, StatedNode

_RESTORE = "RestoreV2"
_READ = "ReadVariableOp"
_CARRIES = "Identity IdentityN".split()
_NAMES = 1
"""Place of the names among the inputs of what restores."""
LONGEST_CHAIN = 10
MOST_RESTORED = 1 << 20


def checkpoint_names(bodies: Bodies, saver: Message | None) -> dict[str, str]:
    """Return the names in the checkpoint of variables, by the variables' nodes."""
    main = bodies.main
    found = dict(_restored(main, {}))
    restore = main.nodes.get(saver.text(3)) if saver is not None else None
    if restore is not None:
        function = bodies.functions.get(restore.attributes.function("f"))
        if function is not None:
            names = [each.name for each in function.arguments]
            given = [each.node for each in restore.sources if not each.is_control]
            found |= dict(_restored(function, dict(zip(names, given, strict=False))))
    for copy, original in _copied(main):
        if copy in found:
            found.setdefault(original, found[copy])
    return found


def _copied(body: FunctionBody) -> Iterator[tuple[str, str]]:
    """Iterate over variables that begin as what others are, as Keras saves its own, and those."""
    for node in body.nodes.values():
        read = body.nodes.get(node.sources[1].node) if len(node.sources) > 1 else None
        if read is not None and read.op == _READ and read.sources:
            yield node.sources[0].node, read.sources[0].node


def _restored(body: FunctionBody, arguments: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Iterate over variables that a body restores, each with its name in the checkpoint."""
    listed: dict[str, list[str]] = {}
    for node in body.nodes.values():
        if len(node.sources) < 2:
            continue
        variable, value = node.sources[:2]
        restore = _origin(body, value)
        if restore is None:
            continue
        read = body.nodes[restore.node]
        if restore.node not in listed:
            listed[restore.node] = _texts(body, read)
        names = listed[restore.node]
        if restore.place < len(names):
            yield arguments.get(variable.node, variable.node), names[restore.place]


def _origin(body: FunctionBody, at: ResultSource) -> ResultSource | None:
    """Return the result of an operator that restores which a value is, if it is one."""
    for _ in range(LONGEST_CHAIN):
        node = body.nodes.get(at.node)
        if node is None or node.op == _RESTORE:
            return at if node is not None else None
        if node.op not in _CARRIES or len(node.sources) <= at.place:
            return None
        at = node.sources[at.place]
    return None


def _texts(body: FunctionBody, restore: StatedNode) -> list[str]:
    names = body.nodes.get(restore.sources[_NAMES].node) if len(restore.sources) > _NAMES else None
    stated = names.attributes.tensor("value") if names is not None else None
    return stated.texts(8)[:MOST_RESTORED] if stated is not None else []
