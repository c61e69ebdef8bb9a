"""Compared runs as pictures: one offline HTML page with overlaid equity, and the same as PNG.

What the figures and trades come to is decided elsewhere and handed over as tables of text; here
they are laid out, and the equity curves are read from the run folders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from core.errors import ConfigError, DataError
from core.results import RunFolder, json_text
from reports.publishing import publish

POINTS = 1500
"""Times at which the curves are drawn: more than a screen has columns for."""

COLORS = ("#1b1f24", "#2f7ed8", "#d9781c", "#1f9d69", "#9a5fd0", "#d0457e", "#12a0ae", "#a08a00")
_REMEDY = "free space or choose another --out"
_NS_PER_SECOND = 1_000_000_000

Array = np.ndarray[Any, np.dtype[Any]]


def write_comparison(
    content: Mapping[str, Any], folders: Sequence[RunFolder], out: Path
) -> dict[str, str]:
    """Write compare.html and equity.png into a folder and return their paths.

    Parameters
    ----------
    content : mapping
        `title`, `subtitle`, `zone`, `notices` (texts), `curves` (label, run's place, account) and
        `sections`: each with `title` and items of kind "table" (head, rows, closed), "text"
        (lines) or "intervals" (unit, rows of label, low, mean, high, shows, text).

    Raises
    ------
    ConfigError : the folder cannot be made or written to.
    """
    curves = [
        (label, _curve(folders[place], account)) for label, place, account in content["curves"]
    ]
    times, values = _overlaid([curve for _, curve in curves])
    labels = [label for label, _ in curves]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise ConfigError(
            f"{out}: cannot be made ({cause.strerror}); choose another --out"
        ) from cause
    page, picture = out / "compare.html", out / "equity.png"
    text = _page(content, labels, times, values)
    publish(page, lambda fresh: fresh.write_text(text, encoding="utf-8"), _REMEDY)
    publish(picture, lambda fresh: _picture(fresh, labels, times, values), _REMEDY)
    return {"page": page.as_posix(), "picture": picture.as_posix()}


# -- curves ----------------------------------------------------------------------------------


def _curve(folder: RunFolder, account: str) -> tuple[Array, Array]:
    """Return an account's equity as (seconds since 1970, percent of its starting cash)."""
    try:
        curve = folder.equity(account)
    except FileNotFoundError as cause:
        name = f"equity-{account}.csv"
        raise DataError("is missing; make the run again", file=str(folder.path / name)) from cause
    found = next(item for item in folder.summary["accounts"] if item["account"] == account)
    cash = float(found["cash_start"])
    times = curve["time"].dt.as_unit("ns").astype("int64").to_numpy() // _NS_PER_SECOND
    return times, (curve["equity"].to_numpy(float) / cash - 1.0) * 100.0


def _overlaid(curves: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Return common times and the curves there, shape (runs, times); NaN outside a run's own time.

    A curve stands at its last mark until the next one.
    """
    marked = [times for times, _ in curves if len(times)]
    if not marked:
        return np.array([0, 1]), np.full((len(curves), 2), np.nan)
    first, last = min(times[0] for times in marked), max(times[-1] for times in marked)
    grid = np.unique(np.linspace(first, last, POINTS).astype(np.int64))
    rows = np.full((len(curves), len(grid)), np.nan)
    for row, (times, values) in zip(rows, curves, strict=True):
        if len(times):
            places = np.searchsorted(times, grid, side="right") - 1
            inside = (places >= 0) & (grid <= times[-1])
            row[inside] = values[places[inside]]
    return grid, rows


# -- the page --------------------------------------------------------------------------------


def _page(content: Mapping[str, Any], labels: Sequence[str], times: Array, values: Array) -> str:
    page = files("reports") / "page"
    runs = [
        {
            "label": label,
            "color": _color_name(place),
            "dashed": place >= len(COLORS),
            "values": [None if value != value else round(value, 4) for value in row],
        }
        for place, (label, row) in enumerate(zip(labels, values.tolist(), strict=True))
    ]
    data = {"times": times.tolist(), "zone": content["zone"], "runs": runs}
    return Template((page / "compare.html").read_text("utf-8")).substitute(
        title=escape(content["title"]),
        subtitle=escape(content["subtitle"]),
        style="\n".join((page / name).read_text("utf-8") for name in ("style.css", "compare.css")),
        notices="\n".join(f'<p class="notice">{escape(text)}</p>' for text in content["notices"]),
        sections="\n".join(_section(section) for section in content["sections"]),
        data=json_text(data, indent=None).replace("</", "<\\/"),
        script=(page / "compare.js").read_text("utf-8"),
    )


def _color_name(place: int) -> str:
    return "--ink" if place == 0 else f"--run-{1 + (place - 1) % (len(COLORS) - 1)}"


def _section(section: Mapping[str, Any]) -> str:
    makers = {"table": _table, "text": _text, "intervals": _intervals}
    items = "\n".join(makers[item["kind"]](item) for item in section["items"])
    return f"<section><h2>{escape(section['title'])}</h2>\n{items}\n</section>"


def _text(item: Mapping[str, Any]) -> str:
    return "\n".join(f"<p>{escape(line)}</p>" for line in item["lines"])


def _table(item: Mapping[str, Any]) -> str:
    """Return a table; one with `closed` (its heading) opens on a click."""
    head = "".join(f"<th>{_cell(cell)}</th>" for cell in item["head"])
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>"
        for row in item["rows"]
    )
    table = (
        f'<div class="wide"><table class="compared"><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )
    closed = item.get("closed")
    return f"<details><summary>{escape(closed)}</summary>{table}</details>" if closed else table


def _cell(cell: Any) -> str:
    """Return a cell's HTML; a pair is a value and, beside it, its change."""
    if isinstance(cell, str):
        return escape(cell)
    value, change = cell
    return f"{escape(value)}<small>{escape(change)}</small>"


_WIDTH, _LEFT, _RIGHT, _ROW = 960, 230, 560, 26


def _intervals(item: Mapping[str, Any]) -> str:
    """Return means with their intervals on one axis, zero marked."""
    edges = [edge for row in item["rows"] for edge in (row["low"], row["high"], row["mean"], 0.0)]
    low, high = min(edges), max(edges)
    spread = (high - low) or 1.0

    def x(value: float) -> float:
        return round(_LEFT + (value - low) / spread * (_RIGHT - _LEFT), 1)

    height = _ROW * len(item["rows"]) + 8
    parts = [f'<line class="zero" x1="{x(0)}" x2="{x(0)}" y1="0" y2="{height}"/>']
    for place, row in enumerate(item["rows"]):
        y = _ROW * place + 18
        parts.append(
            f'<text x="0" y="{y + 4}">{escape(row["label"])}</text>'
            f'<g class="{_tone(row["shows"])}"><line stroke-width="2" x1="{x(row["low"])}" '
            f'x2="{x(row["high"])}" y1="{y}" y2="{y}"/>'
            f'<circle cx="{x(row["mean"])}" cy="{y}" r="4"/></g>'
            f'<text class="faint" x="{_RIGHT + 14}" y="{y + 4}">{escape(row["text"])}</text>'
        )
    title = f"<h3>{escape(item['title'])}</h3>"
    return (
        f'{title}<svg class="interval" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(item["title"])}">{"".join(parts)}</svg>'
    )


def _tone(shows: str) -> str:
    return shows.split()[0] if shows.startswith(("better", "worse")) else "open"


# -- the picture -----------------------------------------------------------------------------


def _picture(path: Path, labels: Sequence[str], times: Array, values: Array) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), dpi=110, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    stamps = times.astype("datetime64[s]")
    for place, (label, row) in enumerate(zip(labels, values, strict=True)):
        look: dict[str, Any] = {
            "color": COLORS[0] if place == 0 else COLORS[1 + (place - 1) % (len(COLORS) - 1)],
            "linestyle": "--" if place >= len(COLORS) else "-",
            "linewidth": 1.2,
            "where": "post",
        }
        upper.step(stamps, row, label=label, **look)
        if place:
            lower.step(stamps, row - values[0], **look)
    upper.set_title(f"equity of {', '.join(labels)}")
    upper.set_ylabel("% of starting cash")
    upper.legend(frameon=False)
    lower.set_ylabel(f"less {labels[0]}, points")
    for axes in (upper, lower):
        axes.axhline(0, color="#667080", linewidth=0.8)
        axes.grid(True, color="#e4e8ee", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="png")
