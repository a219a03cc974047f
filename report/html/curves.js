// The curves of a cell: voltage, error and current over one time axis, drawn by BokehJS.

const MARKERS = {o: "circle", s: "square", "^": "triangle", D: "diamond", v: "inverted_triangle", P: "plus", X: "x"};
const MARKS = 14;  // markers on a line
const MARGIN = 0.04;  // share of a range
const ZOOM = 0.6;

function bytes(text) {
  const raw = atob(text);
  const array = new Uint8Array(raw.length);
  for (let place = 0; place < raw.length; place += 1) array[place] = raw.charCodeAt(place);
  return new DataView(array.buffer);
}

/** Decode a series: two bytes for each number, or four. */
function decode(series, length) {
  const values = new Float64Array(length).fill(NaN);
  if (series === null) return values;
  const view = bytes(series.f ?? series.u);
  for (let place = 0; place < length; place += 1) {
    if (series.f) values[place] = view.getFloat32(4 * place, true);
    else {
      const number = view.getUint16(2 * place, true);
      if (number !== 65535) values[place] = series.lo + series.step * number;
    }
  }
  return values;
}

/** Join the stretches of a cell's curves, with a missing value between them so that no line crosses a hole. */
function joinStretches(curves) {
  const joined = {hour: [], volt: [], ampere: [], errors: curves.simulated.map(() => [])};
  curves.stretches.forEach((stretch, number) => {
    const times = bytes(stretch.t.f);
    const length = times.byteLength / 4;
    if (number) {
      joined.hour.push(stretch.hour);
      [joined.volt, joined.ampere, ...joined.errors].forEach((series) => series.push(NaN));
    }
    for (let place = 0; place < length; place += 1) joined.hour.push(stretch.hour + times.getFloat32(4 * place, true));
    joined.volt.push(...decode(stretch.v, length));
    joined.ampere.push(...decode(stretch.i, length));
    stretch.e.forEach((error, place) => joined.errors[place].push(...decode(error, length)));
  });
  return joined;
}

function range(lists, hours, first, last) {
  let low = Infinity;
  let high = -Infinity;
  for (const values of lists) {
    for (let place = 0; place < values.length; place += 1) {
      const value = values[place];
      if (hours[place] < first || hours[place] > last || Number.isNaN(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low > high) return null;
  const margin = MARGIN * (high - low) || 0.05 * Math.abs(high) || 0.05;
  return [low - margin, high + margin];
}

class CellPlot {
  /** simulations: those that are drawn, in the order of the curves; begin: first and last hour that are shown first. */
  constructor(place, curves, simulations, begin) {
    Object.assign(this, {place, simulations});
    this.series = joinStretches(curves);
    this.volts = this.series.errors.map((error) => error.map((value, number) => this.series.volt[number] + value));
    this.millivolts = this.series.errors.map((error) => error.map((value) => 1000 * value));
    this.hidden = new Set();
    const hours = this.series.hour;
    this.whole = [hours[0], hours[hours.length - 1]];
    if (this.whole[0] === this.whole[1]) this.whole[1] += 1 / 3600;
    this.begin = begin ?? this.whole;
    this.query = matchMedia("(prefers-color-scheme: dark)");
    this.listener = () => this.draw();
    this.query.addEventListener("change", this.listener);
    this.draw();
  }

  /** Simulations whose values set the axes: a failed one never does, unless there is no other. */
  scaling(lists) {
    const shownLists = lists.filter((_, number) => !this.hidden.has(number));
    const sound = lists.filter((_, number) => !this.hidden.has(number) && this.simulations[number].status !== "failed");
    return sound.length ? sound : shownLists;
  }

  async draw() {
    const window_ = this.x ? [this.x.start, this.x.end] : this.begin;
    this.remove();
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const {Range1d, Column} = Bokeh;
    this.x = new Range1d({start: window_[0], end: window_[1]});
    this.source = new Bokeh.ColumnDataSource({data: this.columns()});
    this.lines = new Map();
    const voltage = this.panel("Voltage (V)", 260, colour);
    this.line(voltage, "volt", {line_color: colour("--measured"), line_width: 2.2}, "measured");
    this.simulations.forEach((simulation, number) => this.simulated(voltage, `s${number}`, simulation, number));
    const panels = [voltage];
    if (this.simulations.length) {
      const error = this.panel("Error (mV)", 190, colour);
      error.add_layout(new Bokeh.Span({location: 0, dimension: "width", line_color: colour("--muted"), line_width: 1}));
      this.simulations.forEach((simulation, number) => this.simulated(error, `e${number}`, simulation, number));
      panels.push(error);
      this.error = error;
    }
    const current = this.panel("Current (A)", 150, colour);
    current.add_layout(new Bokeh.Span({location: 0, dimension: "width", line_color: colour("--muted"), line_width: 1}));
    this.line(current, "ampere", {line_color: colour("--measured"), line_width: 1.2}, "measured");
    panels.push(current);
    for (const upper of panels.slice(0, -1)) Object.assign(upper.below[0], {major_label_text_font_size: "0px"});
    current.below[0].axis_label = "Test time (h)";
    Object.assign(this, {voltage, current});
    this.hover(voltage);
    this.scale();
    this.x.change.connect(() => this.scale());
    const column = new Column({children: panels, sizing_mode: "stretch_width"});
    this.place.dataset.drawn = this.query.matches ? "dark" : "light";
    const token = Symbol("drawing");
    this.token = token;
    const view = await Bokeh.Plotting.show(column, this.place);
    if (this.token !== token) return;
    this.view = view;
    this.place.dataset.ready = "yes";
  }

  columns() {
    const data = {hour: this.series.hour, volt: this.series.volt, ampere: this.series.ampere};
    this.volts.forEach((values, number) => { data[`s${number}`] = values; });
    this.millivolts.forEach((values, number) => { data[`e${number}`] = values; });
    return data;
  }

  panel(label, height, colour) {
    const figure = Bokeh.Plotting.figure({
      height, sizing_mode: "stretch_width", x_range: this.x, y_range: new Bokeh.Range1d({start: 0, end: 1}),
      tools: [], toolbar_location: null, background_fill_color: colour("--surface"), border_fill_color: colour("--surface"), outline_line_color: colour("--line"),
      min_border_left: 70, min_border_right: 16,
    });
    const font = "system-ui, sans-serif";
    for (const axis of [figure.below[0], figure.left[0]]) {
      Object.assign(axis, {
        axis_label_text_color: colour("--ink"), major_label_text_color: colour("--muted"), axis_line_color: colour("--line"),
        major_tick_line_color: colour("--line"), minor_tick_line_color: null, axis_label_text_font: font,
        major_label_text_font: font, axis_label_text_font_style: "normal", axis_label_text_font_size: "13px", major_label_text_font_size: "12px",
      });
    }
    figure.left[0].axis_label = label;
    for (const grid of figure.center) if (grid instanceof Bokeh.Grid) grid.grid_line_color = colour("--grid");
    figure.add_tools(
      new Bokeh.BoxZoomTool({dimensions: "width"}),
      new Bokeh.WheelZoomTool({dimensions: "width", modifiers: {ctrl: true}}),
    );
    return figure;
  }

  line(figure, column, style, key) {
    const renderer = figure.line({field: "hour"}, {field: column}, {source: this.source, ...style});
    this.keep(key, renderer);
    return renderer;
  }

  keep(key, renderer) {
    if (!this.lines.has(key)) this.lines.set(key, []);
    this.lines.get(key).push(renderer);
    renderer.visible = !this.hidden.has(key);
  }

  simulated(figure, column, simulation, number) {
    const {colour, dashes, marker} = simulation.style;
    const failed = simulation.status === "failed";
    const style = {line_color: colour, line_width: 1.6, line_dash: dashes.map((length) => Math.max(Math.round(1.8 * length), 1)), line_alpha: failed ? 0.6 : 1};
    this.line(figure, column, style, number);
    const values = this.source.data[column];
    const known = [...values.keys()].filter((place) => !Number.isNaN(values[place]));
    if (!known.length) return;
    if (marker) {
      const step = Math.max(Math.floor(known.length / MARKS), 1);
      this.mark(figure, column, known.filter((_, place) => place % step === 0), MARKERS[marker] ?? "circle", colour, 6, number);
    }
    if (failed) this.mark(figure, column, [known[known.length - 1]], "x", colour, 12, number);
  }

  mark(figure, column, places, marker, colour, size, key) {
    const source = new Bokeh.ColumnDataSource({data: {
      x: places.map((place) => this.series.hour[place]), y: places.map((place) => this.source.data[column][place]),
    }});
    this.keep(key, figure.scatter({field: "x"}, {field: "y"}, {source, marker, size, line_color: colour, fill_color: null, line_width: 1.5}));
  }

  hover(figure) {
    const rows = [["time", "@hour{0.000} h"], ["measured", "@volt{0.0000} V"], ["current", "@ampere{0.000} A"]];
    this.simulations.forEach((simulation, number) => rows.push([`error, line ${number + 1}`, `@e${number}{0.0} mV`]));
    const [renderer] = this.lines.get("measured");
    figure.add_tools(new Bokeh.HoverTool({tooltips: rows, renderers: [renderer], mode: "vline", point_policy: "snap_to_data", line_policy: "nearest"}));
  }

  /** Fit the vertical axes to what is visible. */
  scale() {
    const {start, end} = this.x;
    const {hour, volt, ampere} = this.series;
    const set = (figure, lists) => {
      const found = figure && range(lists, hour, start, end);
      if (found) [figure.y_range.start, figure.y_range.end] = found;
    };
    set(this.voltage, [volt, ...this.scaling(this.volts)]);
    set(this.error, this.scaling(this.millivolts));
    set(this.current, [ampere]);
  }

  show(first, last) { this.x.setv({start: first, end: last}); }

  reset() { this.show(...this.whole); }

  zoom(factor) {
    const middle = (this.x.start + this.x.end) / 2;
    const half = Math.min((factor * (this.x.end - this.x.start)) / 2, this.whole[1] - this.whole[0]);
    this.show(middle - half, middle + half);
  }

  move(share) {
    const step = share * (this.x.end - this.x.start);
    this.show(this.x.start + step, this.x.end + step);
  }

  toggle(key) {
    if (this.hidden.has(key)) this.hidden.delete(key);
    else this.hidden.add(key);
    for (const renderer of this.lines.get(key) ?? []) renderer.visible = !this.hidden.has(key);
    this.scale();
    return !this.hidden.has(key);
  }

  remove() {
    if (this.view) for (const view of [this.view].flat()) view.remove();
    this.view = null;
    this.place.replaceChildren();
  }

  destroy() {
    this.query.removeEventListener("change", this.listener);
    this.remove();
  }
}
