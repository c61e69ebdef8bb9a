// Candles with zones and trades on a canvas. Only what is in view is drawn, from a level of detail
// that fits the window, so a frame costs what the window is wide and not what the file is long.
"use strict";

const FONT = "11px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
const SMALL = FONT.replace("11px", "10px");
const PRINT_WIDTH = 700;
let palette = {}, printing = false;

// Colours are read once a theme, not once a shape.
function readPalette() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["paper", "panel", "ink", "quiet", "line", "grid", "up", "down", "accent", "other",
    "zone-up", "zone-down", "reward", "risk"]) palette[name] = style.getPropertyValue(`--${name}`).trim();
}

function fitCanvas(canvas) {
  const ratio = printing ? 2 : window.devicePixelRatio || 1;
  const share = printing ? canvas.clientWidth / document.querySelector("main").clientWidth : 0;
  const width = printing ? Math.round(PRINT_WIDTH * share) : canvas.clientWidth, height = canvas.clientHeight;
  const across = Math.round(width * ratio), down = Math.round(height * ratio);
  if (canvas.width !== across) canvas.width = across;
  if (canvas.height !== down) canvas.height = down;
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

function niceStep(span, wanted) {
  const raw = span / Math.max(wanted, 1), power = 10 ** Math.floor(Math.log10(raw));
  for (const factor of [1, 2, 2.5, 5, 10]) if (factor * power >= raw * 0.999) return factor * power;
  return 10 * power;
}

const stepDecimals = (step) => Math.max(0, Math.min(6, Math.ceil(-Math.log10(step) - 1e-9)
  + (/^2\.?5/.test((step / 10 ** Math.floor(Math.log10(step))).toFixed(1)) ? 1 : 0)));

// The first place whose value is at least `wanted`, in a rising array.
function lowerBound(values, wanted) {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) low = middle + 1; else high = middle;
  }
  return low;
}

// Lows and highs of 2, 4, 8 ... bars.
function buildLevels(bars) {
  const levels = [{ low: bars.low, high: bars.high, size: 1 }];
  while (levels[levels.length - 1].low.length > 1000) {
    const finer = levels[levels.length - 1], count = Math.ceil(finer.low.length / 2);
    const low = new Int32Array(count), high = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const a = 2 * i, b = Math.min(a + 1, finer.low.length - 1);
      low[i] = Math.min(finer.low[a], finer.low[b]); high[i] = Math.max(finer.high[a], finer.high[b]);
    }
    levels.push({ low, high, size: finer.size * 2 });
  }
  return levels;
}

const DAY = 86400;
const TIME_STEPS = [60, 300, 900, 1800, 3600, 7200, 14400, 28800, DAY, 2 * DAY, 7 * DAY];

// Places of labels on a time axis: [local time, step], by the clock, then days, months and years.
function* axisTimes(from, to, wanted) {
  const step = TIME_STEPS.find((size) => size >= wanted);
  if (step) {
    const shift = step === 7 * DAY ? 4 * DAY : 0;  // weeks begin on Monday; 1 January 1970 was a Thursday
    for (let t = Math.ceil((from - shift) / step) * step + shift; t <= to; t += step) yield [t, step];
    return;
  }
  const months = [1, 3, 6, 12, 24, 60, 120].find((size) => size * 30 * DAY >= wanted) || 240;
  const first = new Date(from * 1000);
  let month = Math.ceil((first.getUTCFullYear() * 12 + first.getUTCMonth()) / months) * months;
  for (let t; (t = Date.UTC(Math.floor(month / 12), month % 12) / 1000) <= to; month += months)
    yield [t, months * 30 * DAY];
}

function axisText(local, step) {
  const stamp = new Date(local * 1000), month = MONTHS[stamp.getUTCMonth()];
  if (step > 14 * DAY) return stamp.getUTCMonth() ? `${month} ${stamp.getUTCFullYear()}` : String(stamp.getUTCFullYear());
  return local % DAY ? clockText(stamp) : `${stamp.getUTCDate()} ${month}`;
}

// Labels that do not lie on each other; the weightier (a new day) go first.
function placeLabels(labels, apart) {
  const placed = [];
  for (const major of [true, false])
    for (const label of labels)
      if (label.major === major && placed.every((other) => Math.abs(other.x - label.x) >= apart)) placed.push(label);
  return placed;
}

class PriceChart {
  constructor(canvas, overlay, readout, choose) {
    Object.assign(this, { canvas, overlay, readout, choose, cursor: null, chosen: null });
    this.axis = { right: 70, bottom: 22, top: 8 };
    this.show = { zones: true, trades: true, refused: true };
    this.hidden = new Set();
    this.listen();
  }

  load(plan) {
    this.plan = plan;
    this.bars = plan.bars;
    this.levels = buildLevels(plan.bars);
    this.chosen = null;
    this.showLast();
  }

  showLast() {
    const { trades } = this.plan, { count } = this.bars;
    const newest = trades[trades.length - 1];
    const end = newest ? Math.min(newest.exitIndex + 40, count + 6) : count + 6;
    const span = Math.max(60, Math.min(240, Math.round((this.overlay.clientWidth || 900) / 5)));
    this.look(Math.max(-4, end - span), end);
  }

  look(from, to) { this.view = { from, to }; this.draw(); }

  focus(trade) {
    this.chosen = trade;
    const first = trade.setupIndex >= 0 ? Math.min(trade.setupIndex, trade.entryIndex) : trade.entryIndex;
    const pad = Math.max(24, Math.round((trade.exitIndex - first) * 0.5));
    this.look(first - pad - 16, trade.exitIndex + pad);
  }

  goTo(seconds) {
    const at = lowerBound(this.bars.start, seconds), half = (this.view.to - this.view.from) / 2;
    this.look(at - half, at + half);
  }

  get plotWidth() { return this.width - this.axis.right; }
  get plotBottom() { return this.height - this.axis.bottom; }
  x(index) { return (index - this.view.from) / (this.view.to - this.view.from) * this.plotWidth; }
  indexAt(x) { return this.view.from + x / this.plotWidth * (this.view.to - this.view.from); }
  y(price) {
    return this.axis.top + (this.high - price) / (this.high - this.low) * (this.plotBottom - this.axis.top);
  }
  priceAt(y) { return this.high - (y - this.axis.top) / (this.plotBottom - this.axis.top) * (this.high - this.low); }

  draw() {
    if (!this.bars || this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.paint(); });
  }

  paint() {
    Object.assign(this, fitCanvas(this.canvas));
    const { pen, bars } = this;
    const first = Math.max(0, Math.floor(this.view.from));
    const last = Math.min(bars.count - 1, Math.ceil(this.view.to));
    if (last < first) {
      pen.fillStyle = palette.quiet; pen.font = FONT; pen.textAlign = "center";
      pen.fillText(bars.count ? "no bars here" : "this plan has no bars", this.width / 2, this.height / 2);
      return;
    }
    this.range(first, last);
    this.grid(first, last);
    pen.save();
    pen.beginPath();
    pen.rect(0, 0, this.plotWidth, this.plotBottom);
    pen.clip();
    if (this.show.zones) this.zones(first, last);
    const trades = this.show.trades ? this.plan.trades.filter((t) => t.exitIndex >= first && t.entryIndex <= last) : [];
    if (last - first <= 2500) for (const t of trades) if (t !== this.chosen) this.tradeBox(t);
    if (this.chosen) this.chosenLevels(this.chosen);
    this.candles(first, last);
    if (this.show.refused && last - first <= 600) this.refused(first, last);
    this.marks(trades, last - first > 2500);
    if (this.chosen) this.chosenMarks(this.chosen);
    pen.restore();
    this.paintCursor();
  }

  range(first, last) {
    let level = this.levels[0];
    for (const coarser of this.levels) if ((last - first) / coarser.size > 1500) level = coarser;
    let low = Infinity, high = -Infinity;
    for (let i = Math.floor(first / level.size); i <= Math.floor(last / level.size); i++) {
      if (level.low[i] < low) low = level.low[i];
      if (level.high[i] > high) high = level.high[i];
    }
    const { scale } = this.bars;
    low /= scale; high /= scale;
    const t = this.chosen;
    if (t && t.exitIndex >= first && t.entryIndex <= last)
      for (const level_ of [t.stop, t.target, t.planned, ...t.moves.map((move) => move.price)])
        if (!Number.isNaN(level_)) { low = Math.min(low, level_); high = Math.max(high, level_); }
    const pad = Math.max((high - low) * 0.07, 1 / scale);
    this.low = low - pad; this.high = high + pad;
  }

  grid(first, last) {
    const { pen, bars } = this, right = this.plotWidth, bottom = this.plotBottom;
    pen.strokeStyle = palette.grid; pen.fillStyle = palette.quiet; pen.lineWidth = 1; pen.font = FONT;
    const step = niceStep(this.high - this.low, this.height / 56), digits = Math.min(stepDecimals(step), bars.decimals);
    pen.textAlign = "left"; pen.textBaseline = "middle";
    pen.beginPath();
    for (let n = Math.ceil(this.low / step); n * step < this.high; n++) {
      const y = Math.round(this.y(n * step)) + 0.5;
      if (y > bottom - 5) continue;
      pen.moveTo(0, y); pen.lineTo(right, y);
      pen.fillText((n * step).toFixed(digits), right + 7, y);
    }
    pen.textAlign = "center"; pen.textBaseline = "top";
    for (const { x, text } of this.timeLabels(first, last)) {
      pen.moveTo(x, 0); pen.lineTo(x, bottom);
      pen.fillText(text, x, bottom + 6);
    }
    pen.stroke();
    pen.strokeStyle = palette.line;
    pen.beginPath(); pen.moveTo(right + 0.5, 0); pen.lineTo(right + 0.5, bottom + 0.5); pen.lineTo(0, bottom + 0.5); pen.stroke();
  }

  // Bars lie side by side whatever time passed between them, so a label belongs to its first bar.
  timeLabels(first, last) {
    const { bars } = this, right = this.plotWidth, labels = [];
    const from = bars.local[first], to = bars.local[last];
    const each = (this.view.to - this.view.from) / (right / 86);
    const inside = bars.typical * each, wanted = inside < 6 * 3600 ? inside : (to - from) / Math.max(last - first, 1) * each;
    for (const [local, step] of axisTimes(from, to, wanted)) {
      const index = lowerBound(bars.local, local);
      if (index >= bars.count) break;
      const late = bars.local[index] - local, newDay = local % DAY === 0;
      if (step < DAY && late >= (newDay ? DAY : step)) continue;
      const shown = step >= DAY && step <= 14 * DAY ? Math.floor(bars.local[index] / DAY) * DAY : local;
      const x = Math.round(this.x(index)) + 0.5;
      if (x >= 24 && x <= right - 24) labels.push({ x, text: axisText(shown, step), major: newDay });
    }
    return placeLabels(labels, 60);
  }

  candles(first, last) {
    const { pen, bars } = this, { scale } = bars;
    const slot = this.plotWidth / (this.view.to - this.view.from);
    if (slot < 1.6) return this.blocks(first, last, slot);
    const body = Math.max(1, Math.min(slot * 0.7, 14));
    for (const rising of [true, false]) {
      pen.fillStyle = rising ? palette.up : palette.down;
      for (let i = first; i <= last; i++) {
        const open = bars.open[i], close = bars.close[i];
        if (close >= open !== rising) continue;
        const x = this.x(i + 0.5), top = this.y(Math.max(open, close) / scale), peak = this.y(bars.high[i] / scale);
        pen.fillRect(Math.floor(x), peak, 1, this.y(bars.low[i] / scale) - peak);
        pen.fillRect(x - body / 2, top, body, Math.max(1, this.y(Math.min(open, close) / scale) - top));
      }
    }
  }

  // More bars than pixels: one column from low to high for each block of bars.
  blocks(first, last, slot) {
    const { pen } = this, { scale } = this.bars;
    const level = this.levels.find((l) => l.size * slot >= 1) || this.levels[this.levels.length - 1];
    const wide = Math.ceil(level.size * slot);
    pen.fillStyle = palette.quiet;
    for (let i = Math.floor(first / level.size); i <= Math.floor(last / level.size); i++) {
      const y = Math.round(this.y(level.high[i] / scale));
      pen.fillRect(Math.round(this.x(i * level.size)), y, wide, Math.max(1, Math.round(this.y(level.low[i] / scale)) - y));
    }
  }

  // A zone begins on the bar after the one at whose close it became known.
  zones(first, last) {
    const { pen } = this, { zones } = this.plan, { count } = this.bars;
    const span = last - first, least = span > 1500 ? 3 : 0;
    if (span > 20000) return;
    const born = lowerBound(zones.known, last);
    const labels = [];
    for (let z = 0; z < born; z++) {
      const to = zones.end[z] < 0 ? count : zones.end[z] + 1;
      if (to < first || this.hidden.has(zones.kind[z])) continue;
      const x = Math.max(-2, this.x(zones.known[z] + 1)), right = Math.min(this.plotWidth + 2, this.x(to));
      if (right - x < least) continue;
      const top = this.y(zones.top[z]), bottom = this.y(zones.bottom[z]);
      if (bottom < 0 || top > this.plotBottom) continue;
      const rising = zones.side[z] > 0;
      if (zones.top[z] === zones.bottom[z]) {
        pen.strokeStyle = rising ? palette.up : palette.down;
        pen.setLineDash([5, 4]);
        pen.beginPath(); pen.moveTo(x, top); pen.lineTo(right, top); pen.stroke();
        pen.setLineDash([]);
      } else {
        pen.fillStyle = rising ? palette["zone-up"] : palette["zone-down"];
        pen.fillRect(x, top, right - x, Math.max(1, bottom - top));
      }
      if (right - x > 40 && span < 400) labels.push([zones.kinds[zones.kind[z]], Math.max(x, 0) + 3, top - 1, right]);
    }
    this.zoneLabels(labels);
  }

  // A label is left out where it would lie on another one.
  zoneLabels(labels) {
    const { pen } = this, taken = [];
    pen.fillStyle = palette.quiet; pen.font = SMALL; pen.textAlign = "left"; pen.textBaseline = "bottom";
    for (const [text, x, y, right] of labels) {
      const wide = pen.measureText(text).width;
      if (wide > right - x || taken.some((box) => x < box.right + 4 && x + wide > box.x - 4 && Math.abs(y - box.y) < 11)) continue;
      taken.push({ x, right: x + wide, y });
      pen.fillText(text, x, Math.max(y, 11));
    }
  }

  tradeBox(t) {
    const x = this.x(t.entryIndex), wide = this.x(t.exitIndex + 1) - x, entry = this.y(t.entry);
    for (const [level, fill] of [[t.target, palette.reward], [t.stop, palette.risk]]) {
      if (Number.isNaN(level)) continue;
      const y = this.y(level);
      this.pen.fillStyle = fill;
      this.pen.fillRect(x, Math.min(entry, y), wide, Math.abs(y - entry));
    }
  }

  marks(trades, coarse) {
    const { pen } = this;
    pen.lineWidth = 1;
    if (coarse) { this.strip(trades); return; }
    for (const t of trades) {
      if (t === this.chosen) continue;
      const x0 = this.x(t.entryIndex + 0.5), y0 = this.y(t.entry);
      pen.strokeStyle = pen.fillStyle = t.pnl >= 0 ? palette.up : palette.down;
      pen.setLineDash([3, 3]);
      pen.beginPath(); pen.moveTo(x0, y0); pen.lineTo(this.x(t.exitIndex + 0.5), this.y(t.exit)); pen.stroke();
      pen.setLineDash([]);
      for (const fill of t.fills) if (fill.buy !== t.long) this.dot(this.x(fill.index + 0.5), this.y(fill.price));
      this.arrow(x0, y0, t.long ? 1 : -1, palette.ink);
    }
  }

  // Setups that were not taken; the readout of their bar says why.
  refused(first, last) {
    const { pen, bars } = this, { index, long } = this.plan.refused;
    pen.strokeStyle = palette.quiet; pen.fillStyle = palette.paper; pen.lineWidth = 1.2;
    for (let i = lowerBound(index, first); i < index.length && index[i] <= last; i++) {
      const x = this.x(index[i] + 0.5), level = long[i] ? bars.low[index[i]] : bars.high[index[i]];
      const y = this.y(level / bars.scale) + (long[i] ? 9 : -9);
      pen.beginPath();
      pen.moveTo(x, y - 4.5); pen.lineTo(x + 4.5, y); pen.lineTo(x, y + 4.5); pen.lineTo(x - 4.5, y); pen.closePath();
      pen.fill(); pen.stroke();
    }
  }

  refusedAt(bar) {
    const { index, long, reason, reasons } = this.plan.refused, texts = [];
    for (let i = lowerBound(index, bar); index[i] === bar; i++)
      texts.push(`${long[i] ? "long" : "short"} setup not taken: ${reasons[reason[i]] || "no reason kept"}`);
    return texts;
  }

  // From afar trades are a strip along the foot: winners up, losers down, by what they sum to.
  strip(trades) {
    const { pen } = this, wide = 4, sums = new Map(), tall = 16, base = this.plotBottom - tall - 4;
    for (const t of trades) {
      const place = Math.floor(this.x(t.entryIndex + 0.5) / wide);
      sums.set(place, (sums.get(place) || 0) + t.pnl);
    }
    const most = Math.max(...[...sums.values()].map(Math.abs), 1e-9);
    for (const [place, sum] of sums) {
      const size = Math.max(2, Math.abs(sum) / most * tall);
      pen.fillStyle = sum >= 0 ? palette.up : palette.down;
      pen.fillRect(place * wide, sum >= 0 ? base - size : base, wide - 1, size);
    }
  }

  dot(x, y) { const { pen } = this; pen.beginPath(); pen.arc(x, y, 3.5, 0, 7); pen.fill(); }

  arrow(x, y, up, colour) {
    const { pen } = this;
    pen.fillStyle = colour; pen.strokeStyle = palette.paper; pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x, y + up * 3); pen.lineTo(x - 6, y + up * 14); pen.lineTo(x + 6, y + up * 14);
    pen.closePath(); pen.fill(); pen.stroke();
  }

  // A level's path while the trade was open: its first price, then each move.
  path(t, level, isTarget) {
    const points = [[t.entryIndex, level]];
    for (const move of t.moves) if (Boolean(move.target) === isTarget) points.push([move.index, move.price]);
    return points;
  }

  chosenLevels(t) {
    const { pen } = this, right = this.x(t.exitIndex + 1), entry = this.y(t.entry);
    for (const [level, isTarget, fill] of [[t.target, true, palette.reward], [t.stop, false, palette.risk]]) {
      if (Number.isNaN(level)) continue;
      const points = this.path(t, level, isTarget);
      points.forEach(([index, price], i) => {
        const x = this.x(index), to = i + 1 < points.length ? this.x(points[i + 1][0]) : right, y = this.y(price);
        pen.fillStyle = fill;
        pen.fillRect(x, Math.min(entry, y), to - x, Math.abs(y - entry));
      });
    }
  }

  chosenMarks(t) {
    const { pen } = this, left = this.x(t.entryIndex), right = this.x(t.exitIndex + 1), digits = this.bars.decimals;
    pen.lineWidth = 1.6;
    const tags = [];
    for (const [level, isTarget, colour, name] of [[t.target, true, palette.up, "target"], [t.stop, false, palette.down, "stop"]]) {
      if (Number.isNaN(level)) continue;
      const points = this.path(t, level, isTarget);
      pen.strokeStyle = colour;
      pen.beginPath();
      points.forEach(([index, price], i) => {
        const x = this.x(index), y = this.y(price);
        if (i) pen.lineTo(x, y); else pen.moveTo(x, y);
        pen.lineTo(i + 1 < points.length ? this.x(points[i + 1][0]) : right, y);
      });
      pen.stroke();
      tags.push([points[points.length - 1][1], `${name} ${points[points.length - 1][1].toFixed(digits)}`, colour]);
    }
    pen.strokeStyle = palette.ink; pen.lineWidth = 1; pen.setLineDash([2, 2]);
    pen.beginPath(); pen.moveTo(left, this.y(t.entry)); pen.lineTo(right, this.y(t.entry)); pen.stroke();
    pen.setLineDash([]);
    tags.push([t.entry, `entry ${t.entry.toFixed(digits)}`, palette.ink]);
    this.tags(tags, right + 6);
    if (t.setupIndex >= 0) this.setupMark(t);
    t.fills.forEach((fill) => {
      const x = this.x(fill.index + 0.5), y = this.y(fill.price);
      if (Boolean(fill.buy) === Boolean(t.long)) return this.arrow(x, y, t.long ? 1 : -1, palette.accent);
      pen.fillStyle = t.pnl >= 0 ? palette.up : palette.down;
      this.dot(x, y);
      pen.strokeStyle = palette.paper; pen.lineWidth = 1.5; pen.stroke();
      if (t.fills.length > 2) this.label(`${fill.quantity}`, x + 7, y);
    });
  }

  // Names at the right end of the levels, pushed apart so that each can be read.
  tags(tags, x) {
    const { pen } = this;
    tags.sort((a, b) => b[0] - a[0]);
    pen.font = FONT; pen.textAlign = "left"; pen.textBaseline = "middle";
    let before = -Infinity;
    for (const [price, text, colour] of tags) {
      const y = Math.max(this.y(price), before + 14), wide = pen.measureText(text).width;
      const at = Math.min(x, this.plotWidth - wide - 8);
      before = y;
      pen.globalAlpha = 0.88; pen.fillStyle = palette.paper; pen.fillRect(at - 2, y - 7, wide + 4, 14); pen.globalAlpha = 1;
      pen.fillStyle = colour; pen.fillText(text, at, y);
    }
  }

  label(text, x, y) {
    const { pen } = this;
    pen.font = SMALL; pen.textAlign = "left"; pen.textBaseline = "middle"; pen.fillStyle = palette.ink;
    pen.fillText(text, x, y);
  }

  setupMark(t) {
    const { pen, bars } = this, x = this.x(t.setupIndex + 0.5);
    const y = t.long ? this.y(bars.low[t.setupIndex] / bars.scale) + 8 : this.y(bars.high[t.setupIndex] / bars.scale) - 8;
    pen.strokeStyle = palette.accent; pen.fillStyle = palette.accent; pen.lineWidth = 1.4; pen.font = SMALL;
    pen.textAlign = "center"; pen.textBaseline = "middle";
    pen.beginPath(); pen.arc(x, y + (t.long ? 5 : -5), 7, 0, 7); pen.stroke();
    pen.fillText("S", x, y + (t.long ? 5.5 : -4.5));
    if (!Number.isNaN(t.planned) && t.planned !== t.entry) {
      pen.setLineDash([1, 3]);
      pen.beginPath(); pen.moveTo(x, this.y(t.planned)); pen.lineTo(this.x(t.entryIndex + 0.5), this.y(t.planned)); pen.stroke();
      pen.setLineDash([]);
    }
  }

  // The cursor has a canvas of its own: moving it repaints no candle.
  paintCursor() {
    const { pen, width, height } = fitCanvas(this.overlay), { bars } = this;
    if (!this.cursor || printing || !bars.count || this.low === undefined) { this.readout.textContent = ""; return; }
    const { x, y } = this.cursor, right = this.plotWidth, bottom = this.plotBottom;
    const index = Math.min(bars.count - 1, Math.max(0, Math.floor(this.indexAt(x))));
    const middle = Math.round(this.x(index + 0.5)) + 0.5;
    pen.strokeStyle = palette.quiet; pen.setLineDash([2, 3]);
    pen.beginPath(); pen.moveTo(middle, 0); pen.lineTo(middle, bottom);
    if (y < bottom) { pen.moveTo(0, y); pen.lineTo(right, y); }
    pen.stroke(); pen.setLineDash([]);
    pen.font = FONT; pen.textBaseline = "middle";
    const tag = (text, at, level, wide) => {
      pen.fillStyle = palette.ink; pen.fillRect(at, level - 9, wide, 18);
      pen.fillStyle = palette.paper; pen.fillText(text, at + wide / 2, level);
    };
    pen.textAlign = "center";
    if (y < bottom) tag(this.priceAt(y).toFixed(bars.decimals), right + 1, y, width - right - 1);
    const when = this.plan.clock.text(bars.start[index]), wide = pen.measureText(when).width + 12;
    tag(when, Math.min(Math.max(middle - wide / 2, 0), right - wide), height - 11, wide);
    const show = (name) => (bars[name][index] / bars.scale).toFixed(bars.decimals);
    const over = this.plan.trades.find((t) => t.entryIndex <= index && t.exitIndex >= index);
    this.readout.textContent = `O ${show("open")}  H ${show("high")}  L ${show("low")}  C ${show("close")}`
      + (over ? `   trade ${over.id}: ${over.side} ${over.quantity} ${over.pattern} → ${over.reason}`
        + `${Number.isNaN(over.r) ? "" : `  ${fixed(over.r, 2)} R`}` : "")
      + this.refusedAt(index).map((text) => `   ${text}`).join("");
  }

  zoom(factor, x) {
    const anchor = this.indexAt(x), { from, to } = this.view;
    const span = Math.min(Math.max((to - from) * factor, 12), this.bars.count * 1.1 + 20);
    const share = (anchor - from) / (to - from);
    this.pan(anchor - share * span - from, span);
  }

  // Moves by bars; some bars always stay in view.
  pan(by, span = this.view.to - this.view.from) {
    const keep = Math.min(10, span / 4);
    const from = Math.min(Math.max(this.view.from + by, keep - span), this.bars.count - keep);
    this.look(from, from + span);
  }

  tradeAt({ x, y }) {
    const index = Math.floor(this.indexAt(x));
    let best = null, nearest = 14;
    for (const t of this.plan.trades) {
      if (this.x(t.exitIndex + 1) < x - 14 || this.x(t.entryIndex) > x + 14) continue;
      for (const [at, price] of [[t.entryIndex, t.entry], [t.exitIndex, t.exit]]) {
        const far = Math.hypot(this.x(at + 0.5) - x, this.y(price) - y);
        if (far < nearest) { nearest = far; best = t; }
      }
    }
    return best || this.plan.trades.find((t) => t.entryIndex <= index && t.exitIndex >= index
      && y >= this.y(Math.max(t.entry, t.stop || t.entry, t.target || t.entry)) - 4
      && y <= this.y(Math.min(t.entry, t.stop || t.entry, t.target || t.entry)) + 4);
  }

  listen() {
    const { overlay } = this, held = new Map();
    let moved = 0;
    const place = (event) => {
      const box = overlay.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    overlay.addEventListener("wheel", (event) => {
      // The page scrolls over a chart that was not clicked: no one is caught in it on the way down.
      if (document.activeElement !== overlay && !event.ctrlKey) return;
      event.preventDefault();
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey)
        this.pan((event.deltaX || event.deltaY) / this.plotWidth * (this.view.to - this.view.from));
      else this.zoom(Math.exp(Math.max(-240, Math.min(240, event.deltaY)) * 0.0016), place(event).x);
    }, { passive: false });
    overlay.addEventListener("pointerdown", (event) => {
      moved = 0;
      held.set(event.pointerId, place(event)); overlay.setPointerCapture(event.pointerId);
    });
    overlay.addEventListener("pointermove", (event) => {
      const now = place(event), before = held.get(event.pointerId);
      this.cursor = now;
      if (!before) { this.drawCursor(); return; }
      moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
      if (held.size === 1) this.pan((before.x - now.x) / this.plotWidth * (this.view.to - this.view.from));
      else {
        const other = [...held.entries()].find(([id]) => id !== event.pointerId)[1];
        this.zoom((Math.abs(before.x - other.x) || 1) / (Math.abs(now.x - other.x) || 1), (now.x + other.x) / 2);
      }
      held.set(event.pointerId, now);
    });
    overlay.addEventListener("pointerup", (event) => {
      const tapped = held.delete(event.pointerId) && moved < 5 && this.show.trades;
      const hit = tapped && this.tradeAt(place(event));
      if (hit) this.choose(hit);
    });
    overlay.addEventListener("pointercancel", (event) => held.delete(event.pointerId));
    overlay.addEventListener("pointerleave", () => { this.cursor = null; this.drawCursor(); });
    overlay.addEventListener("dblclick", () => this.showLast());
    overlay.addEventListener("keydown", (event) => {
      const span = this.view.to - this.view.from;
      const moves = { ArrowLeft: -span / 8, ArrowRight: span / 8, PageUp: -span, PageDown: span };
      if (event.key in moves) this.pan(moves[event.key]);
      else if (event.key === "Home") this.look(-4, span - 4);
      else if (event.key === "End") this.look(this.bars.count + 4 - span, this.bars.count + 4);
      else if (event.key === "+" || event.key === "=") this.zoom(0.8, this.plotWidth / 2);
      else if (event.key === "-") this.zoom(1.25, this.plotWidth / 2);
      else return;
      event.preventDefault();
    });
    new ResizeObserver(() => this.draw()).observe(overlay);
  }

  drawCursor() {
    if (!this.bars || this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; if (this.width) this.paintCursor(); });
  }
}
