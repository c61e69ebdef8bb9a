// Candles with zones and trades on a canvas. Only what is visible is drawn, so the cost of a
// frame depends on the width of the window and not on the length of the file.
"use strict";

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function fitCanvas(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { pen, width, height };
}

function niceStep(span, wanted) {
  const raw = span / Math.max(wanted, 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  for (const factor of [1, 2, 2.5, 5, 10]) if (factor * power >= raw) return factor * power;
  return 10 * power;
}

class PriceChart {
  constructor(canvas, readout) {
    this.canvas = canvas;
    this.readout = readout;
    this.axis = { right: 74, bottom: 24, top: 8 };
    this.show = { zones: true, trades: true };
    this.cursor = null;
    this.listen();
  }

  // plan: {bars, zones, trades, formatTime}; bars hold typed arrays start/open/high/low/close.
  load(plan) {
    this.plan = plan;
    this.bars = plan.bars;
    this.chosen = null;
    const newest = plan.trades[plan.trades.length - 1];
    const end = newest ? Math.min(newest.exitIndex + 70, this.bars.count + 6) : this.bars.count + 6;
    this.view = { from: Math.max(0, end - 240), to: end };
    this.draw();
  }

  focus(trade) {
    this.chosen = trade;
    const length = Math.max(trade.exitIndex - trade.entryIndex, 1);
    const pad = Math.max(30, Math.round(length * 0.6));
    this.view = { from: trade.entryIndex - pad - 20, to: trade.exitIndex + pad };
    this.draw();
  }

  x(index) {
    const { from, to } = this.view;
    return (index - from) / (to - from) * (this.width - this.axis.right);
  }
  indexAt(x) {
    const { from, to } = this.view;
    return from + x / (this.width - this.axis.right) * (to - from);
  }
  y(price) {
    const span = this.height - this.axis.bottom - this.axis.top;
    return this.axis.top + (this.high - price) / (this.high - this.low) * span;
  }

  draw() {
    if (!this.bars || this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.paint(); });
  }

  paint() {
    const { pen, width, height } = fitCanvas(this.canvas);
    Object.assign(this, { pen, width, height });
    pen.clearRect(0, 0, width, height);
    const first = Math.max(0, Math.floor(this.view.from));
    const last = Math.min(this.bars.count - 1, Math.ceil(this.view.to));
    if (last < first) return;
    this.range(first, last);
    this.grid(first, last);
    pen.save();
    pen.beginPath();
    pen.rect(0, 0, width - this.axis.right, height - this.axis.bottom);
    pen.clip();
    if (this.show.zones) this.zones(first, last);
    if (this.show.trades) this.tradeBoxes(first, last);
    this.candles(first, last);
    if (this.show.trades) this.tradeMarks(first, last);
    pen.restore();
    this.crosshair();
  }

  range(first, last) {
    let low = Infinity, high = -Infinity;
    for (let i = first; i <= last; i++) {
      if (this.bars.low[i] < low) low = this.bars.low[i];
      if (this.bars.high[i] > high) high = this.bars.high[i];
    }
    const scale = this.bars.scale;
    low /= scale; high /= scale;
    if (this.chosen) for (const level of [this.chosen.stop, this.chosen.target])
      if (level !== null) { low = Math.min(low, level); high = Math.max(high, level); }
    const pad = Math.max((high - low) * 0.06, 1 / scale);
    this.low = low - pad; this.high = high + pad;
  }

  grid(first, last) {
    const { pen, width, height, axis } = this;
    pen.strokeStyle = css("--grid"); pen.fillStyle = css("--quiet");
    pen.lineWidth = 1; pen.font = "11px system-ui, sans-serif";
    const step = niceStep(this.high - this.low, height / 60);
    pen.textAlign = "left"; pen.textBaseline = "middle";
    for (let p = Math.ceil(this.low / step) * step; p < this.high; p += step) {
      const y = Math.round(this.y(p)) + 0.5;
      pen.beginPath(); pen.moveTo(0, y); pen.lineTo(width - axis.right, y); pen.stroke();
      pen.fillText(p.toFixed(this.bars.decimals), width - axis.right + 6, y);
    }
    const every = Math.max(1, Math.round((this.view.to - this.view.from) / (width / 130)));
    pen.textAlign = "center"; pen.textBaseline = "top";
    for (let i = Math.ceil(first / every) * every; i <= last; i += every) {
      const x = Math.round(this.x(i + 0.5)) + 0.5;
      if (x < 52 || x > width - axis.right - 52) continue;
      pen.beginPath(); pen.moveTo(x, 0); pen.lineTo(x, height - axis.bottom); pen.stroke();
      pen.fillText(this.plan.formatTime(this.bars.start[i]), x, height - axis.bottom + 6);
    }
  }

  candles(first, last) {
    const { pen, bars } = this, scale = bars.scale;
    const slot = (this.width - this.axis.right) / (this.view.to - this.view.from);
    const up = css("--up"), down = css("--down");
    if (slot < 1.6) return this.columns(first, last, slot);
    const body = Math.max(1, Math.min(slot * 0.7, 14));
    for (let i = first; i <= last; i++) {
      const rising = bars.close[i] >= bars.open[i];
      const x = this.x(i + 0.5);
      const top = this.y(Math.max(bars.open[i], bars.close[i]) / scale);
      const bottom = this.y(Math.min(bars.open[i], bars.close[i]) / scale);
      pen.fillStyle = pen.strokeStyle = rising ? up : down;
      pen.beginPath();
      pen.moveTo(x, this.y(bars.high[i] / scale));
      pen.lineTo(x, this.y(bars.low[i] / scale));
      pen.stroke();
      pen.fillRect(x - body / 2, top, body, Math.max(1, bottom - top));
    }
  }

  // More bars than pixels: one high-low column a pixel.
  columns(first, last, slot) {
    const { pen, bars } = this, scale = bars.scale;
    pen.fillStyle = css("--quiet");
    const count = Math.max(1, Math.floor(1 / slot));
    for (let i = first - (first % count); i <= last; i += count) {
      let low = Infinity, high = -Infinity;
      for (let j = Math.max(i, 0); j < Math.min(i + count, bars.count); j++) {
        if (bars.low[j] < low) low = bars.low[j];
        if (bars.high[j] > high) high = bars.high[j];
      }
      const y = this.y(high / scale);
      pen.fillRect(this.x(i), y, Math.max(1, slot * count), Math.max(1, this.y(low / scale) - y));
    }
  }

  // A zone begins on the bar after the one at whose close it became known.
  zones(first, last) {
    const { pen } = this, zones = this.plan.zones;
    if (last - first > 3000) return;
    for (let z = 0; z < zones.count; z++) {
      const from = zones.known[z] + 1, to = zones.end[z] < 0 ? this.bars.count : zones.end[z] + 1;
      if (from > last || to < first) continue;
      const x = this.x(from), right = this.x(to);
      const top = this.y(zones.top[z]), bottom = this.y(zones.bottom[z]);
      const rising = zones.side[z] > 0;
      if (zones.top[z] === zones.bottom[z]) {
        pen.strokeStyle = rising ? css("--up") : css("--down");
        pen.setLineDash([5, 4]);
        pen.beginPath(); pen.moveTo(x, top); pen.lineTo(right, top); pen.stroke();
        pen.setLineDash([]);
      } else {
        pen.fillStyle = rising ? css("--zone-up") : css("--zone-down");
        pen.fillRect(x, top, right - x, Math.max(1, bottom - top));
      }
      if (right - x > 34 && last - first < 400) {
        pen.fillStyle = css("--quiet"); pen.font = "10px system-ui, sans-serif";
        pen.textAlign = "left"; pen.textBaseline = "bottom";
        pen.fillText(zones.kinds[zones.kind[z]], Math.max(x, 0) + 3, top - 1);
      }
    }
  }

  visibleTrades(first, last) {
    return this.plan.trades.filter((t) => t.exitIndex >= first && t.entryIndex <= last);
  }

  tradeBoxes(first, last) {
    if (last - first > 3000) return;
    for (const t of this.visibleTrades(first, last)) {
      const x = this.x(t.entryIndex), right = this.x(t.exitIndex + 1), entry = this.y(t.entry);
      for (const [level, fill] of [[t.target, "--reward"], [t.stop, "--risk"]]) {
        if (level === null) continue;
        const y = this.y(level);
        this.pen.fillStyle = css(fill);
        this.pen.fillRect(x, Math.min(entry, y), right - x, Math.abs(y - entry));
      }
    }
  }

  tradeMarks(first, last) {
    const { pen } = this, wide = last - first > 3000;
    for (const t of this.visibleTrades(first, last)) {
      const x0 = this.x(t.entryIndex + 0.5), y0 = this.y(t.entry);
      const x1 = this.x(t.exitIndex + 0.5), y1 = this.y(t.exit);
      const colour = t.pnl >= 0 ? css("--up") : css("--down");
      if (wide) {
        pen.fillStyle = colour; pen.fillRect(x0 - 1.5, y0 - 1.5, 3, 3);
        continue;
      }
      pen.strokeStyle = pen.fillStyle = colour;
      pen.lineWidth = t === this.chosen ? 2 : 1;
      pen.setLineDash([3, 3]);
      pen.beginPath(); pen.moveTo(x0, y0); pen.lineTo(x1, y1); pen.stroke();
      pen.setLineDash([]);
      pen.lineWidth = 1;
      this.triangle(x0, y0, t.side === "long" ? 1 : -1);
      pen.fillStyle = colour;
      for (const leg of t.legs) {
        pen.beginPath(); pen.arc(this.x(leg.index + 0.5), this.y(leg.price), 3.5, 0, 7); pen.fill();
      }
    }
  }

  triangle(x, y, up) {
    const { pen } = this;
    pen.fillStyle = css("--ink");
    pen.beginPath();
    pen.moveTo(x, y + up * 3); pen.lineTo(x - 6, y + up * 13); pen.lineTo(x + 6, y + up * 13);
    pen.closePath(); pen.fill();
  }

  crosshair() {
    if (!this.cursor) { this.readout.textContent = ""; return; }
    const { pen, bars } = this, { x, y } = this.cursor, scale = bars.scale;
    const index = Math.min(bars.count - 1, Math.max(0, Math.floor(this.indexAt(x))));
    pen.strokeStyle = css("--quiet"); pen.setLineDash([2, 3]);
    pen.beginPath();
    pen.moveTo(this.x(index + 0.5), 0); pen.lineTo(this.x(index + 0.5), this.height - this.axis.bottom);
    pen.moveTo(0, y); pen.lineTo(this.width - this.axis.right, y);
    pen.stroke(); pen.setLineDash([]);
    const show = (values) => (values[index] / scale).toFixed(bars.decimals);
    const over = this.plan.trades.find((t) => t.entryIndex <= index && t.exitIndex >= index);
    this.readout.textContent = `${this.plan.formatTime(bars.start[index])}   O ${show(bars.open)}`
      + `  H ${show(bars.high)}  L ${show(bars.low)}  C ${show(bars.close)}`
      + (over ? `   trade ${over.id}: ${over.side} ${over.quantity} ${over.pattern} → ${over.reason}`
        + ` ${over.r === null ? "" : over.r.toFixed(2) + " R"}` : "");
  }

  zoom(factor, x) {
    const anchor = this.indexAt(x), { from, to } = this.view;
    const span = Math.min(Math.max((to - from) * factor, 12), this.bars.count * 1.2 + 20);
    const share = (anchor - from) / (to - from);
    this.view = { from: anchor - share * span, to: anchor + (1 - share) * span };
    this.draw();
  }

  pan(bars) {
    this.view = { from: this.view.from + bars, to: this.view.to + bars };
    this.draw();
  }

  listen() {
    const { canvas } = this, held = new Map();
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(event.deltaY * 0.0016), place(event).x);
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      held.set(event.pointerId, place(event)); canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const now = place(event), before = held.get(event.pointerId);
      this.cursor = now;
      if (before && held.size === 1)
        this.pan((before.x - now.x) / (this.width - this.axis.right) * (this.view.to - this.view.from));
      if (before && held.size === 2) {
        const other = [...held.entries()].find(([id]) => id !== event.pointerId)[1];
        const gap = Math.abs(before.x - other.x) || 1;
        this.zoom(gap / (Math.abs(now.x - other.x) || 1), (now.x + other.x) / 2);
      }
      if (before) held.set(event.pointerId, now);
      this.draw();
    });
    for (const end of ["pointerup", "pointercancel"])
      canvas.addEventListener(end, (event) => held.delete(event.pointerId));
    canvas.addEventListener("pointerleave", () => { this.cursor = null; this.draw(); });
    canvas.addEventListener("dblclick", () => this.load(this.plan));
    canvas.tabIndex = 0;
    canvas.addEventListener("keydown", (event) => {
      const span = this.view.to - this.view.from;
      const moves = { ArrowLeft: -span / 8, ArrowRight: span / 8 };
      if (event.key in moves) { this.pan(moves[event.key]); event.preventDefault(); }
      if (event.key === "+" || event.key === "-") this.zoom(event.key === "+" ? 0.8 : 1.25, this.width / 2);
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
  }
}

// Equity above, drawdown below, on a time axis.
class EquityChart {
  constructor(canvas, readout, curve, currency) {
    Object.assign(this, { canvas, readout, curve, currency, cursor: null });
    canvas.addEventListener("pointermove", (event) => {
      this.cursor = event.clientX - canvas.getBoundingClientRect().left; this.draw();
    });
    canvas.addEventListener("pointerleave", () => { this.cursor = null; this.draw(); });
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  draw() {
    const { curve } = this, n = curve.count;
    if (!n) return;
    const { pen, width, height } = fitCanvas(this.canvas);
    pen.clearRect(0, 0, width, height);
    const right = 90, split = Math.round(height * 0.68);
    const t0 = curve.time[0], t1 = Math.max(curve.time[n - 1], t0 + 1);
    const x = (t) => (t - t0) / (t1 - t0) * (width - right);
    this.band(pen, x, curve.equity, 8, split - 8, width - right, "--accent", false);
    this.band(pen, x, curve.drawdown, split + 4, height - 18, width - right, "--down", true);
    pen.fillStyle = css("--quiet"); pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "bottom"; pen.textAlign = "left";
    pen.fillText(new Date(t0 * 1000).toISOString().slice(0, 10), 4, height - 2);
    pen.textAlign = "right";
    pen.fillText(new Date(t1 * 1000).toISOString().slice(0, 10), width - right, height - 2);
    this.point(pen, x, height, width - right);
  }

  band(pen, x, values, top, bottom, right, colour, fill) {
    let low = Infinity, high = -Infinity;
    for (const v of values) { if (v < low) low = v; if (v > high) high = v; }
    if (high === low) { high += 1; low -= 1; }
    const y = (v) => top + (high - v) / (high - low) * (bottom - top);
    pen.font = "11px system-ui, sans-serif"; pen.textAlign = "left"; pen.textBaseline = "middle";
    pen.strokeStyle = css("--grid"); pen.fillStyle = css("--quiet"); pen.lineWidth = 1;
    const step = niceStep(high - low, (bottom - top) / 44);
    for (let v = Math.ceil(low / step) * step; v <= high; v += step) {
      const at = Math.round(y(v)) + 0.5;
      pen.beginPath(); pen.moveTo(0, at); pen.lineTo(right, at); pen.stroke();
      pen.fillText((Math.round(v) + 0).toLocaleString("en-US"), right + 6, at);
    }
    pen.strokeStyle = css(colour); pen.lineWidth = 1.4;
    pen.beginPath();
    const stride = Math.max(1, Math.floor(values.length / (right * 3)));
    pen.moveTo(x(this.curve.time[0]), y(values[0]));
    for (let i = stride; i < values.length; i += stride) {
      const at = x(this.curve.time[i]);
      pen.lineTo(at, y(values[i - stride]));  // a row is written only where equity changed
      pen.lineTo(at, y(values[i]));
    }
    pen.lineTo(x(this.curve.time[values.length - 1]), y(values[values.length - 1]));
    pen.stroke();
    if (fill) {
      pen.lineTo(right, y(high)); pen.lineTo(0, y(high)); pen.closePath();
      pen.globalAlpha = 0.18; pen.fillStyle = css(colour); pen.fill(); pen.globalAlpha = 1;
    }
  }

  point(pen, x, height, right) {
    if (this.cursor === null) { this.readout.textContent = ""; return; }
    const { time, equity, drawdown, count } = this.curve;
    const wanted = time[0] + this.cursor / right * (time[count - 1] - time[0]);
    let low = 0, high = count - 1;
    while (low < high) { const mid = (low + high + 1) >> 1; if (time[mid] <= wanted) low = mid; else high = mid - 1; }
    pen.strokeStyle = css("--quiet"); pen.setLineDash([2, 3]);
    pen.beginPath(); pen.moveTo(x(time[low]), 0); pen.lineTo(x(time[low]), height); pen.stroke();
    pen.setLineDash([]);
    const money = (v) => v.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
    this.readout.textContent = `${new Date(time[low] * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`
      + `   equity ${money(equity[low])} ${this.currency}   drawdown ${money(drawdown[low])}`;
  }
}
