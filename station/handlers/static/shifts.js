// The count of a drawer: notes and coins are added up, and their sum is the counted money.

const form = document.getElementById("count");

function add() {
  let fen = 0;
  let some = false;
  for (const field of form.querySelectorAll("[data-face]")) {
    const pieces = field.value.trim();
    if (!/^\d+$/.test(pieces)) continue;
    fen += Number(field.dataset.face) * Number(pieces);
    some = true;
  }
  const sum = (fen / 100).toFixed(2);
  document.getElementById("pieces-sum").textContent = some ? `= ${sum}` : "";
  form.elements.counted.value = some ? sum : "";
}

form?.addEventListener("input", (event) => {
  if (event.target.matches("[data-face]")) add();
});
