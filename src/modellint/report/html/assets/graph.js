// The graph of one model: what is known of its nodes, and the view that draws it.

class GraphData {
  constructor(data, findings) {
    this.data = data;
    this.words = data.words;
    this.findings = findings;
    this.realCount = data.nodes.name.length;
    this.findingCount = Object.keys(data.pins).length;
    this.groupCount = data.groups.label.length;
    this.quantized = new Set(data.nodes.quantized);
    this.critical = new Set(data.nodes.critical);
    this.#connect();
    this.#summarize();
  }

  // The model's inputs and outputs are nodes too, without an operator.
  #connect() {
    const { nodes, values } = this.data;
    const producer = new Int32Array(values.name.length).fill(-1);
    nodes.outputs.forEach((outputs, node) => { for (const value of outputs) producer[value] = node; });
    this.ends = [];
    const isRead = new Uint8Array(values.name.length);
    for (const inputs of nodes.inputs) for (const value of inputs) isRead[value] = 1;
    for (let value = 0; value < values.name.length; value++) {
      if (values.kind[value] === "i" && producer[value] < 0 && isRead[value]) {
        producer[value] = this.realCount + this.ends.length;
        this.ends.push({ value, isInput: true });
      }
    }
    this.producer = producer;
    this.edges = [];
    this.after = [];
    this.before = [];
    const link = (source, target, value) => {
      this.edges.push([source, target]);
      (this.after[source] ||= []).push([target, value]);
      (this.before[target] ||= []).push([source, value]);
    };
    nodes.inputs.forEach((inputs, node) => {
      const seen = new Set();
      for (const value of [...inputs, ...(nodes.bodies[node] || [])]) {
        const source = producer[value];
        if (source < 0 || source === node || seen.has(value)) continue;
        seen.add(value);
        link(source, node, value);
      }
    });
    for (let value = 0; value < values.name.length; value++) {
      if (values.kind[value] !== "o" || producer[value] < 0) continue;
      const node = this.realCount + this.ends.length;
      this.ends.push({ value, isInput: false });
      link(producer[value], node, value);
    }
    this.count = this.realCount + this.ends.length;
  }

  #summarize() {
    const { groups, nodes } = this.data;
    this.members = groups.label.map(() => 0);
    this.inside = groups.label.map(() => []);
    for (let node = 0; node < this.realCount; node++) {
      for (let group = nodes.group[node]; group >= 0; group = groups.parent[group]) {
        this.members[group]++;
      }
      if (nodes.group[node] >= 0) this.inside[nodes.group[node]].push(node);
    }
  }

  *nodesIn(group) {
    yield* this.inside[group];
    for (let each = group + 1; each < this.groupCount; each++) {
      if (this.data.groups.parent[each] === group) yield* this.nodesIn(each);
    }
  }

  isEnd(node) { return node >= this.realCount; }
  end(node) { return this.ends[node - this.realCount]; }
  word(column, at) { const found = column[at]; return found === undefined ? "" : this.words[found]; }
  op(node) { return this.isEnd(node) ? "" : this.word(this.data.nodes.op, node); }
  name(node) {
    return this.isEnd(node) ? this.valueName(this.end(node).value) : this.word(this.data.nodes.name, node);
  }
  precision(node) { return this.isEnd(node) ? "" : this.word(this.data.nodes.precision, node); }
  unit(node) { return this.word(this.data.nodes.unit, node); }
  layer(node) { return this.word(this.data.nodes.layer, node); }
  engine(node) { return this.word(this.data.nodes.engine, node); }
  note(node) { return this.word(this.data.nodes.note, node); }
  valueName(value) { return this.word(this.data.values.name, value); }
  valueType(value) { return this.word(this.data.values.type, value); }
  groupOf(node) { return this.isEnd(node) ? -1 : this.data.nodes.group[node]; }
  parentOf(group) { return this.data.groups.parent[group]; }
  pinsOf(node) { return this.data.pins[node] || []; }
  severityOf(node) {
    let worst = "";
    for (const pin of this.pinsOf(node)) {
      const severity = this.findings.get(pin)?.severity;
      if (SEVERITIES.indexOf(severity) > SEVERITIES.indexOf(worst)) worst = severity;
    }
    return worst;
  }

  title(node) {
    if (this.isEnd(node)) return ellipsis(this.name(node), 26);
    const op = this.op(node);
    return ellipsis(op.slice(op.lastIndexOf(".") + 1), 26);
  }
  subtitle(node) {
    if (this.isEnd(node)) return shapeIn(this.valueType(this.end(node).value));
    const first = this.data.nodes.outputs[node][0];
    return first === undefined ? "" : shapeIn(this.valueType(first));
  }
  groupTitle(group) {
    const { kind, label, count } = this.data.groups;
    const title = ellipsis(this.words[label[group]], 34);
    return kind[group] === "stack" ? `${title} ×${count[group]}` : title;
  }
  groupSubtitle(group) { return `${this.members[group].toLocaleString("en")} nodes`; }
}

const SEVERITIES = ["", "info", "warning", "error"];
const ellipsis = (text, most) => {
  if (text.length <= most) return text;
  const head = Math.floor(most / 3);
  return `${text.slice(0, head)}…${text.slice(head + 1 - most)}`;
};
const shapeIn = (type) => {
  const space = type.indexOf(" ");
  return space < 0 ? "" : ellipsis(type.slice(space + 1), 24);
};

const make = (tag, properties = {}, ...children) => {
  const found = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in found && name !== "list") found[name] = value;
    else found.setAttribute(name, value);
  }
  found.append(...children.filter((child) => child !== null && child !== undefined));
  return found;
};

const DIRECT = 1500;  // units up to which each frame draws everything
const TILE = 512;
const FRAME_BUDGET = 7;  // milliseconds for tiles in each frame

class GraphView {
  constructor(host, graph) {
    this.host = host;
    this.graph = graph;
    this.count = graph.count;
    this.open = new Set();
    this.selected = -1;
    this.hovered = -1;
    this.filters = new Set();
    this.ways = waysToColor(graph);
    this.way = this.ways[0];
    this.scale = 1;
    this.left = 0;
    this.top = 0;
    this.tiles = new Map();
    this.#build();
    this.#colors();
    this.relayout();
    this.#listen();
    new ResizeObserver(() => this.#resize()).observe(this.canvas);
    this.#resize();
    this.fit();
  }

  // Elements

  #build() {
    const option = (way) => make("option", { value: way.key }, way.label);
    this.colorBy = make("select", { ariaLabel: "Color nodes by" }, ...this.ways.map(option));
    this.search = make("input", {
      type: "search", placeholder: "Search nodes  /", ariaLabel: "Search nodes by name, type, precision or rule",
      autocomplete: "off", spellcheck: false, role: "combobox", "aria-expanded": "false",
    });
    this.results = make("ul", { className: "results", hidden: true, role: "listbox", ariaLabel: "Nodes found" });
    const toggles = [["findings", "Findings"], ["quantized", "Quantized"], ["slow", "Bottlenecks"], ["critical", "Critical path"]]
      .filter(([key]) => this.#isUseful(key))
      .map(([key, label]) => make("button", {
        type: "button", className: "toggle", "aria-pressed": "false", "data-filter": key,
      }, label));
    this.toggles = toggles;
    const zoom = [["+", "Zoom in"], ["−", "Zoom out"], ["⤢", "Show everything"], ["⊞", "Open all groups"], ["⊟", "Close all groups"]]
      .map(([sign, label]) => make("button", { type: "button", title: label, ariaLabel: label }, sign));
    this.zoomButtons = zoom;
    if (this.graph.data.kernels.length) {
      const isEngine = this.graph.data.fused === "engine";
      this.fused = make("button", {
        type: "button", className: "toggle", "aria-pressed": "false",
        title: isEngine ? "Show nodes that the engine runs as one layer" : "Show nodes that are expected to run as one kernel",
      }, isEngine ? "Layers" : "Fused");
    }
    if (!this.graph.groupCount) zoom.splice(3);
    this.legend = make("ul", { className: "legend", ariaLabel: "Colors" });
    this.canvas = make("canvas", {
      tabIndex: 0, role: "application", ariaLabel:
        `Graph of ${this.graph.realCount} nodes. Arrow keys walk along edges, Enter opens a group, plus and minus zoom, slash searches.`,
    });
    this.minimap = make("canvas", { className: "minimap", ariaHidden: "true" });
    this.live = make("p", { className: "hidden", ariaLive: "polite" });
    this.panel = make("aside", { className: "node-panel", hidden: true, ariaLabel: "Selected node" });
    this.tip = make("div", { className: "tip", hidden: true, ariaHidden: "true" });
    this.stage = make("div", { className: "stage" }, this.canvas, this.minimap, this.tip,
      make("div", { className: "zoom" }, ...zoom), this.panel);
    this.host.append(
      make("div", { className: "tools" },
        make("div", { className: "search" }, this.search, this.results),
        make("label", {}, make("span", {}, "Color"), this.colorBy), ...toggles, this.fused ?? "", this.legend),
      this.stage, this.live);
    this.painter = this.canvas.getContext("2d");
  }

  #isUseful(filter) {
    const { nodes } = this.graph.data;
    if (filter === "findings") return this.graph.findingCount > 0;
    if (filter === "quantized") return nodes.quantized.length > 0;
    if (filter === "critical") {  // says nothing of a chain, which is on it as a whole
      const { expected } = nodes;
      return Object.keys(expected).some((node) => !this.graph.critical.has(Number(node)));
    }
    this.heavy = this.#bottlenecks();
    return this.heavy.size > 0;
  }

  // The nodes that take most of the time, or of the MACs without a device: half of all.
  #bottlenecks() {
    const { measured, expected, seconds, macs } = this.graph.data.nodes;
    const column = [measured, expected, seconds].find((times) => Object.keys(times).length) ?? macs;
    const sized = [];
    for (let node = 0; node < this.graph.realCount; node++) if (column[node]) sized.push([column[node], node]);
    sized.sort((a, b) => b[0] - a[0] || a[1] - b[1]);
    let left = sized.reduce((sum, [size]) => sum + size, 0) / 2;
    const found = new Set();
    for (const [size, node] of sized) {
      if (left <= 0 || found.size >= 50) break;
      found.add(node);
      left -= size;
    }
    return found;
  }

  // Colors

  #colors() {
    const style = getComputedStyle(this.host);
    this.palette = new Map();
    this.color = (name) => {
      let found = this.palette.get(name);
      if (!found) this.palette.set(name, (found = style.getPropertyValue("--" + name).trim() || "#888"));
      return found;
    };
    this.font = style.fontFamily;
  }

  #paint() {
    const { graph, way } = this;
    const shown = new Map(), counts = new Map();
    this.colorOfUnit = new Map();
    if (way.isFigure) {
      const sizes = new Map();
      let most = 0;
      for (const unit of this.layout.shown) {
        let size = 0;
        if (unit < this.count) size = graph.isEnd(unit) ? 0 : way.of(unit) || 0;
        else for (const node of graph.nodesIn(unit - this.count)) size += way.of(node) || 0;
        sizes.set(unit, size);
        most = Math.max(most, size);
      }
      for (const [unit, size] of sizes) {
        const step = size > 0 ? Math.max(1, Math.ceil(STEPS * Math.sqrt(size / most))) : 0;
        this.colorOfUnit.set(unit, step ? "step-" + step : "none");
      }
      this.figures = sizes;
      this.#legend([["none", "none"], ...Array.from({ length: STEPS }, (_, at) =>
        ["step-" + (at + 1), at === STEPS - 1 ? way.format(most) : ""])], true);
      return;
    }
    this.figures = null;
    const kindOf = (unit) => {
      if (unit < this.count) return graph.isEnd(unit) ? "" : way.of(unit);
      const inside = new Map();
      for (const node of graph.nodesIn(unit - this.count)) {
        const kind = way.of(node);
        inside.set(kind, (inside.get(kind) || 0) + 1);
      }
      if (way.key === "finding") return ["error", "warning", "info"].find((each) => inside.has(each)) || "none";
      if (way.key === "change") return [...inside.keys()].length > 1 ? "changed" : [...inside.keys()][0];
      if (way.key === "operator") return "group";
      return [...inside].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
    };
    for (let node = 0; node < graph.realCount; node++) {
      const kind = way.of(node);
      counts.set(kind, (counts.get(kind) || 0) + 1);
    }
    const kinds = [...counts].sort((a, b) => b[1] - a[1]).map(([kind]) => kind);
    for (const unit of this.layout.shown) {
      const kind = kindOf(unit);
      this.colorOfUnit.set(unit, kind === "" ? "end" : kind === "group" ? "group" : colorOfKind(way.key, kind, kinds));
    }
    for (const kind of kinds) shown.set(colorOfKind(way.key, kind, kinds), kind);
    this.#legend([...shown].slice(0, 10), false);
  }

  #legend(entries, isScale) {
    this.legend.className = isScale ? "legend scale" : "legend";
    this.legend.replaceChildren(...entries.map(([color, label]) => {
      const swatch = make("span", { className: "swatch" });
      swatch.style.background = this.color(color);
      return make("li", {}, swatch, label);
    }));
  }

  // Layout

  relayout() {
    const started = performance.now();
    this.layout = layoutGraph(this.graph, this.open);
    this.layoutTime = performance.now() - started;
    const { shown, segments, y, height } = this.layout;
    shown.sort((a, b) => y[a] - y[b]);
    this.tallest = shown.reduce((most, unit) => Math.max(most, height[unit]), 0);
    this.unitTops = Float64Array.from(shown, (unit) => y[unit]);
    this.#bucket(segments);
    this.#findHulls();
    this.#paint();
    this.#match();
    this.#drawMinimap();
    this.changed();
  }

  // Kernels of which several nodes are shown, and the edges inside of each.
  #findHulls() {
    const { graph, layout } = this;
    const isShown = (node) => layout.paths[node].at(-1) === node;
    this.hulls = [];
    for (const kernel of this.isFused ? graph.data.kernels : []) {
      const nodes = kernel.filter(isShown), inside = new Set(nodes);
      if (nodes.length < 2) continue;
      const links = nodes.flatMap((node) => (graph.after[node] || [])
        .filter(([other]) => inside.has(other)).map(([other]) => [node, other]));
      this.hulls.push({ nodes, links });
    }
  }

  #drawHulls(painter, left, top, right, bottom) {
    const { x, y, width, height } = this.layout, room = 8;
    painter.fillStyle = painter.strokeStyle = this.color("hull");
    painter.lineWidth = 26;
    for (const { nodes, links } of this.hulls) {
      painter.beginPath();
      for (const node of nodes) {
        if (y[node] - room > bottom || y[node] + height[node] + room < top) continue;
        if (x[node] - room > right || x[node] + width[node] + room < left) continue;
        painter.roundRect(x[node] - room, y[node] - room, width[node] + 2 * room, height[node] + 2 * room, 12);
      }
      painter.fill();
      painter.beginPath();
      for (const [from, to] of links) {
        if (y[from] > bottom || y[to] < top) continue;
        painter.moveTo(x[from] + width[from] / 2, y[from] + height[from]);
        painter.lineTo(x[to] + width[to] / 2, y[to]);
      }
      painter.stroke();
    }
  }

  // Edges by horizontal strips, so that a part of the graph finds its own.
  #bucket(segments) {
    this.strip = Math.max(600, this.layout.totalHeight / 4000);
    this.strips = [];
    segments.forEach((segment, at) => {
      const first = Math.floor(Math.min(segment[1], segment[3]) / this.strip);
      const last = Math.floor(Math.max(segment[1], segment[3]) / this.strip);
      for (let strip = first; strip <= last; strip++) (this.strips[strip] ||= []).push(at);
    });
  }

  #match() {
    const { graph } = this;
    this.matched = null;
    if (!this.filters.size) return;
    const nodes = new Set();
    const passes = (node) =>
      (!this.filters.has("findings") || graph.pinsOf(node).length) &&
      (!this.filters.has("quantized") || graph.quantized.has(node)) &&
      (!this.filters.has("critical") || graph.critical.has(node)) &&
      (!this.filters.has("slow") || this.heavy.has(node));
    for (let node = 0; node < graph.realCount; node++) if (passes(node)) nodes.add(this.layout.paths[node].at(-1));
    this.matched = nodes;
  }

  toggle(group, wanted) {
    const unit = this.count + group;
    const isOpen = this.open.has(group);
    if (wanted === isOpen) return;
    const before = [this.layout.x[unit], this.layout.y[unit]];
    if (isOpen) this.open.delete(group); else this.open.add(group);
    this.relayout();
    this.left += this.layout.x[unit] - before[0];
    this.top += this.layout.y[unit] - before[1];
    this.changed();
    this.live.textContent = `${graphWords(this.graph, unit)} ${isOpen ? "closed" : "opened"}`;
  }

  reveal(node) {
    const groups = [];
    for (let group = this.graph.groupOf(node); group >= 0; group = this.graph.parentOf(group)) groups.push(group);
    if (groups.every((group) => this.open.has(group))) return;
    for (const group of groups) this.open.add(group);
    this.relayout();
  }

  // Drawing

  changed() {
    this.tiles.clear();
    this.draw();
  }

  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.#frame(); });
  }

  #resize() {
    const box = this.canvas.getBoundingClientRect();
    if (!box.width) return;
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.width = box.width;
    this.height = box.height;
    this.canvas.width = Math.round(box.width * this.ratio);
    this.canvas.height = Math.round(box.height * this.ratio);
    this.#drawMinimap();
    this.changed();
  }

  #frame() {
    if (!this.width) return;
    const { painter, ratio } = this;
    painter.setTransform(1, 0, 0, 1, 0, 0);
    painter.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (this.layout.shown.length <= DIRECT) this.#drawAll(painter);
    else this.#drawTiles(painter);
    painter.setTransform(this.scale * ratio, 0, 0, this.scale * ratio, -this.left * this.scale * ratio, -this.top * this.scale * ratio);
    this.#drawSelection(painter);
    this.#drawWindow();
  }

  #drawAll(painter) {
    const { scale, ratio } = this;
    painter.setTransform(scale * ratio, 0, 0, scale * ratio, -this.left * scale * ratio, -this.top * scale * ratio);
    this.#drawPart(painter, this.left, this.top, this.left + this.width / scale, this.top + this.height / scale);
  }

  // Large graphs are kept as tiles: panning copies them, and draws few new ones in each frame.
  #drawTiles(painter) {
    const size = TILE / this.scale, started = performance.now();
    const first = [Math.floor(this.left / size), Math.floor(this.top / size)];
    const last = [
      Math.floor((this.left + this.width / this.scale) / size),
      Math.floor((this.top + this.height / this.scale) / size),
    ];
    if (this.tileScale !== this.scale) {
      this.tiles.clear();
      this.tileScale = this.scale;
    }
    let missing = false;
    for (let row = first[1]; row <= last[1]; row++) {
      for (let column = first[0]; column <= last[0]; column++) {
        const key = `${column},${row}`;
        let tile = this.tiles.get(key);
        if (!tile) {
          if (missing || performance.now() - started > FRAME_BUDGET) { missing = true; continue; }
          tile = this.#tile(column * size, row * size, size);
          this.tiles.set(key, tile);
        }
        const x = Math.round((column * size - this.left) * this.scale * this.ratio);
        const y = Math.round((row * size - this.top) * this.scale * this.ratio);
        if (tile !== "empty") painter.drawImage(tile, x, y);
      }
    }
    if (this.tiles.size > 160) {
      for (const key of this.tiles.keys()) {
        if (this.tiles.size <= 100) break;
        this.tiles.delete(key);
      }
    }
    if (missing) this.draw();
  }

  #tile(left, top, size) {
    const { totalWidth, totalHeight } = this.layout;
    if (left > totalWidth || top > totalHeight || left + size < 0 || top + size < 0) return "empty";
    const tile = document.createElement("canvas");
    tile.width = tile.height = TILE * this.ratio;
    const painter = tile.getContext("2d");
    const scale = this.scale * this.ratio;
    painter.setTransform(scale, 0, 0, scale, -left * scale, -top * scale);
    this.#drawPart(painter, left, top, left + size, top + size);
    return tile;
  }

  #drawPart(painter, left, top, right, bottom) {
    const { layout, scale } = this;
    for (const unit of layout.frames) this.#drawFrame(painter, unit, left, top, right, bottom);
    this.#drawHulls(painter, left, top, right, bottom);
    this.#drawSegments(painter, left, top, right, bottom);
    const { shown, x, y, width, height } = layout;
    let at = lowerBound(this.unitTops, top - this.tallest);
    const isFar = scale < 0.14;
    for (; at < shown.length && y[shown[at]] <= bottom; at++) {
      const unit = shown[at];
      if (y[unit] + height[unit] < top || x[unit] > right || x[unit] + width[unit] < left) continue;
      if (isFar) this.#drawDot(painter, unit);
      else this.#drawUnit(painter, unit);
    }
    painter.globalAlpha = 1;
  }

  #drawFrame(painter, unit, left, top, right, bottom) {
    const { x, y, width, height, depths } = this.layout;
    if (y[unit] > bottom || y[unit] + height[unit] < top || x[unit] > right || x[unit] + width[unit] < left) return;
    painter.fillStyle = this.color(depths[unit] % 2 ? "frame-odd" : "frame-even");
    painter.strokeStyle = this.color("frame-line");
    painter.lineWidth = 1;
    painter.beginPath();
    painter.roundRect(x[unit], y[unit], width[unit], height[unit], 12);
    painter.fill();
    painter.stroke();
    if (this.scale > 0.25) {
      painter.fillStyle = this.color("quiet");
      painter.font = `600 11.5px ${this.font}`;
      painter.fillText(`▾ ${this.graph.groupTitle(unit - this.count)}`, x[unit] + 12, y[unit] + 19);
    }
  }

  #drawSegments(painter, left, top, right, bottom) {
    const { segments } = this.layout;
    const first = Math.max(Math.floor(top / this.strip), 0);
    const last = Math.min(Math.floor(bottom / this.strip), this.strips.length - 1);
    painter.strokeStyle = this.color("edge");
    painter.lineWidth = Math.max(1.2, 0.7 / this.scale);
    painter.globalAlpha = this.matched ? 0.35 : 1;
    painter.beginPath();
    const least = 1.5 / this.scale;
    for (let strip = first; strip <= last; strip++) {
      for (const at of this.strips[strip] || []) {
        const [ax, ay, bx, by] = segments[at];
        if (Math.floor(Math.min(ay, by) / this.strip) < strip && strip > first) continue;
        if (Math.max(ax, bx) < left || Math.min(ax, bx) > right || Math.max(ay, by) < top || Math.min(ay, by) > bottom) continue;
        if (this.scale < 0.1 && Math.abs(by - ay) + Math.abs(bx - ax) < least) continue;
        painter.moveTo(ax, ay);
        curve(painter, ax, ay, bx, by, this.scale);
      }
    }
    painter.stroke();
    painter.globalAlpha = 1;
  }

  #drawDot(painter, unit) {
    const { x, y, width, height } = this.layout;
    painter.globalAlpha = this.matched && !this.matched.has(unit) ? 0.15 : 1;
    painter.fillStyle = this.color(this.colorOfUnit.get(unit));
    painter.fillRect(x[unit], y[unit], width[unit], height[unit]);
  }

  #drawUnit(painter, unit) {
    const { graph, scale } = this;
    const { x: xs, y: ys, width: widths, height: heights } = this.layout;
    const x = xs[unit], y = ys[unit], width = widths[unit], height = heights[unit];
    const isGroup = unit >= this.count, isEnd = !isGroup && graph.isEnd(unit);
    const radius = isEnd ? height / 2 : 7;
    painter.globalAlpha = this.matched && !this.matched.has(unit) ? 0.22 : 1;
    const color = this.color(this.colorOfUnit.get(unit));
    painter.lineWidth = 1;
    painter.strokeStyle = this.color("node-line");
    painter.fillStyle = this.color("node");
    if (isGroup && graph.data.groups.kind[unit - this.count] === "stack") {
      for (const shift of [8, 4]) {
        painter.beginPath();
        painter.roundRect(x + shift, y + shift, width - 2 * shift, height - 2, radius);
        painter.fill();
        painter.stroke();
      }
    }
    painter.beginPath();
    painter.roundRect(x, y, width, height, radius);
    painter.fill();
    if (!isEnd) {
      painter.save();
      painter.clip();
      painter.fillStyle = color;
      painter.fillRect(x, y, 5, height);
      painter.globalAlpha *= 0.11;
      painter.fillRect(x, y, width, height);
      painter.restore();
    }
    painter.stroke();
    if (scale > 0.3) this.#drawWords(painter, unit, x, y, width, height, isGroup, isEnd);
    this.#drawPins(painter, unit, x, y, width);
  }

  #drawWords(painter, unit, x, y, width, height, isGroup, isEnd) {
    const { graph } = this;
    const title = isGroup ? graph.groupTitle(unit - this.count) : graph.title(unit);
    let subtitle = isGroup ? graph.groupSubtitle(unit - this.count) : graph.subtitle(unit);
    const figure = this.figures?.get(unit);
    if (figure) subtitle = this.way.format(figure);
    const start = isEnd ? x + width / 2 : x + 14;
    painter.textAlign = isEnd ? "center" : "left";
    painter.fillStyle = this.color(isEnd ? "quiet" : "text");
    painter.font = `${isEnd ? 500 : 600} 12.5px ${this.font}`;
    const room = width - (isGroup ? 34 : 18);
    painter.fillText(title, start, subtitle ? y + height / 2 - 3 : y + height / 2 + 4.5, room);
    if (subtitle) {
      painter.fillStyle = this.color("quiet");
      painter.font = `400 11px ${this.font}`;
      painter.fillText(subtitle, start, y + height / 2 + 12, room);
    }
    if (isGroup) {
      painter.fillStyle = this.color("quiet");
      painter.font = `600 13px ${this.font}`;
      painter.fillText("▸", x + width - 20, y + height / 2 + 5);
    }
    painter.textAlign = "left";
  }

  #drawPins(painter, unit, x, y, width) {
    let count = 0, worst = "";
    const nodes = unit >= this.count ? this.graph.nodesIn(unit - this.count) : this.graph.isEnd(unit) ? [] : [unit];
    if (!this.graph.findingCount) return;
    for (const node of nodes) {
      count += this.graph.pinsOf(node).length;
      const severity = this.graph.severityOf(node);
      if (SEVERITIES.indexOf(severity) > SEVERITIES.indexOf(worst)) worst = severity;
    }
    if (!count) return;
    painter.fillStyle = this.color(worst || "info");
    painter.beginPath();
    painter.arc(x + width - 3, y + 3, 9, 0, 7);
    painter.fill();
    painter.strokeStyle = this.color("page");
    painter.lineWidth = 2;
    painter.stroke();
    painter.fillStyle = this.color("on-color");
    painter.font = `700 10px ${this.font}`;
    painter.textAlign = "center";
    painter.fillText(count > 99 ? "99+" : String(count), x + width - 3, y + 6.5);
    painter.textAlign = "left";
  }

  #drawSelection(painter) {
    const { layout } = this;
    const outline = (unit, color, thick) => {
      painter.strokeStyle = this.color(color);
      painter.lineWidth = thick / this.scale;
      painter.beginPath();
      painter.roundRect(layout.x[unit] - 2, layout.y[unit] - 2, layout.width[unit] + 4, layout.height[unit] + 4, 9);
      painter.stroke();
    };
    if (this.hovered >= 0 && this.hovered !== this.selected) outline(this.hovered, "accent-soft", 2);
    if (this.selected < 0 || !layout.width[this.selected]) return;
    painter.lineWidth = Math.max(2.2, 1.6 / this.scale);
    const near = [];
    for (const isAfter of [false, true]) {
      painter.strokeStyle = this.color(isAfter ? "way-out" : "way-in");
      painter.beginPath();
      for (const [other, from, to] of this.neighbors(this.selected, isAfter).slice(0, 200)) {
        const points = layout.route(from, to);
        if (points.length < 2) continue;
        painter.moveTo(...points[0]);
        for (let at = 1; at < points.length; at++) curve(painter, ...points[at - 1], ...points[at], this.scale);
        near.push(other);
      }
      painter.stroke();
    }
    for (const other of near) if (layout.width[other]) outline(other, "accent-soft", 1.5);
    outline(this.selected, "accent", 3);
  }

  // Units around one: [unit, node from, node to]
  neighbors(unit, isAfter) {
    const found = new Map();
    const nodes = unit < this.count ? [unit] : this.graph.nodesIn(unit - this.count);
    for (const node of nodes) {
      for (const [other] of (isAfter ? this.graph.after : this.graph.before)[node] || []) {
        const shown = this.layout.paths[other].at(-1);
        if (shown === unit || found.has(shown)) continue;
        found.set(shown, isAfter ? [shown, node, other] : [shown, other, node]);
      }
    }
    return [...found.values()];
  }

  // Minimap: the whole graph, not in its proportions: most graphs are long

  #drawMinimap() {
    if (!this.layout || !this.height) return;
    const { totalWidth, totalHeight, shown, x, y, width, height } = this.layout;
    const box = [Math.min(84, 24 + totalWidth / 60), Math.min(this.height * 0.5, 40 + totalHeight / 12)];
    this.minimap.width = box[0] * this.ratio;
    this.minimap.height = box[1] * this.ratio;
    this.minimap.style.width = `${box[0]}px`;
    this.minimap.style.height = `${box[1]}px`;
    this.mini = document.createElement("canvas");
    this.mini.width = this.minimap.width;
    this.mini.height = this.minimap.height;
    const painter = this.mini.getContext("2d");
    this.miniScale = [this.mini.width / totalWidth, this.mini.height / totalHeight];
    for (const unit of shown) {
      painter.fillStyle = this.color(this.colorOfUnit.get(unit));
      painter.globalAlpha = this.matched && !this.matched.has(unit) ? 0.12 : 0.85;
      painter.fillRect(x[unit] * this.miniScale[0], y[unit] * this.miniScale[1],
        Math.max(width[unit] * this.miniScale[0], 1), Math.max(height[unit] * this.miniScale[1], 1));
    }
  }

  #drawWindow() {
    if (!this.mini) return;
    const painter = this.minimap.getContext("2d");
    painter.clearRect(0, 0, this.mini.width, this.mini.height);
    painter.drawImage(this.mini, 0, 0);
    painter.strokeStyle = this.color("accent");
    painter.lineWidth = 1.5 * this.ratio;
    const [sx, sy] = this.miniScale;
    const left = Math.max(this.left * sx, 1), top = Math.max(this.top * sy, 1);
    const right = Math.min((this.left + this.width / this.scale) * sx, this.mini.width - 1);
    const bottom = Math.min((this.top + this.height / this.scale) * sy, this.mini.height - 1);
    painter.strokeRect(left, top, Math.max(right - left, 3), Math.max(bottom - top, 3));
  }

  // Moving about

  fit() {
    if (!this.width) return;
    const { totalWidth, totalHeight } = this.layout;
    const whole = Math.min(this.width / totalWidth, this.height / totalHeight);
    this.scale = Math.min(Math.max(whole, Math.min(this.width / totalWidth, 0.85), 0.5), 1.15);
    const [first] = this.layout.shown, isWide = totalWidth * this.scale > this.width;
    const middle = isWide ? this.layout.x[first] + this.layout.width[first] / 2 : totalWidth / 2;
    this.left = middle - this.width / this.scale / 2;
    this.top = Math.min((totalHeight - this.height / this.scale) / 2, 0);
    this.changed();
  }

  showAll() {
    const { totalWidth, totalHeight } = this.layout;
    this.scale = Math.min(this.width / totalWidth, this.height / totalHeight, 1.15);
    this.left = (totalWidth - this.width / this.scale) / 2;
    this.top = (totalHeight - this.height / this.scale) / 2;
    this.changed();
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const least = Math.min(this.width / this.layout.totalWidth, this.height / this.layout.totalHeight, 0.5) / 1.5;
    const scale = Math.min(Math.max(this.scale * factor, least), 3);
    this.left += x / this.scale - x / scale;
    this.top += y / this.scale - y / scale;
    this.scale = scale;
    this.draw();
  }

  pan(x, y) {
    this.left += x / this.scale;
    this.top += y / this.scale;
    this.draw();
  }

  show(unit) {
    const { x, y, width, height } = this.layout;
    this.scale = Math.max(this.scale, 0.8);
    const room = this.panel.hidden || this.width < 700 ? 0 : 330;
    this.left = x[unit] + width[unit] / 2 - (this.width - room) / 2 / this.scale;
    this.top = y[unit] + height[unit] / 2 - this.height / 2 / this.scale;
    this.draw();
  }

  at(x, y) {
    const { shown, x: xs, y: ys, width, height, frames } = this.layout;
    const worldX = this.left + x / this.scale, worldY = this.top + y / this.scale;
    const isIn = (unit) => worldX >= xs[unit] && worldX <= xs[unit] + width[unit] &&
      worldY >= ys[unit] && worldY <= ys[unit] + height[unit];
    for (let at = lowerBound(this.unitTops, worldY - this.tallest); at < shown.length && ys[shown[at]] <= worldY; at++) {
      if (isIn(shown[at])) return shown[at];
    }
    return frames.findLast((unit) => isIn(unit) && worldY <= ys[unit] + HEAD) ?? -1;
  }

  select(unit, { isQuiet = false } = {}) {
    this.selected = unit;
    this.#fillPanel(unit);
    if (unit >= 0 && !isQuiet) {
      this.live.textContent = graphWords(this.graph, unit);
      const name = unit < this.count ? this.graph.name(unit) : "";
      if (name) permalink(this.host, name);
    }
    this.draw();
  }

  selectNode(node) {
    this.reveal(node);
    this.select(node);
    this.show(node);
  }

  // The panel

  #fillPanel(unit) {
    this.panel.hidden = unit < 0;
    if (unit < 0) return;
    const close = make("button", { type: "button", className: "close", ariaLabel: "Close" }, "×");
    close.addEventListener("click", () => { this.select(-1); this.canvas.focus(); });
    const parts = unit < this.count ? nodePanel(this, unit) : groupPanel(this, unit - this.count);
    this.panel.replaceChildren(close, ...parts);
    this.panel.scrollTop = 0;
  }

  // Events

  #listen() {
    const { canvas } = this;
    const pointers = new Map();
    let moved = 0;
    canvas.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
      canvas.setPointerCapture(event.pointerId);
      moved = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) { this.#hover(event.offsetX, event.offsetY); return; }
      const now = [event.offsetX, event.offsetY];
      if (pointers.size === 2) {
        const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
        const spread = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]);
        this.zoom(spread(now) / Math.max(spread(before), 1), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      }
      moved += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
      this.pan((before[0] - now[0]) / pointers.size, (before[1] - now[1]) / pointers.size);
      pointers.set(event.pointerId, now);
    });
    canvas.addEventListener("pointerup", (event) => {
      pointers.delete(event.pointerId);
      if (moved > 5) return;
      const unit = this.at(event.offsetX, event.offsetY);
      if (unit >= this.count) { this.select(unit); this.toggle(unit - this.count); } else this.select(unit);
    });
    canvas.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
    canvas.addEventListener("pointerleave", () => this.#hover(-1, -1));
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return;
      event.preventDefault();
      if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(-event.deltaY / 160), event.offsetX, event.offsetY);
      else this.pan(event.deltaX, event.deltaY);
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.#key(event));
    const press = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      const box = this.minimap.getBoundingClientRect();
      const { totalWidth, totalHeight } = this.layout;
      this.left = ((event.clientX - box.left) / box.width) * totalWidth - this.width / 2 / this.scale;
      this.top = ((event.clientY - box.top) / box.height) * totalHeight - this.height / 2 / this.scale;
      this.draw();
    };
    this.minimap.addEventListener("pointerdown", press);
    this.minimap.addEventListener("pointermove", press);
    const everyGroup = () => Array.from({ length: this.graph.groupCount }, (_, group) => group);
    const actions = [
      () => this.zoom(1.3), () => this.zoom(1 / 1.3), () => this.showAll(),
      () => { this.open = new Set(everyGroup()); this.relayout(); this.fit(); },
      () => { this.open.clear(); this.select(-1); this.relayout(); this.fit(); },
    ];
    this.zoomButtons.forEach((button, at) => button.addEventListener("click", actions[at]));
    this.colorBy.addEventListener("change", () => {
      this.way = this.ways.find((way) => way.key === this.colorBy.value);
      this.repaint();
    });
    for (const toggle of this.toggles) {
      toggle.addEventListener("click", () => {
        const key = toggle.dataset.filter;
        const isOn = !this.filters.delete(key);
        if (isOn) this.filters.add(key);
        toggle.setAttribute("aria-pressed", String(isOn));
        this.#match();
        this.#drawMinimap();
        this.changed();
      });
    }
    this.fused?.addEventListener("click", () => {
      this.isFused = !this.isFused;
      this.fused.setAttribute("aria-pressed", String(this.isFused));
      this.#findHulls();
      this.changed();
    });
    this.#listenToSearch();
  }

  repaint() {
    this.#colors();
    this.#paint();
    this.#drawMinimap();
    this.changed();
  }

  #hover(x, y) {
    const unit = x < 0 ? -1 : this.at(x, y);
    if (unit === this.hovered) return;
    this.hovered = unit;
    this.canvas.style.cursor = unit >= 0 ? "pointer" : "";
    this.tip.hidden = unit < 0;
    if (unit >= 0) {
      this.tip.textContent = unit < this.count ? this.graph.name(unit) : this.graph.groupTitle(unit - this.count);
      this.tip.style.left = `${Math.min(x + 14, this.width - 180)}px`;
      this.tip.style.top = `${y + 18}px`;
    }
    this.draw();
  }

  #key(event) {
    const steps = { ArrowDown: "down", ArrowUp: "up", ArrowLeft: "left", ArrowRight: "right" };
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (steps[event.key]) this.#walk(steps[event.key]);
    else if (event.key === "Enter" || event.key === " ") {
      if (this.selected >= this.count) this.toggle(this.selected - this.count);
      else if (this.selected >= 0) this.panel.querySelector("button, a")?.focus();
    } else if (event.key === "Escape") {
      const around = this.#around(this.selected);
      if (around >= 0) { this.toggle(around, false); this.select(this.count + around); this.show(this.selected); }
      else this.select(-1);
    } else if (event.key === "+" || event.key === "=") this.zoom(1.3);
    else if (event.key === "-") this.zoom(1 / 1.3);
    else if (event.key === "0") this.showAll();
    else return;
    event.preventDefault();
  }

  #around(unit) {
    if (unit < 0) return -1;
    return unit < this.count ? this.graph.groupOf(unit) : this.graph.parentOf(unit - this.count);
  }

  // Down and up follow edges; left and right go to what is beside it.
  #walk(way) {
    const { x, y, width, shown } = this.layout;
    if (this.selected < 0 || !width[this.selected]) {
      const first = shown[0];
      if (first !== undefined) { this.select(first); this.show(first); }
      return;
    }
    const center = (unit) => x[unit] + width[unit] / 2;
    let next = -1;
    if (way === "down" || way === "up") {
      const found = this.neighbors(this.selected, way === "down").map(([unit]) => unit);
      found.sort((a, b) => Math.abs(center(a) - center(this.selected)) - Math.abs(center(b) - center(this.selected)) || a - b);
      next = found[0] ?? -1;
    } else {
      const sign = way === "left" ? -1 : 1;
      let best = Infinity;
      const here = y[this.selected];
      for (let at = lowerBound(this.unitTops, here - 60); at < shown.length && y[shown[at]] < here + 60; at++) {
        const gap = sign * (center(shown[at]) - center(this.selected));
        if (gap > 1 && gap < best) { best = gap; next = shown[at]; }
      }
    }
    if (next >= 0) { this.select(next); this.show(next); }
    else this.live.textContent = "Nothing further this way";
  }

  // Search

  #listenToSearch() {
    const { search, results } = this;
    let found = [], active = 0;
    const choose = (node) => {
      results.hidden = true;
      search.setAttribute("aria-expanded", "false");
      this.selectNode(node);
      this.canvas.focus({ preventScroll: true });
    };
    const mark = () => [...results.children].forEach((each, at) => {
      each.setAttribute("aria-selected", String(at === active));
      if (at === active) each.scrollIntoView({ block: "nearest" });
    });
    const refresh = () => {
      found = this.find(search.value);
      active = 0;
      results.replaceChildren(...found.slice(0, 60).map((node) => {
        const entry = make("li", { role: "option" }, make("b", {}, this.graph.op(node) || "end"),
          make("bdi", {}, ellipsis(this.graph.name(node), 70)));
        entry.addEventListener("pointerdown", (event) => { event.preventDefault(); choose(node); });
        return entry;
      }));
      const total = found.length > 60 ? `${found.length.toLocaleString("en")} nodes, the first 60 are shown` : "";
      if (total) results.append(make("li", { className: "quiet", role: "presentation" }, total));
      if (search.value && !found.length) results.append(make("li", { className: "quiet", role: "presentation" }, "No node has this in its name, type, precision or rules"));
      results.hidden = !search.value;
      search.setAttribute("aria-expanded", String(!results.hidden));
      mark();
    };
    search.addEventListener("input", refresh);
    search.addEventListener("focus", () => { if (search.value) refresh(); });
    search.addEventListener("blur", () => { results.hidden = true; });
    search.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") active = Math.min(active + 1, Math.min(found.length, 60) - 1);
      else if (event.key === "ArrowUp") active = Math.max(active - 1, 0);
      else if (event.key === "Enter") { if (found.length) choose(found[active]); }
      else if (event.key === "Escape") { search.value = ""; refresh(); this.canvas.focus(); }
      else return;
      event.preventDefault();
      mark();
    });
  }

  // Nodes whose name, operator, precision, unit or rules have all words; exact operators first.
  find(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const { graph } = this;
    const first = [], rest = [];
    for (let node = 0; node < graph.count; node++) {
      const rules = graph.pinsOf(node).map((pin) => graph.findings.get(pin)?.rule || "").join(" ");
      const op = graph.op(node).toLowerCase();
      const said = `${op}\n${graph.name(node)}\n${graph.precision(node)}\n${graph.unit(node)}\n${rules}`.toLowerCase();
      if (words.every((word) => said.includes(word))) (words.includes(op) ? first : rest).push(node);
    }
    return [...first, ...rest];
  }
}

function curve(painter, ax, ay, bx, by, scale) {
  if (Math.abs(ax - bx) < 0.5 || scale < 0.12) { painter.lineTo(bx, by); return; }
  const bend = by > ay ? (by - ay) / 2 : 40;
  painter.bezierCurveTo(ax, ay + bend, bx, by - bend, bx, by);
}

function lowerBound(sorted, value) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1; else high = middle;
  }
  return low;
}

function graphWords(graph, unit) {
  if (unit >= graph.count) {
    const group = unit - graph.count;
    return `Group ${graph.groupTitle(group)}, ${graph.groupSubtitle(group)}`;
  }
  const pins = graph.pinsOf(unit).length;
  const kind = graph.isEnd(unit) ? (graph.end(unit).isInput ? "Input" : "Output") : graph.op(unit);
  return `${kind} ${graph.name(unit)}, ${graph.subtitle(unit)}${pins ? `, ${pins} findings` : ""}`;
}

// What the panel says of a node.

function nodePanel(view, node) {
  const { graph } = view;
  const { nodes, values } = graph.data;
  const parts = [];
  if (graph.isEnd(node)) {
    const { value, isInput } = graph.end(node);
    parts.push(make("p", { className: "quiet" }, isInput ? "input of the model" : "output of the model"),
      make("h3", {}, make("bdi", {}, graph.name(node))), make("p", {}, graph.valueType(value)));
  } else {
    parts.push(make("p", { className: "op" }, swatchOf(view, node), graph.op(node)),
      make("h3", {}, make("bdi", {}, graph.name(node))));
    if (graph.data.nodes.graph[node] !== graph.data.nodes.graph[0]) parts.push(make("p", { className: "quiet" }, `in ${graph.word(nodes.graph, node)}`));
    if (graph.note(node)) parts.push(make("p", { className: "note" }, graph.note(node)));
    parts.push(...pinnedFindings(view, graph.pinsOf(node)));
    parts.push(figures([
      ["MACs", nodes.macs[node], formatCount], ["parameters", nodes.parameters[node], formatCount],
      ["moves", nodes.bytes[node], formatBytes], ["time, measured", nodes.measured[node], formatSeconds], ["time, expected", nodes.expected[node], formatSeconds],
      ["time, at least", nodes.seconds[node], formatSeconds],
      ["precision", graph.precision(node), String], ["runs on", graph.unit(node), String],
      ["in the engine", graph.engine(node), String],
    ]));
    if (graph.layer(node)) parts.push(make("h4", {}, "Layer"), make("p", { className: "layer" }, make("bdi", {}, graph.layer(node))));
    const flat = nodes.attributes[node] || [];
    if (flat.length) {
      const rows = [];
      for (let at = 0; at < flat.length; at += 2) rows.push([graph.words[flat[at]], graph.words[flat[at + 1]]]);
      parts.push(make("h4", {}, "Attributes"), pairs(rows));
    }
    const weights = nodes.inputs[node].filter((value) => values.kind[value] === "w");
    if (weights.length) {
      parts.push(make("h4", {}, "Weights"));
      for (const value of weights) {
        parts.push(pairs([[graph.valueName(value), graph.valueType(value)]]));
        if (values.figures[value]) parts.push(weightFigures(values.figures[value]));
      }
    }
  }
  parts.push(...neighborList(view, "Reads", graph.before[node] || []));
  parts.push(...neighborList(view, "Read by", graph.after[node] || []));
  return parts;
}

function groupPanel(view, group) {
  const { graph } = view;
  const { nodes } = graph.data;
  const isOpen = view.open.has(group);
  const button = make("button", { type: "button" }, isOpen ? "Close this group" : "Open this group");
  button.addEventListener("click", () => { view.toggle(group); view.select(view.count + group); });
  const inside = [...graph.nodesIn(group)];
  const sum = (column) => inside.reduce((total, node) => total + (column[node] || 0), 0);
  const ops = new Map();
  for (const node of inside) ops.set(graph.op(node), (ops.get(graph.op(node)) || 0) + 1);
  const pins = inside.flatMap((node) => graph.pinsOf(node));
  return [
    make("p", { className: "quiet" }, graph.data.groups.kind[group] === "stack" ? "repeated block" : "block"),
    make("h3", {}, make("bdi", {}, graph.groupTitle(group))), button,
    ...pinnedFindings(view, [...new Set(pins)].slice(0, 8)),
    figures([
      ["nodes", inside.length, formatCount], ["MACs", sum(nodes.macs), formatCount],
      ["parameters", sum(nodes.parameters), formatCount], ["moves", sum(nodes.bytes), formatBytes],
      ["time, measured", sum(nodes.measured), formatSeconds],
      ["time, expected", sum(nodes.expected), formatSeconds], ["time, at least", sum(nodes.seconds), formatSeconds],
    ]),
    make("h4", {}, "Operators"),
    pairs([...ops].sort((a, b) => b[1] - a[1]).slice(0, 16).map(([op, count]) => [op, `×${count.toLocaleString("en")}`])),
  ];
}

function swatchOf(view, unit) {
  const swatch = make("span", { className: "swatch" });
  swatch.style.background = view.color(view.colorOfUnit.get(unit) || "none");
  return swatch;
}

function figures(entries) {
  const list = make("dl", { className: "figures" });
  for (const [label, value, format] of entries) {
    if (value === null || value === undefined || value === "" || value === 0) continue;
    list.append(make("div", {}, make("dt", {}, label), make("dd", {}, format(value))));
  }
  return list;
}

// Range and spread of a weight, with a small histogram.
function weightFigures(found) {
  const most = Math.max(...found.histogram), number = (value) => String(Number(value.toPrecision(3)));
  const share = (value) => (value ? `${Number((100 * value).toPrecision(2))}%` : "");
  const bars = make("div", { className: "histogram", role: "img", ariaLabel: `Histogram from ${number(found.range[0])} to ${number(found.range[1])}` });
  for (const count of found.histogram) {
    const bar = make("span");
    bar.style.height = `${count ? Math.max((100 * count) / most, 3) : 0}%`;
    bars.append(bar);
  }
  return make("div", {}, bars, figures([
    ["lowest", number(found.range[0]), String], ["highest", number(found.range[1]), String],
    ["mean", number(found.mean), String], ["deviation", number(found.deviation), String],
    ["zeros", share(found.zeros), String], ["not finite", found.notFinite, formatCount],
    ["read", found.read < 1 ? share(found.read) : "", String],
  ]));
}

function pairs(entries) {
  const list = make("dl", { className: "pairs" });
  for (const [label, value] of entries) {
    list.append(make("div", {}, make("dt", {}, make("bdi", {}, label)), make("dd", {}, make("bdi", {}, value))));
  }
  return list;
}

function pinnedFindings(view, pins) {
  return pins.map((pin) => {
    const finding = view.graph.findings.get(pin);
    if (!finding) return null;
    const box = make("div", { className: `pinned ${finding.severity}` },
      make("p", {}, make("b", {}, finding.rule), " ", finding.message));
    for (const [label, said] of finding.reasons) {
      box.append(make("details", {}, make("summary", {}, label), make("p", {}, said)));
    }
    const link = make("a", { href: `#${finding.key}` }, "Show the finding");
    box.append(link);
    return box;
  }).filter(Boolean);
}

function neighborList(view, label, edges) {
  if (!edges.length) return [];
  const list = make("ul", { className: "neighbors" });
  for (const [node, value] of edges.slice(0, 24)) {
    const button = make("button", { type: "button" },
      make("b", {}, view.graph.op(node) || (view.graph.end(node).isInput ? "input" : "output")),
      make("bdi", {}, ellipsis(view.graph.valueName(value), 40)),
      make("span", { className: "quiet" }, view.graph.valueType(value)));
    button.addEventListener("click", () => view.selectNode(node));
    list.append(make("li", {}, button));
  }
  if (edges.length > 24) list.append(make("li", { className: "quiet" }, `${edges.length - 24} more`));
  return [make("h4", {}, label), list];
}
