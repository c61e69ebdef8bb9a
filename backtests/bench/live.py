"""The live core: how soon it acts, what it costs. Jobs of `live.bench`, each in its own process.

This package knows nothing of sessions; it starts the jobs, reads what they print, and holds the
figures against their targets.
"""

from __future__ import annotations

from collections.abc import Iterator

from backtests.bench import Row, Task
from backtests.bench.jobs import Job, Told, around, measure_jobs, pair
from backtests.bench.session import Session


def measure(session: Session, wanted: frozenset[str]) -> Iterator[Row]:
    """Yield the wanted rows, job by job."""
    yield from measure_jobs(JOBS, session, wanted)


def _ticks(told: Told) -> Iterator[Row]:
    yield Row(
        "ticks_to_bars", "ticks_per_second", told["ours"], told["stock"],
        f"backtrader {told['version']} resampler", at_least=5e6, bars=told["ticks"],
        rules=f"CPU, one-minute bars, {told['bars_compared']} compared and equal; the peer on the "
        f"first {told['stock_ticks']:,} ticks",
        note=f"{told['one_by_one']:,.0f} ticks/s handed over one by one",
    )  # fmt: skip


def _next(told: Told) -> Iterator[Row]:
    rules = (
        "wall, from the event in the inbox to `next`, bars ended by a tick of the next one or by "
        "the clock, at random moments, SQLite journal written; the peer has a queue a feed, qcheck "
        "0.5 s, builds no bars, and only what it delivered in time counts"
    )
    by_feeds = "; ".join(
        f"{name.replace('_', ' ')}: {pair(value)}"
        for name, value in told.items()
        if name.startswith(("tick_", "clock_"))
    )
    eight, one = told["feeds_8"], told["feeds_1"]
    stock, peer = f"backtrader {told['version']} live", told["stock_2"]
    yield Row(
        "tick_to_next", "milliseconds", eight["p50"], peer["p50"], f"{stock}, two feeds",
        rules=f"{rules}; eight feeds, all but one silent, p50", at_most=0.6, note=by_feeds,
        bars=eight["n"],
    )  # fmt: skip
    yield Row(
        "tick_to_next_p99", "milliseconds", eight["p99"], peer["p99"], f"{stock}, two feeds",
        rules=f"{rules}; eight feeds, all but one silent, p99", at_most=1.5, note=around(told),
        bars=eight["n"],
    )  # fmt: skip
    peer = told["stock_1"]
    yield Row(
        "tick_to_next_one", "milliseconds", one["p50"], peer["p50"], f"{stock}, one feed",
        rules=f"{rules}; one feed, p50", bars=one["n"],
        note=f"p99 {one['p99']:.2f} ms, the peer's {peer['p99']:.2f}",
    )  # fmt: skip


def _orders(told: Told) -> Iterator[Row]:
    close, journal = told["bar_close_to_order"], told["journal_of_close"]
    rules = (
        "wall, from the event in the inbox; SQLite journal, each intent synced before it is sent"
    )
    note = (
        f"first of eight {pair(told['bar_close_to_first_order'])}, last "
        f"{pair(told['bar_close_to_last_order'])}, of it the journal {pair(journal)}; "
        f"{around(told)}"
    )
    for name, share, most in (("", "p50", 3.0), ("_p99", "p99", 10.0)):
        yield Row(
            f"bar_close_to_order{name}", "milliseconds", close[share], at_most=most, note=note,
            rules=f"{rules}; eight instruments' bars end at once, each strategy sends a bracket, "
            f"guard with four rules, {share} of all orders", bars=close["n"],
        )  # fmt: skip
    stop, notice = told["fill_to_stop"], told["fill_to_notify"]
    yield Row(
        "fill_to_stop", "milliseconds", stop["p50"], at_most=5.0, bars=stop["n"],
        rules=f"{rules}; stop and target are kept by us and sent at the fill, p50",
        note=f"p99 {stop['p99']:.2f} ms, of it the journal {pair(told['journal_of_fill'])}; "
        f"{around(told)}",
    )  # fmt: skip
    yield Row(
        "fill_to_notify", "milliseconds", notice["p50"], at_most=1.0, bars=notice["n"],
        rules="wall, fill in the inbox to notify_order, brackets kept by the venue, p50",
        note=f"p99 {notice['p99']:.2f} ms; where stop and target are sent first "
        f"{pair(told['fill_to_notify_kept'])}",
    )  # fmt: skip


def _idle(told: Told) -> Iterator[Row]:
    yield Row(
        "idle_cpu", "percent", told["cpu_share_pct"], at_most=2.0,
        rules=f"CPU share of one core, {told['seconds']:.0f} s, a paper session of "
        f"{told['plans']} plans between two bars",
    )  # fmt: skip


def _bars(told: Told) -> Iterator[Row]:
    text = {
        "idle": "a strategy that trades nothing",
        "holding": "one position held throughout, its stop and target at work",
        "trading": "42 bracket trades per 1,000 bars",
    }
    for name, least in (("idle", 3000.0), ("holding", 1000.0), ("trading", None)):
        run = told[name]
        parts = ", ".join(f"{part} {took:g}" for part, took in run["us_by_part"].items())
        yield Row(
            f"session_bars_{name}", "bars_per_second", run["bars_per_second"], at_least=least,
            rules="CPU, a whole paper session replaying one-minute bars at full speed, journal, "
            f"paper account and guard with four rules; {text[name]}", bars=run["bars"],
            note=f"us a bar: {parts}; {run['us_per_event']:.0f} us an event; "
            f"{run['trades']} trades; load {told.get('load', '?')}",
        )  # fmt: skip


def _memory(told: Told) -> Iterator[Row]:
    yield Row(
        "session_memory", "megabytes", told["grown_mb"], at_most=10.0, bars=told["bars"],
        rules=f"resident memory after {told['days']} trading days of minute bars less that after "
        "the first, a paper session",
        note=f"{told['trades']} trades; {told['resident_mb']:.0f} MB in all",
    )  # fmt: skip


def _recovery(told: Told) -> Iterator[Row]:
    yield Row(
        "recovery_100k", "seconds", told["cpu_seconds"], ours_wall=told["seconds"],
        rules=f"CPU, from the start of a session to the end of its record of {told['events']:,} "
        "events, strategies stepped again",
        note=f"{told['us_per_event']:.0f} us an event, {told['trades']} trades",
    )  # fmt: skip


JOBS = (
    Job(
        "ticks", "ticks into bars",
        (Task("ticks_to_bars", "ticks into one-minute bars", "5,000,000 a second"),),
        {"ours": 5_000_000, "stock": 50_000}, {"ours": 1_000_000, "stock": 5_000, "repeats": 2},
        _ticks,
    ),
    Job(
        "tick_to_next", "from a bar's end to `next`",
        (
            Task("tick_to_next", "a bar's end to `next`, eight feeds, p50", "0.6 ms"),
            Task("tick_to_next_p99", "the same, p99", "1.5 ms"),
            Task("tick_to_next_one", "the same with one feed, p50"),
        ),
        {"ticks": 300}, {"ticks": 15, "stock_secs": 1.5}, _next,
    ),
    Job(
        "orders", "from closes and fills to orders",
        (
            Task("bar_close_to_order", "eight bars' end to eight brackets sent, p50", "3 ms"),
            Task("bar_close_to_order_p99", "the same, p99", "10 ms"),
            Task("fill_to_stop", "an entry's fill to its stop sent, p50", "5 ms"),
            Task("fill_to_notify", "a fill to notify_order, p50", "1 ms"),
        ),
        {"rounds": 200}, {"rounds": 12}, _orders,
    ),
    Job(
        "idle", "an idle session",
        (Task("idle_cpu", "eight silent feeds, share of a core", "2 %"),),
        {"seconds": 20}, {"seconds": 4}, _idle,
    ),
    Job(
        "session_bars", "paper sessions at full speed",
        (
            Task("session_bars_idle", "a paper session, flat", "3,000 bars/s"),
            Task("session_bars_holding", "a paper session in a position", "1,000 bars/s"),
            Task("session_bars_trading", "a paper session that trades all the time"),
        ),
        {"idle": 20_000, "holding": 10_000, "trading": 10_000},
        {"idle": 1_000, "holding": 600, "trading": 600, "profiled": 300}, _bars,
    ),
    Job(
        "memory", "a month in memory",
        (Task("session_memory", "growth over 20 trading days of minute bars", "10 MB"),),
        {"days": 20}, {"days": 2}, _memory,
    ),
    Job(
        "recovery", "a restart",
        (Task("recovery_100k", "a restart through 100,000 recorded events"),),
        {"events": 100_000}, {"events": 3_000}, _recovery,
    ),
)  # fmt: skip
TASKS = tuple(task for job in JOBS for task in job.tasks)
