"""Plain Backtrader strategies that sessions are tried with, and prices that are quick to play."""

import time

import backtrader as bt


class EveryBars(bt.Strategy):
    """Buys with a bracket every `every` bars; does what a test asks for on bar `on`."""

    params = (("every", 10), ("on", 0), ("act", ""), ("points", 3.0))

    def next(self):
        if self.p.act and len(self) == self.p.on:
            getattr(self, self.p.act)()
        if not self.position and len(self) % self.p.every == 0:
            close = self.data.close[0]
            self.buy_bracket(size=1, exectype=bt.Order.Market, stopprice=close - self.p.points,
                             limitprice=close + self.p.points)  # fmt: skip

    def fail(self):
        raise ZeroDivisionError("the strategy's own fault")

    def hang(self):
        while True:
            time.sleep(0.001)

    def buy_naked(self):
        self.buy(size=1)
