"""From a packet of Kite's stream to the order request it leads to, at the venue's own door.

python -m live.bench.kite_orders '{"rounds": 100}'
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import backtrader as bt

from backtests.request import AccountRequest
from brokers.registry import Credentials, PortRequest, get_venue
from core.config import Account, LiveSettings
from live.account_folder import AccountFolder
from live.bench.job import Disk, scratch, serve, spread
from live.bench.market import Market
from live.bench.paper import LIMITS, loaded_plan
from live.bench.strategies import Looker
from live.build import SessionTerms
from live.market import VenueMarket
from live.session import Session, SessionRequest
from live.verbs.venue_market import on_market

CASH = 1e7
_PRICES_A_BAR = 4
_FIRST_BARS = 3
"""Rounds that nothing is taken from: connections are made, code is compiled."""
_ROUND_SECS = 0.75
"""Between two closes: the venue takes ten requests a second."""
_PATIENCE_SECS = 30.0


class TurnAbout(Looker):
    """Buys with a stop at one close, sells at the next; notes when it asked for an order."""

    params: Any = (("size", 75.0), ("reach", 500.0))

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []
        self.protection: Any = None
        self.leaves = False

    def next(self) -> None:
        """Look, and act."""
        super().next()
        self._act()

    def prenext(self) -> None:
        """Act while indicators still warm up."""
        self._act()

    def _act(self) -> None:
        if self.position:
            if self.leaves:
                return
            self.leaves = True
            self.close()
            self.cancel(self.protection)
        elif not self.broker.get_orders_open():
            self.leaves = False
            stop = self.data.close[0] - self.p.reach
            _, self.protection, _ = self.buy_bracket(
                size=self.p.size, exectype=bt.Order.Market, stopprice=stop, limitexec=None,
                oargs={"planned_entry": self.data.close[0], "planned_stop": stop},
            )  # fmt: skip
        else:
            return
        self.asked.append(time.time())


def measure(rounds: int = 100, round_secs: float = _ROUND_SECS) -> dict[str, Any]:
    """Measure a session whose orders go to the sandbox of another process."""
    with scratch() as folder, Market("kite_future", {"cash": CASH}) as market:
        disk = Disk(folder)
        play = _Play(market, folder, disk)
        play.run(rounds, round_secs)
        disk.close()
        told = market.ask("requests")
    placed = [at for at, endpoint, _ in told["requests"] if endpoint == "orders.place"]
    return {
        "tick_to_order": spread(_latencies(play.left[_FIRST_BARS:], play.asked, placed)),
        "disk": spread(disk.taken),
        "orders": len(placed),
        "refused": told["refused"],
    }


def _latencies(
    left: Sequence[float], asked: Sequence[float], placed: Sequence[float]
) -> list[float]:
    """Return the seconds from each packet that closed a bar to the first order that came after.

    A close at which the strategy asked for nothing (its last orders were still at work) is none.
    """
    taken = []
    for began, ended in zip(left, [*left[1:], float("inf")], strict=True):
        if any(began <= at < ended for at in asked):
            came = [at for at in placed if at >= began]
            if not came:
                raise RuntimeError("an order did not come")
            taken.append(min(came) - began)
    return taken


class _Play:
    """A session at the market, and a thread that lets the market move."""

    def __init__(self, market: Market, folder: Path, disk: Disk) -> None:
        self._market = market
        self._disk = disk
        self._now = int(market.about["now"])
        self._is_over = False
        self._failure: BaseException | None = None
        self.left: list[float] = []
        self.session = Session(self._request(folder))

    def _request(self, folder: Path) -> SessionRequest:
        loaded = [loaded_plan(TurnAbout, "turn", 50, symbol="NIFTY-FUT")]
        plans = tuple(item.request for item in loaded)
        limits = replace(LIMITS, max_quantity=None, daily_loss=CASH / 2, trade_risk=CASH / 10,
                         max_open_risk=CASH / 5)  # fmt: skip
        account = AccountRequest("bench", "INR", CASH, plans, (limits,))
        asked = SessionRequest(
            account, loaded, [[]], SessionTerms(), AccountFolder("bench", folder / "account"),
            at_end="keep",
        )  # fmt: skip
        market = VenueMarket(
            "kite", self._open_port, False, True, lambda: self._now, lambda: self._is_over,
            is_real_time=False,
        )  # fmt: skip
        return on_market(asked, market)

    def _open_port(self, emit: Any, symbols: Any) -> Any:
        about = self._market.about
        return get_venue("kite").make_port(
            PortRequest(
                Account("bench", "kite"), LiveSettings(), tuple(symbols), emit,
                lambda: Credentials(about["credentials"]), options=about["options"],
            )
        )  # fmt: skip

    @property
    def asked(self) -> list[float]:
        """When the strategy asked for orders, seconds of the epoch."""
        (plan,) = self.session.built.plans
        asked: list[float] = plan.strategy.asked
        return asked

    def run(self, rounds: int, round_secs: float) -> None:
        """Run the session while so many bars end."""
        thread = threading.Thread(target=self._move, args=(rounds, round_secs), daemon=True)
        thread.start()
        result = self.session.run()
        self._is_over = True
        thread.join()
        if self._failure is not None:
            raise self._failure
        if result.failure is not None:
            raise result.failure

    def _move(self, rounds: int, round_secs: float) -> None:
        try:
            self._wait_until_live()
            chance = random.Random(7)
            for _ in range(_FIRST_BARS + rounds):
                began = time.monotonic()
                self._now = int(self._market.ask("play", packets=_PRICES_A_BAR)["now"])
                time.sleep(round_secs / 2 + chance.uniform(0.0, 0.05))
                self.left.append(float(self._market.ask("play", packets=1)["left_at"]))
                self._disk.probe()
                time.sleep(max(0.0, began + round_secs - time.monotonic()))
            self._await_last_order()
        except BaseException as failure:  # told to the thread that waits for it
            self._failure = failure
        finally:
            self._is_over = True

    def _await_last_order(self) -> None:
        until = time.monotonic() + _PATIENCE_SECS
        while self.asked and self.asked[-1] >= self.left[-1] and time.monotonic() < until:
            came = self._market.ask("requests")["requests"]
            if any(at >= self.left[-1] and name == "orders.place" for at, name, _ in came):
                return
            time.sleep(0.1)

    def _wait_until_live(self) -> None:
        until = time.monotonic() + _PATIENCE_SECS
        while not self.session.was_live:
            if time.monotonic() > until:
                raise RuntimeError("the session did not come to trade")
            time.sleep(0.05)


if __name__ == "__main__":
    serve(measure)
