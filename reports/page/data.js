// Unpack the page's block of columns (written by reports/packing.py) into typed arrays and trades.
"use strict";

const byId = (id) => document.getElementById(id);
const MISSING = -2147483648;

async function inflate(text) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// One column: [count, offset, planes, decimals, kind]; the low bytes of all items stand first.
function integers(block, [count, offset, planes, , kind]) {
  const steps = new Int32Array(count);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    let folded = 0;
    for (let p = 0, at = offset + i; p < planes; p++, at += count) folded |= block[at] << (8 * p);
    const step = (folded >>> 1) ^ -(folded & 1);
    steps[i] = kind === "d" ? (sum = (sum + step) | 0) : step;
  }
  return steps;
}

function floats(block, [count, offset]) {
  const bytes = new Uint8Array(count * 8);
  for (let p = 0; p < 8; p++)
    for (let i = 0; i < count; i++) bytes[i * 8 + p] = block[offset + p * count + i];
  return new Float64Array(bytes.buffer);
}

class Columns {
  constructor(block, index) { this.block = block; this.index = index; }

  // Numbers in their own units, NaN where the file's cell is empty.
  numbers(name) {
    const entry = this.index[name];
    if (entry[4] === "f") return floats(this.block, entry);
    const steps = integers(this.block, entry), values = new Float64Array(steps.length);
    const scale = 10 ** entry[3];
    for (let i = 0; i < steps.length; i++) values[i] = steps[i] === MISSING ? NaN : steps[i] / scale;
    return values;
  }

  integers(name) {
    const entry = this.index[name];
    return entry[4] === "f" ? Int32Array.from(floats(this.block, entry)) : integers(this.block, entry);
  }
}

// The market's clock: UTC seconds to local seconds, from the zone's own changes of offset.
class Clock {
  constructor(zone, first, last) {
    this.zone = zone;
    this.format = new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", year: "numeric",
      month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" });
    this.changes = [[-Infinity, this.offset(first)]];
    const week = 7 * 86400;
    for (let before = first; before < last; before += week) {
      const then = this.offset(before), now = this.offset(before + week);
      if (then === now) continue;
      let low = before, high = before + week;
      while (high - low > 60) {
        const middle = Math.floor((low + high) / 2);
        if (this.offset(middle) === then) low = middle; else high = middle;
      }
      this.changes.push([Math.floor(high / 60) * 60, now]);
    }
  }

  offset(seconds) {
    const parts = {};
    for (const part of this.format.formatToParts(new Date(seconds * 1000))) parts[part.type] = +part.value;
    const local = Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second);
    return local / 1000 - Math.floor(seconds);
  }

  local(seconds) {
    let at = this.changes.length - 1;
    while (at > 0 && this.changes[at][0] > seconds) at--;
    return seconds + this.changes[at][1];
  }

  text(seconds) {
    const stamp = new Date(this.local(seconds) * 1000);
    return `${stamp.getUTCDate()} ${MONTHS[stamp.getUTCMonth()]} ${stamp.getUTCFullYear()} ${clockText(stamp)}`;
  }

  stamp(seconds) { return new Date(this.local(seconds) * 1000).toISOString().slice(0, 16).replace("T", " "); }
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const clockText = (stamp) => stamp.toISOString().slice(11, 16);
const dayText = (day) => new Date(day * 86400000).toISOString().slice(0, 10);
const amount = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const money = (value) => amount.format(value).replace("-", "−");
const rounded = (value) => whole.format(value).replace(/^-0$/, "0").replace("-", "−");
// Sums on cards and axes: no cents beyond a million, millions beyond ten.
const large = (value) => (Math.abs(value) >= 1e6 ? rounded(value) : money(value));
const short = (value) => (Math.abs(value) >= 1e7 ? `${fixed(value / 1e6, Math.abs(value) < 1e8 && value % 1e6 ? 1 : 0)} M` : rounded(value));
const fixed = (value, digits) => (Number.isNaN(value) ? "" : value.toFixed(digits).replace("-", "−"));

function readBars(columns, prefix, clock, decimals) {
  const start = columns.integers(`${prefix}.start`), count = start.length;
  const read = (name) => columns.integers(`${prefix}.${name}`);
  const gap = read("gap"), body = read("body"), upper = read("upper"), lower = read("lower");
  const bars = { count, decimals, scale: 10 ** decimals, start, day: read("day"), local: new Float64Array(count) };
  for (const name of ["open", "high", "low", "close"]) bars[name] = new Int32Array(count);
  for (let i = 0, before = 0; i < count; i++) {
    const open = before + gap[i], close = open + body[i];
    bars.open[i] = open; bars.close[i] = close;
    bars.high[i] = Math.max(open, close) + upper[i];
    bars.low[i] = Math.min(open, close) - lower[i];
    before = close;
  }
  // Seconds from a bar to the next where no closed market lies between.
  const steps = Array.from({ length: Math.min(count - 1, 400) }, (_, i) => start[i + 1] - start[i]).sort((a, b) => a - b);
  bars.typical = steps.length ? steps[steps.length >> 1] : 60;
  if (count) {
    let place = 0;
    const { changes } = clock;
    for (let i = 0; i < count; i++) {
      while (place + 1 < changes.length && changes[place + 1][0] <= start[i]) place++;
      bars.local[i] = start[i] + changes[place][1];
    }
  }
  return bars;
}

function readPlan(columns, plan, at) {
  const prefix = `plan${at}`, start = columns.integers(`${prefix}.start`);
  const clock = new Clock(plan.zone, start[0] || 0, start[start.length - 1] || 0);
  const zones = { kinds: plan.kinds, kind: columns.integers(`${prefix}.zone_kind`) };
  for (const name of ["side", "known", "end"]) zones[name] = columns.integers(`${prefix}.zone_${name}`);
  for (const name of ["top", "bottom"]) zones[name] = columns.numbers(`${prefix}.zone_${name}`);
  const refused = { index: columns.integers(`${prefix}.refused_index`), long: columns.integers(`${prefix}.refused_long`),
    reason: columns.integers(`${prefix}.refused_reason`), reasons: plan.reasons };
  return { ...plan, at, clock, zones, refused, bars: readBars(columns, prefix, clock, plan.decimals), trades: [] };
}

const TRADE_NUMBERS = { quantity: "quantity", entry: "entry_price", exit: "exit_price", stop: "stop",
  target: "target", pnl: "pnl", costs: "costs", r: "r_multiple", maeR: "mae_r", mfeR: "mfe_r",
  planned: "planned", entryTime: "entry_time", exitTime: "exit_time", legs: "legs" };
const TRADE_INTEGERS = { id: "trade_id", plan: "plan", long: "long", entryIndex: "entry_index",
  exitIndex: "exit_index", pattern: "pattern", reason: "exit_reason", ambiguous: "ambiguous",
  setupIndex: "setup_index" };

function readTrades(columns, plans, words) {
  const read = {};
  for (const [name, column] of Object.entries(TRADE_NUMBERS)) read[name] = columns.numbers(`trade.${column}`);
  for (const [name, column] of Object.entries(TRADE_INTEGERS)) read[name] = columns.integers(`trade.${column}`);
  const trades = Array.from(read.id, (id, row) => {
    const plan = plans[read.plan[row]], trade = { row, fills: [], moves: [] };
    for (const name in read) trade[name] = read[name][row];
    trade.plan = plan;
    trade.side = trade.long ? "long" : "short";
    trade.pattern = words.pattern[trade.pattern];
    trade.reason = words.exit_reason[trade.reason];
    trade.bars = trade.exitIndex - trade.entryIndex + 1;
    trade.day = plan.bars.day[trade.entryIndex];
    plan.trades.push(trade);
    return trade;
  });
  for (const kind of ["fill", "move"]) {
    const table = { trade: columns.integers(`${kind}.trade`), index: columns.integers(`${kind}.index`),
      price: columns.numbers(`${kind}.price`) };
    if (kind === "fill") {
      for (const name of ["quantity", "costs", "leg", "time"]) table[name] = columns.numbers(`fill.${name}`);
      table.buy = columns.integers("fill.buy");
      table.reason = Array.from(columns.integers("fill.reason"), (code) => words.fill_reason[code]);
    } else table.target = columns.integers("move.target");
    const names = Object.keys(table);
    table.trade.forEach((row, i) => {
      const item = {};
      for (const name of names) item[name] = table[name][i];
      trades[row][`${kind}s`].push(item);
    });
  }
  return trades;
}

function readAccount(columns, account, at) {
  const prefix = `account${at}`;
  return { ...account,
    curve: { time: columns.integers(`${prefix}.time`), equity: columns.numbers(`${prefix}.equity`),
      drawdown: columns.numbers(`${prefix}.drawdown`) },
    days: { day: columns.integers(`${prefix}.day`), pnl: columns.numbers(`${prefix}.day_pnl`),
      trades: columns.integers(`${prefix}.day_trades`), locked: columns.integers(`${prefix}.day_locked`) } };
}

async function readRun() {
  const document_ = JSON.parse(byId("data").textContent);
  const columns = new Columns(await inflate(byId("columns").textContent), document_.columns);
  const plans = document_.plans.map((plan, at) => readPlan(columns, { ...plan, run: document_.run }, at));
  return { name: document_.run, plans, trades: readTrades(columns, plans, document_.words),
    accounts: document_.accounts.map((account, at) => readAccount(columns, account, at)) };
}
