"""A session from its lock to its end: what goes wrong, what is left, what a second start finds."""

import json
import threading
import time

import pytest

from core.errors import ConfigError, TolaError
from live.account_folder import AccountFolder
from live.build import SessionTerms
from live.journal import open_journal
from live.kill import KillSwitch
from live.lock import AccountLock
from live.mailbox import Mailbox
from live.session import Session
from tests.cli import market
from tests.live.sessions import ROOT, ending_when, request_of
from tests.live.test_parity import prove

STRATEGY = f"{ROOT}/tests/live/plain.py:EveryBars"


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    """Some days of a saw-toothed gold price in 15-minute bars."""
    path = tmp_path_factory.mktemp("prices") / "XAUUSD_15m.csv"
    return market.write(path, market.rows(400))


@pytest.fixture
def asked(prices, tmp_path):
    """Return a session's request for the test's account."""

    def make(params=(), terms=None, **given):
        flags = {"instrument": "XAUUSD", "data": [str(prices)], "timeframe": "15m", "tz": "UTC",
                 "params": list(params), "risk": None}  # fmt: skip
        return request_of(STRATEGY, flags, tmp_path / "account", terms=terms, **given)

    return make


def sessions_of(request):
    journal = open_journal(str(request.folder.journal), request.folder.name, read_only=True)
    try:
        return journal.sessions()
    finally:
        journal.close()


def test_a_session_trades_to_the_end_of_the_prices_and_says_so(asked):
    request = asked()

    result = Session(request).run()

    assert result.failure is None
    assert result.exit_reason.endswith("end of data")
    assert len(result.built.broker.ledger.trades) > 5
    assert sessions_of(request)[-1].exit_reason == result.exit_reason


def test_orders_the_venue_turns_down_are_alerts(asked):
    alerts = []
    request = asked(["size=1000000"])  # more than the account's margin carries

    result = Session(request, alert=lambda kind, text: alerts.append((kind, text))).run()

    assert not result.built.broker.ledger.trades
    texts = [text for kind, text in alerts if kind == "refused"]
    assert len(texts) > 5
    assert "buy 1e+06 XAUUSD: paper turned it down: margin" in texts[0]


def test_a_second_session_on_an_account_is_told_who_holds_it(asked):
    request = asked()
    request.folder.make()

    with AccountLock(request.folder, "paper", ["gold"]), pytest.raises(TolaError) as told:
        Session(request).run()

    assert "is held by process" in str(told.value)


def test_a_killed_account_does_not_start(asked):
    request = asked()
    request.folder.make()
    KillSwitch(request.folder.kill, request.folder.name).press("enough", "me")

    with pytest.raises(TolaError, match="is killed"):
        Session(request).run()


def test_a_strategy_that_raises_ends_the_session_flat_with_its_fault(asked):
    result = Session(asked(["act=fail", "on=55"])).run()

    assert isinstance(result.failure, ZeroDivisionError)
    assert result.exit_reason.endswith("strategy error: ZeroDivisionError")
    assert not any(plan.position_steps for plan in result.built.broker.plans)
    assert not result.built.broker.tickets()


def test_a_strategy_that_would_exit_the_process_ends_the_session_flat_and_is_proved(asked):
    request = asked(["act=leave", "on=55"])
    result = Session(request).run()

    assert result.exit_reason.endswith("strategy error: SystemExit")
    assert not any(plan.position_steps for plan in result.built.broker.plans)
    assert prove(request, result.facts.session_id).findings == []


def test_a_session_whose_strategy_raised_is_proved_to_its_end(asked):
    request = asked(["act=fail", "on=155", "every=3"])
    result = Session(request).run()

    proof = prove(request, result.facts.session_id)

    assert proof.findings == []
    assert proof.trades == len(result.built.broker.ledger.trades) > 3


def test_a_strategy_that_hangs_is_interrupted_and_the_session_ends_in_order(asked):
    request = asked(["act=hang", "on=55"], hangs_secs=0.5)

    result = Session(request).run()

    assert "EngineHung" in result.exit_reason
    assert not any(plan.position_steps for plan in result.built.broker.plans)
    (record,) = map(json.loads, (request.folder.path / "watchdog.jsonl").read_text().splitlines())
    assert record["silent_secs"] > 0.5
    with pytest.raises(TolaError, match="hung in that session"):
        prove(request, result.facts.session_id)


def slowly(**terms):
    """Terms of a replay of some ten bars a second."""
    return SessionTerms(speed=15_000.0, **terms)


def in_background(session):
    left = []
    thread = threading.Thread(target=lambda: left.append(session.run()))
    thread.start()
    return thread, left


def wait_for(condition, within=20.0):
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.01)


def status(folder: AccountFolder):
    try:
        return json.loads(folder.status.read_text())
    except (OSError, ValueError):
        return {}


def test_the_kill_switch_flattens_and_ends_a_running_session(asked):
    request = asked(["every=3", "points=50"], slowly())
    thread, left = in_background(Session(request))
    wait_for(lambda: status(request.folder).get("positions"))

    KillSwitch(request.folder.kill, request.folder.name).press("enough", "me")
    thread.join(30.0)

    (result,) = left
    assert result.exit_reason == "killed"
    assert not any(plan.position_steps for plan in result.built.broker.plans)


def test_a_request_of_another_process_is_carried_out_and_answered(asked):
    request = asked(["every=3"], slowly())
    thread, left = in_background(Session(request))
    wait_for(lambda: status(request.folder).get("state") == "live")
    mail = Mailbox(request.folder.commands)

    paused = mail.answer_of(mail.send("pause", {}, "me"), 10.0)
    wrong = mail.answer_of(mail.send("close", {"plan": "nobody"}, "me"), 10.0)
    mail.answer_of(mail.send("stop", {"reason": "enough"}, "me"), 10.0)
    thread.join(30.0)

    assert paused["done"]
    assert not wrong["done"]
    assert left[0].exit_reason.endswith("enough")


def test_how_long_it_may_run_is_bounded(asked):
    began = time.monotonic()

    result = Session(asked([], slowly(), seconds=1.0)).run()

    assert result.exit_reason.endswith("time is up")
    assert time.monotonic() - began < 15.0


def test_what_is_kept_open_is_taken_up_by_the_next_session(asked):
    request = asked(["every=3", "points=50"], at_end="keep")
    first = ending_when(Session(request), holds_position).run()
    held = first.built.broker.plans[0].position_steps
    assert held and first.exit_reason.startswith("kept open")

    second = ending_when(Session(asked(["every=3", "points=50"])), has_gone_on).run()

    assert second.recovered is not None and second.recovered.events > 0
    assert second.failure is None
    assert not second.built.broker.plans[0].position_steps


def test_a_new_session_goes_on_in_the_accounts_market_time_with_its_balance(asked):
    first = Session(asked([], SessionTerms(), seconds=None)).run()
    balance = first.built.broker.balance

    with pytest.raises(ConfigError, match="end of the recorded prices"):
        raise_failure(Session(asked()).run())

    assert balance != 100_000.0


def holds_position(session):
    return bool(session.built.broker.plans[0].position_steps)


def has_gone_on(session):
    """Whether market time has passed since the start."""
    return session.built.engine.now > session.live_from


def raise_failure(result):
    raise result.failure


def test_without_the_file_that_locks_the_account_no_entry_is_taken(asked):
    session = Session(asked(["every=3"], slowly()))
    request = session.request
    thread, left = in_background(ending_when(session, has_refused))
    wait_for(lambda: status(request.folder).get("state") == "live")

    request.folder.lock.unlink()
    wait_for(lambda: "lock" in {row["rule"] for row in status(request.folder).get("blocks", ())})
    thread.join(30.0)

    assert left[0].exit_reason.endswith("enough")


def has_refused(session):
    """Whether an entry was refused for want of the lock."""
    return session.built.guard.refused["lock"] > 0
