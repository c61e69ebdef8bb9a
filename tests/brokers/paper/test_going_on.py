"""A paper account that was stopped anywhere goes on as if it had never been."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from brokers.paper.ledger import PaperLedger
from tests.brokers.paper.courses import FIRST, Course, Driver, Orders, books_of, run, venue_on
from tests.brokers.paper.desk import Desk, bracket, fills_in, order, states_in

ROOT = Path(__file__).resolve().parents[3]
TERMS = {
    "native": {},
    "hedging": {"hedging": True},
    "late": {"latency_ms": 250_000.0},
    "through": {"limit_fill": "through"},
}


def play(course, path, seed, terms, stop=None):
    """Play a course, no requests in the second half; stop dead at a step, go on moments later.

    Return how many steps it took in all.
    """
    course.now = 0
    orders = Orders(seed, course)

    def opened(now):
        venue = venue_on(course, path, orders.hear, **terms)
        venue.connect(now)
        return venue, Driver(course, venue)

    venue, driver = opened(FIRST)
    away = random.Random(seed).randint(0, 40)
    before, steps, back_at = FIRST, 0, None
    for place, end in enumerate(course.moments):
        if back_at is None:
            for _ in driver.play(before, end):
                steps += 1
                if steps == stop:
                    venue.ledger.close()
                    back_at = place + away
                    break
        course.now = before = end
        if back_at == place:
            venue, driver = opened(end)
            back_at = None
        if place < len(course.moments) // 2 and place % 3 == 0:
            orders.send(venue)
    if back_at is not None:
        venue, _ = opened(course.now)
    venue.disconnect()
    return steps


@pytest.mark.parametrize("terms", TERMS.values(), ids=TERMS)
@pytest.mark.parametrize("seed", [2, 5])
def test_stopped_at_any_step_it_ends_with_the_books_of_one_that_never_stopped(
    tmp_path, seed, terms
):
    course = Course(seed, days=2)
    steps = play(course, tmp_path / "whole.db", seed, terms)
    whole = books_of(tmp_path / "whole.db")
    chance = random.Random(seed)

    for number in range(6):
        stop = chance.randint(steps // 2 + 10, steps - 1)
        path = tmp_path / f"{number}.db"
        play(course, path, seed, terms, stop)

        assert books_of(path) == whole, f"stopped at step {stop}"
    assert len(whole["fills"]) > 20


@pytest.mark.parametrize("moments", [0, 1])
def test_a_moment_told_again_after_a_death_in_it_is_matched_once(tmp_path, moments):
    course, seed = Course(3, days=2), 3
    play(course, tmp_path / "whole.db", seed, {})
    whole = books_of(tmp_path / "whole.db")

    course.now = 0
    path = tmp_path / "again.db"
    venue = venue_on(course, path, lambda event: None)
    venue.connect(FIRST)
    driver, orders = Driver(course, venue), Orders(seed, course)
    chance = random.Random(5)
    before = FIRST
    for place, end in enumerate(course.moments):
        calls = list(range(sum(1 for _ in course.told_until(before, end)) * 4))
        die_after = chance.choice(calls) if calls and chance.random() < 0.03 else None
        for count, _ in enumerate(driver.play(before, end)):
            if count == die_after:
                venue.ledger.close()
                venue = venue_on(course, path, lambda event: None)
                venue.connect(before if moments else max(before, venue.resume_time))
                driver = Driver(course, venue)
                for _ in driver.play(before, end):
                    pass
                break
        before = end
        if place < len(course.moments) // 2 and place % 3 == 0:
            orders.send(venue)
    venue.disconnect()

    assert books_of(path) == whole


SEEDS = range(6)


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_any_moment_its_file_holds_all_it_has_told(tmp_path, seed):
    path = tmp_path / "paper.db"
    terms = {"latency_ms": 250_000.0} if seed % 2 else {}
    task = {"seed": seed, "days": 4, "path": str(path), "rate": 0.5, "terms": terms}
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.brokers.paper.courses", json.dumps(task)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    first = child.stdout.readline()
    time.sleep(random.Random(seed).uniform(0.05, 0.9))

    child.send_signal(signal.SIGKILL)
    told = [json.loads(line) for line in [first, *child.stdout.read().splitlines()]
            if line.strip().endswith("]")]  # fmt: skip
    child.wait()

    ledger = PaperLedger(path)
    fills = {f"F{row['number']}": row for row in ledger.fills()}
    orders = {f"P{row['number']}": row for row in ledger.orders()}
    told_fills = [row[2:] for row in told if row[1:2] == ["Execution"]]
    assert [[fills[name][key] for key in ("quantity", "price")] for name, *_ in told_fills] == [
        row[2:] for row in told_fills
    ]
    for _, _, venue_id, _, version, order_id in (r for r in told if r[1:2] == ["OrderUpdate"]):
        assert orders[venue_id]["version"] >= version
        assert orders[venue_id]["order_id"] == order_id
    for row in told:
        if row[1:2] == ["Answer"] and row[3] == "ACCEPTED":
            assert row[4] in orders
    assert ["done"] not in told and told_fills
    assert sum(row["quantity"] for row in fills.values() if row["order"] == 0) == 0
    ledger.close()
    _goes_on(path, task)


def _goes_on(path, task):
    """Open the killed account: nothing is lost, and the ids it has used are refused."""
    course = Course(task["seed"], task["days"])
    kept = books_of(path)
    used = [row["order_id"] for row in kept["orders"] if row["order_id"]]
    told = []
    venue = venue_on(course, path, told.append, **task["terms"])
    course.now = next(end for end in course.moments if end >= venue.resume_time)
    venue.connect(course.now)
    told.clear()
    for order_id in used:
        from dataclasses import replace

        again = Orders(1, course)._order("x")
        venue.submit(1, replace(again, order_id=order_id, children=()))
    venue.request_snapshot(2, 0)
    snapshot = told.pop()
    assert {event.reason for event in told} == {"this id was used"}
    assert len(told) == len(used)
    filled = sum(item.quantity * item.side for item in snapshot.executions if item.symbol == "MGC")
    assert filled == sum(item.quantity for item in snapshot.positions if item.symbol == "MGC")
    venue.disconnect()


# -- by hand ---------------------------------------------------------------------------------


def test_what_was_reached_meanwhile_is_filled_at_its_own_price_in_its_own_time(tmp_path):
    desk = Desk(tmp_path / "paper.db", discrete=True)
    desk.bar((2000.0, 2004.0, 1998.0, 2002.0))
    desk.submit(bracket("1", "buy", 1, 1990, 2010))
    desk.bar((2002.0, 2003.0, 2001.0, 2002.0))

    desk.add_bar((2002.0, 2005.0, 1995.0, 1996.0))
    desk.add_bar((1996.0, 1997.0, 1985.0, 1986.0))
    desk.add_bar((1986.0, 2015.0, 1986.0, 2014.0))
    desk.restart()

    assert fills_in(desk.told) == [("1.s", "sell", 1.0, 1990.0)]
    assert ("1.t", "CANCELLED") in states_in(desk.told)
    assert desk.positions == {} and desk.working == {}


def test_a_day_order_ends_though_nobody_was_there_when_the_day_did(tmp_path):
    from core.orders import TimeInForce

    desk = Desk(tmp_path / "paper.db", discrete=False)
    desk.bar((2000.0, 2004.0, 1998.0, 2002.0))
    desk.submit(order("1", "buy", 1, "limit", price=1900.0, time_in_force=TimeInForce.DAY))
    for _ in range(24):
        desk.add_bar((2000.0, 2004.0, 1998.0, 2002.0))

    desk.restart()

    assert states_in(desk.told) == [("1", "EXPIRED")]


def test_the_guards_floors_are_not_watched_while_the_guard_is_away(tmp_path):
    from core.ports import no_limits

    desk = Desk(tmp_path / "paper.db", discrete=False)
    limits = no_limits()
    desk.bar((2000.0, 2004.0, 1998.0, 2002.0))
    desk.submit(order("1", "buy", 1))
    desk.bar((2002.0, 2003.0, 2001.0, 2002.0))
    desk.add_bar((2002.0, 2003.0, 1900.0, 1950.0))
    desk.venue.ledger.close()

    desk.venue = desk._venue()
    limits["day_floor"] = 9_900.0
    desk.venue.watch(limits)
    desk.venue.connect(desk.now)
    assert desk.positions == {"MGC": 1.0}

    desk.bar((1950.0, 1951.0, 1949.0, 1950.0))
    assert desk.positions == {}


def test_after_an_idle_week_only_the_last_bar_is_looked_at(tmp_path):
    desk = Desk(tmp_path / "paper.db", discrete=False)
    desk.bar((2000.0, 2004.0, 1998.0, 2002.0))
    for number in range(170):
        desk.add_bar((2000.0 + number, 2004.0 + number, 1998.0 + number, 2002.0 + number))
    asked = []
    history = desk.market.history
    desk.market.history = lambda *given: (asked.append(given), history(*given))[1]

    desk.restart()

    assert len(asked) == 1
    assert desk.venue.quote("MGC").last == 2171.0


def test_a_run_whose_course_is_told_twice_over_tells_the_same(tmp_path):
    heard = []
    for name in ("a", "b"):
        events = []
        task = {"seed": 4, "days": 1, "path": tmp_path / name, "rate": 0.6, "terms": {}}
        run(task, lambda step, event, events=events: events.append((step, repr(event))))
        heard.append(events)

    assert heard[0] == heard[1] and len(heard[0]) > 50


@pytest.mark.parametrize("hedging", [False, True])
def test_an_order_sent_after_a_restart_does_not_meet_the_prices_before_it(tmp_path, hedging):
    desk = Desk(tmp_path / "paper.db", discrete=False, hedging=hedging)
    desk.bar((2000.0, 2004.0, 1998.0, 2002.0))
    for _ in range(3):
        desk.add_bar((2002.0, 2006.0, 1999.0, 2003.0))
    desk.restart()

    desk.submit(order("1", "buy", 1))
    desk.restart()

    assert fills_in(desk.told) == []
    assert list(desk.working) == ["1"]
