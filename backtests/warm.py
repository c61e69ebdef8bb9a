"""Compiles the fill engine in a second process while the first compiles the strategy.

With an empty compile cache a first run spends most of a minute compiling on one core. The fill
rules don't depend on the strategy, so a child process compiles them, and the machines of all
strategies after the first, into the shared cache at the same time; the run reads them from there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from backtests.interrupts import held
from core.bars import BAR
from core.compile import CACHED
from core.orders import OrderKind, OrderRequest, Side

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def helped_compiling(strategies: Sequence[str]) -> Iterator[None]:
    """Run a block while a second process compiles what it will need, if anything is to compile.

    An error or Ctrl-C in the block ends that process too.
    """
    helper = compile_in_background(strategies) if strategies else None
    try:
        yield
    except BaseException:
        if helper is not None:
            helper.terminate()
        raise
    finally:
        if helper is not None:
            with held():
                helper.wait()


def compile_in_background(strategies: Sequence[str]) -> subprocess.Popen[bytes] | None:
    """Start the child if nothing is cached yet and there is a second core; None if not needed.

    Parameters
    ----------
    strategies : sequence of str
        Names of our strategies in the order they will run.
    """
    if not CACHED or (os.cpu_count() or 1) < 2:
        return None
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    if next(folder.rglob("*.nbi"), None) is not None:
        return None
    return subprocess.Popen(
        [sys.executable, "-m", "backtests.warm", *list(dict.fromkeys(strategies))[1:]],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def compile_fills() -> None:
    """Compile what every bar of a backtest calls: play a bar, cancel an order, flatten."""
    from core.instruments import get_instrument
    from core.matching.book import Book, market_record

    bars = np.zeros(1, BAR)
    for name in ("open", "high", "low", "close"):
        bars[name] = 2.0
    book = Book(market_record(get_instrument("MGC").facts(0)), balance=1.0)
    book.add(OrderRequest(1, "", "MGC", Side.BUY, 1.0, OrderKind.LIMIT, price=1.0), day=0)
    book.walk(bars, 0)
    book.cancel(1)
    book.flatten()


def compile_machine(name: str) -> None:
    """Compile a strategy's setup machine, by running it over no more than a bar."""
    import strategies
    from strategies.machine import run_machine

    strategy = strategies.get(name)
    machine = strategy.build_machine(strategy.read({}), 0.1)
    run_machine(machine, np.zeros(1, BAR))


if __name__ == "__main__":
    compile_fills()
    for wanted in sys.argv[1:]:
        compile_machine(wanted)
