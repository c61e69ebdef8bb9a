"""A running session's account in the unified shape: its document read, its desk asked."""

from __future__ import annotations

import threading
import time

import pytest

from brokers.unified import AccountState, NewOrder, OpenPosition, Quote, WorkingOrder
from core.errors import ConfigError, TolaError
from core.events import Outcome
from core.orders import Side
from live.account_folder import AccountFolder
from live.mailbox import Mailbox
from live.monitor import FeedStatus, SessionState, write
from live.session_account import SessionSight, session_account
from tests.live.status_sample import FULL, NOW, SECOND, sample


@pytest.fixture
def folder(tmp_path):
    made = AccountFolder("demo", tmp_path / "demo")
    made.path.mkdir()
    made.commands.mkdir()
    return made


def account_of(folder, **more):
    return session_account("demo", root=folder.path.parent, **more)


class Desk:
    """Answers what comes into a mailbox, on a thread of its own, and writes it down."""

    def __init__(self, folder, answer):
        self._mail = Mailbox(folder.commands)
        self._answer = answer
        self._end = threading.Event()
        self.requests = []
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._end.set()
        self._thread.join(5)

    def _work(self):
        while not self._end.is_set():
            for request in self._mail.take():
                self.requests.append((request.name, dict(request.arguments), request.author))
                if self._answer is not None:
                    self._mail.answer(request, self._answer)
            time.sleep(0.01)


# -- seen -----------------------------------------------------------------------------------------


def test_what_the_status_says_is_told_in_the_unified_shape(folder):
    write(folder.status, sample())
    account = account_of(folder)

    assert account.account() == AccountState(
        "demo", "sandbox", "USD", 99_862.0, 99_880.0, None, True, NOW
    )
    assert account.positions() == (
        OpenPosition("MGC", 1, 3.0, 2412.4, 2413.0, 18.0, 2408.1, 2421.0, plan_id="gold"),
    )
    assert account.orders()[0] == WorkingOrder(
        "17", "v17", "MGC", Side.SELL, 3.0, 0.0, "stop", 2408.1, "working", "gold"
    )
    assert account.price("MGC") == Quote("MGC", 2413.0, NOW)


@pytest.mark.parametrize("state", [SessionState.LOCKED, SessionState.KILLED, SessionState.STARTING])
def test_an_account_whose_session_takes_no_order_cannot_trade(folder, state):
    write(folder.status, sample(state=state))

    assert not account_of(folder).account().can_trade


@pytest.mark.parametrize(
    "changes",
    [{"pid": 2**22 + 1}, {"host": "elsewhere", "wall_time": NOW}],
    ids=["its process is gone", "it has not written for long"],
)
def test_what_a_session_that_is_gone_holds_is_not_known(folder, changes):
    write(folder.status, sample(**changes))
    account = account_of(folder)

    for ask in (account.account, account.positions, account.orders, lambda: account.price("MGC")):
        with pytest.raises(TolaError, match="what it holds is not known"):
            ask()


def test_an_account_that_never_ran_says_how_to_start_it(folder):
    with pytest.raises(TolaError, match=r"python run\.py live starts one"):
        account_of(folder).positions()


def test_of_two_feeds_of_a_symbol_the_newer_price_is_told(folder):
    feeds = (
        FeedStatus("MGC", "1h", "live", 2400.0, NOW - SECOND),
        FeedStatus("MGC", "15m", "live", 2413.0, NOW),
        FeedStatus("DXY", "1h", "live"),
    )
    write(folder.status, sample(feeds=feeds))
    account = account_of(folder)

    assert account.price("MGC").price == 2413.0
    with pytest.raises(TolaError, match="DXY has no price yet"):
        account.price("DXY")
    with pytest.raises(ConfigError, match="MGCX is not watched; did you mean 'MGC'"):
        account.price("MGCX")


def test_new_prices_are_told_once_each_until_it_is_ended(folder):
    def priced(price, at):
        return sample(feeds=(FeedStatus("MGC", "15m", "live", price, at),))

    write(folder.status, priced(1.0, NOW))
    heard, came = [], threading.Semaphore(0)
    sight = SessionSight(folder, poll_secs=0.01)
    end = sight.subscribe("MGC", lambda quote: (heard.append(quote.price), came.release()))
    assert came.acquire(timeout=5)

    write(folder.status, priced(2.0, NOW + SECOND))
    assert came.acquire(timeout=5)
    end()
    write(folder.status, priced(3.0, NOW + 2 * SECOND))
    watch = sight._watch
    if watch is not None:
        watch.join(5)  # it ends once nobody listens

    assert heard == [1.0, 2.0]
    with pytest.raises(ConfigError):
        sight.subscribe("GOLD", print)


def test_a_status_holds_no_bars(folder):
    write(folder.status, sample())

    with pytest.raises(ConfigError, match=r"python run\.py data fetch"):
        account_of(folder).history("MGC", 1, 0, 1)


# -- traded ---------------------------------------------------------------------------------------


def test_orders_are_letters_to_the_sessions_desk(folder):
    with Desk(folder, {"outcome": "done", "text": "sent", "order_id": "t-7"}) as desk:
        account = account_of(folder, author="web")
        receipt = account.execute(NewOrder("MGC", Side.SELL, 2.0, limit=2420.0, stop_loss=2425.0))
        account.modify("t-7", price=2424.0)
        account.cancel("t-7")
        account.close("MGC", 0.5)

    assert (receipt.outcome, receipt.text, receipt.order_id) == (Outcome.ACCEPTED, "sent", "t-7")
    assert desk.requests == [
        ("order", {"plan": "MGC", "side": "sell", "quantity": 2.0, "limit": 2420.0,
                   "stop_loss": 2425.0}, "web"),
        ("modify", {"order_id": "t-7", "price": 2424.0}, "web"),
        ("cancel", {"order_id": "t-7"}, "web"),
        ("close", {"plan": "MGC", "share": 0.5}, "web"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"outcome": "refused", "text": "refused by gap", "rule": "gap"}, Outcome.REFUSED),
        ({"outcome": "wrong", "text": "quantity=0"}, Outcome.REFUSED),
        ({"outcome": "expired", "text": "too old"}, Outcome.REFUSED),
        ({"outcome": "unknown", "text": "the session ended then"}, Outcome.UNKNOWN),
        ({"text": "something newer"}, Outcome.UNKNOWN),
    ],
    ids=["refused", "wrong", "expired", "unknown", "another word"],
)
def test_what_came_of_it_is_told_and_doubt_is_unknown(folder, answer, outcome):
    with Desk(folder, answer):
        receipt = account_of(folder).close("MGC")

    assert (receipt.outcome, receipt.text) == (outcome, answer["text"])
    assert receipt.rule == answer.get("rule", "")


def test_a_request_nobody_took_was_not_done(folder):
    receipt = account_of(folder, timeout_secs=0.1).close("MGC")

    assert receipt.outcome is Outcome.REFUSED
    assert "withdrawn and nothing was done" in receipt.text


def test_a_request_that_was_taken_and_not_answered_is_unknown(folder):
    with Desk(folder, None):
        receipt = account_of(folder, timeout_secs=0.5).close("MGC")

    assert receipt.outcome is Outcome.UNKNOWN


def test_a_read_only_account_sends_no_letter(folder):
    with pytest.raises(ConfigError, match="account demo is read-only"):
        account_of(folder, read_only=True).close("MGC")

    assert list(folder.commands.iterdir()) == []


def test_the_sample_is_what_a_session_writes():
    assert FULL.positions and FULL.orders and FULL.feeds
