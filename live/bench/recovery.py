"""How long a restart takes to run through what a session consumed.

python -m live.bench.recovery '{"events": 100000}'
"""

from __future__ import annotations

import time
from typing import Any

from live.bench.job import scratch, serve
from live.bench.paper import session_request
from live.bench.strategies import Breaker
from live.session import Session

EVENTS_A_BAR = 4
"""At least; a bar that trades makes more."""


def measure(events: int = 100_000) -> dict[str, Any]:
    """Run a session that trades until it has consumed so much, stop it, and start it again."""
    bars = events // EVENTS_A_BAR + 500
    with scratch() as folder:
        first = Session(session_request([Breaker], bars, folder / "account"))
        _stop_at(first, events)
        result = first.run()
        if result.failure is not None:
            raise result.failure
        trades = len(result.built.broker.ledger.trades)
        again = Session(session_request([Breaker], bars, folder / "account", seconds=0.5))
        began, cpu = time.perf_counter(), time.process_time()
        taken: list[float] = []
        _when_live(again, lambda: taken.extend((time.perf_counter(), time.process_time())))
        second = again.run()
        if second.failure is not None:
            raise second.failure
        recovered = second.recovered
        if recovered is None:
            raise RuntimeError("the second session did not go on from the first")
    return {
        "events": recovered.events,
        "intents": recovered.intents,
        "trades": trades,
        "seconds": taken[0] - began,
        "cpu_seconds": taken[1] - cpu,
        "us_per_event": (taken[1] - cpu) / recovered.events * 1e6,
    }


def _stop_at(session: Session, events: int) -> None:
    """End a session, leaving what is open, once its journal holds so many events."""
    housekeep = session._housekeep

    def look() -> None:
        housekeep()
        if session.journal.last_seq >= events:
            session.built.engine.stop("kept open: enough")

    session._housekeep = look  # type: ignore[method-assign]


def _when_live(session: Session, then: Any) -> None:
    begin = session._begin

    def begun(chain: Any) -> None:
        begin(chain)
        then()

    session._begin = begun  # type: ignore[method-assign]


if __name__ == "__main__":
    serve(measure)
