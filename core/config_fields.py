"""The fields of `tola.toml`: what each may hold, and how text from a flag or variable is read.

A reader takes what stood in the file, the environment or the command line and returns the typed
value, or raises ValueError with what was expected.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

Reader = Callable[[Any], Any]

DEFAULT_CASH = {"USD": 100_000.0, "INR": 2_000_000.0}
"""Starting cash by account currency."""


def text(value: Any) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected a text in quotes")
    return value.strip()


def flag(value: Any) -> bool:
    """Read true or false; texts of environment variables in their usual spellings."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in ("true", "1", "yes", "on"):
        return True
    if word in ("false", "0", "no", "off"):
        return False
    raise ValueError("expected true or false")


def choice(*allowed: str) -> Reader:
    """Return a reader of one of several words."""

    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"expected one of {', '.join(allowed)}")
        return str(value)

    return read


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError("expected a number")
    try:
        return float(str(value).replace("_", ""))
    except ValueError:
        raise ValueError("expected a number") from None


def positive(value: Any) -> float:
    """Read a number above 0."""
    number = _number(value)
    if not 0 < number < float("inf"):
        raise ValueError("expected a number above 0")
    return number


def share(value: Any) -> float:
    """Read a share: 0 < share <= 1."""
    number = _number(value)
    if not 0 < number <= 1:
        raise ValueError("expected a share above 0 and at most 1")
    return number


def factor(value: Any) -> float:
    """Read a factor of 1 or more."""
    number = _number(value)
    if not 1 <= number <= 100:
        raise ValueError("expected a factor from 1 to 100")
    return number


def not_negative(value: Any) -> float:
    """Read a number of 0 or more."""
    number = _number(value)
    if not 0 <= number < float("inf"):
        raise ValueError("expected a number of 0 or more")
    return number


def whole(least: int) -> Reader:
    """Return a reader of a whole number of at least `least`."""

    def read(value: Any) -> int:
        number = _number(value)
        if not least <= number < float("inf") or number != int(number):
            raise ValueError(f"expected a whole number of {least} or more")
        return int(number)

    return read


def speed(value: Any) -> float | str:
    """Read how many times faster than the clock: a number above 0, or max."""
    if value == "max":
        return "max"
    try:
        return positive(value)
    except ValueError:
        raise ValueError("expected a number above 0, or max") from None


def tolerance(value: Any) -> float | None:
    """Read a number of 0 or more, or off: None."""
    if value == "off":
        return None
    try:
        return not_negative(value)
    except ValueError:
        raise ValueError("expected a number of 0 or more, or off") from None


def names(value: Any) -> tuple[str, ...]:
    """Read a list of names."""
    if not isinstance(value, list | tuple) or not value or not all(map(_is_name, value)):
        raise ValueError("expected a list of names in quotes")
    return tuple(dict.fromkeys(name.strip() for name in value))


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def services(value: Any) -> tuple[str, ...]:
    """Read addresses of alert services: a list, or one text with commas between. Shows none."""
    listed = _BETWEEN_ADDRESSES.split(value.strip()) if isinstance(value, str) else value
    if not isinstance(listed, list | tuple):
        raise ValueError("expected a list of addresses in quotes")
    for number, address in enumerate(listed, start=1):
        if not isinstance(address, str) or not _ADDRESS.fullmatch(address.strip()):
            raise ValueError(
                f"number {number} is no address of an alert service, such as tgram://TOKEN/CHAT"
            )
    return tuple(address.strip() for address in listed)


def web_address(value: Any) -> str:
    """Read an address that begins with https:// or http://. Shows it nowhere."""
    if not isinstance(value, str) or not _WEB_ADDRESS.fullmatch(value.strip()):
        raise ValueError("expected an address that begins with https:// or http://")
    return value.strip()


_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_WEB_ADDRESS = re.compile(r"https?://[^\s/]\S*", re.IGNORECASE)
_BETWEEN_ADDRESSES = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
"""An address may hold commas itself: they part addresses only before the next one."""


def currency(value: Any) -> str:
    """Read a currency code."""
    code = str(value).strip().upper()
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise ValueError("expected a currency code of three letters, such as USD")
    return code


def timeframe(value: Any) -> str:
    """Read a timeframe and return it in its shortest form ('60m' becomes '1h')."""
    from core.bars import format_timeframe, parse_timeframe

    try:
        return format_timeframe(parse_timeframe(str(value)))
    except ValueError:
        raise ValueError("expected a number and s, m, h or d, such as 15m") from None


def files(value: Any) -> tuple[str, ...]:
    """Read one path or a list of paths."""
    paths = (value,) if isinstance(value, str) else value
    if not isinstance(paths, list | tuple) or not all(
        isinstance(path, str) and path.strip() for path in paths
    ):
        raise ValueError("expected a file's path in quotes, or a list of them")
    if any(ord(letter) < 32 for path in paths for letter in path):
        raise ValueError("a \\ in double quotes means something else; write '...' or / in paths")
    return tuple(paths)


def table(value: Any) -> dict[str, Any]:
    """Read a table {KEY = value, ...}; from the command line a list of KEY=VALUE texts."""
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, list | tuple):
        raise ValueError("expected a table { KEY = value }")
    pairs = {}
    for item in value:
        key, sign, rest = str(item).partition("=")
        if not sign or not key.strip() or not rest.strip():
            raise ValueError(f"{item!r} is not of the form KEY=VALUE")
        pairs[key.strip()] = rest.strip()
    return pairs


def text_table(value: Any) -> dict[str, str]:
    """Read a table whose values are texts (series name to file)."""
    pairs = table(value)
    wrong = [key for key, item in pairs.items() if not isinstance(item, str) or not item]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: expected a file's path in quotes")
    return pairs


def symbol_table(value: Any) -> dict[str, str]:
    """Read a table of symbols: ours to the venue's."""
    pairs = table(value)
    wrong = [key for key, item in pairs.items() if not _is_name(item)]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: expected the venue's symbol in quotes")
    return pairs


_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


def _date_parts(value: Any) -> tuple[int, int | None, int | None]:
    if isinstance(value, datetime):
        raise ValueError("expected a date without a time, such as 2025-09-15")
    match = _DATE.fullmatch(str(value).strip())
    if match is None:
        raise ValueError("expected a date: 2025, 2025-09 or 2025-09-15")
    year, month, day = (int(part) if part else None for part in match.groups())
    assert year is not None  # the first group always takes part
    return year, month, day


def first_date(value: Any) -> date:
    """Read a first day; a year or month alone means its first day."""
    year, month, day = _date_parts(value)
    return _date(year, month or 1, day or 1)


def last_date(value: Any) -> date:
    """Read a last day, itself included; a year or month alone means its last day."""
    year, month, day = _date_parts(value)
    month = month or 12
    if day is None and 1 <= month <= 12:
        day = monthrange(year, month)[1]
    return _date(year, month, day or 1)


def _date(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError("there is no such day") from None


_SERVER_ZONE = re.compile(r"ny[+-]\d{1,2}", re.IGNORECASE)


def is_file_name(strategy: str) -> bool:
    """Say whether a strategy is named as file.py:Class rather than by its short name."""
    return strategy.endswith(".py") or ".py:" in strategy


def split_file_name(strategy: str) -> tuple[str, str]:
    """Return file and class of file.py:Class; no class: an empty text. Drives' colons stay."""
    file, mark, wanted = strategy.rpartition(".py:")
    return (f"{file}.py", wanted) if mark else (strategy, "")


def flag_name(field: str) -> str:
    """Return how the command line spells the flag of a field."""
    return FLAG_NAMES.get(field, f"--{field}")


def check_zone(name: str) -> None:
    """Raise ConfigError unless a zone is an IANA name or 'ny+7', MT5 server time."""
    from core.zones import find_zone

    if not _SERVER_ZONE.fullmatch(name):
        find_zone(name)


PLAN_FIELDS: dict[str, Reader] = {
    "strategy": text,
    "instrument": text,
    "timeframe": timeframe,
    "data": files,
    "with": text_table,
    "params": table,
    "risk": text,
    "account": text,
    "tz": text,
    "stamp": choice("start", "end"),
    "from": first_date,
    "to": last_date,
    "cash": positive,
    "cash_share": share,
    "currency": currency,
    "instrument_set": table,
}
"""Fields of [plans.NAME]."""

ACCOUNT_FIELDS: dict[str, Reader] = {
    "venue": text,
    "environment": choice("paper", "demo", "live"),
    "currency": currency,
    "cash": positive,
    "read_only": flag,
    "opposite": choice("net", "refuse", "queue"),
    "symbols": symbol_table,
    "options": table,
}
"""Fields of [accounts.NAME]; besides them ACCOUNT_LIVE_FIELDS."""

GROUP_FIELDS: dict[str, Reader] = {
    "members": names,
    "currency": currency,
    "daily_loss": positive,
    "open_risk": positive,
    "gold_ounces": positive,
}
"""Fields of [groups.NAME]."""

LIVE_FIELDS: dict[str, Reader] = {
    "speed": speed,
    "history_bars": whole(0),
    "entry_age_secs": positive,
    "stale_secs": positive,
    "unprotected_secs": positive,
    "reconnect_interval": positive,
    "max_retries": whole(0),
    "retry_delay": not_negative,
    "burst_size": whole(1),
    "at_end": choice("keep", "flatten"),
    "at_roll": choice("roll", "close", "keep"),
    "foreign": choice("count", "pause", "halt"),
    "restores_stops": flag,
    "balance_tolerance": tolerance,
    "slippage_ticks": tolerance,
    "settle_secs": not_negative,
    "mend_secs": not_negative,
    "close_retry_secs": not_negative,
    "bar_settle_secs": not_negative,
    "bar_patience_secs": not_negative,
    "history_retry_secs": positive,
    "history_tries": whole(1),
    "history_answer_secs": positive,
    "clock_error_secs": not_negative,
    "hole_bars": whole(0),
    "check_every_bars": whole(0),
    "latency_ms": not_negative,
    "brackets": choice("native", "kept"),
    "positions": choice("netting", "hedging"),
}
"""Fields of [live]."""

PAPER_FIELDS = ("speed", "brackets", "positions", "latency_ms")
"""Those of them that say how the paper venue behaves."""

ACCOUNT_LIVE_FIELDS: dict[str, Reader] = {
    name: reader for name, reader in LIVE_FIELDS.items() if name not in PAPER_FIELDS
}
"""Those of them that an account may have otherwise."""

LIVE_FLAGS = ("speed", "at_end", "history_bars")
"""Those of them that the command line may override."""

ALERT_FIELDS: dict[str, Reader] = {
    "services": services,
    "ping": web_address,
    "ping_secs": positive,
    "per_minute": positive,
}
"""Fields of [alerts]."""

ALERT_VARIABLES = {"services": "TOLA_ALERTS", "ping": "TOLA_PING"}
"""Fields of [alerts] that are credentials, never shown or stored, and their variables."""

FLAG_NAMES = {
    "params": "--set",
    "instrument_set": "--instrument-set",
    "costs": "--no-costs",
    "margin": "--no-margin",
    "report": "--no-report",
    "at_end": "--at-end",
    "history_bars": "--history-bars",
}
"""Flags spelled otherwise than the field they set."""

SETTING_FIELDS: dict[str, Reader] = {
    "intrabar": choice("worst", "nearest", "best", "drill"),
    "fills": choice("tola", "backtrader"),
    "limit_fill": choice("touch", "through"),
    "volume_share": share,
    "news_spread": factor,
    "costs": flag,
    "margin": flag,
    "band": flag,
    "report": flag,
    "out": text,
    "unconfirmed": choice("use", "skip"),
    "instruments": text,
    "calendar": text,
    "log_level": choice("DEBUG", "INFO", "WARNING", "ERROR"),
    "paper_trading": flag,
    "database_url": text,
    "secrets": choice("env", "vault", "keyring"),
}
"""Fields of [settings]."""

VARIABLES = {
    "LOG_LEVEL": "log_level",
    "PAPER_TRADING": "paper_trading",
    "DATABASE_URL": "database_url",
    **{f"TOLA_{name.upper()}": name for name in SETTING_FIELDS},
}
"""Environment variable to setting: the older guides' names as they are, and TOLA_<SETTING>."""

CREDENTIALS: dict[str, tuple[str, ...]] = {
    "ctrader": (
        "CTRADER_CLIENT_ID",
        "CTRADER_CLIENT_SECRET",
        "CTRADER_ACCESS_TOKEN",
        "CTRADER_REFRESH_TOKEN",
        "CTRADER_ACCOUNT_ID",
        "CTRADER_ENV",
        "CTRADER_REDIRECT_URI",
    ),
    "kite": (
        "ZERODHA_API_KEY",
        "ZERODHA_API_SECRET",
        "ZERODHA_ACCESS_TOKEN",
        "ZERODHA_USER_ID",
    ),
    "upstox": ("UPSTOX_API_KEY", "UPSTOX_API_SECRET", "UPSTOX_ACCESS_TOKEN"),
    "topstepx": ("TOPSTEPX_USERNAME", "TOPSTEPX_API_KEY"),
    "metaapi": ("METAAPI_TOKEN", "METAAPI_ACCOUNT_ID"),
    "mstock": ("MSTOCK_API_KEY", "MSTOCK_API_SECRET", "MSTOCK_TOTP_SECRET", "MSTOCK_CLIENT_CODE"),
}
"""Environment variables of each venue, the older guides' names first; never kept in tola.toml."""
