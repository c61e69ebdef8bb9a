"""Clock times in settings."""

from __future__ import annotations

from core.errors import ConfigError


def parse_clock(strategy: str, name: str, text: str) -> int:
    """Return 'HH:MM' as a minute of the day, -1 for an empty text (off).

    Raises
    ------
    ConfigError : naming strategy, field and value.
    """
    if not text:
        return -1
    hours, _, minutes = text.partition(":")
    if hours.isdigit() and minutes.isdigit() and len(minutes) == 2:
        minute = int(hours) * 60 + int(minutes)
        if int(minutes) < 60 and minute < 24 * 60:
            return minute
    raise ConfigError(f"{strategy}: {name}={text!r}: expected a time HH:MM, or '' for none")
