"""A session with hands on it, fed to the backtest: the same commands give the same fills."""

import random
import sqlite3
from dataclasses import replace

import pytest

from core.orders import Role
from live.session import Session
from live.status_of import status_of
from risk import RiskSettings
from tests.cli import market
from tests.live.sessions import ROOT, request_of
from tests.live.test_parity import prove

STRATEGY = f"{ROOT}/tests/live/plain.py:EveryBars"


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    """Days of a gold price that wanders by half dollars, in 15-minute bars."""
    chance, rows, close = random.Random(3), market.rows(500), 2900.0
    for row in rows:
        steps = [chance.choice((-1.0, -0.5, 0.5, 1.0)) * chance.randint(1, 4) for _ in range(3)]
        path = [close, close + steps[0], close + steps[0] + steps[1], close + sum(steps)]
        close = path[-1]
        row[1:5] = [f"{p:.2f}" for p in (path[0], max(path), min(path), close)]
    return market.write(tmp_path_factory.mktemp("prices") / "XAUUSD_15m.csv", rows)


@pytest.fixture
def run(prices, tmp_path):
    """Run a session with a function that acts on each cycle; return it and its request."""

    def make(act, limits=(), params=("every=6", "points=5"), strategy=STRATEGY, **given):
        flags = {"instrument": "XAUUSD", "data": [str(prices)], "timeframe": "15m", "tz": "UTC",
                 "params": list(params)}  # fmt: skip
        request = request_of(strategy, flags, tmp_path / "account", **given)
        if limits:
            request = replace(request, account=replace(request.account, limits=limits))
        session = Session(request)
        look, cycle = session._housekeep, [0]

        def acting():
            session.built.source.is_idle = lambda: False  # each price is an event of its own
            cycle[0] += 1
            act(Hands(session), cycle[0])
            look()

        session._housekeep = acting
        result = session.run()
        assert result.failure is None
        return result, request

    return make


class Hands:
    """What a person may do to a session."""

    def __init__(self, session):
        self.session = session
        self.broker = session.built.broker
        self.price = self.broker.plans[0].last_price

    def do(self, command, **given):
        self.session._desk.carry_out(command, given, "ann")
        return self.session.controls.answer


def at_random(seed, share):
    """Return what acts at random, and what it did."""
    chance, did = random.Random(seed), []

    def act(hands, cycle):
        if chance.random() > share or not hands.price > 0.0:
            return
        name, given = some_command(chance, hands)
        did.append((name, given, hands.do(name, **given)["outcome"]))

    return act, did


def some_command(chance, hands):
    price = round(hands.price, 2)
    orders = [item for item in hands.broker.tickets() if item.is_entry or item.child is not None]
    kinds = ["order"] * 6 + ["close", "close", "flatten", "pause", "resume", "cancel", "modify"]
    kind = chance.choice(kinds)
    if kind == "order":
        side = chance.choice(("buy", "sell"))
        sign = 1 if side == "buy" else -1
        given = {"side": side, "quantity": chance.choice((0.5, 1, 2))}
        entry = price
        if chance.random() < 0.5:
            entry = price + chance.choice((-3.0, -1.0, 1.0, 3.0))
            given[chance.choice(("limit", "stop"))] = entry
        if chance.random() < 0.7:
            given["stop_loss"] = entry - sign * chance.choice((2.0, 5.0))
        if chance.random() < 0.5:
            given["take_profit"] = entry + sign * chance.choice((2.0, 5.0))
        return kind, given
    if kind == "close":
        return kind, {"plan": chance.choice(("hand", "XAUUSD", "EveryBars")),
                      "share": chance.choice((0.5, 1.0))}  # fmt: skip
    if kind == "flatten":
        return kind, {"plan": chance.choice(("hand", "", "EveryBars"))}
    if kind == "cancel" and orders:
        # A strategy's stop is left alone: without it the session would flatten by the clock.
        own = [item for item in orders if item.child is None or item.child.role is not Role.STOP]
        return kind, {"order_id": chance.choice(own or orders).order_id}
    if kind == "modify" and orders:
        order = chance.choice(orders)
        return kind, {"order_id": order.order_id,
                      "price": price + chance.choice((-4.0, -2.0, 2.0, 4.0))}  # fmt: skip
    return chance.choice(("pause", "resume")), {"plan": chance.choice(("", "hand", "EveryBars"))}


def differences(result, request):
    proof = prove(request, result.facts.session_id)
    return [finding.describe() for finding in proof.findings]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_hands_do_and_whenever_is_done_again_and_gives_the_same_fills(run, seed):
    act, did = at_random(seed, 0.04)

    result, request = run(act)

    fills = result.built.broker.ledger.fills
    assert sum(fill.plan_id == "hand" for fill in fills) > 10
    assert sum(outcome == "done" for _, _, outcome in did) > 25
    assert differences(result, request) == []


@pytest.mark.parametrize("seed", range(4))
def test_under_limits_too_that_are_met_inside_a_bar_and_tightened_by_hand(run, seed):
    wild, did = at_random(seed, 0.03)

    def act(hands, cycle):
        wild(hands, cycle)
        if cycle in (500, 1200):
            hands.do("set", plan="account", name="daily_loss", value=9.0 if cycle == 500 else 5.0)

    rules = (RiskSettings(daily_loss=14.0, max_trades_day=9, max_quantity=4),)
    result, request = run(act, limits=rules)

    locks = {event.rule for event in result.built.guard.events if event.action == "locked"}
    assert "daily_loss" in locks
    assert "refused" in {outcome for _, _, outcome in did}
    assert differences(result, request) == []


def test_a_setting_changed_in_the_middle_is_changed_in_the_proof(run):
    def act(hands, cycle):
        if cycle == 700:
            assert hands.do("set", plan="breakout", name="risk_pct", value="1.5")["done"]

    result, request = run(act, strategy="breakout", params=("volume_required=false",))

    assert len(result.built.broker.ledger.trades) > 5
    assert differences(result, request) == []


def test_a_command_that_the_record_does_not_hold_is_missed(run):
    def act(hands, cycle):
        if cycle == 600:
            hands.do("order", side="buy", quantity=1, stop_loss=1000.0)

    result, request = run(act)
    with sqlite3.connect(request.folder.journal) as file:
        file.execute("DELETE FROM executions WHERE plan_id = 'hand'")

    (found,) = differences(result, request)
    assert found.startswith("hand 2025-03-")
    assert "a fill is missing: buy 1 @ " in found


def test_a_session_that_went_on_after_stop_goes_on_trading(run):
    """The record of the first holds its stop; the second is another process that goes on."""

    def stops(hands, cycle):
        if cycle == 300:
            hands.do("order", side="buy", quantity=1)
        if cycle == 320:
            hands.do("stop", reason="enough")

    first, _ = run(stops, at_end="keep")
    second, request = run(lambda hands, cycle: None)

    assert first.exit_reason == "kept open: enough"
    assert second.recovered is not None
    assert second.exit_reason.endswith("end of data")
    assert len(second.built.plans[0].bars) > len(first.built.plans[0].bars) + 100
    assert differences(second, request) == []


def test_the_stop_of_an_order_that_still_waits_is_not_shown_as_the_positions(run):
    seen = []

    def act(hands, cycle):
        if cycle == 1_100:
            hands.do("order", side="buy", quantity=1, stop_loss=round(hands.price - 200.0, 2))
        if cycle == 1_110:
            price = round(hands.price - 300.0, 2)
            hands.do("order", side="buy", quantity=1, limit=price, stop_loss=price - 50.0)
        if cycle == 1_130:
            seen.append((hands.price, status_of(hands.session).positions))
            hands.session.end("seen")

    run(act, params=("every=100000",))

    ((price, positions),) = seen
    (position,) = [one for one in positions if one.plan_id == "hand"]
    assert price - 260.0 < position.stop < price
