// The trades: filters, the figures of what they leave, the table, groups and the file of rows.
"use strict";

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined && text !== null) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const signed = (value) => (value > 0 ? "up" : value < 0 ? "down" : "");
const byExit = (a, b) => a.exitTime - b.exitTime || a.id - b.id;

// Money of one currency as a sum, of several side by side: they are never added up.
function sumByCurrency(trades, value) {
  const sums = new Map();
  for (const t of trades) sums.set(t.plan.currency, (sums.get(t.plan.currency) || 0) + Math.round(value(t) * 100));
  return [...sums].map(([currency, cents]) => ({ currency, value: cents / 100 }));
}

// trades: in order of exit.
function figuresOf(trades) {
  const inR = trades.map((t) => t.r).filter((r) => !Number.isNaN(r));
  const won = trades.filter((t) => t.pnl > 0), lost = trades.filter((t) => t.pnl < 0);
  const gain = won.reduce((sum, t) => sum + t.pnl, 0), loss = lost.reduce((sum, t) => sum - t.pnl, 0);
  const mean = (values) => (values.length ? values.reduce((sum, v) => sum + v, 0) / values.length : NaN);
  let run = 0, longest = 0;
  for (const t of trades) longest = Math.max(longest, run = t.pnl < 0 ? run + 1 : 0);
  return { trades: trades.length, net: sumByCurrency(trades, (t) => t.pnl), costs: sumByCurrency(trades, (t) => t.costs),
    winners: trades.length ? won.length / trades.length : NaN, meanR: mean(inR), sumR: inR.reduce((sum, r) => sum + r, 0),
    factor: loss > 0 ? gain / loss : NaN, meanWin: mean(won.map((t) => t.r).filter((r) => !Number.isNaN(r))),
    meanLoss: mean(lost.map((t) => t.r).filter((r) => !Number.isNaN(r))), longest,
    meanMoney: mean(trades.map((t) => t.pnl)), winMoney: mean(won.map((t) => t.pnl)), lossMoney: mean(lost.map((t) => t.pnl)),
    bars: mean(trades.map((t) => t.bars)), hasR: inR.length > 0 };
}

const FILTERS = {
  plan: (t, v) => t.plan.plan_id === v,
  side: (t, v) => t.side === v,
  pattern: (t, v) => (t.pattern || "none") === v,
  exit: (t, v) => (t.reason || "none") === v,
  result: (t, v) => (v === "won" ? t.pnl > 0 : v === "lost" ? t.pnl < 0 : t.pnl === 0),
  ambiguous: (t, v) => Boolean(t.ambiguous) === (v === "yes"),
  from: (t, v) => dayText(t.day) >= v,
  to: (t, v) => dayText(t.day) <= v,
  rmin: (t, v) => t.r >= Number(v),
  rmax: (t, v) => t.r <= Number(v),
};

const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const weekdayOf = (t) => WEEKDAYS[(Math.floor(t.plan.clock.local(t.entryTime) / DAY) + 3) % 7];  // 1 January 1970: a Thursday
const hourOf = (t) => `${String(Math.floor(t.plan.clock.local(t.entryTime) / 3600) % 24).padStart(2, "0")}:00`;

// Makes these the children in this order; those that stay are not touched, so not laid out anew.
function placeChildren(parent, wanted) {
  const stay = new Set(wanted);
  for (const child of [...parent.children]) if (!stay.has(child)) child.remove();
  let next = parent.firstChild;
  for (const child of wanted) {
    if (child === next) next = next.nextSibling;
    else parent.insertBefore(child, next);
  }
}

class TradeBook {
  constructor(run, choose) {
    Object.assign(this, { run, choose, all: run.trades, rows: [], chosen: null, height: 27, fillers: {} });
    this.order = { column: 1, down: false };
    this.currencies = new Set(run.plans.map((plan) => plan.currency)).size;
    const many = run.plans.length > 1;
    const price = (value) => (t) => fixed(t[value], Number.isNaN(t[value]) ? 0 : Math.max(t.plan.decimals, 2));
    const r = (value) => (t) => fixed(t[value], 2);
    this.columns = [
      ["#", (t) => t.id, (t) => t.id],
      ["opened", (t) => t.entryTime, (t) => t.plan.clock.stamp(t.entryTime), "text"],
      ["closed", (t) => t.exitTime, (t) => t.plan.clock.stamp(t.exitTime), "text"],
      ...(many ? [["plan", (t) => t.plan.plan_id, (t) => t.plan.plan_id, "text"]] : []),
      ["side", (t) => t.side, (t) => t.side, "text"],
      ["pattern", (t) => t.pattern, (t) => t.pattern, "text"],
      ["qty", (t) => t.quantity, (t) => t.quantity],
      ["entry", (t) => t.entry, price("entry")], ["exit", (t) => t.exit, price("exit")],
      ["stop", (t) => t.stop, price("stop")], ["target", (t) => t.target, price("target")],
      ["exit by", (t) => t.reason, (t) => t.reason, "text"],
      [`P&L${many ? "" : ` ${run.plans[0] ? run.plans[0].currency : ""}`}`, (t) => t.pnl,
        (t) => money(t.pnl) + (many ? ` ${t.plan.currency}` : ""), "result"],
      ["R", (t) => t.r, r("r"), "result"], ["MAE R", (t) => t.maeR, r("maeR")], ["MFE R", (t) => t.mfeR, r("mfeR")],
      ["costs", (t) => t.costs, (t) => money(t.costs)], ["bars", (t) => t.bars, (t) => t.bars],
      ["ambiguous", (t) => t.ambiguous, (t) => (t.ambiguous ? "yes" : ""), "text"],
    ];
    this.start();
  }

  start() {
    const fill = (name, values) => byId(`filter-${name}`).append(...[...new Set(values)].sort().map((v) => new Option(v || "none", v || "none")));
    fill("pattern", this.all.map((t) => t.pattern));
    fill("exit", this.all.map((t) => t.reason));
    fill("plan", this.run.plans.map((plan) => plan.plan_id));
    byId("filter-plan").parentElement.hidden = this.run.plans.length < 2;
    for (const name in FILTERS) byId(`filter-${name}`).addEventListener("input", () => this.filter());
    byId("filter-clear").addEventListener("click", () => this.set({}));
    byId("trades-csv").addEventListener("click", () => this.save());
    const head = element("tr");
    this.columns.forEach(([name, , , kind], i) => {
      const cell = element("th", null, kind === "text" ? "text" : ""), button = element("button", name);
      cell.scope = "col";
      button.addEventListener("click", () => {
        this.order = { column: i, down: this.order.column === i && !this.order.down };
        this.sort(); this.paint();
      });
      cell.append(button); head.append(cell);
    });
    byId("trade-head").append(head);
    const box = byId("trades");
    this.widths();
    box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    box.addEventListener("keydown", (event) => {
      const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
      if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      this.step(steps[event.key]);
    });
    new ResizeObserver(() => this.paint()).observe(box);
    byId("trade-rows").addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-place]");
      if (row) this.choose(this.rows[Number(row.dataset.place)]);
    });
    this.sum = new CurveChart(byId("sum-chart"), byId("sum-readout"), {
      xText: (x) => `trade ${Math.round(x)} of the filtered`, isTime: false,
      onPick: (x) => { const t = this.inTime[Math.round(x) - 1]; if (t) this.choose(t); } });
  }

  values() {
    const wanted = {};
    for (const name in FILTERS) {
      const { value } = byId(`filter-${name}`);
      if (value !== "" && value !== "any") wanted[name] = value;
    }
    return wanted;
  }

  // Sets all filters: those not named are cleared.
  set(wanted) {
    for (const name in FILTERS) {
      const box = byId(`filter-${name}`), value = name in wanted ? wanted[name] : box.tagName === "SELECT" ? "any" : "";
      box.value = value;
      if (box.tagName === "SELECT" && box.value !== value) box.value = "any";
    }
    this.filter();
  }

  filter() {
    const wanted = Object.entries(this.values());
    this.rows = this.all.filter((t) => wanted.every(([name, value]) => FILTERS[name](t, value)));
    this.inTime = [...this.rows].sort(byExit);
    byId("filter-clear").disabled = !wanted.length;
    byId("filter-count").textContent = `${whole.format(this.rows.length)} of ${whole.format(this.all.length)} trades`;
    this.sort();
    this.figures();
    this.groups();
    this.paint();
    saveAddress(this);
  }

  sort() {
    const value = this.columns[this.order.column][1], sign = this.order.down ? -1 : 1;
    const empty = (v) => v === "" || Number.isNaN(v);
    this.rows.sort((a, b) => {
      const x = value(a), y = value(b);
      if (empty(x) || empty(y)) return empty(x) - empty(y);
      return sign * (x < y ? -1 : x > y ? 1 : 0) || a.row - b.row;
    });
    [...byId("trade-head").rows[0].cells].forEach((cell, i) =>
      cell.setAttribute("aria-sort", i === this.order.column ? (this.order.down ? "descending" : "ascending") : "none"));
  }

  figures() {
    const f = figuresOf(this.inTime), box = byId("figures");
    const one = f.net.length === 1 ? f.net[0].currency : "";
    const many = (sums) => sums.map(({ currency, value }) => large(value) + (one ? "" : ` ${currency}`)).join(", ") || "0.00";
    const r = (value) => (Number.isNaN(value) ? "–" : `${fixed(value, 2)} R`);
    // Without stops there is no R: the same figures in money, where it is of one currency.
    const inMoney = f.net.length === 1 && !f.hasR, mean = (value) => (Number.isNaN(value) ? "–" : money(value));
    const shown = [
      ["trades", "trades", whole.format(f.trades), f.trades],
      ["net", one ? `net, ${one}` : "net of costs", many(f.net), f.net.map((s) => s.value).join(" "), f.net.length === 1 ? signed(f.net[0].value) : ""],
      ["winners", "winners", f.trades ? `${fixed(100 * f.winners, 1)} %` : "–", f.winners],
      ...(inMoney ? [["mean-money", `mean, ${one}`, money(f.meanMoney), f.meanMoney, signed(f.meanMoney)]]
        : [["mean-r", "mean result", r(f.meanR), f.meanR, signed(f.meanR)],
          ["sum-r", "sum", f.hasR ? `${money(f.sumR)} R` : "–", f.sumR, signed(f.sumR)]]),
      ["factor", "profit factor", Number.isNaN(f.factor) ? "–" : fixed(f.factor, 2), f.factor],
      ...(inMoney ? [["win-money", "mean win", mean(f.winMoney), f.winMoney], ["loss-money", "mean loss", mean(f.lossMoney), f.lossMoney]]
        : [["mean-win", "mean win", r(f.meanWin), f.meanWin], ["mean-loss", "mean loss", r(f.meanLoss), f.meanLoss]]),
      ["longest", "losses in a row", String(f.longest), f.longest],
      ["bars", "mean bars held", Number.isNaN(f.bars) ? "–" : fixed(f.bars, 1), f.bars],
      ["costs", one ? `costs, ${one}` : "costs", many(f.costs), f.costs.map((s) => s.value).join(" ")],
    ].filter(([name]) => name !== "factor" || f.net.length < 2);
    box.replaceChildren(...shown.map(([name, label, text, value, colour]) => {
      const card = element("div", null, "card"), figure = element("b", text, colour || "");
      figure.dataset.figure = name; figure.dataset.value = value;
      card.append(figure, element("span", label));
      return card;
    }));
  }

  groups() {
    byId("groups-section").hidden = !this.rows.length;
    if (!this.rows.length) return;
    this.histogram();
    let total = 0;
    const inR = this.inTime.length > 0 && this.inTime.every((t) => !Number.isNaN(t.r));
    const oneCurrency = new Set(this.inTime.map((t) => t.plan.currency)).size < 2;
    const values = this.inTime.map((t) => (total += oneCurrency ? t.pnl : Number.isNaN(t.r) ? 0 : t.r));
    byId("sum-title").textContent = oneCurrency
      ? `sum of the trades shown, in order of exit (${this.inTime.length ? this.inTime[0].plan.currency : ""})`
      : `sum of the trades shown, in order of exit (R${inR ? "" : ", where there is one"})`;
    const xs = values.map((_, i) => i + 1);
    this.sum.load([{ share: 1, zero: true, lines: [{ xs: [0, ...xs], values: [0, ...values], colour: "accent", name: "sum", fill: true }] }]);
    const groups = [["pattern", "by pattern", (t) => t.pattern || "none", "pattern"], ["exit", "by exit", (t) => t.reason || "none", "exit"],
      ["side", "by side", (t) => t.side, "side"], ["weekday", "by weekday of entry", weekdayOf], ["hour", "by hour of entry", hourOf]];
    if (this.run.plans.length > 1) groups.unshift(["plan", "by plan", (t) => t.plan.plan_id, "plan"]);
    const zones = [...new Set(this.run.plans.map((plan) => plan.zone))].join(", ");
    byId("groups").replaceChildren(...groups.map(([key, title, of, filter]) =>
      this.group(key, key === "hour" || key === "weekday" ? `${title}, ${zones}` : title, of, filter)));
  }

  group(key, title, of, filter) {
    const groups = new Map();
    for (const t of this.inTime) { const name = of(t); if (!groups.has(name)) groups.set(name, []); groups.get(name).push(t); }
    const names = [...groups.keys()].sort(key === "hour" ? undefined
      : key === "weekday" ? (a, b) => WEEKDAYS.indexOf(a) - WEEKDAYS.indexOf(b)
        : (a, b) => groups.get(b).length - groups.get(a).length || (a < b ? -1 : 1));
    const box = element("div", null, "group"), table = element("table"), body = element("tbody");
    const head = element("tr");
    for (const name of ["", "trades", "winners", "mean R", "net"]) { const cell = element("th", name); cell.scope = "col"; head.append(cell); }
    const found = names.map((name) => [name, figuresOf(groups.get(name))]);
    for (const [name, f] of found) {
      const row = element("tr"), first = element("td");
      row.dataset.group = `${key}:${name}`;
      if (filter) {
        const button = element("button", name, "link");
        button.title = `show only ${name}`;
        button.addEventListener("click", () => this.set({ ...this.values(), [filter]: name }));
        first.append(button);
      } else first.textContent = name;
      row.append(first, element("td", whole.format(f.trades)), element("td", `${fixed(100 * f.winners, 1)} %`),
        element("td", fixed(f.meanR, 2) || "–", signed(f.meanR)),
        element("td", f.net.map((s) => rounded(s.value) + (this.currencies > 1 ? ` ${s.currency}` : "")).join(", "),
          `net ${f.net.length === 1 ? signed(f.net[0].value) : ""}`));
      body.append(row);
    }
    table.append(element("thead"), body);
    table.tHead.append(head);
    box.append(element("h3", title), table);
    return box;
  }

  // R-multiples in quarter steps; what lies beyond -3 and +6 is counted in the outermost bins.
  histogram() {
    const values = this.rows.map((t) => t.r).filter((r) => !Number.isNaN(r)), counts = new Array(36).fill(0);
    for (const r of values) counts[Math.floor((Math.min(Math.max(r, -3), 5.999) + 3) * 4 + 1e-9)] += 1;
    const box = byId("histogram");
    const first = counts.findIndex((count) => count), last = counts.findLastIndex((count) => count);
    if (first < 0) { box.replaceChildren(element("p", "no trade with a stop", "quiet")); return; }
    const shapes = (tag, facts, text) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const name in facts) made.setAttribute(name, facts[name]);
      if (text !== undefined) made.textContent = text;
      return made;
    };
    const from = Math.max(0, Math.min(first, 8) - 1), to = Math.min(35, Math.max(last, 16) + 1);
    const width = 560, height = 190, foot = 22, step = width / (to - from + 1), most = Math.max(...counts);
    const svg = shapes("svg", { viewBox: `0 0 ${width} ${height}`, width: "100%", role: "img",
      "aria-label": `histogram of ${values.length} R-multiples` });
    for (let i = from; i <= to; i++) {
      const low = i / 4 - 3, x = (i - from) * step, tall = counts[i] / most * (height - foot - 18);
      if (i % 4 === 0) {
        svg.append(shapes("line", { x1: x, x2: x, y1: 0, y2: height - foot, class: low === 0 ? "zero" : "rule" }),
          shapes("text", { x, y: height - 7, "text-anchor": x < 10 ? "start" : "middle" }, `${String(low).replace("-", "−")} R`));
      }
      if (!counts[i]) continue;
      const bar = shapes("rect", { x: x + 1, y: height - foot - tall, width: Math.max(step - 2, 1), height: tall,
        class: low >= 0 ? "won" : "lost" });
      bar.append(shapes("title", {}, `${low} to ${low + 0.25} R: ${counts[i]} ${counts[i] === 1 ? "trade" : "trades"}`));
      svg.append(bar);
      if (step > 16 || counts[i] === most)
        svg.append(shapes("text", { x: x + step / 2, y: height - foot - tall - 4, "text-anchor": "middle" }, counts[i]));
    }
    box.replaceChildren(svg);
  }

  // Fixed widths, from the longest text of a sample: no row drawn later can shift the columns.
  widths() {
    const words = new Set();
    const sample = this.all.filter((t, i) => {
      const isNew = !words.has(t.pattern) || !words.has(t.reason) || !words.has(t.plan);
      words.add(t.pattern).add(t.reason).add(t.plan);
      return isNew || i % Math.ceil(this.all.length / 200) === 0 || i > this.all.length - 3;
    });
    const table = byId("trade-table"), pen = document.createElement("canvas").getContext("2d"), group = element("colgroup");
    const wide = (font, text) => { pen.font = font; return pen.measureText(text).width; };
    const { fontSize, fontFamily } = getComputedStyle(table), plain = `${fontSize} ${fontFamily}`, bold = `600 ${plain}`;
    const sizes = this.columns.map(([name, , text]) => {
      const longest = sample.map((t) => String(text(t))).reduce((a, b) => (b.length > a.length ? b : a), "");
      return Math.ceil(Math.max(wide(bold, `${name} ↓`) + 13, wide(plain, longest) + 13));
    });
    for (const size of sizes) { const column = element("col"); column.style.width = `${size}px`; group.append(column); }
    table.prepend(group);
    table.style.minWidth = `${sizes.reduce((sum, size) => sum + size, 0)}px`;
  }

  // A few rows come and go at a time, well before they are in view.
  scrolled() {
    if (Math.abs(byId("trades").scrollTop - this.drawnAt) >= 5 * this.height) this.paint();
  }

  // Only the rows in view exist, so ten thousand trades scroll smoothly; on paper the first 200 do.
  paint() {
    const box = byId("trades"), most = 200;
    const from = printing ? 0 : Math.max(0, Math.floor(box.scrollTop / this.height) - 24);
    const to = Math.min(this.rows.length, printing ? most : from + Math.ceil(box.clientHeight / this.height) + 48);
    const rows = [], before = this.made || new Map();
    this.drawnAt = box.scrollTop;
    this.made = new Map();
    for (let place = from; place < to; place++) rows.push(this.row(this.rows[place], place, before));
    if (!printing && from) rows.unshift(this.filler("above", from));
    if (!printing && to < this.rows.length) rows.push(this.filler("below", this.rows.length - to));
    if (printing && this.rows.length > most) rows.push(this.note(`and ${whole.format(this.rows.length - most)} more: trades.csv holds all`));
    if (!this.rows.length) rows.push(this.note(this.all.length ? "no trade passes these filters" : "this run made no trades"));
    placeChildren(byId("trade-rows"), rows);
    byId("trade-table").setAttribute("aria-rowcount", this.rows.length + 1);
  }

  filler(where, count) {
    if (!this.fillers[where]) {
      const row = element("tr", null, "filler"), cell = element("td");
      cell.colSpan = this.columns.length;
      row.setAttribute("aria-hidden", "true");
      row.append(cell);
      this.fillers[where] = row;
    }
    this.fillers[where].firstChild.style.height = `${count * this.height}px`;
    return this.fillers[where];
  }

  note(text) {
    const row = element("tr"), cell = element("td", text, "quiet text");
    cell.colSpan = this.columns.length;
    row.append(cell);
    return row;
  }

  // A row that was in view before is used again.
  row(t, place, before) {
    let row = before.get(t);
    if (!row) {
      row = element("tr");
      for (const [, , text, kind] of this.columns)
        row.append(element("td", text(t), kind === "result" ? signed(t.pnl) : kind || ""));
    }
    row.dataset.place = place;
    row.setAttribute("aria-rowindex", place + 2);
    row.setAttribute("aria-selected", String(t === this.chosen));
    row.classList.toggle("chosen", t === this.chosen);
    this.made.set(t, row);
    return row;
  }

  // The trade `by` places on in the order shown; from none chosen, the first or the last.
  step(by) {
    if (!this.rows.length) return;
    const at = this.rows.indexOf(this.chosen), last = this.rows.length - 1;
    const place = at < 0 ? (by > 0 ? 0 : last) : Math.min(last, Math.max(0, at + by));
    this.choose(this.rows[place]);
  }

  mark(trade) {
    this.chosen = trade;
    const place = this.rows.indexOf(trade), box = byId("trades");
    const top = place * this.height, room = box.clientHeight - 2 * this.height;
    if (place >= 0 && (top < box.scrollTop || top > box.scrollTop + room)) box.scrollTop = Math.max(0, top - room / 2);
    this.paint();
  }

  save() {
    const link = element("a");
    link.href = URL.createObjectURL(new Blob([tradesText(this.rows)], { type: "text/csv" }));
    link.download = `trades-${this.run.name}${Object.keys(this.values()).length ? "-filtered" : ""}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }
}

const CSV_HEAD = "trade_id,plan_id,entry_bar,exit_bar,entry_time,exit_time,side,quantity,entry_price,exit_price,"
  + "stop,target,pnl,costs,r_multiple,mae_r,mfe_r,legs,pattern,exit_reason,ambiguous";

// The rows as they stand in trades.csv.
function tradesText(trades) {
  const time = (seconds) => new Date(Math.round(seconds * 1000)).toISOString().replace(".000Z", "Z");
  const plain = (value) => (Number.isNaN(value) ? "" : String(value));
  const cents = (value) => (Number.isNaN(value) ? "" : value.toFixed(2)), six = (value) => (Number.isNaN(value) ? "" : value.toFixed(6));
  const quoted = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = trades.map((t) => {
    const { start } = t.plan.bars;
    return [t.id, quoted(t.plan.plan_id), time(start[t.entryIndex]), time(start[t.exitIndex]), time(t.entryTime), time(t.exitTime),
      t.side, plain(t.quantity), plain(t.entry), plain(t.exit), plain(t.stop), plain(t.target), cents(t.pnl), cents(t.costs),
      six(t.r), six(t.maeR), six(t.mfeR), plain(t.legs), quoted(t.pattern), quoted(t.reason), t.ambiguous].join(",");
  });
  return `${[CSV_HEAD, ...lines].join("\n")}\n`;
}
