"""The account behind the backtest broker: its plans, and what they are worth.

It books nothing itself; `backtests.fills.broker` plays the bars and tells what happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backtests.fills.plan_book import PlanBook
from brokers.account import TradedAccount
from brokers.plan import FillTerms
from core.bars import Series
from core.errors import ConfigError, near_name
from core.fx import FxRate, constant_rate
from core.instruments import Instrument
from core.matching.book import LimitFill
from core.matching.records import INTRABAR
from core.ticks import Tape

_Drill = Series | Mapping[str, Series] | None
_Tapes = Mapping[str, Tape] | None


class BacktestAccount(TradedAccount):
    """An account whose plans' books are walked through bars.

    Parameters, attributes and notes stand at `BacktestBroker`.
    """

    def __init__(
        self,
        cash: float = 100_000.0,
        account_currency: str = "USD",
        intrabar: str = "worst",
        limit_fill: LimitFill = "touch",
        volume_share: float | None = None,
        drill: _Drill = None,
        tapes: _Tapes = None,
    ) -> None:
        _check_settings(cash, intrabar, limit_fill, volume_share, drill, tapes)
        self._terms = FillTerms(intrabar, limit_fill, volume_share)
        self._drill = drill if intrabar == "drill" else None
        self._tapes = tapes or {}
        super().__init__(cash, account_currency)

    def add_instrument(
        self, data: Any, instrument: Instrument, plan_id: str, fx: float | FxRate = 1.0
    ) -> None:
        """Let a feed be traded, as this plan's view of an instrument.

        Parameters
        ----------
        data : a Backtrader feed; `feeds.BulkData` brings its BAR records with it.
        fx : account money per 1.0 of quote money.

        Raises
        ------
        ConfigError : there is a tape for a feed that has no BAR records to place its ticks in.
        """
        if not isinstance(fx, FxRate):
            fx = constant_rate(instrument.quote_currency, self.account_currency, float(fx))
        drill = self._drill
        lower = drill.get(instrument.symbol) if isinstance(drill, Mapping) else drill
        tape = self._tapes.get(plan_id) or self._tapes.get(instrument.symbol)
        if tape is not None and not hasattr(type(data), "bars"):
            raise ConfigError(
                f"plan {plan_id}: a tape is played through the BAR records of a feed of ours "
                f"(feeds.BulkData); {type(data).__name__} has none"
            )
        self.add_plan(PlanBook(data, instrument, plan_id, fx, self._terms, lower, tape))

    def init(self) -> None:
        """Begin a run: flat, no orders, an empty ledger. Called by Backtrader."""
        super().init()
        self.ambiguous_bars = 0
        self._breach = self._limits["breach"]
        idle = self._supervisor is None or self._supervisor.is_empty
        self._bar_listener = None if idle else self._supervisor

    def get_orders_open(self, safe: bool = False) -> list[Any]:
        """Return the orders that work or wait (copies with `safe`)."""
        orders = [ticket.order for plan in self._plans for ticket in plan.tickets.values()]
        return [order.clone() if safe else order for order in orders if order.alive()]

    def _value_account(self) -> None:
        """Cache equity and cash; Backtrader asks for both several times a bar."""
        opened = margin = 0.0
        for plan in self._plans:
            if plan.live:
                opened += plan.open_pnl.item(0)
                margin += plan.margin.item(0)
        self._value = float(self._balance + opened)
        self._cash = float(self._value - margin)


def _check_settings(
    cash: float,
    intrabar: str,
    limit_fill: str,
    volume_share: float | None,
    drill: _Drill,
    tapes: _Tapes,
) -> None:
    """Raise ConfigError with all faults of the constructor's values."""
    faults = []
    if not cash > 0:
        faults.append(f"cash={cash:g}: expected more than 0")
    if intrabar not in INTRABAR:
        faults.append(f"intrabar={intrabar!r}{near_name(intrabar, INTRABAR)}")
    if limit_fill not in ("touch", "through"):
        faults.append(f"limit_fill={limit_fill!r}: expected touch or through")
    if volume_share is not None and not 0 < volume_share <= 1:
        faults.append(f"volume_share={volume_share:g}: expected 0 < volume_share <= 1")
    if intrabar == "drill" and drill is None:
        faults.append("intrabar='drill': needs the bars of a finer file (drill=)")
    if (intrabar == "ticks") != (tapes is not None):
        faults.append("intrabar='ticks' and recorded ticks (tapes=) belong together")
    if faults:
        raise ConfigError("\n".join(faults))
