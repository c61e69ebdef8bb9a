// The overlaid equity curves of compared runs: pointer, legend, theme. No request ever leaves this
// page. Data: {times: [s], zone, runs: [{label, color, values: [percent or null]}]}; the first is
// the base.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
const hidden = new Set();
let pointed = null;

function ink(name) {
  return getComputedStyle(root).getPropertyValue(name).trim();
}

const day = new Intl.DateTimeFormat("en-CA", { timeZone: data.zone });
const shown = (value) => (value > 0 ? "+" : value < 0 ? "−" : "") + Math.abs(value).toFixed(2);

function lead(run) {
  const base = data.runs[0].values;
  return run.values.map((value, i) => (value === null || base[i] === null ? null : value - base[i]));
}

// A step that reads well: 1, 2 or 5 times a power of ten, about four to the height.
function stepOf(range) {
  const rough = Math.max(range, 1e-9) / 4, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((part) => part * power).find((step) => step >= rough);
}

function curves(canvas, series) {
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.font = "11px system-ui, sans-serif";
  const left = 8, right = width - 56, top = 10, bottom = height - 22;
  const seen = series.filter((run) => !hidden.has(run.label)).flatMap((run) => run.values).filter((v) => v !== null);
  let low = Math.min(0, ...bounds(seen, Math.min)), high = Math.max(0, ...bounds(seen, Math.max));
  const pad = (high - low || 1) * 0.06;
  low -= pad;
  high += pad;
  const times = data.times, first = times[0], span = times[times.length - 1] - first || 1;
  const x = (i) => left + ((times[i] - first) / span) * (right - left);
  const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - top);

  pen.textBaseline = "middle";
  const step = stepOf(high - low);
  for (let level = Math.ceil(low / step) * step; level <= high; level += step) {
    pen.strokeStyle = Math.abs(level) < step / 1e6 ? ink("--quiet") : ink("--grid");
    pen.beginPath();
    pen.moveTo(left, Math.round(y(level)) + 0.5);
    pen.lineTo(right, Math.round(y(level)) + 0.5);
    pen.stroke();
    pen.fillStyle = ink("--quiet");
    pen.fillText(`${Number(level.toPrecision(6))} %`, right + 6, y(level));
  }
  pen.textBaseline = "alphabetic";
  const marks = Math.max(2, Math.floor(width / 140));
  for (let mark = 0; mark <= marks; mark += 1) {
    const i = Math.round((mark / marks) * (times.length - 1));
    pen.textAlign = mark === 0 ? "left" : mark === marks ? "right" : "center";
    pen.fillText(day.format(times[i] * 1000), x(i), height - 6);
  }
  pen.textAlign = "left";
  for (const run of series) if (!hidden.has(run.label)) line(pen, run, x, y);
  if (pointed !== null) {
    pen.strokeStyle = ink("--quiet");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x(pointed), top);
    pen.lineTo(x(pointed), bottom);
    pen.stroke();
  }
  canvas.onpointermove = (event) => point(Math.round(((event.offsetX - left) / (right - left)) * (times.length - 1)));
  canvas.onpointerleave = () => point(null);
}

// Math.min(...values) of a long array overflows the stack.
function bounds(values, pick) {
  return values.length ? [values.reduce((found, value) => pick(found, value))] : [0];
}

// Equity is written where it changed, so a curve is a staircase.
function line(pen, run, x, y) {
  pen.strokeStyle = ink(run.color);
  pen.lineWidth = 1.6;
  pen.setLineDash(run.dashed ? [6, 4] : []);
  pen.beginPath();
  let before = null;
  run.values.forEach((value, i) => {
    if (value === null) { before = null; return; }
    if (before === null) pen.moveTo(x(i), y(value));
    else { pen.lineTo(x(i), y(before)); pen.lineTo(x(i), y(value)); }
    before = value;
  });
  pen.stroke();
  pen.setLineDash([]);
}

function point(i) {
  pointed = i === null ? null : Math.min(Math.max(i, 0), data.times.length - 1);
  const readout = document.getElementById("readout");
  if (pointed === null) readout.textContent = "\u00a0";
  else {
    const parts = data.runs.filter((run) => !hidden.has(run.label) && run.values[pointed] !== null);
    readout.textContent = `${day.format(data.times[pointed] * 1000)}   ` +
      parts.map((run) => `${run.label} ${shown(run.values[pointed])} %`).join("   ");
  }
  draw();
}

function draw() {
  curves(document.getElementById("returns"), data.runs);
  curves(document.getElementById("lead"), data.runs.slice(1).map((run) => ({ ...run, values: run.lead })));
}

for (const run of data.runs) {
  run.lead = lead(run);
  const button = document.createElement("button"), swatch = document.createElement("span");
  swatch.className = "swatch";
  swatch.style.color = `var(${run.color})`;
  button.className = "run";
  button.append(swatch, run.label);
  button.setAttribute("aria-pressed", "true");
  button.addEventListener("click", () => {
    if (hidden.has(run.label)) hidden.delete(run.label); else hidden.add(run.label);
    button.setAttribute("aria-pressed", String(!hidden.has(run.label)));
    draw();
  });
  document.getElementById("runs").append(button);
}

const dark = window.matchMedia("(prefers-color-scheme: dark)");
document.getElementById("theme").addEventListener("click", () => {
  root.dataset.theme = (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark" ? "light" : "dark";
  draw();
});
dark.addEventListener("change", draw);
window.addEventListener("resize", draw);
window.addEventListener("beforeprint", () => { root.dataset.theme = "light"; draw(); });
draw();
