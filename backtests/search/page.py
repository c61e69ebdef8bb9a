"""A sweep as what its page shows: the best sets, maps over pairs of axes, all sets as lines.

It reads the run folder alone, so it can be made again later.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from backtests.results.summary_text import signed
from backtests.search.folder import PARQUET
from backtests.search.objective import METRICS, PLACES, Goal, read_constraints, read_objectives
from backtests.search.space import text_of
from backtests.search.text import figure_head, figure_text, headline, luck_lines, params_text
from core.results import RunFolder
from core.wording import plural

Array = np.ndarray[Any, Any]
Summary = Mapping[str, Any]

MOST_PAIRS = 6
MOST_VALUES, BINS = 32, 12
MOST_LINES = 300
_BEST_LINES = 60
_SHOWN = 10


@dataclass(frozen=True)
class _Scale:
    """An axis of the search as a chart shows it.

    labels : of its values, or of the parts of a range. places : which of them each set has.
    """

    name: str
    labels: list[str]
    places: Array


@dataclass(frozen=True)
class _Results:
    """The sets of a sweep: parameters as texts or numbers, figures as in `objective.METRICS`."""

    summary: Summary
    params: Mapping[str, Array]
    figures: Array
    goal: Goal

    @property
    def objective(self) -> Array:
        """The first objective of each set, nan where it cannot be formed."""
        column: Array = self.figures[:, PLACES[self.goal.first.name]]
        return column


def page_content(folder: RunFolder) -> dict[str, Any]:
    """Return what `reports.study.write_study` lays out for a sweep."""
    summary = folder.summary
    results = _read(folder, summary)
    scales = [_scale(axis, results) for axis in summary["axes"]]
    sections = [_overview(summary), _best(summary), _luck(summary)]
    if np.isfinite(results.objective).any():
        sections += [_profiles(results, scales), *_maps(results, scales), *_lines(results, scales)]
    if summary["failures"]:
        sections.append(_failures(summary))
    return {
        "title": f"Sweep of {summary['plan_id']}: {_axes_text(summary)}",
        "subtitle": f"run {folder.name} · {headline(summary)}",
        "verdict": _verdict(summary),
        "notices": summary["notes"],
        "sections": sections,
    }


def _axes_text(summary: Summary) -> str:
    return " × ".join(axis["name"] for axis in summary["axes"])


def _verdict(summary: Summary) -> str:
    count, name = summary["combinations"]["evaluated"], summary["objective"]
    if summary["best"] is None:
        return f"{plural(count, 'combination')}, and none counts"
    best = figure_text(name, summary["best"]["objective"], summary["currency"])
    return (
        f"best {figure_head(name)} of {plural(count, 'combination')}: {best} at "
        f"{params_text(summary['best']['params'])}"
    )


def _read(folder: RunFolder, summary: Summary) -> _Results:
    import pyarrow.parquet as pq

    table = pq.read_table(folder.path / PARQUET)
    columns = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
    figures = np.column_stack([columns[name].astype(float) for name in METRICS])
    goal = Goal(read_objectives(summary["objectives"]), read_constraints(summary["constraints"]))
    return _Results(summary, columns, figures, goal)


def _scale(axis: Mapping[str, Any], results: _Results) -> _Scale:
    """Return an axis by its values; a range, or one of many numbers, in parts.

    Parts of a range are equally wide, those of a list hold neighbours, as many each as can be.
    """
    name, values = axis["name"], axis["values"]
    column = results.params[name]
    if values is not None and (len(values) <= MOST_VALUES or column.dtype == object):
        labels = [text_of(value) for value in values]
        lookup = {label: place for place, label in enumerate(labels)}
        return _Scale(name, labels, np.array([lookup[text_of(item)] for item in column.tolist()]))
    if values is None:
        edges = np.linspace(axis["low"], axis["high"], BINS + 1)
        labels = [f"{first:.3g}–{last:.3g}" for first, last in pairwise(edges)]
    else:
        parts = np.array_split(np.sort(values), BINS)
        edges = np.array([part[0] for part in parts] + [parts[-1][-1]])
        labels = [f"{part[0]:g}–{part[-1]:g}" for part in parts]
    places = np.clip(np.searchsorted(edges, column, "right") - 1, 0, BINS - 1)
    return _Scale(name, labels, places)


def _overview(summary: Summary) -> dict[str, Any]:
    counts = summary["combinations"]
    rate = summary["combinations_per_second"]
    rows = [
        ["combinations", f"{counts['evaluated']:,}", ""],
        ["without a trade", f"{counts['without_trades']:,}", ""],
        ["failed", f"{counts['failed']:,}", "down" if counts["failed"] else ""],
        ["within the bounds", f"{counts['meeting_constraints']:,}", ""],
        ["search", f"{summary['search']}, seed {summary['seed']}", ""],
        ["engine", summary["engine"], ""],
        ["per second", f"{rate:,.0f}" if rate else "-", ""],
        ["bars", f"{summary['bars']:,}", ""],
    ]
    lines = [
        f"{summary['instrument']} {summary['timeframe']}, {str(summary['first'])[:10]} to "
        f"{str(summary['last'])[:10]}. Bounds: {', '.join(summary['constraints']) or 'none'}.",
    ]
    return {
        "title": "What was run",
        "items": [{"kind": "cards", "rows": rows}, {"kind": "text", "lines": lines}],
    }


def _luck(summary: Summary) -> dict[str, Any]:
    """Return what the best set is worth: figures where the search could tell, else a warning."""
    lines = [f"{line[:1].upper()}{line[1:]}." for line in luck_lines(summary)]
    lines.append("Look for wide even areas in the maps below, not for single bright cells.")
    items: list[dict[str, Any]] = [{"kind": "text", "lines": lines}]
    luck = summary.get("luck")
    if luck is not None:
        rows = [
            ["Sharpe of the best", signed(luck["sharpe"]), ""],
            ["Sharpe by luck alone", signed(luck["expected_sharpe"]), ""],
            ["above luck (deflated Sharpe)", f"{luck['deflated_sharpe'] * 100:.0f} %", ""],
            ["chance of overfitting", f"{luck['overfit'] * 100:.0f} %", ""],
            ["loses in the other half", f"{luck['loss'] * 100:.0f} %", ""],
        ]
        items.insert(0, {"kind": "cards", "rows": rows})
    return {"title": "How much of it is luck", "items": items}


def _best(summary: Summary) -> dict[str, Any]:
    names = [axis["name"] for axis in summary["axes"]]
    first = summary["objective"]
    figures = [first, *(name for name in _COLUMNS if name != first)]
    rows = [
        [
            str(place),
            *(text_of(item["params"][name]) for name in names),
            *(figure_text(name, item["figures"][name], summary["currency"]) for name in figures),
        ]
        for place, item in enumerate(summary["top"][:_SHOWN], start=1)
    ]
    head = ["", *names, *map(figure_head, figures)]
    table = {"kind": "table", "head": head, "rows": rows, "words": (), "label": "best sets"}
    items = [table] if rows else [{"kind": "text", "lines": ["none counts"]}]
    return {"title": "The best", "items": items}


_COLUMNS = ("sharpe", "net_profit", "max_drawdown_pct", "trades", "win_rate", "expectancy_r",
            "profit_factor", "calmar", "costs")  # fmt: skip


def _profiles(results: _Results, scales: Sequence[_Scale]) -> dict[str, Any]:
    """Return, by axis, how the objective is spread at each of its values."""
    name = results.goal.first.name
    items = []
    for scale in scales:
        groups = [results.objective[scale.places == place] for place in range(len(scale.labels))]
        known = [(label, group[~np.isnan(group)]) for label, group in
                 zip(scale.labels, groups, strict=True)]  # fmt: skip
        known = [(label, group) for label, group in known if len(group)]
        rows = [_spread(label, group, name, results) for label, group in known]
        ends = np.array([[row["low"], row["high"]] for row in rows])
        room = float(np.ptp(ends)) * 0.03 or 1.0
        items.append(
            {
                "kind": "intervals", "title": f"{figure_head(name)} by {scale.name}",
                "unit": "middle half of the sets, and their median", "rows": rows,
                "left": float(ends.min()) - room, "right": float(ends.max()) + room,
                "file": f"plots/by-{scale.name}",
            }
        )  # fmt: skip
    return {"title": "One parameter at a time", "items": items}


def _spread(label: str, group: Array, name: str, results: _Results) -> dict[str, Any]:
    low, middle, high = (float(value) for value in np.quantile(group, (0.25, 0.5, 0.75)))
    text = figure_text(name, middle, str(results.summary["currency"]))
    return {"label": label, "low": low, "value": middle, "high": high,
            "text": f"{text}  ({plural(len(group), 'set')})"}  # fmt: skip


def _maps(results: _Results, scales: Sequence[_Scale]) -> list[dict[str, Any]]:
    """Return heat maps of the pairs of axes over which the objective changes most."""
    found = []
    for across, down in combinations([scale for scale in scales if len(scale.labels) > 1], 2):
        chart = _heat(results, across, down)
        known = [value for row in chart["cells"] for value in row if value is not None]
        found.append((float(np.ptp(known)) if known else 0.0, chart))
    if not found:
        return []
    found.sort(key=lambda pair: -pair[0])
    left_out = len(found) - MOST_PAIRS
    lines = ["A cell is the median over all other parameters; the frame is the best set's."]
    if left_out > 0:
        lines.append(f"Left out, with less between their cells: {plural(left_out, 'pair')}.")
    charts = [chart for _, chart in found[:MOST_PAIRS]]
    return [{"title": "Two at a time", "items": [{"kind": "text", "lines": lines}, *charts]}]


def _heat(results: _Results, across: _Scale, down: _Scale) -> dict[str, Any]:
    if len(across.labels) < len(down.labels):
        across, down = down, across
    name, currency = results.goal.first.name, str(results.summary["currency"])
    sign = results.goal.first.sign
    cells: list[list[float | None]] = []
    for row in range(len(down.labels)):
        line: list[float | None] = []
        for column in range(len(across.labels)):
            values = results.objective[(down.places == row) & (across.places == column)]
            values = values[~np.isnan(values)]
            line.append(float(np.median(values)) * sign if len(values) else None)
        cells.append(line)
    known = [value for line in cells for value in line if value is not None] or [math.nan]
    low, high = (figure_text(name, end * sign, currency) for end in (min(known), max(known)))
    ranking = results.goal.ranking(results.figures)
    mark = None
    if len(ranking):
        mark = int(down.places[ranking[0]]), int(across.places[ranking[0]])
    return {
        "kind": "heat", "title": f"{figure_head(name)}: {across.name} and {down.name}",
        "unit": f"median, {low} to {high}; bright is better",
        "x_name": across.name, "y_name": down.name,
        "x": across.labels, "y": down.labels, "cells": cells, "mark": mark,
        "texts": [[figure_text(name, value * sign, currency) if value is not None else ""
                   for value in line] for line in cells],
        "file": f"plots/map-{across.name}-{down.name}",
    }  # fmt: skip


def _lines(results: _Results, scales: Sequence[_Scale]) -> list[dict[str, Any]]:
    """Return parallel coordinates: every set a line, or of many the best and a sample."""
    if len(scales) < 2:
        return []
    name, values = results.goal.first.name, results.objective
    order = np.argsort(-values * results.goal.first.sign, kind="stable")
    order = order[~np.isnan(values[order])]
    all_sets = len(order)
    if len(order) > MOST_LINES:
        rest = order[_BEST_LINES:]
        places = np.linspace(0, len(rest) - 1, MOST_LINES - _BEST_LINES).astype(int)
        order = np.concatenate([order[:_BEST_LINES], rest[places]])
    low, high = float(values[order].min()), float(values[order].max())
    span = high - low or 1.0
    axes = [_parallel_axis(scale) for scale in scales]
    axes.append(
        {"name": figure_head(name),
         "ticks": [(share, figure_text(name, low + share * span)) for share in (0.0, 0.5, 1.0)]}
    )  # fmt: skip
    ranking = results.goal.ranking(results.figures)
    best = int(ranking[0]) if len(ranking) else -1
    lines = [
        {
            "at": [
                *(scale.places[row] / max(1, len(scale.labels) - 1) for scale in scales),
                (values[row] - low) / span,
            ],
            "value": float(values[row] * results.goal.first.sign),
            "best": int(row) == best,
        }
        for row in order[::-1]
    ]
    ends = sorted((low * results.goal.first.sign, high * results.goal.first.sign))
    part = "" if len(lines) == all_sets else f"{len(lines)} of "
    chart = {"kind": "parallel", "title": f"{part}{plural(all_sets, 'set')}",
             "unit": "bright is better", "axes": axes, "lines": lines, "low": ends[0],
             "high": ends[1], "file": "plots/parallel"}  # fmt: skip
    return [{"title": "All at once", "items": [chart]}]


def _parallel_axis(scale: _Scale) -> dict[str, Any]:
    last = max(1, len(scale.labels) - 1)
    step = max(1, len(scale.labels) // 8)
    ticks = [(place / last, label) for place, label in enumerate(scale.labels)]
    return {"name": scale.name, "ticks": ticks[::step]}


def _failures(summary: Summary) -> dict[str, Any]:
    count = summary["combinations"]["failed"]
    rows = [[params_text(item["params"]), item["fault"]] for item in summary["failures"]]
    table = {"kind": "table", "head": ["set", "why"], "rows": rows, "words": (0, 1)}
    return {"title": f"{count:,} failed; the first {len(rows)}", "items": [table]}
