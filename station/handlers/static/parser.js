// The frame parser: a field lights its bytes, a byte lights its field. What the pointer is over counts
// while it is there, then what was last pressed or focused. Escape puts the light out.

const ROW_SIZE = 8; // Bytes in a row of the page; a wide screen shows two rows in a line.
const EDGE = 8; // Pixels that stay free around what is brought into view.

const lit = new Set(); // Elements that are lit now.
let told = null; // Where the lit field is told once more, below its bytes.
let held = null; // The field that stays lit.

function fieldOf(element) {
  const own = element.closest?.(".span, .byte[id]");
  if (!own) return null;
  return own.matches(".span") ? own : document.getElementById(own.getAttribute("aria-describedby"));
}

function bytesOf(field) {
  return [...field.closest("[data-parse]").querySelectorAll(`.byte[aria-describedby="${field.id}"]`)];
}

function light(field) {
  for (const element of lit) element.classList.remove("is-lit", "is-first", "is-last");
  lit.clear();
  told?.replaceChildren();
  told = null;
  if (!field) return;
  const bytes = bytesOf(field);
  for (const element of [field, ...bytes]) {
    element.classList.add("is-lit");
    lit.add(element);
  }
  bytes[0].classList.add("is-first");
  bytes.at(-1).classList.add("is-last");
  told = field.closest("[data-parse]").querySelector(".byte-told");
  told.replaceChildren(...[...field.children].slice(1).map((part) => part.cloneNode(true)));
}

// Moves only what lies in the frame that scrolls by itself: the page stays still under the pointer.
// Should the field lie below the window, what it says stands below the bytes as well.
function showInside(element) {
  const frame = element.closest(".bytes, .spans");
  const [outer, inner] = [frame.getBoundingClientRect(), element.getBoundingClientRect()];
  if (inner.top < outer.top) frame.scrollTop += inner.top - outer.top - EDGE;
  const bottom = Math.min(outer.bottom, innerHeight);
  if (inner.bottom > bottom) frame.scrollTop += inner.bottom - bottom + EDGE;
}

function show(from) {
  const field = fieldOf(from);
  light(field);
  if (from.closest(".span")) showInside(bytesOf(field)[0]);
  else showInside(field);
}

function hold(from) {
  held = fieldOf(from);
  show(from);
  // In one column the fields scroll with the page, below the bytes, which stay.
  if (from.closest(".byte")) held.scrollIntoView({ block: "nearest" });
}

document.addEventListener("pointerover", (event) => {
  if (event.pointerType !== "mouse") return; // A finger presses.
  if (fieldOf(event.target)) show(event.target);
  else light(held);
});

document.addEventListener("focusin", (event) => {
  const own = event.target.closest(".byte[id], .span");
  if (!own) return;
  for (const other of own.closest(".bytes, .spans").querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
  own.tabIndex = 0; // The arrow keys move on from here, and Tab comes back to it.
  if (own.matches(":focus-visible")) hold(own);
});

document.addEventListener("click", (event) => {
  if (fieldOf(event.target)) hold(event.target);
});

function lineSize(byte) {
  const rows = byte.closest(".bytes").querySelectorAll(".byte-row");
  return rows.length > 1 && rows[0].offsetTop === rows[1].offsetTop ? 2 * ROW_SIZE : ROW_SIZE;
}

function stepOf(key, own) {
  const isByte = own.matches(".byte");
  if (key === "ArrowDown") return isByte ? lineSize(own) : 1;
  if (key === "ArrowUp") return isByte ? -lineSize(own) : -1;
  if (key === "ArrowRight" && isByte) return 1;
  if (key === "ArrowLeft" && isByte) return -1;
  if (key === "Home") return -Infinity;
  if (key === "End") return Infinity;
  return 0;
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    held = null;
    light(null);
  }
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("#field-hex")) {
    event.target.form.requestSubmit();
  }
  const own = event.target.closest?.(".byte[id], .span");
  const step = own ? stepOf(event.key, own) : 0;
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const all = [...own.closest(".bytes, .spans").querySelectorAll(".byte[id], .span")];
  const wanted = all.indexOf(own) + step;
  const at = Math.abs(step) === Infinity || !own.matches(".byte") || Math.abs(step) === 1
    ? Math.max(0, Math.min(all.length - 1, wanted))
    : wanted;
  all[at]?.focus();
});

// The place of a fault leads to its byte.
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#byte-"]');
  const byte = link && document.getElementById(link.hash.slice(1));
  if (!byte) return;
  event.preventDefault();
  byte.focus();
  hold(byte);
});
