"""A Kite sandbox that a test moves by hand, and a session on its market in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from brokers.kite.client import WINDOWS
from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.store import KiteStore
from brokers.retries import RetryPolicy
from core.events import Bars, Event
from core.path_ticks import path_ticks
from core.ticks import Tape
from feeds.live import FeedState
from live.build import start_of
from live.journal import open_journal
from live.market import Rest, VenueMarket
from live.session import Session, SessionRequest, SessionResult
from live.verbs.venue_market import on_market
from sandbox import AccountTerms, Sandbox, replayed
from sandbox.course import corner_volumes
from sandbox.kite import KiteSettings
from sandbox.kite.settings import WINDOWS as VENUE_WINDOWS

USER = "XX0000"
KEY, SECRET = "sandboxkey", "sandboxsecret"
PATIENCE_SECS = 90.0


class KiteMarket:
    """The market of a request's own prices, and the session that trades it.

    Parameters
    ----------
    orders : they go through the SDK; else paper fills them.
    whole_bars : prices are those of the plan's own bars; else of the finest there are.
    silent_secs : a stream without a frame for so long is dead; short only where that is tried.
    settings : of the sandbox's Kite, besides its request limits, which are off.

    Attributes
    ----------
    alerts : (kind, text) of all a person was told. token : what the session's keys hold.
    now : the time the session goes by; it never runs ahead of prices that are on their way.
    """

    def __init__(
        self,
        request: SessionRequest,
        *,
        orders: bool = False,
        whole_bars: bool = False,
        silent_secs: float = 60.0,
        **settings: Any,
    ) -> None:
        prices = []
        for plan in request.loaded:
            instrument = plan.request.instrument
            finest = plan.series if whole_bars else plan.series.lower or plan.series
            series = replace(finest, symbol=instrument.symbol, lower=None)
            ticks = path_ticks(series.bars, instrument.facts(int(series.bars["day"][0])).tick)
            ticks["volume"] = corner_volumes(series.bars["volume"])
            prices.append(replayed(series, Tape(ticks, "trades"), instrument))
        self._silent_secs = silent_secs
        self.box = Sandbox(
            "kite", prices, start=start_of(request.loaded, request.terms),
            accounts={USER: AccountTerms(request.account.cash)},
            settings=KiteSettings(windows=dict.fromkeys(VENUE_WINDOWS, ()), **settings),
        ).start()  # fmt: skip
        self.token = self.box.login(USER)
        self.now = self.box.now
        self.store: KiteStore | None = None
        self.is_over = False
        self.alerts: list[tuple[str, str]] = []
        self.result: SessionResult | None = None
        self._failure: BaseException | None = None
        market = VenueMarket(
            "kite", self._open_port, not orders, True, lambda: self.now, lambda: self.is_over,
            is_real_time=False,
        )  # fmt: skip
        self.request = on_market(request, market)
        self.session = Session(
            self.request, alert=lambda kind, text: self.alerts.append((kind, text))
        )
        self._thread = threading.Thread(target=self._run, name="session", daemon=True)

    def _open_port(self, emit: Any, symbols: Sequence[str]) -> KiteStore:
        self.store = KiteStore(
            KiteConfig(
                api_root=self.box.url,
                stream_root=self.box.stream_url,
                silent_secs=self._silent_secs,
            ),
            lambda: KiteKeys(KEY, self.token, SECRET),
            emit,
            symbols,
            policy=RetryPolicy(0.02, max_retries=100_000, retry_delay=0.02, longest_secs=0.05),
            clock=lambda: self.now,
            windows=[replace(window, count=1_000_000) for window in WINDOWS],
        )
        return self.store

    def _run(self) -> None:
        try:
            self.result = self.session.run()
        except BaseException as failure:  # told to the test's thread
            self._failure = failure

    # -- from beginning to end ---------------------------------------------------------------

    def __enter__(self) -> KiteMarket:
        self._thread.start()
        self.until(lambda: self.feed_state is FeedState.LIVE)
        self.rest()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self.session.built.engine.stop("the test has ended")
            self._thread.join(PATIENCE_SECS)
        self.box.stop()

    def finish(self) -> SessionResult:
        """Let the prices be over; return what the session leaves."""
        self.is_over = True
        self._thread.join(PATIENCE_SECS)
        self._raise()
        assert self.result is not None, "the session did not end"
        if self.result.failure is not None:
            raise self.result.failure
        return self.result

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    # -- the market --------------------------------------------------------------------------

    def play(self, packets: int) -> int:
        """Let the market go on, the session with each packet; return how many there were."""
        for count in range(packets):
            if not self.box.play(1):
                return count
            self.rest()
            self.now = self.box.now
        self.rest()
        return packets

    def play_until(self, ts: int) -> None:
        """Let the market go on to a time (ns UTC), the session with each packet."""
        while self.box.exchange.now < ts and self.play(1):
            pass

    def sleep_until(self, ts: int) -> None:
        """Let time pass without a price, as at night."""
        self.box.call(lambda: setattr(self.box.exchange, "now", max(self.box.exchange.now, ts)))
        self.now = self.box.now
        self.rest()

    def play_unseen(self, packets: int) -> None:
        """Let the market go on while nobody sees it."""
        self.box.play(packets)
        self.now = self.box.now

    def play_unseen_until(self, ts: int) -> None:
        """Let the market go on to a time while nobody sees it."""
        self.box.play_until(ts)
        self.now = self.box.now

    @property
    def connections(self) -> int:
        """How often the stream has come to stand."""
        return self.session.built.engine.counts.reconnects

    def lost(self) -> None:
        """Wait until the session has noticed that its stream is gone."""
        self.until(lambda: self.feed_state is FeedState.WAITING)

    def login(self) -> None:
        """Let somebody log in, and the session come back."""
        self.token = self.box.login(USER)
        assert self.store is not None
        self.store.login_renewed()
        self.rest()

    # -- the session -------------------------------------------------------------------------

    @property
    def feed_state(self) -> FeedState | None:
        """Where its feed stands, None before there is one."""
        built = getattr(self.session, "built", None)
        return None if built is None else built.engine.slots[0].feed.state

    @property
    def is_at_rest(self) -> bool:
        """Whether it has done all there is to do."""
        built = self.session.built
        return Rest(built.engine, built.port).is_quiet

    def rest(self) -> None:
        """Wait until it has done all there is to do."""
        quiet = 0
        until = time.monotonic() + PATIENCE_SECS
        while quiet < 2:
            self.box.run(self.box.face.delivered())
            quiet = quiet + 1 if self.is_at_rest else 0
            self._raise()
            assert time.monotonic() < until, "the session did not come to rest"
            time.sleep(0.0005)

    def until(self, condition: Any) -> None:
        """Wait until something holds."""
        until = time.monotonic() + PATIENCE_SECS
        while not condition():
            self._raise()
            assert time.monotonic() < until, "it did not come"
            time.sleep(0.002)

    def alerted(self, count: int) -> None:
        """Wait until a person was asked to log in so often."""
        self.until(lambda: sum("log in" in text for text in self.told("token")) >= count)

    def told(self, kind: str) -> list[str]:
        """Return what a person was told of one kind."""
        return [text for known, text in list(self.alerts) if known == kind]

    # -- what it leaves ----------------------------------------------------------------------

    def events(self) -> list[tuple[int, Event]]:
        """Return the record's events with their numbers, oldest first."""
        return list(self._journal(lambda journal: list(journal.events(0))))

    def intents(self) -> list[Any]:
        """Return what was asked of the venue, oldest first."""
        assert self.result is not None
        session_id = self.result.facts.session_id
        return list(self._journal(lambda journal: journal.intents(session_id)))

    def entries(self) -> list[tuple[int, bool]]:
        """Return of each entry sent when that was, and whether the bar it is of came late."""
        events, found = self.events(), []
        sent = [item for item in self.intents() if item.verb == "submit"]
        for entry in (item for item in sent if not item.document.get("reduces")):
            before = [event for seq, event in events if seq <= entry.after_seq]
            bars = next(event for event in reversed(before) if isinstance(event, Bars))
            found.append((before[-1].ts_event, bars.late[0]))
        return found

    def bars(self) -> tuple[np.ndarray[Any, Any], list[bool]]:
        """Return the bars the strategy saw, and which of them came late."""
        groups = [event for _, event in self.events() if isinstance(event, Bars)]
        late = [flag for event in groups for flag in event.late]
        return np.concatenate([event.bars for event in groups]), late

    def _journal(self, read: Any) -> Any:
        folder = self.request.folder
        journal = open_journal(str(folder.journal), folder.name, read_only=True)
        try:
            return read(journal)
        finally:
            journal.close()
