"""Past bars as a moving market: in order, never ahead of itself, at the pace asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import feeds
from brokers.inbox import Inbox
from core.bars import Series
from core.calendar import get_calendar
from core.errors import DataError
from core.events import Clock, Ticks
from core.ticks import OPENS_BAR
from feeds.live import FeedTerms, LiveFeed
from feeds.replay import Replay, ReplaySeries
from tests.feeds.markets import (
    DAY,
    HOUR,
    MINUTE,
    PRICES,
    SECOND,
    at,
    bars_at,
    clock,
    market,
    same,
)

MORNING = ("2025-09-15T03:45", "2025-09-15T05:00")
START = at("2025-09-15T03:45")


def series(symbol, timeframe, first=MORNING[0], last=MORNING[1], calendar="NSE", **given):
    return Series(symbol, timeframe, market(first, last, timeframe, calendar, **given))


def replay(*told, start=START, bars=(), **given):
    """A replay of series, each seen by strategies as it is told, or as in `bars`."""
    seen = {(item.symbol, item.timeframe_ns): item for item in bars or told}
    return Replay([ReplaySeries(item, 0.01) for item in told], seen, start, **given)


def events_of(source):
    """Let a replay run to its end; return its events."""
    inbox, found = Inbox(), []
    while source.pump(inbox) is not None:
        while (event := inbox.take()) is not None:
            found.append(event)
    return found


def words(events):
    """Return events as words: prices by symbol and the minute, the clock by its time."""
    return [
        f"{event.symbol} {clock(event.ts_event)[6:11]}"
        if isinstance(event, Ticks)
        else f"clock {clock(event.ts_event)[6:11]}"
        for event in events
    ]


# -- order ---------------------------------------------------------------------------------------


def test_a_bar_is_its_four_prices_and_then_the_clock_at_its_end():
    bars = series("X", 5 * MINUTE)

    events = events_of(replay(bars))[:5]

    assert words(events) == ["X 03:45", "X 03:46", "X 03:48", "X 03:49", "clock 03:50"]
    assert events[0].ticks["flags"][0] & OPENS_BAR
    assert [float(event.ticks["price"][0]) for event in (events[0], events[3])] == [
        bars.bars["open"][0],
        bars.bars["close"][0],
    ]


def test_bars_of_several_series_that_end_together_come_before_their_clock():
    fast, slow = series("X", 5 * MINUTE), series("DXY", 15 * MINUTE)

    events = events_of(replay(slow, fast))[: 5 + 5 + 9]

    assert words(events)[4] == "clock 03:50"
    assert words(events)[9] == "clock 03:55"
    assert words(events)[10:] == [
        "DXY 03:45", "DXY 03:50", "DXY 03:55", "DXY 03:59",
        "X 03:55", "X 03:56", "X 03:58", "X 03:59", "clock 04:00",
    ]  # fmt: skip


def test_clocks_rise_and_no_price_of_a_series_comes_after_its_bars_end():
    told = series("X", 5 * MINUTE, quiet=["2025-09-15T04:00"]), series("Y", 3 * MINUTE)
    now, last = 0, {"X": 0, "Y": 0}

    for event in events_of(replay(*told)):
        if isinstance(event, Clock):
            assert event.ts_event > now
            now = event.ts_event
        else:
            assert now <= event.ts_event + 5 * MINUTE
            assert event.ts_event >= last[event.symbol]
            assert event.ts_event >= max(now - 5 * MINUTE, 0)
            last[event.symbol] = event.ts_event


def test_where_nothing_can_be_matched_a_bars_prices_are_one_event():
    source = replay(series("X", 5 * MINUTE))
    source.is_idle = lambda: True

    events = events_of(source)[:2]

    assert words(events) == ["X 03:49", "clock 03:50"]
    assert len(events[0].ticks) == 4


def test_a_bar_ends_by_the_clock_though_its_last_minutes_are_missing():
    minutes = series("X", MINUTE, quiet=["2025-09-15T03:48", "2025-09-15T03:49"])
    calendar = get_calendar("NSE")
    fives = feeds.resample(minutes, 5 * MINUTE, calendar)

    events = events_of(replay(minutes, bars=[fives]))

    assert words(events)[14:16] == ["clock 03:48", "clock 03:50"]


def test_it_begins_after_its_start_and_says_what_is_left():
    source = replay(series("X", 5 * MINUTE), start=at("2025-09-15T04:00"))

    first = source.left
    events = events_of(source)

    assert words(events)[0] == "X 04:00"
    assert (first, source.left) == (13, 0)
    assert source.pump(Inbox()) is None


# -- the future ----------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 14), st.integers(-10, 200), st.integers(0, 200))
def test_history_never_shows_what_was_not_told(moments, first, last):
    bars = series("X", 5 * MINUTE)
    source, inbox = replay(bars), Inbox()
    for _ in range(moments):
        source.pump(inbox)
    told = [event.ts_event for event in iter(inbox.take, None) if isinstance(event, Clock)]

    found = source.history("X", 5 * MINUTE, START + first * MINUTE, START + last * MINUTE)

    known = bars.bars[bars.bars["end"] <= max(told, default=START)]
    asked = (known["start"] >= START + first * MINUTE) & (known["end"] <= START + last * MINUTE)
    assert same(found, known[asked])


def test_history_is_a_copy_and_of_unknown_series_there_is_none():
    source = replay(series("X", 5 * MINUTE), start=at("2025-09-15T04:30"))

    source.history("X", 5 * MINUTE, 0, 2**62)["close"] = 0.0

    assert source.history("X", 5 * MINUTE, 0, 2**62)["close"].min() > 0.0
    assert len(source.history("X", MINUTE, 0, 2**62)) == 0
    assert len(source.history("Z", 5 * MINUTE, 0, 2**62)) == 0


# -- pace ----------------------------------------------------------------------------------------


class Wall:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_its_pace_is_so_many_market_seconds_a_second():
    wall, inbox = Wall(), Inbox()
    source = replay(series("X", 5 * MINUTE), speed=60.0, clock=wall)

    assert source.pump(inbox) == 0.0
    assert source.pump(inbox) == pytest.approx(5.0)
    wall.now += 4.0
    assert source.pump(inbox) == pytest.approx(1.0)
    wall.now += 1.0
    assert source.pump(inbox) == 0.0
    assert [event.ts_event for event in iter(inbox.take, None) if isinstance(event, Clock)] == [
        START + 5 * MINUTE,
        START + 10 * MINUTE,
    ]


def test_without_a_speed_it_never_waits():
    source, inbox = replay(series("X", 5 * MINUTE)), Inbox()

    assert {source.pump(inbox) for _ in range(16)} == {0.0}


def test_a_night_is_skipped():
    wall, inbox = Wall(), Inbox()
    last = at("2025-09-12T09:55")
    bars = series("X", 5 * MINUTE, "2025-09-12T09:30", "2025-09-15T04:00")
    source = replay(bars, start=last, speed=1.0, clock=wall)

    source.pump(inbox)

    assert source.pump(inbox) == pytest.approx(600.0)


def test_a_replay_that_was_held_up_does_not_rush_after():
    wall, inbox = Wall(), Inbox()
    source = replay(series("X", 5 * MINUTE), speed=60.0, clock=wall)
    source.pump(inbox)

    wall.now += 100.0
    source.pump(inbox)

    assert source.pump(inbox) == pytest.approx(4.0)


# -- going on ------------------------------------------------------------------------------------


def test_what_is_skipped_is_not_told_and_is_history():
    bars = series("X", 5 * MINUTE)
    source = replay(bars)

    source.skip_to(at("2025-09-15T04:10"))

    assert same(source.history("X", 5 * MINUTE, 0, 2**62), bars.bars[:5])
    assert words(events_of(source))[:2] == ["X 04:10", "X 04:11"]


def test_it_never_skips_backwards():
    source, inbox = replay(series("X", 5 * MINUTE)), Inbox()
    for _ in range(3):
        source.pump(inbox)

    source.skip_to(START)

    assert clock(source.now) == "09-15 04:00:00"


def test_skipped_into_a_bar_that_was_not_begun_it_tells_the_whole_bar():
    source = replay(series("X", 15 * MINUTE), series("Y", 5 * MINUTE))
    now = at("2025-09-15T03:50")

    source.skip_to(now, seen={"Y": now - 1})

    assert words(events_of(source))[:5] == [f"Y 03:5{minute}" for minute in (0, 1, 3, 4)] + [
        "clock 03:55"
    ]
    assert words(events_of(replay(series("X", 15 * MINUTE))))[0] == "X 03:45"


def test_of_a_bar_that_was_seen_in_part_only_the_rest_is_told():
    source = replay(series("X", 15 * MINUTE))

    source.skip_to(at("2025-09-15T03:51"), seen={"X": at("2025-09-15T03:50")})

    assert words(events_of(source))[:4] == ["X 03:55", "X 03:59", "clock 04:00", "X 04:00"]


# -- bars built of it ----------------------------------------------------------------------------


def built_of(source, timeframe, calendar, symbol="X"):
    """Return the bars a live feed makes of a replay."""
    feed = LiveFeed(symbol, timeframe, get_calendar(calendar), FeedTerms(stale_ns=0))
    feed.connected(source.start)
    told, inbox = [], Inbox()
    while source.pump(inbox) is not None:
        while (event := inbox.take()) is not None:
            if isinstance(event, Clock):
                told.append(feed.advance(event.ts_event))
            elif event.symbol == symbol:
                told.append(feed.take(event.ticks))
    assert feed.left_out == 0
    return np.concatenate([bars for bars in told if len(bars)])


@pytest.mark.parametrize("idle", [False, True], ids=["by price", "by bar"])
def test_bars_built_of_a_replay_are_the_bars_again(idle):
    quiet = ["2025-09-15T03:45", "2025-09-15T04:30"]
    bars = series("X", 5 * MINUTE, "2025-09-12T03:45", "2025-09-16T05:00", quiet=quiet)
    source = replay(bars, start=int(bars.bars["start"][0]))
    source.is_idle = lambda: idle

    assert same(built_of(source, 5 * MINUTE, "NSE"), bars.bars)


@pytest.mark.parametrize("timeframe", [3, 15, 60, 1440])
def test_bars_built_of_finer_ones_are_the_resampled(timeframe):
    minutes = series(
        "X", MINUTE, "2025-09-12T03:45", "2025-09-16T09:59", quiet=["2025-09-15T03:59"]
    )
    plan = feeds.resample(minutes, timeframe * MINUTE, get_calendar("NSE"))
    source = replay(minutes, bars=[plan], start=int(minutes.bars["start"][0]))

    assert same(built_of(source, timeframe * MINUTE, "NSE"), plan.bars)


REPLAYED = 15_000
"""Bars of a file that are replayed: from the day on in which so many are left."""
REAL = [
    ("nifty50_1m", "3m", "NSE"),
    ("nifty50_1m", "5m", "NSE"),
    ("nifty50_1m", "1d", "NSE"),
    ("xauusd_5m", "5m", "CMEGlobex_GC"),
    ("xauusd_5m", "1h", "CMEGlobex_GC"),
    ("dxy_1h", "1h", "ICE_DX"),
]


@pytest.mark.parametrize("name, timeframe, calendar", REAL, ids=[f"{r[0]} {r[1]}" for r in REAL])
def test_a_plans_own_bars_are_built_of_real_files(real_data, name, timeframe, calendar):
    book = get_calendar(calendar)
    plan = feeds.load(real_data / f"{name}.csv.gz", symbol="X", timeframe=timeframe, calendar=book)
    finest = plan.lower or plan
    days = finest.bars["day"]
    start = int(finest.bars["start"][np.searchsorted(days, days[-REPLAYED:][0])])
    told = ReplaySeries(finest, 0.01, book)
    source = Replay([told], {("X", plan.timeframe_ns): plan}, start)
    source.is_idle = lambda: True

    built = built_of(source, plan.timeframe_ns, calendar)

    expected = plan.bars[plan.bars["start"] >= start]
    assert len(built) == len(expected)
    for column in ("start", "end", "day", "minute", "flags", *PRICES[:4]):
        assert np.array_equal(built[column], expected[column]), column
    assert np.allclose(built["volume"], expected["volume"], rtol=1e-12)


# -- bars that cannot be told --------------------------------------------------------------------


def test_bars_off_the_grid_are_refused_with_the_file_and_what_to_do():
    calendar = get_calendar("CMEGlobex_GC")
    starts = [at("2025-09-15T13:00"), at("2025-09-15T14:30"), at("2025-09-15T16:00")]
    bars = Series("GC", HOUR, bars_at(starts, HOUR, calendar), {"path": "gold_1h.csv"})

    with pytest.raises(DataError) as refused:
        Replay([ReplaySeries(bars, 0.1, calendar)], {("GC", HOUR): bars}, starts[0])

    text = str(refused.value)
    assert text.startswith("gold_1h.csv: 1 of its 1h bars lie off the grid of CMEGlobex_GC")
    assert "2025-09-15 10:30 (America/New_York)" in text
    assert "data fix" in text and "off_grid" in text


def test_bars_off_the_grid_may_be_history():
    calendar = get_calendar("CMEGlobex_GC")
    starts = [at("2025-09-15T12:30"), at("2025-09-15T14:00"), at("2025-09-15T15:00")]
    bars = Series("GC", HOUR, bars_at(starts, HOUR, calendar))

    source = Replay([ReplaySeries(bars, 0.1, calendar)], {("GC", HOUR): bars}, starts[1])

    assert len(source.history("GC", HOUR, 0, 2**62)) == 1


def test_the_hourly_gold_with_half_hours_is_refused_and_its_mended_copy_is_not(real_data, tmp_path):
    from feeds.mending import Rules, fix

    path, mended = real_data / "gc_fut_1h.csv.gz", tmp_path / "mended.csv"
    calendar = get_calendar("CMEGlobex_GC")

    def told(file):
        bars = feeds.load(file, symbol="GC")
        return Replay([ReplaySeries(bars, 0.1, calendar)], {}, int(bars.bars["start"][0]))

    with pytest.raises(DataError, match="24 of its 1h bars"):
        told(path)
    fix(path, mended, rules=Rules(drop=("off_grid",)))

    assert told(mended).left > 11_000


def test_day_bars_are_told():
    days = series("X", DAY, "2025-09-01T00:00", "2025-09-16T00:00")
    source = replay(days, start=int(days.bars["start"][0]))

    assert same(built_of(source, DAY, "NSE"), days.bars)
    assert SECOND * 86_400 == DAY
