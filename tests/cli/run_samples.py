"""Small finished runs: gold held over nights, Nifty over the end of a financial year."""

from __future__ import annotations

from contextlib import chdir
from datetime import UTC, datetime, timedelta
from pathlib import Path

import run
from tests.cli import market

HOLDER = """\
import backtrader as bt


class Holder(bt.Strategy):
    params = (("every", 25), ("hold", 10), ("size", 0.37))

    def next(self):
        if self.position:
            if len(self) - self.entered >= self.p.hold:
                self.close()
        elif len(self) % self.p.every == 0:
            self.entered = len(self)
            price = self.data.close[0]
            if len(self) % (2 * self.p.every):
                self.buy_bracket(size=self.p.size, exectype=bt.Order.Market,
                                 stopprice=price - 60.0, limitprice=price + 60.0)
            else:
                self.sell_bracket(size=self.p.size, exectype=bt.Order.Market,
                                  stopprice=price + 60.0, limitprice=price - 60.0)
"""

SETTINGS = """\
[fx]
USDINR = 83.123457

[accounts.home]
currency = "INR"
cash = 2_000_000

[accounts.abroad]
currency = "USD"
cash = 50_000

[plans.gold]
strategy = "holder.py:Holder"
instrument = "XAUUSD"
timeframe = "15m"
data = "gold.csv"
account = "home"

[plans.metal]
strategy = "holder.py:Holder"
instrument = "XAUUSD"
timeframe = "15m"
data = "gold.csv"
account = "abroad"

[plans.nifty]
strategy = "holder.py:Holder"
instrument = "NIFTY-FUT"
timeframe = "15m"
data = "nifty.csv"
account = "home"
params = { every = 9, hold = 4, size = 75 }
"""


def nifty_rows() -> list[list[str]]:
    """Return 15-minute bars of NSE days from 24 March to 4 April 2025, stamps in UTC."""
    found = []
    when = datetime(2025, 3, 24, 3, 45, tzinfo=UTC)
    while when < datetime(2025, 4, 4, 10, 0, tzinfo=UTC):
        if (when.hour, when.minute) < (10, 0) and (when.hour, when.minute) >= (3, 45):
            base = 23_400.0 + (len(found) % 13) * 3 - (len(found) % 5) * 4
            prices = (base, base + 6.0, base - 6.0, base + 2.0)
            if when.weekday() < 5 and when.day != 31:
                found.append([f"{when:%Y-%m-%d %H:%M:%S}", *(f"{p:.2f}" for p in prices), "100"])
        when += timedelta(minutes=15)
    return found


def make_runs(folder: Path) -> None:
    """Leave seven runs in runs/.

    0001 gold in INR, 0002 held longer, 0003 gold in USD, 0004 all plans of both accounts, 0005
    Nifty, 0006 gold from its second day with more cash, 0007 gold's first day.
    """
    market.write(folder / "gold.csv")
    market.write(folder / "nifty.csv", nifty_rows())
    (folder / "holder.py").write_text(HOLDER)
    (folder / "tola.toml").write_text(SETTINGS)
    lines = (
        ["gold"],
        ["gold", "--set", "hold=14"],
        ["metal"],
        ["gold", "nifty", "metal"],
        ["nifty"],
        ["gold", "--from", "2025-03-04", "--cash", "3000000"],
        ["gold", "--to", "2025-03-03"],
    )
    with chdir(folder):
        for line in lines:
            code = run.main(["backtest", *line, "--no-report", "--json"])
            assert code == 0, line
