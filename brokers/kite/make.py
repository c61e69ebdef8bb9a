"""From an account's settings to its store."""

from __future__ import annotations

from dataclasses import replace

from brokers.kite.clock import market_clock
from brokers.kite.config import KiteConfig, KiteKeys
from brokers.kite.store import KiteStore
from brokers.registry import PortRequest
from brokers.retries import RetryPolicy


def make_port(request: PortRequest) -> KiteStore:
    """Return the store of an account, not yet connected.

    Raises
    ------
    ConfigError : a setting of [venues.kite] is wrong.
    """
    config = replace(KiteConfig.of(request.options), names=dict(request.account.symbols))
    return KiteStore(
        config,
        lambda: KiteKeys.of(request.credentials()),
        request.emit,
        request.symbols,
        policy=RetryPolicy.of(request.live),
        clock=market_clock(config),
        keep=request.keep,
    )
