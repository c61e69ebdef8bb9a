"""Retries: growing waits with an end, no blind logins, orders once, so many questions at once."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.errors import AuthError, Disconnected, OrderRejected, OutcomeUnknown, RateLimited
from brokers.retries import Questions, Reconnector, RetryPolicy, retry
from core.config import LiveSettings
from core.errors import ConfigError
from core.events import LinkState

LOST = Disconnected("the socket closed")
EVEN = RetryPolicy(reconnect_interval=5.0, max_retries=4, retry_delay=1.0, jitter=0.0)


def started(policy=EVEN, chance=lambda: 0.0):
    link = Reconnector(policy, chance=chance)
    link.begin(0.0)
    return link


def up(link, now):
    link.connected(now)
    return link


# -- the policy -----------------------------------------------------------------------------------


def test_the_policy_is_what_live_settings_say():
    policy = RetryPolicy.of(LiveSettings(reconnect_interval=60.0, max_retries=5, retry_delay=10.0,
                                         burst_size=20))  # fmt: skip

    assert (policy.reconnect_interval, policy.max_retries) == (60.0, 5)
    assert (policy.retry_delay, policy.burst_size) == (10.0, 20)


def test_all_faults_of_a_policy_are_told_at_once():
    with pytest.raises(ConfigError, match=r"reconnect_interval=0, burst_size=0, jitter=1\.5"):
        RetryPolicy(reconnect_interval=0, burst_size=0, jitter=1.5)


def test_waits_double_up_to_the_longest():
    policy = RetryPolicy(reconnect_interval=5.0, longest_secs=60.0, jitter=0.0)

    assert [policy.wait(5.0, n, 0.0) for n in range(6)] == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


def test_a_first_wait_longer_than_the_longest_stays_as_it_was_asked_for():
    assert RetryPolicy(jitter=0.0).wait(300.0, 7, 0.0) == 300.0


@given(
    st.floats(0.01, 1e4), st.floats(0.01, 1e4), st.floats(0.0, 0.99), st.integers(0, 10**6),
    st.floats(0.0, 1.0, exclude_max=True),
)  # fmt: skip
def test_a_wait_is_never_longer_than_the_longest_and_never_none(first, longest, jitter, n, chance):
    policy = RetryPolicy(longest_secs=longest, jitter=jitter)

    wait = policy.wait(first, n, chance)

    assert first * (1.0 - jitter) * 0.999 <= wait or wait >= longest * (1.0 - jitter) * 0.999
    assert 0.0 < wait <= max(longest, first)


# -- connecting again -----------------------------------------------------------------------------


def test_a_lost_connection_is_tried_again_after_growing_waits_and_then_given_up():
    link = up(started(), 0.0)
    times, now = [], 1000.0

    state = link.failed(now, LOST)
    while state is LinkState.RETRYING:
        assert not link.is_due(link.next_at - 0.001)
        now = link.next_at
        assert link.is_due(now)
        times.append(now)
        state = link.failed(now, LOST)

    assert times == [1005.0, 1015.0, 1035.0, 1075.0]
    assert state is LinkState.GIVEN_UP
    assert link.wait_secs(now) is None and not link.is_due(1e9)
    told = link.link()
    assert (told.state, told.reason) == (LinkState.GIVEN_UP, "the socket closed")


def test_the_first_connection_is_no_repetition():
    link = started(RetryPolicy(max_retries=0))

    assert link.is_due(0.0)
    assert link.failed(0.0, LOST) is LinkState.GIVEN_UP
    assert up(started(RetryPolicy(max_retries=0)), 0.0).state is LinkState.CONNECTED


def test_a_connection_that_stood_for_a_while_ends_the_row_of_failures():
    link = up(started(), 0.0)
    for now in (100.0, 200.0, 300.0):
        link.failed(now, LOST)
    assert link.tries == 2

    up(link, 400.0)
    link.failed(400.0 + EVEN.stable_secs, LOST)

    assert link.tries == 0
    assert link.wait_secs(400.0 + EVEN.stable_secs) == 5.0


def test_a_connection_that_breaks_at_once_again_and_again_is_given_up():
    link = up(started(), 0.0)
    now = 0.0
    for _ in range(EVEN.max_retries):
        assert link.failed(now, LOST) is LinkState.RETRYING
        now = link.next_at
        up(link, now)
        now += 1.0

    assert link.failed(now, LOST) is LinkState.GIVEN_UP


def test_given_up_is_ended_by_hand_alone():
    link = started(RetryPolicy(max_retries=0))
    link.failed(0.0, LOST)

    assert link.failed(1.0, LOST) is LinkState.GIVEN_UP
    link.logged_in(2.0)
    assert link.state is LinkState.GIVEN_UP

    link.begin(3.0)

    assert (link.state, link.is_due(3.0)) == (LinkState.RETRYING, True)


@pytest.mark.parametrize("connected", [True, False], ids=["while connected", "while trying"])
def test_a_login_that_is_needed_is_never_tried_around(connected):
    link = started()
    if connected:
        up(link, 0.0)

    state = link.failed(10.0, AuthError("token expired", code="403"))

    assert state is LinkState.LOGIN_NEEDED
    assert link.wait_secs(10.0) is None and not link.is_due(1e9)
    assert link.failed(11.0, LOST) is LinkState.LOGIN_NEEDED  # the socket's own last word


def test_after_a_login_the_next_try_is_due_at_once():
    link = started()
    link.failed(10.0, AuthError("token expired"))

    link.logged_in(500.0)

    assert (link.state, link.is_due(500.0)) == (LinkState.RETRYING, True)


def test_a_program_logs_in_by_itself_once_until_a_connection_has_stood():
    link = started()
    link.failed(0.0, AuthError("token expired"))
    assert link.may_log_in
    link.logged_in(0.0, by_hand=False)

    link.failed(1.0, AuthError("still not"))
    assert not link.may_log_in

    link.logged_in(2.0, by_hand=True)
    assert link.may_log_in
    link.failed(3.0, AuthError("no"))
    link.logged_in(4.0, by_hand=False)
    up(link, 5.0)
    link.failed(5.0 + EVEN.stable_secs, AuthError("the day is over"))
    assert link.may_log_in


def test_what_the_venue_asks_to_wait_for_is_waited_for():
    link = up(started(), 0.0)

    link.failed(100.0, RateLimited("too many", retry_after_secs=90.0))
    assert link.next_at == 190.0

    link.failed(190.0, LOST, not_before=5000.0)  # maintenance until then
    assert link.next_at == 5000.0
    link.failed(5000.0, LOST, not_before=1.0)
    assert link.next_at == 5020.0


def test_two_programs_that_lost_a_venue_together_do_not_come_back_together():
    policy = RetryPolicy(jitter=0.25)
    one, other = (up(started(policy, chance), 0.0) for chance in (lambda: 0.0, lambda: 0.9))

    one.failed(100.0, LOST)
    other.failed(100.0, LOST)

    assert one.next_at == 105.0
    assert other.next_at == pytest.approx(100.0 + 5.0 * (1 - 0.25 * 0.9))


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["connected", "lost", "auth", "limited", "login", "begin", "wait"]),
        st.floats(0.0, 100.0),
    ),
    max_size=60,
)


@given(ACTS, st.integers(0, 6), st.floats(0.0, 0.999))
def test_whatever_happens_it_tries_no_more_often_than_the_policy_allows(acts, retries, chance):
    policy = RetryPolicy(reconnect_interval=5.0, max_retries=retries, jitter=0.25)
    link = Reconnector(policy, chance=lambda: chance)
    link.begin(0.0)
    faults = {"lost": LOST, "auth": AuthError("x"), "limited": RateLimited("x", retry_after_secs=9)}
    now = 0.0
    for act, passed in acts:
        now += passed
        may_end = link.state is LinkState.CONNECTED or link.is_due(now)
        if act == "connected" and link.is_due(now):
            link.connected(now)
        elif act in faults and may_end:
            state = link.failed(now, faults[act])
            assert (state is LinkState.LOGIN_NEEDED) == (act == "auth")
            if state is LinkState.RETRYING:
                least = 9.0 if act == "limited" else 5.0 * 0.75
                assert least * 0.999 <= link.next_at - now <= max(60.0, least)
        elif act == "login":
            link.logged_in(now)
        elif act == "begin":
            link.begin(now)

        assert (link.next_at is not None) == (link.state is LinkState.RETRYING)
        assert link.tries <= retries


# -- asking again ---------------------------------------------------------------------------------


class Call:
    """Something that fails some times and then answers."""

    def __init__(self, *faults):
        self.faults = list(faults)
        self.times = 0

    def __call__(self):
        self.times += 1
        if self.faults:
            raise self.faults.pop(0)
        return "bars"


class Waits(list):
    def __call__(self, secs):
        self.append(secs)


def test_a_question_is_repeated_until_it_is_answered():
    call, waits = Call(LOST, OutcomeUnknown("timeout")), Waits()

    assert retry(call, EVEN, safe=True, sleep=waits, chance=lambda: 0.0) == "bars"
    assert (call.times, waits) == (3, [1.0, 2.0])


def test_an_order_is_sent_exactly_once_whatever_comes_back():
    for fault in (LOST, OutcomeUnknown("timeout"), RateLimited("x", retry_after_secs=1.0)):
        call, waits = Call(fault), Waits()

        with pytest.raises(type(fault)):
            retry(call, EVEN, safe=False, sleep=waits)

        assert (call.times, waits) == (1, [])


def test_whether_a_call_is_safe_must_be_said():
    with pytest.raises(TypeError):
        retry(Call(), EVEN)


@pytest.mark.parametrize("answer", [AuthError("no"), OrderRejected("no"), ConfigError("no"),
                                    ValueError("no")])  # fmt: skip
def test_a_no_is_an_answer_and_is_not_asked_for_again(answer):
    call = Call(answer)

    with pytest.raises(type(answer)):
        retry(call, EVEN, safe=True, sleep=Waits())

    assert call.times == 1


def test_after_the_last_repetition_the_fault_itself_is_told():
    call, waits = Call(*[LOST] * 9), Waits()

    with pytest.raises(Disconnected, match="the socket closed"):
        retry(call, EVEN, safe=True, sleep=waits, chance=lambda: 0.0)

    assert (call.times, waits) == (5, [1.0, 2.0, 4.0, 8.0])


def test_a_question_waits_as_long_as_the_venue_says():
    waits = Waits()

    retry(Call(RateLimited("429", retry_after_secs=7.5)), EVEN, safe=True, sleep=waits)

    assert waits == [7.5]


def test_a_program_that_ends_asks_no_more():
    ending = threading.Event()
    ending.set()
    call = Call(LOST, LOST)

    with pytest.raises(Disconnected):
        retry(call, EVEN, safe=True, sleep=ending.wait)

    assert call.times == 1


@given(st.integers(0, 8), st.integers(0, 12))
def test_a_question_is_asked_at_most_once_and_so_many_times_again(retries, faults):
    policy = RetryPolicy(max_retries=retries)
    call = Call(*[LOST] * faults)

    try:
        retry(call, policy, safe=True, sleep=Waits())
    except Disconnected:
        assert faults > retries

    assert call.times == min(faults, retries) + 1


def test_no_more_questions_are_under_way_than_allowed_and_none_is_lost():
    questions = Questions(RetryPolicy(burst_size=3, retry_delay=0.0))
    under_way, most, answered = [0], [0], []
    lock, full, go_on = threading.Lock(), threading.Event(), threading.Event()

    def ask(number):
        def call():
            with lock:
                under_way[0] += 1
                most[0] = max(most[0], under_way[0])
                if under_way[0] == 3:
                    full.set()
            go_on.wait(10)
            with lock:
                under_way[0] -= 1
            return number

        answered.append(questions.ask(call))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    assert full.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)

    assert most[0] == 3
    assert sorted(answered) == list(range(12))


def test_a_question_that_waits_for_its_repetition_takes_no_place():
    asked = []
    questions = Questions(
        RetryPolicy(burst_size=1), sleep=lambda secs: asked.append(questions.ask(lambda: "other"))
    )

    assert questions.ask(Call(LOST)) == "bars"
    assert asked == ["other"]
