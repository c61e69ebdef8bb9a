"""What the SDK raises, in our few classes: what may be done about it.

An order is called refused only where the venue said so. All that may have left this computer
without an answer is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from brokers.errors import (
    AuthError,
    Disconnected,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
    VenueError,
)
from brokers.kite.wire import Verdict, WireError, verdict_of
from core.log import redact

VENUE = "kite"
LOGIN = "python run.py login kite"
_LIMIT_SECS = 1.0
"""How long to wait after a 429: the venue's windows are of a second or a minute."""

_Answer = TypeVar("_Answer")


def asked(call: Callable[[], _Answer], operation: str, *, sends_order: bool = False) -> _Answer:
    """Call the SDK and return its answer; raise what went wrong as one of our errors.

    Parameters
    ----------
    sends_order : it places, changes or ends something: without an answer its fate is unknown.

    Raises
    ------
    VenueError : AuthError, OrderRejected, RateLimited, Disconnected or OutcomeUnknown.
    """
    from kiteconnect.exceptions import KiteException
    from requests.exceptions import RequestException

    try:
        return call()
    except KiteException as fault:
        raise _said(fault, operation, sends_order) from None
    except RequestException as fault:
        raise _lost(fault, operation) from None
    except WireError as fault:
        raise _unreadable(operation, str(fault)) from None
    except (LookupError, TypeError, AttributeError, ValueError) as fault:
        # the SDK reads replies without looking: one it cannot read ends in any of these
        raise _unreadable(operation, type(fault).__name__) from None


def _said(fault: Exception, operation: str, sends_order: bool) -> VenueError:
    """Return an error reply of the venue as one of our errors."""
    status = int(getattr(fault, "code", 500) or 500)
    kind, said = type(fault).__name__, _line(str(fault))
    verdict = verdict_of(status, kind, said)
    code = f"{status} {kind}"
    if verdict is Verdict.LOGIN:
        return AuthError(f"{said}: log in: {LOGIN}", venue=VENUE, operation=operation, code=code)
    if verdict is Verdict.UNKNOWN or (verdict is Verdict.LIMITED and sends_order):
        return OutcomeUnknown(said, venue=VENUE, operation=operation, code=code)
    if verdict is Verdict.LIMITED:
        return RateLimited(
            said, retry_after_secs=_LIMIT_SECS, venue=VENUE, operation=operation, code=code
        )
    return OrderRejected(said, venue=VENUE, operation=operation, code=code)


def _lost(fault: Exception, operation: str) -> VenueError:
    """Return a failure of the transport: whether anything was sent decides."""
    from requests.exceptions import ConnectTimeout, ProxyError, SSLError
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    cause: object = fault.args[0] if fault.args else None
    reason = getattr(cause, "reason", cause)
    never_sent = isinstance(fault, ConnectTimeout | ProxyError | SSLError) or isinstance(
        reason, NewConnectionError | ConnectTimeoutError
    )
    kind = type(fault).__name__
    if never_sent:
        return Disconnected(
            f"cannot be reached ({kind}): check the connection", venue=VENUE, operation=operation
        )
    return OutcomeUnknown(f"no answer came ({kind})", venue=VENUE, operation=operation)


def _unreadable(operation: str, what: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"the reply cannot be read ({_line(what)})", venue=VENUE, operation=operation
    )


def _line(text: str) -> str:
    """Return a text of the venue's in one short line without secrets."""
    one = " ".join(redact(text).split())
    return one if len(one) <= 200 else f"{one[:200]}..."
