// The heatmap of many cells: a column for each cell, a row for each simulation.

const ROW_HEIGHT = 30;
const LABEL_HEIGHT = 18;
const LEGEND_HEIGHT = 46;
const STATES = {"-1": "failed", "-2": "skipped", "-3": "pending"};

class Heatmap {
  constructor(data, cells, ranked, open) {
    Object.assign(this, {data, cells, ranked, open});
    this.figure = document.getElementById("heatmap");
    this.canvas = this.figure.querySelector("canvas");
    this.readout = this.figure.querySelector(".readout");
    this.canvas.addEventListener("mousemove", (event) => this.read(event));
    this.canvas.addEventListener("mouseleave", () => { this.readout.textContent = ""; });
    this.canvas.addEventListener("click", (event) => {
      const place = this.placeOf(event);
      if (place !== null) this.open(this.ranked[place]);
    });
    new ResizeObserver(() => this.draw()).observe(this.figure);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  colour(value) {
    const {low, high, colours} = this.data;
    const share = Math.min(Math.max(Math.log(value / low) / Math.log(high / low), 0), 1) * (colours.length - 1);
    const first = Math.min(Math.floor(share), colours.length - 2);
    const mixed = colours[first].map((a, part) => Math.round(a + (colours[first + 1][part] - a) * (share - first)));
    return `rgb(${mixed.join(",")})`;
  }

  draw() {
    const ratio = devicePixelRatio || 1;
    const width = this.figure.clientWidth;
    const rows = this.data.labels.length;
    const height = rows * (ROW_HEIGHT + LABEL_HEIGHT) + LEGEND_HEIGHT;
    if (!width || (this.width === width && this.drawnAt === ratio + getComputedStyle(this.figure).color)) return;
    this.width = width;
    this.drawnAt = ratio + getComputedStyle(this.figure).color;
    this.canvas.style.height = `${height}px`;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--ink");
    pen.font = `13px ${getComputedStyle(document.body).fontFamily}`;
    pen.textBaseline = "alphabetic";
    this.data.labels.forEach((label, row) => {
      const top = row * (ROW_HEIGHT + LABEL_HEIGHT);
      pen.fillStyle = ink;
      pen.fillText(label, 0, top + LABEL_HEIGHT - 5, width);
      this.drawRow(pen, this.data.values[row], top + LABEL_HEIGHT, width, style);
    });
    this.drawLegend(pen, rows * (ROW_HEIGHT + LABEL_HEIGHT) + 14, Math.min(width, 420), ink, style);
  }

  drawRow(pen, values, top, width, style) {
    pen.fillStyle = style.getPropertyValue("--raised");
    pen.fillRect(0, top, width, ROW_HEIGHT - 4);
    for (let left = 0; left < width; left += 1) {
      const value = this.worst(values, left / width, (left + 1) / width);
      if (value === null) continue;
      pen.fillStyle = value > 0 ? this.colour(value) : style.getPropertyValue(value === -1 ? "--failed" : "--line");
      // A failed one is half as high, so that it differs without its colour, too.
      pen.fillRect(left, value > 0 ? top : top + ROW_HEIGHT / 2 - 2, 1, value > 0 ? ROW_HEIGHT - 4 : ROW_HEIGHT / 2 - 2);
    }
  }

  /** The worst of the cells that share a column of pixels: a failed one, else the largest RMSE. */
  worst(values, from, to) {
    const first = Math.floor(from * values.length);
    const last = Math.max(Math.ceil(to * values.length), first + 1);
    let found = null;
    for (let place = first; place < Math.min(last, values.length); place += 1) {
      const value = values[place];
      if (value === -1) return value;
      if (value !== null && (found === null || value > found)) found = value;
    }
    return found;
  }

  drawLegend(pen, top, width, ink, style) {
    const {low, high} = this.data;
    const bar = Math.max(width - 130, 120);
    for (let place = 0; place < bar; place += 1) {
      pen.fillStyle = this.colour(low * (high / low) ** (place / bar));
      pen.fillRect(place, top, 1.5, 10);
    }
    pen.fillStyle = ink;
    [0, 0.5, 1].forEach((share) => {
      const text = `${writeMillivolt(low * (high / low) ** share)}${share === 1 ? " mV" : ""}`;
      const size = pen.measureText(text).width;
      pen.fillText(text, Math.min(Math.max(share * bar - size / 2, 0), bar - size / 2), top + 26);
    });
    pen.fillStyle = style.getPropertyValue("--failed");
    pen.fillRect(bar + 34, top + 3, 14, 10);
    pen.fillStyle = ink;
    pen.fillText("failed", bar + 54, top + 12);
  }

  placeOf(event) {
    const place = Math.floor((event.offsetX / this.width) * this.ranked.length);
    return place >= 0 && place < this.ranked.length ? place : null;
  }

  read(event) {
    const place = this.placeOf(event);
    if (place === null) return;
    const texts = this.data.labels.map((label, row) => {
      const value = this.data.values[row][place];
      if (value === null) return `${label} –`;
      return `${label} ${value > 0 ? `${writeMillivolt(value)} mV` : STATES[value]}`;
    });
    this.readout.textContent = `${this.cells[this.ranked[place]]} (number ${place + 1} of ${this.ranked.length}): ${texts.join("; ")}`;
  }
}
