"""Logging for the command line, with secrets cut out of every line.

A secret is known by its name (`access_token=...`, `"api_key": "..."`, `Authorization: Bearer ...`,
a password in an address) or by its value, registered when credentials are loaded. The filter sits
on the handlers, so it sees other libraries' records too, with their arguments and tracebacks.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable
from typing import IO
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST_SECRET = 6
"""Registered values shorter than this are left alone: they would mask ordinary text."""

_NAME = (
    r"(?!(?:instrument|exchange)_token\b)"
    r"(?:[\w.-]*(?:secret|token|passw(?:or)?d|passphrase|api[_-]?key|private[_-]?key|checksum|totp|"
    r"credential|session[_-]?id|cookie|signature)[\w-]*|(?:[\w.-]*[_.-])?(?:otp|pin|jwt))"
)
"""Names of secrets. The tokens of Kite's contract list are numbers of instruments, no secrets."""
_PATTERNS = (
    # name=value, name: value, "name": "value", 'name': 'value', in text, JSON, repr, query string
    (
        re.compile(
            rf"(?P<head>(?<![\w])['\"]?{_NAME}['\"]?\s*(?:=>|[:=])\s*)"
            r"(?P<value>b?\"(?:[^\"\\]|\\.)*\"|b?'(?:[^'\\]|\\.)*'|[^\s,;&)\]}'\"]+)",
            re.IGNORECASE,
        ),
        rf"\g<head>{MASK}",
    ),
    # Authorization headers: scheme and credentials, Kite's "token key:access" included
    (
        re.compile(
            r"(?P<head>authorization['\"]?\s*[:=]\s*b?['\"]?)(?:(?:bearer|basic|token|digest)\s+)?"
            r"[^\s,'\"}]+",
            re.IGNORECASE,
        ),
        rf"\g<head>{MASK}",
    ),
    (
        re.compile(r"\b(?P<head>bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
        rf"\g<head> {MASK}",
    ),
    # user:password@host
    (
        re.compile(r"(?P<head>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@/]+(?=@)", re.IGNORECASE),
        rf"\g<head>{MASK}",
    ),
    # a JSON web token anywhere
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"), MASK),
)

_registered: set[str] = set()
_lock = threading.Lock()


def register_secrets(values: Iterable[str]) -> None:
    """Cut these values out of every later log line, plain, escaped or encoded for an address."""
    with _lock:
        for value in values:
            if len(value) >= SHORTEST_SECRET:
                escaped = {json.dumps(value)[1:-1], repr(value)[1:-1]}
                _registered.update({value, quote(value, safe=""), quote_plus(value), *escaped})


def forget_secrets() -> None:
    """Forget every registered value (tests, end of a process's use of an account)."""
    with _lock:
        _registered.clear()


def redact(text: str) -> str:
    """Return a text with secrets replaced by `***`."""
    with _lock:
        known = sorted(_registered, key=len, reverse=True)
    for value in known:
        if value in text:
            text = text.replace(value, MASK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


class RedactingFormatter(logging.Formatter):
    """Formats a record, traceback and stack included, and cuts secrets out of the result."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line(s) without secrets."""
        return redact(super().format(record))


class BriefFormatter(RedactingFormatter):
    """Formats a record as a command line says it: `warning: text`."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        """Return the level in small letters, and the message."""
        return f"{record.levelname.lower()}: {record.message}"


def configure(
    level: str = "INFO",
    stream: IO[str] | None = None,
    secrets: Iterable[str] = (),
    *,
    brief: bool = False,
) -> None:
    """Set up logging for a command: one handler on stderr, every line redacted.

    Parameters
    ----------
    level : str
        DEBUG, INFO, WARNING or ERROR, for our packages; other libraries speak from WARNING on.
    stream : text stream, optional
        Where lines go; stderr by default (stdout belongs to results).
    secrets : iterable of str
        Values to register.
    brief : bool
        Without time and origin: for a command that is over in a moment.
    """
    register_secrets(secrets)
    handler = logging.StreamHandler(stream or sys.stderr)
    long = RedactingFormatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    handler.setFormatter(BriefFormatter() if brief else long)
    root = logging.getLogger()
    for old in [kept for kept in root.handlers if getattr(kept, "made_by_tola", False)]:
        root.removeHandler(old)
    handler.made_by_tola = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for package in PACKAGES:
        logging.getLogger(package).setLevel(level)


PACKAGES = (
    "core",
    "indicators",
    "strategies",
    "feeds",
    "brokers",
    "risk",
    "backtests",
    "live",
    "reports",
    "web",
    "sandbox",
)
"""Our packages: the names under which `logging.getLogger(__name__)` puts their loggers."""
