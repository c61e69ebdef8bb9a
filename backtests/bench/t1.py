"""Task T1: a breakout with brackets on a million minute bars, each engine in its own process.

Against stock Backtrader trades and final value are compared bit for bit; a row whose runs differ
fails. Other libraries fill by rules of their own, which the row names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from backtests.bench import Row, Task
from backtests.bench.race import Result, difference, race
from backtests.bench.session import Session
from backtests.bench.t1_entrants import Field, Sizes

_SLOWDOWN = 1.3
"""How much longer own fills and limits may take than the first row."""

TASKS = (
    Task("t1_next_every_bar", "untouched strategy file, against stock Backtrader", "4x"),
    Task("t1_mask_dense", "with an entry mask, 42 trades per 1,000 bars", "12x"),
    Task("t1_mask_sparse", "with an entry mask, 1,000-bar high, 5/10 ATR", "100x"),
    Task("t1_whole_next", "the first row as a whole run, with analyzers"),
    Task("t1_whole_dense", "the second row as a whole run"),
    Task("t1_whole_sparse", "the third row as a whole run"),
    Task("t1_tola_fills", "the first row with own fills", "at most 1.3x as long"),
    Task("t1_gold_bot", "the same under the gold_bot limits", "at most 1.3x as long"),
    Task("t1_vs_backtesting_py", "entry mask, own fills, whole run", "faster"),
    Task("t1_untouched_vs_backtesting_py", "untouched, own fills, whole run"),
    Task("t1_vs_nautilus_100k", "entry mask, own fills, whole run, 100k bars", "8x"),
    Task("t1_untouched_vs_nautilus_100k", "untouched, own fills, whole run, 100k bars"),
    Task("t1_vs_vectorbt", "entry mask, own fills, whole run, against compiled arrays"),
    Task("t1_first_run_100k", "a new process with nothing compiled, 100k bars"),
    Task("t1_memory", "memory of the whole run over prices and imports", "300 MB"),
    Task("t1_growth", "time a bar on the whole walk over that on a quarter", "1.15"),
)

_NOT_QUICK = ("vectorbt", "whole_mask", "whole_sparse", "tola_next", "tola_next_100k", "first_run")
"""Entrants left out of a quick run: each takes longer to start than to race."""

_STOCK = "Backtrader's own fills (no exit on the entry bar), guard without rules"
_TOLA = "own fills (stop and target work from the fill), worst path through each bar"
_WHOLE = "ours with daily-loss and trade-risk analyzers"
_DEFAULTS = "stock: all defaults on PandasData; prices in memory to finished trades; CPU s"
_EQUAL = "trades and final value equal bit for bit"
_BACKTESTING = "backtesting.py: with its statistics, stop before target in a bar"
_NAUTILUS = "NautilusTrader: no risk engine, no log, entry at the signal's close, path O-H-L-C"
_VECTORBT = "vectorbt: from_signals, no entry on the bar of a stop exit"


@dataclass(frozen=True)
class Duel:
    """A row to be: the variants it takes (ours first) and how their results become it.

    exact : the first two must have made the same trades.
    """

    task: str
    takes: tuple[str, ...]
    make: Callable[..., Row]
    exact: bool = False

    def row(self, results: Mapping[str, Result], missing: Mapping[str, str]) -> Row:
        """Return the row; skipped or failed with its reason where a result is missing."""
        blank = Row(self.task, "seconds")
        for name in self.takes:
            if name in missing:
                return replace(blank, skipped=missing[name])
        for name in self.takes:
            if results[name].failed:
                return replace(blank, failed=results[name].failed)
        taken = [results[name] for name in self.takes]
        wrong = difference(taken[0], taken[1]) if self.exact else ""
        row: Row = self.make(*taken)
        return replace(row, failed=f"the runs differ: {wrong}") if wrong else row


def measure(session: Session, wanted: frozenset[str], sizes: Sizes | None = None) -> Iterator[Row]:
    """Race what the wanted rows need, then yield the rows; sizes by the session if not given."""
    sizes = sizes or Sizes(session.size(1_000_000, 40_000), session.size(100_000, 20_000))
    entered = Field(session, sizes)
    if session.quick:
        entered.missing.update(dict.fromkeys(_NOT_QUICK, "left out of a quick run"))
    duels = [duel for duel in _duels(sizes) if duel.task in wanted]
    # A row whose peer is missing is skipped whole, so its other runs are not made for nothing.
    for duel in duels:
        entered.note_missing(duel.takes)
    names = [
        name for duel in duels if not set(duel.takes) & set(entered.missing) for name in duel.takes
    ]
    results = race(entered.entrants(names), session)
    for duel in duels:
        yield duel.row(results, entered.missing)


def _duels(sizes: Sizes) -> Iterator[Duel]:
    whole, small = sizes.whole, sizes.hundredk
    rules = f"{_STOCK}; {_DEFAULTS}; {_EQUAL}"
    for task, ours, peer, target in (
        ("t1_next_every_bar", "next", "stock_dense", 4.0),
        ("t1_mask_dense", "mask", "stock_dense", 12.0),
        ("t1_mask_sparse", "sparse", "stock_sparse", 100.0),
        ("t1_whole_next", "whole_next", "stock_dense", None),
        ("t1_whole_dense", "whole_mask", "stock_dense", None),
        ("t1_whole_sparse", "whole_sparse", "stock_sparse", None),
    ):
        said = f"{rules}; {_WHOLE}" if ours.startswith("whole") else rules
        timed = _timed(task, whole, "backtrader {}", said, target)
        yield Duel(task, (ours, peer), timed, exact=True)
    goal = round(1 / _SLOWDOWN, 2)
    for task, ours, rules in (
        ("t1_tola_fills", "tola", f"{_TOLA}, guard without rules; CPU s"),
        ("t1_gold_bot", "gold_bot", f"{_TOLA}, daily loss and trade risk limited, size 2; CPU s"),
    ):
        yield Duel(task, (ours, "next"), _timed(task, whole, "t1_next_every_bar", rules, goal))
    yield from _against_others(whole, small)
    yield Duel("t1_first_run_100k", ("first_run", "stock_100k"), _first_run(small), exact=True)
    yield Duel("t1_memory", ("whole_next", "stock_dense"), _memory(whole), exact=True)
    yield Duel("t1_growth", ("next", "half", "quarter"), _growth(whole))


def _against_others(whole: int, small: int) -> Iterator[Duel]:
    for peer, title, rules, bars, masked, plain, target in (
        ("backtesting", "backtesting.py {}", _BACKTESTING, whole, "tola_mask", "tola_next", 1.0),
        (
            "nautilus",
            "NautilusTrader {}",
            _NAUTILUS,
            small,
            "tola_mask_100k",
            "tola_next_100k",
            8.0,
        ),
    ):
        name = {"backtesting": "backtesting_py", "nautilus": "nautilus_100k"}[peer]
        said = f"{_TOLA}; {_WHOLE}; {rules}; CPU s"
        task = f"t1_vs_{name}"
        yield Duel(task, (masked, peer), _timed(task, bars, title, said, target))
        task = f"t1_untouched_vs_{name}"
        yield Duel(task, (plain, peer), _timed(task, bars, title, said))
    said = f"{_TOLA}; {_WHOLE}; {_VECTORBT}; CPU s"
    task = "t1_vs_vectorbt"
    yield Duel(task, ("tola_mask", "vectorbt"), _timed(task, whole, "vectorbt {}", said))


def _timed(
    task: str, bars: int, title: str, rules: str, target: float | None = None
) -> Callable[[Result, Result], Row]:
    """Return how two timed results become a row."""

    def make(ours: Result, peer: Result) -> Row:
        note = f"{ours.count:,} trades, {ours.pnl:,.2f} net"
        if (ours.count, ours.pnl) != (peer.count, peer.pnl):
            note += f"; peer {peer.count:,}, {peer.pnl:,.2f}"
        if ours.note:
            note += f"; {ours.note}"
        return Row(
            task, "seconds", ours.cpu, peer.cpu, title.format(peer.version), target, rules,
            ours_wall=ours.wall, peer_wall=peer.wall, ours_cold=ours.cold, peer_cold=peer.cold,
            bars=bars, note=note,
        )  # fmt: skip

    return make


def _first_run(bars: int) -> Callable[[Result, Result], Row]:
    def make(ours: Result, peer: Result) -> Row:
        rules = f"untouched strategy; {_STOCK}; {_WHOLE}; wall s from the process's start; {_EQUAL}"
        return Row(
            "t1_first_run_100k", "seconds", ours.cold, peer.cold, f"backtrader {peer.version}",
            rules=rules, warm=False, bars=bars,
        )  # fmt: skip

    return make


def _memory(bars: int) -> Callable[[Result, Result], Row]:
    def make(ours: Result, peer: Result) -> Row:
        if ours.grown_mb is None:
            return Row("t1_memory", "megabytes", skipped="this system does not tell peak memory")
        rules = f"peak resident memory over that before the run; {_STOCK}; {_WHOLE}; {_EQUAL}"
        return Row(
            "t1_memory", "megabytes", ours.grown_mb, peer.grown_mb, f"backtrader {peer.version}",
            rules=rules, at_most=300.0, bars=bars, note=f"{ours.count:,} trades",
        )  # fmt: skip

    return make


def _growth(bars: int) -> Callable[[Result, Result, Result], Row]:
    def make(whole: Result, half: Result, quarter: Result) -> Row:
        runs = ((whole, bars), (half, bars // 2), (quarter, bars // 4))
        costs = [1e6 * run.cpu / count for run, count in runs]
        note = ", ".join(
            f"{cost:.2f} us a bar at {count:,} ({run.count:,} trades)"
            for cost, (run, count) in zip(costs, runs, strict=True)
        )
        rules = f"untouched strategy; {_STOCK}; CPU s"
        return Row("t1_growth", "ratio", costs[0] / costs[2], at_most=1.15, rules=rules,
                   bars=bars, note=note)  # fmt: skip

    return make
