"""What parameter sets came to: figures for comparing them, and their trades where kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backtests.results import metrics
from backtests.sweep.engine import Outcome
from backtests.sweep.records import EXIT_REASONS, FATE_ENGINE, FATE_FLATTENED, GUARD_REFUSALS
from core.ledger import OpenTrade, Planned, Trade, closed_trade
from core.matching.records import FLAT_TIME, REASONS
from strategies.words import CANCELS, PATTERNS, REFUSALS

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Words:
    """What a sweep's trades are called: plan and symbol, and the exit at the flat time."""

    plan_id: str
    symbol: str
    flat_reason: str

    def reason(self, code: int) -> str:
        """Return an exit reason by its code."""
        return self.flat_reason if code == FLAT_TIME else EXIT_REASONS[code]


@dataclass(frozen=True)
class Results:
    """Results in the order of the table.

    table : for each set the settings given. outcomes : what it came to. bars : BAR array, (n,).
    days : trading days of `Outcome.day_equity`. cash : at the start, account currency.
    """

    table: Sequence[Mapping[str, Any]]
    outcomes: Sequence[Outcome]
    words: Words
    bars: Array
    days: Array
    cash: float

    def __len__(self) -> int:
        return len(self.outcomes)

    def figures(self, place: int) -> dict[str, Any]:
        """Return the figures of one set, by the names of a run's summary.

        Those of daily marks (sharpe, sortino, calmar) only where curves were kept. A figure that
        cannot be formed is None.
        """
        outcome = self.outcomes[place]
        total = outcome.summary
        trades = int(total["trades"])
        figures = {
            "trades": trades,
            "net_profit": float(total["net_profit"]),
            "equity_end": float(total["equity_end"]),
            "max_drawdown_pct": float(total["max_drawdown_pct"]),
            "win_rate": int(total["wins"]) / trades if trades else None,
            "profit_factor": _ratio(float(total["won"]), float(total["lost"])),
            "expectancy_r": _ratio(float(total["sum_r"]), float(total["with_r"])),
            "costs": float(total["costs"]),
            "ambiguous_trades": int(total["ambiguous"]),
            "open_trades": int(total["open_trades"]),
        }
        if outcome.day_equity is not None:
            curve = metrics.Curve(self.cash, self.days, outcome.day_equity, self.days)
            returns = curve.daily_returns()
            figures["sharpe"] = metrics.sharpe(returns)
            figures["sortino"] = metrics.sortino(returns)
            figures["calmar"] = metrics.calmar(returns)
        return figures

    def trades(self, place: int) -> list[Trade]:
        """Return the closed trades of one set, as a run's ledger holds them."""
        records = self.outcomes[place].trades
        if records is None:
            raise ValueError("trades were not kept: run(..., keep_trades=True)")
        return [self._trade(number, record) for number, record in enumerate(records, start=1)]

    def fates(self, place: int) -> list[dict[str, Any]]:
        """Return what became of each setup of one set, in the words of setups.csv."""
        records = self.outcomes[place].fates
        if records is None:
            raise ValueError("setups were not kept: run(..., keep_trades=True)")
        return [self._fate(record) for record in records]

    def _fate(self, record: Any) -> dict[str, Any]:
        cancel = int(record["cancel"])
        if cancel >= FATE_FLATTENED:
            word = self.words.reason(cancel - FATE_FLATTENED)
        else:
            word = REASONS[cancel - FATE_ENGINE] if cancel >= FATE_ENGINE else CANCELS[cancel]
        refused = int(record["refused"])
        return {
            "taken": bool(record["taken"]),
            "reason": GUARD_REFUSALS[refused] if refused else REFUSALS[record["reason"]],
            "cancel": word,
            "filled": bool(record["filled"]),
        }

    def _trade(self, number: int, record: Any) -> Trade:
        entry_bar, entry_time = self._moment(record, "entry")
        exit_bar, exit_time = self._moment(record, "exit")
        planned = Planned(
            float(record["planned_entry"]),
            _number(record["stop"]),
            _number(record["target"]),
            PATTERNS[record["pattern"]],
        )
        trade = OpenTrade(
            number,
            self.words.plan_id,
            self.words.symbol,
            int(record["direction"]),
            planned,
            float(record["point_value"]),
            entry_bar,
            entry_time,
        )
        for name in ("open_quantity", "average", "entered", "entry_price", "left", "exit_price",
                     "gross", "costs", "adverse", "favourable"):  # fmt: skip
            setattr(trade, name, float(record[name]))
        trade.legs = int(record["legs"])
        trade.ambiguous = bool(record["ambiguous"])
        reason = self.words.reason(int(record["reason"]))
        return closed_trade(trade, exit_bar, exit_time, reason)

    def _moment(self, record: Any, which: str) -> tuple[int, int]:
        """Return START of the bar that holds a fill, and the fill's time."""
        bar = self.bars[record[f"{which}_row"]]
        start = int(bar["start"])
        return start, start if record[f"{which}_at_open"] else int(bar["end"])


def _number(value: float) -> float | None:
    return None if value != value else float(value)


def _ratio(above: float, below: float) -> float | None:
    return above / below if below > 0 else None
