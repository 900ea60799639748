"""Records the operators of TensorFlow, and small SavedModels with what TensorFlow reads of them.

    PYTHON_WITH_TENSORFLOW tools/record_tensorflow.py

Writes `operators.json` and `messages.json` in `src/modellint/formats/savedmodel`,
`tests/data/tensorflow/NAME` and `tests/data/tensorflow/models.json`.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import op_def_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data" / "tensorflow"
FORMAT = ROOT / "src" / "modellint" / "formats" / "savedmodel"
OPERATORS = FORMAT / "operators.json"
MESSAGES = FORMAT / "messages.json"


def operators() -> dict[str, str]:
    """Return the results of each operator: `values:T indices:index_type=3`, `output:T*N`."""
    listed = op_def_pb2.OpList()
    listed.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    return {
        op.name: " ".join(_result(each, _defaults(op)) for each in op.output_arg)
        for op in sorted(listed.op, key=lambda op: op.name)
    }


def messages(root: Any) -> dict[str, dict[int, str]]:
    """Return the messages below one, and in each the kinds of its messages; ``""`` is a text."""
    found: dict[str, dict[int, str]] = {}
    waiting = [root]
    while waiting:
        message = waiting.pop()
        if message.full_name in found:
            continue
        inner = {each.number: each.message_type for each in message.fields if each.message_type}
        texts = [each.number for each in message.fields if each.type == each.TYPE_STRING]
        waiting += inner.values()
        fields = {number: each.full_name for number, each in inner.items()}
        found[message.full_name] = dict(sorted((fields | dict.fromkeys(texts, "")).items()))
    return dict(sorted(found.items()))


def _defaults(op: Any) -> dict[str, str]:
    """Return the types that are assumed where none is stated."""
    return {each.name: f"={each.default_value.type}" for each in op.attr if each.type == "type"}


def _result(stated: Any, defaults: dict[str, str]) -> str:
    if stated.type_list_attr:
        return f"{stated.name}:*{stated.type_list_attr}"
    count = f"*{stated.number_attr}" if stated.number_attr else ""
    default = defaults.get(stated.type_attr, "").removesuffix("=0")
    return f"{stated.name}:{stated.type_attr or stated.type}{default}{count}"


class Linear(tf.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable(tf.reshape(tf.range(12.0), (4, 3)))
        self.bias = tf.Variable(tf.cast(tf.ones(3), tf.bfloat16))
        self.steps = tf.Variable(7, dtype=tf.int64)
        self.words = tf.Variable(["a", "bc"])

    @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])  # type: ignore[untyped-decorator]
    def score(self, features: Any) -> Any:
        return {"scores": features @ self.weight + tf.cast(self.bias, tf.float32)}


class Network(tf.Module):  # type: ignore[misc]
    """Operators with channels last, shapes that are computed, a loop and a choice."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(tf.ones((3, 3, 4, 8)))
        self.depthwise = tf.Variable(tf.ones((3, 3, 8, 2)))
        self.table = tf.Variable(tf.ones((40, 6)))
        self.square = tf.Variable(tf.ones((6, 6)))

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec((None, 17, 19, 4), tf.float32),
            tf.TensorSpec((None, 5), tf.int64),
        ]
    )
    def run(self, image: Any, words: Any) -> Any:
        pads = [[0, 0], [1, 2], [0, 3], [0, 0]]
        x = tf.nn.conv2d(image, self.kernel, [1, 2, 2, 1], pads)
        x = tf.nn.relu6(tf.nn.depthwise_conv2d(x, self.depthwise, [1, 1, 1, 1], "SAME"))
        x = tf.image.resize(tf.pad(x, [[0, 0], [1, 1], [2, 2], [0, 0]]), (16, 24))
        left, right = tf.split(tf.nn.space_to_depth(x, 2), 2, axis=-1)
        left = tf.nn.avg_pool2d(left, 3, 2, "VALID")
        best, places = tf.math.top_k(tf.reshape(left, (tf.shape(left)[0], -1)), 7)
        rows = tf.stack(tf.unstack(tf.gather(self.table, words), axis=1)[:3], axis=1)
        scores = tf.nn.softmax(tf.matmul(rows, rows, transpose_b=True))
        cut = tf.tile(scores, [1, 2, 1])[:, ::2, tf.newaxis]
        flat = tf.reshape(rows, (-1, 6))
        _, flat = tf.while_loop(
            lambda at, _: at < 3, lambda at, now: (at + 1, now @ self.square), [0, flat]
        )
        flat = tf.cond(tf.reduce_sum(flat) > 0, lambda: flat @ self.square, lambda: flat * 2)
        return {
            "best": tf.math.squared_difference(best, tf.reduce_mean(best, -1, keepdims=True)),
            "cut": tf.transpose(tf.squeeze(cut, [2]), [0, 2, 1]),
            "flat": tf.concat([flat, flat[:, :2]], -1),
            "hot": tf.one_hot(words, 9),
            "places": tf.cast(places, tf.float32),
            "right": tf.reduce_sum(right, [1, 2]),
        }


def save_old(path: Path) -> None:
    """Save as TensorFlow 1 did, with a tag that nothing asks for by itself."""
    old = tf.compat.v1
    with tf.Graph().as_default(), old.Session() as session:
        features = old.placeholder(tf.float32, (None, 2), "features")
        weight = old.get_variable("weight", initializer=tf.ones((2, 3)))
        signature = old.saved_model.predict_signature_def(
            {"features": features}, {"scores": features @ weight}
        )
        session.run(old.global_variables_initializer())
        builder = old.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["mine"], {"serving_default": signature})
        builder.save()


def truth(path: Path) -> dict[str, Any]:
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((path / "saved_model.pb").read_bytes())
    (graph,) = saved.meta_graphs
    nodes = [*graph.graph_def.node]
    for function in graph.graph_def.library.function:
        nodes += function.node_def
    signatures = {
        key: [_infos(stated.inputs), _infos(stated.outputs)]
        for key, stated in graph.signature_def.items()
        if not key.startswith("__")
    }
    checkpoint = tf.train.load_checkpoint(str(path / "variables" / "variables"))
    variables = {
        key: [dtype.name, checkpoint.get_variable_to_shape_map()[key], _sum(checkpoint, key, dtype)]
        for key, dtype in checkpoint.get_variable_to_dtype_map().items()
        if not key.startswith("_")
    }
    return {
        "runs": runs(path),
        "operators": dict(Counter(node.op for node in nodes)),
        "tags": list(graph.meta_info_def.tags),
        "signatures": signatures,
        "variables": variables,
    }


CARRIES = ("Const", "Identity", "NoOp", "Placeholder", "ReadVariableOp")


def frozen_graph(path: Path) -> Any:
    """Return the main signature as a function whose variables are constants."""
    loaded = tf.saved_model.load(str(path), ["mine"] if path.name == "old" else None)
    return convert_variables_to_constants_v2(
        loaded.signatures["serving_default"], lower_control_flow=False
    )


def freeze(path: Path) -> dict[str, Any]:
    """Write the frozen graph of a model next to it; return what TensorFlow reads of that."""
    frozen = frozen_graph(path)
    definition = frozen.graph.as_graph_def()
    path.with_suffix(".pb").write_bytes(definition.SerializeToString(deterministic=True))
    return {
        "inputs": [[each.op.name, each.dtype.name, each.shape.as_list()] for each in frozen.inputs],
        "outputs": [each.op.name for each in frozen.outputs],
        "weights": [
            [node.name, float(tf.make_ndarray(node.attr["value"].tensor).astype("float64").sum())]
            for node in definition.node
            if node.op == "Const" and node.attr["dtype"].type == tf.float32.as_datatype_enum
        ],
    }


def runs(path: Path) -> list[Any]:
    """Return each operator that the main signature runs, with shapes where the batch is 2."""
    frozen = frozen_graph(path)
    definition = frozen.graph.as_graph_def()
    for node in definition.node:
        node.attr.pop("_output_shapes", None)
    with tf.Graph().as_default() as graph:
        given = {
            f"{each.op.name}:0": tf.compat.v1.placeholder(
                each.dtype, [size or 2 for size in each.shape.as_list()]
            )
            for each in frozen.inputs
            if each.dtype != tf.resource
        }
        tf.graph_util.import_graph_def(definition, input_map=given, name="")
    return sorted(
        [each.type, each.name.rpartition("PartitionedCall/")[2], _shapes(each)]
        for each in graph.get_operations()
        if each.type not in CARRIES
    )


def _shapes(operation: Any) -> list[Any]:
    return [None if each.shape.rank is None else each.shape.as_list() for each in operation.outputs]


def _infos(stated: Any) -> dict[str, Any]:
    return {
        key: [tf.as_dtype(info.dtype).name, [dim.size for dim in info.tensor_shape.dim]]
        for key, info in stated.items()
    }


def _sum(checkpoint: Any, key: str, dtype: Any) -> float | None:
    if dtype == tf.string:
        return None
    return float(checkpoint.get_tensor(key).astype("float64").sum())


def _write(path: Path, record: Any) -> None:
    path.write_text(f"{json.dumps(record, separators=(',', ':'))}\n", encoding="utf-8")


def main() -> None:
    record = {"release": tf.__version__, "operators": operators()}
    _write(OPERATORS, record)
    declared = messages(saved_model_pb2.SavedModel.DESCRIPTOR)
    _write(MESSAGES, {"release": tf.__version__, "messages": declared})
    shutil.rmtree(DATA, ignore_errors=True)
    module = Linear()
    tf.saved_model.save(module, str(DATA / "linear"), signatures=module.score)
    save_old(DATA / "old")
    network = Network()
    tf.saved_model.save(network, str(DATA / "network"), signatures=network.run)
    models = {name: truth(DATA / name) for name in ("linear", "old", "network")}
    models["network"]["frozen"] = freeze(DATA / "network")
    (DATA / "models.json").write_text(f"{json.dumps(models)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
