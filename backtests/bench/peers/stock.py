"""Task T1 in stock Backtrader with all its defaults, on PandasData."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from backtests.bench.peers.job import Answer, frame_of, serve


def prepare(folder: Path, options: dict[str, Any]) -> Callable[[], Answer]:
    """Return the run."""
    import backtrader as bt

    from backtests.bench.t1_strategy import CASH, COMMISSION, MARGIN, MULTIPLIER, T1, answer_of

    frame = frame_of(folder)

    def work() -> Answer:
        cerebro = bt.Cerebro()
        cerebro.adddata(bt.feeds.PandasData(dataname=frame))
        cerebro.broker.setcash(CASH)
        cerebro.broker.setcommission(commission=COMMISSION, margin=MARGIN, mult=MULTIPLIER)
        cerebro.addstrategy(T1, **options)
        (strategy,) = cerebro.run()
        return answer_of(strategy, cerebro.broker.getvalue())

    return work


if __name__ == "__main__":
    import backtrader

    serve(prepare, backtrader.__version__)
