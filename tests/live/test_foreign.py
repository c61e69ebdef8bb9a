"""Another hand on a running session's account: what it leads to, and what takes it back."""

import pytest

from brokers.live_terms import Foreign, LiveTerms
from core.orders import Side
from live.build import SessionTerms
from live.session import Session
from tests.cli import market
from tests.live.sessions import ROOT, request_of

STRATEGY = f"{ROOT}/tests/live/plain.py:EveryBars"
PLAN = "EveryBars"


@pytest.fixture
def run(tmp_path):
    """Run a session on whose account another hand buys; return it with what it came to."""
    prices = market.write(tmp_path / "XAUUSD_15m.csv", market.rows(300))

    def go(act, resumes=False):
        flags = {"instrument": "XAUUSD", "data": [str(prices)], "timeframe": "15m", "tz": "UTC",
                 "params": ["every=3"], "risk": None}  # fmt: skip
        terms = SessionTerms(broker=LiveTerms(foreign=act))
        request = request_of(STRATEGY, flags, tmp_path / act.value, terms=terms)
        seen = {"bought": False, "blocks": [], "alerts": []}

        def look():
            guard, engine = session.built.guard, session.built.engine
            if not seen["bought"] and engine.counts.bars > 30:
                seen["bought"] = True
                session.built.port.other_hand.place("XAUUSD", Side.BUY, 1.0)
            found = guard.blocks.get("foreign") or guard.blocks_of(PLAN).get("foreign")
            if found and found not in seen["blocks"]:
                seen["blocks"].append(found)
                seen["at"] = engine.counts.bars
            if found and resumes and engine.counts.bars > seen["at"] + 10:
                session.command("resume", {}, "me")
            usual()

        session = Session(request, alert=lambda kind, text: seen["alerts"].append(text))
        usual, session._housekeep = session._housekeep, look
        result = session.run()
        assert result.failure is None
        return result, seen

    return go


def refused(result):
    return result.built.guard.refused["foreign"]


def test_by_default_entries_on_that_instrument_are_off_and_a_person_is_told(run):
    result, seen = run(Foreign.PAUSE)

    text = "XAUUSD: buy 1 @"
    assert refused(result) > 0
    assert seen["blocks"][0].startswith(text) and not result.built.guard.blocks
    assert set(result.built.guard.blocks_of(PLAN)) == {"foreign"}
    assert any(item.startswith(f"another hand: {text}") for item in seen["alerts"])


def test_halt_takes_no_entry_at_all(run):
    result, _ = run(Foreign.HALT)

    assert refused(result) > 0 and "foreign" in result.built.guard.blocks


def test_count_lets_entries_go_on_and_counts_the_position(run):
    result, seen = run(Foreign.COUNT)

    assert refused(result) == 0 and not seen["blocks"]
    assert result.built.broker.hands.held("XAUUSD") == 1.0


def test_resume_takes_it_back(run):
    result, seen = run(Foreign.PAUSE, resumes=True)

    assert len(seen["blocks"]) == 1 and refused(result) > 0
    assert not result.built.guard.blocks_of(PLAN)
