"""Kite through its SDK: thousands of instruments, a tick to an order, a burst under the limits.

The venue is the sandbox, in a process of its own on the same clock.
"""

from __future__ import annotations

from collections.abc import Iterator

from backtests.bench import Row, Task
from backtests.bench.jobs import Job, Told, around, measure_jobs, pair
from backtests.bench.session import Session


def measure(session: Session, wanted: frozenset[str]) -> Iterator[Row]:
    """Yield the wanted rows, job by job."""
    yield from measure_jobs(JOBS, session, wanted)


def _crowd(told: Told) -> Iterator[Row]:
    count, load = told["count"], told.get("load", "?")
    core = "pinned to one core" if told["one_core"] else "not pinned to a core"
    path = (
        "the SDK's binary WebSocket, KiteStore, inbox, a minute bar built of each instrument; "
        f"client {core}, sandbox in another process"
    )
    age = f"from when a round of packets was due to its last tick in its bar {pair(told['age'])}"
    yield Row(
        "kite_full_3000", "percent", told["cpu_share_pct"], at_most=100.0, bars=count,
        rules=f"CPU share of one core, {count:,} instruments in full mode, each one tick a second "
        f"for {told['seconds']:.0f} s: {path}; no tick lost",
        note=f"{age}; {told['bars']:,} bars; load {load}",
    )  # fmt: skip
    yield Row(
        "kite_full_3000_memory", "megabytes", told["grown_mb"], at_most=5.0, bars=count,
        rules="resident memory of the client after that time less that before",
        note=f"{told['resident_mb']:.0f} MB in all",
    )  # fmt: skip
    tried = "; ".join(f"{int(rate):,}/s: {pair(ages)}" for rate, ages in told["tried"].items())
    yield Row(
        "kite_full_3000_rate", "ticks_per_second", told["highest"], at_least=3000.0, bars=count,
        rules="highest rate at which ages stay bounded, the median of the second half of "
        f"{told['rate_secs']:.0f} s within {told['held_ms']:.0f} ms: {path}",
        note=f"{told['ticks_a_cpu_second']:,.0f} ticks a second of CPU; ages p50 / p99 at {tried}; "
        f"load {load}",
    )  # fmt: skip


def _orders(told: Told) -> Iterator[Row]:
    taken = told["tick_to_order"]
    for name, share, most in (("", "p50", 5.0), ("_p99", "p99", 20.0)):
        yield Row(
            f"kite_tick_to_order{name}", "milliseconds", taken[share], at_most=most,
            bars=taken["n"],
            rules="wall, from the packet that ends a bar leaving the sandbox's socket to the order "
            f"request at its door, {share}: a whole session, orders to the venue through the SDK, "
            "guard with four rules, journal synced before the order is sent",
            note=f"highest {taken['max']:.1f} ms; {around(told)}",
        )  # fmt: skip


def _burst(told: Told) -> Iterator[Row]:
    highest = told["highest"]
    used = ", ".join(f"{name}: {highest.get(name, 0)}" for name in told["limits"])
    faults = []
    if told["refused"] or any(highest.get(name, 0) > most for name, most in told["limits"].items()):
        faults.append(f"above the venue's limits: {used}; {told['refused']} refused")
    if told["not_accepted"]:
        faults.append(f"{told['not_accepted']} requests about orders were not accepted")
    if not told["overtaken"]:
        faults.append("orders waited for history")
    yield Row(
        "kite_burst_500", "seconds", told["seconds"], bars=told["calls"], failed="; ".join(faults),
        rules=f"wall, {told['calls']} calls asked for at once, history first: orders placed, "
        "changed and cancelled, past bars, quotes, snapshots; no more than the venue's limits as "
        "the sandbox counts them",
        note=f"most within its window of {used}; {told['overtaken']} of {told['histories']} pages "
        f"of history came after the last order; {told['requests']} requests in all; "
        f"load {told.get('load', '?')}",
    )  # fmt: skip


JOBS = (
    Job(
        "kite_crowd", "Kite: thousands of instruments",
        (
            Task("kite_full_3000", "3,000 instruments, a tick a second each", "one core"),
            Task("kite_full_3000_memory", "growth meanwhile", "5 MB"),
            Task("kite_full_3000_rate", "the highest rate held", "3,000 ticks/s"),
        ),
        {"seconds": 120}, {"seconds": 8, "rates": [2, 10, 20], "rate_secs": 3}, _crowd,
    ),
    Job(
        "kite_orders", "Kite: from a tick to an order",
        (
            Task("kite_tick_to_order", "a tick to the order request at the venue, p50", "5 ms"),
            Task("kite_tick_to_order_p99", "the same, p99", "20 ms"),
        ),
        {"rounds": 200}, {"rounds": 10}, _orders,
    ),
    Job(
        "kite_burst", "Kite: a burst of calls",
        (Task("kite_burst_500", "500 mixed calls at once, under the venue's limits"),),
        {}, {"orders": 10, "histories": 15, "quotes": 4, "snapshots": 2}, _burst,
    ),
)  # fmt: skip
TASKS = tuple(task for job in JOBS for task in job.tasks)
