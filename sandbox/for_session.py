"""A sandbox for one session of this program: its market is what the session's plans are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.bars import Series
from core.instruments import Instrument
from core.path_ticks import path_ticks
from core.ticks import Tape, TickModel

_ACCOUNT = "XX0000"


@dataclass(frozen=True)
class OpenedSandbox:
    """A sandbox that runs, as a session needs to know it.

    Attributes
    ----------
    box : the sandbox.
    options, credentials : of the venue's port. account : the account's name there.
    clock : the market's time, ns UTC. is_over : whether its prices have come to their end.
    ticks : what its fills hold a bar's prices to be; orders that went there are proved by it.
    lock_step : where a session keeps step with it, "" where it runs by the clock.
    """

    box: Any
    options: Mapping[str, Any]
    credentials: Mapping[str, str] = field(repr=False)
    account: str
    lock_step: str
    ticks: TickModel = "path"

    def clock(self) -> int:
        """Return the market's time, ns UTC."""
        return int(self.box.now)

    def is_over(self) -> bool:
        """Whether its prices have come to their end."""
        return bool(self.box.is_over)

    def close(self) -> None:
        """End it."""
        self.box.stop()


def _trades(series: Series, instrument: Instrument) -> Tape:
    """Return the corners of bars as trades: a stream tells prices, not the way between them.

    What fills an order at the venue is then what its session has heard.
    """
    from sandbox.course import corner_volumes

    bars = series.bars
    ticks = path_ticks(bars, instrument.facts(int(bars["day"][0])).tick)
    ticks["volume"] = corner_volumes(bars["volume"])
    return Tape(ticks, "trades")


def open_for_session(
    venue: str,
    prices: Sequence[tuple[Series, Instrument]],
    *,
    start: int,
    speed: float | None,
    cash: float,
) -> OpenedSandbox:
    """Return a running sandbox.

    Parameters
    ----------
    prices : what is replayed, by symbol. start : ns UTC; bars that END by then are history.
    speed : market seconds a second; None: in lock-step with the session.

    Raises
    ------
    ConfigError : the venue has no sandbox, does not trade what the plans are about, or the server
        library is not installed.
    """
    from sandbox import AccountTerms, Sandbox, face_module, replayed

    box = Sandbox(
        venue,
        [
            replayed(series, _trades(series, instrument), instrument)
            for series, instrument in prices
        ],
        start=start,
        speed=speed,
        lock_step=speed is None,
        accounts={_ACCOUNT: AccountTerms(cash)},
        settings=face_module(venue).lasting_settings(),
    )
    box.start()
    return OpenedSandbox(
        box,
        box.face.port_options(box.url, box.stream_url),
        box.face.credentials(box.login(_ACCOUNT)),
        _ACCOUNT,
        box.url if speed is None else "",
    )
