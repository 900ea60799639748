"""The WebNN graph that a model would become: its operators, types and shapes.

`conversion.convert` maps a model to a `graphs.MLGraph`; `writing` and `javascript` write
that down. `builder` validates each operator as a browser's `MLGraphBuilder` does.
"""
