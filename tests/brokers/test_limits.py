"""Rate limits: no window is exceeded, orders overtake everything, a full window is told."""

import random
import threading
import time

import pytest

from brokers.errors import RateLimited
from brokers.limits import RateLimiter, Window
from core.errors import ConfigError


class Clock:
    """A clock that moves when somebody sleeps on the limiter's condition."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def limiter_of(*windows, clock=None, slack=0.0, **endpoints):
    clock = clock or Clock()
    limiter = RateLimiter(windows, endpoints, {"order"} & endpoints.keys(), slack, clock)
    if isinstance(clock, Clock):

        def sleep(timeout=None):
            clock.now += timeout if timeout is not None else 0.01

        limiter._turn.wait = sleep
    return limiter, clock


def ask(limiter, endpoint, timeout_secs=1e6):
    """Make a request that is answered at once; return how long it waited."""
    with limiter.turn(endpoint, timeout_secs=timeout_secs) as waited:
        return waited


def test_requests_beyond_the_window_wait_until_it_moves_on():
    limiter, clock = limiter_of(Window("all", 5, 1.0), order=["all"])

    waited = [ask(limiter, "order") for _ in range(11)]

    assert waited == [0.0] * 5 + [1.0] + [0.0] * 4 + [1.0]
    assert clock.now == 2.0


def test_no_window_is_ever_exceeded_whatever_is_asked_when():
    chance = random.Random(3)
    windows = [Window("second", 4, 1.0), Window("minute", 30, 60.0), Window("history", 3, 1.0)]
    limiter, clock = limiter_of(
        *windows, order=["second", "minute"], history=["history", "second"], quote=["second"]
    )
    sent = {window.name: [] for window in windows}
    falls = {"order": windows[:2], "history": [windows[2], windows[0]], "quote": [windows[0]]}
    for _ in range(400):
        endpoint = chance.choice(list(falls))
        ask(limiter, endpoint)
        for window in falls[endpoint]:
            sent[window.name].append(clock.now)
        clock.now += chance.choice([0.0, 0.0, 0.01, 0.3])

    for window in windows:
        times = sent[window.name]
        for first, last in zip(times, times[window.count :], strict=False):
            assert last - first >= window.period_secs - 1e-9


def test_others_leave_orders_a_share_of_the_window():
    limiter, clock = limiter_of(Window("all", 10, 1.0), order=["all"], quote=["all"])
    for _ in range(8):
        ask(limiter, "quote")
    assert clock.now == 0.0

    assert ask(limiter, "order") == 0.0
    assert ask(limiter, "quote") > 0.0


def test_a_window_that_orders_do_not_use_is_used_whole():
    limiter, _ = limiter_of(
        Window("all", 10, 1.0), Window("history", 3, 1.0), order=["all"], history=["history"]
    )

    assert [ask(limiter, "history") for _ in range(4)] == [0.0, 0.0, 0.0, 1.0]


def test_a_request_is_in_its_window_until_a_period_after_its_answer():
    limiter, clock = limiter_of(Window("all", 2, 1.0), order=["all"])
    with limiter.turn("order"):
        ask(limiter, "order")
        clock.now += 5.0
        assert [usage.used for usage in limiter.usage()] == [1]
        assert ask(limiter, "order") == 0.0

    assert ask(limiter, "order") == 1.0


def test_a_venue_never_counts_too_many_however_long_requests_are_on_their_way():
    limiter = RateLimiter([Window("all", 5, 0.2)], {"order": ["all"]})
    chance = random.Random(5)
    ways = [(chance.uniform(0.0, 0.1), chance.uniform(0.0, 0.05)) for _ in range(40)]
    arrived = []

    def go():
        while ways:
            there, back = ways.pop()
            with limiter.turn("order"):
                time.sleep(there)
                arrived.append(time.monotonic())
                time.sleep(back)

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    arrived.sort()
    assert len(arrived) == 40
    assert min(last - first for first, last in zip(arrived, arrived[5:], strict=False)) >= 0.2


def test_requests_without_an_answer_let_no_more_be_sent():
    limiter, _ = limiter_of(Window("all", 1, 1.0), order=["all"])

    with limiter.turn("order"), pytest.raises(RateLimited):
        ask(limiter, "order", timeout_secs=30.0)


def test_a_request_that_failed_is_counted_too():
    limiter, _ = limiter_of(Window("all", 1, 1.0), order=["all"])

    with pytest.raises(OSError, match="lost"), limiter.turn("order"):
        raise OSError("lost")

    assert ask(limiter, "order") == 1.0


def test_an_order_overtakes_history_that_waits_for_the_same_window():
    endpoints = {"order": ["all"], "history": ["all"]}
    limiter = RateLimiter([Window("all", 2, 0.4)], endpoints, ["order"], 0.0)
    for _ in range(2):
        ask(limiter, "order")
    went = []

    def go(endpoint, name):
        with limiter.turn(endpoint):
            went.append(name)

    threads = [threading.Thread(target=go, args=("history", f"history {n}")) for n in range(3)]
    for thread in threads:
        thread.start()
        time.sleep(0.02)
    threads.append(threading.Thread(target=go, args=("order", "order")))
    threads[-1].start()
    for thread in threads:
        thread.join(10)

    assert went == ["order", "history 0", "history 1", "history 2"]


def test_no_turn_in_time_is_an_error_that_says_when_and_counts_nothing():
    limiter, _ = limiter_of(Window("day", 1, 3600.0), order=["day"])
    ask(limiter, "order")

    with pytest.raises(RateLimited) as caught:
        ask(limiter, "order", timeout_secs=5.0)

    assert caught.value.retry_after_secs == pytest.approx(3595.0)
    assert [usage.used for usage in limiter.usage()] == [1]


def test_a_venue_that_says_stop_is_left_alone_for_as_long():
    limiter, clock = limiter_of(Window("all", 5, 1.0), order=["all"])
    limiter.close_for("order", 30.0)

    ask(limiter, "order")

    assert clock.now == 30.0


def test_usage_shows_what_each_window_holds_now():
    limiter, clock = limiter_of(Window("all", 5, 1.0), order=["all"])
    for _ in range(3):
        ask(limiter, "order")
    assert [(item.window.name, item.used) for item in limiter.usage()] == [("all", 3)]

    clock.now += 1.0
    assert [item.used for item in limiter.usage()] == [0]


def test_an_endpoint_that_is_not_in_the_table_is_an_error():
    limiter, _ = limiter_of(Window("all", 5, 1.0), order=["all"])

    with pytest.raises(ConfigError, match="did you mean 'order'"):
        ask(limiter, "ordre")
