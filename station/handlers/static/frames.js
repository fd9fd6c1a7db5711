// The frame monitor: puts frames on top of the table as they cross the links, and opens one in words.

const ROWS_MAX = 500; // More rows make the page slow, and nobody scrolls so far.
const HELD_MAX = 500; // Frames that wait while the table is paused.

const pause = document.getElementById("pause");
let paused = false;
let held = [];

const zone = document.getElementById("frame-rows")?.dataset.zone ?? document.querySelector("[data-clock]")?.dataset.clock;
const clock = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });

function timeOf(iso) {
  const at = new Date(iso);
  return `${clock.format(at)}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

function pairs(hex) {
  return hex.replace(/(..)(?=.)/g, "$1 ");
}

function isWanted(frame, list) {
  const text = document.getElementById("frame-text").value.toLowerCase();
  const direction = list.dataset.direction;
  if (direction && frame.direction !== direction) return false;
  return !text || `${frame.words} ${frame.note} ${frame.hex} ${pairs(frame.hex)} ${frame.link}`.toLowerCase().includes(text);
}

function rowOf(frame) {
  const row = document.getElementById(`frame-row-${frame.direction}`).content.firstElementChild.cloneNode(true);
  row.dataset.hex = frame.hex;
  row.dataset.frame = keyOf(frame);
  row.querySelector("time").textContent = timeOf(frame.at);
  row.querySelector("time").dateTime = frame.at;
  row.querySelector(".address").textContent = frame.link;
  row.querySelector(".words").textContent = frame.words;
  row.querySelector(".hex").textContent = pairs(frame.hex);
  const note = row.querySelector(".note");
  note.hidden = !frame.note || frame.note.startsWith("noise");
  note.textContent = frame.note;
  return row;
}

function keyOf(frame) {
  return `${Date.parse(frame.at)}|${frame.link}|${frame.hex}`;
}

function add(frame) {
  const rows = document.getElementById("frame-rows");
  if (rows.querySelector(`[data-frame="${CSS.escape(keyOf(frame))}"]`)) return;
  rows.prepend(rowOf(frame));
  while (rows.children.length > ROWS_MAX) rows.lastElementChild.remove();
  const empty = document.getElementById("no-frames");
  if (empty) empty.hidden = true;
}

function showPaused() {
  pause.setAttribute("aria-pressed", paused);
  pause.querySelector(".pause-icon").hidden = paused;
  pause.querySelector(".go-icon").hidden = !paused;
  document.getElementById("pause-text").textContent = paused ? pause.dataset.goOn : pause.dataset.pause;
  const count = document.getElementById("waiting-count");
  count.hidden = !held.length;
  count.textContent = held.length;
}

pause?.addEventListener("click", () => {
  paused = !paused;
  if (!paused) {
    held.forEach(add);
    held = [];
  }
  showPaused();
});

document.addEventListener("station:frames", (event) => {
  const list = document.getElementById("frames");
  if (!list || list.dataset.first !== "true" || !isWanted(event.detail, list)) return;
  if (!paused) {
    add(event.detail);
    return;
  }
  held.push(event.detail);
  if (held.length > HELD_MAX) held.shift();
  showPaused();
});

// --- one frame in words -----------------------------------------------------------------------

function open(row) {
  document.getElementById("open-evidence").click();
  htmx.ajax("POST", "/frames/decode", { target: "#evidence-body", swap: "innerHTML", values: { hex: row.dataset.hex } });
}

document.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-hex]");
  if (row && !event.target.closest("a, button") && !String(getSelection())) open(row);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("tr[data-hex]")) open(event.target);
});
