"""A strategy counts a plain feed's bars by the calendar of the run, the user's dates included."""

from __future__ import annotations

import backtrader as bt
import pandas as pd

from core.calendar import get_calendar
from core.instruments import get_instrument
from strategies.breakout import Breakout


class Probe(Breakout):
    """Keeps the END of each bar as the strategy reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[str] = []

    def next(self) -> None:
        end = pd.Timestamp(int(self._reader.ago(0)["end"][0]), tz="UTC")
        self.ends.append(end.tz_convert("America/New_York").strftime("%H:%M"))


def ends_under(calendar: object) -> list[str]:
    stamps = pd.date_range("2025-03-05 14:00", periods=3, freq="h", tz="America/New_York")
    frame = pd.DataFrame(
        {name: [2900.0] * 3 for name in ("open", "high", "low", "close")} | {"volume": [1.0] * 3},
        index=stamps.tz_convert("UTC").tz_localize(None),
    )
    data = bt.feeds.PandasData(dataname=frame, timeframe=bt.TimeFrame.Minutes, compression=60)
    if calendar is not None:
        data.tola_calendar = calendar
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(data, name="MGC")
    cerebro.addstrategy(Probe, instrument=get_instrument("MGC"))
    return cerebro.run()[0].ends


def test_an_early_close_of_the_users_own_ends_the_bar(tmp_path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        "[CMEGlobex_GC]\nsessions = [{ date = 2025-03-05, open = '18:00', close = '14:30', "
        "special = false }]\n"
    )

    assert ends_under(get_calendar("CMEGlobex_GC", str(own)))[:2] == ["14:00", "14:30"]
    assert ends_under(None)[:2] == ["14:00", "15:00"]
