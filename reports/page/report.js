// Unpack the page's data and fill the sections. No request ever leaves this page.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

function unpack(text, Kind) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Kind(bytes.buffer);
}

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined && text !== null) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function timeFormat(zone) {
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, year: "2-digit", month: "short",
    day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return (seconds) => format.format(new Date(seconds * 1000));
}

function unpackPlan(plan) {
  const bars = { count: plan.bars.count, scale: plan.bars.scale, decimals: plan.bars.decimals };
  bars.start = unpack(plan.bars.start, Uint32Array);
  for (const name of ["open", "high", "low", "close"]) bars[name] = unpack(plan.bars[name], Int32Array);
  const trades = plan.trades.map((t) => ({
    id: t[0], side: t[1], quantity: t[2], entryIndex: t[3], exitIndex: t[4], entry: t[5], exit: t[6],
    stop: t[7], target: t[8], pnl: t[9], r: t[10], pattern: t[11], reason: t[12], ambiguous: t[13],
    costs: t[14], maeR: t[15], mfeR: t[16], legs: t[17].map(([index, price]) => ({ index, price })),
    plan: plan.plan_id,
  }));
  return { ...plan, bars, trades, formatTime: timeFormat(plan.zone) };
}

const plans = DATA.plans.map(unpackPlan);
const chart = plans.length ? new PriceChart(byId("price"), byId("price-readout")) : null;
let current = plans[0];

function choosePlan(plan) {
  current = plan;
  for (const button of byId("plan-buttons").children)
    button.setAttribute("aria-pressed", String(button.textContent === plan.plan_id));
  for (const panel of document.querySelectorAll("[data-plan]"))
    panel.hidden = panel.dataset.plan !== plan.plan_id;
  chart.load(plan);
  tradeTable.show(plan.trades);
}

// Trade table: only the rows in view exist, so ten thousand trades scroll smoothly.
const tradeTable = {
  height: 26,
  columns: [
    ["#", (t) => t.id], ["entry", (t) => t.entryIndex], ["side", (t) => t.side],
    ["pattern", (t) => t.pattern], ["quantity", (t) => t.quantity], ["entry price", (t) => t.entry],
    ["exit price", (t) => t.exit], ["stop", (t) => t.stop], ["target", (t) => t.target],
    ["exit", (t) => t.reason], ["pnl", (t) => t.pnl], ["costs", (t) => t.costs], ["R", (t) => t.r],
    ["MAE R", (t) => t.maeR], ["MFE R", (t) => t.mfeR], ["bars", (t) => t.exitIndex - t.entryIndex + 1],
    ["ambiguous", (t) => (t.ambiguous ? "yes" : "")],
  ],
  order: { column: 1, down: false },

  show(trades) {
    this.all = trades;
    const options = (id, values) => {
      const box = byId(id), kept = box.value;
      box.replaceChildren(new Option("all", ""), ...[...new Set(values)].sort().map((v) => new Option(v, v)));
      box.value = [...box.options].some((o) => o.value === kept) ? kept : "";
    };
    options("filter-pattern", trades.map((t) => t.pattern));
    options("filter-exit", trades.map((t) => t.reason));
    this.filter();
  },

  filter() {
    const side = byId("filter-side").value, pattern = byId("filter-pattern").value;
    const exit = byId("filter-exit").value, result = byId("filter-result").value;
    this.rows = this.all.filter((t) => (!side || t.side === side) && (!pattern || t.pattern === pattern)
      && (!exit || t.reason === exit)
      && (!result || (result === "won" ? t.pnl > 0 : result === "lost" ? t.pnl < 0 : t.ambiguous)));
    const value = this.columns[this.order.column][1], sign = this.order.down ? -1 : 1;
    this.rows.sort((a, b) => { const x = value(a), y = value(b); return sign * (x < y ? -1 : x > y ? 1 : 0); });
    const sum = this.rows.reduce((total, t) => total + t.pnl, 0);
    byId("filter-count").textContent = `${this.rows.length} of ${this.all.length} trades, net ${money(sum)}`;
    this.paint();
  },

  paint() {
    const box = byId("trades"), from = Math.max(0, Math.floor(box.scrollTop / this.height) - 8);
    const to = Math.min(this.rows.length, from + Math.ceil(box.clientHeight / this.height) + 16);
    const filler = (count) => {
      const row = element("tr", null, "filler"), cell = element("td");
      cell.colSpan = this.columns.length; cell.style.height = `${count * this.height}px`;
      row.append(cell); return row;
    };
    const printing = window.matchMedia("print").matches;
    const seen = printing ? this.rows : this.rows.slice(from, to);
    const rows = seen.map((t) => this.row(t));
    byId("trade-rows").replaceChildren(...(printing ? rows : [filler(from), ...rows, filler(this.rows.length - to)]));
  },

  row(t) {
    const plan = current, d = plan.bars.decimals, row = element("tr");
    const price = (v) => (v === null ? "" : v.toFixed(d)), r = (v) => (v === null ? "" : v.toFixed(2));
    const cells = [t.id, plan.formatTime(plan.bars.start[t.entryIndex]), t.side, t.pattern, t.quantity,
      price(t.entry), price(t.exit), price(t.stop), price(t.target), t.reason, money(t.pnl),
      money(t.costs), r(t.r), r(t.maeR), r(t.mfeR), t.exitIndex - t.entryIndex + 1, t.ambiguous ? "yes" : ""];
    cells.forEach((text, i) => {
      const cell = element("td", text, [2, 3, 9].includes(i) ? "text" : "");
      if (i === 10 || i === 12) cell.classList.add(t.pnl >= 0 ? "up" : "down");
      row.append(cell);
    });
    if (chart && chart.chosen === t) row.className = "chosen";
    row.addEventListener("click", () => {
      chart.focus(t); this.paint();
      byId("price").scrollIntoView({ behavior: "smooth", block: "center" });
    });
    return row;
  },

  start() {
    const head = element("tr");
    this.columns.forEach(([name], i) => {
      const cell = element("th", name, [2, 3, 9].includes(i) ? "text" : "");
      cell.addEventListener("click", () => {
        this.order = { column: i, down: this.order.column === i && !this.order.down };
        this.filter();
      });
      head.append(cell);
    });
    byId("trade-head").append(head);
    byId("trades").addEventListener("scroll", () => this.paint());
    for (const id of ["filter-side", "filter-pattern", "filter-exit", "filter-result"])
      byId(id).addEventListener("change", () => this.filter());
    for (const event of ["beforeprint", "afterprint"]) window.addEventListener(event, () => this.paint());
  },
};

const money = (v) => v.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

function startChartButtons() {
  for (const plan of plans) {
    const button = element("button", plan.plan_id);
    button.addEventListener("click", () => choosePlan(plan));
    byId("plan-buttons").append(button);
  }
  for (const layer of ["zones", "trades"]) {
    const button = byId(`show-${layer}`);
    button.addEventListener("click", () => {
      chart.show[layer] = !chart.show[layer];
      button.setAttribute("aria-pressed", String(chart.show[layer]));
      chart.draw();
    });
  }
  const step = (by) => {
    const list = current.trades;
    if (!list.length) return;
    const at = list.indexOf(chart.chosen);
    chart.focus(list[Math.min(list.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : list.length - 1) : at + by))]);
    tradeTable.paint();
  };
  byId("previous-trade").addEventListener("click", () => step(-1));
  byId("next-trade").addEventListener("click", () => step(1));
  byId("whole-file").addEventListener("click", () => {
    chart.view = { from: 0, to: chart.bars.count }; chart.draw();
  });
}

function startEquity() {
  for (const account of DATA.accounts) {
    const box = byId(`equity-${account.account}`);
    if (!box) continue;
    const packed = account.equity;
    const curve = { count: packed.count, time: unpack(packed.time, Uint32Array),
      equity: unpack(packed.equity, Float64Array), drawdown: unpack(packed.drawdown, Float64Array) };
    new EquityChart(box, byId(`equity-readout-${account.account}`), curve, account.currency).draw();
  }
}

function startTheme() {
  byId("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark"
      : window.matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    window.dispatchEvent(new Event("resize"));
    if (chart) chart.draw();
    for (const canvas of document.querySelectorAll(".equity")) canvas.dispatchEvent(new Event("pointerleave"));
  });
}

startTheme();
startEquity();
if (plans.length) {
  tradeTable.start();
  startChartButtons();
  choosePlan(plans[0]);
}
document.documentElement.dataset.ready = "yes";
