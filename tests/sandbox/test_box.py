"""The sandbox from Python and over its control routes: life, hands, ledger, seeds."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import threading
from datetime import date

import numpy as np
import pytest
import requests

from core.bars import Series
from core.errors import ConfigError, TolaError
from core.orders import OrderKind, Side
from core.ticks import TICK, TRADE, Tape
from sandbox import Fault, Sandbox, generated, replayed
from sandbox.course import BarBegins, Price
from sandbox.pace import Pace
from tests.sandbox.market import CALM, KEY, LOT, MINUTE, OPEN, day, minutes


@pytest.fixture
def box():
    with Sandbox("kite", day([CALM] * 3)) as found:
        yield found


def ask(box, path, **body):
    return requests.post(f"{box.url}/_box/{path}", json=body, timeout=10)


def test_it_is_a_market_for_a_users_own_tests(box):
    box.play()

    order = box.place(KEY, Side.BUY, LOT)

    assert (order.status.name, order.average) == ("FILLED", 25000.0)
    assert box.play(100) == 14
    assert box.is_over


def test_steps_may_be_told_by_hand():
    ticks = np.zeros(0, TICK)
    bars = minutes([CALM])
    prices = replayed(Series("NIFTY-FUT", MINUTE, bars), Tape(ticks, "trades"))
    with Sandbox("kite", prices, volume_share=0.5) as box:
        box.tell(BarBegins(OPEN, "NIFTY-FUT", bars[0]))
        order = box.place(KEY, Side.BUY, 4 * LOT)

        box.tell(Price(OPEN + 1, "NIFTY-FUT", 25000.0, 2 * LOT, 0.0, TRADE))
        part = order.filled
        box.tell(Price(OPEN + 2, "NIFTY-FUT", 25001.0, 100 * LOT, 0.0, TRADE))

    assert (part, order.filled, order.status.name) == (LOT, 4 * LOT, "FILLED")
    assert [fill.price for fill in order.fills] == [25000.05, 25001.05]


def test_it_listens_nowhere_before_and_after():
    box = Sandbox("kite", day([CALM]))
    with pytest.raises(TolaError, match="does not run"):
        box.play()
    with box:
        url = box.url
        assert requests.get(f"{url}/_box/state", timeout=5).json()["venue"] == "kite"
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(f"{url}/_box/state", timeout=5)
    box.stop()


def test_its_thread_ends_with_it():
    before = threading.active_count()

    with Sandbox("kite", day([CALM])):
        assert threading.active_count() > before

    assert threading.active_count() == before


def test_a_port_in_use_is_one_clear_error_and_leaves_nothing_behind(tmp_path):
    ledger = tmp_path / "box.sqlite"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(ConfigError, match=rf"cannot listen on 127\.0\.0\.1:{port}.*--port"):
            Sandbox("kite", day([CALM]), port=port, ledger=ledger).start()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"venue": "kit"}, "did you mean 'kite'"),
        ({"speed": 0.0}, "more than 0"),
        ({"volume_share": 0.5}, "tapes of trades"),
        ({"speed": 2.0, "lock_step": True}, "lock-step"),
        ({"prices": day([CALM], symbol="XAUUSD")}, "Kite does not trade XAUUSD"),
    ],
)
def test_what_does_not_fit_is_refused(given, words):
    given = {"venue": "kite", "prices": day([CALM]), **given}

    with pytest.raises(ConfigError, match=words):
        Sandbox(**given)


def test_a_market_that_moves_by_itself_is_not_moved_by_hand():
    with Sandbox("kite", day([CALM]), speed=0.001) as box:
        with pytest.raises(TolaError, match="moves by itself"):
            box.play()
        assert ask(box, "play").status_code == 400


def test_what_fails_inside_is_told_and_not_lost(monkeypatch):
    box = Sandbox("kite", day([CALM]), speed=1e6)
    monkeypatch.setattr(box.exchange, "take", lambda step: 1 / 0)

    with pytest.raises(TolaError, match="failed at packet 0: ZeroDivisionError"), box:
        assert box.wait(20)


def test_the_market_runs_by_itself_at_its_speed():
    with Sandbox("kite", day([CALM] * 2), speed=1e6) as box:
        assert box.wait(20)
        assert (box.is_over, box.packet) == (True, 10)


def test_a_pace_waits_for_market_time_and_not_for_nights():
    waits, now = [], [0.0]

    async def sleep(secs):
        waits.append(round(secs, 6))
        now[0] += secs

    pace = Pace(60.0, lambda: now[0], sleep)
    second = 10**9

    async def run():
        for ts in (0, 60 * second, 90 * second, 20 * 3600 * second):
            await pace.reach(ts)

    asyncio.run(run())

    assert waits == [0.0, 1.0, 0.5, 2.0]


def test_a_hand_may_act_over_http(box):
    ask(box, "play", packets=2)

    bought = ask(box, "hand", action="buy", contract=KEY, quantity=LOT).json()["orders"]
    resting = ask(box, "hand", action="sell", contract=KEY, quantity=LOT, price=25100.0).json()
    moved = ask(
        box, "hand", action="modify", order=resting["orders"][0]["order"], price=25200.0
    ).json()
    cancelled = ask(box, "hand", action="cancel").json()["orders"]
    closed = ask(box, "hand", action="close").json()["orders"]

    assert [row["status"] for row in (bought[0], resting["orders"][0], moved["orders"][0])] == [
        "FILLED", "WORKING", "WORKING",
    ]  # fmt: skip
    assert (cancelled[0]["status"], closed[0]["status"]) == ("CANCELLED", "FILLED")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("hand", {"action": "steal"}),
        ("hand", {"action": "buy"}),
        ("hand", {"action": "modify", "order": 7, "price": 1}),
        ("fault", {"kind": "dorp"}),
        ("fault", {"kindd": 1}),
    ],
)
def test_what_cannot_be_done_is_a_400_with_words(box, path, body):
    reply = ask(box, path, **body)

    assert (reply.status_code, bool(reply.json()["error"])) == (400, True)


def test_a_fault_may_be_added_over_http(box):
    assert ask(box, "fault", kind="drop", on="price", count=1).status_code == 200

    box.play()

    assert requests.get(f"{box.url}/_box/ledger/faults", timeout=5).json() == []
    state = requests.get(f"{box.url}/_box/state", timeout=5).json()
    assert (state["packet"], state["faults_struck"]) == (1, 0)


def test_the_ledger_can_be_read_from_outside_while_it_runs(tmp_path):
    path = tmp_path / "box.sqlite"
    with Sandbox("kite", day([CALM] * 2), ledger=path) as box:
        box.play()
        order = box.place(KEY, Side.BUY, LOT, product="NRML")
        box.place(KEY, Side.SELL, LOT, OrderKind.LIMIT, 25100.0)

        with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as outside:
            fills = outside.execute("SELECT order_id, side, quantity, price FROM fills").fetchall()
            states = outside.execute(
                "SELECT status FROM states WHERE order_id = ?", (str(order.number),)
            ).fetchall()
            working = outside.execute("SELECT status, price FROM orders").fetchall()

    assert fills == [(str(order.number), "BUY", LOT, 25000.0)]
    assert [row[0] for row in states] == ["RECEIVED", "WORKING", "FILLED"]
    assert working == [("FILLED", None), ("WORKING", 25100.0)]


def test_a_ledger_is_never_written_over(tmp_path):
    path = tmp_path / "box.sqlite"
    path.write_text("mine")

    with pytest.raises(ConfigError, match="is there already"):
        Sandbox("kite", day([CALM]), ledger=path)

    assert path.read_text() == "mine"


def run(seed):
    """Return all that a run with chances leaves in its ledger."""
    plan = [Fault("hand", action="buy", quantity=LOT, chance=0.2, count=20),
            Fault("hand", action="close", chance=0.1, count=20)]  # fmt: skip
    prices = generated("NIFTY-FUT", date(2024, 9, 2), date(2024, 9, 3), seed)
    with Sandbox("kite", prices, faults=plan, seed=seed) as box:
        box.play(200)
        kept = {table: box.ledger.rows(table) for table in ("orders", "states", "fills", "faults")}
        return kept, box.login()


def test_the_same_seed_gives_the_same_market_to_the_last_row():
    one, same, other = run(5), run(5), run(6)

    assert len(one[0]["fills"]) > 5
    assert one == same
    assert one != other


def test_another_hand_on_a_contract_that_is_not_there_ends_it_with_one_line():
    plan = [Fault("hand", action="buy", contract="NFO:NIFTY24SEPFU", quantity=LOT)]

    with (
        pytest.raises(ConfigError, match="did you mean 'NFO:NIFTY24SEPFUT'"),
        Sandbox("kite", day([CALM] * 3), speed=100_000, faults=plan) as box,
    ):
        box.wait(30)


def test_a_fault_on_an_endpoint_that_is_not_there_is_refused_while_it_runs(box):
    answer = ask(box, "fault", kind="lose", on="orders.plaice")

    assert answer.status_code == 400
    assert "did you mean 'orders.place'" in answer.json()["error"]
