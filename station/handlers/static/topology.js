// The picture of a place's topology: a tree from the place over terminals and buses to the meters.
// Every state has a colour and a shape of its own; the table below the picture says the same.

const ROWS_MAX = 3000;
const ROW_HEIGHT = 20; // Of a leaf: a name can be read.
const HEIGHT_MIN = 320;
const NARROW = 600;
const REFRESH_MS = 5000;

const box = document.getElementById("topology");
const words = box?.dataset;
let chart = null;

const zoned = box && new Intl.DateTimeFormat("sv-SE", { timeZone: words.zone, dateStyle: "short", timeStyle: "medium" });

function looks(colours) {
  return {
    online: ["roundRect", colours.good], offline: ["triangle", colours.bad],
    answers: ["circle", colours.good], silent: ["diamond", colours.warning],
    unreachable: ["triangle", colours.bad], idle: ["emptyCircle", colours.text],
  };
}

function nodeOf(row, look) {
  const [symbol, color] = look[row.state];
  return { name: row.kind === "bus" ? row.name : row.name || row.address, row, symbol, itemStyle: { color, borderColor: color }, children: [] };
}

function treeOf(rows, look, colours) {
  const top = { name: words.name, symbol: "rect", itemStyle: { color: colours.primary, borderColor: colours.primary }, children: [] };
  const nodes = new Map(rows.map((row) => [row.id, nodeOf(row, look)]));
  for (const row of rows) (nodes.get(row.parent) ?? top).children.push(nodes.get(row.id));
  return top;
}

function told({ data: { row, name } }) {
  if (!row) return name;
  const state = words[`state${row.state[0].toUpperCase()}${row.state.slice(1)}`];
  const heard = row.heard_at ? `\n${zoned.format(new Date(row.heard_at))}` : "";
  return `${row.address} ${row.name}\n${state}${heard}`;
}

function options(rows) {
  const colours = Charts.theme(box);
  const narrow = box.clientWidth < NARROW; // Names of what branches stand above it, to leave room.
  const label = { color: colours.body, fontFamily: colours.font, fontSize: 12, backgroundColor: colours.surface, padding: [1, 3] };
  return {
    animation: false,
    tooltip: { ...Charts.tooltip(colours, told), trigger: "item" },
    series: [{
      type: "tree",
      data: [treeOf(rows, looks(colours), colours)],
      left: narrow ? 40 : 110, right: narrow ? 110 : 170, top: 8, bottom: 8,
      initialTreeDepth: -1,
      expandAndCollapse: false,
      roam: true,
      symbolSize: 11,
      edgeShape: "polyline",
      lineStyle: { color: colours.line, width: 1.2 },
      label: narrow ? { ...label, position: "top", fontSize: 11 } : { ...label, position: "left", align: "right", verticalAlign: "middle" },
      leaves: { label: { ...label, position: "right", align: "left" } },
      emphasis: { focus: "ancestor" },
    }],
  };
}

function say(text) {
  chart?.dispose();
  chart = null;
  const message = document.createElement("div");
  message.className = "chart-message";
  message.textContent = text;
  box.replaceChildren(message);
}

async function load() {
  try {
    const response = await fetch(`/api/places/${encodeURIComponent(words.place)}/topology?size=${ROWS_MAX}`, { headers: { Accept: "application/json" } });
    const answer = await response.json();
    if (!response.ok) {
      say(answer.error.message);
      return;
    }
    const leaves = answer.items.filter((row) => row.kind === "meter").length;
    box.style.height = `${Math.max(HEIGHT_MIN, leaves * ROW_HEIGHT)}px`;
    if (!chart) {
      box.replaceChildren();
      chart = echarts.init(box);
      chart.on("click", ({ data }) => { if (data?.row?.page) location.assign(data.row.page); });
    }
    chart.resize();
    chart.setOption(options(answer.items));
  } catch {
    say(words.failed);
  }
}

let later = null;
function plan() {
  later ??= setTimeout(() => { later = null; load(); }, REFRESH_MS);
}

if (box) {
  say(words.waiting);
  load();
  document.addEventListener("station:links", plan);
  document.addEventListener("station:runs", plan);
  new ResizeObserver(() => chart?.resize()).observe(box);
}
