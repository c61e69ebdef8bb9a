"""The exchange under anything that may be asked of it: its books, money and ledger agree."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.events import OrderStatus
from core.matching.book import Book, market_record
from core.matching.records import FILL_EVENT, read_events
from core.orders import OrderKind, OrderRequest, Role, Side, TimeInForce
from sandbox.account import Account, AccountTerms
from sandbox.board import Board
from sandbox.course import Course, replayed
from sandbox.exchange import Exchange
from sandbox.faults import FaultPlan
from sandbox.orders import Contract, OrderTerms, Refusal, Refused
from tests.sandbox.market import CALM, LOT, MINUTE, OPEN, day

FUT = "FUT"


class Desk:
    """An exchange with one account, and what it told."""

    def __init__(self, rows, *, hedging=False, cash=10_000_000.0, ticks="path", start=OPEN - 1):
        made = day(rows)
        made = replayed(made.series, instrument=made.instrument, ticks=ticks)
        course = Course([made], start)
        self.exchange = Exchange(course, Board(course, 0), FaultPlan())
        self.exchange.list_contracts([Contract(FUT, "NIFTY-FUT")])
        self.account = Account("me", AccountTerms(cash, hedging))
        self.exchange.open_account(self.account)
        self.fills, self.steps, self.count = [], course.steps(), 0
        self.exchange.floor.on_fill = self.fills.append

    def go(self, steps=1):
        for _ in range(steps):
            step = next(self.steps, None)
            if step is not None:
                self.exchange.take(step)

    def place(self, side, quantity, kind=OrderKind.MARKET, price=None, **given):
        self.count += 1
        terms = OrderTerms(FUT, side, quantity, kind, price, **given)
        number, self.count = self.count, self.count + len(terms.children)
        children = range(number + 1, self.count + 1)
        return self.exchange.place("me", number, terms, children=children)

    def bracket(self, quantity=LOT, stop=24995.0, target=25005.0, **given):
        """Buy with a stop below and a target above; return all three orders."""
        children = (
            OrderTerms(FUT, Side.SELL, quantity, OrderKind.STOP, stop, role=Role.STOP),
            OrderTerms(FUT, Side.SELL, quantity, OrderKind.LIMIT, target, role=Role.TARGET),
        )
        entry = self.place(Side.BUY, quantity, children=children, **given)
        return entry, *(self.exchange.orders[number] for number in entry.children)


def test_a_hedging_account_holds_opposite_positions_beside_each_other():
    desk = Desk([CALM], hedging=True)
    desk.go(2)

    long = desk.place(Side.BUY, LOT)
    desk.place(Side.SELL, LOT)
    closing = desk.place(Side.SELL, LOT, position_id=str(long.number), reduces=True)

    assert closing.status is OrderStatus.FILLED
    assert [(held.position_id, held.quantity) for held in desk.account.positions()] == [("2", -LOT)]


def test_an_order_before_the_first_price_is_of_that_days_lot():
    desk = Desk([CALM, CALM], start=OPEN + MINUTE)

    order = desk.place(Side.BUY, LOT)
    desk.go(2)

    assert (order.status, order.filled) == (OrderStatus.FILLED, LOT)


@pytest.mark.parametrize(("ticks", "price"), [("path", 24995.0), ("trades", 24990.0)])
def test_a_price_walks_to_the_next_one_or_jumps(ticks, price):
    desk = Desk([CALM], ticks=ticks)
    desk.go(3)
    order = desk.place(Side.BUY, LOT, OrderKind.LIMIT, 24995.0)

    desk.go()

    assert order.average == price


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


@pytest.mark.parametrize("hedging", [False, True])
def test_of_a_bracket_the_child_that_fills_ends_the_other(hedging):
    desk = Desk([CALM], hedging=hedging)
    desk.go(2)

    entry, stop, target = desk.bracket()

    assert [order.status.name for order in (entry, stop, target)] == [
        "FILLED",
        "WORKING",
        "WORKING",
    ]
    desk.go()
    assert [order.status.name for order in (stop, target)] == ["CANCELLED", "FILLED"]
    assert target.average == 25005.0
    assert desk.account.positions() == []


def test_children_wait_for_their_parent_and_end_with_it():
    desk = Desk([CALM])
    desk.go(2)
    entry, stop, target = desk.bracket(kind=OrderKind.LIMIT, price=24900.0, stop=24890.0)
    assert {stop.status, target.status} == {OrderStatus.HELD}

    desk.exchange.cancel("me", entry.number)

    assert {entry.status, stop.status, target.status} == {OrderStatus.CANCELLED}


def test_a_childs_price_can_be_moved_and_its_quantity_cannot():
    desk = Desk([CALM])
    desk.go(2)
    _, stop, target = desk.bracket(target=25100.0)

    desk.exchange.change("me", stop.number, price=24992.0)
    with pytest.raises(Refused) as caught:
        desk.exchange.change("me", target.number, quantity=2.0 * LOT)

    desk.go(2)
    assert caught.value.why is Refusal.BRACKET
    assert (stop.average, target.status) == (24992.0, OrderStatus.CANCELLED)


def test_a_bracket_that_is_rejected_leaves_no_child():
    desk = Desk([CALM], cash=100.0)
    desk.go(2)

    entry, stop, target = desk.bracket()

    assert entry.status is OrderStatus.REJECTED
    assert {stop.status, target.status} == {OrderStatus.CANCELLED}
    assert desk.exchange.working == {}


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
    st.tuples(st.just("bracket"), st.integers(1, 3), prices, prices),
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
            elif what == "bracket":
                lots, one, other = given_
                desk.bracket(lots * LOT, min(one, other), max(one, other))
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


at_closes = st.lists(
    st.tuples(
        st.integers(0, 5), sides, st.integers(1, 3),
        st.sampled_from([OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP]), prices,
    ),
    max_size=8,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(bars, min_size=6, max_size=6), at_closes)
def test_orders_sent_at_a_close_fill_as_in_a_backtest_that_walks_by_nearest(rows, orders):
    made = day(rows)
    facts = made.instrument.without_margin().facts(int(made.series.bars["day"][-1]))
    book = Book(market_record(facts, intrabar="nearest"))
    desk = Desk(rows, cash=10**12)
    told = made.series.bars[1:]
    expected, number = [], 0

    for place in range(len(rows)):
        book.walk(told, place)
        expected += [
            (event.order_id, event.quantity * facts.lot, event.price)
            for event in read_events(book.events[0, : book.state.events])
            if event.kind == FILL_EVENT
        ]
        while desk.exchange.now < int(told["end"][place]):
            desk.go()
        for at, side, lots, kind, price in orders:
            if at != place or place == len(rows) - 1:
                continue
            number += 1
            price = None if kind is OrderKind.MARKET else price
            desk.place(side, lots * LOT, kind, price)
            request = OrderRequest(number, "me", FUT, side, lots * LOT, kind, price)
            book.add(request, day=int(told["day"][place]))

    assert [(fill.order, fill.quantity, fill.price) for fill in desk.fills] == expected
    assert sum(held.quantity for held in desk.account.positions()) == book.steps * facts.lot
