"""The account of a running session in the unified shape: its status is read, its desk is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from brokers.unified import (
    AccountState,
    Hear,
    NewOrder,
    OpenPosition,
    Quote,
    Receipt,
    UnifiedAccount,
    WorkingOrder,
)
from core.bars import Series
from core.errors import ConfigError, TolaError, near_name
from core.events import Outcome
from core.orders import Side
from live import monitor
from live.account_folder import ACCOUNTS, AccountFolder, account_folder
from live.mailbox import Mailbox, Unanswered
from live.monitor import SessionState

Document = Mapping[str, Any]

_TRADES = (SessionState.LIVE, SessionState.GAP, SessionState.PAUSED)
"""States in which a hand's order may pass."""
_OUTCOMES = {
    "done": Outcome.ACCEPTED,
    "refused": Outcome.REFUSED,
    "wrong": Outcome.REFUSED,
    "expired": Outcome.REFUSED,
}
"""What a desk answers; any other word leaves it unknown."""


def session_account(
    name: str,
    *,
    read_only: bool = False,
    author: str = "unified",
    root: Path = ACCOUNTS,
    timeout_secs: float = 10.0,
) -> UnifiedAccount:
    """Return the account that a session runs on this computer.

    Parameters
    ----------
    author : who the session writes down as asking.
    timeout_secs : how long an answer of the session is waited for.
    """
    folder = account_folder(name, root)
    hands = SessionHands(Mailbox(folder.commands), author, timeout_secs)
    return UnifiedAccount(name, SessionSight(folder), hands, read_only=read_only)


class SessionSight:
    """What a session's status document shows.

    Parameters
    ----------
    folder : of the account.
    poll_secs : how often a subscription looks for a new price; the session writes each second.
    """

    def __init__(self, folder: AccountFolder, poll_secs: float = 0.25) -> None:
        self._folder = folder
        self._poll_secs = poll_secs
        self._lock = threading.Lock()
        self._hearers: list[tuple[str, Hear]] = []
        self._watch: threading.Thread | None = None

    def account(self) -> AccountState:
        """Return the account's money."""
        document = self._document()
        return AccountState(
            self._folder.name,
            str(document["venue"]),
            str(document["currency"]),
            document["balance"],
            document["equity"],
            None,
            document["state"] in _TRADES,
            _ns(document["market_time"]),
        )

    def positions(self) -> tuple[OpenPosition, ...]:
        """Return what the session's plans hold."""
        return tuple(map(_position, self._document()["positions"]))

    def orders(self) -> tuple[WorkingOrder, ...]:
        """Return the session's orders."""
        return tuple(map(_order, self._document()["orders"]))

    def price(self, symbol: str) -> Quote:
        """Return the last price of a feed of the session."""
        document = self._document()
        quote = _quotes(document).get(symbol)
        if quote is not None:
            return quote
        known = {str(feed["symbol"]) for feed in document["feeds"]}
        where = f"account {self._folder.name}"
        if symbol in known:
            raise TolaError(f"{where}: {symbol} has no price yet: wait for the first")
        raise ConfigError(f"{where}: {symbol} is not watched{near_name(symbol, known)}")

    def subscribe(self, symbol: str, hear: Hear) -> Callable[[], None]:
        """Have each new price told, as often as the status is written."""
        self.price_or_none(symbol)
        entry = (symbol, hear)
        with self._lock:
            self._hearers.append(entry)
            if self._watch is None:
                self._watch = threading.Thread(target=self._look, daemon=True)
                self._watch.start()

        def end() -> None:
            with self._lock:
                if entry in self._hearers:
                    self._hearers.remove(entry)

        return end

    def price_or_none(self, symbol: str) -> Quote | None:
        """Return the last price, None before the first; raises for a symbol without a feed."""
        try:
            return self.price(symbol)
        except ConfigError:
            raise
        except TolaError:
            return None

    def history(self, symbol: str, timeframe_ns: int, start: int, end: int) -> Series:
        """Refuse: a status holds no bars."""
        raise ConfigError(
            f"account {self._folder.name}: a session's status holds no bars; "
            "ask the venue: python run.py data fetch"
        )

    def _document(self) -> Document:
        """Return the status of a session that runs; what one that is gone holds is not known."""
        document = monitor.read(self._folder.status)
        if document["stale"]:
            raise TolaError(
                f"account {self._folder.name}: what it holds is not known "
                f"({document['stale_reason']}): start its session, or ask the venue"
            )
        return document

    def _look(self) -> None:
        """Tell new prices until nobody listens; the thread of all subscriptions."""
        told: dict[str, int] = {}
        pause = threading.Event()
        while True:
            with self._lock:
                hearers = list(self._hearers)
                if not hearers:
                    self._watch = None
                    return
            try:
                quotes = _quotes(self._document())
            except TolaError:
                quotes = {}  # gone for now; the next status is looked at
            for symbol, quote in quotes.items():
                if quote.time > told.get(symbol, 0):
                    told[symbol] = quote.time
                    for wanted, hear in hearers:
                        if wanted == symbol:
                            hear(quote)
            pause.wait(self._poll_secs)


class SessionHands:
    """Puts requests on a session's desk and waits for what came of them.

    Parameters
    ----------
    mail : the account's.
    author : who asks.
    timeout_secs : how long an answer is waited for.
    """

    def __init__(self, mail: Mailbox, author: str, timeout_secs: float = 10.0) -> None:
        self._mail = mail
        self._author = author
        self._timeout_secs = timeout_secs

    def execute(self, order: NewOrder) -> Receipt:
        """Send a new order through the session's guard."""
        side = "buy" if order.side is Side.BUY else "sell"
        terms = {
            "limit": order.limit,
            "stop": order.stop,
            "stop_loss": order.stop_loss,
            "take_profit": order.take_profit,
        }
        given = {"plan": order.symbol, "side": side, "quantity": order.quantity, **terms}
        return self._asked("order", given)

    def modify(
        self, order_id: str, price: float | None, limit: float | None, quantity: float | None
    ) -> Receipt:
        """Change a working order."""
        given = {"order_id": order_id, "price": price, "limit": limit, "quantity": quantity}
        return self._asked("modify", given)

    def cancel(self, order_id: str) -> Receipt:
        """Cancel a working order."""
        return self._asked("cancel", {"order_id": order_id})

    def close(self, symbol: str, share: float) -> Receipt:
        """Close a share of what plans and hands hold of a symbol."""
        return self._asked("close", {"plan": symbol, "share": share})

    def _asked(self, name: str, given: Mapping[str, Any]) -> Receipt:
        wanted = {key: value for key, value in given.items() if value is not None}
        request = self._mail.send(name, wanted, self._author)
        try:
            answer = self._mail.answer_of(request, self._timeout_secs)
        except Unanswered as fault:
            outcome = Outcome.UNKNOWN if fault.was_taken else Outcome.REFUSED
            return Receipt(outcome, str(fault))
        return Receipt(
            _OUTCOMES.get(str(answer.get("outcome")), Outcome.UNKNOWN),
            str(answer.get("text", "")),
            str(answer.get("order_id", "")),
            str(answer.get("rule", "")),
        )


def _position(row: Document) -> OpenPosition:
    return OpenPosition(
        str(row["symbol"]),
        1 if row["side"] == "long" else -1,
        float(row["quantity"]),
        float(row["average_price"]),
        row["price"],
        row["open_pnl"],
        row["stop"],
        row["target"],
        plan_id=str(row["plan_id"]),
    )


def _order(row: Document) -> WorkingOrder:
    return WorkingOrder(
        str(row["order_id"]),
        str(row["venue_order_id"]),
        str(row["symbol"]),
        Side.BUY if row["side"] == "buy" else Side.SELL,
        float(row["quantity"]),
        float(row["filled"]),
        str(row["kind"]),
        row["price"],
        str(row["status"]),
        str(row["plan_id"]),
    )


def _quotes(document: Document) -> dict[str, Quote]:
    """Return the newest price of each symbol's feeds."""
    found: dict[str, Quote] = {}
    for feed in document["feeds"]:
        if feed["last_price"] is None or feed["last_tick"] is None:
            continue
        quote = Quote(str(feed["symbol"]), float(feed["last_price"]), _ns(feed["last_tick"]))
        if quote.symbol not in found or quote.time > found[quote.symbol].time:
            found[quote.symbol] = quote
    return found


def _ns(text: str | None) -> int:
    """Return ISO 8601 UTC as ns, 0 for none."""
    if text is None:
        return 0
    whole, _, rest = text.removesuffix("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    return seconds * 1_000_000_000 + int(rest.ljust(9, "0")[:9])
