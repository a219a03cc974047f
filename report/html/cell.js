// The panel of a cell.

const FEWEST_DRAWN = 5;  // cycles from which their capacity is drawn
const SPARSE = 0.3;  // share of the time below which the first cycle is shown first
const SHAPES = {
  o: "M15 7a4 4 0 1 0 8 0a4 4 0 1 0-8 0", s: "M15 3h8v8h-8z", "^": "M19 2l5 9h-10z", D: "M19 1l5 6-5 6-5-6z", v: "M19 12l5-9h-10z",
  P: "M19 2v10M14 7h10", X: "M15 3l8 8M23 3l-8 8",
};  // markers in the legend

class CellPanel {
  constructor(data) {
    this.data = data;
    this.title = document.getElementById("cell-title");
    this.place = document.getElementById("panel");
    this.announce = document.getElementById("panel-status");
    this.loaded = new Map();
    this.waiting = new Map();
    this.plot = null;
    // Side files call this function: a page from a disk may load scripts, but not fetch files.
    window.kilocellCell = (number, cell) => {
      this.loaded.set(number, cell);
    };
  }

  /** Return what is known of a cell, from the page or its side file. */
  load(number) {
    if (this.loaded.has(number)) return Promise.resolve(this.loaded.get(number));
    const inline = document.getElementById(`cell-${number}`);
    if (inline) {
      this.loaded.set(number, JSON.parse(inline.textContent));
      return this.load(number);
    }
    if (!this.waiting.has(number)) {
      this.waiting.set(number, new Promise((resolve, reject) => {
        const path = `${encodeURIComponent(this.data.folder)}/${encodeURIComponent(this.data.files[number])}`;
        const script = make("script", {src: path});
        script.onload = () => { script.remove(); resolve(this.loaded.get(number)); };
        script.onerror = () => { script.remove(); this.waiting.delete(number); reject(new Error(`${this.data.folder}/${this.data.files[number]}`)); };
        document.head.append(script);
      }));
    }
    return this.waiting.get(number);
  }

  async open(number, focus = true) {
    this.number = number;
    this.announce.textContent = "Loading the cell.";
    let cell;
    try {
      cell = await this.load(number);
    } catch (error) {
      this.fail(this.data.cells[number], error.message, focus);
      return;
    }
    if (this.number !== number) return;
    if (this.plot) this.plot.destroy();
    this.plot = null;
    this.title.textContent = `Cell ${cell.id}`;
    this.place.replaceChildren(...this.parts(cell));
    this.announce.textContent = `Cell ${cell.id} is shown.`;
    if (focus) this.title.focus();
    document.getElementById("cell").scrollIntoView({block: "start"});
    this.draw(cell);
  }

  fail(id, path, focus) {
    this.title.textContent = `Cell ${id}`;
    this.place.replaceChildren(make("p", {class: "notice warning", text:
      `The file ${path} is not there. Keep the folder beside this page, or write the report again: kilocell report`}));
    this.announce.textContent = "The cell could not be loaded.";
    if (focus) this.title.focus();
  }

  parts(cell) {
    const parts = [this.neighbours(), this.facts(cell)];
    for (const problem of cell.problems) parts.push(make("p", {class: "notice warning", text: problem}));
    if (cell.curves) parts.push(this.curves(cell));
    else parts.push(make("p", {text: cell.status === "done" ? "There are no curves to show." : `The cell is not cleaned: ${cell.status}.`}));
    if (cell.simulations.length) parts.push(...this.simulations(cell));
    if (cell.cycles.number.length > 1) parts.push(...this.cycles(cell));
    if (cell.cleaning.length) parts.push(...this.cleaning(cell));
    if (cell.charge) parts.push(...this.charge(cell));
    if (cell.fits.length) parts.push(...this.fits(cell));
    // The reason of a failed simulation is in its own lines.
    const failures = cell.failures.filter(([kind]) => kind !== "simulate");
    if (failures.length) {
      parts.push(make("h3", {text: "Failed and skipped jobs"}), smallTable(
        `Failed and skipped jobs of ${cell.id}`, ["Job", "Name", "Status", "Reason code", "Reason", "Log in the store"],
        ["text", "text", "status", "text", "long", "wrap"], failures,
      ));
    }
    parts.push(...this.sources(cell));
    return parts;
  }

  neighbours() {
    const {ranked} = this.data;
    const place = ranked.indexOf(this.number);
    const all = place >= 0 ? ranked : this.data.cells.map((_, number) => number);
    const at = place >= 0 ? place : this.number;
    const button = (text, to) => make("button", {type: "button", text, disabled: to < 0 || to >= all.length, on: {click: () => openCell(all[to])}});
    const words = place >= 0 ? `Number ${at + 1} of ${all.length}, the worst first` : `Number ${at + 1} of ${all.length}`;
    return make("div", {class: "pager no-print", role: "group", "aria-label": "Other cells"}, [
      button("Worse cell", at - 1), make("span", {text: words}), button("Better cell", at + 1),
      make("a", {href: "#table", text: "Back to all simulations"}),
    ]);
  }

  facts(cell) {
    const facts = cell.facts.map(([words, value, kind]) => make("div", {}, [make("dt", {text: words}), make("dd", {}, shown(value, kind))]));
    if (cell.standing) facts.unshift(make("div", {}, [make("dt", {text: "Standing"}), make("dd", {}, [make("span", {class: "badge", text: cell.standing})])]));
    return make("dl", {class: "facts"}, facts);
  }

  curves(cell) {
    const {curves} = cell;
    this.drawn = curves.drawn_simulations.map((place) => cell.simulations[place]).filter((_, place) => curves.simulated[place]);
    const plot = make("div", {class: "plot", role: "img", "aria-label": this.describe(cell)});
    this.plotPlace = plot;
    const thinned = curves.drawn < curves.samples ? `${writeInteger(curves.drawn)} of ${writeInteger(curves.samples)} samples are drawn; no extreme is lost. ` : "";
    const partly = curves.samples < curves.of ? "Only the simulated cycles are shown. " : "";
    const caption = make("figcaption", {}, [
      `Voltage, error and current over one time axis; a positive current charges the cell. ${partly}${thinned}`,
      make("span", {class: "no-print", text: "Drag over a span to zoom, or use Ctrl and the wheel, or the buttons."}),
    ]);
    return make("figure", {class: "curves"}, [make("h3", {text: "Curves"}), this.legend(), this.buttons(cell), plot, caption]);
  }

  legend() {
    const swatch = (style) => {
      const dashes = style.dashes.map((length) => 1.8 * length).join(" ");
      return make("svg", {"aria-hidden": "true", viewBox: "0 0 38 14"}, [make("line", {
        x1: 1, x2: 37, y1: 7, y2: 7, "stroke-width": style.wide ? 3 : 2, "stroke-dasharray": dashes || null, style: `stroke:${style.colour}`,
      }), SHAPES[style.marker] ? make("path", {d: SHAPES[style.marker], "stroke-width": 1.5, style: `stroke:${style.colour};fill:var(--surface)`}) : null]);
    };
    const entry = (key, text, style) => make("li", {}, [make("button", {type: "button", "aria-pressed": "true", on: {
      click: (event) => event.currentTarget.setAttribute("aria-pressed", String(this.plot.toggle(key))),
    }}, [swatch(style), make("span", {text})])]);
    const lines = [entry("measured", "Measured", {colour: "var(--measured)", dashes: [], wide: true})];
    this.drawn.forEach((simulation, number) => lines.push(entry(number, `${number + 1}: ${simulation.name}: ${errorWords(simulation)}`, simulation.style)));
    return make("ul", {class: "lines", "aria-label": "Lines; choose one to hide or show it"}, lines);
  }

  buttons(cell) {
    const button = (text, label, click) => make("button", {type: "button", "aria-label": label, title: label, text, on: {click}});
    const parts = [
      button("+", "Zoom in", () => this.plot.zoom(ZOOM)), button("−", "Zoom out", () => this.plot.zoom(1 / ZOOM)),
      button("←", "Move left", () => this.plot.move(-0.25)), button("→", "Move right", () => this.plot.move(0.25)),
      button("Whole", "Show the whole time", () => this.plot.reset()),
    ];
    const {cycles} = cell.curves;
    if (cycles.length > 1) {
      const select = make("select", {on: {change: (event) => {
        const place = event.target.selectedIndex;
        if (place === 0) this.plot.reset();
        else this.plot.show(cycles[place - 1][1], cycles[place - 1][2]);
      }}}, [make("option", {text: "all"}), ...cycles.map(([number]) => make("option", {text: `cycle ${number}`}))]);
      if (this.firstWindow(cycles)) select.selectedIndex = 1;
      parts.push(make("label", {}, ["Zoom to ", select]));
    }
    return make("div", {class: "pager no-print", role: "group", "aria-label": "Zoom of the curves"}, parts);
  }

  draw(cell) {
    if (!cell.curves) return;
    const kept = cell.curves.simulated.map((read, place) => (read ? place : -1)).filter((place) => place >= 0);
    const curves = {
      simulated: kept.map(() => true),
      stretches: cell.curves.stretches.map((stretch) => ({...stretch, e: kept.map((place) => stretch.e[place])})),
    };
    this.plot = new CellPlot(this.plotPlace, curves, this.drawn, this.firstWindow(cell.curves.cycles));
    this.plotPlace.plot = this.plot;
  }

  /** The first cycle, where few cycles of a long record are shown; else everything (null). */
  firstWindow(cycles) {
    const whole = cycles[cycles.length - 1][2] - cycles[0][1];
    const covered = cycles.reduce((sum, [, first, last]) => sum + last - first, 0);
    return cycles.length > 1 && covered < SPARSE * whole ? cycles[0].slice(1) : null;
  }

  describe(cell) {
    const {cycles} = cell.curves;
    const first = cycles[0];
    const last = cycles[cycles.length - 1];
    const words = [`Curves of cell ${cell.id} from ${writeNumber(first[1], 4)} to ${writeNumber(last[2], 4)} h, ${cycles.length} ${cycles.length === 1 ? "cycle" : "cycles"}: measured voltage and current`];
    for (const simulation of this.drawn) {
      const worst = simulation.worst === null ? "" : `, largest error ${writeMillivolt(simulation.worst)} mV at ${writeNumber(simulation.worst_hour, 4)} h`;
      words.push(`${simulation.name}: ${errorWords(simulation)}${worst}`);
    }
    return `${words.join("; ")}.`;
  }

  simulations(cell) {
    const rows = cell.simulations.map((one) => [one.name, one.status, one.rmse, one.budget, one.bias, one.worst, one.worst_hour, ...one.windows]);
    const parts = [make("h3", {text: "Simulations"}), smallTable(
      `Errors of the simulations of ${cell.id}: simulated minus measured voltage, and RMSE by time since each step began`,
      ["Simulation", "Status", "RMSE (mV)", "± (mV)", "Bias (mV)", "Worst (mV)", "at (h)", "Ohmic, to 2 s (mV)", "Kinetic, to 20 s (mV)", "Diffusion, to 120 s (mV)", "Capacity, later (mV)"],
      ["text", "status", "mv", "mv", "mv", "mv", "number", "mv", "mv", "mv", "mv"], rows,
    )];
    const item = (words, value, kind = null) => (value === null || value === "" ? null : make("div", {class: kind}, [make("dt", {text: words}), make("dd", {text: value})]));
    for (const one of cell.simulations) {
      const large = one.large ? " – more than 1 mV or a tenth of the RMSE" : "";
      parts.push(make("details", {open: one.status === "failed"}, [make("summary", {text: `${one.name}: how it was simulated`}), make("dl", {class: "facts"}, [
        item("Standing", one.standing), item("Reason", one.reason, "full"), item("Error budget", one.parts && `${one.parts}${large}`),
        item("Starting state", one.state), item("State of charge at the start", one.soc === null ? null : writeNumber(one.soc, 4)),
        item("Capacity", one.capacity === null ? null : `${writeNumber(one.capacity, 5)} A h${one.capacity_source ? `, ${one.capacity_source}` : ""}`),
        item("Temperature", one.temperature === null ? null : `${writeNumber(one.temperature, 4)} °C${one.temperature_source ? `, ${one.temperature_source}` : ""}`),
        item("Simulated part", one.selection), item("Ended at", one.ended_hour === null ? null : `${writeNumber(one.ended_hour, 5)} h`),
      ])]));
    }
    return parts;
  }

  cycles(cell) {
    const {number, out, efficiency} = cell.cycles;
    const known = out.map((value, place) => [number[place], value]).filter(([, value]) => value !== null);
    const parts = [make("h3", {text: "Cycles"})];
    if (known.length >= FEWEST_DRAWN) parts.push(capacityFigure(cell, known));
    parts.push(make("details", {}, [make("summary", {text: `Table of the ${number.length} cycles`}), smallTable(
      `Cycles of ${cell.id}`, ["Cycle", "Charge out (A h)", "Charge in (A h)", "Energy efficiency (%)"], ["int", "number", "number", "number"],
      number.map((cycle, place) => [cycle, out[place], cell.cycles.in[place], efficiency[place] === null ? null : Number(efficiency[place].toFixed(1))]),
    )]));
    return parts;
  }

  cleaning(cell) {
    const parts = [make("h3", {text: "Cleaning"}), smallTable(
      `${cell.id} before and after cleaning`, ["", "Unit", "Before", "After"], ["text", "text", "number", "number"],
      cell.cleaning.map(([words, unit, before, after]) => [words, unit || " ", before, after]),
    )];
    const listed = cell.findings.length < cell.findings_total ? `the first ${cell.findings.length} of ${cell.findings_total} findings` : `${cell.findings_total} ${cell.findings_total === 1 ? "finding" : "findings"}`;
    if (cell.findings_total) {
      parts.push(make("details", {}, [make("summary", {text: listed[0].toUpperCase() + listed.slice(1)}), smallTable(
        `Findings of ${cell.id}`, ["Rule", "Severity", "Rows", "First row of the file", "Cycle", "Before", "After", "Action", "Meaning"],
        ["text", "text", "int", "int", "int", "wrap", "wrap", "wrap", "long"], cell.findings,
      )]));
    }
    return parts;
  }

  charge(cell) {
    const {source, percent, rows} = cell.charge;
    const certainty = percent === null ? "Its uncertainty is unknown." : `It is known to ±${write(percent, "percent")} % of the throughput.`;
    return [
      make("h3", {text: "Charge evidence"}), make("p", {text: `The charge is known from: ${source ?? "unknown"}. ${certainty}`}),
      smallTable(`Charge of ${cell.id} (A h), with bounds`, ["", "At least", "Cleaned", "At most", "By the cycler's counters"], ["text", "number", "number", "number", "number"], rows),
    ];
  }

  fits(cell) {
    const parts = [make("h3", {text: "Fits"})];
    for (const fit of cell.fits) {
      parts.push(make("h4", {text: `${fit.name}: ${fit.model ?? "unknown model"} from ${fit.base ?? "unknown set"}`}));
      if (fit.standing) parts.push(make("p", {}, [make("span", {class: "badge", text: fit.standing})]));
      const words = [`${fit.status}`];
      if (fit.after !== null) words.push(`RMSE ${fit.before === null ? "–" : writeMillivolt(fit.before)} → ${writeMillivolt(fit.after)} mV`);
      if (fit.held_out !== null) words.push(`held out ${writeMillivolt(fit.held_out)} mV`);
      if (fit.starts) words.push(`${fit.starts} starts agree`);
      parts.push(make("p", {text: `${words.join("; ")}.`}));
      if (fit.verdict) parts.push(make("p", {text: fit.verdict}));
      if (fit.parameters.length) {
        parts.push(smallTable(
          `Parameters of the fit ${fit.name}`, ["Parameter", "Unit", "Before", "Value", "Standard error", "95 % from", "95 % to", "Lower bound", "Upper bound", "Verdict", "In words"],
          ["text", "text", "number", "number", "number", "number", "number", "number", "number", "text", "long"], fit.parameters,
        ));
      }
    }
    return parts;
  }

  sources(cell) {
    if (!cell.sources.length) return [];
    return [make("h3", {text: "Raw files"}), smallTable(
      `Raw files of ${cell.id}, in time order`, ["File", "Bytes", "Reader", "SHA-256 when cleaned", "How it is read"], ["wrap", "int", "text", "wrap", "long"],
      cell.sources.map((file) => [file.path, file.bytes, file.reader, file.digest, file.settings]),
    )];
  }
}

function errorWords(simulation) {
  if (simulation.status === "failed") {
    const until = simulation.partial === null ? "" : `, RMSE ${writeMillivolt(simulation.partial)} mV of what was simulated`;
    return `failed${until}`;
  }
  if (simulation.rmse === null) return simulation.status;
  const budget = simulation.budget === null ? "" : ` ± ${writeMillivolt(simulation.budget)}`;
  return `RMSE ${writeMillivolt(simulation.rmse)}${budget} mV${simulation.standing ? ` (${simulation.standing.split(":")[0]})` : ""}`;
}

/** Charge out of each cycle as a small line; the numbers are in words and in the table below it. */
function capacityFigure(cell, known) {
  const values = known.map(([, value]) => value);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const first = known[0];
  const last = known[known.length - 1];
  const x = (cycle) => (100 * (cycle - first[0])) / (last[0] - first[0] || 1);
  const y = (value) => 36 - (32 * (value - low)) / (high - low || 1);
  const path = known.map(([cycle, value], place) => `${place ? "L" : "M"}${x(cycle).toFixed(2)} ${y(value).toFixed(2)}`).join("");
  const words = `Charge out of cycles ${first[0]} to ${last[0]}: first ${writeNumber(first[1], 4)}, last ${writeNumber(last[1], 4)}, least ${writeNumber(low, 4)}, greatest ${writeNumber(high, 4)} A h.`;
  return make("figure", {class: "cycles"}, [
    make("svg", {viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": words}, [
      make("path", {class: "frame", d: "M0 4H100M0 36H100"}), make("path", {d: path}),
    ]),
    make("div", {class: "ends", "aria-hidden": "true"}, [make("span", {text: `cycle ${first[0]}`}), make("span", {text: `${writeNumber(low, 4)} to ${writeNumber(high, 4)} A h`}), make("span", {text: `cycle ${last[0]}`})]),
    make("figcaption", {text: words}),
  ]);
}
