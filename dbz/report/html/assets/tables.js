"use strict";
// Sorts the tables of a page by the heading that is clicked, and lets names wrap after their separators only.
(() => {
  for (const cell of document.querySelectorAll("td.text")) {
    const holder = cell.querySelector("button") ?? cell;
    if (holder.children.length) continue;
    const parts = holder.textContent.split(/(?<=[\/_:?&=-]|[.,](?!\d))(?![\/_.:?&=,-])/);  // not inside of numbers
    if (parts.length > 1) holder.replaceChildren(...parts.flatMap((part, at) => (at ? [document.createElement("wbr"), part] : [part])));
  }
  for (const table of document.querySelectorAll("table")) {
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    const number = (text) => (text === "inf" ? Infinity : Number(text));
    heads.forEach((head, column) => head.firstChild.addEventListener("click", () => {
      const numeric = !head.classList.contains("text") || [...body.rows].every((row) => !Number.isNaN(number(row.cells[column].dataset.value)));
      const first = numeric ? "descending" : "ascending";
      const other = numeric ? "ascending" : "descending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      heads.forEach((one) => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const compare = (a, b) => (numeric ? number(a) - number(b) || 0 : a.localeCompare(b));
      const sign = order === "ascending" ? 1 : -1;
      body.append(...[...body.rows].sort((a, b) => sign * compare(a.cells[column].dataset.value, b.cells[column].dataset.value)));
    }));
  }
})();
