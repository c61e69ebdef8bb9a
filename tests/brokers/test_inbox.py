"""The inbox: events of many threads, one taker, one wake-up."""

import threading
import time

from brokers.inbox import Inbox
from core.events import Clock


def test_events_are_taken_in_the_order_they_came():
    inbox = Inbox()
    inbox.put(Clock(ts_event=1))
    inbox.put_all([Clock(ts_event=2), Clock(ts_event=3)])

    taken = [inbox.take().ts_event for _ in range(3)]

    assert (taken, inbox.take(), inbox.highest) == ([1, 2, 3], None, 3)


def test_nothing_is_lost_or_doubled_between_eight_threads_and_one_taker():
    inbox, taken = Inbox(), []

    def feed(number):
        for place in range(500):
            inbox.put(Clock(ts_event=place, ts_init=number))

    threads = [threading.Thread(target=feed, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while len(taken) < 4000 and time.monotonic() < deadline:
        event = inbox.take()
        if event is None:
            inbox.wait(0.5)
        else:
            taken.append(event)
    for thread in threads:
        thread.join()

    assert len(taken) == 4000
    for number in range(8):
        assert [item.ts_event for item in taken if item.ts_init == number] == list(range(500))


def test_a_sleeper_wakes_for_an_event_or_a_poke_and_not_for_an_old_one():
    inbox = Inbox()
    threading.Timer(0.05, inbox.put, [Clock()]).start()
    assert inbox.wait(5.0)
    inbox.take()
    assert not inbox.wait(0.01)
    inbox.poke()
    assert inbox.wait(5.0)


def test_it_is_quiet_only_when_all_is_taken_and_the_engine_sleeps():
    inbox = Inbox()
    assert not inbox.is_quiet
    sleeper = threading.Thread(target=inbox.wait, args=(5.0,))
    sleeper.start()
    deadline = time.monotonic() + 5
    while not inbox.is_quiet and time.monotonic() < deadline:
        time.sleep(0.001)
    assert inbox.is_quiet

    inbox.put(Clock())
    sleeper.join()
    assert not inbox.is_quiet
