"""Charts of searches: heat maps over two parameters, and parallel coordinates, as SVG and as PNG.

A chart is a mapping with `title` and `unit`, as in `reports.charts`. `kind` "heat": `x_name`,
`y_name`, `x`, `y` (labels of columns and rows), `cells` (rows of numbers or None: the higher, the
brighter), `texts` (what stands in them), `mark` (row and column of the best, or None). `kind`
"parallel": `axes` (name, ticks as place 0..1 and label), `lines` (places 0..1 by axis, None where
there is none; value), worst first, and `low`, `high` of the values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

Chart = Mapping[str, Any]

_SCALE = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
"""Viridis at five places: even steps to the eye, and to one that tells no red from green."""
_WIDTH, _LEFT, _TOP, _CELL, _LABELS = 960, 110, 26, 30, 46
_TALL, _SIDE = 340, 60
_DARK = 0.55
_MOST_TEXTS = 16
"""Columns of a picture whose cells have room for a figure."""
_LETTER, _PICTURE_LETTERS = 6.8, 120
"""Width of a letter on the page, and how many stand side by side beneath a picture."""


def color(value: float | None, low: float, high: float) -> tuple[int, int, int] | None:
    """Return the colour of a value between two others; None for none."""
    if value is None:
        return None
    share = 1.0 if high <= low else min(max((value - low) / (high - low), 0.0), 1.0)
    place = share * (len(_SCALE) - 1)
    first = min(int(place), len(_SCALE) - 2)
    part = place - first
    red, green, blue = (
        round(a + (b - a) * part) for a, b in zip(_SCALE[first], _SCALE[first + 1], strict=True)
    )
    return red, green, blue


def _is_dark(rgb: tuple[int, int, int]) -> bool:
    red, green, blue = rgb
    return 0.299 * red + 0.587 * green + 0.114 * blue < 255 * _DARK


def _bounds(chart: Chart) -> tuple[float, float]:
    known = [value for row in chart["cells"] for value in row if value is not None]
    return min(known, default=0.0), max(known, default=1.0)


def _thinned(labels: Sequence[str], room: float) -> list[str]:
    """Return labels so many of which are left out that none runs into the next.

    room : letters that fit beneath one column.
    """
    step = max(1, math.ceil((max(map(len, labels)) + 1) / room))
    return [label if place % step == 0 else "" for place, label in enumerate(labels)]


# -- SVG -------------------------------------------------------------------------------------


def heat_svg(chart: Chart) -> tuple[float, list[str]]:
    """Return a heat map's height and its parts."""
    low, high = _bounds(chart)
    columns, rows = len(chart["x"]), len(chart["y"])
    left = max(_LEFT, round(max(map(len, chart["y"])) * _LETTER) + 12)
    wide = (_WIDTH - left - 20) / columns
    height = _TOP + rows * _CELL + _LABELS
    parts = []
    for down, (cells, texts) in enumerate(zip(chart["cells"], chart["texts"], strict=True)):
        y = _TOP + (rows - 1 - down) * _CELL
        label = escape(chart["y"][down])
        parts.append(f'<text class="faint end" x="{left - 8}" y="{y + 19}">{label}</text>')
        for across, (value, text) in enumerate(zip(cells, texts, strict=True)):
            x = round(left + across * wide, 1)
            parts.append(_cell_svg(x, y, wide, color(value, low, high), text, chart, down, across))
    foot = _TOP + rows * _CELL + 16
    for across, label in enumerate(_thinned(chart["x"], wide / _LETTER)):
        x = round(left + (across + 0.5) * wide, 1)
        parts.append(f'<text class="faint middle" x="{x}" y="{foot}">{escape(label)}</text>')
    parts.append(
        f'<text class="middle" x="{(left + _WIDTH - 20) / 2}" y="{foot + 22}">'
        f"{escape(chart['x_name'])}</text>"
        f'<text class="end" x="{left - 8}" y="16">{escape(chart["y_name"])}</text>'
    )
    return height, parts


def _cell_svg(
    x: float,
    y: float,
    wide: float,
    rgb: tuple[int, int, int] | None,
    text: str,
    chart: Chart,
    down: int,
    across: int,
) -> str:
    hint = f"{chart['x_name']}={chart['x'][across]}, {chart['y_name']}={chart['y'][down]}: {text}"
    fill = "none" if rgb is None else f"rgb{rgb}"
    marked = chart.get("mark") == (down, across)
    edge = "stroke:var(--down);stroke-width:3" if marked else "stroke:var(--paper)"
    tone = "var(--quiet)" if rgb is None else "#fff" if _is_dark(rgb) else "#111"
    shown = text if wide > 7.5 * len(text) else ""
    return (
        f'<g><title>{escape(hint)}</title><rect x="{x}" y="{y}" width="{wide:.1f}" '
        f'height="{_CELL}" style="fill:{fill};{edge}"/><text class="middle" '
        f'x="{x + wide / 2:.1f}" y="{y + 19}" style="fill:{tone}">{escape(shown)}</text></g>'
    )


def parallel_svg(chart: Chart) -> tuple[float, list[str]]:
    """Return the height of parallel coordinates and their parts."""
    axes = chart["axes"]
    step = (_WIDTH - 2 * _SIDE) / max(1, len(axes) - 1)
    foot = _TALL - 40

    def y(place: float) -> float:
        return round(foot - place * (foot - 20), 1)

    parts = []
    for line in chart["lines"]:
        points = " ".join(
            f"{_SIDE + step * number:.1f},{y(place)}"
            for number, place in enumerate(line["at"])
            if place is not None
        )
        rgb = color(line["value"], chart["low"], chart["high"])
        parts.append(
            f'<polyline points="{points}" style="fill:none;stroke:rgb{rgb};stroke-width:'
            f'{2.6 if line.get("best") else 1.1};opacity:{1 if line.get("best") else 0.55}"/>'
        )
    for number, axis in enumerate(axes):
        x = round(_SIDE + step * number, 1)
        parts.append(
            f'<line class="grid" x1="{x}" x2="{x}" y1="20" y2="{foot}" '
            'style="stroke:var(--quiet)"/>'
            f'<text class="middle" x="{x}" y="{foot + 28}">{escape(axis["name"])}</text>'
        )
        for place, label in axis["ticks"]:
            wide = _LETTER * len(label) + 4
            parts.append(
                f'<rect x="{x + 3}" y="{y(place) - 7}" width="{wide:.1f}" height="14" '
                'style="fill:var(--paper);opacity:0.85"/>'
                f'<text class="faint" x="{x + 5}" y="{y(place) + 4}">{escape(label)}</text>'
            )
    return _TALL, parts


# -- PNG -------------------------------------------------------------------------------------


def size_of(chart: Chart) -> tuple[float, float]:
    """Return width and height of a picture in inches."""
    if chart["kind"] == "heat":
        return 10.0, 1.6 + 0.34 * len(chart["y"])
    return 10.0, 4.8


def heat_png(axes: Any, chart: Chart) -> None:
    """Draw a heat map."""
    low, high = _bounds(chart)
    axes.set_xlim(-0.5, len(chart["x"]) - 0.5)
    axes.set_ylim(-0.5, len(chart["y"]) - 0.5)
    room = (_PICTURE_LETTERS - max(map(len, chart["y"]))) / len(chart["x"])
    axes.set_xticks(range(len(chart["x"])), _thinned(chart["x"], room), fontsize=8)
    axes.set_yticks(range(len(chart["y"])), chart["y"], fontsize=8)
    axes.set_xlabel(chart["x_name"])
    axes.set_ylabel(chart["y_name"])
    axes.tick_params(length=0)
    roomy = len(chart["x"]) <= _MOST_TEXTS
    for down, (cells, texts) in enumerate(zip(chart["cells"], chart["texts"], strict=True)):
        for across, (value, text) in enumerate(zip(cells, texts, strict=True)):
            rgb = color(value, low, high)
            _cell_png(axes, down, across, rgb, text if roomy else "", chart.get("mark"))


def _cell_png(
    axes: Any, down: int, across: int, rgb: tuple[int, int, int] | None, text: str, mark: Any
) -> None:
    from matplotlib.patches import Rectangle

    marked = mark == (down, across)
    face = "none" if rgb is None else tuple(part / 255 for part in rgb)
    axes.add_patch(
        Rectangle(
            (across - 0.5, down - 0.5), 1, 1, facecolor=face,
            edgecolor="#c2413b" if marked else "white", linewidth=2.5 if marked else 1,
            zorder=3 if marked else 2,
        )
    )  # fmt: skip
    tone = "#5c6675" if rgb is None else "white" if _is_dark(rgb) else "#111111"
    axes.text(across, down, text, ha="center", va="center", fontsize=7, color=tone, zorder=4)


def parallel_png(axes: Any, chart: Chart) -> None:
    """Draw parallel coordinates."""
    places: Sequence[int] = range(len(chart["axes"]))
    for line in chart["lines"]:
        rgb = color(line["value"], chart["low"], chart["high"])
        known = [(x, at) for x, at in zip(places, line["at"], strict=True) if at is not None]
        axes.plot(
            [x for x, _ in known], [at for _, at in known],
            color=tuple(part / 255 for part in rgb or (128, 128, 128)),
            linewidth=2.6 if line.get("best") else 1.0, alpha=1.0 if line.get("best") else 0.5,
        )  # fmt: skip
    for x, axis in enumerate(chart["axes"]):
        axes.axvline(x, color="#5c6675", linewidth=0.8)
        for place, label in axis["ticks"]:
            axes.annotate(
                label, (x, place), xytext=(4, 0), textcoords="offset points", fontsize=8,
                va="center", bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            )  # fmt: skip
    axes.set_xticks(list(places), [axis["name"] for axis in chart["axes"]])
    axes.set_yticks([])
    axes.set_xlim(-0.1, len(chart["axes"]) - 0.75)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
