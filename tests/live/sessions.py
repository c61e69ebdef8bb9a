"""Sessions for tests: a plan over a file, run in this process or in one that is killed."""

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from backtests import runner
from backtests.resolve import resolve
from backtests.verbs.progress import Progress
from live.account_folder import AccountFolder
from live.build import SessionTerms
from live.session import Session, SessionRequest

KILLED = 9
ROOT = Path(__file__).resolve().parents[2]


def flags_of(real_data, market, **more):
    """Return a plan's flags over real prices: `gold` is 5m with the dollar, `nifty` 5m over 1m."""
    if market == "gold":
        flags = {"instrument": "XAUUSD", "timeframe": "5m",
                 "data": [f"{real_data}/xauusd_5m.csv.gz"],
                 "with": [f"DXY={real_data}/dxy_1h.csv.gz"]}  # fmt: skip
    else:
        flags = {"instrument": "NIFTY-FUT", "timeframe": "5m", "instrument_set": ["lot=75"],
                 "data": [f"{real_data}/nifty50_1m.csv.gz"]}  # fmt: skip
    return flags | more


def request_of(strategy, flags, folder, name="test", terms=None, **given):
    """Return a session's request; the settings file is none, the account's folder is `folder`."""
    whole = resolve([strategy], flags, "tola.toml")
    (account,) = whole.accounts
    loaded = runner.load_account(account, whole)
    flats = [runner.flats_of(plan.request, account) for plan in loaded]
    document = {"names": [strategy], "flags": flags, "config": "tola.toml",
                "settings": whole.origins}  # fmt: skip
    return SessionRequest(
        account, loaded, flats, terms or SessionTerms(), AccountFolder(name, Path(folder)),
        document=document, **given,
    )  # fmt: skip


def backtest_of(request, intrabar=None):
    """Run the same plans as a backtest, inside each bar by the path a replay tells."""
    account = request.account
    (plan,) = request.loaded
    wanted = "nearest" if plan.series.lower is None else "drill"
    settings = replace(
        resolve([], {}, "tola.toml").settings, intrabar=intrabar or wanted
    )  # fmt: skip
    silent = Progress(io.StringIO(), wanted=False)
    return runner.run_account(account, list(request.loaded), settings, intrabar or wanted, silent)


def trades_of(broker):
    """Return the trades of a broker's ledger as rows, without what a replay cannot share."""
    rows = []
    for trade in broker.ledger.trades:
        row = trade.row()
        for name in ("entry_time", "exit_time", "ambiguous"):
            del row[name]
        rows.append(row)
    return rows


def ending_when(session, holds):
    """Return a session that ends by command, wherever the clock stands, once something holds.

    It is looked for between events: what held then still holds when the session has ended.
    """
    look, has_held = session._housekeep, []

    def housekeep():
        if not has_held and holds(session):
            has_held.append(True)
            session._next_look = 0.0
            session.command("stop", {"reason": "enough"})
        look()

    session._housekeep = housekeep
    return session


def run_killed(strategy, flags, folder, kills, terms=None):
    """Run a session in processes that are killed at the given cycles; return what the last left.

    Each number is the cycle of the engine at which that process dies as by `kill -9`.
    """
    task = {"strategy": strategy, "flags": flags, "folder": str(folder), "terms": terms or {}}
    for kill_at in [*kills, 0]:
        text = json.dumps({**task, "kill_at": kill_at})
        done = subprocess.run(
            [sys.executable, "-m", "tests.live.sessions", text],
            capture_output=True, text=True, cwd=ROOT, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            return json.loads((Path(folder) / "result.json").read_text())
        assert done.returncode == KILLED, done.stderr[-4000:]
    raise AssertionError("the last process was killed too")


def _child(task):
    terms = SessionTerms(**task["terms"])
    session = Session(request_of(task["strategy"], task["flags"], task["folder"], terms=terms))
    look, cycles = session._housekeep, [0]

    def die_in_time():
        cycles[0] += 1
        if task["kill_at"] and cycles[0] >= task["kill_at"]:
            os._exit(KILLED)
        look()

    session._housekeep = die_in_time
    result = session.run()
    if result.failure is not None:
        raise result.failure
    broker = result.built.broker
    left = {"trades": trades_of(broker), "equity": broker.getvalue(), "missed": result.missed,
            "events": 0 if result.recovered is None else result.recovered.events}  # fmt: skip
    (Path(task["folder"]) / "result.json").write_text(json.dumps(left))


if __name__ == "__main__":
    _child(json.loads(sys.argv[1]))
