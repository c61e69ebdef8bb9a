"""Lock-step over real sockets: the market waits for a session's rest."""

from __future__ import annotations

import socket
import threading

import requests

from core.lockstep import LockStepClient
from sandbox.faults import Fault, Kind
from sandbox.lockstep import LockStepError
from tests.sandbox.kite.client import Ticker, connect
from tests.sandbox.kite.test_orders import place
from tests.sandbox.market import CALM, day, eventually


class Session:
    """Counts what reached it; rests when it has dealt with all."""

    def __init__(self, box, clock=None):
        kite = self.kite = connect(box)
        self.token = kite.instruments("NFO")[0]["instrument_token"]
        self.stream = Ticker(box, kite.access_token, [self.token], "full").ready(box)
        self.stream.settled(box)
        self.stream.ticks.clear()
        self.seen, self.ended, self.holds = [], threading.Event(), False
        self.client = LockStepClient(box.url, clock or self, on_end=self.ended.set)

    @property
    def is_quiet(self):
        self.seen.append((self.client.packet, len(self.stream.ticks)))
        return not self.holds

    def close(self):
        self.client.stop()
        self.stream.close()


def test_each_packet_has_reached_the_session_when_it_is_named(start):
    box = start(lock_step=True)
    session = Session(box)

    session.client.start()

    assert session.ended.wait(30)
    assert session.seen == [(packet, packet) for packet in range(1, 26)]
    assert box.packet == 25
    session.close()


def test_an_order_sent_at_a_packet_is_there_before_the_next(start):
    box = start(lock_step=True)
    orders = []

    class Trading:
        @property
        def is_quiet(self):
            if session.client.packet == 3 and not orders:
                orders.append(place(session.kite, kind="MARKET"))
            return True

    session = Session(box, Trading())

    session.client.start()

    assert session.ended.wait(30)
    (row,) = box.ledger.rows("fills")
    assert row["price"] == 24990.0
    session.close()


def test_a_dropped_packet_asks_for_nothing(start):
    # Two answers to the subscription come before the first price.
    box = start(lock_step=True, faults=[Fault(Kind.DROP, on="price", skip=3, count=3)])
    session = Session(box)

    session.client.start()

    assert session.ended.wait(30)
    assert session.seen[-1] == (25, 22)
    session.close()


def test_a_cut_stream_holds_nobody_up(start):
    box = start(lock_step=True, faults=[Fault(Kind.CUT, on="price", skip=6)])
    session = Session(box)

    session.client.start()

    assert session.ended.wait(30)
    assert box.packet == 25
    session.close()


def test_the_market_stands_until_a_session_has_joined(start):
    box = start(lock_step=True)

    assert not box.wait(0.1)
    assert box.packet == 0


def test_a_session_that_does_not_come_to_rest_is_an_error_that_names_the_packet(start):
    box = start(day([CALM]), lock_step=True, step_timeout_secs=0.2)
    session = Session(box)
    session.holds = True

    session.client.start()

    assert box.wait(30)
    assert isinstance(box.error, LockStepError)
    assert "packet 1 (NIFTY-FUT 2024-09-04 03:45:00 UTC)" in str(box.error)
    state = requests.get(f"{box.url}/_box/state", timeout=5).json()
    assert "packet 1" in state["error"]
    box.error = None
    session.close()


def test_a_client_that_takes_nothing_is_an_error_that_names_the_packet(start):
    box = start(day([CALM]), lock_step=True, step_timeout_secs=0.2)
    host, port = box.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(
            f"GET /?api_key=sandboxkey&access_token={box.login()} HTTP/1.1\r\nHost: {host}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        eventually(lambda: box.face.stream.connections)

        LockStepClient(box.url, _Rests()).start()

        assert box.wait(30)
    assert "packet 1 (NIFTY-FUT 2024-09-04 03:45:00 UTC) was not taken" in str(box.error)
    box.error = None


def test_a_session_that_leaves_is_not_waited_for(start):
    box = start(lock_step=True)
    first, second = Session(box), LockStepClient(box.url, _Rests(), "second")
    first.holds = True
    first.client.start()
    eventually(lambda: box.packet == 1)
    second.start()

    first.client.stop()

    eventually(lambda: box.packet > 5)
    first.close()
    second.stop()


def test_a_session_that_comes_back_is_told_the_packet_in_force_again(start):
    box = start(lock_step=True)
    session = Session(box)
    session.holds = True
    session.client.start()
    eventually(lambda: session.client.packet == 1)
    session.client._stopping.set()

    over = threading.Event()
    LockStepClient(box.url, _Rests(), on_end=over.set).start()

    assert over.wait(30)
    assert box.packet == 25
    session.stream.close()


def test_without_lock_step_the_route_says_so(box):
    reply = requests.post(f"{box.url}/_box/step", json={"session": "x"}, timeout=5)

    assert (reply.status_code, "--lock-step" in reply.json()["error"]) == (400, True)


class _Rests:
    is_quiet = True
