"""Strategies with a planted leak, each in one line marked LEAK, and honest ones beside them."""

import backtrader as bt
import numpy as np
import pandas as pd


class Honest(bt.Strategy):
    def __init__(self):
        self.fast = bt.ind.EMA(period=5)
        self.cross = bt.ind.CrossOver(self.fast, bt.ind.SMA(period=12))
        self.streak = 0

    def next(self):
        self.streak = self.streak + 1 if self.data.close[0] > self.data.close[-1] else 0
        if self.cross[0] > 0 or self.streak > 3:
            if not self.position:
                self.buy(size=1)
        elif self.position:
            self.close()


class Traded(bt.Strategy):
    """Buys when `rising()` says so and leaves when it does not."""

    def next(self):
        rising = self.rising(len(self) - 1)
        if rising and not self.position:
            self.buy(size=1)
        elif not rising and self.position:
            self.close()


class NextClose(Traded):
    def rising(self, bar):
        return self.data.close[1] > self.data.close[0]  # LEAK


class CaughtError(Traded):
    def rising(self, bar):
        try:
            return self.data.close[1] > self.data.close[0]  # LEAK
        except IndexError:
            return False


class WholeArray(Traded):
    def start(self):
        self.closes = np.array(self.data.close.array)

    def rising(self, bar):
        return self.data.close[0] < self.closes.max() - 8.0  # LEAK


class LineArray(Traded):
    def rising(self, bar):
        return self.data.close.array[-1] > self.data.close[0]  # LEAK


class Shifted(Traded):
    def __init__(self):
        close = pd.Series(list(self.data.close.array))
        self.signal = (close.shift(-1) > close).to_numpy()

    def rising(self, bar):
        return self.signal[bar]  # LEAK


class Rolling(Traded):
    """Works on all bars beforehand, yet reads none early."""

    def __init__(self):
        close = pd.Series(list(self.data.close.array))
        self.signal = (close.rolling(20).mean() > close).to_numpy()

    def rising(self, bar):
        return self.signal[bar]


class ReadsFile(Traded):
    params = (("file", ""),)

    def __init__(self):
        close = pd.read_csv(self.p.file).close  # LEAK
        self.signal = (close.shift(-1) > close).to_numpy()

    def rising(self, bar):
        return self.signal[bar]


class Records(Traded):
    def rising(self, bar):
        closes = self.data.bars["close"][bar : bar + 2]
        return closes[-1] > closes[0]  # LEAK


class ForwardLine(Traded):
    def __init__(self):
        self.gain = self.data.close(1) - self.data.close  # LEAK

    def rising(self, bar):
        return self.gain[0] > 0


class UnusedForwardLine(Honest):
    """Holds a leaking line, as Ichimoku's lagging span is one, and never looks at it."""

    def __init__(self):
        super().__init__()
        self.gain = self.data.close(1) - self.data.close  # LEAK


class Repainted(bt.Indicator):  # LEAK
    lines = ("top",)

    def next(self):
        self.lines.top[0] = float("nan")
        if len(self) > 3 and self.data.high[-2] < self.data.high[-1] > self.data.high[0]:
            self.lines.top[-1] = self.data.high[-1]


class Repainting(Traded):
    def __init__(self):
        self.tops = Repainted(self.data)

    def rising(self, bar):
        return self.tops.top[0] != self.tops.top[0]


class BeforeTheFirst(Traded):
    def rising(self, bar):
        return self.data.close[-60] > self.data.close[0]  # LEAK


class Random(Traded):
    def rising(self, bar):
        return np.random.random() > 0.5


class Broken(Traded):
    def rising(self, bar):
        if bar == 100:
            raise ValueError("no such day")
        return False
