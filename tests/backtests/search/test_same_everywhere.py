"""A sweep's results hang on its plan alone: not on workers, order, breaks or cluster.

Figures are compared bit for bit with those of one process that ran every set in order.
"""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

from backtests.resolve import resolve
from backtests.search import sweeping
from backtests.search.cluster import Cluster
from backtests.search.here import Here
from backtests.search.objective import METRICS
from backtests.search.parcel import pack
from backtests.search.pool import Pool, without_interrupts
from backtests.search.runners import make_runner
from backtests.search.space import make_space
from backtests.search.sweeping import Asked, Sweep, Watcher
from core.errors import ConfigError, TolaError

AXES = ["rr=1:3:0.05", "left=2,3,5", "max_shift_bars=6,12", "order_bars=5,10"]
FLAGS = {"params": ["risk_pct=2"], "report": False}
NO_KILL = pytest.mark.skipif(os.name == "nt", reason="kill -9 is POSIX's")


@pytest.fixture(scope="module")
def gold():
    """The plan's request, its runner, the grid, and what one process makes of it."""
    request = resolve(["gold"], FLAGS, "tola.toml")
    runner = make_runner(request, "compiled")
    space = make_space(AXES, request.plans[0].strategy)
    return request, runner, space, figures_of(Here(runner), space)


def never():
    return False


def figures_of(workers, table, on_first=lambda: None):
    """Return the figures of a table, each set run once; `on_first` is called amidst."""
    figures = np.full((len(table), len(METRICS)), np.nan)
    done = np.zeros(len(table), int)
    for number, (first, records) in enumerate(workers.run(table, never)):
        if number == 1:
            on_first()
        for place, record in enumerate(records, start=first):
            done[place] += 1
            assert record.figures is not None, record.fault
            figures[place] = [np.nan if v is None else v for v in record.figures]
    assert (done == 1).all()
    return figures


def same(found, wanted):
    return np.array_equal(found, wanted, equal_nan=True)


def test_the_grid_is_worth_comparing(gold):
    _, _, space, wanted = gold

    assert len(space) == 492
    assert len(np.unique(wanted[:, 0])) > 10
    assert len(np.unique(wanted[:, 1])) > 100


def test_order_does_not_matter(gold):
    _, runner, space, wanted = gold
    shuffled = np.random.default_rng(1).permutation(len(space))

    found = figures_of(Here(runner), [space[place] for place in shuffled])

    assert same(found, wanted[shuffled])


@NO_KILL
def test_two_processes_give_the_same_also_when_one_is_killed_amidst(gold):
    _, runner, space, wanted = gold
    pool = Pool(pack(runner, ""), 2)
    try:
        killed = pool.pids[0]
        found = figures_of(pool, space, lambda: os.kill(killed, signal.SIGKILL))
        again = figures_of(pool, space)
        survivors = pool.pids
    finally:
        pool.close()

    assert killed not in survivors and len(survivors) == 2
    assert same(found, wanted) and same(again, wanted)


@NO_KILL
def test_ctrl_c_is_heard_here_while_workers_start_and_never_by_them(gold):
    _, runner, space, wanted = gold
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append(time.monotonic()))
    try:
        with without_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            pool = Pool(pack(runner, ""), 2)
        workers = pool.pids
        found = figures_of(pool, space, lambda: [os.kill(pid, signal.SIGINT) for pid in workers])
    finally:
        pool.close()
        signal.signal(signal.SIGINT, before)

    assert len(heard) == 1
    assert same(found, wanted) and pool.pids == workers


@NO_KILL
def test_a_dask_cluster_gives_the_same_also_when_a_worker_is_killed_amidst(gold):
    _, runner, space, wanted = gold
    cluster = Cluster("local", 2).take(pack(runner, ""))
    try:
        pids = cluster._client.run(os.getpid)
        victim = pids[cluster.addresses[0]]
        found = figures_of(cluster, space, lambda: os.kill(victim, signal.SIGKILL))
    finally:
        cluster.close()

    assert same(found, wanted)


@NO_KILL
def test_a_cluster_whose_only_worker_is_killed_goes_on_when_it_is_back(gold):
    _, runner, space, wanted = gold
    cluster = Cluster("local", 1).take(pack(runner, ""))
    try:
        (victim,) = cluster._client.run(os.getpid).values()
        found = figures_of(cluster, space, lambda: os.kill(victim, signal.SIGKILL))
    finally:
        cluster.close()

    assert same(found, wanted)


class Interrupter(Watcher):
    """Sends Ctrl-C once so many sets were run."""

    def __init__(self, after):
        self.after = after

    def watch(self, table, run):
        if run >= self.after:
            self.after = len(METRICS) ** 9
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("grid", "more"),
    [(AXES, {}), (["rr=1:3", "left=2,3,5"], {"search": "tpe", "trials": 96})],
    ids=["grid", "tpe"],
)
def test_a_sweep_that_goes_on_after_a_break_ends_as_one_without(grid, more, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    request, runs = resolve(["gold"], FLAGS, "tola.toml"), tmp_path / "runs"

    whole = Sweep(request, Asked(grid, **more)).run(runs, Watcher(), [])
    broken = Sweep(request, Asked(grid, **more)).run(runs, Interrupter(40), [])
    gone_on = Sweep(request, Asked(grid, **more, resume=True)).run(runs, Watcher(), [])

    assert broken.summary["interrupted"] and not gone_on.summary["interrupted"]
    done, total = len(broken.results()), len(whole.results())
    assert 40 <= done < total
    assert broken.results() == whole.results()[:done]
    assert gone_on.path == broken.path and gone_on.results() == whole.results()
    assert gone_on.summary["combinations"]["run"] == total - done
    assert gone_on.summary["best"] == whole.summary["best"]


def test_a_study_of_another_strategy_or_of_other_prices_is_not_gone_on_with(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    Sweep(resolve(["gold"], FLAGS, "tola.toml"), Asked(["rr=1,2"])).run(runs, Watcher(), [])

    others = {
        "in its plan": resolve(["nifty"], FLAGS, "tola.toml"),
        "in its price data": resolve(["gold"], {**FLAGS, "from": "2024-06"}, "tola.toml"),
        "settings of the strategy": resolve(["gold"], {"params": ["risk_pct=1"]}, "tola.toml"),
    }
    for says, request in others.items():
        with pytest.raises(ConfigError, match=f"{says}.*leave --resume out"):
            Sweep(request, Asked(["rr=1,2"], resume=True)).run(runs, Watcher(), [])
    assert [path.name for path in runs.iterdir()] == ["0001"]


def test_a_cluster_that_is_not_there_or_runs_other_versions_is_one_clear_line(monkeypatch, gold):
    monkeypatch.setattr("backtests.search.cluster.PATIENCE_SECS", 1.0)
    with pytest.raises(ConfigError, match="expected tcp://HOST:PORT, or local"):
        Cluster("127.0.0.1:9", 1)
    with pytest.raises(ConfigError, match="Dask has no certificates"):
        Cluster("tls://127.0.0.1:9", 1)
    with pytest.raises(TolaError, match="no scheduler answers there; start one"):
        Cluster("tcp://127.0.0.1:9", 1)

    ours = sweeping.identity_of(gold[0], gold[1], "compiled")
    theirs = {**ours["libraries"], "Tola": ours["code"], "numba": "0.1"}
    monkeypatch.setattr(Cluster, "_ask_versions", lambda self: {"tcp://w:1": theirs})
    with pytest.raises(ConfigError, match=r"worker tcp://w:1 runs numba 0\.1, and here it is"):
        Cluster("local", 1)
