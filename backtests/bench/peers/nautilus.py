"""Task T1 in NautilusTrader: bars and bracket lists, risk engine bypassed, logging off."""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from backtests.bench.peers.job import Answer, frame_of, serve

CASH, COMMISSION, PERIOD = "1_000_000 USD", "0.5 USD", 14


def prepare(folder: Path, options: dict[str, Any]) -> Callable[[], Answer]:
    """Return the run: engine made, data added, strategy run. The bars are wrangled before."""
    model = importlib.import_module("nautilus_trader.model")
    contract = _contract(model)
    bar_type = model.BarType.from_str(f"{contract.id}-1-MINUTE-LAST-EXTERNAL")
    bars = _bars(folder, bar_type, contract)
    strategy_class = _strategy_class(model)

    def work() -> Answer:
        engine = _engine(model, contract)
        engine.add_data(bars)
        strategy = strategy_class(contract, bar_type, options)
        engine.add_strategy(strategy)
        engine.run()
        account = engine.portfolio.account(contract.id.venue)
        money = account.balance_total(contract.quote_currency)
        answer = Answer(strategy.closed, strategy.pnl, money.as_double())
        engine.dispose()
        return answer

    return work


def _contract(model: Any) -> Any:
    instruments = importlib.import_module("nautilus_trader.model.instruments")
    enums = importlib.import_module("nautilus_trader.model.enums")
    return instruments.FuturesContract(
        instrument_id=model.InstrumentId.from_str("MGC.SIM"),
        raw_symbol=model.Symbol("MGC"),
        asset_class=enums.AssetClass.COMMODITY,
        currency=importlib.import_module("nautilus_trader.model.currencies").USD,
        price_precision=2,
        price_increment=model.Price.from_str("0.01"),
        multiplier=model.Quantity.from_int(10),
        lot_size=model.Quantity.from_int(1),
        underlying="GOLD",
        activation_ns=0,
        expiration_ns=4_000_000_000_000_000_000,
        ts_event=0,
        ts_init=0,
        margin_init=Decimal("0.05"),
        margin_maint=Decimal("0.05"),
    )


def _bars(folder: Path, bar_type: Any, contract: Any) -> Any:
    wranglers = importlib.import_module("nautilus_trader.persistence.wranglers")
    frame = frame_of(folder)
    frame.columns = frame.columns.str.lower()
    frame.index = frame.index.tz_localize("UTC")
    frame.index.name = "timestamp"
    return wranglers.BarDataWrangler(bar_type, contract).process(frame)


def _engine(model: Any, contract: Any) -> Any:
    config = importlib.import_module("nautilus_trader.config")
    backtest = importlib.import_module("nautilus_trader.backtest.engine")
    models = importlib.import_module("nautilus_trader.backtest.models")
    enums = importlib.import_module("nautilus_trader.model.enums")
    engine = backtest.BacktestEngine(
        config=backtest.BacktestEngineConfig(
            logging=config.LoggingConfig(bypass_logging=True),
            risk_engine=config.RiskEngineConfig(bypass=True),
            run_analysis=False,
        )
    )
    engine.add_venue(
        venue=contract.id.venue,
        oms_type=enums.OmsType.NETTING,
        account_type=enums.AccountType.MARGIN,
        starting_balances=[model.Money.from_str(CASH)],
        fee_model=models.FixedFeeModel(model.Money.from_str(COMMISSION)),
    )
    engine.add_instrument(contract)
    return engine


def _strategy_class(model: Any) -> Any:
    trading = importlib.import_module("nautilus_trader.trading.strategy")
    enums = importlib.import_module("nautilus_trader.model.enums")

    class T1(trading.Strategy):  # type: ignore[name-defined, misc]
        """The breakout with plain Python indicators; levels on the tick, as the library asks."""

        def __init__(self, contract: Any, bar_type: Any, options: dict[str, Any]) -> None:
            super().__init__()
            self.contract, self.bar_type = contract, bar_type
            self.stop_atr, self.target_atr = options["stop_atr"], options["target_atr"]
            self.highs: deque[float] = deque(maxlen=options["window"])
            self.reaches: list[float] = []
            self.atr = self.before = 0.0
            self.closed, self.pnl = 0, 0.0
            self.size = model.Quantity.from_int(1)

        def on_start(self) -> None:
            self.subscribe_bars(self.bar_type)

        def on_position_closed(self, event: Any) -> None:
            self.closed += 1
            self.pnl += event.realized_pnl.as_double()

        def on_bar(self, bar: Any) -> None:
            high, low, close = bar.high.as_double(), bar.low.as_double(), bar.close.as_double()
            ready = len(self.highs) == self.highs.maxlen
            top = max(self.highs) if ready else 0.0
            self.highs.append(high)
            self._take(high, low)
            self.before = close
            if not ready or close <= top or not self.portfolio.is_flat(self.contract.id):
                return
            make = self.contract.make_price
            self.submit_order_list(
                self.order_factory.bracket(
                    instrument_id=self.contract.id,
                    order_side=enums.OrderSide.BUY,
                    quantity=self.size,
                    sl_trigger_price=make(close - self.stop_atr * self.atr),
                    tp_price=make(close + self.target_atr * self.atr),
                )
            )

        def _take(self, high: float, low: float) -> None:
            if not self.before:
                return
            reach = max(high, self.before) - min(low, self.before)
            if len(self.reaches) < PERIOD:
                self.reaches.append(reach)
                self.atr = sum(self.reaches) / len(self.reaches)
            else:
                self.atr += (reach - self.atr) / PERIOD

    return T1


if __name__ == "__main__":
    serve(prepare, importlib.import_module("nautilus_trader").__version__)
