"""Settings of [venues.kite] that cannot work are refused, all in one message."""

from __future__ import annotations

import pytest

from brokers.kite.config import KiteConfig
from core.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("api_root", "api.kite.trade", "https://HOST"),
        ("api_root", "https://api.kite.trade/", "https://HOST"),
        ("api_root", "http://127.0.0.1:99999", "https://HOST"),
        ("stream_root", "https://ws.kite.trade", "wss://HOST"),
        ("login_page", "kite.zerodha.com/connect/login", "an address"),
        ("ip_echo", "ftp://example.com", "an address"),
        ("clock_url", "", "an address"),
        ("static_ip", "203.0.113", "an IP address"),
        ("timeout_secs", float("inf"), "above 0"),
        ("silent_secs", float("nan"), "3 or more"),
        ("units", {"GOLDM": float("inf")}, "numbers above 0"),
    ],
)
def test_a_value_that_cannot_work_is_refused(name, value, said):
    with pytest.raises(ConfigError, match=f"venues.kite.{name}=.*expected {said}"):
        KiteConfig.of({name: value})


def test_all_that_is_wrong_is_in_one_message():
    with pytest.raises(ConfigError) as told:
        KiteConfig.of({"product": "BO", "api_root": "x", "redirect_port": -1})

    assert len(str(told.value).splitlines()) == 3


def test_addresses_of_a_sandbox_and_of_the_venue_fit():
    KiteConfig.of({"api_root": "http://127.0.0.1:8200", "stream_root": "ws://127.0.0.1:8200"})
    KiteConfig()
