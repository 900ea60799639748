"""Records the operators of TensorFlow, and small SavedModels with what TensorFlow reads of them.

    PYTHON_WITH_TENSORFLOW tools/record_tensorflow.py

Writes `src/modellint/formats/savedmodel/operators.json`, `tests/data/tensorflow/NAME` and
`tests/data/tensorflow/models.json`.
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

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data" / "tensorflow"
OPERATORS = ROOT / "src" / "modellint" / "formats" / "savedmodel" / "operators.json"


def operators() -> list[str]:
    listed = op_def_pb2.OpList()
    listed.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    return sorted(each.name for each in listed.op)


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
        "operators": dict(Counter(node.op for node in nodes)),
        "tags": list(graph.meta_info_def.tags),
        "signatures": signatures,
        "variables": variables,
    }


def _infos(stated: Any) -> dict[str, Any]:
    return {
        key: [tf.as_dtype(info.dtype).name, [dim.size for dim in info.tensor_shape.dim]]
        for key, info in stated.items()
    }


def _sum(checkpoint: Any, key: str, dtype: Any) -> float | None:
    if dtype == tf.string:
        return None
    return float(checkpoint.get_tensor(key).astype("float64").sum())


def main() -> None:
    record = {"release": tf.__version__, "operators": operators()}
    OPERATORS.write_text(f"{json.dumps(record, separators=(',', ':'))}\n", encoding="utf-8")
    shutil.rmtree(DATA, ignore_errors=True)
    module = Linear()
    tf.saved_model.save(module, str(DATA / "linear"), signatures=module.score)
    save_old(DATA / "old")
    models = {name: truth(DATA / name) for name in ("linear", "old")}
    (DATA / "models.json").write_text(f"{json.dumps(models)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
