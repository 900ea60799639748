"""Lifetimes of values: worked out by hand on small graphs, and as laws on random ones."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from modellint.analysis.liveness import liveness
from modellint.model import Model
from modellint.targets.deployment import Deployment
from tests.analysis.kept import export, graph

KB = 1024
X, Y = f"float[{KB}] x", f"float[{KB}] y"  # 4 kB each


def peak(model: Model) -> int:
    return liveness(model, Deployment()).peak


def test_a_result_is_written_over_what_dies() -> None:
    model = graph("a = Relu(x) b = Exp(a) y = ReduceMax<keepdims=1>(b)", X, "float[1] y")
    live = liveness(model, Deployment())
    assert live.apart.peak == 3 * 4 * KB  # the input stays the caller's
    assert live.peak == 2 * 4 * KB + 4


def test_a_view_costs_nothing() -> None:
    model = graph(
        "a = Transpose(x) b = Flatten(a) y = Transpose(b)", "float[32,32] x", "float[1024,1] y"
    )
    assert peak(model) == 3 * 4 * KB  # x, a and y


def test_an_input_is_never_written_over() -> None:
    assert peak(graph("a = Relu(x) y = Add(a, x)", X, Y)) == 3 * 4 * KB


def test_the_peak_names_its_node_and_its_tensors() -> None:
    model = graph("a = Concat<axis=0>(x, x, x, x) b = ReduceMax<keepdims=1>(a) y = Add(x, b)", X, Y)
    live = liveness(model, Deployment())
    assert live.peak_node is not None
    assert live.peak_node.op_type == "ReduceMax"
    assert [tensor.name for tensor in live.at_peak] == ["a", "x", "b"]


def test_the_order_takes_care_of_memory() -> None:
    """File order computes three wide tensors before it narrows the first."""
    wide = " ".join(f"w{i} = Concat<axis=0>(x, x, x, x)" for i in range(3))
    narrow = " ".join(f"n{i} = ReduceMax<keepdims=1>(w{i})" for i in range(3))
    model = graph(f"{wide} {narrow} y = Sum(n0, n1, n2)", X, "float[1] y")
    live = liveness(model, Deployment())
    assert live.peak < 4 * KB + 2 * 16 * KB
    assert [node.op_type for node in live.order][:2] == ["Concat", "ReduceMax"]


def test_a_subgraph_adds_what_it_needs_inside() -> None:
    text = """
        y = If (c) <
            then_branch = t () => (float[1024] u) { a = Exp(x)  b = Concat<axis=0>(a, a)
                                                    u = ReduceMax<keepdims=1>(b) },
            else_branch = e () => (float[1024] v) { v = Relu(x) }
        >
    """
    inside = peak(graph(text, f"bool c, {X}", Y))
    outside = peak(graph("y = Relu(x)", X, Y))
    assert inside > outside


def test_a_loop_needs_what_its_body_needs() -> None:
    def loop(body: str) -> int:
        text = f"""
            n = Constant<value = int64 {{5}}>()
            c = Constant<value = bool {{1}}>()
            y = Loop (n, c, x) <
                body = b (int64 i, bool k, float[1024] s) => (bool k2, float[1024] t) {{
                    k2 = Identity(k)
                    {body}
                }}
            >
        """
        return peak(graph(text, X, Y))

    narrow = loop("t = Exp(s)")
    wide = loop("a = Concat<axis=0>(s, s, s, s) t = ReduceMax<keepdims=1>(a)")
    assert wide >= narrow + 3 * 4 * KB


def test_a_value_that_a_subgraph_captures_stays_alive() -> None:
    text = """
        a = Exp(x)
        z = Concat<axis=0>(x, x)
        m = ReduceMax<keepdims=1>(z)
        y = If (c) <
            then_branch = t () => (float[1024] u) { u = Add(a, m) },
            else_branch = e () => (float[1024] v) { v = Relu(m) }
        >
    """
    live = liveness(graph(text, f"bool c, {X}", Y), Deployment())
    captured = next(tensor for tensor in live.apart.tensors if tensor.name == "a")
    assert live.apart.order[captured.last].nodes[0].op_type == "If"


def test_real_exports_have_no_tensor_of_unknown_size() -> None:
    for name in ("resnet50", "bert_base_uncased", "gpt2", "yolos_tiny", "swin_t"):
        assert liveness(export(name), Deployment()).unknown == []


def test_precision_halves_what_is_float() -> None:
    model = export("resnet50")
    wide, narrow = (liveness(model, Deployment(precision=p)).peak for p in ("fp32", "fp16"))
    assert narrow * 2 == wide


# Laws


@st.composite
def random_graphs(draw: st.DrawFn) -> str:
    """Graphs of pointwise ops and joins over tensors of a few sizes."""
    sizes = {"x": draw(st.integers(1, 64))}
    lines = []
    for at in range(draw(st.integers(1, 12))):
        names = sorted(sizes)
        one, other = draw(st.sampled_from(names)), draw(st.sampled_from(names))
        kind = draw(st.sampled_from(["Relu", "Exp", "Concat", "Add", "Identity"]))
        name = f"v{at}"
        if kind == "Concat":
            lines.append(f"{name} = Concat<axis=0>({one}, {other})")
            sizes[name] = sizes[one] + sizes[other]
        elif kind == "Add" and sizes[one] == sizes[other]:
            lines.append(f"{name} = Add({one}, {other})")
            sizes[name] = sizes[one]
        else:
            lines.append(f"{name} = {'Relu' if kind == 'Add' else kind}({one})")
            sizes[name] = sizes[one]
    last = f"v{len(lines) - 1}"
    lines.append(f"y = Neg({last})")
    return f"{' '.join(lines)}|float[{sizes['x']}] x|float[{sizes[last]}] y"


@settings(max_examples=60, deadline=None)
@given(random_graphs())
def test_the_peak_is_never_below_what_one_node_touches(text: str) -> None:
    body, inputs, outputs = text.split("|")
    model = graph(body, inputs, outputs)
    live = liveness(model, Deployment())

    def size(name: str) -> int:
        shape = model.graph.values[name].shape
        return 4 * int(shape[0] or 0) if shape else 0

    for node in model.graph.nodes:
        touched = {v.name for v in (*node.inputs, *node.outputs) if v is not None}
        if node.op_type == "Identity" or (len(touched) > 1 and node.op_type != "Concat"):
            # Views, and results over a dead input, share memory.
            assert live.apart.peak >= max(map(size, touched))
        else:
            assert live.peak >= sum(map(size, {_home(model, name) for name in touched}))
        if node.op_type != "Identity":
            inner = {name for name in touched if not _views(model, name)}
            assert live.apart.peak >= sum(map(size, inner))


def _home(model: Model, name: str) -> str:
    """The value in whose memory this one lies."""
    node = model.graph.values[name].producer
    viewed = node.input(0) if node is not None and node.op_type == "Identity" else None
    return _home(model, viewed.name) if viewed is not None else name


def _views(model: Model, name: str) -> bool:
    value = model.graph.values[name]
    return value is not None and value.producer is not None and value.producer.op_type == "Identity"


@settings(max_examples=60, deadline=None)
@given(random_graphs())
def test_reuse_never_costs_and_every_order_is_topological(text: str) -> None:
    live = liveness(graph(*text.split("|")), Deployment())
    assert live.peak <= live.apart.peak
    done: set[int] = set()
    for node in live.order:
        assert all(id(before) in done for before in node.predecessors)
        done.add(id(node))
    assert len(live.shared.timeline) == len(live.order)
