"""How a live account is kept: waits, tolerances, and what other hands on it mean."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from core.errors import ConfigError

SECOND_NS = 1_000_000_000


class Foreign(Enum):
    """What orders and fills of another hand lead to; the account's daily loss always counts them.

    COUNT : nothing more. PAUSE : no entries on that instrument. HALT : no entries at all.
    """

    COUNT = "count"
    PAUSE = "pause"
    HALT = "halt"


@dataclass(frozen=True, slots=True)
class LiveTerms:
    """Waits in seconds of market time, and what is done where venue and broker disagree.

    settle_secs : an order that was sent and never answered has never arrived once two snapshots
        in a row, asked for at least this long after its sending, lack it.
    mend_secs : a stop that ended unasked is put back after this long, if the position it covers is
        still open then: streams may tell of the stop's end before the fill that explains it.
    retry_secs : a close that was refused is asked for again after this long.
    foreign : what another hand leads to.
    restores_stops : a stop moved to more risk by another hand goes back to where it was; else it is
        only told of.
    balance_tolerance : account money by which the venue's balance may differ; None: not compared.
    """

    settle_secs: float = 10.0
    mend_secs: float = 2.0
    retry_secs: float = 5.0
    foreign: Foreign = Foreign.PAUSE
    restores_stops: bool = True
    balance_tolerance: float | None = 1.0

    def __post_init__(self) -> None:
        faults = [
            f"{name}={getattr(self, name)}: expected {name} >= 0"
            for name in ("settle_secs", "mend_secs", "retry_secs", "balance_tolerance")
            if (getattr(self, name) or 0.0) < 0.0
        ]
        if faults:
            raise ConfigError("\n".join(faults))

    @property
    def settle_ns(self) -> int:
        """`settle_secs` in ns."""
        return round(self.settle_secs * SECOND_NS)

    @property
    def mend_ns(self) -> int:
        """`mend_secs` in ns."""
        return round(self.mend_secs * SECOND_NS)

    @property
    def retry_ns(self) -> int:
        """`retry_secs` in ns."""
        return round(self.retry_secs * SECOND_NS)
