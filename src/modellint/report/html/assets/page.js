// The page around the graphs: filters, sorting, one model at a time, links, theme.

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const views = new Map();

async function read(element) {
  if (!("deflate" in element.dataset)) return JSON.parse(element.textContent);
  const packed = Uint8Array.from(atob(element.textContent.trim()), (char) => char.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

// Findings of a model, by their number: what the page says of them is all there is to say.
function findingsOf(article) {
  const found = new Map();
  for (const element of all(".finding", article)) {
    const reasons = all(".reasons > .why, .reasons > .fix", element)
      .map((each) => [each.querySelector("dt").textContent, each.querySelector("dd").textContent]);
    for (const number of element.dataset.findings.split(" ")) {
      found.set(Number(number), {
        severity: element.dataset.severity, rule: element.dataset.rule, reasons,
        message: element.querySelector("h3").textContent, key: element.querySelector(".anchor").id,
      });
    }
  }
  return found;
}

async function openGraph(host) {
  if (views.has(host)) return views.get(host);
  const opening = (async () => {
    const article = host.closest(".model");
    const data = await read(document.getElementById(host.dataset.graph));
    const view = new GraphView(host, new GraphData(data, findingsOf(article)));
    view.byName = new Map();
    for (let node = view.graph.count - 1; node >= 0; node--) view.byName.set(view.graph.name(node), node);
    host.view = view;
    host.dataset.layout = view.layoutTime.toFixed(1);
    linkPlaces(article, view);
    return view;
  })();
  views.set(host, opening);
  return opening;
}

function linkPlaces(article, view) {
  for (const place of all("[data-place]", article)) {
    const node = view.byName.get(place.dataset.place);
    if (node === undefined) continue;
    const button = make("button", { type: "button", className: "place", title: "Show in the graph" });
    button.append(...place.childNodes);
    button.addEventListener("click", () => {
      view.selectNode(node);
      view.host.scrollIntoView({ block: "center", behavior: motion() });
    });
    place.replaceWith(button);
  }
}

const motion = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");

// Links: #node=NAME, #m2&node=NAME

let isFollowing = false;
function permalink(host, name) {
  if (isFollowing) return;
  const key = host.closest(".model").id;
  const isSeveral = document.getElementById("index") !== null;
  history.replaceState(null, "", `#${isSeveral ? `${key}&` : ""}node=${encodeURIComponent(name)}`);
}

async function follow() {
  const [first, ...rest] = location.hash.slice(1).split("&");
  const parts = [first, ...rest];
  const stated = parts.find((part) => part.startsWith("node="));
  const target = first && !first.startsWith("node=") ? document.getElementById(first) : null;
  const article = target?.closest(".model") || (stated ? document.querySelector(".model") : null);
  showModel(article);
  if (target && !stated) target.scrollIntoView({ behavior: "auto" });
  if (!stated || !article) return;
  const host = article.querySelector("[data-graph]");
  if (!host) return;
  const view = await openGraph(host);
  let name;
  try { name = decodeURIComponent(stated.slice(5)); } catch { return; }
  const node = view.byName.get(name);
  if (node === undefined) return;
  isFollowing = true;
  view.selectNode(node);
  isFollowing = false;
  host.scrollIntoView({ block: "center" });
}

function showModel(article) {
  const index = document.getElementById("index");
  const models = all(".model");
  if (index) {
    index.hidden = Boolean(article);
    for (const each of models) each.hidden = each !== article;
  }
  const shown = index ? article : models[0];
  if (shown) for (const host of all("[data-graph]", shown)) watcher.observe(host);
}

const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    watcher.unobserve(entry.target);
    openGraph(entry.target);
  }
}, { rootMargin: "600px" });

// Filters of findings

function listenToFilters(form) {
  const section = form.closest("section");
  const nothing = section.querySelector(".nothing");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    const severities = new Set(all("[name=severity]:checked", form).map((each) => each.value));
    const wanted = (name) => form.querySelector(`[name=${name}]`)?.value || "";
    let left = 0;
    for (const finding of all(".finding", section)) {
      const { severity, rule, target, runtime } = finding.dataset;
      const fits = (name, value) => !wanted(name) || (value || "").split(" ").includes(wanted(name));
      const isShown = severities.has(severity) && fits("rule", rule) &&
        fits("target", target) && fits("runtime", runtime);
      finding.hidden = !isShown;
      left += isShown;
    }
    nothing.hidden = left > 0;
  });
}

// Tables

function makeSortable(table) {
  const body = table.tBodies[0];
  if (body.rows.length < 3) return;
  [...table.tHead.rows[0].cells].forEach((head, at) => {
    if (!head.textContent) return;
    const button = make("button", { type: "button" });
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const isFigure = head.classList.contains("figure") || [...body.rows].some((row) => row.cells[at]?.dataset.by);
      const isDown = head.getAttribute("aria-sort") === (isFigure ? "descending" : "ascending");
      const sign = isDown === isFigure ? 1 : -1;
      const valueOf = (row) => {
        const cell = row.cells[at];
        return isFigure ? Number(cell?.dataset.by ?? -Infinity) : (cell?.textContent ?? "").toLowerCase();
      };
      const rows = [...body.rows].map((row, index) => [valueOf(row), index, row]);
      rows.sort(([a, i], [b, j]) => (a < b ? -sign : a > b ? sign : i - j));
      for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      body.append(...rows.map(([, , row]) => row));
    });
  });
}

// Theme: as the system says, until a button is pressed

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  document.getElementById("theme").textContent = { auto: "Theme", light: "Light", dark: "Dark" }[theme];
  for (const opening of views.values()) opening.then((view) => view.repaint());
}

function listen() {
  document.documentElement.classList.add("has-script");
  for (const form of all(".filters")) listenToFilters(form);
  for (const table of all("table:has(thead)")) makeSortable(table);
  for (const article of all(".model")) {
    const nav = article.querySelector("nav.sections");
    const links = all(":scope > section[data-nav]", article)
      .map((section) => make("a", { href: `#${section.id}` }, section.dataset.nav));
    if (links.length > 1) nav.append(...links);
  }
  const themes = ["auto", "light", "dark"];
  document.getElementById("theme").addEventListener("click", () => {
    const now = document.documentElement.dataset.theme || "auto";
    setTheme(themes[(themes.indexOf(now) + 1) % themes.length]);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme(document.documentElement.dataset.theme || "auto"));
  document.getElementById("print").addEventListener("click", () => window.print());
  document.getElementById("save-json").addEventListener("click", async () => {
    const json = JSON.stringify(await read(document.getElementById("report-data")), null, 2);
    const link = make("a", { href: URL.createObjectURL(new Blob([json], { type: "application/json" })), download: "modellint.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName || "");
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    const host = all("[data-graph]").find((each) => !each.closest("[hidden]"));
    if (!host) return;
    event.preventDefault();
    host.scrollIntoView({ block: "center" });
    openGraph(host).then((view) => view.search.focus());
  });
  addEventListener("hashchange", follow);
  addEventListener("beforeprint", () => {
    for (const each of all("details")) each.dataset.wasOpen = each.open;
    for (const each of all("details")) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of all("details")) each.open = each.dataset.wasOpen === "true";
  });
  follow();
}

listen();
