"""The fault plan: what goes wrong on the wire and at the exchange, when, and how often.

Every fault has random numbers of its own, seeded by the plan's seed and its place in it: what one
strikes does not depend on the others, and the same requests meet the same faults again.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import ConfigError, near_name


class Kind(StrEnum):
    """What goes wrong."""

    DROP = "drop"
    DELAY = "delay"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    TRUNCATE = "truncate"
    HALF_OPEN = "half_open"
    CUT = "cut"
    REFUSE = "refuse"
    STATUS = "status"
    LOSE = "lose"
    NO_ANSWER = "no_answer"
    SLOW = "slow"
    CUT_ANSWER = "cut_answer"
    REJECT = "reject"
    PARTIAL = "partial"
    EXPIRE_TOKEN = "expire_token"
    SKEW = "skew"
    HAND = "hand"


STREAM = frozenset({
    Kind.DROP, Kind.DELAY, Kind.DUPLICATE, Kind.REORDER, Kind.TRUNCATE, Kind.HALF_OPEN, Kind.CUT,
})  # fmt: skip
"""What strikes a message of a stream: `on` names its sort (price, order, text, heartbeat)."""
OPENING = frozenset({Kind.REFUSE})
"""What strikes the opening of a stream."""
REQUEST = frozenset({Kind.STATUS, Kind.LOSE, Kind.NO_ANSWER, Kind.SLOW, Kind.CUT_ANSWER})
"""What strikes a request: `on` names its endpoint (orders.place, orders.*, quote, ...), or
of orders placed those of a kind (orders.place.stop)."""
ORDER = frozenset({Kind.REJECT, Kind.PARTIAL})
"""What strikes an order at the exchange: `on` names its kind (market, limit, stop, stop_limit)."""
MARKET = frozenset({Kind.EXPIRE_TOKEN, Kind.SKEW, Kind.HAND})
"""What happens with a price: `skip` counts prices."""

SORTS = ("price", "order", "text", "heartbeat")
"""Of a stream's messages."""
ORDER_KINDS = ("market", "limit", "stop", "stop_limit")

_ONCE = MARKET | {Kind.HALF_OPEN, Kind.CUT}
ACTIONS = ("buy", "sell", "close", "cancel", "modify")


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of a plan.

    kind : what goes wrong (`Kind`). on : what it strikes, with * and ?; "*" anything of its sort.
    chance : of each opportunity (0..1]. skip : opportunities it leaves alone first.
    count : how often at most; None: once for what ends a connection or is of the market, else ever.
    at, until : market time (ns UTC, or text such as "2024-09-02 10:15+05:30") from and up to which.
    secs : DELAY, SLOW: real seconds; SKEW: how far the venue's clock is ahead (may be negative).
    messages : DELAY: hold a message back until so many later ones were sent.
    size : TRUNCATE, CUT_ANSWER: bytes that are left.
    status, error, text : STATUS, REFUSE: HTTP code, the venue's error type ("html": a page
        instead), message; text of REJECT, too.
    handled : STATUS: the request was carried out all the same.
    share : PARTIAL: part of the quantity that fills first (0..1).
    action, account, contract, quantity, price : HAND: what another hand does.
    """

    kind: Kind
    on: str = "*"
    chance: float = 1.0
    skip: int = 0
    count: int | None = None
    at: int | str | None = None
    until: int | str | None = None
    secs: float = 0.0
    messages: int = 0
    size: int = 5
    status: int = 503
    error: str = ""
    text: str = ""
    handled: bool = False
    share: float = 0.5
    action: str = ""
    account: str = ""
    contract: str = ""
    quantity: float = 0.0
    price: float | None = None

    def __post_init__(self) -> None:
        faults = list(_wrong(self))
        if faults:
            raise ConfigError(f"fault {self.kind!r}: {'; '.join(faults)}")
        object.__setattr__(self, "kind", Kind(self.kind))
        for name in ("at", "until"):
            given = getattr(self, name)
            if isinstance(given, str):
                object.__setattr__(self, name, _time(given))

    @property
    def most(self) -> int | None:
        """How often it strikes at most."""
        return 1 if self.count is None and self.kind in _ONCE else self.count


def _wrong(fault: Fault) -> Iterable[str]:
    """Yield what is wrong with a fault's values."""
    if fault.kind not in {kind.value for kind in Kind}:
        yield f"no such kind{near_name(str(fault.kind), [kind.value for kind in Kind])}"
        return
    if not 0.0 < fault.chance <= 1.0:
        yield f"chance={fault.chance:g}: expected 0 < chance <= 1"
    if not 0.0 < fault.share < 1.0:
        yield f"share={fault.share:g}: expected 0 < share < 1"
    if not isfinite(fault.secs):
        yield f"secs={fault.secs:g}: expected a number of seconds"
    if fault.count is not None and not isinstance(fault.count, int):
        yield f"count={fault.count!r}: expected a whole number"
    for name in ("skip", "messages", "size"):
        if getattr(fault, name) < 0:
            yield f"{name}={getattr(fault, name)}: expected 0 or more"
    if fault.count is not None and fault.count < 1:
        yield f"count={fault.count}: expected 1 or more"
    if not 400 <= fault.status <= 599:
        yield f"status={fault.status}: expected an HTTP error, 400 to 599"
    if fault.kind == Kind.DELAY and not (fault.secs > 0 or fault.messages > 0):
        yield "a delay needs secs or messages"
    if fault.kind == Kind.SLOW and fault.secs <= 0:
        yield "a slow answer needs secs"
    if fault.kind == Kind.HAND and fault.action not in ACTIONS:
        yield f"action={fault.action!r}: expected one of {', '.join(ACTIONS)}"
    yield from _wrong_hand(fault)
    yield from _wrong_times(fault)


def _wrong_hand(fault: Fault) -> Iterable[str]:
    """Yield what is wrong with what another hand is to do."""
    if fault.kind != Kind.HAND:
        return
    if fault.action in ("buy", "sell") and not 0.0 < fault.quantity < inf:
        yield f"quantity={fault.quantity:g}: expected how much to {fault.action}, above 0"
    if fault.action == "modify" and fault.price is None:
        yield "to modify needs a price"


def _wrong_times(fault: Fault) -> Iterable[str]:
    """Yield what is wrong with the span of a fault."""
    ends: dict[str, int] = {}
    for name in ("at", "until"):
        given = getattr(fault, name)
        ts = _time(given) if isinstance(given, str) else given
        if ts is not None:
            ends[name] = ts
        elif given is not None:
            yield f"{name}={given!r}: expected a date and time, such as 2024-09-02 10:15+05:30"
    if len(ends) == len(("at", "until")) and ends["at"] >= ends["until"]:
        yield f"until={fault.until!r}: expected a time after at={fault.at!r}"


def _time(text: str) -> int | None:
    """Return a text as ns UTC (which it is in unless it names an offset), None if it is no time."""
    from datetime import UTC, datetime

    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
    return int(np.datetime64(when.astimezone(UTC).replace(tzinfo=None), "ns").astype(np.int64))


def require_target(fault: Fault, endpoints: Iterable[str]) -> None:
    """Refuse a fault that could never strike, for what it is to strike is not there.

    endpoints : names of a face's routes.

    Raises
    ------
    ConfigError : nothing is called so.
    """
    if fault.kind in STREAM:
        known = [*SORTS]
    elif fault.kind in ORDER:
        known = [*ORDER_KINDS]
    elif fault.kind in REQUEST:
        known = sorted({*endpoints, *(f"orders.place.{kind}" for kind in ORDER_KINDS)})
    else:
        known = ["stream" if fault.kind in OPENING else "price"]
    if not any(fnmatchcase(name, fault.on) for name in known):
        raise ConfigError(f"fault {str(fault.kind)!r}: on={fault.on!r}{near_name(fault.on, known)}")


class _Armed:
    """A fault in a plan, with what it has done."""

    def __init__(self, fault: Fault, seed: str) -> None:
        self.fault = fault
        self.struck = self._seen = 0
        self._random = random.Random(seed)

    def strikes(self, name: str, now: int, detail: str) -> bool:
        """Say whether it strikes this time."""
        fault = self.fault
        if not fnmatchcase(name, fault.on) and not fnmatchcase(f"{name}.{detail}", fault.on):
            return False
        if isinstance(fault.at, int) and now < fault.at:
            return False
        if isinstance(fault.until, int) and now >= fault.until:
            return False
        self._seen += 1
        if self._seen <= fault.skip or (fault.most is not None and self.struck >= fault.most):
            return False
        if fault.chance < 1.0 and self._random.random() >= fault.chance:
            return False
        self.struck += 1
        return True


class FaultPlan:
    """What goes wrong, in order of the plan: the first fault that strikes is the one that does.

    Parameters
    ----------
    faults : of the plan. seed : of their chances.

    Attributes
    ----------
    struck : (kind, what it struck, market time) of all that happened.
    on_strike : called with each of those.
    """

    def __init__(self, faults: Sequence[Fault] = (), seed: int = 0) -> None:
        self.seed = seed
        self.struck: list[tuple[Kind, str, int]] = []
        self.on_strike: Callable[[Kind, str, int], None] = lambda kind, name, now: None
        self._armed: list[_Armed] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Add a fault behind the others, while it runs too."""
        self._armed.append(_Armed(fault, f"{self.seed}/{len(self._armed)}"))

    @property
    def faults(self) -> list[Fault]:
        """Return its lines."""
        return [armed.fault for armed in self._armed]

    def clear(self) -> None:
        """Let nothing go wrong from now on."""
        self._armed.clear()

    def strike(self, kinds: frozenset[Kind], name: str, now: int, detail: str = "") -> Fault | None:
        """Return the fault that strikes this opportunity, None for none.

        kinds : which can. name : what is struck, also named `name.detail`. now : market time, ns.
        """
        for armed in self._armed:
            if armed.fault.kind in kinds and armed.strikes(name, now, detail):
                self.struck.append((armed.fault.kind, name, now))
                self.on_strike(armed.fault.kind, name, now)
                return armed.fault
        return None


def read_plan(path: str | Path, seed: int | None = None) -> FaultPlan:
    """Return the plan in a TOML file: `seed` and a `[[fault]]` for each.

    seed : wins over the file's.

    Raises
    ------
    ConfigError : the file is missing or wrong; all faults of it in one message.
    """
    try:
        with Path(path).open("rb") as stream:
            document = tomllib.load(stream)
    except OSError as cause:
        raise ConfigError(f"fault plan {path}: {cause.strerror or cause}") from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise ConfigError(f"fault plan {path}: not valid TOML: {cause}") from cause
    wrong: list[str] = []
    found = [_fault(row, place, wrong) for place, row in enumerate(_rows(document, wrong), 1)]
    if wrong:
        raise ConfigError("\n".join([f"fault plan {path}: {_count(len(wrong))}", *wrong]))
    given = document.get("seed", 0) if seed is None else seed
    return FaultPlan([fault for fault in found if fault is not None], given)


def _count(number: int) -> str:
    return "1 fault" if number == 1 else f"{number} faults"


def _rows(document: Mapping[str, Any], wrong: list[str]) -> list[Any]:
    wrong += [
        f"  {key}: unknown{near_name(key, ('seed', 'fault'))}"
        for key in document.keys() - {"seed", "fault"}
    ]
    if type(document.get("seed", 0)) is not int:
        wrong.append(f"  seed={document['seed']!r}: expected a whole number")
    rows = document.get("fault", [])
    if not isinstance(rows, list):
        wrong.append("  fault: expected [[fault]] tables")
        return []
    return rows


def _fault(row: Any, place: int, wrong: list[str]) -> Fault | None:
    where = f"  fault {place}"
    if not isinstance(row, dict):
        wrong.append(f"{where}: expected a table [[fault]]")
        return None
    known = {field.name: field for field in fields(Fault)}
    values = dict(row)
    for key in row.keys() - known.keys():
        wrong.append(f"{where}: {key}: unknown{near_name(key, known)}")
        return None
    if "kind" not in row:
        wrong.append(f"{where}: needs a kind, such as drop")
        return None
    for key, value in row.items():
        default = known[key].default
        texts = key in ("kind", "at", "until") or isinstance(default, str)
        if hasattr(value, "isoformat"):
            values[key] = value.isoformat()
        elif isinstance(default, bool) and isinstance(value, bool):
            continue
        elif isinstance(value, bool) or isinstance(value, str) != texts:
            wanted = "a text" if texts else "a number"
            wrong.append(f"{where}: {key}={value!r}: expected {wanted}")
            return None
        elif default is not MISSING and type(default) is int and type(value) is not int:
            wrong.append(f"{where}: {key}={value!r}: expected a whole number")
            return None
    try:
        return Fault(**values)
    except ConfigError as error:
        wrong.append(f"{where}: {error}")
        return None
