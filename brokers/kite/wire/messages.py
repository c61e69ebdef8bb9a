"""Text messages of the stream, both ways.

Source: kite.trade/docs/connect/v3/websocket, "Request structure", "Postbacks and non-binary
updates".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from brokers.kite.wire.errors import WireError, shown
from brokers.kite.wire.fields import row_of, rows_of
from brokers.kite.wire.orders import Order, decode_order
from brokers.kite.wire.packets import FULL, LTP, QUOTE


@dataclass(frozen=True, slots=True)
class OrderMessage:
    """An order of the user changed, whoever sent it. Repeats and late ones happen."""

    order: Order


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """The venue complains of something."""

    text: str


@dataclass(frozen=True, slots=True)
class InfoMessage:
    """Words for people."""

    text: str


Message = OrderMessage | ErrorMessage | InfoMessage


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Send prices of these tokens; their mode is quote until it is set."""

    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Send no more prices of these tokens."""

    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SetMode:
    """Send so much of these tokens: ltp, quote or full."""

    mode: str
    tokens: tuple[int, ...]


StreamRequest = Subscribe | Unsubscribe | SetMode


def decode_message(payload: str | bytes) -> Message | None:
    """Return a text message of the server; None for a type that is not documented.

    Raises
    ------
    WireError : it is not what is documented.
    """
    row = row_of(_json(payload, "message"), "message")
    kind, data = row.get("type"), row.get("data")
    if kind == "order":
        return OrderMessage(decode_order(data))
    if kind == "error":
        return ErrorMessage(str(data))
    if kind == "message":
        return InfoMessage(str(data))
    return None


def encode_message(kind: str, data: Mapping[str, Any] | str) -> str:
    """Return a text message: order with a postback's row, error or message with a text."""
    return json.dumps({"type": kind, "data": data})


def decode_request(payload: str | bytes) -> StreamRequest:
    """Return what a client asks of the stream.

    Raises
    ------
    WireError : it is not what is documented.
    """
    row = row_of(_json(payload, "request"), "request")
    action, value = row.get("a"), row.get("v")
    if action == "subscribe":
        return Subscribe(_tokens(value))
    if action == "unsubscribe":
        return Unsubscribe(_tokens(value))
    if action == "mode":
        pair = rows_of(value, "mode")
        if len(pair) != 2 or pair[0] not in (LTP, QUOTE, FULL):
            raise WireError(f"mode={shown(value)}: expected [ltp, quote or full, [tokens]]")
        return SetMode(pair[0], _tokens(pair[1]))
    raise WireError(f"a={shown(action)}: expected subscribe, unsubscribe or mode")


def encode_request(request: StreamRequest) -> str:
    """Return a request as the client sends it."""
    if isinstance(request, SetMode):
        return json.dumps({"a": "mode", "v": [request.mode, list(request.tokens)]})
    action = "subscribe" if isinstance(request, Subscribe) else "unsubscribe"
    return json.dumps({"a": action, "v": list(request.tokens)})


def _tokens(value: object) -> tuple[int, ...]:
    tokens = rows_of(value, "tokens")
    if not all(isinstance(token, int) and not isinstance(token, bool) for token in tokens):
        raise WireError(f"tokens={shown(value)}: expected whole numbers")
    return tuple(tokens)


def _json(payload: str | bytes, what: str) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        raise WireError(f"{what} is no JSON: {shown(payload)}") from None
