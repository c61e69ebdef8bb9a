"""The bulk feed against Backtrader's own, in every mode."""

from __future__ import annotations

from datetime import date, datetime

import backtrader as bt
import numpy as np
import pytest

import feeds
from core.bars import Series
from core.synthetic import GOLD, generate
from feeds.bulk import exact_ns, float_day
from tests.feeds.files import table, write

MINUTE = 60_000_000_000
MODES = {
    "runonce": {},
    "next": {"runonce": False},
    "unloaded": {"preload": False},
    "exactbars": {"exactbars": 1},
    "exactbars-1": {"exactbars": -1},
}


@pytest.fixture(scope="module")
def gold():
    path = generate(GOLD, date(2024, 3, 5), date(2024, 3, 8), 21)
    minutes = Series("XAUUSD", MINUTE, path.bars)
    return feeds.resample(minutes, 15 * MINUTE, path.calendar), path.calendar


class Seen(bt.Strategy):
    """Notes what every data shows at each call of next."""

    def __init__(self):
        self.rows = []

    def prenext(self):
        self.next()

    def next(self):
        self.rows.append(
            [
                (len(d), d.datetime[0], d.open[0], d.high[0], d.low[0], d.close[0], d.volume[0])
                if len(d)
                else None
                for d in self.datas
            ]
        )


def run(*datas, strategy=Seen, **mode):
    cerebro = bt.Cerebro(stdstats=False)
    for data in datas:
        cerebro.adddata(data)
    cerebro.addstrategy(strategy)
    return cerebro.run(**mode)[0]


def generic(folder, series):
    """Write a series stamped at its ENDs and read it with Backtrader's own feed."""
    stamps = np.datetime_as_string(series.bars["end"].astype("M8[ns]"), unit="s")
    rows = (
        f"{t.replace('T', ' ')},{b['open']},{b['high']},{b['low']},{b['close']},{b['volume']}"
        for t, b in zip(stamps, series.bars, strict=True)
    )
    path = write(folder, table(*rows))
    return bt.feeds.GenericCSVData(
        dataname=str(path),
        dtformat="%Y-%m-%d %H:%M:%S",
        openinterest=-1,
        timeframe=bt.TimeFrame.Minutes,
        compression=15,
    )


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_every_mode_shows_the_bars_backtrader_s_own_feed_shows(tmp_path, gold, mode):
    series, _ = gold

    ours = run(feeds.BulkData(series), **mode).rows
    theirs = run(generic(tmp_path, series), **mode).rows

    assert len(ours) == len(theirs) == len(series)
    for (mine,), (other,) in zip(ours, theirs, strict=True):
        assert mine[0] == other[0]
        assert mine[2:] == other[2:]
        assert exact_ns(mine[1]) == exact_ns(other[1])


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_from_and_to_date_cut_lines_and_bars_alike(tmp_path, gold, mode):
    series, _ = gold
    dates = {"fromdate": datetime(2024, 3, 6, 12), "todate": datetime(2024, 3, 7, 12)}
    data = feeds.BulkData(series, **dates)
    other = generic(tmp_path, series)
    other.p.fromdate, other.p.todate = dates["fromdate"], dates["todate"]

    ours, theirs = run(data, **mode).rows, run(other, **mode).rows

    assert len(ours) == len(theirs) == len(data.bars)
    assert [row[0][2:] for row in ours] == [row[0][2:] for row in theirs]
    assert data.bars["close"].tolist() == [row[0][5] for row in ours]


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_start_line_and_bar_record_belong_to_the_current_bar(gold, mode):
    series, _ = gold

    class Check(bt.Strategy):
        def __init__(self):
            self.rows = []

        def next(self):
            bar = self.data.bars[len(self.data) - 1]
            self.rows.append(
                (
                    self.data.lines.start[0] * 1_000_000 == bar["start"],
                    exact_ns(self.data.datetime[0]) == bar["end"],
                    self.data.close[0] == bar["close"],
                )
            )

    rows = run(feeds.BulkData(series), strategy=Check, **mode).rows

    assert set(rows) == {(True, True, True)}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_feeds_of_several_timeframes_show_only_ended_bars(gold, mode):
    series, calendar = gold
    hours = feeds.resample(series, 60 * MINUTE, calendar)

    rows = run(feeds.BulkData(series), feeds.BulkData(hours, name="hours"), **mode).rows

    ends = {round(float_day(int(bar["end"])), 9): i + 1 for i, bar in enumerate(hours.bars)}
    for quarter, hour in rows:
        now = round(quarter[1], 9)
        complete = sum(end <= now + 1e-9 for end in ends)
        assert (hour[0] if hour else 0) == complete


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_a_further_series_may_start_late_and_end_early(gold, mode):
    series, _ = gold
    part = series.with_bars(series.bars[50:120])

    rows = run(feeds.BulkData(series), feeds.BulkData(part, name="part"), **mode).rows

    assert len(rows) == len(series)
    assert rows[49][1] is None
    assert rows[50][1][0] == 1
    assert rows[-1][1][0] == 70


def test_a_feed_runs_again_from_its_first_bar(gold):
    series, _ = gold
    data = feeds.BulkData(series)

    assert run(data).rows == run(data).rows


def test_a_feed_knows_its_name_symbol_and_grid(gold):
    series, calendar = gold
    data = feeds.BulkData(series)
    days = feeds.BulkData(feeds.resample(series, 1440 * MINUTE, calendar), name="days")

    assert (data._name, data.symbol, data.series) == ("XAUUSD", "XAUUSD", series)
    assert (data._timeframe, data._compression) == (bt.TimeFrame.Minutes, 15)
    assert (days._name, days._timeframe, days._compression) == ("days", bt.TimeFrame.Days, 1)
    assert feeds.BulkData(dataname=series).series is series


def test_a_filter_sees_every_bar(gold):
    series, _ = gold
    data = feeds.BulkData(series)
    data.addfilter(lambda feed: feed.volume[0] < 1_500 and not feed.backwards())

    kept = [row[0][6] for row in run(data).rows]

    assert kept == [v for v in series.bars["volume"].tolist() if v >= 1_500]
    assert 0 < len(kept) < len(series)


def test_a_clone_resampled_by_backtrader_holds_the_same_extremes(gold):
    series, _ = gold
    data = feeds.BulkData(series)
    clone = data.clone()
    clone.resample(timeframe=bt.TimeFrame.Minutes, compression=60)

    rows = run(data, clone).rows

    assert rows[-1][1][3] == max(row[0][3] for row in rows[-4:])


def test_an_exact_time_comes_back_from_the_float_day():
    times = np.arange(1_577_836_800_000, 1_893_456_000_000, 86_399_777) * 1_000_000

    assert all(exact_ns(float_day(int(t))) == t for t in times)


class Late(bt.Strategy):
    """Notes which bars are told as history."""

    def __init__(self):
        self.late = []

    def next(self):
        if self.data.catching_up:
            self.late.append(self.data.bars["start"].item(len(self.data) - 1))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cut", [{}, {"fromdate": datetime(2024, 3, 6)}], ids=["whole", "cut"])
def test_a_bar_says_whether_it_came_from_history(gold, mode, cut):
    series, _ = gold
    late = np.zeros(len(series), bool)
    late[[0, 1, 150]] = True

    strategy = run(feeds.BulkData(series, late=late, **cut), strategy=Late, **MODES[mode])

    expected = series.bars["start"][late].tolist()
    assert strategy.late == (expected[2:] if cut else expected)


def test_no_bar_comes_from_history_unless_it_is_said(gold):
    assert run(feeds.BulkData(gold[0]), strategy=Late).late == []


def test_every_bar_is_late_or_not(gold):
    with pytest.raises(ValueError, match=r"late has 3 items, the series \d+ bars"):
        feeds.BulkData(gold[0], late=np.ones(3, bool))
