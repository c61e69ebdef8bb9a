"""A grid of task T1 in stock Backtrader: `optstrategy` on two processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from backtests.bench.peers.job import Answer, frame_of, serve


def prepare(folder: Path, options: dict[str, Any]) -> Callable[[], Answer]:
    """Return the run. options : lists of window, stop_atr and target_atr."""
    import backtrader as bt

    from backtests.bench.t1_strategy import CASH, COMMISSION, MARGIN, MULTIPLIER, T1

    frame = frame_of(folder)

    def work() -> Answer:
        cerebro = bt.Cerebro()
        cerebro.adddata(bt.feeds.PandasData(dataname=frame))
        cerebro.broker.setcash(CASH)
        cerebro.broker.setcommission(commission=COMMISSION, margin=MARGIN, mult=MULTIPLIER)
        cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
        cerebro.optstrategy(T1, **options)
        runs = [run for found in cerebro.run(maxcpus=2) for run in found]
        told = [run.analyzers.trades.get_analysis() for run in runs]
        net = sum(float(item.pnl.net.total) for item in told)
        return Answer(sum(int(item.total.closed) for item in told), net, 0.0)

    return work


if __name__ == "__main__":
    import backtrader

    serve(prepare, backtrader.__version__)
