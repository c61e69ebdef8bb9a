"""Backtest and paper through the live broker: two months of real prices, brackets of both kinds.

All the while the exchange's own books are compared with ours, and differ in nothing.

A stop that is an order of ours is placed after the price that filled its entry: where that very
price event would have filled the stop too, it fills later. Nothing else may differ.
"""

import itertools

import pytest

from core.events import Bars
from live.build import SessionTerms, build_paper
from tests.live.sessions import backtest_of, flags_of, request_of, trades_of

DAYS = {"from": "2025-02-03", "to": "2025-04-01"}
FOLLOWS_EQUITY = ("quantity", "pnl", "costs", "planned_risk")
OF_THE_EXIT = ("exit_price", "r_multiple", "mae_r", *FOLLOWS_EQUITY)


class Numbers:
    """Numbers events and keeps none."""

    def __init__(self):
        self._count = itertools.count(1)

    def append(self, event):
        return next(self._count)


@pytest.fixture(scope="module")
def two_months(real_data, tmp_path_factory):
    request = request_of(
        "gold_smc", flags_of(real_data, "gold", **DAYS), tmp_path_factory.mktemp("account")
    )
    return request, backtest_of(request).broker


def session_of(request, brackets, every=50):
    """Run a session; each so many bars compare its books with the exchange's own."""
    built = build_paper(
        request.account, request.loaded, request.flats, SessionTerms(brackets=brackets),
        recorder=Numbers(),
    )  # fmt: skip
    bars, found = itertools.count(1), []

    def ask(event):
        if isinstance(event, Bars) and next(bars) % every == 0:
            built.port.request_snapshot(0, 0)

    built.engine.on_event = ask
    built.engine.on_snapshot = lambda snapshot: found.extend(built.broker.hear_snapshot(snapshot))
    built.cerebro.run()
    assert next(bars) > 10 * every and found == []
    return built.broker


def test_native_brackets_give_the_backtests_trades_bit_for_bit(two_months):
    request, backtest = two_months

    broker = session_of(request, "native")

    assert trades_of(broker) == trades_of(backtest)
    assert len(trades_of(backtest)) > 15
    assert broker.getvalue() == backtest.getvalue()


def test_kept_brackets_differ_only_where_the_entrys_own_price_fills_the_stop(two_months):
    request, backtest = two_months

    broker = session_of(request, "kept")

    pairs = list(zip(trades_of(broker), trades_of(backtest), strict=True))
    differing = [pair for pair in pairs if differs(*pair, besides=FOLLOWS_EQUITY)]
    assert len(differing) <= len(pairs) / 10
    for trade, expected in differing:
        assert expected["entry_bar"] == expected["exit_bar"]
        assert expected["exit_reason"] == "stop"
        assert not differs(trade, expected, besides=OF_THE_EXIT)
    assert broker.plans[0].unprotected_since is None
    assert {after for _, after in broker.protected_after} <= {0}


def differs(trade, expected, besides):
    """Whether two trades differ in more than some fields."""
    rows = ({key: row[key] for key in row if key not in besides} for row in (trade, expected))
    return _rounded(next(rows)) != _rounded(next(rows))


def _rounded(row):
    """Return a row whose multiples of R are free of what sizes add to their last digits."""
    return {key: round(item, 2) if key.endswith("_r") or key == "r_multiple" else item
            for key, item in row.items()}  # fmt: skip
