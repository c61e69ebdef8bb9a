"""What a session finds at the venue when it starts: shown and traded around, adopted, or closed."""

import json
import sqlite3
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from brokers.paper.ledger import PaperLedger
from brokers.paper.venue import PaperVenue
from core.bars import BAR
from core.orders import OrderKind, Side
from core.ticks import TICK, TRADE
from live.build import SessionTerms
from live.journal import open_journal
from live.proof import verify
from live.recovery import starts_of
from live.session import Session
from live.start_up import Remedy
from tests.cli import market
from tests.live.sessions import ROOT, ending_when, request_of

STRATEGY = f"{ROOT}/tests/live/plain.py:EveryBars"
SYMBOL = "XAUUSD"
BAR_NS = 15 * 60 * 1_000_000_000


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    path = tmp_path_factory.mktemp("prices") / "XAUUSD_15m.csv"
    return market.write(path, market.rows(400))


@pytest.fixture
def asked(prices, tmp_path):
    """Return a session's request for the test's account."""

    def make(params=("every=3", "points=50"), positions="netting", **given):
        flags = {"instrument": SYMBOL, "data": [str(prices)], "timeframe": "15m", "tz": "UTC",
                 "params": list(params), "risk": None}  # fmt: skip
        terms = SessionTerms(positions=positions)
        return request_of(STRATEGY, flags, tmp_path / "account", terms=terms, **given)

    return make


class NoPast:
    """A market without history: nobody has missed anything."""

    def history(self, *asked):
        return np.zeros(0, BAR)


@contextmanager
def other_hand(request):
    """Another hand on the account while no session runs; at the end a price is seen."""
    ledger = PaperLedger(request.folder.paper)
    told = []
    hedging = request.terms.positions == "hedging"
    venue = PaperVenue(
        told.append, NoPast(), 100_000.0, ledger=ledger, discrete=True, hedging=hedging
    )
    (plan,) = request.loaded
    for plan_id in (plan.request.plan_id, "hand"):
        venue.add_plan(plan_id, plan.request.instrument, plan.request.fx, plan.series.timeframe_ns)
    venue.connect(venue.resume_time)
    bars = plan.series.bars
    cell = bars[np.searchsorted(bars["end"], venue.resume_time, "right")]
    for plan_id in (plan.request.plan_id, "hand"):
        venue.begin_bar(plan_id, cell)
    _show(venue, 2904.0)
    yield venue.other_hand
    _show(venue, 2905.0)
    venue.disconnect()


def _show(venue, price):
    tick = np.zeros(1, TICK)
    tick["ts_event"], tick["price"], tick["flags"] = venue.resume_time + 1, price, TRADE
    tick["bid"] = tick["ask"] = np.nan
    tick["spread"], tick["volume"] = 0.3, 100.0
    venue.see(SYMBOL, tick)


def has_run(session, bars):
    """Whether a session has been live for so many bars."""
    return session.built.engine.now >= session.live_from + bars * BAR_NS


def is_standing(session):
    """Whether a session has been told what differs, and has gone on for a while in spite of it."""
    return bool(session.start_up.standing) and has_run(session, 25)


def holds_position(session):
    """Whether a session holds a position in the middle of the prices."""
    return has_run(session, 50) and bool(session.built.broker.plans[0].position_steps)


def has_adopted(session):
    """Whether a session takes entries, and has for a while."""
    return session.start_up.is_over and has_run(session, 25)


def flat_session(asked, **given):
    """Run a session that ends flat in the middle of the prices; return its request."""
    request = asked(**given)
    result = ending_when(Session(request), lambda session: has_run(session, 50)).run()
    assert result.failure is None and not result.built.broker.plans[0].position_steps
    return request


def held_session(asked):
    """Run a session that ends in the middle of the prices with a position and its stop."""
    request = asked(at_end="keep")
    result = ending_when(Session(request), holds_position).run()
    assert result.built.broker.plans[0].position_steps
    return request


def run(asked, remedy=Remedy.NONE, until=lambda session: False, **given):
    """Run a session until something holds, or to the end of the prices."""
    told = []
    request = replace(asked(**given), remedy=remedy)
    session = Session(request, alert=lambda kind, text: told.append(text))
    result = ending_when(session, until).run()
    assert result.failure is None
    return result, told


def entries(result):
    return [fill for fill in result.built.broker.ledger.fills if fill.reason == "entry"]


def test_a_session_that_finds_what_it_left_trades_at_once(asked):
    flat_session(asked)

    result, _ = run(asked)

    assert not result.differences
    assert entries(result)


def test_a_position_of_another_hand_is_named_and_keeps_entries_off(asked):
    with other_hand(flat_session(asked)) as hand:
        hand.place(SYMBOL, Side.BUY, 2.0)

    result, told = run(asked)

    named = f"{SYMBOL}: the venue holds 2, our books 0 (+2)"
    assert list(result.differences) == [named]
    assert any("entries stay off" in text and named in text for text in told)
    assert not entries(result)
    assert result.built.guard.refused["difference"] > 0
    status = json.loads((asked().folder.status).read_text())
    assert status["blocks"] == [{"rule": "difference", "detail": named, "plan_id": ""}]


def test_adopted_it_counts_in_equity_and_entries_are_on(asked):
    with other_hand(flat_session(asked)) as hand:
        hand.place(SYMBOL, Side.BUY, 2.0)

    result, _ = run(asked, Remedy.ADOPT)

    broker = result.built.broker
    assert not result.differences and entries(result)
    assert broker.hands.held(SYMBOL) == 2.0
    assert broker.hands.open_pnl != 0.0


@pytest.mark.parametrize("positions", ["netting", "hedging"])
def test_flattened_it_is_closed_at_the_venue_and_entries_are_on(asked, positions):
    request = flat_session(asked, positions=positions)
    with other_hand(request) as hand:
        hand.place(SYMBOL, Side.BUY, 2.0)
        hand.place(SYMBOL, Side.SELL, 1.0, OrderKind.LIMIT, 9000.0)

    result, _ = run(asked, Remedy.FLATTEN, positions=positions)

    assert not result.differences and entries(result)
    assert result.built.broker.hands.held(SYMBOL) == 0.0
    assert not working_by_hand(request)


def working_by_hand(request):
    ledger = PaperLedger(request.folder.paper, read_only=True)
    try:
        return [row["number"] for row in ledger.orders("status = 'WORKING' AND author = 'hand'")]
    finally:
        ledger.close()


def test_a_position_of_ours_that_was_closed_by_hand_is_named_and_then_adopted(asked):
    request = held_session(asked)
    with other_hand(request) as hand:
        hand.close(SYMBOL)

    first, _ = run(asked, until=is_standing, at_end="keep")
    second, _ = run(asked, Remedy.ADOPT)

    assert any("closed by another hand" in text for text in first.differences)
    assert not entries_after(first)
    assert not second.differences
    assert entries(second)


def test_money_that_left_the_account_is_named_and_then_adopted(asked):
    with other_hand(held_session(asked)) as hand:
        hand.pay_in(-250.0)

    first, _ = run(asked, until=is_standing, at_end="keep")
    second, _ = run(asked, Remedy.ADOPT, until=has_adopted, at_end="keep")

    (named,) = first.differences
    assert named.startswith("balance: the venue says ") and named.endswith("(-250.00)")
    assert not second.differences
    ledger = PaperLedger(asked().folder.paper, read_only=True)
    at_venue = ledger.load()["balance"]
    ledger.close()
    assert second.built.broker.balance == pytest.approx(at_venue, abs=0.01)


def entries_after(result):
    """Entries of the last start alone; those of the record are the first session's."""
    return [fill for fill in entries(result) if fill.time > result.recovered.market_time]


def test_where_both_hold_one_netted_position_ours_ends_first_and_then_theirs(asked):
    with other_hand(held_session(asked)) as hand:
        hand.place(SYMBOL, Side.BUY, 2.0)

    result, _ = run(asked, Remedy.FLATTEN)

    broker = result.built.broker
    closed = [trade.exit_reason for trade in broker.ledger.trades]
    assert not result.differences
    assert closed[0] == "difference" and broker.hands.held(SYMBOL) == 0.0
    assert entries_after(result)


def test_a_record_that_was_changed_is_told_and_begun_anew_on_demand(asked):
    request = held_session(asked)
    change_first_intent(request)

    told = Session(asked()).run().failure
    again = Session(asked()).run().failure
    anew, _ = run(asked, Remedy.FLATTEN)

    assert "the record asked to submit" in str(told) and "--flatten" in str(told)
    assert str(again) == str(told)
    assert not anew.differences and anew.recovered is None
    assert entries(anew)


def change_first_intent(request):
    with sqlite3.connect(request.folder.journal) as file:
        file.execute(
            "UPDATE intents SET order_id = order_id || '9' WHERE intent_id ="
            " (SELECT min(intent_id) FROM intents WHERE verb = 'submit')"
        )


def test_what_was_adopted_is_run_through_again_by_the_next_start(asked):
    with other_hand(flat_session(asked)) as hand:
        hand.place(SYMBOL, Side.BUY, 2.0)
    first, _ = run(asked, Remedy.ADOPT, until=holds_position, at_end="keep")
    assert first.exit_reason.startswith("kept")

    second, _ = run(asked)

    assert second.recovered is not None and not second.differences
    assert second.built.broker.hands.held(SYMBOL) == 2.0


def test_a_remedy_stands_in_the_journal_and_the_session_is_proved_with_it(asked):
    request = flat_session(asked)
    with other_hand(request) as hand:
        hand.place(SYMBOL, Side.BUY, 2.0)
    run(asked, Remedy.FLATTEN)

    journal = open_journal(str(request.folder.journal), request.folder.name, read_only=True)
    last = journal.sessions()[-1].session_id
    chain = starts_of(journal.sessions(), last)
    proof = verify(journal, chain, request.account, request.flats, None)
    verbs = [intent.verb for intent in journal.intents()]
    names = [note["name"] for note in journal.notes("command")]
    journal.close()

    assert verbs.count("close") == 1
    assert names.count("clear") == 1
    assert proof.findings == [] and proof.orders > 0


def test_a_paper_account_whose_file_is_gone_does_not_give_its_numbers_again(asked):
    """An order sent then would be taken for the old one of its number, with the old one's fills."""
    request = asked(at_end="keep")
    first = ending_when(Session(request), holds_position).run()
    held = first.built.broker.plans[0].position_steps
    for path in request.folder.path.glob(f"{request.folder.paper.name}*"):
        path.unlink()

    result, _ = run(asked, until=is_standing, at_end="keep")

    assert any("the venue holds 0" in text for text in result.differences)
    assert held and abs(result.built.broker.plans[0].position_steps) <= abs(held)
