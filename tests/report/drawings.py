"""Graphs to draw, made by hand, of any size."""

from __future__ import annotations

from collections.abc import Sequence

from modellint.results.drawing import Drawing, DrawnGroup, DrawnNode, DrawnValue

IN_BLOCK = 10


def drawing_of(blocks: int, names: Sequence[str] = (), *, grouped: bool = True) -> Drawing:
    """Return a chain of residual blocks of ten nodes each, as one stack unless not `grouped`."""
    drawing = Drawing(values=[DrawnValue("input", "float32 1×64×56×56", "input")])
    if grouped:
        drawing.groups.append(DrawnGroup("residual", "stack", count=blocks))
    at = 0
    for block in range(blocks):
        if grouped:
            drawing.groups.append(DrawnGroup(f"/layers.{block}", "block", parent=0))
        start = at
        for step in range(IN_BLOCK):
            name = names[len(drawing.nodes) % len(names)] if names else f"/layers.{block}/n{step}"
            is_end = step == IN_BLOCK - 1
            drawing.nodes.append(
                DrawnNode(
                    name,
                    "Add" if is_end else "Relu" if step % 2 else "Conv",
                    "main",
                    len(drawing.nodes),
                    block + 1 if grouped else None,
                    inputs=[at, start] if is_end else [at],
                    outputs=[len(drawing.values)],
                    attributes=[(name, name)],
                    macs=0 if step % 2 else 1000 * (step + 1),
                    bytes=4096,
                    precision="fp16",
                    quantized=step == 3,
                )
            )
            at = len(drawing.values)
            drawing.values.append(DrawnValue(f"{name}:0", "float32 1×64×56×56"))
    drawing.values[-1] = DrawnValue("output", "float32 1×64×56×56", "output")
    return drawing
