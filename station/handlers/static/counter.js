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
  const answer = await fetch("/api/cards/read", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Xsrftoken": sale.elements._xsrf.value },
    body: "{}",
  });
  const found = await answer.json();
  let problem = answer.ok ? found.problem : found.error.message;
  if (answer.ok && found.account?.id !== line.dataset.account) problem = line.dataset.other;
  line.textContent = problem || line.dataset.right;
  line.classList.add(problem ? "is-bad" : "is-good");
}

function startSale() {
  const shown = document.getElementById("preview");
  const dialog = document.getElementById("sale-confirm");
  let sure = false;

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
    if (sure) return;
    event.preventDefault();
    clearTimeout(waiting);
    try {
      const found = await preview(shown);
      if (!found) return;
      document.getElementById("sale-sums").replaceChildren(found.cloneNode(true));
      dialog.returnValue = "no";
      dialog.showModal();
      await lookAtCard(document.getElementById("sale-card"));
    } catch {
      unreachable();
    }
  });
  // A key that is held down confirms nothing.
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.repeat) event.preventDefault();
  });
  dialog.addEventListener("close", () => {
    if (dialog.returnValue !== "yes") {
      sale.elements.amount.focus();
      return;
    }
    const sold = document.createElement("input"); // What was shown is what is sold.
    Object.assign(sold, { type: "hidden", name: "amount_fen", value: dialog.querySelector("[data-fen]").dataset.fen });
    sale.append(sold);
    sure = true;
    sale.querySelector(".sale-go").setAttribute("disabled", "");
    sale.submit();
  });
  if (sale.elements.amount.value || sale.elements.energy.value) show();
}

// --- writing a card -------------------------------------------------------------------------------

const write = document.getElementById("write");

function startWriting() {
  const panel = document.getElementById("write-panel");
  const button = document.getElementById("write-go");
  const refused = document.getElementById("write-refused");
  const steps = [...document.querySelectorAll("#write-steps [data-step]")];
  let reached = -1;
  let taken = new Set(); // The others are not needed for this order.
  let busy = false;

  function reach(index, mark) {
    reached = index;
    taken.add(index);
    steps.forEach((step, number) => {
      const past = taken.has(number) ? "is-past" : "is-left-out";
      step.className = number < index ? past : number === index ? mark : "";
    });
  }

  document.addEventListener("station:orders", (event) => {
    const { id, step, state } = event.detail;
    if (id !== panel.dataset.order) return;
    if (!busy) {
      if (state && state !== "reserved") location.reload(); // Finished at another desk.
      return;
    }
    const index = steps.findIndex((each) => each.dataset.step.split("|").includes(step));
    if (index > reached) reach(index, "is-now");
  });

  async function go() {
    if (busy) return;
    busy = true;
    button.disabled = true;
    refused.hidden = true;
    taken = new Set();
    reach(0, "is-now");
    try {
      const answer = await fetch(write.dataset.write, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Xsrftoken": write.elements._xsrf.value },
        body: "{}",
      });
      if (answer.ok) {
        location.replace(location.pathname);
        return;
      }
      document.getElementById("write-problem").textContent = (await answer.json()).error.message;
      refused.hidden = false;
    } catch {
      unreachable();
    }
    reach(Math.max(reached, 0), "is-failed");
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
