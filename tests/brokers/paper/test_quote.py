"""The prices a paper account shows."""

from __future__ import annotations

import pytest

from brokers.paper.venue import PaperVenue
from core.errors import BrokerError
from core.instruments import get_instrument
from tests.brokers.paper.desk import DOLLARS, HOUR, Desk, Market


@pytest.mark.parametrize(
    ("side", "bid", "ask"),
    [("bid", 2000.0, 2000.3), ("ask", 1999.7, 2000.0), ("mid", 1999.85, 2000.15)],
)
def test_a_quote_is_what_a_sell_gets_and_a_buy_pays(side, bid, ask, monkeypatch):
    desk = Desk()
    monkeypatch.setattr(
        "tests.brokers.paper.desk.free",
        lambda symbol: get_instrument(symbol, {"price_side": side}).without_costs(),
    )
    desk.restart()
    desk.price(2000.0, spread=0.3)

    quote = desk.venue.quote("MGC")

    assert (quote.last, quote.bid, quote.ask, quote.ts_event) == (2000.0, bid, ask, desk.now)


def test_before_the_first_price_there_is_none():
    quote = Desk().venue.quote("MGC")

    assert quote.last != quote.last and quote.bid != quote.bid


def test_a_symbol_that_is_not_traded_has_no_quote():
    with pytest.raises(
        BrokerError, match=r"no prices of 'MCG' on this paper account; did you mean 'MGC'\?"
    ):
        Desk().venue.quote("MCG")


def test_a_plan_that_is_not_known_has_no_bars():
    desk = Desk()

    with pytest.raises(BrokerError, match=r"plan 'golt' has no book .* did you mean 'gold'"):
        desk.venue.begin_bar("golt", None)


def test_a_plan_is_added_once():
    venue = PaperVenue(lambda event: None, Market(), 1.0)
    instrument = get_instrument("MGC")
    venue.add_plan("gold", instrument, DOLLARS, HOUR)

    with pytest.raises(BrokerError, match="plan gold has a book on this paper account already"):
        venue.add_plan("gold", instrument, DOLLARS, HOUR)
