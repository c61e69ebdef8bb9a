"""Kite's answers: the envelope, its errors, and how the exchange's refusals read there."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from brokers.kite.wire import ERROR_STATUS, encode_error, encode_success
from sandbox.faults import Fault
from sandbox.orders import Refusal, Refused

_PAGE = "<html><head><title>{status}</title></head><body>{status} upstream error</body></html>"

_KINDS = {
    429: "NetworkException", 401: "TokenException", 403: "TokenException", 400: "InputException",
    500: "GeneralException", 502: "NetworkException", 503: "NetworkException",
    504: "NetworkException",
}  # fmt: skip
"""What kind of error a status is, where a fault plan does not say."""

REFUSALS = {
    Refusal.UNKNOWN_CONTRACT: "InputException",
    Refusal.UNKNOWN_ORDER: "OrderException",
    Refusal.MARKET_CLOSED: "InputException",
    Refusal.NO_MARGIN: "MarginException",
    Refusal.OFF_TICK: "InputException",
    Refusal.OUT_OF_BAND: "InputException",
    Refusal.NOT_A_LOT: "InputException",
    Refusal.ABOVE_FREEZE: "InputException",
    Refusal.ENDED: "OrderException",
    Refusal.BRACKET: "OrderException",
    Refusal.EXPIRED: "InputException",
    Refusal.FAULT: "OrderException",
}


class KiteFault(Exception):
    """A request that Kite answers with an error.

    Parameters
    ----------
    kind : the error type. text : its message. status : HTTP; by default the kind's usual one.
    """

    def __init__(self, kind: str, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.status = ERROR_STATUS[kind] if status is None else status


def wrong_input(text: str) -> KiteFault:
    """Return the error of a request that cannot be read."""
    return KiteFault("InputException", text)


def of_refusal(refused: Refused) -> KiteFault:
    """Return an exchange's refusal as Kite says it."""
    return KiteFault(REFUSALS[refused.why], refused.text)


def success(data: Any) -> web.Response:
    """Return data in Kite's envelope."""
    return web.Response(text=encode_success(data), content_type="application/json")


def error(fault: KiteFault) -> web.Response:
    """Return an error in Kite's envelope."""
    text = encode_error(fault.text, fault.kind)
    return web.Response(text=text, status=fault.status, content_type="application/json")


def planned(fault: Fault) -> web.Response:
    """Return the error a fault plan asks for."""
    if fault.error == "html":
        page = _PAGE.format(status=fault.status)
        return web.Response(text=page, status=fault.status, content_type="text/html")
    kind = fault.error or _KINDS.get(fault.status, "GeneralException")
    text = fault.text or f"{fault.status} as the fault plan says"
    return error(KiteFault(kind, text, fault.status))
