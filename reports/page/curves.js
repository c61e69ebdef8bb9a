// Lines over time or over trades: equity with drawdown and buy-and-hold, the filtered trades' sum.
"use strict";

// panes: [{share, lines: [{xs, values, colour, name, thin, step, fill}]}]; xs rise.
class CurveChart {
  constructor(canvas, readout, { xText, onPick, isTime }) {
    Object.assign(this, { canvas, readout, xText, onPick, isTime, cursor: null, panes: [] });
    canvas.addEventListener("pointermove", (event) => {
      this.cursor = event.clientX - canvas.getBoundingClientRect().left; this.draw();
    });
    canvas.addEventListener("pointerleave", () => { this.cursor = null; this.draw(); });
    canvas.addEventListener("click", (event) => {
      if (onPick && this.map) onPick(this.map.back(event.clientX - canvas.getBoundingClientRect().left));
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  load(panes) { this.panes = panes.filter((pane) => pane.lines.length); this.draw(); }

  draw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.paint(); });
  }

  paint() {
    const { pen, width, height } = fitCanvas(this.canvas);
    const lines = this.panes.flatMap((pane) => pane.lines).filter((line) => line.xs.length);
    if (!lines.length) {
      pen.fillStyle = palette.quiet; pen.font = FONT; pen.textAlign = "center";
      pen.fillText("nothing to draw", width / 2, height / 2);
      return;
    }
    const from = Math.min(...lines.map((line) => line.xs[0]));
    const to = Math.max(...lines.map((line) => line.xs[line.xs.length - 1]), from + 1);
    const right = width - 74, bottom = height - 20;
    const x = (value) => (value - from) / (to - from) * right;
    this.map = { back: (at) => from + Math.min(1, Math.max(0, at / right)) * (to - from) };
    this.xAxis(pen, x, from, to, right, bottom);
    const total = this.panes.reduce((sum, pane) => sum + pane.share, 0);
    let top = 6;
    for (const pane of this.panes) {
      const tall = (bottom - 6) * pane.share / total;
      this.pane(pen, pane, x, top, top + tall - 8, right);
      top += tall;
    }
    this.point(pen, x, right, bottom, lines);
  }

  xAxis(pen, x, from, to, right, bottom) {
    pen.strokeStyle = palette.grid; pen.fillStyle = palette.quiet; pen.font = FONT; pen.lineWidth = 1;
    pen.textBaseline = "top"; pen.textAlign = "center";
    const labels = [], wanted = (to - from) / (right / 90);
    if (this.isTime) {
      for (const [at, step] of axisTimes(from, to, Math.max(wanted, DAY))) labels.push({ x: x(at), text: axisText(at, step), major: false });
    } else {
      const step = Math.max(1, niceStep(to - from, right / 90));
      for (let at = Math.ceil(from / step) * step; at <= to; at += step) labels.push({ x: x(at), text: String(at), major: false });
    }
    pen.beginPath();
    for (const label of placeLabels(labels, 62)) {
      if (label.x < 28 || label.x > right - 20) continue;
      const at = Math.round(label.x) + 0.5;
      pen.moveTo(at, 0); pen.lineTo(at, bottom);
      pen.fillText(label.text, at, bottom + 5);
    }
    pen.stroke();
  }

  pane(pen, pane, x, top, bottom, right) {
    let low = Infinity, high = -Infinity;
    for (const line of pane.lines) for (const v of line.values) { if (v < low) low = v; if (v > high) high = v; }
    if (pane.zero) { low = Math.min(low, 0); high = Math.max(high, 0); }
    if (!(high > low)) { high += 1; low -= 1; }
    const y = (v) => top + (high - v) / (high - low) * (bottom - top);
    pen.font = FONT; pen.textAlign = "left"; pen.textBaseline = "middle";
    pen.strokeStyle = palette.grid; pen.fillStyle = palette.quiet; pen.lineWidth = 1;
    const step = niceStep(high - low, Math.max(1, (bottom - top) / 40));
    pen.beginPath();
    for (let n = Math.ceil(low / step); n * step <= high; n++) {
      const at = Math.round(y(n * step)) + 0.5;
      pen.moveTo(0, at); pen.lineTo(right, at);
      pen.fillText(step < 1 ? fixed(n * step, stepDecimals(step)) : short(n * step), right + 7, at);
    }
    pen.stroke();
    for (const line of pane.lines) this.line(pen, line, x, y, y(Math.min(Math.max(0, low), high)));
    if (pane.name) {
      pen.textBaseline = "middle";
      pen.globalAlpha = 0.85; pen.fillStyle = palette.paper; pen.fillRect(4, top, pen.measureText(pane.name).width + 6, 15); pen.globalAlpha = 1;
      pen.fillStyle = palette.quiet; pen.fillText(pane.name, 7, top + 8);
    }
  }

  line(pen, { xs, values, colour, thin, step, fill }, x, y, base) {
    if (!xs.length) return;
    pen.strokeStyle = palette[colour]; pen.lineWidth = thin ? 1 : 1.5;
    pen.beginPath();
    pen.moveTo(x(xs[0]), y(values[0]));
    for (let i = 1; i < xs.length; i++) {
      const at = x(xs[i]);
      if (step) pen.lineTo(at, y(values[i - 1]));  // a row is written only where equity changed
      pen.lineTo(at, y(values[i]));
    }
    pen.stroke();
    if (!fill) return;
    pen.lineTo(x(xs[xs.length - 1]), base); pen.lineTo(x(xs[0]), base); pen.closePath();
    pen.globalAlpha = 0.2; pen.fillStyle = palette[colour]; pen.fill(); pen.globalAlpha = 1;
  }

  point(pen, x, right, bottom, lines) {
    if (this.cursor === null || this.cursor > right || printing) { this.readout.textContent = ""; return; }
    const wanted = this.map.back(this.cursor), texts = [];
    pen.strokeStyle = palette.quiet; pen.lineWidth = 1; pen.setLineDash([2, 3]);
    pen.beginPath(); pen.moveTo(this.cursor, 0); pen.lineTo(this.cursor, bottom); pen.stroke();
    pen.setLineDash([]);
    for (const line of lines) {
      const place = lowerBound(line.xs, wanted + 1e-9) - 1;
      if (place >= 0) texts.push(`${line.name} ${money(line.values[place])}`);
    }
    this.readout.textContent = `${this.xText(wanted)}   ${texts.join("   ")}`;
  }
}
