"""The sandbox: one market, its faces and their servers, on a loop in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from core.errors import ConfigError, TolaError, near_name
from core.orders import OrderKind, Side
from sandbox.account import Account, AccountTerms
from sandbox.board import Board
from sandbox.control import Control
from sandbox.course import BarBegins, Course, Price, Prices, Step
from sandbox.exchange import Exchange
from sandbox.face import Face
from sandbox.faults import MARKET, Fault, FaultPlan, Kind, require_target
from sandbox.hands import Hand
from sandbox.ledger import Ledger
from sandbox.lockstep import LockStep
from sandbox.orders import BoxOrder
from sandbox.pace import Pace
from sandbox.server import Server
from sandbox.warm import warm

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_START_SECS = 30.0
_NS = 1_000_000_000

VENUES = ("kite",)


class Sandbox:
    """A market in a box.

    Parameters
    ----------
    venue : whose wire it speaks.
    prices : `replayed(...)` or `generated(...)`, one or several.
    start : ns UTC; bars that END by then are history. None: the first half of the days is.
    speed : market seconds a second, it runs by itself; None: it moves with `play` alone.
    lock_step : it runs as its sessions come to rest; `step_timeout_secs` is the longest wait.
    faults : what goes wrong. seed : of ids and depth.
    accounts : name -> terms; by default one, XX0000.
    ledger : a new file for its own books; None: in memory.
    latency_ms : market time between a request's acceptance and the order's book.
    volume_share : share of each recorded trade's volume that a position's orders may fill; needs
        tapes of trades: a replayed bar's path tells no volumes. None: all of it.
    host, port : where it listens; 0: a free port.
    settings : the face's own (`sandbox.kite.KiteSettings`).

    Raises
    ------
    ConfigError : settings that do not fit, a port in use.
    """

    def __init__(
        self,
        venue: str,
        prices: Prices | Sequence[Prices],
        *,
        start: int | None = None,
        speed: float | None = None,
        lock_step: bool = False,
        step_timeout_secs: float = 30.0,
        faults: FaultPlan | Sequence[Fault] = (),
        seed: int = 0,
        accounts: dict[str, AccountTerms] | None = None,
        ledger: str | Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        latency_ms: float = 0.0,
        volume_share: float | None = None,
        settings: Any = None,
    ) -> None:
        module = face_module(venue)
        if speed is not None and (lock_step or not 0 < speed < inf):
            raise ConfigError(f"speed={speed:g}: expected more than 0, and no lock-step beside it")
        if not step_timeout_secs > 0:
            raise ConfigError(f"step_timeout_secs={step_timeout_secs:g}: expected more than 0")
        told = [prices] if isinstance(prices, Prices) else list(prices)
        is_taped = all(item.tape is not None and item.model == "trades" for item in told)
        if volume_share is not None and not (is_taped and 0 < volume_share <= 1):
            raise ConfigError(
                f"volume_share={volume_share:g}: expected 0 < volume_share <= 1 and tapes of trades"
            )
        self.plan = faults if isinstance(faults, FaultPlan) else FaultPlan(faults, seed)
        self.course = Course(told, _first_half(told) if start is None else start)
        self.exchange = Exchange(
            self.course,
            Board(self.course, seed),
            self.plan,
            latency_ns=round(latency_ms * 1e6),
            volume_share=volume_share,
        )
        self.ledger = Ledger(None if ledger is None else Path(ledger))
        self.plan.on_strike = self.ledger.fault
        self.lock_step = LockStep(step_timeout_secs) if lock_step else None
        self.seed = seed
        self.packet = 0
        self._told_at = 0
        self.error: TolaError | None = None
        self.is_over = False
        self._pace = Pace(speed)
        self._runs = lock_step or speed is not None
        self._host, self._port = host, port
        self._steps: Iterator[Step] = self.course.steps()
        self.account_terms = accounts or {"XX0000": AccountTerms()}
        for name, terms in self.account_terms.items():
            self.exchange.open_account(Account(name, terms))
        self.face: Face = module.make_face(self, settings)
        for fault in self.plan.faults:
            self._require_target(fault)
        self.hand = Hand(self.exchange, self.face.new_number, self.face.product)
        self.exchange.floor.on_order = self._order_changed
        self.exchange.floor.on_fill = self._filled
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = threading.Event()

    # -- life --------------------------------------------------------------------------------

    def start(self) -> Self:
        """Listen, and let the market move where it does so by itself.

        Raises
        ------
        ConfigError : the port is in use.
        """
        warm()
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(ready)), name="sandbox", daemon=True
        )
        self._thread.start()
        try:
            ready.result(_START_SECS)
        except Exception:
            self._thread.join(_START_SECS)
            self.ledger.discard()
            raise
        return self

    def stop(self) -> None:
        """Close everything; safe to call again."""
        loop = self._loop
        if loop is not None and self._thread is not None and self._thread.is_alive():
            loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(_START_SECS)
        self._loop = None
        self.ledger.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if self.error is not None and error is None:
            raise self.error

    async def _main(self, ready: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self.server = Server(
            self.face,
            self.plan,
            self.ledger,
            Control(self).routes(),
            lambda: self.now,
            lambda: self.exchange.skew_ns / _NS,
        )
        try:
            self._port = await self.server.start(self._host, self._port)
            self.face.begin()
        except Exception as error:  # handed to the caller's thread
            ready.set_exception(error)
            return
        runner = asyncio.create_task(self._run()) if self._runs else None
        ready.set_result(None)
        await self._stopping.wait()
        if runner is not None:
            runner.cancel()
            await asyncio.gather(runner, return_exceptions=True)
        await self.server.stop()

    async def _run(self) -> None:
        """Let the market move until its prices are over."""
        try:
            if self.lock_step is not None:
                await self.lock_step.wait_for_session()
            while await self.move():
                pass
        except TolaError as error:
            self.error = error
        except Exception as error:  # the edge of the loop: it would be lost
            logger.exception("sandbox failed packet=%d", self.packet)
            self.error = TolaError(f"the sandbox failed at packet {self.packet}: {error!r}")
        finally:
            if self.lock_step is not None:
                await self.lock_step.end()
            self._stopped.set()

    # -- the market --------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """Market time as the venue tells it, ns UTC; a price's moment is over once it was told."""
        is_over = self.exchange.now == self._told_at
        return self.exchange.now + self.exchange.skew_ns + is_over

    async def move(self) -> bool:
        """Go one packet on: a price, or the clock at a bar's END; False at the end."""
        for step in self._steps:
            if isinstance(step, BarBegins):
                await self._take(step)
                continue
            await self._pace.reach(step.ts)
            await self._take(step)
            if self.lock_step is not None:
                await self.lock_step.wait(self.packet, _label(step), self.face.delivered())
            return True
        self.is_over = True
        return False

    async def _take(self, step: Step) -> None:
        """Let a step happen, and tell it; a bar that begins tells nothing."""
        if isinstance(step, BarBegins):
            self.exchange.take(step)
            return
        self.packet += 1
        self._strike(step)
        self.exchange.take(step)
        if isinstance(step, Price):
            self._told_at = step.ts
        await self.face.publish(step)

    def _strike(self, step: Step) -> None:
        """Let happen what the plan has for this moment of the market."""
        while (fault := self.plan.strike(MARKET, "price", step.ts)) is not None:
            if fault.kind is Kind.SKEW:
                self.exchange.skew_ns = round(fault.secs * _NS)
            elif fault.kind is Kind.EXPIRE_TOKEN:
                self.face.expire_tokens()
            else:
                self.hand.act(fault)

    def _order_changed(self, order: BoxOrder) -> None:
        self.ledger.order(order)
        self.face.order_changed(order)

    def _filled(self, fill: Any) -> None:
        self.ledger.fill(fill)
        self.face.filled(fill)

    # -- from other threads ------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where its HTTP is."""
        return f"http://{self._host}:{self._port}"

    @property
    def stream_url(self) -> str:
        """Where its stream is."""
        return f"ws://{self._host}:{self._port}"

    def login(self, account: str | None = None) -> str:
        """Log an account (by default the first) in without the venue's page; return its token."""
        return self.call(self.face.login, account or next(iter(self.exchange.accounts)))

    def call(self, function: Callable[..., _T], *given: Any, **named: Any) -> _T:
        """Run a function on the sandbox's loop and return what it returns."""

        async def call() -> _T:
            return function(*given, **named)

        return self.run(call())

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do work on the sandbox's loop, tell the streams what came of it, return its result."""

        async def do() -> _T:
            result = await work
            await self.face.flush()
            return result

        if self._loop is None:
            work.close()
            raise TolaError("the sandbox does not run: start it, or use it in a with block")
        return asyncio.run_coroutine_threadsafe(do(), self._loop).result()

    def require_still(self) -> None:
        """Refuse to move by hand a market that moves by itself.

        Raises
        ------
        TolaError : it does.
        """
        if self._runs:
            raise TolaError("the market moves by itself: leave out speed and lock_step to play it")

    def play(self, packets: int = 1) -> int:
        """Let the market go on by so many packets; return how many there still were."""

        self.require_still()

        async def some() -> int:
            for count in range(packets):
                if not await self.move():
                    return count
            return packets

        return self.run(some())

    def tell(self, *steps: Step) -> None:
        """Let the market take steps made by hand, between those of its prices.

        steps : `sandbox.course` BarBegins, Price and BarsEnd, in the order of time.
        """

        self.require_still()

        async def all_of_them() -> None:
            for step in steps:
                await self._take(step)

        self.run(all_of_them())

    def play_until(self, ts: int) -> None:
        """Let the market go on until a time (ns UTC), what happens at it included."""

        self.require_still()

        async def until() -> None:
            while self.exchange.now < ts and await self.move():
                pass

        self.run(until())

    def wait(self, timeout_secs: float | None = None) -> bool:
        """Wait for the end of the prices; False if it did not come in time."""
        return self._stopped.wait(timeout_secs)

    def place(
        self,
        contract: str,
        side: Side,
        quantity: float,
        kind: OrderKind = OrderKind.MARKET,
        price: float | None = None,
        *,
        account: str | None = None,
        **more: Any,
    ) -> BoxOrder:
        """Place an order by another hand (see `Hand.place`)."""
        name = account or next(iter(self.exchange.accounts))
        return self.call(self.hand.place, name, contract, side, quantity, kind, price, **more)

    def add_fault(self, kind: str, **given: Any) -> None:
        """Add a fault to the plan (see `Fault`)."""
        self.call(self.arm, Fault(Kind(kind), **given))

    def arm(self, fault: Fault) -> None:
        """Add a fault to the plan, on the sandbox's loop.

        Raises
        ------
        ConfigError : there is nothing of the name it strikes.
        """
        self._require_target(fault)
        self.plan.add(fault)

    def _require_target(self, fault: Fault) -> None:
        require_target(fault, (route.name for route in self.face.routes()))


def _label(step: Step) -> str:
    """Return a packet's name for people."""
    from datetime import UTC, datetime

    when = datetime.fromtimestamp(step.ts / _NS, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{getattr(step, 'symbol', 'clock')} {when}"


def _first_half(prices: Sequence[Prices]) -> int:
    """Return the END of the last bar of the first half of the days."""
    import numpy as np

    bars = prices[0].series.bars
    days = np.unique(bars["day"])
    if len(days) == 1:
        return int(bars["start"][0])
    before = bars[bars["day"] < days[len(days) // 2]]
    return int(before["end"][-1])


def face_module(venue: str) -> Any:
    """Return the module of a venue's face: its `make_face`, `lasting_settings`, `served_settings`.

    Raises
    ------
    ConfigError : the venue has no sandbox.
    """
    from importlib import import_module

    if venue not in VENUES:
        raise ConfigError(f"venue {venue!r} has no sandbox{near_name(venue, VENUES)}")
    return import_module(f"sandbox.{venue}.face")
