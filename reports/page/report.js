// Join the page's parts: address, chosen trade, charts, calendar, theme, paper. No request ever
// leaves this page.
"use strict";

// The address holds the chosen trade and the filters, so a view can be sent on: #trade=17&side=long
function readAddress() {
  return Object.fromEntries(new URLSearchParams(window.location.hash.slice(1)));
}

function saveAddress(book) {
  if (!book.started) return;
  const facts = new URLSearchParams({ ...(book.chosen ? { trade: book.chosen.id } : {}), ...book.values() });
  history.replaceState(null, "", `#${facts}`);
}

function startRun(run) {
  const chart = new PriceChart(byId("price"), byId("price-overlay"), byId("price-readout"), (t) => choose(t));
  const book = new TradeBook(run, (t) => { choose(t); showChart(); });
  let current = null;

  function choosePlan(plan) {
    current = plan;
    for (const button of document.querySelectorAll("[data-choose]"))
      button.setAttribute("aria-pressed", String(button.dataset.choose === plan.plan_id));
    for (const panel of document.querySelectorAll("[data-plan]")) panel.hidden = panel.dataset.plan !== plan.plan_id;
    byId("price-title").textContent = `${plan.instrument} ${plan.timeframe}`;
    byId("price-zone").textContent = `times: ${plan.zone}`;
    chart.load(plan);
    kindButtons(plan, chart);
  }

  function choose(trade) {
    if (trade.plan !== current) choosePlan(trade.plan);
    chart.focus(trade);
    book.mark(trade);
    showDetail(trade);
    saveAddress(book);
  }

  const open = () => {
    const facts = readAddress(), wanted = run.trades.find((t) => String(t.id) === facts.trade);
    book.set(facts);
    if (wanted) { choose(wanted); showChart("auto"); }
  };

  for (const button of document.querySelectorAll("[data-choose]"))
    button.addEventListener("click", () => choosePlan(run.plans.find((plan) => plan.plan_id === button.dataset.choose)));
  for (const layer of ["zones", "trades", "refused"]) {
    const button = byId(`show-${layer}`);
    button.addEventListener("click", () => {
      chart.show[layer] = !chart.show[layer];
      button.setAttribute("aria-pressed", String(chart.show[layer]));
      chart.draw();
    });
  }
  byId("previous-trade").addEventListener("click", () => book.step(-1));
  byId("next-trade").addEventListener("click", () => book.step(1));
  byId("whole-file").addEventListener("click", () => chart.look(-2, chart.bars.count + 2));
  byId("last-bars").addEventListener("click", () => chart.showLast());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (event.key === "n" || event.key === "j") book.step(1);
    else if (event.key === "p" || event.key === "k") book.step(-1);
  });
  // A link to a section is no view of its own: it leaves filters and trade as they are.
  window.addEventListener("hashchange", () => { if (window.location.hash.includes("=")) open(); });

  const curves = run.accounts.map((account, at) => startEquity(run, account, at, (seconds) => { chart.goTo(seconds); showChart(); }));
  run.accounts.forEach((account, at) => startCalendar(account, at, (day) => {
    book.set({ from: dayText(day), to: dayText(day), ...(run.plans.length > 1 && account.plans.length === 1 ? { plan: account.plans[0] } : {}) });
    byId("trades-section").scrollIntoView({ behavior: motion() });
  }));
  const repaint = () => { readPalette(); chart.paint(); for (const curve of curves) curve.paint(); book.sum.paint(); };
  startTheme(repaint);
  startPaper(() => { repaint(); book.paint(); });

  if (run.plans.length) choosePlan(run.plans[0]);
  open();
  book.started = true;
  repaint();
  return { run, chart, book, curves };
}

const motion = () => (window.matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");

function showChart(behavior = motion()) {
  const box = byId("price-frame").getBoundingClientRect();
  if (box.top < 0 || box.bottom > window.innerHeight) byId("price-frame").scrollIntoView({ behavior, block: "start" });
}

function kindButtons(plan, chart) {
  chart.hidden.clear();
  byId("zone-kinds").replaceChildren(...plan.zones.kinds.map((kind, code) => {
    const button = element("button", kind);
    button.setAttribute("aria-pressed", "true");
    button.title = `show or hide ${kind}`;
    button.addEventListener("click", () => {
      const hide = !chart.hidden.has(code);
      if (hide) chart.hidden.add(code); else chart.hidden.delete(code);
      button.setAttribute("aria-pressed", String(!hide));
      chart.draw();
    });
    return button;
  }));
}

function showDetail(t) {
  const { clock, bars, currency } = t.plan, digits = bars.decimals, box = byId("detail");
  const price = (value) => value.toFixed(Math.max(digits, 2)), r = (value) => (Number.isNaN(value) ? "–" : `${fixed(value, 2)} R`);
  const sign = t.long ? 1 : -1, facts = element("dl");
  const add = (name, ...texts) => {
    const value = element("dd");
    texts.forEach((text) => value.append(text instanceof Node ? text : element("span", text)));
    facts.append(element("dt", name), value);
  };
  add("result", element("b", `${money(t.pnl)} ${currency}`, signed(t.pnl)), element("b", r(t.r), signed(t.r)));
  if (t.setupIndex >= 0) add("setup", `close of ${clock.text(bars.start[t.setupIndex])}`, t.pattern);
  else add("pattern", t.pattern || "none");
  const slip = sign * (t.entry - t.planned);
  add("entry", price(t.entry), clock.text(t.entryTime),
    ...(Number.isNaN(t.planned) || Math.abs(slip) < 1e-9 ? [] : [`planned ${price(t.planned)}, ${slip > 0 ? "worse" : "better"} by ${price(Math.abs(slip))}`]));
  add("exit", price(t.exit), clock.text(t.exitTime), t.reason);
  add("held", `${t.bars} ${t.bars === 1 ? "bar" : "bars"}, ${duration(t.exitTime - t.entryTime)}`);
  add("quantity", String(t.quantity));
  const basis = Number.isNaN(t.planned) ? t.entry : t.planned, unit = Math.abs(basis - t.stop);
  const moves = (isTarget) => t.moves.filter((move) => Boolean(move.target) === isTarget && move.index < bars.count)
    .map((move) => `→ ${price(move.price)} from ${clock.text(bars.start[move.index])}`);
  if (!Number.isNaN(t.stop)) add("stop", `${price(t.stop)}, risk ${price(unit)}`, ...moves(false));
  if (!Number.isNaN(t.target)) add("target", `${price(t.target)}${unit ? `, ${(Math.abs(t.target - basis) / unit).toFixed(2)} R` : ""}`, ...moves(true));
  if (!Number.isNaN(t.maeR)) add("worst, best", excursion(t), `${r(t.maeR)} … ${r(t.mfeR)}`);
  add("costs", `${money(t.costs)} ${currency}`);
  if (t.setupIndex >= 0) {
    add("explain it", element("code", `python run.py why ${t.plan.run} "${clock.stamp(bars.start[t.setupIndex])}"${
      byId("filter-plan").parentElement.hidden ? "" : ` --plan ${t.plan.plan_id}`}`));
  }
  if (t.ambiguous) add("ambiguous", "a bar could be read in two ways, with other fills");
  const table = element("table"), head = element("tr"), body = element("tbody");
  for (const name of ["fill", "time", "quantity", "price", "costs"]) head.append(element("th", name));
  for (const fill of t.fills) {
    const row = element("tr");
    for (const text of [fill.reason || (fill.buy ? "buy" : "sell"), clock.text(fill.time).replace(/ \d{4} /, " "), `${fill.buy ? "+" : "−"}${fill.quantity}`,
      price(fill.price), money(fill.costs)]) row.append(element("td", text));
    body.append(row);
  }
  table.append(element("thead"), body);
  table.tHead.append(head);
  const title = element("h3", `Trade ${t.id}: ${t.side}${byId("filter-plan").parentElement.hidden ? "" : `, ${t.plan.plan_id}`}`);
  box.replaceChildren(title, facts, table);
}

// A line from the worst to the best moment, zero marked, the result as a dot.
function excursion(t) {
  const low = Math.min(t.maeR, t.r || 0, 0), high = Math.max(t.mfeR, t.r || 0, 0), span = high - low || 1;
  const box = element("span", null, "excursion"), at = (value) => `${(value - low) / span * 100}%`;
  const part = (name, left, width) => {
    const made = element("i", null, name);
    made.style.left = left;
    if (width) made.style.width = width;
    box.append(made);
  };
  part("lost", at(Math.min(t.maeR, 0)), `${-Math.min(t.maeR, 0) / span * 100}%`);
  part("won", at(0), `${Math.max(t.mfeR, 0) / span * 100}%`);
  part("zero", at(0));
  if (!Number.isNaN(t.r)) part("dot", at(t.r));
  box.setAttribute("aria-hidden", "true");
  return box;
}

function duration(seconds) {
  const minutes = Math.round(seconds / 60), days = Math.floor(minutes / 1440), hours = Math.floor(minutes / 60) % 24;
  return [days && `${days} d`, hours && `${hours} h`, (minutes % 60 || minutes < 60) && `${minutes % 60} min`].filter(Boolean).join(" ");
}

function startEquity(run, account, at, onPick) {
  const { curve } = account, plans = run.plans.filter((plan) => account.plans.includes(plan.plan_id));
  const clock = plans.length ? plans[0].clock : new Clock("UTC", 0, 0);
  const view = new CurveChart(byId(`equity-${at}`), byId(`equity-readout-${at}`), { xText: (x) => clock.text(x), onPick, isTime: true });
  const hold = plans.length === 1 && plans[0].hold ? holdLine(plans[0], account.cash) : null, button = byId(`hold-${at}`);
  const load = () => {
    const withHold = hold && button.getAttribute("aria-pressed") === "true";
    view.load([
      { share: 2.6, name: "equity", lines: [...(withHold ? [hold] : []),
        { xs: curve.time, values: curve.equity, colour: "accent", name: "equity", step: true }] },
      { share: 1, name: "drawdown", zero: true, lines: [{ xs: curve.time, values: curve.drawdown, colour: "down", name: "drawdown", step: true, fill: true }] },
    ]);
  };
  if (!hold) button.hidden = true;
  // Where holding moved far more than the plan, the plan would be a flat line beside it.
  else button.setAttribute("aria-pressed", String(rangeOf(hold.values) < 4 * rangeOf(curve.equity)));
  button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true")); load();
  });
  load();
  return view;
}

const rangeOf = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity) - values.reduce((a, b) => Math.min(a, b), Infinity);

// What the summary's buy-and-hold position was worth at each close.
function holdLine(plan, cash) {
  const { bars, hold } = plan, worth = hold.quantity * hold.point_value;
  const stride = Math.max(1, Math.floor(bars.count / 3000)), xs = [], values = [];
  for (let i = 0; i < bars.count; i += stride) { xs.push(bars.start[i]); values.push(cash + worth * (bars.close[i] / bars.scale - hold.entry_price)); }
  return { xs, values, colour: "other", name: "buy and hold", thin: true };
}

// Months of one year, Monday first; a day tinted by its result, chosen as a filter by a click.
function startCalendar(account, at, onPick) {
  const { days } = account, box = byId(`calendar-${at}`), choice = byId(`calendar-year-${at}`);
  const years = new Map();
  days.day.forEach((day, i) => {
    const stamp = new Date(day * 86400000), year = stamp.getUTCFullYear();
    if (!years.has(year)) years.set(year, []);
    years.get(year).push({ stamp, day, pnl: days.pnl[i], trades: days.trades[i], locked: days.locked[i] });
  });
  const worst = Math.max(...days.pnl.map(Math.abs), 1e-9);
  const paint = (wanted) => {
    const months = [];
    for (const year of wanted) {
      for (let month = 0; month < 12; month++) {
        const mine = years.get(year).filter((d) => d.stamp.getUTCMonth() === month);
        if (mine.length) months.push(calendarMonth(`${MONTHS[month]} ${year}`, mine, worst, account.currency, onPick));
      }
    }
    box.replaceChildren(...months);
  };
  const all = [...years.keys()].sort();
  if (all.length <= 2) { choice.hidden = true; paint(all); return; }
  choice.append(...all.map((year) => {
    const button = element("button", year);
    button.addEventListener("click", () => {
      for (const other of choice.children) other.setAttribute("aria-pressed", String(other === button));
      paint([year]);
    });
    return button;
  }));
  const lively = all.filter((year) => years.get(year).some((d) => d.trades));
  choice.children[all.indexOf(lively.length ? lively[lively.length - 1] : all[all.length - 1])].click();
}

function calendarMonth(name, days, worst, currency, onPick) {
  const box = element("div", null, "month"), grid = element("div", null, "grid"), title = element("h3", `${name} `);
  const total = days.reduce((sum, d) => sum + d.pnl, 0);
  title.append(element("span", rounded(total), signed(Math.round(total))));
  for (const d of days) {
    const cell = element(d.trades ? "button" : "span", d.stamp.getUTCDate(), "day");
    cell.style.gridColumn = (d.stamp.getUTCDay() + 6) % 7 + 1;
    if (d.pnl) {
      cell.classList.add("traded");
      cell.style.setProperty("--tint", `var(${d.pnl > 0 ? "--up" : "--down"})`);
      cell.style.setProperty("--strength", `${Math.round(18 + 57 * Math.min(1, Math.abs(d.pnl) / worst))}%`);
    }
    if (d.locked) cell.classList.add("locked");
    const text = `${dayText(d.day)}: ${money(d.pnl)} ${currency}, ${d.trades} ${d.trades === 1 ? "trade" : "trades"}${d.locked ? ", locked" : ""}`;
    cell.title = text;
    if (d.trades) { cell.setAttribute("aria-label", text); cell.addEventListener("click", () => onPick(d.day)); }
    grid.append(cell);
  }
  box.append(title, grid);
  return box;
}

function startTheme(repaint) {
  const root = document.documentElement, dark = window.matchMedia("(prefers-color-scheme: dark)");
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark" ? "light" : "dark";
    repaint();
  });
  dark.addEventListener("change", repaint);
}

// On paper: light colours whatever the screen has, charts drawn for the width of the sheet.
function startPaper(repaint) {
  const set = (on) => {
    printing = on;
    document.documentElement.classList.toggle("paper", on);
    repaint();
  };
  window.addEventListener("beforeprint", () => set(true));
  window.addEventListener("afterprint", () => set(false));
}

let page = null;
readPalette();
if (typeof DecompressionStream === "undefined") {
  byId("too-old").hidden = false;
} else {
  readRun().then((run) => {
    page = startRun(run);
    requestAnimationFrame(() => requestAnimationFrame(() => {
      performance.mark("drawn");
      document.documentElement.dataset.ready = "yes";
      document.documentElement.dataset.readyMs = Math.round(performance.now());
    }));
  });
}
