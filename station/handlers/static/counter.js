// The counter: a sale that is asked for once more before it is one, and the steps of a write.
// A form of an order carries its request's id, so sending it twice is one order; a page that comes
// back from the browser's memory would carry an old one, so it is loaded again.

const PREVIEW_DELAY_MS = 150;

window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// data-key="F2" presses a button; data-send sends its form; data-once disables the button at once.
document.addEventListener("keydown", (event) => {
  const button = document.querySelector(`[data-key="${CSS.escape(event.key)}"]:not(:disabled)`);
  if (!button) return;
  event.preventDefault();
  button.click();
});
document.addEventListener("change", (event) => {
  if (event.target.hasAttribute("data-send")) event.target.form.requestSubmit();
});
document.addEventListener("submit", (event) => {
  if (event.target.hasAttribute("data-once")) event.submitter?.setAttribute("disabled", "");
});

function unreachable() {
  const notice = document.getElementById("unreachable").content.cloneNode(true);
  document.getElementById("notices").replaceChildren(notice);
}

// --- the steps of a conversation with a card --------------------------------------------------------

class Steps {
  constructor(list) {
    this.lines = [...list.querySelectorAll("[data-step]")];
    this.begin();
  }

  begin() {
    this.reached = -1;
    this.taken = new Set(); // The others are not needed for this order.
    for (const line of this.lines) line.className = "";
  }

  hear(step) {
    const index = this.lines.findIndex((each) => each.dataset.step.split("|").includes(step));
    if (index > this.reached) this.reach(index, "is-now");
  }

  reach(index, mark) {
    this.reached = index;
    this.taken.add(index);
    this.lines.forEach((line, number) => {
      const past = this.taken.has(number) ? "is-past" : "is-left-out";
      line.className = number < index ? past : number === index ? mark : "";
    });
  }

  fail() {
    this.reach(Math.max(this.reached, 0), "is-failed");
  }
}

function ask(address, form, body) {
  return fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Xsrftoken": form.elements._xsrf.value },
    body: JSON.stringify(body),
  });
}

// --- a sale ---------------------------------------------------------------------------------------

const sale = document.getElementById("sale");
let asked = 0; // Only the answer to the last question is shown.
let waiting = 0;

async function preview(into) {
  const own = ++asked;
  const fields = new URLSearchParams();
  for (const name of ["amount", "energy"]) {
    if (sale.elements[name].value.trim()) fields.set(name, sale.elements[name].value.trim());
  }
  if (!fields.size) {
    into.replaceChildren();
    return null;
  }
  const answer = await fetch(`${sale.dataset.sale}?${fields}`, { headers: { Accept: "text/html" } });
  const text = await answer.text();
  if (own !== asked) return null;
  into.innerHTML = text;
  return into.querySelector("[data-fen]");
}

// Before money is taken: is the right card there, and may it be written? It keeps nobody from going on.
async function lookAtCard(line) {
  line.classList.remove("is-bad", "is-good");
  line.textContent = line.dataset.looking;
  const answer = await ask("/api/cards/read", sale, {});
  const found = await answer.json();
  let problem = answer.ok ? found.problem : found.error.message;
  if (answer.ok && found.account?.id !== line.dataset.account) problem = line.dataset.other;
  line.textContent = problem || line.dataset.right;
  line.classList.add(problem ? "is-bad" : "is-good");
}

// Sell and write in one go: nothing is sold unless the card may be written. What was entered and not
// written goes on at the order's own page. Asked again, the same request is the same sale.
async function sell(dialog, line, fen) {
  const steps = new Steps(document.getElementById("sale-steps"));
  const hear = (event) => event.detail.request === sale.elements.request_id.value && steps.hear(event.detail.step);
  document.addEventListener("station:orders", hear);
  dialog.classList.add("is-selling");
  dialog.querySelectorAll("button").forEach((button) => button.setAttribute("disabled", ""));
  steps.reach(0, "is-now");
  try {
    const answer = await ask(`/api${new URL(sale.action).pathname}`, sale, {
      request_id: sale.elements.request_id.value,
      amount_fen: Number(fen),
      write: true,
    });
    const found = await answer.json();
    if (answer.ok) {
      location.assign(`/orders/${found.id}${found.state === "reserved" ? "#write" : ""}`);
      return;
    }
    const unknown = found.error.code === "database_down";
    line.textContent = unknown ? found.error.message : `${found.error.message}. ${line.dataset.nothing}`;
    line.className = "sale-card is-bad";
  } catch {
    unreachable();
  } finally {
    document.removeEventListener("station:orders", hear);
  }
  dialog.classList.remove("is-selling");
  dialog.querySelectorAll("button").forEach((button) => button.removeAttribute("disabled"));
  document.getElementById("sale-yes").focus();
}

function startSale() {
  const shown = document.getElementById("preview");
  const dialog = document.getElementById("sale-confirm");
  const line = document.getElementById("sale-card");

  const show = () => preview(shown).catch(unreachable);
  sale.addEventListener("input", (event) => {
    const other = document.getElementById(event.target.dataset.instead);
    if (other && event.target.value) other.value = "";
    clearTimeout(waiting);
    waiting = setTimeout(show, PREVIEW_DELAY_MS);
  });
  sale.addEventListener("click", (event) => {
    const chip = event.target.closest("[data-amount]");
    if (!chip || chip.tagName !== "BUTTON") return;
    sale.elements.amount.value = chip.dataset.amount;
    sale.elements.energy.value = "";
    sale.elements.amount.focus();
    show();
  });
  sale.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    try {
      const found = await preview(shown);
      if (!found) return;
      document.getElementById("sale-sums").replaceChildren(found.cloneNode(true));
      dialog.classList.remove("is-selling");
      dialog.showModal();
      await lookAtCard(line);
    } catch {
      unreachable();
    }
  });
  // A key that is held down confirms nothing.
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.repeat) event.preventDefault();
  });
  // While the card is written the question stays open, with the steps in it.
  dialog.addEventListener("submit", (event) => {
    if (event.submitter?.value !== "yes") return;
    event.preventDefault();
    // What was shown is what is sold.
    sell(dialog, line, dialog.querySelector("[data-fen]").dataset.fen);
  });
  dialog.addEventListener("cancel", (event) => {
    if (document.getElementById("sale-yes").disabled) event.preventDefault();
  });
  dialog.addEventListener("close", () => sale.elements.amount.focus());
  if (sale.elements.amount.value || sale.elements.energy.value) show();
}

// --- writing a card -------------------------------------------------------------------------------

const write = document.getElementById("write");

function startWriting() {
  const panel = document.getElementById("write-panel");
  const button = document.getElementById("write-go");
  const refused = document.getElementById("write-refused");
  const steps = new Steps(document.getElementById("write-steps"));
  let busy = false;

  document.addEventListener("station:orders", (event) => {
    const { id, step, state } = event.detail;
    if (id !== panel.dataset.order) return;
    if (busy) steps.hear(step);
    else if (state && state !== "reserved") location.reload(); // Finished at another desk.
  });

  async function go() {
    if (busy) return;
    busy = true;
    button.disabled = true;
    refused.hidden = true;
    steps.begin();
    steps.reach(0, "is-now");
    try {
      const answer = await ask(write.dataset.write, write, {});
      if (answer.ok) {
        location.replace(location.pathname);
        return;
      }
      document.getElementById("write-problem").textContent = (await answer.json()).error.message;
      refused.hidden = false;
    } catch {
      unreachable();
    }
    steps.fail();
    busy = false;
    button.disabled = false;
    button.querySelector("span").textContent = button.dataset.again;
    button.focus();
  }

  write.addEventListener("submit", (event) => {
    event.preventDefault();
    go();
  });
  button.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.repeat) event.preventDefault();
  });
  if (location.hash === "#write") {
    history.replaceState(null, "", location.pathname);
    go();
  }
}

if (sale) startSale();
if (write) startWriting();
