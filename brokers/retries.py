"""Trying again: when to connect anew, and how often a question is repeated. Orders never are.

Nothing here sleeps or looks at a clock by itself where that can be helped: times are seconds that
never run backwards, given by the caller, and chance is a function.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from brokers.errors import AuthError, Disconnected, OutcomeUnknown, RateLimited
from core.config import LiveSettings
from core.errors import ConfigError
from core.events import Link, LinkState

_Answer = TypeVar("_Answer")

_LARGEST_POWER = 30
_FIRST = -1
"""Tries before any: the first connection is no repetition."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how fast something is tried again.

    Attributes
    ----------
    reconnect_interval : seconds before the first new connection; doubled after each failure.
    max_retries : new connections in a row, and repetitions of one question; 0: none.
    retry_delay : seconds before the first repetition of a question; doubled likewise.
    burst_size : most questions under way at once.
    longest_secs : no wait grows beyond it (or beyond the first one, where that is longer).
    jitter : share by which waits are shortened at random, so that not all come back at once.
    stable_secs : a connection that stood so long ends a row of failures.
    """

    reconnect_interval: float = 5.0
    max_retries: int = 10
    retry_delay: float = 1.0
    burst_size: int = 10
    longest_secs: float = 60.0
    jitter: float = 0.25
    stable_secs: float = 30.0

    def __post_init__(self) -> None:
        checks = {
            "reconnect_interval": self.reconnect_interval > 0,
            "max_retries": self.max_retries >= 0,
            "retry_delay": self.retry_delay >= 0,
            "burst_size": self.burst_size >= 1,
            "longest_secs": self.longest_secs > 0,
            "jitter": 0 <= self.jitter < 1,
            "stable_secs": self.stable_secs >= 0,
        }
        faults = [f"{name}={getattr(self, name)!r}" for name, fits in checks.items() if not fits]
        if faults:
            raise ConfigError(f"retries: out of range: {', '.join(faults)}")

    @classmethod
    def of(cls, live: LiveSettings) -> RetryPolicy:
        """Return the policy that [live] of tola.toml asks for."""
        return cls(live.reconnect_interval, live.max_retries, live.retry_delay, live.burst_size)

    def wait(self, first: float, failures: int, chance: float) -> float:
        """Return seconds to wait after so many failures before this one.

        Parameters
        ----------
        first : the wait after the first failure. chance : a number in [0, 1).
        """
        grown = first * 2.0 ** min(failures, _LARGEST_POWER)
        return min(grown, max(self.longest_secs, first)) * (1.0 - self.jitter * chance)


class Reconnector:
    """Says when a connection is tried again, and when no more; any thread may call it.

    A lost connection is tried anew after growing waits, `max_retries` times in a row; one that
    stands for `stable_secs` ends the row. What a login is needed for is never tried again before
    somebody logged in. What a venue asks to wait for is waited for.

    Parameters
    ----------
    policy : RetryPolicy
    name : of the connection, in its `Link` events.
    chance : returns a number in [0, 1).

    Attributes
    ----------
    state : CONNECTED, RETRYING, GIVEN_UP or LOGIN_NEEDED; LOST before `begin`.
    next_at : when to try next; None: not by itself.
    tries : new connections in the present row. reason : why the last one ended.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        name: str = "venue",
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.policy = policy
        self.name = name
        self.state = LinkState.LOST
        self.next_at: float | None = None
        self.tries = 0
        self.reason = ""
        self._chance = chance
        self._connected_at = 0.0
        self._logins = 0
        self._lock = threading.RLock()

    def begin(self, now: float) -> None:
        """Start, or start again by hand after it was given up: the first try is due at once."""
        with self._lock:
            self.tries = _FIRST
            self._logins = 0
            self._retry_at(now)

    def connected(self, now: float) -> None:
        """Note that a try succeeded; whether it lasts will be seen when it ends."""
        with self._lock:
            if self.state is not LinkState.CONNECTED:
                self.tries += 1
                self._connected_at = now
            self.state, self.next_at, self.reason = LinkState.CONNECTED, None, ""

    def failed(
        self, now: float, fault: BaseException | str, not_before: float | None = None
    ) -> LinkState:
        """Note that a try failed or the connection was lost; return the state it leads to.

        Parameters
        ----------
        fault : AuthError: a login is needed. RateLimited: its time is waited for.
        not_before : when the venue says that it will be back.
        """
        with self._lock:
            if self.state in (LinkState.GIVEN_UP, LinkState.LOGIN_NEEDED):
                return self.state  # a late word of a connection that is over
            self.reason = str(fault)
            if self.state is not LinkState.CONNECTED:
                self.tries += 1
            elif now - self._connected_at >= self.policy.stable_secs:
                self.tries = self._logins = 0
            if isinstance(fault, AuthError):
                return self._stop(LinkState.LOGIN_NEEDED)
            if self.tries >= self.policy.max_retries:
                return self._stop(LinkState.GIVEN_UP)
            wait = self.policy.wait(self.policy.reconnect_interval, self.tries, self._chance())
            if isinstance(fault, RateLimited):
                wait = max(wait, fault.retry_after_secs)
            return self._retry_at(max(now + wait, not_before or now))

    def logged_in(self, now: float, *, by_hand: bool = True) -> None:
        """Note that there is a new login: where one was needed, the next try is due at once.

        Parameters
        ----------
        by_hand : a person did it. A program's own logins are counted (`may_log_in`).
        """
        with self._lock:
            self._logins = 0 if by_hand else self._logins + 1
            if self.state is LinkState.LOGIN_NEEDED:
                self.tries = _FIRST
                self._retry_at(now)

    @property
    def may_log_in(self) -> bool:
        """Whether a program may log in by itself: once, until a connection has stood.

        Wrong passwords and codes, tried again and again, get an account locked.
        """
        return self._logins == 0

    def is_due(self, now: float) -> bool:
        """Whether a try is due."""
        with self._lock:
            return self.next_at is not None and now >= self.next_at

    def wait_secs(self, now: float) -> float | None:
        """Return seconds until the next try; None: there is none by itself."""
        with self._lock:
            return None if self.next_at is None else max(self.next_at - now, 0.0)

    def link(self) -> Link:
        """Return the state as an event."""
        with self._lock:
            return Link(self.state, self.name, self.reason)

    def _stop(self, state: LinkState) -> LinkState:
        self.state, self.next_at = state, None
        return state

    def _retry_at(self, when: float) -> LinkState:
        self.state, self.next_at = LinkState.RETRYING, when
        return self.state


ASKED_AGAIN = (Disconnected, RateLimited, OutcomeUnknown)
"""Faults after which a question is worth asking again: all else is an answer."""


def retry(
    call: Callable[[], _Answer],
    policy: RetryPolicy,
    *,
    safe: bool,
    sleep: Callable[[float], object] = time.sleep,
    chance: Callable[[], float] = random.random,
) -> _Answer:
    """Call, and call again where no answer came; raise the last fault when it is given up.

    Parameters
    ----------
    safe : asking twice does no more than asking once (history, a snapshot, a price). False for
        whatever places, changes or cancels: it is called exactly once.
    sleep : waits; where it returns True (an Event's `wait`) the program ends, and so do the tries.
    """
    tries = policy.max_retries if safe else 0
    for failures in range(tries + 1):
        try:
            return call()
        except ASKED_AGAIN as fault:
            wait = policy.wait(policy.retry_delay, failures, chance())
            if isinstance(fault, RateLimited):
                wait = max(wait, fault.retry_after_secs)
            if failures == tries or sleep(wait) is True:
                raise
    raise AssertionError("unreachable")


class Questions:
    """Questions to a venue that may be repeated: so many under way at once, no more.

    Parameters
    ----------
    policy : RetryPolicy
    sleep, chance : as for `retry`.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        sleep: Callable[[float], object] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy
        self._sleep = sleep
        self._chance = chance
        self._slots = threading.BoundedSemaphore(policy.burst_size)

    def ask(self, call: Callable[[], _Answer]) -> _Answer:
        """Ask, waiting for a free place first; a place is free again while a repetition waits."""

        def in_turn() -> _Answer:
            with self._slots:
                return call()

        return retry(in_turn, self._policy, safe=True, sleep=self._sleep, chance=self._chance)
