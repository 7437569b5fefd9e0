// A click on a header sorts its table, up, then down, then as it was; a field above filters rows.
// The page does without.
const number = (cell) => {
  const match = /^[+-]?[\d,]*\.?\d+(e[+-]?\d+)?(?!\w)/i.exec(cell);
  return match ? Number(match[0].replaceAll(",", "")) : NaN;
};
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0], written = [...body.rows], headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    const cell = (row) => row.cells[column].textContent.trim();
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: "" }[header.ariaSort] ?? "ascending";
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      if (next) header.ariaSort = next;
      const filled = written.filter((row) => !["", "-"].includes(cell(row)));
      const numeric = filled.every((row) => !Number.isNaN(number(cell(row))));
      const compare = (a, b) =>
        numeric ? number(cell(a)) - number(cell(b)) : cell(a).localeCompare(cell(b));
      const sorted = filled.sort((a, b) => (next === "descending" ? -1 : 1) * compare(a, b));
      const empty = written.filter((row) => !filled.includes(row));
      body.append(...(next ? [...sorted, ...empty] : written));
    });
  });
  if (written.length < 12) continue;
  const field = document.createElement("input");
  Object.assign(field, { type: "search", placeholder: "Filter rows", ariaLabel: "Filter rows" });
  table.parentElement.before(field);
  field.addEventListener("input", () => {
    const sought = field.value.toLowerCase();
    for (const row of written) row.hidden = !row.textContent.toLowerCase().includes(sought);
  });
}
