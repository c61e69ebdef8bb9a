"""Several accounts at once: what they hold together.

Each account is its status document, as its session wrote it. One that is missing, old or silent
about a figure is unknown: sums of what is unknown are unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.calendar import day_number
from core.errors import ConfigError, TolaError
from core.instruments import Instrument, get_instrument
from live import monitor
from live.account_folder import ACCOUNTS, account_folder, account_names
from live.monitor import SessionState

Document = Mapping[str, Any]

_GOES_ON = (SessionState.LIVE, SessionState.GAP, SessionState.PAUSED, SessionState.LOCKED,
            SessionState.KILLED, SessionState.STOPPING)  # fmt: skip
"""States in which a session's figures are those of its account."""
_ENDED_COUNTS_SECS = 86_400.0
"""An ended session's loss counts for so long: its trading day may not be over."""


@dataclass(frozen=True, slots=True)
class SymbolExposure:
    """What accounts hold of a symbol together: quantities never signed, notional in its currency.

    notional : of long and short together; None where a price is missing.
    """

    symbol: str
    long: float
    short: float
    notional: float | None
    currency: str

    @property
    def net(self) -> float:
        """Long minus short."""
        return self.long - self.short


@dataclass(frozen=True, slots=True)
class MemberState:
    """One account of a pool. unknown : why its figures are not to be trusted, "" where they are.

    day_pnl, open_risk : account currency; None where they are not known.
    """

    name: str
    mode: str = ""
    venue: str = ""
    state: str = ""
    currency: str = ""
    equity: float | None = None
    day_pnl: float | None = None
    open_risk: float | None = None
    positions: int = 0
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class PoolState:
    """Accounts together, at one moment.

    day_pnl, open_risk, equity : by currency; None where an account of that currency is not known.
    exposure : by symbol, of the accounts that are known.
    unknown : accounts that are not, with why.
    """

    members: tuple[MemberState, ...]
    equity: Mapping[str, float | None]
    day_pnl: Mapping[str, float | None]
    open_risk: Mapping[str, float | None]
    exposure: tuple[SymbolExposure, ...]
    unknown: Mapping[str, str]


class AccountPool:
    """Accounts by their folders.

    Parameters
    ----------
    root : folder of all accounts' folders.
    names : those of the pool; None: every one that has a folder.
    mode : paper or live: only those; None: all.
    """

    def __init__(
        self, root: Path = ACCOUNTS, names: Sequence[str] | None = None, mode: str | None = None
    ) -> None:
        self._root = root
        self._names = names
        self._mode = mode

    def documents(self) -> dict[str, Document | str]:
        """Return each account's status document, or why it has none.

        An account whose mode is not known belongs to every pool it may belong to.
        """
        found: dict[str, Document | str] = {}
        for name in account_names(self._root) if self._names is None else self._names:
            try:
                document = monitor.read(account_folder(name, self._root).status)
            except TolaError as fault:
                found[name] = str(fault)
                continue
            if self._mode in (None, document.get("mode")):
                found[name] = document
        return found

    def state(self) -> PoolState:
        """Return how the accounts stand together."""
        return pool_state(self.documents())


def pool_state(
    documents: Mapping[str, Document | str],
    instruments: Callable[[str], Instrument] = get_instrument,
) -> PoolState:
    """Return how accounts stand together.

    Parameters
    ----------
    documents : by account; a text says why there is none.
    """
    members = tuple(_member(name, item, instruments) for name, item in documents.items())
    known = [item for item in members if not item.unknown]
    told = [documents[item.name] for item in known]
    return PoolState(
        members,
        _by_currency(members, "equity"),
        _by_currency(members, "day_pnl"),
        _by_currency(members, "open_risk"),
        tuple(_exposures([item for item in told if not isinstance(item, str)], instruments)),
        {item.name: item.unknown for item in members if item.unknown},
    )


def _by_currency(members: Iterable[MemberState], figure: str) -> dict[str, float | None]:
    """Return a figure summed by currency; None where one account of it is not known."""
    sums: dict[str, float | None] = {}
    for item in members:
        if not item.currency:
            continue
        value = None if item.unknown else getattr(item, figure)
        before = sums.setdefault(item.currency, 0.0)
        sums[item.currency] = None if before is None or value is None else before + value
    return sums


def _member(
    name: str, document: Document | str, instruments: Callable[[str], Instrument]
) -> MemberState:
    if isinstance(document, str):
        return MemberState(name, unknown=document)
    try:
        return MemberState(
            name,
            str(document["mode"]),
            str(document["venue"]),
            str(document["state"]),
            str(document["currency"]),
            document["equity"],
            _day_pnl(document),
            open_risk_of(document, instruments),
            len(document["positions"]),
            _unknown(document),
        )
    except (KeyError, TypeError, ValueError) as fault:
        return MemberState(name, unknown=f"its status cannot be understood ({fault!r})")


def _unknown(document: Document) -> str:
    """Return why a document does not tell how its account stands, "" where it does."""
    state = document["state"]
    if state == SessionState.ENDED:
        left = [*document["positions"], *document["orders"]]
        return f"its session has ended and left {len(left)} open" if left else ""
    if document["stale"]:
        return str(document["stale_reason"])
    if state not in _GOES_ON:
        return f"it is {state}"
    return "" if document["equity"] is not None else "its equity is not known"


def _day_pnl(document: Document) -> float | None:
    """Return the day's P&L; of a session that ended long ago nothing, of another day."""
    day = document["day"]
    if document["state"] == SessionState.ENDED and _age_secs(document) > _ENDED_COUNTS_SECS:
        return 0.0
    if day["start_equity"] is None:
        return None
    return float(day["pnl"])


def _age_secs(document: Document) -> float:
    written = datetime.fromisoformat(document["wall_time"])
    return (datetime.now(UTC) - written).total_seconds()


def open_risk_of(
    document: Document, instruments: Callable[[str], Instrument] = get_instrument
) -> float | None:
    """Return the money lost if every stop were hit; None where that is not known.

    The session's own figure (`open_risk`, or the rule of that name) holds. Without it, positions
    are reckoned from average to stop: none is known that has no stop or another currency, or while
    an order works that may open one.
    """
    if document.get("open_risk") is not None:
        return float(document["open_risk"])
    rules = [item for item in document["limits"] if item["name"] == "open_risk"]
    if len(rules) == 1:
        return float(rules[0]["used"])
    total = 0.0
    for row in document["positions"]:
        instrument = _instrument(row["symbol"], instruments)
        if instrument is None or row["stop"] is None:
            return None
        if instrument.quote_currency != document["currency"]:
            return None
        sign = 1.0 if row["side"] == "long" else -1.0
        lost = (float(row["average_price"]) - float(row["stop"])) * sign
        total += max(lost, 0.0) * float(row["quantity"]) * _multiplier(instrument, document)
    return None if any(_may_open(row, document) for row in document["orders"]) else total


def _may_open(order: Document, document: Document) -> bool:
    """Whether an order may open or add: it does not oppose a position of its plan."""
    if order["status"] == "held":
        return False  # a child that waits for its parent, which is judged itself
    opposite = "short" if order["side"] == "buy" else "long"
    return not any(
        (row["plan_id"], row["symbol"], row["side"])
        == (order["plan_id"], order["symbol"], opposite)
        for row in document["positions"]
    )


def _exposures(
    documents: Iterable[Document], instruments: Callable[[str], Instrument]
) -> list[SymbolExposure]:
    sums: dict[str, list[float]] = {}
    notionals: dict[str, float | None] = {}
    for document in documents:
        for row in document["positions"]:
            symbol, quantity = str(row["symbol"]), float(row["quantity"])
            sides = sums.setdefault(symbol, [0.0, 0.0])
            sides[row["side"] != "long"] += quantity
            instrument = _instrument(symbol, instruments)
            worth = notionals.setdefault(symbol, 0.0)
            if worth is None or instrument is None or row["price"] is None:
                notionals[symbol] = None
            else:
                value = quantity * float(row["price"]) * _multiplier(instrument, document)
                notionals[symbol] = worth + value
    found = []
    for symbol in sorted(sums):
        instrument = _instrument(symbol, instruments)
        code = "" if instrument is None else instrument.quote_currency
        long, short = sums[symbol]
        found.append(SymbolExposure(symbol, long, short, notionals[symbol], code))
    return found


def _instrument(symbol: str, instruments: Callable[[str], Instrument]) -> Instrument | None:
    try:
        return instruments(symbol)
    except ConfigError:
        return None


def _multiplier(instrument: Instrument, document: Document) -> float:
    when = document["market_time"] or document["wall_time"]
    return instrument.facts(day_number(datetime.fromisoformat(when).date())).multiplier
