// Layered layout of a graph with groups that are open or closed. Deterministic, near-linear.
//
// Each open group, and the graph itself, is a container that is laid out on its own: layers by
// longest path, one chain of waypoints for each source that is read further down, bounded sweeps
// for the order, and the least squares of what each layer wants for the places. An open group is
// one box to the container around it, so that opening it moves the others without reordering them.

const GAP_X = 18, LANE = 10, PAD = 20, HEAD = 26, GAP_Y = 30, MARGIN = 24;
const OUT = "out", IN = "in:";  // ports of an open group: one for what leaves, one for each source
const CROWD = 10;  // sources in a row
const SWEEPS = 6, PASSES = 8, WAYPOINTS_EACH = 5, WAYPOINTS_FREE = 4000;

const sizeOfNode = (graph, at) => {
  const text = Math.max(graph.title(at).length * 7.3, graph.subtitle(at).length * 6);
  return [Math.min(Math.max(Math.round(text) + 26, 76), 210), graph.subtitle(at) ? 40 : 28];
};
const sizeOfGroup = (graph, at) => {
  const text = Math.max(graph.groupTitle(at).length * 7.3, graph.groupSubtitle(at).length * 6);
  return [Math.min(Math.max(Math.round(text) + 40, 132), 280), 52];
};

// Units are nodes (0 … n-1) and groups (n …); a container is a group or -1, the whole graph.
function layoutGraph(graph, open) {
  const count = graph.count, groups = graph.groupCount;
  const unitOfGroup = (group) => count + group;
  const chain = (node) => {  // from the outermost container's child to what is visible
    const found = [];
    for (let group = graph.groupOf(node); group >= 0; group = graph.parentOf(group)) {
      found.push(group);
    }
    found.reverse();
    const closed = found.findIndex((group) => !open.has(group));
    const path = (closed < 0 ? found : found.slice(0, closed + 1)).map(unitOfGroup);
    return closed < 0 ? [...path, node] : path;
  };
  const paths = new Array(count);
  const known = new Map();  // nodes of one group share theirs, but for the node itself
  for (let node = 0; node < count; node++) {
    const group = graph.groupOf(node);
    let path = known.get(group);
    if (path === undefined) {
      path = chain(node);
      const isOpen = path.at(-1) === node;
      path = { path: isOpen ? path.slice(0, -1) : path, isOpen };
      known.set(group, path);
    }
    paths[node] = path.isOpen ? [...path.path, node] : path.path;
  }

  const containers = new Map();
  const containerOf = (group) => {
    let found = containers.get(group);
    if (!found) containers.set(group, (found = { group, units: [], seen: new Set(), edges: new Map() }));
    return found;
  };
  containerOf(-1);
  const isShown = new Uint8Array(count + groups);
  for (let node = 0; node < count; node++) {
    const path = paths[node];
    for (let depth = 0; depth < path.length; depth++) {
      if (isShown[path[depth]]) continue;
      isShown[path[depth]] = 1;
      containerOf(depth ? path[depth - 1] - count : -1).units.push(path[depth]);
    }
  }

  // Edges of each container. What enters or leaves an open group does so through a port of it.
  const link = (container, source, target) => {
    let targets = container.edges.get(source);
    if (!targets) container.edges.set(source, (targets = new Set()));
    targets.add(target);
  };
  const linked = new Set();
  for (const [source, target] of graph.edges) {
    const from = paths[source], to = paths[target];
    const one = from.at(-1), other = to.at(-1);
    if (one === other) continue;
    const key = one * (count + groups) + other;
    if (linked.has(key)) continue;
    linked.add(key);
    let depth = 0;
    while (from[depth] === to[depth]) depth++;
    link(containerOf(depth ? from[depth - 1] - count : -1), from[depth], to[depth]);
    for (let at = from.length - 1; at > depth; at--) {
      link(containerOf(from[at - 1] - count), from[at], OUT);
    }
    for (let at = depth + 1; at < to.length; at++) {
      link(containerOf(to[at - 1] - count), IN + from[depth], to[at]);
    }
  }

  // Innermost containers first, since their sizes are asked for by those around them.
  const sizes = new Array(count + groups);
  const solve = (container) => {
    for (const unit of container.units) {
      if (unit >= count && open.has(unit - count)) {
        const inner = containers.get(unit - count);
        solve(inner);
        sizes[unit] = [inner.width, inner.height];
      } else {
        sizes[unit] = unit < count ? sizeOfNode(graph, unit) : sizeOfGroup(graph, unit - count);
      }
    }
    placeContainer(container, sizes);
  };
  solve(containers.get(-1));

  // Absolute places, and segments of edges.
  const x = new Float64Array(count + groups), y = new Float64Array(count + groups);
  const width = new Float32Array(count + groups), height = new Float32Array(count + groups);
  const depths = new Uint8Array(count + groups);
  const shown = [], frames = [], segments = [];
  const portOf = (unit, port) => {
    const inner = unit >= count && open.has(unit - count) ? containers.get(unit - count) : null;
    const place = inner && inner.places.get(port);
    return place ? place.x - inner.width / 2 : 0;
  };
  const startOf = (container, item, source) => {
    const port = typeof source === "string" ? source : IN + source;
    const shift = typeof item.id === "number" ? portOf(item.id, port) : 0;
    return [container.left + item.x + shift, container.top + item.y];
  };
  const endOf = (container, item) => {
    const shift = typeof item.id === "number" ? portOf(item.id, OUT) : 0;
    return [container.left + item.x + shift, container.top + item.y + item.height];
  };
  const settle = (container, left, top, depth) => {
    container.left = left;
    container.top = top;
    for (const unit of container.units) {
      const place = container.places.get(unit);
      x[unit] = left + place.x - sizes[unit][0] / 2;
      y[unit] = top + place.y;
      [width[unit], height[unit]] = sizes[unit];
      depths[unit] = depth;
      if (unit >= count && open.has(unit - count)) {
        frames.push(unit);
        settle(containers.get(unit - count), x[unit], y[unit], depth + 1);
      } else shown.push(unit);
    }
    for (const [source, lane] of container.lanes) {
      let previous = container.items[source];
      for (const item of lane) {
        segments.push([...endOf(container, previous), ...startOf(container, item, previous.id)]);
        segments.push([...startOf(container, item), ...endOf(container, item)]);
        previous = item;
      }
    }
    for (const { from, to, source } of container.links) {
      segments.push([...endOf(container, from), ...startOf(container, to, source)]);
    }
  };
  settle(containers.get(-1), MARGIN, MARGIN, 0);

  // The way of one edge, as points; every second piece of a lane is straight.
  const routeIn = (container, source, target) => {
    const from = container.at.get(source), to = container.at.get(target);
    if (from === undefined || to === undefined) return [];
    const points = [endOf(container, container.items[from])];
    const gap = container.items[to].layer - container.items[from].layer;
    for (const item of (container.lanes.get(from) || []).slice(0, Math.max(gap - 1, 0))) {
      points.push(startOf(container, item), endOf(container, item));
    }
    points.push(startOf(container, container.items[to], source));
    return points;
  };
  const inside = (unit) => containers.get(unit - count);
  const route = (source, target) => {
    const from = paths[source], to = paths[target];
    let depth = 0;
    while (from[depth] === to[depth]) depth++;
    const points = [];
    for (let at = from.length - 1; at > depth; at--) {
      points.push(...routeIn(inside(from[at - 1]), from[at], OUT));
    }
    points.push(...routeIn(depth ? inside(from[depth - 1]) : containers.get(-1), from[depth], to[depth]));
    for (let at = depth + 1; at < to.length; at++) {
      points.push(...routeIn(inside(to[at - 1]), IN + from[depth], to[at]));
    }
    return points;
  };
  const root = containers.get(-1);
  return {
    x, y, width, height, depths, shown, frames, segments, paths, route,
    totalWidth: root.width + 2 * MARGIN, totalHeight: root.height + 2 * MARGIN,
  };
}

function placeContainer(container, sizes) {
  const isRoot = container.group < 0;
  const ids = [...container.units];
  const ports = new Set();
  for (const [source, targets] of container.edges) {
    if (typeof source === "string") ports.add(source);
    for (const target of targets) if (typeof target === "string") ports.add(target);
  }
  const rankOf = (port) => Number(port.slice(IN.length)) || 0;
  ids.push(...[...ports].sort((a, b) => rankOf(a) - rankOf(b)));
  const at = new Map(ids.map((id, index) => [id, index]));
  const count = ids.length;
  const after = Array.from({ length: count }, () => []);
  const before = Array.from({ length: count }, () => []);
  for (const [source, targets] of container.edges) {
    for (const target of targets) {
      after[at.get(source)].push(at.get(target));
      before[at.get(target)].push(at.get(source));
    }
  }
  const { layer, isBack } = layersOf(ids, after, before);
  const items = [];  // {id, layer, up: [[item, weight]], down, width, height}
  const itemOf = ids.map((id, index) => {
    const size = typeof id === "string" ? [LANE, 0] : sizes[id];
    const item = { id, layer: layer[index], order: index, up: [], down: [], width: size[0], height: size[1], x: 0, y: 0 };
    items.push(item);
    return item;
  });
  const lanes = new Map();  // source -> its lane in each layer that it passes
  let budget = WAYPOINTS_FREE + WAYPOINTS_EACH * count;
  const spans = ids.map((_, index) => {
    let last = layer[index];
    for (const each of after[index]) if (!isBack(index, each)) last = Math.max(last, layer[each]);
    return [index, last - layer[index]];
  });
  spans.sort((a, b) => a[1] - b[1] || a[0] - b[0]);
  const far = new Set();
  for (const [index, span] of spans) {
    if (span <= 1) continue;
    if (budget < span) { far.add(index); continue; }
    budget -= span - 1;
    let previous = itemOf[index];
    const lane = [];
    for (let level = layer[index] + 1; level < layer[index] + span; level++) {
      const item = { id: null, layer: level, order: index, up: [], down: [], width: LANE, height: 0, x: 0, y: 0 };
      join(previous, item, previous.id === null ? 8 : 0.6);
      items.push(item);
      lane.push(item);
      previous = item;
    }
    lanes.set(index, lane);
  }
  const links = [];
  for (let index = 0; index < count; index++) {
    const lane = lanes.get(index) || [];
    for (const target of after[index]) {
      const gap = layer[target] - layer[index];
      if (isBack(index, target) || (gap > 1 && far.has(index))) continue;
      const from = gap > 1 ? lane[gap - 2] : itemOf[index];
      const only = after[index].length === 1 && before[target].length === 1;
      join(from, itemOf[target], from.id === null ? 0.6 : only ? 6 : 3);
      links.push({ from, to: itemOf[target], source: ids[index] });
    }
  }
  const rows = orderedLayers(items);
  placeAcross(rows);
  for (const lane of lanes.values()) straighten(lane, rows);
  let top = isRoot ? 0 : HEAD + PAD;
  for (const row of rows) {
    let tallest = 0;
    for (const item of row) tallest = Math.max(tallest, item.height);
    for (const item of row) {
      item.y = top + (tallest - item.height) / 2;
      if (item.id === null) { item.y = top; item.height = tallest; }
    }
    top += tallest + (tallest ? GAP_Y + Math.min(row.length, 24) : 4);
  }
  let left = Infinity, right = -Infinity;
  for (const item of items) {
    left = Math.min(left, item.x - item.width / 2);
    right = Math.max(right, item.x + item.width / 2);
  }
  if (!items.length) left = right = 0;
  const pad = isRoot ? 0 : PAD;
  const heading = isRoot ? 0 : 220;
  container.width = Math.max(right - left + 2 * pad, heading);
  container.height = Math.max(top - GAP_Y, 0) + (isRoot ? 0 : PAD);
  const shift = (container.width - (right - left)) / 2 - left;
  container.places = new Map();
  for (const item of items) {
    item.x += shift;
    if (typeof item.id === "string") item.y = item.id === OUT ? container.height : 0;
    if (item.id !== null) container.places.set(item.id, item);
  }
  container.lanes = lanes;
  container.links = links;
  container.items = itemOf;
  container.at = at;
}

function join(upper, lower, weight) {
  upper.down.push([lower, weight]);
  lower.up.push([upper, weight]);
}

// Longest path from the top; what nothing leads to moves down to its first reader. Whatever closes
// a cycle is an edge back.
function layersOf(ids, after, before) {
  const count = ids.length;
  const layer = new Int32Array(count), waiting = before.map((each) => each.length);
  const order = [], done = new Uint8Array(count), rank = new Int32Array(count);
  const ready = [], queued = new Uint8Array(count);
  const queue = (index) => { queued[index] = 1; ready.push(index); };
  for (let index = 0; index < count; index++) if (!waiting[index]) queue(index);
  for (let head = 0, next = 0; order.length < count; head++) {
    if (head === ready.length) {
      while (queued[next]) next++;
      queue(next);
    }
    const index = ready[head];
    done[index] = 1;
    rank[index] = order.length;
    order.push(index);
    for (const each of after[index]) {
      if (done[each]) continue;
      layer[each] = Math.max(layer[each], layer[index] + 1);
      if (!--waiting[each] && !queued[each]) queue(each);
    }
  }
  const isBack = (from, to) => rank[to] <= rank[from];
  let last = 0;
  for (let index = 0; index < count; index++) last = Math.max(last, layer[index]);
  if (ids.includes(OUT)) layer[ids.indexOf(OUT)] = Math.max(last, 1);
  const crowds = new Map();
  const movable = new Uint8Array(count);
  for (const index of order) {
    if (typeof ids[index] === "string" || after[index].length !== 1) continue;
    movable[index] = before[index].length === 0 ||
      (before[index].length === 1 && movable[before[index][0]]) ? 1 : 0;
  }
  for (let at = count - 1; at >= 0; at--) {
    const index = order[at];
    const isSource = before[index].length === 0 && typeof ids[index] !== "string";
    if (!movable[index] && !isSource) continue;
    let first = Infinity;
    for (const each of after[index]) if (!isBack(index, each)) first = Math.min(first, layer[each]);
    if (first === Infinity) continue;
    if (isSource && first > 0) {  // many sources of one reader make several rows
      const crowd = crowds.get(first) || 0;
      crowds.set(first, crowd + 1);
      first = Math.max(first - Math.floor(crowd / CROWD), 1);
    }
    layer[index] = Math.max(layer[index], first - 1);
  }
  return { layer, isBack };
}

// Sweep down and up: each item goes to the middle of what it is joined to.
function orderedLayers(items) {
  const rows = [];
  for (const item of items) (rows[item.layer] ||= []).push(item);
  for (let at = 0; at < rows.length; at++) rows[at] ||= [];
  for (const row of rows) {
    row.sort((a, b) => a.order - b.order);
    row.forEach((item, at) => { item.at = at; });
  }
  const middle = (item, side) => {
    const joined = side ? item.up : item.down;
    if (!joined.length) return item.at;
    let sum = 0, weights = 0;
    for (const [other, weight] of joined) {
      const heavy = Math.max(weight, 1);
      sum += other.at / Math.max(other.row, 1) * heavy;
      weights += heavy;
    }
    return (sum / weights) * item.row;
  };
  const sweep = (row, side) => {
    for (const item of row) item.want = middle(item, side);
    row.sort((a, b) => a.want - b.want || a.at - b.at);
    row.forEach((item, at) => { item.at = at; });
  };
  for (const row of rows) for (const item of row) item.row = row.length;
  for (let round = 0; round < SWEEPS; round++) {
    if (round % 2 === 0) for (let at = 1; at < rows.length; at++) sweep(rows[at], true);
    else for (let at = rows.length - 2; at >= 0; at--) sweep(rows[at], false);
  }
  return rows;
}

function placeAcross(rows) {
  for (const row of rows) {
    let right = 0;
    for (const item of row) {
      item.x = right + item.width / 2;
      right += item.width + (item.id === null ? LANE : GAP_X);
    }
    for (const item of row) item.x -= right / 2;
  }
  for (let pass = 0; pass < PASSES; pass++) {
    const goesDown = pass % 2 === 0;
    for (let step = 1; step < rows.length; step++) {
      pull(rows[goesDown ? step : rows.length - 1 - step], goesDown);
    }
  }
}

// A lane is straight for as long as the room between its neighbors allows.
function straighten(lane, rows) {
  const roomOf = (item) => {
    const row = rows[item.layer], before = row[item.at - 1], next = row[item.at + 1];
    const gap = (other) => (other.id === null ? LANE / 2 : GAP_X) + other.width / 2 + item.width / 2;
    return [before ? before.x + gap(before) : -Infinity, next ? next.x - gap(next) : Infinity];
  };
  for (let start = 0; start < lane.length;) {
    let low = -Infinity, high = Infinity, end = start;
    const wants = [];
    for (; end < lane.length; end++) {
      const [left, right] = roomOf(lane[end]);
      if (Math.max(low, left) > Math.min(high, right)) break;
      low = Math.max(low, left);
      high = Math.min(high, right);
      wants.push(lane[end].x);
    }
    if (end === start) { start++; continue; }
    wants.sort((a, b) => a - b);
    const x = Math.min(Math.max(wants[wants.length >> 1], low), high);
    for (; start < end; start++) lane[start].x = x;
  }
}

// Move a layer as near as possible to where its items want to be, in their order: isotonic
// regression by merging neighbors that would overlap.
function pull(row, fromAbove) {
  const blocks = [];
  let offset = 0;
  row.forEach((item, at) => {
    if (at) {
      const previous = row[at - 1];
      const gap = item.id === null && previous.id === null ? LANE / 2 : GAP_X;
      offset += previous.width / 2 + item.width / 2 + gap;
    }
    item.offset = offset;
    const joined = fromAbove ? item.up : item.down;
    const [want, weight] = joined.length ? weightedMedian(joined) : [item.x, 0.05];
    let block = { sum: (want - offset) * weight, weight, from: at };
    while (blocks.length && blocks.at(-1).sum / blocks.at(-1).weight > block.sum / block.weight) {
      const left = blocks.pop();
      left.sum += block.sum;
      left.weight += block.weight;
      block = left;
    }
    blocks.push(block);
  });
  blocks.forEach((block, at) => {
    const start = block.sum / block.weight, end = blocks[at + 1]?.from ?? row.length;
    for (let each = block.from; each < end; each++) row[each].x = start + row[each].offset;
  });
}

function weightedMedian(joined) {
  if (joined.length === 1) return [joined[0][0].x, joined[0][1]];
  const sorted = joined.map(([item, weight]) => [item.x, weight]).sort((a, b) => a[0] - b[0]);
  let total = 0;
  for (const [, weight] of sorted) total += weight;
  let below = 0;
  for (let at = 0; at < sorted.length; at++) {
    below += sorted[at][1];
    if (Math.abs(below - total / 2) < 1e-9 && at + 1 < sorted.length) {
      return [(sorted[at][0] + sorted[at + 1][0]) / 2, total];
    }
    if (below > total / 2) return [sorted[at][0], total];
  }
  return [sorted.at(-1)[0], total];
}
