"""One strategy, one result: backtest, paper session over the same prices, and the record of it."""

import sqlite3

import pytest

from live.journal import open_journal
from live.journal.codec import decode_events, encode_event, pack_block
from live.proof import verify
from live.recovery import starts_of
from live.session import Session
from tests.live.sessions import ROOT, backtest_of, flags_of, request_of, trades_of

CASES = {
    "gold 5m with the dollar": ("gold_smc", "gold", {"from": "2025-09-15", "to": "2025-10-06"}),
    "nifty 5m over 1m bars": ("nifty_smc", "nifty", {"from": "2022-11-24", "to": "2022-12-22"}),
}


def run_and_prove(request):
    result = Session(request).run()
    assert result.failure is None
    with_journal = prove(request, result.facts.session_id)
    return result, with_journal


def prove(request, session_id):
    journal = open_journal(str(request.folder.journal), request.folder.name, read_only=True)
    try:
        chain = starts_of(journal.sessions(), session_id)
        return verify(journal, chain, request.account, request.flats, None)
    finally:
        journal.close()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_backtest_paper_and_record_give_the_same_trades(case, real_data, tmp_path):
    strategy, market, days = case
    request = request_of(strategy, flags_of(real_data, market, **days), tmp_path)
    backtest = backtest_of(request)

    result, proof = run_and_prove(request)

    broker, session = backtest.broker, result.built.broker
    assert trades_of(session) == trades_of(broker)
    assert len(trades_of(broker)) >= 3
    assert session.getvalue() == broker.getvalue()
    assert proof.findings == []
    assert proof.trades == len(trades_of(broker))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_both_analyzers_say_the_same_of_a_session_as_of_a_backtest(case, real_data, tmp_path):
    strategy, market, days = case
    request = request_of(strategy, flags_of(real_data, market, **days), tmp_path)
    (backtest,) = backtest_of(request).plans

    (session,) = Session(request).run().built.plans

    for name in ("daily_loss", "trade_risk"):
        one, other = (
            getattr(plan.strategy.analyzers, name).get_analysis() for plan in (backtest, session)
        )
        for rows in (one.get("trades", ()), other.get("trades", ())):
            for row in rows:
                del row["entry_time"], row["exit_time"]
        assert one == other


def test_entries_below_a_lot_are_sent_by_neither(real_data, tmp_path):
    strategy = f"{ROOT}/tests/live/plain.py:EveryBars"
    flags = flags_of(real_data, "nifty", **{"from": "2022-12-01", "to": "2022-12-02"})
    request = request_of(strategy, flags | {"params": ["size=1"], "risk": None}, tmp_path)

    _, proof = run_and_prove(request)

    assert (proof.findings, proof.trades, proof.orders) == ([], 0, 0)


@pytest.fixture
def proved(real_data, tmp_path):
    """A short session that traded, and what proves it."""
    flags = flags_of(real_data, "nifty", **{"from": "2022-12-01", "to": "2022-12-09"})
    request = request_of("nifty_smc", flags, tmp_path)
    result, proof = run_and_prove(request)
    assert proof.is_identical and proof.trades > 0
    return request, result.facts.session_id


def test_one_changed_tick_is_found_and_its_bar_named(proved):
    request, session_id = proved
    bar = change_a_tick(request.folder.journal)

    proof = prove(request, session_id)

    assert not proof.is_identical
    assert proof.findings[0].bar == bar


def test_one_changed_order_is_found_and_its_bar_named(proved):
    request, session_id = proved
    with sqlite3.connect(request.folder.journal) as file:
        row = file.execute(
            "SELECT intent_id, document FROM intents WHERE verb = 'submit' ORDER BY intent_id"
        ).fetchone()
        changed = row[1].replace('"quantity": ', '"quantity": 1')
        assert changed != row[1]
        file.execute("UPDATE intents SET document = ? WHERE intent_id = ?", (changed, row[0]))

    proof = prove(request, session_id)

    assert not proof.is_identical
    assert proof.findings[0].bar.startswith("2022-12-")
    assert "quantity" in proof.findings[0].what


def test_one_changed_fill_is_found(proved):
    request, session_id = proved
    with sqlite3.connect(request.folder.journal) as file:
        file.execute("UPDATE executions SET price = price + 0.05 WHERE rowid = 1")

    proof = prove(request, session_id)

    assert any("price" in finding.what for finding in proof.findings)


def change_a_tick(path):
    """Raise the last price of the 400th bar's record by one tick; return START of its bar."""
    from core.events import Ticks
    from core.results import iso_time

    with sqlite3.connect(path) as file:
        rows = file.execute("SELECT first_seq, block FROM sequence ORDER BY first_seq").fetchall()
        first_seq, block = rows[len(rows) // 2]
        events = list(decode_events(block))
        place = max(i for i, event in enumerate(events) if isinstance(event, Ticks))
        ticks = events[place].ticks.copy()
        ticks["price"][-1] += 0.05
        events[place] = Ticks(events[place].symbol, ticks, ts_event=events[place].ts_event)
        fresh = pack_block(b"".join(map(encode_event, events)))
        file.execute("UPDATE sequence SET block = ? WHERE first_seq = ?", (fresh, first_seq))
    start = int(ticks["ts_event"][-1]) // 300_000_000_000 * 300_000_000_000
    return iso_time(start)
