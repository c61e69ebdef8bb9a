"""From `[live]` and `[accounts.NAME]` of tola.toml to the terms of feeds, broker and session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from brokers.live_terms import Foreign, LiveTerms
from core.config import LiveSettings
from core.config_fields import ACCOUNT_LIVE_FIELDS
from feeds.live import FeedTerms
from live.build import SessionTerms

FAST = 20_000.0
"""How much faster than the clock recorded prices are played where nothing says otherwise."""
_SECOND_NS = 1_000_000_000

Origins = Mapping[str, Mapping[str, Any]]
"""Values with their sources by dotted name, as `Config.stored` gives them."""


def settings_of(live: LiveSettings, origins: Origins, account: str | None) -> LiveSettings:
    """Return what holds on an account: its own values over those of [live]; a flag over both."""
    own = {}
    for name in ACCOUNT_LIVE_FIELDS:
        at = origins.get(f"accounts.{account}.{name}")
        if at is not None and origins[f"live.{name}"]["source"] != "flag":
            own[name] = at["value"]
    return replace(live, **own)


def broker_terms(live: LiveSettings) -> LiveTerms:
    """Return how the broker keeps a live account."""
    return LiveTerms(
        settle_secs=live.settle_secs,
        mend_secs=live.mend_secs,
        retry_secs=live.close_retry_secs,
        foreign=Foreign(live.foreign),
        restores_stops=live.restores_stops,
        balance_tolerance=live.balance_tolerance,
    )


def feed_terms(live: LiveSettings) -> FeedTerms:
    """Return how feeds of a venue behave."""
    return FeedTerms(
        history_bars=live.history_bars,
        stale_ns=_ns(live.stale_secs),
        settle_ns=_ns(live.bar_settle_secs),
        patience_ns=_ns(live.bar_patience_secs),
        retry_ns=_ns(live.history_retry_secs),
        tries=live.history_tries,
        answer_ns=_ns(live.history_answer_secs),
        clock_error_ns=_ns(live.clock_error_secs),
        hole_bars=live.hole_bars,
        check_every_bars=live.check_every_bars,
    )


def _ns(secs: float) -> int:
    return round(secs * _SECOND_NS)


def session_terms(live: LiveSettings, origins: Origins) -> SessionTerms:
    """Return how a session on paper runs; a speed that nobody chose is a fast one."""
    is_default = origins["live.speed"]["source"] == "default"
    speed: float | None = FAST if is_default else None
    if not is_default and not isinstance(live.speed, str):
        speed = live.speed
    return SessionTerms(
        speed=speed,
        history_bars=live.history_bars,
        entry_age_secs=live.entry_age_secs,
        unprotected_secs=live.unprotected_secs,
        at_roll=live.at_roll,
        brackets=live.brackets,
        positions=live.positions,
        latency_ms=live.latency_ms,
        feed=feed_terms(live),
        broker=broker_terms(live),
    )
