// Make elements from text, and write numbers. Nothing here or elsewhere reads HTML from the data.

const SVG = "http://www.w3.org/2000/svg";
const THOUSANDS = ",";
const MINUS = "\u2212";

/** Make an element. Attributes: "text" is its text, "on" its listeners; children may be elements or texts. */
function make(tag, attributes = {}, children = []) {
  const element = tag === "svg" || tag === "path" || tag === "line"
    ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

/** Write a number of mV as the command line does: two digits after the point, one from 10 on. */
function writeMillivolt(value) {
  const size = Math.abs(value);
  let text;
  if (size >= 10) text = size.toFixed(1);
  else if (size >= 0.01 || size === 0) text = size.toFixed(2);
  else text = size < 0.001 ? "<0.001" : size.toPrecision(1);
  return value < 0 ? MINUS + text : text;
}

function writeNumber(value, digits = 5) {
  const size = Math.abs(value);
  let text;
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) {
    const [front, power] = size.toExponential(3).split("e");
    const raised = power.replace("+", "").replace(/[-0-9]/g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]);
    text = `${Number(front)} · 10${raised}`;
  } else text = String(Number(size.toPrecision(digits)));
  return value < 0 ? MINUS + text : text;
}

function writeInteger(value) {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+(?!\d))/g, THOUSANDS);
}

/** Write a value of a kind of column; null is unknown. */
function write(value, kind) {
  if (value === null || value === undefined || value === "") return null;
  if (typeof value !== "number") return String(value);
  if (kind === "mv") return writeMillivolt(value);
  if (kind === "int") return writeInteger(value);
  if (kind === "percent") return String(Number(value.toPrecision(2)));
  return writeNumber(value);
}

/** A dash that a screen reader reads as "unknown". */
function unknown() {
  return [make("span", {"aria-hidden": "true", text: "–"}), make("span", {class: "sr", text: "unknown"})];
}

function shown(value, kind) {
  const text = write(value, kind);
  return text === null ? unknown() : [text];
}

function status(text) {
  return make("span", {class: `status ${/^[a-z]+$/.test(text) ? text : ""}`, text});
}

/** A button that opens a cell's panel. */
function cellButton(id, number) {
  return make("button", {type: "button", class: "link", "data-cell": number, text: id});
}

/** A small table from headings and rows; kinds say how each column is written. */
function smallTable(caption, headings, kinds, rows) {
  const right = (place) => (["int", "mv", "number", "percent"].includes(kinds[place]) ? "num" : kinds[place]);
  const head = make("tr", {}, headings.map((text, place) => make("th", {scope: "col", class: right(place), text})));
  const body = rows.map((row) => make("tr", {}, row.map((value, place) => (
    place === 0 ? make("th", {scope: "row"}, shown(value, kinds[0]))
      : make("td", {class: right(place)}, kinds[place] === "status" && value ? [status(value)] : shown(value, kinds[place]))
  ))));
  const table = make("table", {class: "plain"}, [
    make("caption", {text: caption}), make("thead", {}, [head]), make("tbody", {}, body),
  ]);
  return make("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": caption}, [table]);
}
