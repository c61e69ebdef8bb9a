"""The mode matrix through Kite's wire: real days, the genuine SDK, the same trades to the cent.

A stream tells a bar's prices, not the way between them, so the replay that is like it is one in
which each price is a trade; `verify` feeds what each session recorded to the backtest.
`TOLA_KITE_DAYS=60` runs so many days in place of the few (a minute or two for 60).
"""

from __future__ import annotations

import os

import pandas as pd
import pytest

from live.build import SessionTerms
from tests.live.kite_sessions import run_modes
from tests.live.sessions import flags_of

STRATEGY = "nifty_smc"
FIRST, LAST = "2021-07-22", "2021-07-29"
"""Three days with three trades, after three that are history."""
DAY_BARS = 75
HISTORY_DAYS = 3
DAYS = int(os.environ.get("TOLA_KITE_DAYS", "0"))


def last_day(real_data):
    """Return the day on which the sessions end."""
    if not DAYS:
        return LAST
    bars = pd.read_csv(real_data / "nifty50_1m.csv.gz", usecols=["datetime"])
    days = bars["datetime"].str[:10].unique()
    wanted = days[days >= FIRST][HISTORY_DAYS : HISTORY_DAYS + DAYS]
    return str(wanted[-1])


@pytest.fixture(scope="module")
def modes(real_data, tmp_path_factory):
    """What each way to run the days came to."""
    flags = flags_of(real_data, "nifty", **{"from": FIRST, "to": last_day(real_data)})
    terms = SessionTerms(history_bars=HISTORY_DAYS * DAY_BARS)
    return run_modes(STRATEGY, flags, tmp_path_factory.mktemp("modes"), terms)


def test_trades_are_the_same_on_a_replay_on_paper_and_through_the_exchange(modes):
    replayed, paper, orders = (modes[name].trades for name in modes)

    assert len(replayed) >= 3
    assert paper == replayed
    assert orders == replayed


def test_the_money_is_the_same_to_the_last_bit(modes):
    worths = {name: each.result.built.broker.getvalue() for name, each in modes.items()}

    assert len(set(worths.values())) == 1


@pytest.mark.parametrize("name", ["replayed", "paper through the SDK", "orders through the SDK"])
def test_the_backtest_over_what_was_recorded_makes_those_trades(modes, name):
    session = modes[name]

    assert session.proof.findings == []
    assert session.proof.withheld == []
    assert session.proved_trades == session.trades


@pytest.mark.parametrize("name", ["paper through the SDK", "orders through the SDK"])
def test_the_bars_the_strategy_saw_are_those_of_the_file(modes, name):
    (plan,) = modes[name].result.built.plans
    own = plan.loaded.series.bars

    seen = plan.bars[-len(own) :]

    assert len(own) >= (HISTORY_DAYS + 3) * (DAY_BARS - 1)
    for field in ("start", "end", "open", "high", "low", "close"):
        assert (seen[field] == own[field]).all()


def test_nothing_was_left_open_at_the_venue(modes):
    last = modes["orders through the SDK"].result

    assert last.exit_reason == "end of data"
    assert [plan.position_steps for plan in last.built.broker.plans if plan.position_steps] == []
