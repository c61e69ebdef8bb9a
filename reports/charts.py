"""Charts of studies (audits, odds), described once and drawn twice: as SVG and as PNG.

A chart is a mapping. `kind` "curves": `x` (numbers, or seconds since 1970 with `is_time`), `bands`
(label, low, high), `series` (label, y), `levels` (label, y), `marks` (x). `kind` "intervals":
`rows` (label, low, value, high, text; numbers None: the text alone), on an axis from `left` to
`right`. Both have `title` and `unit`. `kind` "heat" and "parallel": see `reports.maps`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from reports import maps
from reports.markup import number

Chart = Mapping[str, Any]

COLORS = ("--ink", "--other", "--accent", "--up", "--down")
_PRINTED = {"--ink": "#1b1f24", "--other": "#2f7ed8", "--accent": "#9a6b00", "--up": "#17806d",
            "--down": "#c2413b"}  # fmt: skip
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 960, 330, 70, 20, 12, 30
_LABELS, _TEXTS, _ROW = 250, 190, 26


def svg(chart: Chart) -> str:
    """Return a chart as an SVG element that takes its colours from the page."""
    if chart["kind"] in ("heat", "parallel"):
        height, parts = (maps.heat_svg if chart["kind"] == "heat" else maps.parallel_svg)(chart)
        return _element(chart, height, parts)
    return _curves_svg(chart) if chart["kind"] == "curves" else _intervals_svg(chart)


def write_png(chart: Chart, path: Path) -> None:
    """Write a chart as a PNG file."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    draw, size = _pictures(chart)
    is_map = chart["kind"] in ("heat", "parallel")  # others have axes that tell the unit
    title = f"{chart['title']} ({chart['unit']})" if is_map else chart["title"]
    with rc_context({"text.parse_math": False}):  # two dollar signs are money, no formula
        figure = Figure(figsize=size, dpi=110, layout="constrained")
        axes = figure.subplots()
        draw(axes, chart)
        axes.set_title(title, fontsize=11, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
        figure.savefig(path, format="png")


def _pictures(chart: Chart) -> tuple[Callable[[Any, Chart], None], tuple[float, float]]:
    """Return what draws a chart's picture, and its size in inches."""
    if chart["kind"] in ("heat", "parallel"):
        draw = maps.heat_png if chart["kind"] == "heat" else maps.parallel_png
        return draw, maps.size_of(chart)
    if chart["kind"] == "curves":
        return _curves_png, (10.0, 4.6)
    return _intervals_png, (10.0, 1.2 + 0.3 * len(chart["rows"]))


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round numbers (1, 2 or 5 times a power of ten apart) between two values."""
    span = high - low
    if not span > 0.0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / about))
    step = next(part * power for part in (1, 2, 5, 10) if part * power * about >= span)
    first = math.ceil(low / step)
    return [place * step for place in range(first, math.floor(high / step) + 1)]


def _bounds(chart: Chart) -> tuple[float, float]:
    values = [v for band in chart.get("bands", ()) for v in (*band["low"], *band["high"])]
    values += [v for row in chart["series"] for v in row["y"]]
    values += [level["y"] for level in chart.get("levels", ())]
    known = [v for v in values if v == v]
    low, high = min(known, default=0.0), max(known, default=1.0)
    room = (high - low or abs(high) or 1.0) * 0.04
    return low - room, high + room


# -- SVG -------------------------------------------------------------------------------------


def _curves_svg(chart: Chart) -> str:
    xs = chart["x"]
    low, high = _bounds(chart)
    first, last = (xs[0], xs[-1]) if len(xs) else (0.0, 1.0)
    wide, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(value: float) -> float:
        return round(_LEFT + (value - first) / ((last - first) or 1.0) * wide, 1)

    def y(value: float) -> float:
        return round(_TOP + (high - value) / (high - low) * tall, 1)

    parts = []
    for tick in ticks(low, high):
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(tick)}" '
            f'y2="{y(tick)}"/><text class="faint end" x="{_LEFT - 6}" y="{y(tick) + 4}">'
            f"{escape(_short(tick))}</text>"
        )
    for place, text in _x_labels(chart):
        parts.append(
            f'<text class="faint middle" x="{x(place)}" y="{_HEIGHT - 8}">{escape(text)}</text>'
        )
    for mark in chart.get("marks", ()):
        parts.append(
            f'<line x1="{x(mark)}" x2="{x(mark)}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}" '
            'style="stroke:var(--quiet);stroke-dasharray:2 3"/>'
        )
    for number_, band in enumerate(chart.get("bands", ())):
        above = [f"{x(a)},{y(b)}" for a, b in zip(xs, band["high"], strict=True)]
        below = [f"{x(a)},{y(b)}" for a, b in zip(xs, band["low"], strict=True)]
        shade = 0.14 + 0.12 * number_
        parts.append(
            f'<polygon points="{" ".join([*above, *reversed(below)])}" '
            f'style="fill:var(--other);opacity:{shade:.2f}"/>'
        )
    for place, row in enumerate(chart["series"]):
        points = " ".join(f"{x(a)},{y(b)}" for a, b in zip(xs, row["y"], strict=True) if b == b)
        parts.append(
            f'<polyline points="{points}" style="fill:none;stroke:var({_color(row, place)});'
            'stroke-width:1.4"/>'
        )
    for level in chart.get("levels", ()):
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(level["y"])}" y2="{y(level["y"])}" '
            'style="stroke:var(--down);stroke-dasharray:5 4"/>'
            f'<text class="faint end" x="{_WIDTH - _RIGHT - 4}" y="{y(level["y"]) - 4}">'
            f"{escape(level['label'])}</text>"
        )
    return _element(chart, _HEIGHT, parts) + _legend(chart)


def _legend(chart: Chart) -> str:
    items = [
        f'<span style="color:var({_color(row, place)})"><span class="swatch"></span>'
        f"{escape(row['label'])}</span>"
        for place, row in enumerate(chart["series"])
    ]
    items += [
        f'<span class="quiet"><span class="swatch band" style="background:var(--other);'
        f'opacity:{0.3 + 0.25 * place:.2f}"></span>{escape(band["label"])}</span>'
        for place, band in enumerate(chart.get("bands", ()))
    ]
    return f'<div class="legend">{"".join(items)}</div>'


def _intervals_svg(chart: Chart) -> str:
    left, right = float(chart["left"]), float(chart["right"])
    height = _ROW * len(chart["rows"]) + 30

    def x(value: float) -> float:
        share = (value - left) / ((right - left) or 1.0)
        return round(_LABELS + share * (_WIDTH - _LABELS - _TEXTS), 1)

    parts = []
    for tick in ticks(left, right):
        at, foot = x(tick), height - 6
        parts.append(
            f'<line class="grid" x1="{at}" x2="{at}" y1="0" y2="{height - 22}"/>'
            f'<text class="faint middle" x="{at}" y="{foot}">{escape(_short(tick))}</text>'
        )
    for place, row in enumerate(chart["rows"]):
        y, beside = _ROW * place + 16, _WIDTH - _TEXTS + 14
        tone = f"var({_color(row, 1)})"
        parts.append(
            f'<text x="0" y="{y + 4}">{escape(row["label"])}</text>'
            f'<text class="faint" x="{beside}" y="{y + 4}">{escape(row["text"])}</text>'
        )
        if row["value"] is None:
            continue
        parts.append(
            f'<line x1="{x(row["low"])}" x2="{x(row["high"])}" y1="{y}" y2="{y}" '
            f'style="stroke:{tone};stroke-width:2"/>'
            f'<circle cx="{x(row["value"])}" cy="{y}" r="4" style="fill:{tone}"/>'
        )
    return _element(chart, height, parts)


def _element(chart: Chart, height: float, parts: Sequence[str]) -> str:
    title = escape(chart["title"], quote=True)
    unit = f" <small>{escape(chart['unit'])}</small>" if chart.get("unit") else ""
    return (
        f"<h3>{title}{unit}</h3>"
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{title}">'
        f"{''.join(parts)}</svg>"
    )


def _color(row: Mapping[str, Any], place: int) -> str:
    return str(row.get("color") or COLORS[place % len(COLORS)])


def _short(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return number(value, 0)
    return number(value, max(0, 2 - math.floor(math.log10(abs(value)))) if abs(value) < 10 else 0
                  ).rstrip("0").rstrip(".") if abs(value) < 10 else number(value, 0)  # fmt: skip


def _x_labels(chart: Chart) -> list[tuple[float, str]]:
    xs = chart["x"]
    if not len(xs):
        return []
    if not chart.get("is_time"):
        return [(tick, _short(tick)) for tick in ticks(xs[0], xs[-1], 8)]
    count = 7
    places = [xs[0] + (xs[-1] - xs[0]) * (k + 0.5) / count for k in range(count)]
    return [(at, datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")) for at in places]


# -- PNG -------------------------------------------------------------------------------------


def _curves_png(axes: Any, chart: Chart) -> None:
    xs = chart["x"]
    if chart.get("is_time"):
        xs = [datetime.fromtimestamp(at, UTC) for at in xs]
    for place, band in enumerate(chart.get("bands", ())):
        axes.fill_between(xs, band["low"], band["high"], color=_PRINTED["--other"],
                          alpha=0.14 + 0.12 * place, linewidth=0, label=band["label"])  # fmt: skip
    for place, row in enumerate(chart["series"]):
        axes.plot(xs, row["y"], color=_PRINTED[_color(row, place)], linewidth=1.2,
                  label=row["label"])  # fmt: skip
    for level in chart.get("levels", ()):
        axes.axhline(level["y"], color=_PRINTED["--down"], linestyle="--", linewidth=0.9)
        axes.annotate(level["label"], (0.995, level["y"]), xycoords=("axes fraction", "data"),
                      ha="right", va="bottom", fontsize=8, color="#667080")  # fmt: skip
    for mark in chart.get("marks", ()):
        at = datetime.fromtimestamp(mark, UTC) if chart.get("is_time") else mark
        axes.axvline(at, color="#8c96a3", linestyle=":", linewidth=0.8)
    axes.set_ylabel(chart.get("unit", ""))
    axes.set_xlabel(chart.get("x_label", ""))
    axes.grid(True, color="#e4e8ee", linewidth=0.6)
    axes.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=6)


def _intervals_png(axes: Any, chart: Chart) -> None:
    rows = chart["rows"]
    for place, row in enumerate(rows):
        color = _PRINTED[_color(row, 1)]
        if row["value"] is not None:
            axes.plot([row["low"], row["high"]], [place, place], color=color, linewidth=2)
            axes.plot([row["value"]], [place], "o", color=color, markersize=5)
        axes.annotate(row["text"], (1.01, place), xycoords=("axes fraction", "data"), va="center",
                      fontsize=8, color="#667080", annotation_clip=False)  # fmt: skip
    axes.set_yticks(range(len(rows)), [row["label"] for row in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(chart["left"], chart["right"])
    axes.set_xlabel(chart.get("unit", ""))
    axes.grid(True, axis="x", color="#e4e8ee", linewidth=0.6)
