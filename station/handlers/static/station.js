// What every page does: the live socket, the question before a removal, notices, search, forms.
// A part of a page that carries data-live="TOPIC" is loaded again when something is told on it.

const LIVE_DELAY_MS = 250; // Several things that happen at once are one refresh.
const LIVE_PERIOD_MS = 1000; // No part is loaded more often, unless data-live-period says so,
const LIVE_PROMPT_MS = 600; // or what is told is one of its data-live-prompt: that is seen within a second.
const RECONNECT_MS = [1000, 2000, 5000, 10000];
const NOTICE_MS = 6000;
const WORK_SHOWN_MS = 500; // What is done sooner needs no bar.
const WORK_ENDS_MS = 30_000;
const NOTICES_MAX = 5; // More would cover the page.

// --- live ---------------------------------------------------------------------------------------

const refreshed = new Map(); // Part id to the time of its last refresh.
const planned = new Map(); // Part id to the time and the timer of the next.
const missed = new Set(); // Parts that changed while nobody looked.

function refresh(id) {
  planned.delete(id);
  if (document.hidden) {
    missed.add(id);
    return;
  }
  refreshed.set(id, performance.now());
  const part = document.getElementById(id);
  if (part) htmx.trigger(part, "live");
}

function plan(part, prompt = false) {
  const now = performance.now();
  const last = refreshed.get(part.id) ?? -Infinity;
  const period = prompt ? LIVE_PROMPT_MS : Number(part.dataset.livePeriod ?? LIVE_PERIOD_MS);
  const at = Math.max(now + LIVE_DELAY_MS, last + period);
  const standing = planned.get(part.id);
  if (standing && standing.at <= at) return;
  clearTimeout(standing?.timer);
  planned.set(part.id, { at, timer: setTimeout(refresh, at - now, part.id) });
}

function concerns(part, message) {
  const { liveKey, liveValue } = part.dataset;
  return !liveKey || message[liveKey] === liveValue;
}

function hear(message) {
  if (message.topic === "finished") showEnding(message);
  document.dispatchEvent(new CustomEvent(`station:${message.topic}`, { detail: message }));
  for (const part of document.querySelectorAll(`[data-live~="${message.topic}"]`)) {
    if (part.hasAttribute("hx-get") && concerns(part, message)) {
      plan(part, part.matches(`[data-live-prompt~="${message.topic}"]`));
    }
  }
}

function showLive(live, parts) {
  const state = document.getElementById("live-state");
  if (!state || !parts) return; // Of a page that does not move.
  state.hidden = false;
  state.classList.toggle("is-live", live);
  state.querySelector(".live-state-text").textContent = live ? state.dataset.liveOn : state.dataset.liveOff;
}

let socket = null;
let filter = null; // What narrows the frames that the socket brings.

function filterHere() {
  return document.querySelector("[data-live-filter]")?.dataset.liveFilter ?? "";
}

// What was under way when the page was made may have ended before the socket could tell.
function mayHaveMissed(part) {
  return part.querySelector(".status-dot-animated, .status-secondary") !== null;
}

function connect(attempt) {
  if (!document.getElementById("ending-good")) return; // Nobody who may hear of it.
  const parts = [...document.querySelectorAll("[data-live]")];
  filter = filterHere();
  const query = new URLSearchParams(filter);
  query.set("topics", [...new Set(["finished", ...parts.flatMap((part) => part.dataset.live.split(" "))])].join(","));
  const own = (socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live?${query}`));
  let failures = attempt;
  own.addEventListener("open", () => {
    showLive(true, parts.length);
    failures = 0;
    for (const part of document.querySelectorAll("[data-live][hx-get]")) {
      if (attempt || mayHaveMissed(part)) plan(part);
    }
  });
  own.addEventListener("message", (event) => hear(JSON.parse(event.data)));
  own.addEventListener("close", () => {
    if (own !== socket) return; // Another one has taken its place.
    showLive(false, parts.length);
    const wait = RECONNECT_MS[Math.min(failures, RECONNECT_MS.length - 1)];
    setTimeout(connect, wait, failures + 1);
  });
}

document.addEventListener("htmx:afterSettle", () => {
  if (!socket || filterHere() === filter) return;
  const old = socket;
  connect(0);
  old.close();
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  for (const id of missed) refresh(id);
  missed.clear();
});

// --- requests ------------------------------------------------------------------------------------

document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb !== "get") return;
  for (const [name, value] of [...event.detail.formData.entries()]) {
    if (value === "") event.detail.formData.delete(name); // An empty filter is no filter.
  }
});

document.addEventListener("htmx:sendError", () => {
  const notice = document.getElementById("unreachable").content.cloneNode(true);
  document.getElementById("notices").replaceChildren(notice);
});

document.addEventListener("htmx:confirm", (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  const dialog = document.getElementById("confirm");
  document.getElementById("confirm-question").textContent = event.detail.question;
  const yes = document.getElementById("confirm-yes");
  yes.textContent = event.target.dataset.confirmYes ?? yes.textContent;
  dialog.returnValue = "no";
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "yes") event.detail.issueRequest(true);
  }, { once: true });
  dialog.showModal();
});

// data-opens="ID" opens a dialog; data-closes closes the one it stands in.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  if (event.target.closest("[data-closes]")) event.target.closest("dialog").close();
});

// What was asked for comes into view if it lies below, and moves nothing if it is there already.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.hasAttribute?.("data-into-view")) event.target.scrollIntoView({ block: "nearest" });
});

// --- progress ------------------------------------------------------------------------------------

// Whatever a person asked for and that takes more than a moment shows a bar at the top of the page.
let working = 0; // Requests under way; parts that refresh by themselves do not count.
let slow = null;

function showWork() {
  const bar = document.getElementById("working");
  if (!bar) return;
  bar.hidden = false;
  bar.firstElementChild.textContent = bar.dataset.words;
}

function beginWork() {
  working += 1;
  slow ??= setTimeout(showWork, WORK_SHOWN_MS);
}

function endWork() {
  working = Math.max(0, working - 1);
  if (working) return;
  clearTimeout(slow);
  slow = null;
  const bar = document.getElementById("working");
  if (!bar) return;
  bar.hidden = true;
  bar.firstElementChild.textContent = "";
}

const counts = (event) => event.detail.requestConfig?.triggeringEvent?.type !== "live";
document.addEventListener("htmx:beforeSend", (event) => { if (counts(event)) beginWork(); });
document.addEventListener("htmx:afterRequest", (event) => { if (counts(event)) endWork(); });
window.addEventListener("beforeunload", () => {
  beginWork();
  setTimeout(endWork, WORK_ENDS_MS); // Where a file came and the page stays.
});
window.addEventListener("pageshow", () => { working = 0; endWork(); });

// --- notices -------------------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-dismiss]")) event.target.closest(".notice").remove();
});

function fadeNotices() {
  for (const notice of document.querySelectorAll(".notices .notice-success:not([data-seen])")) {
    notice.dataset.seen = "";
    setTimeout(() => notice.remove(), NOTICE_MS);
  }
}
document.addEventListener("htmx:afterSettle", fadeNotices);

// What the person began has ended: said once, unless its own page is open and shows it.
function showEnding({ text, href, good }) {
  if (location.pathname === href) return;
  const notice = document.getElementById(good ? "ending-good" : "ending-bad").content.cloneNode(true);
  const link = notice.querySelector("a");
  link.textContent = text;
  link.href = href;
  const notices = document.getElementById("notices");
  notices.append(notice);
  while (notices.children.length > NOTICES_MAX) notices.firstElementChild.remove();
  fadeNotices();
}

// --- search --------------------------------------------------------------------------------------

const search = document.getElementById("search");

function closeFound() {
  const found = document.getElementById("found");
  if (found) found.hidden = true;
}

function moveInFound(event) {
  const stops = [search, ...document.querySelectorAll("#found:not([hidden]) a")];
  const here = stops.indexOf(document.activeElement);
  if (here < 0 || stops.length < 2) return;
  event.preventDefault();
  const step = event.key === "ArrowDown" ? 1 : stops.length - 1;
  stops[(here + step) % stops.length].focus();
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && search) {
    event.preventDefault();
    search.focus();
    search.select();
  }
  if (!event.target.closest(".topbar-search")) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") moveInFound(event);
  if (event.key === "Escape") {
    closeFound();
    search.focus();
  }
});
document.addEventListener("click", (event) => {
  if (!event.target.closest(".topbar-search")) closeFound();
});

// --- forms ---------------------------------------------------------------------------------------

// data-check="PREFIX PREFIX" ticks the boxes of a form whose value begins so, and no others;
// data-check-all and data-check-none change all boxes of their fieldset.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-check], [data-check-all], [data-check-none]");
  if (!button) return;
  const own = document.getElementById(button.dataset.checkForm) ?? button.closest("fieldset");
  const prefixes = (button.dataset.check ?? "").split(" ");
  for (const box of own.querySelectorAll("input[type=checkbox]:not(:disabled)")) {
    if (button.hasAttribute("data-check-all")) box.checked = true;
    else if (button.hasAttribute("data-check-none")) box.checked = false;
    else box.checked = prefixes.some((prefix) => box.value.startsWith(prefix));
  }
  own.dispatchEvent(new Event("change", { bubbles: true }));
});

// data-shown-by="NAME=VALUE VALUE" shows a part of a form while one of these choices stands.
function showChosen(form) {
  for (const part of form.querySelectorAll("[data-shown-by]")) {
    const [name, values] = part.dataset.shownBy.split("=");
    const shown = values.split(" ").includes(new FormData(form).get(name));
    part.hidden = !shown;
    for (const input of part.querySelectorAll("input, select, textarea")) input.disabled = !shown;
  }
}
document.addEventListener("change", (event) => {
  const form = event.target.closest("form");
  if (form?.querySelector("[data-shown-by]")) showChosen(form);
});

// data-fill="ID" writes the value of a button into that field.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-fill]");
  if (!button) return;
  const field = document.getElementById(button.dataset.fill);
  field.value = button.value;
  field.dispatchEvent(new Event("change", { bubbles: true }));
});

// data-narrows="ID" keeps only the rows of a list whose text holds what is typed.
document.addEventListener("input", (event) => {
  const id = event.target.dataset.narrows;
  if (!id) return;
  const wanted = event.target.value.toLowerCase();
  for (const row of document.getElementById(id).children) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
  }
});

// --- tables that scroll ----------------------------------------------------------------------------

// A table that is wider than its place is scrolled with the arrow keys once it has the focus.
function letScroll() {
  for (const frame of document.querySelectorAll(".table-frame")) {
    if (frame.scrollWidth > frame.clientWidth) frame.tabIndex = 0;
    else frame.removeAttribute("tabindex");
  }
}
document.addEventListener("htmx:afterSettle", letScroll);
window.addEventListener("resize", letScroll);
letScroll();

// --- clock ---------------------------------------------------------------------------------------

// The server's moment plus the time since, so that a wrong clock on this computer shows nothing wrong.
function startClock(frame) {
  const clock = frame.querySelector("time");
  const shown = Date.parse(clock.dateTime) - performance.now();
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: frame.dataset.clock, dateStyle: "short", timeStyle: "medium" });
  setInterval(() => { clock.textContent = format.format(shown + performance.now()); }, 1000);
}

for (const clock of document.querySelectorAll("[data-clock]")) startClock(clock);
for (const form of document.querySelectorAll("form:has([data-shown-by])")) showChosen(form);
fadeNotices();
connect(0);
