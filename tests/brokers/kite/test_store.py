"""The store against a sandbox whose wire goes wrong: streams that end, hang or are refused."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from brokers.kite.client import WINDOWS
from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.store import KiteStore
from brokers.port import VenueOrder
from brokers.retries import RetryPolicy
from core.bars import Series
from core.events import (
    Answer,
    HistoryBars,
    Link,
    LinkState,
    OrderStatus,
    OrderUpdate,
    Outcome,
    Ticks,
)
from core.instruments import get_instrument
from core.orders import OrderKind, Role, Side, TimeInForce
from sandbox import replayed
from tests.brokers.kite.market import KEY, SECRET, free_port, start_box
from tests.sandbox.market import CALM, LOT, MINUTE, OPEN, eventually, minutes

USER = "XX0000"
WIDE = [replace(window, count=100_000) for window in WINDOWS]


class Account:
    """A store at a sandbox, and all it has told."""

    def __init__(self, box, **more):
        self.box = box
        self.token = box.call(box.face.login, USER)
        self.events = []
        config = KiteConfig(
            api_root=more.pop("api_root", box.url), stream_root=box.stream_url,
            timeout_secs=more.pop("timeout_secs", 7.0), silent_secs=more.pop("silent_secs", 10.0),
        )  # fmt: skip
        policy = RetryPolicy(reconnect_interval=0.02, max_retries=more.pop("max_retries", 5))
        self.store = KiteStore(
            config, lambda: KiteKeys(KEY, self.token, SECRET), self.events.append, ["NIFTY-FUT"],
            policy=policy, clock=lambda: box.now, windows=more.pop("windows", WIDE),
        )  # fmt: skip

    def connect(self):
        self.store.connect()
        self.store.subscribe(["NIFTY-FUT"])
        self.links(LinkState.CONNECTED)
        self.rest()
        return self

    def rest(self):
        eventually(lambda: self.store.is_quiet)
        self.box.run(self.box.face.delivered())

    def of(self, kind):
        return [event for event in list(self.events) if isinstance(event, kind)]

    def links(self, state, count=1):
        """Wait until a state was told so often."""
        return eventually(
            lambda: len([link for link in self.of(Link) if link.state is state]) >= count
        )

    def prices(self):
        return [float(event.ticks["price"][0]) for event in self.of(Ticks)]


@pytest.fixture
def box():
    made = start_box(free_port())
    yield made
    made.stop()


@pytest.fixture
def open_account(box):
    opened = []

    def begin(**more):
        opened.append(Account(box, **more))
        return opened[-1]

    yield begin
    for account in opened:
        account.store.disconnect()


def order(order_id="lab-1", quantity=LOT, kind=OrderKind.MARKET, price=None):
    return VenueOrder(
        order_id, "plan", "NIFTY-FUT", Side.BUY, quantity, kind, Role.ENTRY, price,
        time_in_force=TimeInForce.DAY,
    )  # fmt: skip


# -- the stream ------------------------------------------------------------------------------


def test_a_stream_that_breaks_is_opened_anew_with_its_subscriptions(box, open_account):
    account = open_account().connect()
    box.play(2)
    account.rest()
    before = len(account.prices())

    box.add_fault("cut", on="price")
    box.play(1)
    account.links(LinkState.CONNECTED, 2)
    account.rest()
    box.play(3)
    account.rest()

    states = [link.state for link in account.of(Link)]
    assert states == [LinkState.CONNECTED, LinkState.RETRYING, LinkState.CONNECTED]
    assert before == 2 and len(account.prices()) > before


def test_a_stream_that_stands_and_is_silent_is_noticed(box, open_account):
    account = open_account(silent_secs=3.0).connect()

    box.add_fault("half_open", on="*")
    box.play(1)
    eventually(lambda: account.store.silence_secs() > 2.5)

    account.links(LinkState.CONNECTED, 2)
    eventually(lambda: account.store.silence_secs() < 2.5)
    (lost,) = [link for link in account.of(Link) if link.state is LinkState.RETRYING]
    assert "silent" in lost.reason


def test_a_dead_token_stops_the_tries_until_somebody_logged_in(box, open_account):
    account = open_account().connect()

    box.call(box.face.expire_tokens)
    account.links(LinkState.LOGIN_NEEDED)
    tried = len(box.call(box.ledger.rows, "requests"))
    threading.Event().wait(0.3)
    again = len(box.call(box.ledger.rows, "requests"))
    account.token = box.call(box.face.login, USER)
    account.store.login_renewed()

    account.links(LinkState.CONNECTED, 2)
    assert again == tried
    (needed,) = [link for link in account.of(Link) if link.state is LinkState.LOGIN_NEEDED]
    assert "python run.py login kite" in needed.reason
    assert account.token not in needed.reason


def test_a_token_that_dies_when_there_is_a_newer_one_asks_nobody_to_log_in(box, open_account):
    account = open_account().connect()
    before = account.token

    account.token = box.call(box.face.login, USER)  # it ends the one before
    box.play(5)
    account.links(LinkState.CONNECTED, 2)

    assert before != account.token
    assert LinkState.LOGIN_NEEDED not in [link.state for link in account.of(Link)]


def test_a_question_of_a_dead_token_finds_out_that_a_login_is_needed(box, open_account):
    account = open_account().connect()

    box.call(box.face.sessions.end_all)
    account.store.request_history(1, "NIFTY-FUT", MINUTE, OPEN - 10**15, OPEN)

    account.links(LinkState.LOGIN_NEEDED)
    (page,) = [event for event in account.of(HistoryBars) if event.is_last]
    assert "python run.py login kite" in page.error


def test_a_venue_that_is_down_at_the_start_is_given_up_after_its_tries(box, open_account):
    account = open_account(api_root=f"http://127.0.0.1:{free_port()}", max_retries=2)

    account.store.connect()

    account.links(LinkState.GIVEN_UP)
    states = [link.state for link in account.of(Link)]
    assert states == [LinkState.RETRYING, LinkState.RETRYING, LinkState.GIVEN_UP]
    assert "cannot be reached" in account.of(Link)[-1].reason


@pytest.mark.parametrize("size", [0, 1, 3, 10, 100])
def test_a_frame_cut_short_is_passed_over_and_the_next_is_read(box, open_account, size):
    account = open_account().connect()

    box.add_fault("truncate", on="price", count=1, size=size)
    box.play(3)
    account.rest()

    assert len(account.prices()) == 2
    assert [link.state for link in account.of(Link)] == [LinkState.CONNECTED]


def test_two_stores_share_the_one_reactor_of_a_process(box, open_account):
    first, second = open_account(), open_account()
    first.token = second.token  # of one app: the second connection of three

    first.connect()
    second.connect()
    first.store.disconnect()
    box.play(2)
    second.rest()

    assert len(second.prices()) == 2


# -- orders ----------------------------------------------------------------------------------


def answers(account, count=1):
    eventually(lambda: len(account.of(Answer)) >= count)
    return account.of(Answer)


def sent(box):
    return [row for row in box.call(box.ledger.rows, "orders") if row["tag"]]


def test_an_answer_that_never_comes_leaves_the_order_unknown_and_sent_once(box, open_account):
    account = open_account(timeout_secs=0.5).connect()
    box.play(1)
    box.add_fault("no_answer", on="orders.place", count=1)

    account.store.submit(1, order())
    (answer,) = answers(account)

    assert answer.outcome is Outcome.UNKNOWN
    assert "no answer came (ReadTimeout)" in answer.reason
    assert len(sent(box)) == 1


def test_an_order_that_could_not_leave_is_tried_again_and_then_refused(box, open_account):
    account = open_account().connect()
    box.stop()

    account.store.submit(1, order())
    (answer,) = answers(account)

    assert answer.outcome is Outcome.REFUSED
    assert "cannot be reached" in answer.reason


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (order(quantity=LOT + 1), "expected whole steps of 25"),
        (order(quantity=LOT * 200), "freeze"),
        (order(kind=OrderKind.LIMIT, price=10_000.0), "circuit"),
        (order(order_id="a-tag-that-is-longer-than-twenty"), "tag"),
    ],
    ids=["no lot", "above freeze", "out of the band", "tag too long"],
)
def test_what_cannot_be_taken_is_refused_in_the_venues_words(box, open_account, wish, said):
    account = open_account().connect()
    box.play(1)

    account.store.submit(1, wish)
    (answer,) = answers(account)
    account.rest()

    words = [answer.reason, *(event.reason for event in account.of(type(answer)))]
    words += [getattr(event, "reason", "") for event in account.events]
    assert any(said in text.lower() for text in words), words
    assert box.call(box.ledger.rows, "fills") == []


def test_requests_about_one_order_go_in_turn(box, open_account):
    account = open_account().connect()
    box.play(1)
    wish = order(kind=OrderKind.LIMIT, price=24_900.0)

    account.store.submit(1, wish)
    account.store.cancel(2, wish.order_id, "")
    first, second = answers(account, 2)

    assert (first.request_id, first.outcome) == (1, Outcome.ACCEPTED)
    assert (second.request_id, second.outcome) == (2, Outcome.ACCEPTED)
    assert [row["status"] for row in sent(box)] == ["CANCELLED"]


def test_an_order_that_can_no_longer_be_cancelled_is_looked_at(box, open_account):
    account = open_account().connect()
    box.play(1)
    wish = order(kind=OrderKind.LIMIT, price=24_900.0)
    account.store.submit(1, wish)
    answers(account)
    account.rest()
    box.add_fault("drop", on="order")  # nobody tells of its end
    box.call(box.hand.cancel, USER, 0)
    heard = len(account.of(OrderUpdate))

    account.store.cancel(2, wish.order_id, "")
    answers(account, 2)
    account.rest()

    assert account.of(Answer)[-1].outcome is Outcome.REFUSED
    (told,) = account.of(OrderUpdate)[heard:]
    assert told.status is OrderStatus.CANCELLED


def test_a_burst_stays_within_the_venues_limits_and_orders_go_first(open_account, box):
    account = open_account(windows=WINDOWS).connect()
    box.play(1)

    for number in range(4):
        account.store.request_history(number, "NIFTY-FUT", MINUTE, OPEN - 10**15, OPEN)
    for number in range(12):
        account.store.submit(100 + number, order(f"burst-{number}"))
    answers(account, 12)

    rows = box.call(box.ledger.rows, "requests")
    assert [row["status"] for row in rows if row["status"] == 429] == []
    assert all(answer.outcome is Outcome.ACCEPTED for answer in account.of(Answer))


def test_close_position_ends_it_whoever_opened_it(box, open_account):
    account = open_account().connect()
    box.play(1)
    contract = f"NFO:{account.store.contract('NIFTY-FUT').venue_symbol}"
    box.place(contract, Side.BUY, 3 * LOT, product="NRML")
    box.play(1)

    account.store.close_position(1, "NIFTY-FUT")
    (answer,) = answers(account)
    box.play(1)

    assert answer.outcome is Outcome.ACCEPTED
    held = box.call(lambda: list(box.exchange.accounts[USER].positions()))
    assert [item.quantity for item in held if item.quantity] == []


def test_after_it_was_closed_a_store_takes_nothing(open_account):
    account = open_account().connect()
    account.store.disconnect()

    account.store.submit(1, order())

    (answer,) = answers(account)
    assert (answer.outcome, answer.reason) == (Outcome.REFUSED, "the store is closed")


def test_the_tables_come_without_the_sdk():
    program = (
        "import sys\n"
        "from brokers.registry import get_venue\n"
        "get_venue('kite').load_capabilities()\n"
        "import brokers.kite.store, brokers.kite.login, brokers.kite.doctor, brokers.kite.wire\n"
        "print(sorted({'kiteconnect', 'twisted', 'requests'} & set(sys.modules)))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


# -- days ------------------------------------------------------------------------------------


def test_a_token_is_looked_at_each_morning_though_the_stream_outlasts_it(box, open_account):
    account = open_account().connect()
    eventually(lambda: account.store._token_day)
    box.call(box.face.sessions.end_all)

    box.call(lambda: setattr(box.exchange, "now", OPEN + 24 * 3600 * 10**9))

    account.links(LinkState.LOGIN_NEEDED)


@pytest.fixture
def rolling():
    """A sandbox on the last day of the September contract and the day after it."""
    last = int(np.datetime64("2024-09-25T03:45", "ns").astype(np.int64))
    bars = np.concatenate([minutes([CALM] * 3, last), minutes([CALM] * 4, last + 1440 * MINUTE)])
    instrument = get_instrument("NIFTY-FUT", {"slippage_ticks": 0})
    prices = replayed(Series("NIFTY-FUT", MINUTE, bars), instrument=instrument)
    made = start_box(free_port(), prices, tokens_end=None)
    account = Account(made)
    account.connect()
    yield account
    account.store.disconnect()
    made.stop()


def test_the_next_contract_is_followed_from_the_day_it_is_traded(rolling):
    box, store = rolling.box, rolling.store
    box.play(4 * 3 + 3)
    rolling.rest()
    before, heard = store.contract("NIFTY-FUT").venue_symbol, len(rolling.prices())

    box.play(6)
    rolling.rest()
    box.play(6)
    rolling.rest()

    assert (before, store.contract("NIFTY-FUT").venue_symbol) == ("NIFTY24SEPFUT", "NIFTY24OCTFUT")
    assert len(rolling.prices()) > heard + 5
    assert [link.state for link in rolling.of(Link)] == [LinkState.CONNECTED]


def test_a_contract_that_is_held_is_not_left(rolling):
    box, store = rolling.box, rolling.store
    box.play(1)
    box.place("NFO:NIFTY24SEPFUT", Side.BUY, LOT, product="NRML")

    box.play(4 * 3 + 6)
    rolling.rest()
    box.play(3)
    rolling.rest()

    assert store.contract("NIFTY-FUT").venue_symbol == "NIFTY24SEPFUT"
