// Start the page.

const data = JSON.parse(document.getElementById("report-data").textContent);
const cellNumbers = new Map(data.cells.map((id, number) => [id, number]));
const panel = new CellPanel(data);

/** Open a cell and note it in the address, so that it can be kept and gone back to. */
function openCell(number) {
  const hash = `#cell=${encodeURIComponent(data.cells[number])}`;
  if (location.hash === hash) panel.open(number);
  else location.hash = hash;
}

function openFromAddress() {
  if (!location.hash.startsWith("#cell=")) return;
  const number = cellNumbers.get(decodeURIComponent(location.hash.slice(6)));
  if (number !== undefined && panel.number !== number) panel.open(number);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-cell]");
  if (!button) return;
  const number = Number(button.dataset.cell);
  if (panel.number === number) panel.number = undefined;
  openCell(number);
});
addEventListener("hashchange", openFromAddress);

makeTables(data.tables, cellNumbers);
if (data.heatmap) new Heatmap(data.heatmap, data.cells, data.ranked, openCell);
openFromAddress();
document.documentElement.dataset.ready = "yes";
