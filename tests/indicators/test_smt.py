"""SMT divergence and the dollar filter."""

import numpy as np
import pandas as pd
import pytest

import indicators
from tests.indicators.series import frame_of

GOLD_LOWS = {4: 2012.0, 10: 2008.5}


def gold(second=2008.5, bars=16):
    """Hourly gold whose two swing lows (left = right = 2) stand at rows 4 and 10."""
    lows = np.full(bars, 2020.0)
    lows[4], lows[10] = 2012.0, second
    for centre in (4, 10):
        lows[[centre - 1, centre + 1]] = 2016.0
        lows[[centre - 2, centre + 2]] = 2018.0
    rows = [[low + 2, low + 4, low, low + 2] for low in lows]
    rows[7][1] = 2040.0
    return frame_of(rows, step="1h")


def dollar(first_high, second_high, bars=16, step="1h"):
    """Dollar index that peaks at gold's two lows."""
    rows = [[103, 103.5, 102.5, 103] for _ in range(bars)]
    rows[4][1], rows[10][1] = first_high, second_high
    return frame_of(rows, step=step)


def divergences(*args, **values):
    found = indicators.smt(*args, **{"left": 2, "right": 2, **values})["smt"]
    return {row: int(value) for row, value in enumerate(found) if value}


def test_a_lower_gold_low_without_a_higher_dollar_high_is_bullish():
    assert divergences(gold(), dollar(104.30, 104.10)) == {12: 1}


def test_a_dollar_that_confirms_gives_no_divergence():
    assert divergences(gold(), dollar(104.30, 104.45)) == {}


def test_equal_dollar_highs_are_no_divergence():
    assert divergences(gold(), dollar(104.30, 104.30)) == {}


def test_a_higher_gold_low_is_never_a_bullish_divergence():
    assert divergences(gold(second=2013.0), dollar(104.30, 104.10)) == {}


def test_silver_diverges_when_its_own_low_holds():
    silver = [[25, 26, 24.5, 25] for _ in range(16)]
    silver[4][2], silver[10][2] = 23.0, 23.2

    assert divergences(gold(), frame_of(silver, step="1h"), inverse=False) == {12: 1}

    silver[10][2] = 22.9
    assert divergences(gold(), frame_of(silver, step="1h"), inverse=False) == {}


def test_swings_further_apart_than_max_distance_are_not_compared():
    assert divergences(gold(), dollar(104.30, 104.10), max_distance=6) == {12: 1}
    assert divergences(gold(), dollar(104.30, 104.10), max_distance=5) == {}


def test_a_stale_related_series_gives_no_judgement():
    related = dollar(104.30, 104.10).iloc[:11]

    assert divergences(gold(), related, max_stale_hours=2) == {12: 1}
    assert divergences(gold(), related, max_stale_hours=1) == {}


def test_related_bars_not_completed_by_now_are_not_seen():
    # a high of 105 at row 13 lies inside the window of row 10 but after the confirmation at 12
    related = dollar(104.30, 104.10)
    related.iloc[13, 1] = 105.0

    assert divergences(gold(), related) == {12: 1}

    related.iloc[12, 1] = 105.0
    assert divergences(gold(), related) == {}


def expected_filter(gold_frame, dollar_frame, minutes):
    """The rule of section 11 and 17.4a-19 written with pandas, one row per gold bar."""
    ends = gold_frame.index + pd.Timedelta(minutes=minutes)
    own_hour = gold_frame.index.floor("h")
    own = gold_frame["close"].groupby(own_hour).last()
    other = dollar_frame["close"]
    ema = other.copy()
    ema[:] = np.nan
    ema.iloc[19] = other.iloc[:20].mean()
    for i in range(20, len(other)):
        ema.iloc[i] = ema.iloc[i - 1] + (other.iloc[i] - ema.iloc[i - 1]) * 2 / 21
    both = pd.concat([own, other], axis=1, join="inner", keys=["own", "other"])
    returns = np.log(both).diff()
    rho = returns["own"].rolling(50).corr(returns["other"])
    rho.iloc[:52] = np.nan
    slope = ema - ema.shift(3)
    rows = []
    for end in ends:
        done = end - pd.Timedelta("1h")
        known = rho.loc[:done]
        seen = slope.loc[:done]
        age = end - (dollar_frame.index[dollar_frame.index <= done].max() + pd.Timedelta("1h"))
        rows.append(
            (
                known.iloc[-1] if len(known) else np.nan,
                seen.iloc[-1] if len(seen) else np.nan,
                bool(pd.isna(age) or age > pd.Timedelta("24h")),
            )
        )
    return pd.DataFrame(rows, columns=["rho", "slope", "stale"], index=gold_frame.index)


@pytest.mark.parametrize("name", ["xauusd_15m", "xauusd_5m"])
def test_the_dollar_filter_equals_the_rule_written_with_pandas(real_data, name):
    minutes = int(name[7:-1])
    own = pd.read_csv(real_data / f"{name}.csv.gz", index_col=0, parse_dates=True).iloc[3000:9000]
    dollar_index = pd.read_csv(real_data / "dxy_1h.csv.gz", index_col=0, parse_dates=True)
    other = dollar_index.loc[own.index[0] - pd.Timedelta("3D") : own.index[-1]]

    readings = indicators.dxy(own, other)

    wanted = expected_filter(own, other, minutes)
    np.testing.assert_allclose(readings["rho"], wanted["rho"], rtol=0, atol=1e-8)
    np.testing.assert_allclose(readings["slope"], wanted["slope"], rtol=0, atol=1e-9)
    missing = wanted["stale"] | wanted["rho"].isna() | wanted["slope"].isna()
    neutral = missing | (wanted["rho"] > -0.3)
    assert (readings["missing"] == missing).all()
    assert (readings["long_ok"] == (neutral | (wanted["slope"] < 0))).all()
    assert (readings["short_ok"] == (neutral | (wanted["slope"] > 0))).all()
    assert not missing.all()


def mirrored_hours(hours, slope=-0.01, seed=3):
    """Hourly gold and a dollar index that moves against it."""
    rng = np.random.default_rng(seed)
    close = 2000 + np.cumsum(rng.normal(size=hours))
    own = frame_of([[c, c + 1, c - 1, c] for c in close], step="1h")
    other = frame_of([[c, c + 1, c - 1, c] for c in 100 + slope * (close - 2000)], step="1h")
    return own, other


def test_fewer_than_53_common_hours_are_neutral():
    own, other = mirrored_hours(60)

    readings = indicators.dxy(own, other)

    assert readings["missing"].tolist() == [1] * 52 + [0] * 8
    assert readings["long_ok"].iloc[:52].all()


def test_a_missing_dollar_index_blocks_both_sides_only_when_asked_to():
    own, other = mirrored_hours(60)

    passing = indicators.dxy(own, other.iloc[:0])
    blocking = indicators.dxy(own, other.iloc[:0], missing="block")

    assert passing[["long_ok", "short_ok"]].all(axis=None)
    assert not blocking[["long_ok", "short_ok"]].any(axis=None)


def test_a_falling_dollar_passes_longs_and_refuses_shorts():
    own, other = mirrored_hours(80)
    other["close"] -= np.linspace(0, 5, 80)

    last = indicators.dxy(own, other).iloc[-1]

    assert (last["decoupled"], last["long_ok"], last["short_ok"]) == (0, 1, 0)


def test_a_dollar_that_does_not_move_is_neutral():
    own, other = mirrored_hours(80, slope=0.0)

    last = indicators.dxy(own, other).iloc[-1]

    assert (last["missing"], last["long_ok"], last["short_ok"]) == (1, 1, 1)


def test_a_positively_correlated_dollar_is_decoupled_and_neutral():
    own, other = mirrored_hours(80, slope=0.01)

    last = indicators.dxy(own, other).iloc[-1]

    assert (last["decoupled"], last["long_ok"], last["short_ok"]) == (1, 1, 1)


def test_the_dollar_goes_stale_after_24_hours():
    own, other = mirrored_hours(120)

    readings = indicators.dxy(own, other.iloc[:80])

    assert readings["missing"].iloc[103] == 0
    assert readings["missing"].iloc[104] == 1


def test_an_hour_is_complete_only_when_the_bar_ends_it():
    own, other = mirrored_hours(60)
    quarters = own.loc[own.index.repeat(4)]
    index = pd.date_range(own.index[0], periods=240, freq="15min")

    readings = indicators.dxy(quarters.set_axis(index, axis=0), other)

    changes = np.flatnonzero(readings["slope"].diff().fillna(0.0) != 0.0)
    assert set(changes % 4) == {3}
