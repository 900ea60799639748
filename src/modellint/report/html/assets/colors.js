// What each node is colored by. A color is the name of a variable of the style.

const FAMILIES = [
  ["product", /^(.*\.)?(Fused)?(Conv|ConvTranspose|Gemm|MatMul|Einsum|FullyConnected|QLinear(Conv|MatMul)|MatMul.*|.*Conv(olution)?(2D|Integer)?|MatrixMultiply|.*gemm.*)$/i],
  ["attention", /attention|softmax|rotary/i],
  ["normalization", /norm/i],
  ["activation", /relu|gelu|sigmoid|tanh|swish|silu|elu$|mish|softplus|erf$|clip/i],
  ["quantization", /quant|^cast$/i],
  ["pooling", /pool|reduce|argm|topk/i],
  ["recurrent", /lstm|gru|rnn|^(if|loop|scan)$/i],
  ["shape", /shape|slice|gather|concat|split|squeeze|transpose|expand|flatten|pad|identity|constant|range|where|tile|resize|upsample|permute/i],
  ["arithmetic", /add|sub|mul|div|pow|sqrt|neg|exp|log|sum|mean|min|max|equal|less|greater|not|and|or|cos|sin/i],
];
const PRECISIONS = ["fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "int8", "fp4", "int4"];
const ENGINE_TYPES = {
  float32: "fp32", float16: "fp16", bfloat16: "bf16", int8: "int8", float8e4m3fn: "fp8", int4: "int4", float4e2m1: "fp4",
};
const CHANGES = ["same", "changed", "added", "removed"];
const STEPS = 6;

const familyOf = (() => {
  const known = new Map();
  return (op) => {
    let found = known.get(op);
    if (!found) {
      found = (FAMILIES.find(([, pattern]) => pattern.test(op)) || ["other"])[0];
      known.set(op, found);
    }
    return found;
  };
})();

// Each way: {label, has, of(node) -> class or number, sum: true for figures}
function waysToColor(graph) {
  const figure = (key, label, column, format) => ({
    key, label, format, isFigure: true, of: (node) => column[node] ?? null,
  });
  const kind = (key, label, of) => ({ key, label, of });
  const nodes = graph.data.nodes;
  const ways = [kind("operator", "operator", (node) => familyOf(graph.op(node)))];
  if (graph.findingCount) {
    ways.push(kind("finding", "findings", (node) => graph.severityOf(node) || "none"));
  }
  if (Object.keys(nodes.change).length) {
    ways.unshift(kind("change", "difference", (node) => nodes.change[node] || "same"));
  }
  ways.push(kind("precision", "precision", (node) => graph.precision(node) || "other"));
  if (Object.keys(nodes.unit).length) {
    ways.push(kind("unit", "placement", (node) => graph.unit(node) || "unknown"));
  }
  if (Object.keys(nodes.engine).length) ways.push(kind("engine", "engine", (node) => graph.engine(node)));
  for (const [key, label] of [["measured", "time, measured"], ["expected", "time, expected"], ["seconds", "time, at least"]]) {
    if (Object.keys(nodes[key]).length) ways.push(figure(key, label, nodes[key], formatSeconds));
  }
  if (nodes.macs.some(Boolean)) ways.push(figure("macs", "MACs", nodes.macs, formatCount));
  if (nodes.bytes.some(Boolean)) ways.push(figure("bytes", "memory moved", nodes.bytes, formatBytes));
  if (nodes.parameters.some(Boolean)) {
    ways.push(figure("parameters", "parameters", nodes.parameters, formatCount));
  }
  return ways;
}

function colorOfKind(way, kind, all) {
  if (way === "operator") return "op-" + kind;
  if (way === "finding") return kind === "none" ? "none" : kind;
  if (way === "change") return "change-" + kind;
  if (way === "precision" && PRECISIONS.includes(kind)) return "precision-" + kind;
  if (way === "precision") return "none";
  if (way === "engine" && ENGINE_TYPES[kind]) return "precision-" + ENGINE_TYPES[kind];
  if (way === "engine") return "none";
  return "kind-" + (Math.max(all.indexOf(kind), 0) % 6);
}

const scaled = (number, units, base) => {
  let at = 0;
  while (Math.abs(number) >= base * 0.9995 && at < units.length - 1) { number /= base; at++; }
  return `${Number(number.toPrecision(3))}${units[at]}`;
};
const formatCount = (number) => scaled(number, ["", " k", " M", " G", " T", " P"], 1000);
const formatBytes = (number) => scaled(number, [" B", " KiB", " MiB", " GiB", " TiB"], 1024);
const formatSeconds = (seconds) =>
  seconds >= 1 ? `${Number(seconds.toPrecision(3))} s`
    : seconds >= 1e-3 ? `${Number((seconds * 1e3).toPrecision(3))} ms`
      : seconds >= 1e-6 ? `${Number((seconds * 1e6).toPrecision(3))} µs`
        : `${Number((seconds * 1e9).toPrecision(3))} ns`;
