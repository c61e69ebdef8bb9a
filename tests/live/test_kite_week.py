"""A week of real days at Kite: each morning the token dies, and somebody logs in, or late."""

from __future__ import annotations

import numpy as np
import pytest

from live.build import SessionTerms
from tests.live.kite_market import KiteMarket
from tests.live.sessions import ROOT, flags_of, request_of

STRATEGY = f"{ROOT}/tests/live/plain.py:EveryBars"
"""It enters in the morning; its stop and target are too far to be met on these days."""
BEFORE = "2022-12-02"
MON, TUE, WED, THU, FRI = (f"2022-12-{day:02d}" for day in range(5, 10))
DAY_BARS = 75
_MINUTE_NS = 60_000_000_000


def at(day, clock):
    """Return a time of Mumbai's clock, ns UTC."""
    return int(np.datetime64(f"{day}T{clock}", "ns").astype(np.int64)) - 330 * _MINUTE_NS


def live_through(market):
    """Let the week pass: after each morning's alert somebody logs in, on two days too late."""
    market.play_until(at(MON, "15:30"))

    market.sleep_until(at(TUE, "06:06"))
    market.alerted(1)
    market.sleep_until(at(TUE, "08:30"))
    market.login()
    market.play_until(at(TUE, "15:30"))

    market.sleep_until(at(WED, "06:06"))
    market.alerted(2)
    market.play_unseen_until(at(WED, "10:05"))
    market.login()
    market.play_until(at(WED, "15:30"))

    market.play(1)  # nobody looked before the open: the first price shows it
    market.alerted(3)
    market.login()
    market.play_until(at(THU, "12:00"))
    market.box.call(market.box.face.expire_tokens)  # with an open position
    market.alerted(4)
    market.play_unseen_until(at(THU, "12:40"))
    market.login()
    market.play_until(at(THU, "15:30"))

    market.sleep_until(at(FRI, "06:06"))
    market.alerted(5)
    market.login()
    while market.play(50):
        pass


@pytest.mark.parametrize("orders", [False, True], ids=["paper", "orders"])
def test_a_week_of_tokens_that_die_loses_no_bar_and_no_square_off(real_data, tmp_path, orders):
    flags = flags_of(real_data, "nifty", **{"from": BEFORE, "to": FRI})
    flags |= {"params": ["every=5", "points=250.0", "size=75"], "risk": "nifty_intraday"}
    terms = SessionTerms(history_bars=DAY_BARS)
    request = request_of(STRATEGY, flags, tmp_path, terms=terms)

    with KiteMarket(request, orders=orders, whole_bars=True) as market:
        live_through(market)
        result = market.finish()
        bars, _ = market.bars()

    (plan,) = request.loaded
    for name in ("start", "end", "open", "high", "low", "close"):
        assert np.array_equal(bars[name], plan.series.bars[name]), name
    trades = result.built.broker.ledger.trades
    assert [trade.exit_reason for trade in trades] == ["flat_time"] * 5
    assert [trade.exit_bar for trade in trades] == [
        at(day, "15:15") for day in (MON, TUE, WED, THU, FRI)
    ]
    asked = [text for text in market.told("token") if "python run.py login kite" in text]
    assert len(asked) == 5
