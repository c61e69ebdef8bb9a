"""What may go wrong between us and a venue: few classes, each a different thing to do.

BrokerError          venue, operation, the venue's code and text (secrets cut out)
|- AuthError         log in again
|- RateLimited       wait `retry_after_secs`; an order: only where the venue documents that it was
|                    not processed, else OutcomeUnknown
|- OrderRejected     the venue said no, definitely
|- Disconnected      nothing was sent; safe to try again
'- OutcomeUnknown    sent, no answer: ask the venue, never resend, never call it rejected
"""

from __future__ import annotations

from core.errors import BrokerError

__all__ = [
    "AuthError",
    "BrokerError",
    "Disconnected",
    "OrderRejected",
    "OutcomeUnknown",
    "RateLimited",
    "VenueError",
]


class VenueError(BrokerError):
    """A venue failed or refused.

    Parameters
    ----------
    message : str
        What happened, and what to do about it.
    venue, operation, code : str
        Whose, doing what, and the venue's own code for it; empty where there is none.
    """

    def __init__(
        self, message: str, *, venue: str = "", operation: str = "", code: str = ""
    ) -> None:
        where = " ".join(part for part in (venue, operation) if part)
        what = f"{message} ({code})" if code else message
        super().__init__(f"{where}: {what}" if where else what)
        self.venue = venue
        self.operation = operation
        self.code = code


class AuthError(VenueError):
    """The login is missing, wrong or over: log in again."""


class RateLimited(VenueError):
    """Too many requests; nothing was sent or processed.

    Parameters
    ----------
    retry_after_secs : float
        From when it is worth trying again.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after_secs: float,
        venue: str = "",
        operation: str = "",
        code: str = "",
    ) -> None:
        super().__init__(message, venue=venue, operation=operation, code=code)
        self.retry_after_secs = retry_after_secs


class OrderRejected(VenueError):
    """The venue said no to an order, definitely."""


class Disconnected(VenueError):
    """There was no connection: nothing was sent, it is safe to try again."""


class OutcomeUnknown(VenueError):
    """A request was sent and no answer came: it may or may not have been done."""
