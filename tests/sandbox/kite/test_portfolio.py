"""Positions, funds, margins and charges: each against a sum done by hand."""

from __future__ import annotations

import pytest
from kiteconnect.exceptions import InputException, OrderException

from sandbox.account import AccountTerms
from tests.sandbox.kite.client import USER, connect
from tests.sandbox.kite.test_orders import place
from tests.sandbox.market import CALM, DAY_BEFORE, FUTURE, LOT, day, minutes

ORDER = {
    "exchange": "NFO", "tradingsymbol": FUTURE, "transaction_type": "SELL", "variety": "regular",
    "product": "NRML", "order_type": "MARKET", "quantity": LOT, "price": 0, "trigger_price": 0,
}  # fmt: skip


def test_a_closed_trade_stands_in_both_books_with_its_profit(box, kite):
    box.play()
    place(kite, kind="MARKET")
    box.play()
    place(kite, "SELL", "MARKET")

    positions = kite.positions()

    for row in (positions["net"][0], positions["day"][0]):
        assert row["quantity"] == 0
        assert (row["buy_price"], row["sell_price"]) == (25000.0, 25010.0)
        assert row["pnl"] == pytest.approx(LOT * 10.0)
        assert row["realised"] == pytest.approx(LOT * 10.0)
        assert row["unrealised"] == pytest.approx(0.0)


def test_an_open_position_is_marked_at_the_last_price(box, kite):
    box.play()
    place(kite, kind="MARKET", quantity=2 * LOT)
    box.play(2)

    (row,) = kite.positions()["net"]

    assert (row["quantity"], row["average_price"], row["last_price"]) == (2 * LOT, 25000.0, 24990.0)
    assert row["unrealised"] == pytest.approx(2 * LOT * -10.0)
    assert row["pnl"] == pytest.approx(-500.0)


def test_a_position_of_yesterday_is_carried(start):
    import numpy as np

    from sandbox.course import replayed

    first = day([CALM])
    later = minutes(
        [(25100.0,) * 4] * 2, start=int(first.series.bars["start"][-1]) + 86_400 * 10**9
    )
    series = first.series.with_bars(np.concatenate([first.series.bars, later]))
    box = start(replayed(series, instrument=first.instrument))
    kite = connect(box)
    box.play()
    place(kite, kind="MARKET")
    box.play(5)
    kite = connect(box)

    positions = kite.positions()

    (row,) = positions["net"]
    assert positions["day"] == []
    assert (row["overnight_quantity"], row["quantity"], row["average_price"]) == (LOT, LOT, 25000.0)
    assert row["close_price"] == 25005.0
    assert row["pnl"] == pytest.approx(LOT * 100.0)
    assert row["m2m"] == pytest.approx(LOT * 95.0)
    assert kite.orders() == []


def test_funds_add_up(start):
    box = start(accounts={USER: AccountTerms(cash=500_000.0)})
    kite = connect(box)
    box.play()
    place(kite, kind="MARKET")
    box.play(2)

    equity = kite.margins()["equity"]

    used = equity["utilised"]
    margin = 0.12 * 24990.0 * LOT
    (fill,) = box.ledger.rows("fills")
    assert used["span"] + used["exposure"] == pytest.approx(margin)
    assert used["m2m_unrealised"] == pytest.approx(-10.0 * LOT)
    assert equity["net"] == pytest.approx(500_000.0 - 10.0 * LOT - fill["costs"] - margin)
    assert kite.margins("equity")["net"] == equity["net"]
    assert kite.margins("commodity")["net"] == 0.0


def test_a_working_order_holds_margin(box, kite):
    box.play()
    before = kite.margins("equity")["net"]

    place(kite, price=24900.0)

    assert before - kite.margins("equity")["net"] == pytest.approx(0.12 * 25000.0 * LOT)


def test_what_an_order_would_block_and_cost(box, kite):
    box.play()

    (margin,) = kite.order_margins([ORDER])

    turnover = 25000.0 * LOT
    assert margin["total"] == pytest.approx(0.12 * turnover)
    assert margin["charges"]["transaction_tax"] == round(0.000125 * turnover)
    assert margin["charges"]["brokerage"] == 20.0
    parts = ("transaction_tax", "exchange_turnover_charge", "sebi_turnover_charge", "brokerage",
             "stamp_duty")  # fmt: skip
    gst = margin["charges"]["gst"]["total"]
    total = sum(margin["charges"][name] for name in parts) + gst
    assert margin["charges"]["total"] == pytest.approx(total)


def test_a_basket_counts_what_stands_against_each_other(box, kite):
    box.play()

    basket = kite.basket_order_margins([ORDER, ORDER | {"transaction_type": "BUY"}])

    assert basket["initial"]["total"] == pytest.approx(2 * 0.12 * 25000.0 * LOT)
    assert basket["final"]["total"] == 0.0


def test_a_contract_note_tells_the_charges_of_what_was_filled(box, kite):
    box.play()

    (note,) = kite.get_virtual_contract_note([ORDER | {"order_id": "1", "average_price": 25000.0}])

    assert note["charges"]["transaction_tax"] == 78.0
    assert note["tradingsymbol"] == FUTURE


def test_margins_of_nonsense_are_refused(box, kite):
    with pytest.raises(InputException):
        kite.order_margins([ORDER | {"tradingsymbol": "NOTHING"}])
    with pytest.raises(InputException):
        kite.order_margins([])


def test_intraday_positions_are_closed_before_the_session_is(start):
    close = int(minutes([CALM], DAY_BEFORE)["close_at"][0]) + 86_400 * 10**9
    box = start(day([CALM] * 8, start=close - 8 * 60 * 10**9))
    kite = connect(box)
    box.play()
    place(kite, kind="MARKET", product="MIS")
    stop = place(kite, "SELL", "SL-M", trigger_price=24900.0, product="MIS")

    box.play_until(close)

    assert kite.positions()["net"][0]["quantity"] == 0
    assert kite.order_history(stop)[-1]["status"] == "CANCELLED"
    closing = box.ledger.rows("orders")[-1]
    assert (closing["author"], closing["side"]) == ("exchange", "SELL")


def test_what_expires_is_settled_at_the_last_price(start):
    from datetime import date

    from sandbox.course import generated

    box = start(generated("NIFTY-FUT", date(2024, 9, 25), date(2024, 9, 27), seed=3),
                accounts={USER: AccountTerms(cash=10**7)})  # fmt: skip
    kite = connect(box)
    box.play()
    place(kite, kind="MARKET")

    box.play_until(box.exchange.session_close("NIFTY-FUT"))

    settled = box.ledger.rows("fills")[-1]
    assert (settled["order_id"], settled["side"], settled["costs"]) == ("0", "SELL", 0.0)
    assert settled["price"] == box.exchange.last_price("NIFTY-FUT")
    assert kite.positions()["net"][0]["quantity"] == 0


def test_holdings_are_those_of_the_settings(start):
    share = {"tradingsymbol": "RELIANCE", "exchange": "NSE", "quantity": 2, "product": "CNC"}
    kite = connect(start(settings={"holdings": [share]}))

    assert kite.holdings() == [share]
    assert kite.get_auction_instruments() == []


def test_accounts_do_not_see_each_other(start):
    box = start(accounts={USER: AccountTerms(), "YY1111": AccountTerms(cash=50_000.0)})
    mine, other = connect(box), connect(box, "YY1111")
    box.play()
    order_id = place(mine, kind="MARKET")

    assert [len(kite.orders()) for kite in (mine, other)] == [1, 0]
    assert other.positions()["net"] == []
    assert other.margins("equity")["net"] == 50_000.0
    with pytest.raises(OrderException, match="Couldn't find"):
        other.order_history(order_id)
