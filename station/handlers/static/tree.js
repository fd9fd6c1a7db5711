// The tree of the archive: a branch opens with its button, and is loaded when it opens.

document.addEventListener("click", (event) => {
  const button = event.target.closest(".tree-toggle[aria-expanded]");
  if (!button) return;
  const branch = document.getElementById(button.getAttribute("aria-controls"));
  const opens = branch.hidden;
  button.setAttribute("aria-expanded", String(opens));
  branch.hidden = !opens;
  if (branch.hasAttribute("hx-get")) branch.dataset.live = opens ? "links runs" : ""; // Seen is kept fresh.
  if (opens && !branch.childElementCount) htmx.trigger(button, "open-branch");
});

// Right opens, left closes or goes to what this hangs on, up and down go along what is shown.
document.addEventListener("keydown", (event) => {
  const row = event.target.closest?.(".tree-row");
  if (!row || event.ctrlKey || event.altKey || event.metaKey) return;
  const toggle = row.querySelector(".tree-toggle[aria-expanded]");
  const isOpen = toggle?.getAttribute("aria-expanded") === "true";
  if (event.key === "ArrowRight" && toggle && !isOpen) toggle.click();
  else if (event.key === "ArrowLeft" && isOpen) toggle.click();
  else if (event.key === "ArrowLeft") row.parentElement.parentElement.closest(".tree-node")?.querySelector(".tree-name").focus();
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const names = [...document.querySelectorAll(".tree .tree-name[href]")].filter((name) => name.offsetParent);
    const here = names.indexOf(row.querySelector(".tree-name"));
    names[here + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
  } else return;
  event.preventDefault();
});
