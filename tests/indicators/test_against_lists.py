"""Kernels against the definitions written plainly on lists, on coarse random prices.

A coarse tick makes equal prices common: ties are where two programs part.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import indicators
from indicators.frame import bars_from_frame
from indicators.zone_tables import breaker_table, gap_table, order_block_table
from tests.indicators import by_lists
from tests.indicators.series import random_walk

SEEDS = st.integers(0, 100_000)
WHAT = {1: "appended", 2: "replaced", 3: "ignored"}
LABEL = {0: "", 1: "HH", 2: "LH", 3: "HL", 4: "LL"}
NEVER = np.iinfo(np.int64).max


def coarse(seed, bars=160):
    return random_walk(bars, seed, tick=1.0)


def prices(frame):
    return [frame[name].tolist() for name in ("open", "high", "low", "close")]


def raw_pivots(frame, **values):
    _, high, low, _ = prices(frame)
    mode = values.get("mode", "fractal")
    if mode == "peer":
        return by_lists.peer_window(high, low, values["right"])
    if mode == "lux":
        return by_lists.lux_legs(high, low, values["right"])
    days = list(frame.index.date) if values.get("session_reset") else None
    return by_lists.fractal(high, low, values["left"], values["right"], days)


PIVOTS = [
    {"left": 2, "right": 2},
    {"left": 1, "right": 3},
    {"left": 4, "right": 1, "session_reset": True},
    {"mode": "peer", "right": 1},
    {"mode": "peer", "right": 3},
    {"mode": "lux", "right": 2},
    {"mode": "lux", "right": 5},
]


@pytest.mark.parametrize("values", PIVOTS, ids=str)
@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_pivots_and_zigzag(values, seed):
    frame = coarse(seed)
    wanted = by_lists.zigzag(raw_pivots(frame, **values))

    lines = indicators.swings(frame, **values).reset_index(drop=True)

    found = [
        (
            t,
            int(row.pivot),
            int(row.origin),
            row.ph if row.pivot > 0 else row.pl,
            WHAT[int(row.event)],
            LABEL[int(row.label)],
        )
        for t, row in lines[lines["pivot"] != 0].iterrows()
    ]
    assert found == wanted


@pytest.mark.parametrize("by", ["close", "wick"])
@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_breaks_of_structure(by, seed):
    frame = coarse(seed)
    _, high, low, close = prices(frame)
    events = by_lists.zigzag(by_lists.fractal(high, low, 2, 2))
    wanted = by_lists.structure(events, high, low, close, by)

    lines = indicators.structure(frame, break_by=by).reset_index(drop=True)

    shown = {t: (kind, side, level, origin) for t, kind, side, level, origin in wanted}
    found = {
        t: ("BOS" if row.bos else "CHoCH", int(row.bos + row.choch), row.level, int(row.origin))
        for t, row in lines[(lines.bos != 0) | (lines.choch != 0)].iterrows()
    }
    assert found == shown
    highs = [(t, level) for t, _, side, level, _ in wanted if side > 0]
    assert list(lines.bull_level.dropna().items()) == highs


def life_rows(table, columns):
    return [tuple(int(value) for value in row) for row in table[columns].to_numpy()]


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_the_life_of_gaps(seed):
    frame = coarse(seed)
    open_, high, low, close = prices(frame)
    wanted = [
        (known, side, *by_lists.gap_life(side, top, bottom, known, high, low, close))
        for known, side, top, bottom in by_lists.gaps(open_, high, low, close)
    ]

    table = gap_table(bars_from_frame(frame), max_age=None)

    columns = ["known", "side", "touched", "half", "filled", "inverted", "ended"]
    assert life_rows(table, columns) == wanted


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, age=st.integers(1, 30))
def test_gaps_older_than_max_age_end(seed, age):
    frame = coarse(seed)
    open_, high, low, close = prices(frame)
    wanted = []
    for known, side, top, bottom in by_lists.gaps(open_, high, low, close):
        life = by_lists.gap_life(side, top, bottom, known, high, low, close)
        # the last bar on which something may still happen to it is known + age
        events = [bar if 0 <= bar <= known + age else -1 for bar in life]
        if events[4] < 0 and known + age + 1 < len(close):
            events[4] = known + age + 1
        wanted.append((known, side, *events))

    table = gap_table(bars_from_frame(frame), max_age=age)

    columns = ["known", "side", "touched", "half", "filled", "inverted", "ended"]
    assert life_rows(table, columns) == wanted


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, trend=st.sampled_from([0.0, 1.5, -1.5]))
def test_joined_gaps(seed, trend):
    frame = coarse(seed)
    slope = np.round(trend * np.arange(len(frame)))
    frame = frame.assign(**{name: frame[name] + slope + 400 for name in frame.columns[:4]})
    open_, high, low, close = prices(frame)
    wanted = []
    for known, side, top, bottom, withdrawn in by_lists.joined_gaps(
        by_lists.gaps(open_, high, low, close)
    ):
        life = by_lists.gap_life(side, top, bottom, known, high, low, close)
        last = withdrawn if withdrawn >= 0 else NEVER
        events = [bar if 0 <= bar <= last else -1 for bar in life]
        if withdrawn >= 0 and events[4] < 0:
            events[4] = withdrawn
        wanted.append((known, side, int(top), int(bottom), *events))

    table = gap_table(bars_from_frame(frame), max_age=None, join_consecutive=True)

    columns = ["known", "side", "top", "bottom", "touched", "half", "filled", "inverted", "ended"]
    assert life_rows(table, columns) == wanted


@pytest.mark.parametrize("mode", ["extreme", "last_opposite", "body", "lux"])
@pytest.mark.parametrize("by_close", [False, True])
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_the_life_of_order_blocks(mode, by_close, seed):
    frame = coarse(seed, 300 if mode == "lux" else 160)
    open_, high, low, close = prices(frame)
    events = by_lists.zigzag(by_lists.fractal(high, low, 2, 2))
    breaks = by_lists.structure(events, high, low, close)
    blocks = by_lists.order_blocks(breaks, mode, by_close, open_, high, low, close)

    table = order_block_table(bars_from_frame(frame), block=mode, close_mitigation=by_close)

    columns = ["origin", "known", "side", "top", "bottom", "touched", "broken", "ended"]
    assert sorted(life_rows(table, columns)) == sorted(
        tuple(int(value) for value in block) for block in blocks
    )


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_breaker_and_mitigation_patterns(seed):
    frame = coarse(seed)
    open_, high, low, close = prices(frame)
    events = by_lists.zigzag(by_lists.fractal(high, low, 2, 2))
    wanted = [
        (
            t,
            side,
            kind,
            k,
            by_lists.first(
                range(t + 1, len(close)),
                lambda s, k=k, side=side: close[s] < low[k] if side > 0 else close[s] > high[k],
            ),
        )
        for t, side, kind, k in by_lists.breaker_patterns(events, open_, high, low, close)
    ]

    table = breaker_table(bars_from_frame(frame))

    found = table[["known", "side", "kind", "origin", "ended"]].itertuples(index=False, name=None)
    assert list(found) == wanted


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, period=st.integers(1, 20))
def test_average_true_range(seed, period):
    frame = coarse(seed)
    _, high, low, close = prices(frame)
    wanted = by_lists.average_true_range(high, low, close, period)

    found = indicators.atr(frame, atr_period=period).atr

    np.testing.assert_allclose(found, np.array(wanted, dtype=float), rtol=1e-12)


@settings(max_examples=5, deadline=None)
@given(seed=SEEDS, percent=st.sampled_from([10.0, 50.0, 90.0, 100.0]))
def test_percentile_and_volatile_bars(seed, percent):
    frame = random_walk(720, seed)
    _, high, low, close = prices(frame)
    average = by_lists.average_true_range(high, low, close, 14)

    lines = indicators.volatility(frame, atr_percentile=percent).reset_index(drop=True)

    assert lines.percentile[: 14 + 499].isna().all()
    for t in range(14 + 499, len(frame), 17):
        wanted = by_lists.percentile(average[t - 499 : t + 1], percent)
        assert lines.percentile[t] == pytest.approx(wanted, rel=1e-12)
        if abs(average[t] - wanted) > 1e-9:
            assert lines.passes[t] == (average[t] > wanted)
    wild = by_lists.volatile_bars(high, low, close)
    assert lines.is_volatile.astype(bool).tolist() == wild
