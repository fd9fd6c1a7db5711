// The curve of a meter's page: loads readings or consumption of the chosen days and draws them, as a
// line, as bars, or as a heat map of hours by days. Times are drawn in the site's zone, whatever zone
// this computer is in.

const SPACING_MAX = 1.5; // A wider step between two points is a hole, and the line breaks there.
const REFRESH_MS = 5000; // A curve that grows while one looks is drawn again this often at most.
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const HEAT_DAYS = 7; // A heat map begins with a week.

const box = document.getElementById("chart");
const form = document.getElementById("curve-form");
const kinds = document.getElementById("chart-kind");
const looks = document.getElementById("chart-look");
const words = box.dataset;

const zoned = new Intl.DateTimeFormat("sv-SE", { timeZone: words.zone, dateStyle: "short", timeStyle: "medium" });
const atSite = (iso) => Date.parse(`${zoned.format(new Date(iso)).replace(" ", "T")}Z`);

let chart = null;
let shown = []; // What was loaded, in the order it is drawn.
let loading = null;

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

function isHeat() {
  return looks.querySelector("input:checked").value === "heat";
}

function kind() {
  const register = item().dataset.kind === "register";
  kinds.hidden = !register || isHeat();
  if (isHeat()) return "value"; // What a register grew by in an hour is made of its readings.
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
  const colours = Charts.theme(box);
  const label = { color: colours.text, hideOverlap: true, formatter: { day: "{MM}-{dd}", month: "{yyyy}-{MM}", year: "{yyyy}", hour: "{HH}:{mm}", minute: "{HH}:{mm}" } };
  return {
    useUTC: true,
    animation: false,
    textStyle: { fontFamily: colours.font },
    color: [colours.primary],
    grid: { left: 8, right: 24, top: 34, bottom: 36, containLabel: true },
    tooltip: {
      ...Charts.tooltip(colours, ([point]) => `${stamp(point.value[0])}\n${point.value[1] ?? "–"} ${unit}`),
      trigger: "axis",
      axisPointer: { lineStyle: { color: colours.text } },
    },
    xAxis: { type: "time", min: start, max: end, axisLine: { lineStyle: { color: colours.line } }, axisLabel: label, splitLine: { show: false } },
    yAxis: { type: "value", name: unit, scale: series.type === "line", nameTextStyle: { color: colours.text, align: "right" }, axisLabel: { color: colours.text }, splitLine: { lineStyle: { color: colours.line } } },
    dataZoom: Charts.zoom(colours),
    series: [series],
  };
}

// One value for each hour: what a register grew by, or the mean of what was measured.
function hours(readings, start, end) {
  const sums = new Map();
  const at = new Map(readings.filter((one) => one.value !== null).map((one) => [atSite(one.time), Number(one.value)]));
  if (item().dataset.kind === "register") {
    for (const [moment, value] of at) {
      const next = at.get(moment + HOUR_MS);
      if (moment % HOUR_MS === 0 && next >= value) sums.set(moment, [next - value, 1]);
    }
  } else {
    for (const [moment, value] of at) {
      const hour = moment - (moment % HOUR_MS);
      const [sum, count] = sums.get(hour) ?? [0, 0];
      sums.set(hour, [sum + value, count + 1]);
    }
  }
  const cells = [];
  for (const [hour, [sum, count]] of sums) {
    if (hour < start || hour >= end) continue;
    cells.push([Math.floor((hour - start) / DAY_MS), (hour % DAY_MS) / HOUR_MS, Number((sum / count).toPrecision(6))]);
  }
  return cells;
}

function heatOptions(cells, unit, start, end) {
  const colours = Charts.theme(box);
  const days = Array.from({ length: Math.round((end - start) / DAY_MS) }, (_, day) => isoDay(start + day * DAY_MS));
  const values = cells.map((cell) => cell[2]);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const axis = { axisLine: { lineStyle: { color: colours.line } }, axisLabel: { color: colours.text }, axisTick: { show: false }, splitArea: { show: false } };
  return {
    animation: false,
    textStyle: { fontFamily: colours.font },
    grid: { left: 8, right: 12, top: 44, bottom: 36, containLabel: true },
    tooltip: Charts.tooltip(colours, ({ value: [day, hour, value] }) => `${days[day]} ${String(hour).padStart(2, "0")}:00\n${value} ${unit}`),
    xAxis: { type: "category", data: days, ...axis },
    yAxis: { type: "category", data: Array.from({ length: 24 }, (_, hour) => `${hour}`), inverse: true, name: words.hour, nameLocation: "start", nameTextStyle: { color: colours.text }, ...axis },
    visualMap: { min: least, max: most > least ? most : least + 1, calculable: true, formatter: (value) => `${Number(value.toPrecision(3))}`, orient: "horizontal", left: "center", top: 4, itemHeight: 140, itemWidth: 12, text: [unit, ""], textStyle: { color: colours.text }, inRange: { color: ["#2c7bb6", "#9fd0c8", "#ffe08a", "#f0803c", "#c2201f"] } },
    dataZoom: Charts.zoom(colours, { xAxisIndex: 0 }),
    series: [{ type: "heatmap", data: cells, itemStyle: { borderColor: colours.surface, borderWidth: 0.5 } }],
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
  const { unit } = item().dataset;
  if (isHeat()) {
    const cells = hours(shown, start, end);
    if (cells.length) chart.setOption(heatOptions(cells, unit, start, end), { notMerge: true });
    else say(words.sparse);
    return;
  }
  const series = kind() === "consumption" ? barSeries(shown) : lineSeries(shown);
  chart.setOption(options(series, unit, start, end), { notMerge: true });
}

function openEvidence(point) {
  if (point.seriesType === "heatmap") return; // An hour is of many readings.
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
looks.addEventListener("change", () => {
  if (isHeat() && field.from.value === field.to.value) {
    field.from.value = isoDay(Date.parse(field.to.value) - (HEAT_DAYS - 1) * DAY_MS);
    changed(); // One day is no map.
  } else {
    load();
  }
});
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
