"""The exchange under anything that may be asked of it: its books, money and ledger agree."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.events import OrderStatus
from core.orders import OrderKind, Side, TimeInForce
from sandbox.account import Account, AccountTerms
from sandbox.board import Board
from sandbox.course import Course
from sandbox.exchange import Exchange
from sandbox.faults import FaultPlan
from sandbox.orders import Contract, OrderTerms, Refusal, Refused
from tests.sandbox.market import CALM, LOT, OPEN, day

FUT = "FUT"


class Desk:
    """An exchange with one account, and what it told."""

    def __init__(self, rows, *, hedging=False, cash=10_000_000.0):
        course = Course([day(rows)], OPEN - 1)
        self.exchange = Exchange(course, Board(course, 0), FaultPlan())
        self.exchange.list_contracts([Contract(FUT, "NIFTY-FUT")])
        self.account = Account("me", AccountTerms(cash, hedging))
        self.exchange.open_account(self.account)
        self.fills, self.steps, self.count = [], course.steps(), 0
        self.exchange.on_fill = self.fills.append

    def go(self, steps=1):
        for _ in range(steps):
            step = next(self.steps, None)
            if step is not None:
                self.exchange.take(step)

    def place(self, side, quantity, kind=OrderKind.MARKET, price=None, **given):
        self.count += 1
        terms = OrderTerms(FUT, side, quantity, kind, price, **given)
        return self.exchange.place("me", self.count, terms)


def test_a_hedging_account_holds_opposite_positions_beside_each_other():
    desk = Desk([CALM], hedging=True)
    desk.go(2)

    long = desk.place(Side.BUY, LOT)
    desk.place(Side.SELL, LOT)
    closing = desk.place(Side.SELL, LOT, position_id=str(long.number), reduces=True)

    assert closing.status is OrderStatus.FILLED
    assert [(held.position_id, held.quantity) for held in desk.account.positions()] == [("2", -LOT)]


def test_a_netting_account_holds_the_sum():
    desk = Desk([CALM])
    desk.go(2)

    desk.place(Side.BUY, 3 * LOT)
    desk.place(Side.SELL, LOT)

    assert [held.quantity for held in desk.account.positions()] == [2 * LOT]


def test_products_are_kept_apart():
    desk = Desk([CALM])
    desk.go(2)

    desk.place(Side.BUY, LOT, product="MIS")
    desk.place(Side.SELL, LOT, product="NRML")

    assert {(held.product, held.quantity) for held in desk.account.positions()} == {
        ("MIS", LOT), ("NRML", -LOT),
    }  # fmt: skip


def test_what_was_earned_becomes_cash_with_the_next_day():
    desk = Desk([CALM])
    desk.go(2)
    desk.place(Side.BUY, LOT)
    desk.go()
    desk.place(Side.SELL, LOT)
    earned = LOT * 10.0 - sum(fill.costs for fill in desk.fills)
    assert desk.account.cash == 10_000_000.0

    desk.account.begin_day()

    assert desk.account.cash == pytest.approx(10_000_000.0 + earned)
    assert desk.account.equity == pytest.approx(desk.account.cash)


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (lambda exchange: exchange.cancel("me", 7), Refusal.UNKNOWN_ORDER),
        (lambda exchange: exchange.cancel("me", 1), Refusal.ENDED),
        (lambda exchange: exchange.change("me", 1, price=1.0), Refusal.ENDED),
        (lambda exchange: exchange.change("me", 2, quantity=1.0), Refusal.NOT_A_LOT),
        (lambda exchange: exchange.change("me", 2, price=0.01), Refusal.OFF_TICK),
        (lambda exchange: exchange.contract("X"), Refusal.UNKNOWN_CONTRACT),
    ],
)
def test_refusals_say_why(ask, why):
    desk = Desk([CALM])
    desk.go(2)
    desk.place(Side.BUY, LOT)
    desk.place(Side.BUY, LOT, OrderKind.LIMIT, 24000.0)

    with pytest.raises(Refused) as caught:
        ask(desk.exchange)

    assert caught.value.why is why


def test_an_order_while_the_market_is_closed_is_rejected():
    desk = Desk([CALM])

    order = desk.place(Side.BUY, LOT)

    assert (order.status, order.reason) == (OrderStatus.REJECTED, "FUT: the market is closed")


prices = st.integers(-400, 400).map(lambda steps: 25000.0 + steps * 0.05)
bars = st.tuples(prices, prices, prices, prices).map(
    lambda four: (four[0], max(four), min(four), four[3])
)
sides = st.sampled_from(list(Side))
asks = st.one_of(
    st.tuples(st.just("go"), st.integers(1, 4)),
    st.tuples(
        st.just("place"), sides, st.integers(1, 4),
        st.sampled_from([OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP]), prices,
        st.sampled_from([TimeInForce.DAY, TimeInForce.IOC]),
        st.one_of(st.none(), st.just(0.001)),
    ),
    st.tuples(st.just("change"), st.integers(1, 9), prices, st.integers(1, 4)),
    st.tuples(st.just("cancel"), st.integers(1, 9)),
    st.tuples(st.just("fault")),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(bars, min_size=2, max_size=5), st.lists(asks, max_size=25), st.booleans())
def test_books_money_and_fills_agree_whatever_is_asked(rows, asked, hedging):
    from sandbox.faults import Fault, Kind

    desk = Desk(rows, hedging=hedging)
    desk.go(2)
    for what, *given_ in asked:
        try:
            if what == "go":
                desk.go(*given_)
            elif what == "place":
                side, lots, kind, price, tif, protection = given_
                price = None if kind is OrderKind.MARKET else price
                desk.place(side, lots * LOT, kind, price, time_in_force=tif,
                           protection=protection, reference=25000.0)  # fmt: skip
            elif what == "change":
                number, price, lots = given_
                desk.exchange.change("me", number, price=price, quantity=float(lots * LOT))
            elif what == "cancel":
                desk.exchange.cancel("me", *given_)
            else:
                desk.exchange._plan.add(Fault(Kind.PARTIAL, count=1))
        except Refused:
            continue
    desk.go(60)

    held = sum(position.quantity for position in desk.account.positions())
    assert held == pytest.approx(sum(fill.side * fill.quantity for fill in desk.fills))
    spent = sum(fill.side * fill.quantity * fill.price for fill in desk.fills)
    costs = sum(fill.costs for fill in desk.fills)
    worth = held * desk.exchange.last_price("NIFTY-FUT")
    assert desk.account.equity == pytest.approx(10_000_000.0 - spent - costs + worth, abs=1e-3)
    for order in desk.exchange.orders.values():
        own = [fill for fill in desk.fills if fill.order == order.number]
        assert order.filled == pytest.approx(sum(fill.quantity for fill in own))
        assert order.filled <= order.terms.quantity + 1e-9 or order.changes
        assert order.status.is_end or order.number in desk.exchange.working
        assert (order.status is OrderStatus.FILLED) == (order.left <= 0 and order.filled > 0)
        times = [state.ts for state in order.states]
        assert times == sorted(times)
        ends = [state for state in order.states if state.status.is_end]
        assert len(ends) <= 1
