"""One account in one shape, at a netting exchange and at a hedging broker alike."""

from __future__ import annotations

import threading
from dataclasses import fields, is_dataclass

import pytest

from brokers.errors import AuthError, Disconnected, OutcomeUnknown, VenueError
from brokers.port_sight import PortSight
from brokers.unified import (
    AccountState,
    NewOrder,
    OpenPosition,
    Quote,
    Receipt,
    UnifiedAccount,
    WorkingOrder,
)
from core.errors import ConfigError
from core.events import (
    AccountUpdate,
    Link,
    LinkState,
    OrderStatus,
    OrderUpdate,
    Outcome,
    PositionUpdate,
    Ticks,
)
from core.orders import Side
from tests.brokers.ports import FakePort, bars_of, ticks_of
from tests.brokers.venues import bazaar_capabilities, meridian_capabilities

HOUR = 3_600_000_000_000
SECOND = 1_000_000_000


class Desk:
    """Hands that write down what they were asked."""

    def __init__(self):
        self.asked = []

    def execute(self, order):
        self.asked.append(("execute", order))
        return Receipt(Outcome.ACCEPTED, "sent", "7")

    def modify(self, order_id, price, limit, quantity):
        self.asked.append(("modify", order_id, price, limit, quantity))
        return Receipt(Outcome.ACCEPTED, "asked", order_id)

    def cancel(self, order_id):
        self.asked.append(("cancel", order_id))
        return Receipt(Outcome.UNKNOWN, "no answer", order_id)

    def close(self, symbol, share):
        self.asked.append(("close", symbol, share))
        return Receipt(Outcome.REFUSED, "refused", rule="gap")


@pytest.fixture(params=["bazaar", "meridian"])
def venue(request):
    """A connected sight of each venue, with its port."""
    made = {}
    table = {"bazaar": bazaar_capabilities, "meridian": meridian_capabilities}[request.param]()

    def make(emit):
        made["port"] = FakePort(table, emit)
        return made["port"]

    with PortSight(make, "a", "USD", timeout_secs=5.0, fresh_secs=0.0) as sight:
        yield sight, made["port"]


def impatient(capabilities=bazaar_capabilities, prepare=lambda port: None):
    """Return an unconnected sight that waits a moment only, and its port."""
    made = {}

    def make(emit):
        made["port"] = FakePort(capabilities(), emit)
        prepare(made["port"])
        return made["port"]

    return PortSight(make, "a", "INR", timeout_secs=0.3), made["port"]


# -- what is seen ---------------------------------------------------------------------------------


def test_money_is_told_in_one_shape(venue):
    sight, port = venue
    port.account = AccountUpdate(50_000.0, 50_250.0, 1_200.0, ts_event=9)

    state = UnifiedAccount("a", sight).account()

    assert state == AccountState("a", sight.venue, "USD", 50_000.0, 50_250.0, 1_200.0, True, 9)


def test_positions_are_told_by_direction_and_unsigned_quantity(venue):
    sight, port = venue
    port.positions = (
        PositionUpdate("XAUUSD", -0.5, 2_400.0, "p1", stop=2_410.0, target=2_380.0),
        PositionUpdate("XAUUSD", 0.2, 2_395.0, "p2"),
        PositionUpdate("EURUSD", 0.0, 0.0, "p3"),
    )

    told = UnifiedAccount("a", sight).positions()

    assert told == (
        OpenPosition("XAUUSD", -1, 0.5, 2_400.0, None, None, 2_410.0, 2_380.0, "p1"),
        OpenPosition("XAUUSD", 1, 0.2, 2_395.0, position_id="p2"),
    )


def test_orders_that_work_are_told_and_no_other(venue):
    sight, port = venue
    port.orders = (
        OrderUpdate(OrderStatus.WORKING, "v1", "t-1", symbol="MGC", side=Side.BUY, quantity=3.0,
                    filled=1.0, limit_price=2_400.0),
        OrderUpdate(OrderStatus.HELD, "v2", symbol="MGC", side=Side.SELL, quantity=3.0,
                    price=2_390.0),
        OrderUpdate(OrderStatus.FILLED, "v3", symbol="MGC"),
        OrderUpdate(OrderStatus.CANCELLED, "v4", symbol="MGC"),
    )  # fmt: skip

    told = UnifiedAccount("a", sight).orders()

    assert told == (
        WorkingOrder("t-1", "v1", "MGC", Side.BUY, 3.0, 1.0, price=2_400.0, status="working"),
        WorkingOrder("", "v2", "MGC", Side.SELL, 3.0, price=2_390.0, status="held"),
    )


def test_a_price_is_waited_for_and_asked_for_once(venue):
    sight, port = venue
    port.prices["MGC"] = ticks_of(2_400.0, 2_400.1, bid=2_400.0, ask=2_400.2)
    account = UnifiedAccount("a", sight)

    first, again = account.price("MGC"), account.price("MGC")

    assert first == again == Quote("MGC", 2_400.1, 1_001, 2_400.0, 2_400.2)
    assert port.calls.count(("subscribe", "MGC")) == 1


def test_a_venue_that_tells_no_quote_has_none(venue):
    sight, port = venue
    port.prices["MGC"] = ticks_of(2_400.0)

    assert UnifiedAccount("a", sight).price("MGC") == Quote("MGC", 2_400.0, 1_000)


def test_new_prices_are_told_until_it_is_ended(venue):
    sight, port = venue
    heard, third = [], threading.Event()

    def hear(quote):
        heard.append(quote.price)
        if len(heard) == 2:
            third.set()

    end = UnifiedAccount("a", sight).subscribe("MGC", hear)
    port.tell(Ticks("MGC", ticks_of(1.0)), Ticks("GC", ticks_of(9.0)), Ticks("MGC", ticks_of(2.0)))
    assert third.wait(5)
    end()
    end()
    port.tell(Ticks("MGC", ticks_of(3.0)))
    sight.history("MGC", HOUR, 0, 1)  # after this the port's thread has told all

    assert heard == [1.0, 2.0]
    assert port.calls.count(("unsubscribe", "MGC")) == 1


def test_history_comes_in_pages_and_is_one_series_oldest_first(venue):
    sight, port = venue
    port.pages = [bars_of(3 * HOUR, 4 * HOUR), bars_of(1 * HOUR, 2 * HOUR)]

    series = UnifiedAccount("a", sight).history("MGC", HOUR, 0, 5 * HOUR)

    assert list(series.bars["start"]) == [HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR]
    assert (series.symbol, series.timeframe_ns) == ("MGC", HOUR)


def test_what_is_told_is_plain_frozen_records():
    for record in (AccountState, OpenPosition, WorkingOrder, Quote, NewOrder, Receipt):
        assert is_dataclass(record) and record.__dataclass_params__.frozen
        assert all(item.type != "Any" for item in fields(record))


# -- what is not known ----------------------------------------------------------------------------


def test_a_snapshot_that_failed_is_an_error_and_never_flat(venue):
    sight, port = venue
    port.error = "the gateway answered 502"

    for ask in (sight.positions, sight.orders, sight.account):
        with pytest.raises(VenueError, match="502"):
            ask()


def test_no_answer_in_time_is_unknown():
    sight, port = impatient(prepare=lambda port: port.silent.update({"snapshot", "history"}))
    with sight:
        with pytest.raises(OutcomeUnknown, match="bazaar snapshot: no answer within"):
            sight.positions()
        with pytest.raises(OutcomeUnknown, match="history of MGC: no answer within"):
            sight.history("MGC", HOUR, 0, 1)
        with pytest.raises(OutcomeUnknown, match="no price of MGC came"):
            sight.price("MGC")
    assert port.calls[-1] == "disconnect"


def test_a_history_that_failed_is_an_error_and_no_empty_series(venue):
    sight, port = venue
    port.error = "range too long"

    with pytest.raises(VenueError, match="history of MGC: range too long"):
        sight.history("MGC", HOUR, 0, 1)


def test_a_venue_that_wants_a_login_says_so_at_the_start():
    sight, _ = impatient(prepare=lambda port: setattr(port, "link", LinkState.LOGIN_NEEDED))

    with pytest.raises(AuthError, match=r"python run\.py login bazaar"):
        sight.connect()


@pytest.mark.parametrize("link", [LinkState.GIVEN_UP, LinkState.RETRYING])
def test_a_venue_that_cannot_be_reached_is_told(link):
    sight, _ = impatient(prepare=lambda port: setattr(port, "link", link))

    with pytest.raises(Disconnected, match="as told"):
        sight.connect()


def test_prices_from_before_a_lost_connection_are_not_told_after_it():
    sight, port = impatient(prepare=lambda port: port.prices.update({"MGC": ticks_of(1.0)}))
    with sight:
        assert sight.price("MGC").price == 1.0
        port.prices.clear()
        port.tell(Link(LinkState.LOST))
        sight.history("MGC", HOUR, 0, 1)

        with pytest.raises(OutcomeUnknown):
            sight.price("MGC")


def test_questions_right_after_one_another_are_one_snapshot():
    sight, port = impatient(prepare=lambda port: setattr(port, "account", AccountUpdate(1.0)))
    with sight:
        sight.account()
        sight.positions()
        sight.orders()

    assert port.calls.count("snapshot") == 1


# -- what trades ----------------------------------------------------------------------------------

ORDER = NewOrder("MGC", Side.BUY, 2.0, stop_loss=2_390.0)
CALLS = {
    "execute": lambda account: account.execute(ORDER),
    "modify": lambda account: account.modify("7", price=2_391.0),
    "cancel": lambda account: account.cancel("7"),
    "close": lambda account: account.close("MGC", 0.5),
}


def test_every_trading_call_reaches_the_hands_and_brings_a_receipt(venue):
    desk = Desk()
    account = UnifiedAccount("a", venue[0], desk)

    told = {name: call(account) for name, call in CALLS.items()}

    assert desk.asked == [
        ("execute", ORDER), ("modify", "7", 2_391.0, None, None), ("cancel", "7"),
        ("close", "MGC", 0.5),
    ]  # fmt: skip
    assert told["execute"].is_done and told["execute"].order_id == "7"
    assert told["cancel"].outcome is Outcome.UNKNOWN and not told["cancel"].is_done
    assert told["close"].rule == "gap"


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_read_only_account_refuses_to_trade_with_one_clear_error(venue, call):
    desk = Desk()

    with pytest.raises(ConfigError, match=r"^account a is read-only: \w+ is not possible"):
        call(UnifiedAccount("a", venue[0], desk, read_only=True))

    assert desk.asked == []


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_without_a_session_no_order_goes_past_the_guard(venue, call):
    sight, port = venue

    with pytest.raises(ConfigError, match="goes through a session's guard and none runs"):
        call(UnifiedAccount("a", sight))

    assert port.calls == ["connect"]


def test_a_read_only_account_can_be_looked_at(venue):
    sight, port = venue
    port.account = AccountUpdate(1.0)
    account = UnifiedAccount("a", sight, read_only=True)

    assert account.account().balance == 1.0
    assert account.positions() == account.orders() == ()
