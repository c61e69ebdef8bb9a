"""The envelope of every reply, and what a refusal means for what was asked.

Source: kite.trade/docs/connect/v3/response-structure, /exceptions.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

from brokers.kite.wire.errors import WireError, shown
from brokers.kite.wire.fields import row_of, text

ERROR_STATUS = {
    "TokenException": 403,
    "PermissionException": 403,
    "UserException": 403,
    "InputException": 400,
    "OrderException": 400,
    "MarginException": 400,
    "HoldingException": 400,
    "DataException": 502,
    "NetworkException": 503,
    "GeneralException": 500,
}
"""HTTP status each kind of error usually comes with."""

TOO_MANY = 429
_MARGIN_WORDS = ("margin", "fund", "shortfall")


class Verdict(Enum):
    """What an error reply means.

    LOGIN : the token is missing, wrong or over; nothing was done.
    REFUSED : the venue said no, definitely; nothing was done.
    MARGIN : the same, for want of money.
    LIMITED : too many requests. A question may be asked again; of an order nothing is documented.
    UNKNOWN : the venue failed while it worked on it: it may have been done.
    """

    LOGIN = "login"
    REFUSED = "refused"
    MARGIN = "margin"
    LIMITED = "limited"
    UNKNOWN = "unknown"


def verdict_of(status: int, error_type: str, message: str = "") -> Verdict:
    """Return what an error means by its HTTP status, kind and text.

    The status outranks the kind: an OrderException comes with 400 where the order was refused and
    with 500 where the venue stumbled over it.
    """
    if status == TOO_MANY:
        return Verdict.LIMITED
    if error_type == "TokenException" and status < 500:
        return Verdict.LOGIN
    if not 400 <= status < 500:
        return Verdict.UNKNOWN
    is_margin = error_type == "MarginException" or is_margin_text(message)
    return Verdict.MARGIN if is_margin else Verdict.REFUSED


def is_margin_text(message: str) -> bool:
    """Whether a refusal's words speak of money that is missing."""
    words = message.casefold()
    return any(word in words for word in _MARGIN_WORDS)


def encode_success(data: Any) -> str:
    """Return data in the envelope of a reply."""
    return json.dumps({"status": "success", "data": data})


def encode_error(message: str, error_type: str) -> str:
    """Return an error in its envelope."""
    return json.dumps(
        {"status": "error", "message": message, "error_type": error_type, "data": None}
    )


def decode_body(status: int, body: str | bytes) -> tuple[Any, Verdict | None, str]:
    """Return the data, what an error means (None for a success), and its text.

    Raises
    ------
    WireError : it is no envelope.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise WireError(f"reply {status} is no JSON: {shown(body)}") from None
    row = row_of(value, "reply")
    if row.get("status") == "success":
        return row.get("data"), None, ""
    message = text(row, "message", "")
    return None, verdict_of(status, text(row, "error_type", ""), message), message
