// The completeness calendar: a cell that is chosen tells below what it stands for; arrows move.

const detail = document.getElementById("day-detail");

function tell(name, text) {
  detail.querySelector(`[data-detail="${name}"]`).textContent = text;
}

function choose(cell) {
  const meter = cell.closest("tr").dataset.meter;
  const { day } = cell.dataset;
  document.querySelector(".cell.is-chosen")?.classList.remove("is-chosen");
  cell.classList.add("is-chosen");
  tell("meter", meter);
  tell("day", day);
  tell("words", cell.title);
  const readings = document.getElementById("detail-readings");
  const { base, item } = readings.dataset;
  readings.href = `${base}?${new URLSearchParams({ meter, item, from: day, to: day })}`;
  for (const [name, value] of [["meter", meter], ["day", day]]) {
    const field = detail.querySelector(`input[name=${name}]`);
    if (field) field.value = value;
  }
  const fill = document.getElementById("fill-cell");
  if (fill) fill.hidden = cell.classList.contains("is-full");
  detail.hidden = false;
}

document.addEventListener("click", (event) => {
  const cell = event.target.closest(".heat .cell[data-day]");
  if (cell) choose(cell);
});

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

document.addEventListener("keydown", (event) => {
  const cell = event.target.closest?.(".heat .cell[data-day]");
  const step = STEPS[event.key];
  if (!cell || !step) return;
  event.preventDefault();
  const place = cell.closest("td");
  const row = place.parentElement;
  const next = step[0] ? (step[0] > 0 ? row.nextElementSibling : row.previousElementSibling) : row;
  next?.children[place.cellIndex + step[1]]?.querySelector(".cell[data-day]")?.focus();
});

// One cell is in the order of the tab key; the arrows go on from it.
function openToTab() {
  const first = document.querySelector(".heat .cell[data-day]");
  if (first) first.tabIndex = 0;
}
document.addEventListener("htmx:afterSettle", openToTab);
openToTab();
