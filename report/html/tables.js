// Long tables: sorted, searched and filtered here, one page of rows at a time.

const PAGE_SIZES = [25, 50, 100, 500];
const PRINTED_ROWS = 1000;
const SEARCH_DELAY = 120;  // ms after the last key
const NUMERIC = ["mv", "int", "number", "percent"];
const collator = new Intl.Collator("en", {numeric: true});

class DataTable {
  constructor(place, name, table, cellNumbers) {
    Object.assign(this, {place, name, table, cellNumbers});
    this.keys = table.columns.map((column) => column.key);
    this.texts = table.rows.map((row) => row.filter((value) => value !== null).join("\u0000").toLowerCase());
    this.sort = this.keys.indexOf(table.sort);
    this.descending = table.descending;
    this.chosen = {};
    this.query = "";
    this.page = 0;
    this.size = 25;
    this.orders = new Map();
    this.build();
    this.update();
  }

  build() {
    const title = this.table.caption;
    const search = make("input", {type: "search", "aria-label": `Search in ${title}`, autocomplete: "off", on: {
      input: (event) => {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => { this.query = event.target.value.toLowerCase().trim(); this.restart(); }, SEARCH_DELAY);
      },
    }});
    const fields = [make("label", {}, ["Search", search])];
    for (const key of this.table.filters) {
      const options = this.options(key);
      if (options.length > 1) fields.push(this.filter(key, options));
    }
    this.reset = make("button", {type: "button", text: "Clear", on: {click: () => this.clear(fields)}});
    this.controls = make("div", {class: "controls", role: "search", "aria-label": title}, [...fields, this.reset]);
    this.state = make("p", {class: "state", role: "status"});
    this.heads = this.table.columns.map((column, number) => make("th", {scope: "col", class: NUMERIC.includes(column.kind) ? "num" : null}, [
      make("button", {type: "button", text: column.title, on: {click: () => this.sortBy(number)}}),
    ]));
    this.body = make("tbody");
    const caption = make("caption", {}, [make("span", {class: "sr", text: `${title}. Headings are buttons that sort.`})]);
    const table = make("table", {class: "plain"}, [caption, make("thead", {}, [make("tr", {}, this.heads)]), this.body]);
    const scroll = make("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": title}, [table]);
    this.before = make("button", {type: "button", text: "Previous page", on: {click: () => this.turn(-1)}});
    this.after = make("button", {type: "button", text: "Next page", on: {click: () => this.turn(1)}});
    this.where = make("span");
    const size = make("select", {"aria-label": `Rows on a page of ${title}`, on: {
      change: (event) => { this.size = Number(event.target.value); this.restart(); },
    }}, PAGE_SIZES.map((rows) => make("option", {value: rows, text: `${rows} rows`})));
    this.pager = make("div", {class: "pager", role: "group", "aria-label": `Pages of ${title}`}, [this.before, this.where, this.after, size]);
    this.place.replaceChildren(this.controls, this.state, scroll, this.pager);
  }

  options(key) {
    const column = this.keys.indexOf(key);
    const values = new Set(this.table.rows.map((row) => row[column]));
    return [...values].filter((value) => value !== null && value !== "").sort(collator.compare);
  }

  filter(key, options) {
    const {title} = this.table.columns[this.keys.indexOf(key)];
    const select = make("select", {on: {change: (event) => {
      const place = event.target.selectedIndex;
      if (place === 0) delete this.chosen[key];
      else this.chosen[key] = options[place - 1];
      this.restart();
    }}}, [make("option", {text: "all"}), ...options.map((text) => make("option", {text}))]);
    return make("label", {}, [title, select]);
  }

  clear(fields) {
    for (const field of fields) {
      const control = field.lastChild;
      if (control.tagName === "SELECT") control.selectedIndex = 0;
      else control.value = "";
    }
    this.chosen = {};
    this.query = "";
    this.restart();
  }

  sortBy(column) {
    if (column === this.sort) this.descending = !this.descending;
    else {
      this.sort = column;
      this.descending = NUMERIC.includes(this.table.columns[column].kind);
    }
    this.restart();
  }

  turn(pages) { this.page += pages; this.update(); }

  restart() { this.page = 0; this.update(); }

  /** The numbers of all rows in the order of a column, rising; unknown values are last in either order. */
  order() {
    const column = this.sort;
    if (!this.orders.has(column)) {
      const {rows} = this.table;
      const known = [];
      const missing = [];
      rows.forEach((row, number) => (row[column] === null || row[column] === "" ? missing : known).push(number));
      const numeric = NUMERIC.includes(this.table.columns[column].kind);
      known.sort(numeric ? (a, b) => rows[a][column] - rows[b][column] : (a, b) => collator.compare(rows[a][column], rows[b][column]));
      this.orders.set(column, [known, missing]);
    }
    const [known, missing] = this.orders.get(column);
    return (this.descending ? [...known].reverse() : known).concat(missing);
  }

  matching() {
    const words = this.query.split(/\s+/).filter(Boolean);
    const filters = Object.entries(this.chosen).map(([key, value]) => [this.keys.indexOf(key), value]);
    return this.order().filter((number) => (
      filters.every(([column, value]) => this.table.rows[number][column] === value)
      && words.every((word) => this.texts[number].includes(word))
    ));
  }

  update(most = this.size) {
    const found = this.matching();
    const pages = Math.max(Math.ceil(found.length / most), 1);
    this.page = Math.min(Math.max(this.page, 0), pages - 1);
    const first = this.page * most;
    const numbers = found.slice(first, first + most);
    this.body.replaceChildren(...numbers.map((number) => this.row(this.table.rows[number])));
    if (!numbers.length) this.body.append(make("tr", {}, [make("td", {colspan: this.keys.length, text: "No row matches."})]));
    this.heads.forEach((head, column) => {
      if (column === this.sort) head.setAttribute("aria-sort", this.descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    const all = this.table.rows.length;
    const count = found.length === all ? `${writeInteger(all)} ${all === 1 ? "row" : "rows"}` : `${writeInteger(found.length)} of ${writeInteger(all)} rows`;
    const shownRows = pages > 1 ? `, ${writeInteger(first + 1)} to ${writeInteger(first + numbers.length)} shown` : "";
    const {title} = this.table.columns[this.sort];
    this.state.textContent = `${count}${shownRows}; sorted by ${title}, ${this.descending ? "descending" : "ascending"}.`;
    this.where.textContent = `Page ${this.page + 1} of ${pages}`;
    this.before.disabled = this.page === 0;
    this.after.disabled = this.page === pages - 1;
    this.pager.hidden = all <= PAGE_SIZES[0];
    this.controls.hidden = all <= 8;
    this.reset.disabled = !this.query && !Object.keys(this.chosen).length;
  }

  row(values) {
    return make("tr", {}, values.map((value, column) => this.box(value, this.table.columns[column].kind)));
  }

  box(value, kind) {
    if (kind === "cell") {
      const number = this.cellNumbers.get(value);
      return make("th", {scope: "row"}, [number === undefined ? String(value) : cellButton(value, number)]);
    }
    if (kind === "status") return make("td", {}, [status(value)]);
    if (kind === "code") return make("td", {}, [make("code", {text: value ?? "–"})]);
    if (kind === "long") return make("td", {class: "long"}, value ? [make("div", {class: "clamp", title: value, text: value})] : []);
    return make("td", {class: NUMERIC.includes(kind) ? "num" : "text"}, shown(value, kind));
  }

  /** Show as many rows on paper as one reads there. */
  print() { this.page = 0; this.update(PRINTED_ROWS); }
}

function makeTables(tables, cellNumbers) {
  const made = [];
  for (const place of document.querySelectorAll("[data-table]")) {
    const name = place.dataset.table;
    if (tables[name]) made.push(new DataTable(place, name, tables[name], cellNumbers));
    else place.append(make("p", {text: place.dataset.empty}));
  }
  addEventListener("beforeprint", () => made.forEach((table) => table.print()));
  addEventListener("afterprint", () => made.forEach((table) => table.restart()));
}
