"""`sandbox`: a venue's server in the foreground, until its prices are over or Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from core.bars import Series
from core.errors import ConfigError
from core.ticks import TickModel
from sandbox.course import Prices, generated, replayed
from sandbox.faults import FaultPlan, read_plan

BUNDLED = {"kite": "nifty_fut_1m_synthetic.csv.gz"}
"""What a venue's sandbox replays where nothing is given; of the folder `data`."""

_MADE_FIRST, _MADE_LAST = date(2024, 9, 2), date(2024, 9, 30)
"""Between which prices are made up where no dates are given."""
_WAIT_SECS = 0.2

Load = Callable[[str, str | None], Series]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for; None where it does not say.

    replay : files. instrument : whose bars they hold, where their names do not tell.
    generate : symbols of made-up prices. first, last : dates. ticks : path or trades.
    """

    venue: str
    replay: Sequence[str] = ()
    instrument: str | None = None
    generate: Sequence[str] = ()
    first: str | None = None
    last: str | None = None
    ticks: TickModel = "path"
    speed: float | None = None
    lock_step: bool = False
    step_timeout: float = 30.0
    faults: str | None = None
    seed: int | None = None
    port: int = 0
    host: str = "127.0.0.1"
    ledger: str | None = None
    cash: float | None = None


def serve(wanted: Wanted, load: Load, say: Callable[..., None]) -> tuple[dict[str, Any], list[str]]:
    """Run a sandbox to its end; return what it did, as a document and as lines.

    Parameters
    ----------
    load : reads a file of bars; its symbol may be None. say : prints lines at once: how to connect.

    Raises
    ------
    ConfigError : what was asked for does not fit, a file is missing, a port is in use.
    LockStepError : a session did not come to rest.
    """
    from sandbox import AccountTerms, Sandbox, face_module

    module = face_module(wanted.venue)
    plan = FaultPlan(seed=wanted.seed or 0)
    if wanted.faults is not None:
        plan = read_plan(wanted.faults, wanted.seed)
    prices, start = _prices(wanted, load)
    terms = AccountTerms() if wanted.cash is None else AccountTerms(cash=wanted.cash)
    box = Sandbox(
        wanted.venue, prices, start=start, speed=_speed(wanted),
        lock_step=wanted.lock_step, step_timeout_secs=wanted.step_timeout, faults=plan,
        seed=wanted.seed or 0, ledger=wanted.ledger,
        host=wanted.host, port=wanted.port, accounts={"XX0000": terms},
        settings=module.served_settings(wanted.seed),
    )  # fmt: skip
    with box:
        say(*box.face.summary(box.url))
        _wait(box)
        document = _document(box)
    return document, _lines(document)


def _speed(wanted: Wanted) -> float | None:
    """Return the market's speed: as asked, by default a clock's; None in lock-step."""
    return 1.0 if wanted.speed is None and not wanted.lock_step else wanted.speed


def _wait(box: Any) -> None:
    try:
        while not box.wait(_WAIT_SECS):
            pass
    except KeyboardInterrupt:
        return


def _prices(wanted: Wanted, load: Load) -> tuple[list[Prices], int | None]:
    """Return the prices asked for, and where they begin to be told (None: in their middle)."""
    first, last = _date(wanted.first, "--from"), _date(wanted.last, "--to")
    if first is not None and last is not None and first > last:
        raise ConfigError(f"--from {first} is after --to {last}")
    if wanted.generate:
        if wanted.replay:
            raise ConfigError("--replay and --generate: prices are one or the other")
        end = last or max(first or _MADE_LAST, _MADE_LAST)
        begin = first or min(end, _MADE_FIRST)
        made = [generated(name, begin, end, wanted.seed or 0) for name in wanted.generate]
        return [replayed(item.series, ticks=wanted.ticks) for item in made], None
    bundled = Path(__file__).resolve().parent.parent / "data" / BUNDLED[wanted.venue]
    found = [
        replayed(load(name, wanted.instrument), ticks=wanted.ticks)
        for name in wanted.replay or [str(bundled)]
    ]
    if last is not None:
        found = [_until(item, last) for item in found]
    start = None if first is None else _ns(first)
    ends = max(int(item.series.bars["end"][-1]) for item in found)
    if start is not None and start >= ends:
        raise ConfigError(
            f"--from {first}: the prices end on {_day_of(ends)}, none is left to tell"
        )
    return found, start


def _day_of(ts: int) -> str:
    return str(np.datetime64(ts, "ns").astype("datetime64[D]"))


def _until(prices: Prices, last: date) -> Prices:
    bars = prices.series.bars
    kept = bars[bars["start"] < _ns(last) + 86_400 * 1_000_000_000]
    return replayed(prices.series.with_bars(kept), prices.tape, prices.instrument, prices.model)


def _date(text: str | None, name: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{name} {text}: expected a date such as 2024-09-15") from None


def _ns(day: date) -> int:
    return int(np.datetime64(day, "ns").astype(np.int64))


def _document(box: Any) -> dict[str, Any]:
    rows = box.ledger.rows
    return {
        "venue": box.face.venue,
        "url": box.url,
        "packets": box.packet,
        "orders": len(rows("orders")),
        "fills": len(rows("fills")),
        "requests": len(rows("requests")),
        "requests_refused": box.server.counts.refused,
        "faults_struck": len(box.plan.struck),
        "is_over": box.is_over,
        "ledger": str(box.ledger.path or ""),
    }


def _lines(document: Mapping[str, Any]) -> list[str]:
    told = ("packets", "orders", "fills", "requests", "requests_refused", "faults_struck")
    counts = "  ".join(f"{document[name]} {name.replace('_', ' ')}" for name in told)
    end = "the prices are over" if document["is_over"] else "ended"
    return [f"{document['venue']} sandbox: {end}", counts]
