"""A rollover as the record has it: two orders through the guard, gone on with after a death."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.events import ContractLeft
from live.build import SessionTerms
from live.journal import open_journal
from live.proof import verify
from live.recovery import starts_of
from live.session import Session
from tests.cli import market
from tests.live.sessions import KILLED, ROOT, request_of

STRATEGY = f"{ROOT}/tests/live/plain.py:EveryBars"
SYMBOL = "XAUUSD"
HIGHER = 1.5
"""By how much the next contract's prices are higher."""


def request_for(folder, prices, **terms):
    flags = {"instrument": SYMBOL, "data": [str(prices)], "timeframe": "15m", "tz": "UTC",
             "params": ["every=3", "points=8"], "risk": None}  # fmt: skip
    return request_of(STRATEGY, flags, Path(folder) / "account", terms=SessionTerms(**terms))


def session_that_rolls(request, dies=False):
    """Return a session whose contract is left once it has a position; it may die once closed."""
    rolled = []

    def hear(kind, text):
        if kind == "fill" and "(roll)" in text and dies:
            session.journal.flush()
            os._exit(KILLED)
        if kind == "fill" and "(entry)" in text and not rolled:
            now = session.built.engine.now
            rolled.append(now)
            session.built.inbox.put(
                ContractLeft(SYMBOL, "OLD", "NEW", 2900.0, 2900.0 + HIGHER, now, now, ts_event=now)
            )

    session = Session(request, alert=hear)
    return session


def proof_of(request):
    journal = open_journal(str(request.folder.journal), request.folder.name, read_only=True)
    try:
        chain = starts_of(journal.sessions(), journal.sessions()[-1].session_id)
        told = [row for row in journal.notes("command") if row["name"] in ("roll", "reopen")]
        return verify(journal, chain, request.account, request.flats, None), told
    finally:
        journal.close()


@pytest.fixture
def prices(tmp_path):
    return market.write(tmp_path / "XAUUSD_15m.csv", market.rows(400))


def test_stop_and_target_move_by_the_difference_of_the_contracts(tmp_path, prices):
    request = request_for(tmp_path, prices)

    result = session_that_rolls(request).run()

    proof, (roll, reopen) = proof_of(request)
    assert roll["arguments"] == reopen["arguments"]
    first, second, *_ = result.built.broker.ledger.trades
    given = roll["arguments"]
    assert (first.exit_reason, second.pattern, second.quantity) == ("roll", "roll", first.quantity)
    assert given["difference"] == HIGHER
    assert given["stop"] == pytest.approx(first.stop + HIGHER)
    assert second.stop == pytest.approx(first.stop + HIGHER)
    assert proof.findings == [] and proof.trades > 3


def test_a_process_that_dies_between_both_orders_is_gone_on_with(tmp_path, prices):
    words = [sys.executable, "-m", "tests.live.test_rolling", str(tmp_path), str(prices)]
    died = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert died.returncode == KILLED, died.stderr[-2000:]
    request = request_for(tmp_path, prices)

    result = Session(request).run()

    proof, told = proof_of(request)
    first, second, *_ = result.built.broker.ledger.trades
    assert result.recovered is not None and not result.differences
    assert [row["name"] for row in told] == ["roll", "reopen"]
    assert (first.exit_reason, second.pattern, second.quantity) == ("roll", "roll", first.quantity)
    assert proof.findings == []


def test_a_strategy_goes_on_managing_what_it_held(tmp_path, real_data):
    flags = {"instrument": SYMBOL, "timeframe": "5m", "data": [f"{real_data}/xauusd_5m.csv.gz"],
             "from": "2025-09-22", "to": "2025-09-26",
             "params": ["stop_rule=trail_atr", "stop_trigger_r=0.0", "rr=20"]}  # fmt: skip
    request = request_of("gold_smc", flags, tmp_path / "account", terms=SessionTerms())

    result = session_that_rolls(request).run()

    proof, _ = proof_of(request)
    rolled, again = result.built.broker.ledger.trades[:2]
    stops = [row for row in result.built.broker.orders_log if row["role"] == "stop"]
    assert (rolled.exit_reason, again.pattern) == ("roll", "roll")
    moved = {row["price"] for row in stops if again.entry_time <= row["time"] <= again.exit_time}
    assert len(moved) > 1
    assert proof.findings == []


if __name__ == "__main__":
    session_that_rolls(request_for(sys.argv[1], sys.argv[2]), dies=True).run()
