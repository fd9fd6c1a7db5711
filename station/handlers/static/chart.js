// The curve of a meter's page: loads readings or consumption of the chosen days and draws them.
// Times are drawn in the site's zone, whatever zone this computer is in.

const SPACING_MAX = 1.5; // A wider step between two points is a hole, and the line breaks there.
const REFRESH_MS = 5000; // A curve that grows while one looks is drawn again this often at most.
const DAY_MS = 86_400_000;

const box = document.getElementById("chart");
const form = document.getElementById("curve-form");
const kinds = document.getElementById("chart-kind");
const words = box.dataset;

const zoned = new Intl.DateTimeFormat("sv-SE", { timeZone: words.zone, dateStyle: "short", timeStyle: "medium" });
const atSite = (iso) => Date.parse(`${zoned.format(new Date(iso)).replace(" ", "T")}Z`);

let chart = null;
let shown = []; // What was loaded, in the order it is drawn.
let loading = null;

// ECharts wants plain colours: what the theme says is painted on the card's ground and looked at.
function plainColour(name) {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  for (const layer of ["--tblr-bg-surface", name]) {
    box.style.color = `var(${layer})`;
    paint.fillStyle = getComputedStyle(box).color;
    paint.fillRect(0, 0, 1, 1);
  }
  box.style.color = "";
  const [red, green, blue] = paint.getImageData(0, 0, 1, 1).data;
  return `rgb(${red}, ${green}, ${blue})`;
}

function say(text) {
  chart?.dispose();
  chart = null;
  const message = document.createElement("div");
  message.className = "chart-message";
  message.textContent = text;
  box.replaceChildren(message);
}

// By name and not as properties: a form's `elements.item` is a method of the collection.
const field = { item: form.querySelector("[name=item]"), from: form.querySelector("[name=from]"), to: form.querySelector("[name=to]") };

function item() {
  return field.item.selectedOptions[0];
}

function kind() {
  const register = item().dataset.kind === "register";
  kinds.hidden = !register;
  return register ? kinds.querySelector("input:checked").value : "value";
}

function query() {
  return new URLSearchParams({
    meter: form.dataset.meter,
    item: field.item.value,
    from: field.from.value,
    to: field.to.value,
  });
}

function keepInAddress() {
  const here = new URL(location.href);
  for (const name of ["item", "from", "to"]) here.searchParams.set(name, field[name].value);
  history.replaceState(null, "", here);
  document.getElementById("curve-table").href = `/readings?${query()}`;
}

// --- points ---------------------------------------------------------------------------------------

function withHoles(points) {
  const steps = points.slice(1).map((point, index) => point[0] - points[index][0]).filter((step) => step > 0);
  const usual = steps.length ? steps.toSorted((a, b) => a - b)[Math.floor(steps.length / 2)] : 0;
  const line = [];
  for (const [index, point] of points.entries()) {
    if (index && point[0] - points[index - 1][0] > usual * SPACING_MAX) line.push([point[0] - 1, null]);
    line.push(point);
  }
  return line;
}

function number(value) {
  return value === null ? null : Number(value);
}

function lineSeries(readings) {
  const points = readings.map((reading) => [atSite(reading.time), number(reading.value)]);
  return {
    name: item().textContent,
    type: "line",
    data: withHoles(points),
    connectNulls: false,
    showSymbol: points.length < 2,
    symbolSize: 5,
    lineStyle: { width: 2 },
    areaStyle: { opacity: 0.08 },
    sampling: "lttb",
  };
}

function barSeries(intervals) {
  return {
    name: words.consumption,
    type: "bar",
    data: intervals.map((interval) => [atSite(interval.start), number(interval.value)]),
    barMaxWidth: 28,
    itemStyle: { borderRadius: [2, 2, 0, 0] },
  };
}

function stamp(milliseconds) {
  return new Date(milliseconds).toISOString().slice(0, 16).replace("T", " ");
}

// --- drawing ---------------------------------------------------------------------------------------

function options(series, unit, start, end) {
  const text = plainColour("--tblr-secondary");
  const line = plainColour("--tblr-border-color");
  const surface = plainColour("--tblr-bg-surface");
  const body = plainColour("--tblr-body-color");
  const font = getComputedStyle(document.body).fontFamily;
  return {
    useUTC: true,
    animation: false,
    textStyle: { fontFamily: font },
    color: [plainColour("--tblr-primary")],
    grid: { left: 8, right: 24, top: 34, bottom: 8, containLabel: true },
    tooltip: {
      trigger: "axis",
      renderMode: "richText", // The other mode writes style attributes, which the page forbids.
      backgroundColor: surface,
      borderColor: line,
      textStyle: { color: body },
      formatter: ([point]) => `${stamp(point.value[0])}\n${point.value[1] ?? "–"} ${unit}`,
      axisPointer: { lineStyle: { color: text } },
    },
    xAxis: { type: "time", min: start, max: end, axisLine: { lineStyle: { color: line } }, axisLabel: { color: text, hideOverlap: true, formatter: { day: "{MM}-{dd}", month: "{yyyy}-{MM}", year: "{yyyy}", hour: "{HH}:{mm}", minute: "{HH}:{mm}" } }, splitLine: { show: false } },
    yAxis: { type: "value", name: unit, scale: series.type === "line", nameTextStyle: { color: text, align: "right" }, axisLabel: { color: text }, splitLine: { lineStyle: { color: line } } },
    dataZoom: [{ type: "inside", filterMode: "none", zoomOnMouseWheel: "ctrl" }],
    series: [series],
  };
}

function draw(answer) {
  shown = answer.items;
  if (!shown.some((one) => one.value !== null)) {
    say(words.empty);
    return;
  }
  if (!chart) {
    box.replaceChildren();
    chart = echarts.init(box);
    chart.on("click", openEvidence);
  }
  const start = Date.parse(`${field.from.value}T00:00:00Z`);
  const end = Date.parse(`${field.to.value}T00:00:00Z`) + DAY_MS;
  const series = kind() === "consumption" ? barSeries(shown) : lineSeries(shown);
  chart.setOption(options(series, item().dataset.unit, start, end), { notMerge: true });
}

function openEvidence(point) {
  const reading = shown.find((one) => one.read_at && atSite(one.time) === point.value[0]);
  if (!reading) return;
  document.getElementById("open-evidence").click();
  const address = `/meters/${encodeURIComponent(reading.meter)}/frames?${new URLSearchParams({ read_at: reading.read_at })}`;
  htmx.ajax("GET", address, { target: "#evidence-body", swap: "innerHTML" });
}

async function load() {
  if (!form.checkValidity()) return;
  loading?.abort();
  const own = (loading = new AbortController());
  const address = kind() === "consumption" ? "/api/consumption" : "/api/readings";
  try {
    const response = await fetch(`${address}?${query()}`, { signal: own.signal, headers: { Accept: "application/json" } });
    const answer = await response.json();
    if (own !== loading) return;
    if (response.ok) draw(answer);
    else say(answer.error.message);
  } catch (error) {
    if (error.name !== "AbortError") say(words.failed);
  }
}

// --- what the person does -----------------------------------------------------------------------

function isoDay(milliseconds) {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

function markSpan() {
  const span = (Date.parse(field.to.value) - Date.parse(field.from.value)) / DAY_MS + 1;
  const untilToday = field.to.value === field.to.max;
  for (const button of form.querySelectorAll("[data-days]")) {
    const here = untilToday && Number(button.dataset.days) === span;
    button.classList.toggle("active", here);
    button.setAttribute("aria-pressed", here);
  }
}

function changed() {
  keepInAddress();
  markSpan();
  load();
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", (event) => {
  if (field.from.value > field.to.value) {
    if (event.target === field.to) field.from.value = field.to.value;
    else field.to.value = field.from.value;
  }
  changed();
});
form.addEventListener("click", (event) => {
  const days = Number(event.target.dataset?.days);
  if (!days) return;
  field.to.value = field.to.max;
  field.from.value = isoDay(Date.parse(field.to.max) - (days - 1) * DAY_MS);
  changed();
});
kinds.addEventListener("change", load);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-item]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const option = form.querySelector(`option[value="${link.dataset.item}"]`);
  if (!option) return;
  event.preventDefault();
  option.selected = true;
  changed();
  document.getElementById("curve").scrollIntoView({ block: "nearest", behavior: "smooth" });
});

let later = null;
document.addEventListener("station:readings", (event) => {
  if (event.detail.meter !== words.meter || later) return;
  later = setTimeout(() => { later = null; load(); }, REFRESH_MS);
});
new ResizeObserver(() => chart?.resize()).observe(box);

const asked = new URLSearchParams(location.search);
for (const name of ["from", "to"]) {
  if (/^\d{4}-\d{2}-\d{2}$/.test(asked.get(name) ?? "")) field[name].value = asked.get(name);
}
say(words.waiting);
markSpan();
load();
