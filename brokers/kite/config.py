"""How Kite is reached and used: `[venues.kite]` of tola.toml, and an account's credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from math import inf
from typing import Any
from urllib.parse import urlsplit

from brokers.registry import Credentials
from core.errors import ConfigError, near_name

PRODUCTS = ("NRML", "MIS", "CNC")
STOPS = ("SL-M", "SL")
PROTECTIONS = ("orders", "gtt")
_HIGHEST_PORT = 65_535
_ADDRESS = "https://HOST or http://HOST:PORT"


@dataclass(frozen=True)
class KiteConfig:
    """Settings of the venue.

    Attributes
    ----------
    product : what orders are sent as; MIS is squared off by the venue minutes before the close.
    market_protection : percent a market or stop-market order may slip, -1: as the venue sees fit.
        Without one such orders are refused since April 2026.
    stop_order : SL-M, or SL with a limit `stop_limit_ticks` beyond the trigger.
    protection : orders: stops and targets are orders of the exchange, which end with each day and
        are placed again the next morning; gtt: triggers of the venue, which stand overnight and
        while this computer is off, one stop and one target a contract.
    gtt_slip_percent : how far beyond a trigger the limit of its order lies, percent of the price.
        gtt_wait_secs : an order of a trigger that nobody took by then is sent to market.
        gtt_look_secs : how often triggers are looked at: no stream tells of them.
    units : by symbol, how many of the venue's units 1.0 of our quantity is, where it is not 1. The
        contract list does not tell what an MCX lot means.
    names : by symbol, the venue's own name of the contract that is meant, where it is not the
        front month.
    redirect_port : where a login comes back to on this computer; the app's redirect address in the
        developer console must be http://127.0.0.1:PORT/.
    static_ip : the address registered for orders, to be checked before the open.
    ip_echo : an address of your choice that answers with the caller's own IP; None: the address
        this computer uses is looked at alone.
    timeout_secs : longest wait for a reply. silent_secs : a stream without a frame for so long is
        dead, though its socket may stand: the SDK never asks.
    roll_sessions : sessions before its expiry on which a future is left.
    api_root, stream_root, login_page : addresses; scheme, host and port alone.
    clock_url : where a sandbox tells the time of its market; None: this computer's time holds.
    """

    product: str = "NRML"
    market_protection: float = -1.0
    stop_order: str = "SL-M"
    stop_limit_ticks: int = 100
    protection: str = "orders"
    gtt_slip_percent: float = 1.0
    gtt_wait_secs: float = 3.0
    gtt_look_secs: float = 5.0
    units: Mapping[str, float] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    redirect_port: int = 8765
    static_ip: str | None = None
    ip_echo: str | None = None
    timeout_secs: float = 7.0
    silent_secs: float = 10.0
    roll_sessions: int = 1
    api_root: str = "https://api.kite.trade"
    stream_root: str = "wss://ws.kite.trade"
    login_page: str = "https://kite.zerodha.com/connect/login"
    clock_url: str | None = None

    def __post_init__(self) -> None:
        protection = self.market_protection
        checks = {
            "product": (self.product in PRODUCTS, "NRML, MIS or CNC"),
            "market_protection": (protection == -1 or 0 < protection <= 100, "-1, or 0 to 100"),
            "stop_order": (self.stop_order in STOPS, "SL-M or SL"),
            "stop_limit_ticks": (self.stop_limit_ticks >= 1, "1 or more"),
            "protection": (self.protection in PROTECTIONS, "orders or gtt"),
            "gtt_slip_percent": (0 < self.gtt_slip_percent <= 20, "above 0, 20 at most"),
            "gtt_wait_secs": (0 < self.gtt_wait_secs < inf, "above 0"),
            "gtt_look_secs": (0 < self.gtt_look_secs < inf, "above 0"),
            "redirect_port": (0 <= self.redirect_port <= _HIGHEST_PORT, f"0 to {_HIGHEST_PORT}"),
            "timeout_secs": (0 < self.timeout_secs < inf, "above 0"),
            "silent_secs": (
                3 <= self.silent_secs < inf, "3 or more: a heartbeat comes each few seconds"
            ),
            "roll_sessions": (0 <= self.roll_sessions <= 60, "0 to 60"),
            "units": (
                all(0 < value < inf for value in self.units.values()), "numbers above 0"
            ),
            "static_ip": (_is_ip(self.static_ip), "an IP address"),
            "api_root": (_leads(self.api_root, "https", "http", path=False), _ADDRESS),
            "stream_root": (
                _leads(self.stream_root, "wss", "ws", path=False), "wss://HOST or ws://HOST:PORT"
            ),
        } | {
            name: (given is None or _leads(given, "https", "http"), "an address: https://...")
            for name, given in (
                ("login_page", self.login_page), ("ip_echo", self.ip_echo),
                ("clock_url", self.clock_url),
            )
        }  # fmt: skip
        faults = [
            f"venues.kite.{name}={getattr(self, name)}: expected {wanted}"
            for name, (fits, wanted) in checks.items()
            if not fits
        ]
        if self.protection == "gtt" and self.product == "MIS":
            faults.append(
                "venues.kite.protection=gtt: the venue takes no trigger for MIS: "
                'product = "NRML", or protection = "orders"'
            )
        if faults:
            raise ConfigError("\n".join(faults))

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> KiteConfig:
        """Return the settings of a table as it stands in tola.toml.

        Raises
        ------
        ConfigError : an unknown name or a value that does not fit; all of them in one message.
        """
        known = {item.name: item for item in fields(cls)}
        faults, given = [], {}
        for name, value in options.items():
            if name not in known:
                faults.append(f"venues.kite.{name}: unknown{near_name(name, known)}")
            elif not _is_like(value, getattr(cls(), name), name):
                faults.append(f"venues.kite.{name}={value!r}: expected {_KINDS[name]}")
            else:
                given[name] = value
        if faults:
            raise ConfigError("\n".join(faults))
        return cls(**given)


def _leads(address: str, *schemes: str, path: bool = True) -> bool:
    """Whether a text is an address of a scheme, with no more than host and port unless `path`."""
    try:
        parts = urlsplit(address)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return has_host and parts.scheme in schemes and (path or not parts.path)


def _is_ip(text: str | None) -> bool:
    try:
        return text is None or bool(ip_address(text))
    except ValueError:
        return False


_TABLES = {"units": "a table of numbers", "names": "a table of texts"}
_KINDS = {
    item.name: {
        "int": "a whole number", "float": "a number", "bool": "true or false",
    }.get(str(item.type), _TABLES.get(item.name, "a text"))
    for item in fields(KiteConfig)
}  # fmt: skip


def _is_like(value: Any, default: Any, name: str) -> bool:
    """Whether a value of the settings file is of a field's kind."""
    kind = _KINDS[name]
    if kind == "a table of numbers":
        return isinstance(value, Mapping) and all(
            isinstance(item, int | float) and not isinstance(item, bool) for item in value.values()
        )
    if kind == "a table of texts":
        return isinstance(value, Mapping) and all(isinstance(item, str) for item in value.values())
    if isinstance(value, bool) or kind == "true or false":
        return isinstance(value, bool) and isinstance(default, bool)
    if kind == "a number":
        return isinstance(value, int | float)
    return isinstance(value, int if kind == "a whole number" else str)


@dataclass(frozen=True)
class KiteKeys:
    """An app's key and an account's token of today; neither is ever shown."""

    api_key: str = field(repr=False)
    access_token: str = field(repr=False)
    api_secret: str = field(default="", repr=False)

    @classmethod
    def of(cls, found: Credentials) -> KiteKeys:
        """Return what was found of an account's credentials; "" for what was not."""
        values = found.values
        return cls(
            values.get("api_key", ""),
            values.get("access_token", ""),
            values.get("api_secret", ""),
        )
