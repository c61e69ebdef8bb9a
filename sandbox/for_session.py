"""A sandbox for one session of this program: its market is what the session's plans are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.bars import Series
from core.instruments import Instrument
from sandbox.account import AccountTerms
from sandbox.box import Sandbox
from sandbox.course import replayed

_ACCOUNT = "XX0000"


def _lasting(venue: str) -> Any:
    """Return settings of a face under which nobody has to log in each morning."""
    if venue == "kite":
        from sandbox.kite import KiteSettings

        return KiteSettings(tokens_end=None)
    return None


@dataclass(frozen=True)
class OpenedSandbox:
    """A sandbox that runs, as a session needs to know it.

    Attributes
    ----------
    options, credentials : of the venue's port. account : the account's name there.
    clock : the market's time, ns UTC. is_over : whether its prices have come to their end.
    lock_step : where a session keeps step with it, "" where it runs by the clock.
    """

    box: Sandbox
    options: Mapping[str, Any]
    credentials: Mapping[str, str]
    account: str
    lock_step: str

    def clock(self) -> int:
        """Return the market's time, ns UTC."""
        return self.box.now

    def is_over(self) -> bool:
        """Whether its prices have come to their end."""
        return self.box.is_over

    def close(self) -> None:
        """End it."""
        self.box.stop()


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
    ConfigError : the venue has no sandbox, or does not trade what the plans are about.
    """
    box = Sandbox(
        venue,
        [replayed(series, instrument=instrument) for series, instrument in prices],
        start=start,
        speed=speed,
        lock_step=speed is None,
        accounts={_ACCOUNT: AccountTerms(cash)},
        settings=_lasting(venue),
    )
    box.start()
    face: Any = box.face
    token = box.call(face.login, _ACCOUNT)
    return OpenedSandbox(
        box,
        {
            "api_root": box.url,
            "stream_root": box.stream_url,
            "clock_url": f"{box.url}/_box/state",
        },
        {
            "api_key": face.settings.api_key,
            "api_secret": face.settings.api_secret,
            "access_token": token,
        },
        _ACCOUNT,
        box.url if speed is None else "",
    )
