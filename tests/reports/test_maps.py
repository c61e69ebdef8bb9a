"""Maps over two parameters: whatever the labels, each can be read."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reports import charts, maps

LONG = ["sweep_choch,breaker", "sweep_choch", "breaker"]
PARTS = [f"{0.125 * place:.3g}–{0.125 * place + 0.125:.3g}" for place in range(5, 17)]


def heat(across, down):
    return {
        "kind": "heat", "title": "Sharpe: a and b", "unit": "median", "x_name": "a", "y_name": "b",
        "x": across, "y": down, "cells": [[1.0] * len(across)] * len(down), "mark": (0, 0),
        "texts": [["1.00"] * len(across)] * len(down),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("across", "down"),
    [(PARTS, LONG), (LONG * 3, ["true", "false"]), (list("abc"), list("de"))],
    ids=["parts", "words", "letters"],
)
def test_no_label_of_a_map_runs_into_another_or_out_of_the_picture(across, down):
    _, parts = maps.heat_svg(heat(across, down))
    texts = re.findall(
        r'class="faint (end|middle)" x="([\d.]+)" y="([\d.]+)">([^<]+)<', "".join(parts)
    )
    ends = [float(x) - 6 * len(label) for where, x, _, label in texts if where == "end"]
    foot = [(float(x), 3 * len(label)) for where, x, _, label in texts if where == "middle"]
    assert min(ends) >= 0.0 and len(ends) == len(down)
    assert foot[0][0] > 0.0
    for (x, half), (other, half_of_other) in pairwise(foot):
        assert x + half < other - half_of_other

    figure = Figure(figsize=maps.size_of(heat(across, down)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    maps.heat_png(axes, heat(across, down))
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
    assert boxes[0].x0 >= 0.0
    assert all(one.x1 < other.x0 for one, other in pairwise(boxes))


def test_two_amounts_in_dollars_are_no_formula(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(Axes, "set_title", _keep(told, Axes.set_title))
    chart = {**heat(["1", "2"], ["3"]), "unit": "median, -$1,507 to +$22,980"}

    charts.write_png(chart, tmp_path / "map.png")

    assert [text.get_parse_math() for text in told] == [False]
    assert told[0].get_text() == "Sharpe: a and b (median, -$1,507 to +$22,980)"


def _keep(told, set_title):
    def kept(*given, **more):
        told.append(set_title(*given, **more))
        return told[-1]

    return kept
