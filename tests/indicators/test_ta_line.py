"""Functions of the library ta as Backtrader lines."""

import backtrader as bt
import numpy as np
import pytest
import ta

from core.errors import ConfigError
from indicators.ta_line import TaLine, compute, find
from tests.indicators.series import random_walk

CASES = {
    "rsi": ("momentum.rsi", ("close",), {"window": 14}),
    "atr": ("volatility.average_true_range", ("high", "low", "close"), {"window": 10}),
    "obv": ("volume.on_balance_volume", ("close", "volume"), None),
}


class Recording(bt.Strategy):
    params = (("case", None),)

    def __init__(self):
        function, inputs, settings = self.p.case
        self.line = TaLine(self.data, function=function, inputs=inputs, settings=settings)
        self.seen = []

    def next(self):
        self.seen.append(self.line[0])


def seen(frame, case, **modes):
    cerebro = bt.Cerebro(stdstats=False, **modes)
    cerebro.adddata(bt.feeds.PandasData(dataname=frame))
    cerebro.addstrategy(Recording, case=case)
    return np.array(cerebro.run()[0].seen)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_ta_line_holds_what_ta_gives_in_every_mode(case):
    frame = random_walk(120, 5)
    function, inputs, settings = case
    wanted = find(function)(*(frame[name] for name in inputs), **(settings or {})).to_numpy()

    np.testing.assert_array_equal(seen(frame, case), wanted)
    np.testing.assert_array_equal(seen(frame, case, runonce=False), wanted)
    np.testing.assert_array_equal(seen(frame, case, exactbars=1), wanted)


def test_the_function_is_the_librarys_own():
    assert find("momentum.rsi") is ta.momentum.rsi


@pytest.mark.parametrize(
    ("name", "told"),
    [("momentun.rsi", "momentum"), ("momentum.rsii", "rsi"), ("momentum.RSIIndicator", "rsi")],
)
def test_an_unknown_function_is_told_with_the_near_name(name, told):
    with pytest.raises(ConfigError, match=told):
        find(name)


def test_settings_the_function_does_not_take_are_told():
    with pytest.raises(ConfigError, match="windou"):
        compute("momentum.rsi", ("close",), {"close": [1.0, 2.0]}, {"windou": 3})


def test_an_unknown_input_column_is_told():
    with pytest.raises(ConfigError, match="close"):
        seen(random_walk(20, 1), ("momentum.rsi", ("closse",), None))
