// Shows what a reader must know from a day on; puts the country last chosen first; sorts the list of
// destinations by a column.
"use strict";

(() => {
  const today = new Date().toISOString().slice(0, 10);
  for (const notice of document.querySelectorAll("[data-from]"))
    notice.hidden = notice.dataset.from > today;
  const countries = document.querySelector("[data-chosen]");
  try {
    if (countries?.dataset.chosen) localStorage.setItem("country", countries.dataset.chosen);
    const last = countries?.querySelector(`[data-code="${localStorage.getItem("country")}"]`);
    if (last) {
      last.classList.add("last");
      countries.prepend(last);
    }
  } catch { /* A browser that stores nothing shows them in their order. */ }
  for (const head of document.querySelectorAll(".outlook thead th:not(.line)")) {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.onclick = () => {
      const body = head.closest("table").tBodies[0];
      const at = head.cellIndex;
      const key = ({ cells }) => cells[at].dataset.sort ?? cells[at].textContent;
      const order = (one, other) => one - other || one.localeCompare(other);
      // At first names from A, amounts from the largest.
      const falls = head.ariaSort ? head.ariaSort === "ascending" : !head.matches(".text");
      for (const other of head.parentNode.cells) other.ariaSort = null;
      head.ariaSort = falls ? "descending" : "ascending";
      const rows = [...body.rows].sort((one, other) => order(key(one), key(other)));
      body.append(...(falls ? rows.reverse() : rows));
    };
  }
})();
