"""A graph as a JavaScript module, and its weights as a file next to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from modellint.webnn.graphs import MLCall, MLConstant, MLGraph, MLOperand

ALIGNMENT = 64
BLOCK = 8 << 20
"""Bytes of weights that are fetched together."""
POSITIONAL: Mapping[str, tuple[str, ...]] = {
    "argMax": ("input", "axis"),
    "argMin": ("input", "axis"),
    "batchNormalization": ("input", "mean", "variance"),
    "cast": ("input", "dataType"),
    "concat": ("inputs", "axis"),
    "conv2d": ("input", "filter"),
    "convTranspose2d": ("input", "filter"),
    "cumulativeSum": ("input", "axis"),
    "dequantizeLinear": ("input", "scale", "zeroPoint"),
    "expand": ("input", "newShape"),
    "gather": ("input", "indices"),
    "gatherElements": ("input", "indices"),
    "gatherND": ("input", "indices"),
    "gru": ("input", "weight", "recurrentWeight", "steps", "hiddenSize"),
    "isInfinite": ("a",),
    "isNaN": ("a",),
    "logicalNot": ("a",),
    "lstm": ("input", "weight", "recurrentWeight", "steps", "hiddenSize"),
    "pad": ("input", "beginningPadding", "endingPadding"),
    "prelu": ("input", "slope"),
    "quantizeLinear": ("input", "scale", "zeroPoint"),
    "reshape": ("input", "newShape"),
    "scatterElements": ("input", "indices", "updates"),
    "scatterND": ("input", "indices", "updates"),
    "slice": ("input", "starts", "sizes"),
    "softmax": ("input", "axis"),
    "split": ("input", "splits"),
    "tile": ("input", "repetitions"),
    "where": ("condition", "trueValue", "falseValue"),
}
"""Arguments that are not options, in order; `input`, or `a` and `b`, for all other methods."""

_HEAD = """\
// WebNN graph of {title}, written by modellint {version}. Its weights are in {weights}, next to it:
// each constant's elements, little-endian, at the offset that is stated where it is made.
//
//   import {{ load }} from "./{module}";
//   const model = await load();                      // or load({{deviceType: "gpu"}})
//   const outputs = await model.compute({{{example}}});

const WEIGHTS = new URL("{weights}", import.meta.url);
const BLOCKS = {blocks};

export const inputs = {inputs};
export const outputs = {outputs};

const ARRAYS = {{
  float32: Float32Array, float16: globalThis.Float16Array ?? Uint16Array, int32: Int32Array,
  uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array, int8: Int8Array,
  uint8: Uint8Array,
}};

/** Read the blocks of the file of weights, by ranges if the server knows them. */
async function* blocks() {{
  let whole = null;
  for (const [offset, length] of BLOCKS) {{
    if (!whole) {{
      const range = `bytes=${{offset}}-${{offset + length - 1}}`;
      const answer = await fetch(WEIGHTS, {{headers: {{Range: range}}}});
      if (!answer.ok) throw new Error(`${{WEIGHTS}}: ${{answer.status}}`);
      const bytes = await answer.arrayBuffer();
      if (answer.status === 206) {{ yield bytes; continue; }}
      whole = bytes;
    }}
    yield whole.slice(offset, offset + length);
  }}
}}

/** Build the graph in a context. */
export async function build(context) {{
  const builder = new MLGraphBuilder(context);
  const constants = [];
  const stored = {stored};
  let next = 0, first = 0;
  for await (const block of blocks()) {{
    for (; next < stored.length && stored[next][2] < first + block.byteLength; next++) {{
      const [dataType, shape, offset] = stored[next];
      const count = shape.reduce((a, b) => a * b, 1);
      const elements = new ARRAYS[dataType](block, offset - first, count);
      constants.push(builder.constant({{dataType, shape}}, elements));
    }}
    first += block.byteLength;
  }}
"""
_TAIL = """\
  return builder.build({{{outputs}}});
}}

/** Make a context, build the graph, and return what computes it. */
export async function load(options = {{}}) {{
  const context = await navigator.ml.createContext(options);
  const graph = await build(context);
  const fed = {{}}, results = {{}};
  for (const [name, descriptor] of Object.entries(inputs))
    fed[name] = await context.createTensor({{...descriptor, writable: true}});
  for (const [name, descriptor] of Object.entries(outputs))
    results[name] = await context.createTensor({{...descriptor, readable: true}});
  return {{
    context,
    graph,
    async compute(given) {{
      for (const name of Object.keys(inputs)) context.writeTensor(fed[name], given[name]);
      context.dispatch(graph, fed, results);
      const found = {{}};
      for (const [name, {{dataType}}] of Object.entries(outputs))
        found[name] = new ARRAYS[dataType](await context.readTensor(results[name]));
      return found;
    }},
  }};
}}
"""


def positional(method: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the arguments that are not options."""
    return POSITIONAL.get(method) or (("a", "b") if "a" in arguments else ("input",))


def offsets(constants: Iterable[MLConstant]) -> list[int]:
    """Return where each constant's bytes begin in the file of weights."""
    found, end = [], 0
    for constant in constants:
        start = -(-end // ALIGNMENT) * ALIGNMENT
        found.append(start)
        end = start + constant.operand.nbytes
    return found


def module(graph: MLGraph, title: str, name: str, weights: str, version: str) -> str:
    """Return the text of a module that builds a graph."""
    places = offsets(graph.constants)
    stored = [
        [each.operand.dtype, list(each.operand.shape), offset]
        for each, offset in zip(graph.constants, places, strict=True)
    ]
    names = {each.operand: f"constants[{at}]" for at, each in enumerate(graph.constants)}
    example = ", ".join(f"{json.dumps(name)}: array" for name in graph.inputs)
    lines = [
        _HEAD.format(
            title=json.dumps(title),
            version=version,
            weights=weights,
            module=name,
            example=example,
            blocks=json.dumps(_blocks(graph, places)),
            inputs=_descriptors(graph.inputs),
            outputs=_descriptors(graph.outputs),
            stored=json.dumps(stored),
        )
    ]
    for name, operand in graph.inputs.items():
        names[operand] = operand.name
        made = f"builder.input({json.dumps(name)}, inputs[{json.dumps(name)}])"
        lines.append(f"  const {operand.name} = {made};\n")
    lines += [f"  {_statement(call, names)}\n" for call in graph.calls]
    returned = ", ".join(
        f"{json.dumps(name)}: {names[operand]}" for name, operand in graph.outputs.items()
    )
    lines.append(_TAIL.format(outputs=returned))
    return "".join(lines)


def _statement(call: MLCall, names: dict[MLOperand, str]) -> str:
    order = positional(call.method, call.arguments)
    given = [_value(call.arguments[name], names) for name in order]
    options = {name: value for name, value in call.arguments.items() if name not in order}
    if options:
        said = ", ".join(f"{name}: {_value(value, names)}" for name, value in options.items())
        given.append(f"{{{said}}}")
    for output in call.outputs:
        names[output] = output.name
    made = ", ".join(output.name for output in call.outputs)
    many = len(call.outputs) > 1 or call.method in ("split", "gru", "lstm")
    left = f"[{made}]" if many else made
    return f"const {left} = builder.{call.method}({', '.join(given)});"


def _value(value: Any, names: Mapping[MLOperand, str]) -> str:
    if isinstance(value, MLOperand):
        return names[value]
    if isinstance(value, list) and value and isinstance(value[0], MLOperand):
        return f"[{', '.join(names[each] for each in value)}]"
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")
    return json.dumps(value)


def _descriptors(operands: Mapping[str, MLOperand]) -> str:
    return json.dumps(
        {
            name: {"dataType": each.dtype, "shape": list(each.shape)}
            for name, each in operands.items()
        }
    )


def _blocks(graph: MLGraph, places: list[int]) -> list[list[int]]:
    """Return ranges of the file of weights, none of which ends within a constant."""
    found: list[list[int]] = []
    start = end = 0
    for constant, place in zip(graph.constants, places, strict=True):
        if place - start >= BLOCK:
            found.append([start, place - start])
            start = place
        end = place + constant.operand.nbytes
    if end > start:
        found.append([start, end - start])
    return found
