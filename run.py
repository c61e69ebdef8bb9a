#!/usr/bin/env python3
"""The command line and nothing else: parse, call, print. Every verb's work is in a package."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from core.environment import enter, leave

    enter(sys.argv)

from typing import Annotated, Any

import typer

from backtests.verbs.console import App, console, show
from backtests.verbs.data_verbs import data_app
from backtests.verbs.options import Config, Json, RunName, Timezone, examples, option
from live.verbs.hands_verbs import hands_app, order_app

app = App(
    help="Tola: one strategy, one result, on historical files, on paper, on a live account.\n\n"
    "Start here: python run.py backtest",
    epilog="Times are shown in the market's zone and stored in UTC. "
    "Exit codes: 0 done, 1 failed, 2 wrong usage. Each verb has its own --help.",
)
runs_app = App(help="List, show and compare finished runs.")
app.add_typer(data_app, name="data")
app.add_typer(runs_app, name="runs")
app.add_typer(order_app, name="order")
app.add_typer(hands_app)
_TYPERS_CTRL_C = 130
_RUN_NAMES = {"ignore_unknown_options": True}  # lets -1 be a run's name


@app.command(epilog=examples("setup --dev"))
def setup(
    dev: Annotated[bool, typer.Option("--dev", help="Also what tests and checks need.")] = False,
) -> None:
    """Install the locked versions into .venv; doing it again changes nothing."""
    from core import environment

    console.say(environment.setup("dev" if dev else "core"), "next: python run.py backtest")


@app.command(epilog=examples("init", "init --market gold --risk topstep_50k --currency USD"))
def init(
    market: Annotated[str | None, option("NAME", "gold, nifty or both.")] = None,
    risk: Annotated[str | None, option("PRESET", "Account rules, such as topstep_50k.")] = None,
    currency: Annotated[str | None, option("CODE", "Account currency: USD, INR, ...")] = None,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Ask three questions and write tola.toml and .env.example."""
    from backtests.verbs import commands

    asked = sys.stdin.isatty() and not as_json
    ask = (lambda text, default: typer.prompt(text, default=default)) if asked else None
    show(commands.init(config, market, risk, currency, ask), as_json)


@app.command(
    epilog=examples(
        "backtest",
        "backtest gold --data XAUUSD_M15.csv --from 2025-09",
        "backtest gold_smc --instrument XAUUSD --data gold.csv --with DXY=dxy.csv --set rr=3",
        "backtest nifty_smc --data nifty_1m.csv --tz Asia/Kolkata --timeframe 3m --band",
        "backtest --strategy my.py:Cross --instrument MGC --data gold.csv --risk gold_bot",
    )
)
def backtest(
    plans: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PLAN or STRATEGY]...", help="Of tola.toml, or bundled."),
    ] = None,
    strategy: Annotated[
        str | None, option("FILE.py:CLASS", "Your own Backtrader strategy, or a strategy's name.")
    ] = None,
    data: Annotated[
        list[str] | None, option("FILE", "Bars: CSV (plain, gz, zip) or Parquet.")
    ] = None,
    instrument: Annotated[str | None, option("SYMBOL", "MGC, XAUUSD, NIFTY-FUT, ...")] = None,
    timeframe: Annotated[str | None, option("TF", "5m, 15m, 1h: built from finer bars.")] = None,
    tz: Timezone = None,
    further: Annotated[
        list[str] | None, option("NAME=FILE", "A further series, such as DXY.", "--with")
    ] = None,
    start: Annotated[
        str | None, option("DATE", "First day: 2025, 2025-09, 2025-09-15.", "--from")
    ] = None,
    end: Annotated[str | None, option("DATE", "Last day, included.", "--to")] = None,
    cash: Annotated[float | None, option("AMOUNT", "Starting cash, account currency.")] = None,
    settings: Annotated[
        list[str] | None, option("KEY=VALUE", "A strategy parameter: rr=3.", "--set")
    ] = None,
    risk: Annotated[str | None, option("PRESET", "Risk rules: topstep_50k, gold_bot, ...")] = None,
    intrabar: Annotated[
        str | None, option("HOW", "Which extreme came first: worst, nearest, best, drill.")
    ] = None,
    fills: Annotated[
        str | None, option("RULES", "tola (default) or backtrader (its own fill rules).")
    ] = None,
    no_costs: Annotated[
        bool, typer.Option("--no-costs", help="No commission, charges, spread, slippage, swap.")
    ] = False,
    no_margin: Annotated[bool, typer.Option("--no-margin", help="No margin limit.")] = False,
    instrument_set: Annotated[
        list[str] | None, option("KEY=VALUE", "A fact of the instrument: lot=75.")
    ] = None,
    band: Annotated[
        bool, typer.Option("--band", help="Also run worst, nearest and best: net profit's range.")
    ] = False,
    out: Annotated[str | None, option("FOLDER", "Run folder; default: the next in runs/.")] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="No HTML and no plots.")] = False,
    check_mask: Annotated[
        bool, typer.Option("--check-mask", help="Test the strategies' entry masks; no run is kept.")
    ] = False,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Run strategies on historical bars; without arguments the bundled gold and Nifty plans."""
    from backtests.verbs import commands

    flags = {
        "strategy": strategy, "data": data, "instrument": instrument, "timeframe": timeframe,
        "tz": tz, "with": further, "from": start, "to": end, "cash": cash, "params": settings,
        "risk": risk, "intrabar": intrabar, "fills": fills, "instrument_set": instrument_set,
        "costs": False if no_costs else None, "margin": False if no_margin else None,
        "band": band or None, "report": False if no_report else None, "out": out,
    }  # fmt: skip
    progress = console.progress()
    if check_mask:
        from backtests.verbs.mask_commands import check_mask as check

        show(check(plans or [], flags, config, progress), as_json)
        return
    done = commands.backtest(plans or [], flags, config, progress, _draw_report, console.words)
    show(done, as_json)


@app.command(
    epilog=examples(
        "sweep gold --grid rr=1.5:3:0.25 --grid max_shift_bars=6,12,18",
        "sweep gold --grid rr=1:4 --grid disp_k=0.5:2 --grid left=2,3,5 --search tpe --trials 500",
        "sweep gold --grid rr=1:4:0.1 --grid order_bars --objective calmar --min-trades 100 "
        "--workers 2",
        "sweep gold --grid rr=1:4 --search nsga2 --objective net_profit --objective "
        "max_drawdown_pct",
        "sweep --strategy my.py:Cross --instrument MGC --data gold.csv --grid fast=5:20:5",
        "sweep gold --grid rr=1:4:0.1 --cluster tcp://192.168.1.5:8786",
    )
)
def sweep(
    plan: Annotated[
        str | None, typer.Argument(metavar="[PLAN or STRATEGY]", help="Of tola.toml, or bundled.")
    ] = None,
    grid: Annotated[
        list[str] | None,
        option("NAME=VALUES", "What to vary: rr=1:3:0.5, rr=1,2,3, rr=1:3 (range), rr (all)."),
    ] = None,
    trials: Annotated[
        int | None, option("N", "How many combinations; default: the grid, else 1000.")
    ] = None,
    search: Annotated[
        str | None, option("HOW", "grid, random, tpe (learns as it goes), nsga2 (trade-offs).")
    ] = None,
    objective: Annotated[
        list[str] | None,
        option("FIGURE", "What is best: sharpe (default), net_profit, calmar, ..."),
    ] = None,
    constraint: Annotated[
        list[str] | None, option("BOUND", 'What the best must meet: "trades>=30".')
    ] = None,
    min_trades: Annotated[int | None, option("N", "Short for trades>=N.")] = None,
    max_drawdown: Annotated[float | None, option("PCT", "Short for max_drawdown_pct<=PCT.")] = None,
    workers: Annotated[int | None, option("N", "Processes of this machine.")] = None,
    cluster: Annotated[
        str | None, option("ADDRESS", "A Dask scheduler (tcp://host:8786), or local.")
    ] = None,
    seed: Annotated[int | None, option("N", "Of what is chosen by chance; default 1.")] = None,
    engine: Annotated[
        str | None, option("ENGINE", "compiled (where it can be), or backtrader: the slow road.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the last sweep of this plan (or of --out).")
    ] = False,
    strategy: Annotated[
        str | None, option("FILE.py:CLASS", "Your own Backtrader strategy, or a strategy's name.")
    ] = None,
    data: Annotated[
        list[str] | None, option("FILE", "Bars: CSV (plain, gz, zip) or Parquet.")
    ] = None,
    instrument: Annotated[str | None, option("SYMBOL", "MGC, XAUUSD, NIFTY-FUT, ...")] = None,
    timeframe: Annotated[str | None, option("TF", "5m, 15m, 1h: built from finer bars.")] = None,
    tz: Timezone = None,
    further: Annotated[
        list[str] | None, option("NAME=FILE", "A further series, such as DXY.", "--with")
    ] = None,
    start: Annotated[
        str | None, option("DATE", "First day: 2025, 2025-09, 2025-09-15.", "--from")
    ] = None,
    end: Annotated[str | None, option("DATE", "Last day, included.", "--to")] = None,
    cash: Annotated[float | None, option("AMOUNT", "Starting cash, account currency.")] = None,
    settings: Annotated[
        list[str] | None, option("KEY=VALUE", "A parameter that stays the same: rr=3.", "--set")
    ] = None,
    risk: Annotated[str | None, option("PRESET", "Risk rules: topstep_50k, gold_bot, ...")] = None,
    intrabar: Annotated[
        str | None, option("HOW", "Which extreme came first: worst, nearest, best, drill.")
    ] = None,
    fills: Annotated[
        str | None, option("RULES", "tola (default) or backtrader (its own fill rules).")
    ] = None,
    no_costs: Annotated[
        bool, typer.Option("--no-costs", help="No commission, charges, spread, slippage, swap.")
    ] = False,
    no_margin: Annotated[bool, typer.Option("--no-margin", help="No margin limit.")] = False,
    instrument_set: Annotated[
        list[str] | None, option("KEY=VALUE", "A fact of the instrument: lot=75.")
    ] = None,
    out: Annotated[str | None, option("FOLDER", "Run folder; default: the next in runs/.")] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="No HTML and no plots.")] = False,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Search a plan's parameters, thousands of combinations, and keep every result.

    Compiled, a combination gives the same trades as its backtest. Ctrl-C keeps what is done;
    --resume goes on, also after a crash, with the same results as without a break. A plain
    Backtrader strategy is swept too, in worker processes: the slow road.
    """
    from backtests.verbs.sweep_commands import sweep as run_sweep

    flags = {
        "strategy": strategy, "data": data, "instrument": instrument, "timeframe": timeframe,
        "tz": tz, "with": further, "from": start, "to": end, "cash": cash, "params": settings,
        "risk": risk, "intrabar": intrabar, "fills": fills, "instrument_set": instrument_set,
        "costs": False if no_costs else None, "margin": False if no_margin else None,
        "report": False if no_report else None, "out": out,
    }  # fmt: skip
    asked = {
        "grid": grid or [], "trials": trials, "search": search, "objectives": objective or [],
        "constraints": constraint, "min_trades": min_trades, "max_drawdown": max_drawdown,
        "workers": workers, "cluster": cluster, "seed": seed, "engine": engine, "resume": resume,
    }  # fmt: skip
    done = run_sweep(
        [plan] if plan else [],
        flags,
        asked,
        config,
        _draw_study,
        console.words,
        quiet=console.quiet,
    )
    show(done, as_json)


@app.command(
    epilog=examples(
        "walkforward gold --grid rr=1:3:0.25 --grid left=2,3,5",
        "walkforward gold --grid rr=1:4:0.1 --windows 12 --anchored --min-trades 20 --workers 2",
        "walkforward gold --grid rr=1:4 --search tpe --trials 200 --train 120 --test 20",
        "walkforward gold --grid rr=1:3:0.25 --by-trades --train 100 --test 25",
    )
)
def walkforward(
    plan: Annotated[
        str | None, typer.Argument(metavar="[PLAN or STRATEGY]", help="Of tola.toml, or bundled.")
    ] = None,
    grid: Annotated[
        list[str] | None,
        option("NAME=VALUES", "What to vary: rr=1:3:0.5, rr=1,2,3, rr=1:3 (range), rr (all)."),
    ] = None,
    windows: Annotated[int | None, option("N", "How many; default 12.")] = None,
    train: Annotated[
        int | None, option("N", "Days chosen on; default 4 times those traded.")
    ] = None,
    test: Annotated[int | None, option("N", "Days traded in each window.")] = None,
    anchored: Annotated[
        bool, typer.Option("--anchored", help="Choose on all days before, not the last ones.")
    ] = False,
    by_trades: Annotated[
        bool, typer.Option("--by-trades", help="Count the plan's own trades instead of days.")
    ] = False,
    trials: Annotated[
        int | None, option("N", "Combinations in each window; default: the grid, else 1000.")
    ] = None,
    search: Annotated[str | None, option("HOW", "grid, random, tpe (learns as it goes).")] = None,
    objective: Annotated[
        str | None, option("FIGURE", "What is best: sharpe (default), net_profit, calmar, ...")
    ] = None,
    constraint: Annotated[
        list[str] | None, option("BOUND", 'What a choice must meet: "trades>=10".')
    ] = None,
    min_trades: Annotated[int | None, option("N", "Short for trades>=N.")] = None,
    max_drawdown: Annotated[float | None, option("PCT", "Short for max_drawdown_pct<=PCT.")] = None,
    workers: Annotated[int | None, option("N", "Processes of this machine.")] = None,
    seed: Annotated[int | None, option("N", "Of what is chosen by chance; default 1.")] = None,
    strategy: Annotated[
        str | None, option("FILE.py:CLASS", "Your own Backtrader strategy, or a strategy's name.")
    ] = None,
    data: Annotated[
        list[str] | None, option("FILE", "Bars: CSV (plain, gz, zip) or Parquet.")
    ] = None,
    instrument: Annotated[str | None, option("SYMBOL", "MGC, XAUUSD, NIFTY-FUT, ...")] = None,
    timeframe: Annotated[str | None, option("TF", "5m, 15m, 1h: built from finer bars.")] = None,
    tz: Timezone = None,
    further: Annotated[
        list[str] | None, option("NAME=FILE", "A further series, such as DXY.", "--with")
    ] = None,
    start: Annotated[
        str | None, option("DATE", "First day: 2025, 2025-09, 2025-09-15.", "--from")
    ] = None,
    end: Annotated[str | None, option("DATE", "Last day, included.", "--to")] = None,
    cash: Annotated[float | None, option("AMOUNT", "Starting cash, account currency.")] = None,
    settings: Annotated[
        list[str] | None, option("KEY=VALUE", "A parameter that stays the same: rr=3.", "--set")
    ] = None,
    risk: Annotated[str | None, option("PRESET", "Risk rules: topstep_50k, gold_bot, ...")] = None,
    intrabar: Annotated[
        str | None, option("HOW", "Which extreme came first: worst, nearest, best, drill.")
    ] = None,
    fills: Annotated[
        str | None, option("RULES", "tola (default) or backtrader (its own fill rules).")
    ] = None,
    no_costs: Annotated[
        bool, typer.Option("--no-costs", help="No commission, charges, spread, slippage, swap.")
    ] = False,
    no_margin: Annotated[bool, typer.Option("--no-margin", help="No margin limit.")] = False,
    instrument_set: Annotated[
        list[str] | None, option("KEY=VALUE", "A fact of the instrument: lot=75.")
    ] = None,
    out: Annotated[str | None, option("FOLDER", "Run folder; default: the next in runs/.")] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="No HTML and no plots.")] = False,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Choose parameters on past days, trade them on the days after, window by window.

    What is told is out of sample: no window was chosen by its own prices. Compiled strategies
    only; indicators know all earlier bars, the account begins each window flat.
    """
    from backtests.verbs.walkforward_commands import walkforward as walk

    flags = {
        "strategy": strategy, "data": data, "instrument": instrument, "timeframe": timeframe,
        "tz": tz, "with": further, "from": start, "to": end, "cash": cash, "params": settings,
        "risk": risk, "intrabar": intrabar, "fills": fills, "instrument_set": instrument_set,
        "costs": False if no_costs else None, "margin": False if no_margin else None,
        "report": False if no_report else None, "out": out,
    }  # fmt: skip
    asked = {
        "grid": grid or [], "trials": trials, "search": search, "objective": objective,
        "constraints": constraint, "min_trades": min_trades, "max_drawdown": max_drawdown,
        "workers": workers, "seed": seed,
    }  # fmt: skip
    cut = {"windows": windows, "train": train, "test": test, "anchored": anchored,
           "by_trades": by_trades}  # fmt: skip
    done = walk([plan] if plan else [], flags, asked, cut, config, console.progress(), _draw_study)
    show(done, as_json)


@app.command(
    epilog=examples(
        "audit gold",
        "audit gold_smc --instrument XAUUSD --data gold.csv --from 2025-01",
        "audit --strategy my.py:Cross --instrument MGC --data gold.csv --json",
        "audit gold --cuts 40 --seed 7",
    )
)
def audit(
    plan: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PLAN or STRATEGY]", help="Of tola.toml, or bundled."),
    ] = None,
    strategy: Annotated[
        str | None, option("FILE.py:CLASS", "Your own Backtrader strategy, or a strategy's name.")
    ] = None,
    data: Annotated[
        list[str] | None, option("FILE", "Bars: CSV (plain, gz, zip) or Parquet.")
    ] = None,
    instrument: Annotated[str | None, option("SYMBOL", "MGC, XAUUSD, NIFTY-FUT, ...")] = None,
    timeframe: Annotated[str | None, option("TF", "5m, 15m, 1h: built from finer bars.")] = None,
    tz: Timezone = None,
    further: Annotated[
        list[str] | None, option("NAME=FILE", "A further series, such as DXY.", "--with")
    ] = None,
    start: Annotated[
        str | None, option("DATE", "First day: 2025, 2025-09, 2025-09-15.", "--from")
    ] = None,
    end: Annotated[str | None, option("DATE", "Last day, included.", "--to")] = None,
    settings: Annotated[
        list[str] | None, option("KEY=VALUE", "A strategy parameter: rr=3.", "--set")
    ] = None,
    risk: Annotated[str | None, option("PRESET", "Risk rules: topstep_50k, gold_bot, ...")] = None,
    cuts: Annotated[int, option("N", "How many files cut short are run.")] = 12,
    seed: Annotated[int, option("N", "Of where they end and later starts begin.")] = 0,
    no_report: Annotated[bool, typer.Option("--no-report", help="No HTML and no plots.")] = False,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Look for look-ahead: does a strategy know at a bar what only later bars tell?

    It is run as a backtest runs it, then with its bars one by one (at each it has that prefix and
    nothing else), on files cut short, with every decision a bar late, and begun later. What it
    read and asked for must be the same; the first bar and the line of source are named where it
    is not. Exit code 0 if nothing is found, else 1. The result lies in runs/audit-PLAN.
    """
    from backtests.verbs.audit_commands import audit as run_audit

    flags = {
        "strategy": strategy, "data": data, "instrument": instrument, "timeframe": timeframe,
        "tz": tz, "with": further, "from": start, "to": end, "params": settings, "risk": risk,
        "report": False if no_report else None,
    }  # fmt: skip
    done = run_audit(
        plan or [], flags, config, console.progress(), _draw_study, console.words,
        cuts=cuts, seed=seed,
    )  # fmt: skip
    show(done, as_json)


@app.command(
    context_settings=_RUN_NAMES,
    epilog=examples(
        "odds",
        "odds 12 --days 60 --preset topstep_50k",
        "odds gold --ruin 30 --paths 50000 --seed 7",
        "odds --strategy my.py:Cross --instrument MGC --data gold.csv --perturb 0",
    ),
)
def odds(
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN or PLAN]", help="A run, or a plan to run; default: last."),
    ] = None,
    paths: Annotated[int, option("N", "How many paths are drawn.")] = 10_000,
    days: Annotated[int, option("N", "Trading days of each.")] = 250,
    preset: Annotated[
        list[str] | None, option("PRESET", "Account rules to test; default: all in the currency.")
    ] = None,
    ruin: Annotated[float, option("PCT", "What part of the cash is ruin when lost.")] = 20.0,
    block: Annotated[
        float | None, option("DAYS", "Mean length of blocks of days; default: from the data.")
    ] = None,
    perturb: Annotated[int, option("N", "Runs on perturbed prices, compiled; 0: none.")] = 100,
    seed: Annotated[int, option("N", "Of all that is drawn by chance.")] = 0,
    plan: Annotated[str | None, option("PLAN", "Which plan of a run of several.")] = None,
    strategy: Annotated[
        str | None, option("FILE.py:CLASS", "Your own Backtrader strategy, or a strategy's name.")
    ] = None,
    data: Annotated[
        list[str] | None, option("FILE", "Bars: CSV (plain, gz, zip) or Parquet.")
    ] = None,
    instrument: Annotated[str | None, option("SYMBOL", "MGC, XAUUSD, NIFTY-FUT, ...")] = None,
    timeframe: Annotated[str | None, option("TF", "5m, 15m, 1h: built from finer bars.")] = None,
    tz: Timezone = None,
    further: Annotated[
        list[str] | None, option("NAME=FILE", "A further series, such as DXY.", "--with")
    ] = None,
    start: Annotated[
        str | None, option("DATE", "First day: 2025, 2025-09, 2025-09-15.", "--from")
    ] = None,
    end: Annotated[str | None, option("DATE", "Last day, included.", "--to")] = None,
    cash: Annotated[float | None, option("AMOUNT", "Starting cash, account currency.")] = None,
    settings: Annotated[
        list[str] | None, option("KEY=VALUE", "A strategy parameter: rr=3.", "--set")
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="No HTML and no plots.")] = False,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Draw other courses from a run's trades: ruin, drawdown, and tests of account rules.

    Trading days are drawn in blocks, trades put in other orders, fills missed, costs and slippage
    raised, prices moved. Each path is played under the guard's own arithmetic, so passing or
    failing a preset is what the guard would have said. Each probability has an interval: what
    other histories of this length might have told. The same seed gives the same odds.
    """
    from backtests.verbs.odds_commands import odds as run_odds

    flags = {
        "strategy": strategy, "data": data, "instrument": instrument, "timeframe": timeframe,
        "tz": tz, "with": further, "from": start, "to": end, "cash": cash, "params": settings,
    }  # fmt: skip
    asked = {
        "paths": paths, "horizon": days, "seed": seed, "ruin_pct": ruin, "block": block,
        "perturbed": perturb, "presets": preset or [], "plan": plan,
    }  # fmt: skip
    draw = None if no_report else _draw_study
    show(run_odds(what or [], flags, asked, config, console.progress(), draw), as_json)


@app.command(
    epilog=examples(
        "live",
        "live gold --speed 60 --for 2m",
        "live nifty --venue kite --sandbox --account sandbox",
        "live gold_smc --data XAUUSD_M15.csv --instrument XAUUSD --speed max --at-end keep",
        "live --strategy my.py:Cross --instrument MGC --data gold.csv --risk gold_bot",
    )
)
def live(
    plans: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PLAN or STRATEGY]...", help="Of tola.toml, or bundled."),
    ] = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="Paper fills, also for an account at a venue.")
    ] = False,
    account: Annotated[
        str | None, option("NAME", "An account of tola.toml, or a paper account's folder.")
    ] = None,
    confirm: Annotated[
        str | None, option("SUFFIX", "A real account's last 4 characters, instead of typing them.")
    ] = None,
    venue: Annotated[
        str | None, option("VENUE", "Follow a venue's prices (kite); fills stay on paper.")
    ] = None,
    sandbox: Annotated[
        bool,
        typer.Option("--sandbox", help="A local server speaks the venue's wire; no network."),
    ] = False,
    speed: Annotated[
        str | None, option("N", "Times faster than the clock; max: without waiting.")
    ] = None,
    lasts: Annotated[
        str | None, option("TIME", "How long it may run: 90s, 2m, 1h.", "--for")
    ] = None,
    at_end: Annotated[
        str | None, option("WHAT", "keep or flatten what is open at the end.")
    ] = None,
    history_bars: Annotated[
        int | None, option("N", "Bars of history before the first live one.")
    ] = None,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Accept what the venue holds where we differ.")
    ] = False,
    flatten: Annotated[
        bool, typer.Option("--flatten", help="Close at the venue what is not ours.")
    ] = False,
    strategy: Annotated[
        str | None, option("FILE.py:CLASS", "Your own Backtrader strategy, or a strategy's name.")
    ] = None,
    data: Annotated[
        list[str] | None, option("FILE", "Prices to play: CSV (plain, gz, zip) or Parquet.")
    ] = None,
    instrument: Annotated[str | None, option("SYMBOL", "MGC, XAUUSD, NIFTY-FUT, ...")] = None,
    timeframe: Annotated[str | None, option("TF", "5m, 15m, 1h: built from finer bars.")] = None,
    tz: Timezone = None,
    further: Annotated[
        list[str] | None, option("NAME=FILE", "A further series, such as DXY.", "--with")
    ] = None,
    start: Annotated[
        str | None, option("DATE", "First day: 2025, 2025-09, 2025-09-15.", "--from")
    ] = None,
    end: Annotated[str | None, option("DATE", "Last day, included.", "--to")] = None,
    cash: Annotated[float | None, option("AMOUNT", "Starting cash, account currency.")] = None,
    settings: Annotated[
        list[str] | None, option("KEY=VALUE", "A strategy parameter: rr=3.", "--set")
    ] = None,
    risk: Annotated[str | None, option("PRESET", "Risk rules: topstep_50k, gold_bot, ...")] = None,
    no_costs: Annotated[
        bool, typer.Option("--no-costs", help="No commission, charges, spread, slippage, swap.")
    ] = False,
    no_margin: Annotated[bool, typer.Option("--no-margin", help="No margin limit.")] = False,
    instrument_set: Annotated[
        list[str] | None, option("KEY=VALUE", "A fact of the instrument: lot=75.")
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="No HTML and no plots.")] = False,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Run strategies on a moving market without risk: paper fills on replayed prices.

    With --account NAME, where tola.toml puts NAME at a venue, it is for real: only with
    PAPER_TRADING=False in the environment and the account's last 4 characters typed.

    Ctrl-C ends it in order: no further entry, positions closed (--at-end keep leaves them),
    journal written, report drawn. Started again after a crash it goes on where it was. Where the
    venue's books differ from ours it says so and takes no entry: --adopt or --flatten then.
    """
    from live.verbs.live_command import live as run_live

    flags = {
        "strategy": strategy, "data": data, "instrument": instrument, "timeframe": timeframe,
        "tz": tz, "with": further, "from": start, "to": end, "cash": cash, "params": settings,
        "risk": risk, "instrument_set": instrument_set, "speed": speed, "at_end": at_end,
        "history_bars": history_bars, "costs": False if no_costs else None,
        "margin": False if no_margin else None, "report": False if no_report else None,
    }  # fmt: skip
    ask = typer.prompt if sys.stdin.isatty() and not as_json else None
    done = run_live(
        plans or [], flags, config, _draw_report, account=account, paper=paper, confirm=confirm,
        ask=ask, lasts=lasts, venue=venue, open_sandbox=_open_sandbox if sandbox else None,
        quiet=console.quiet, adopt=adopt, flatten=flatten,
    )  # fmt: skip
    show(done, as_json)


@app.command(epilog=examples("ready gold", "ready gold --paper-days 10 --json"))
def ready(
    plan: Annotated[
        list[str] | None, typer.Argument(metavar="[PLAN]", help="Of tola.toml, or bundled.")
    ] = None,
    paper_days: Annotated[int, option("N", "Verified trading days on paper asked for.")] = 5,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Say whether a plan may go to a real account: pass or fail, with the reason of each check.

    Asked for: an audit of this plan, data and code that found nothing; a walk-forward that earned
    out of sample; days on paper, in their own time and verified; slippage within what is assumed;
    a limit on the day's loss; a login that lives. Exit code 0 only if all hold.
    """
    from live.verbs.ready_command import ready as run_ready

    show(run_ready(plan or [], {}, config, paper_days), as_json)


@app.command(context_settings=_RUN_NAMES, epilog=examples("verify last", "verify 12 --json"))
def verify(run: RunName = "last", as_json: Json = False) -> None:
    """Prove a session: what it consumed, fed to the backtest, gives what it did.

    Bars are built again from the recorded ticks, orders and fills made again; exit code 0 only if
    all are identical, else the first differing bar is named.
    """
    from live.verbs.verify_command import verify as run_verify

    show(run_verify(run), as_json)


def _open_sandbox(*given: Any, **more: Any) -> Any:
    """Start a sandbox for a session; only run.py may join the two."""
    from sandbox.for_session import open_for_session

    return open_for_session(*given, **more)


def _draw_report(folder: Any) -> dict[str, Any]:
    """Hand a run folder to reports; only run.py may join the two."""
    import reports

    page, plots = reports.write_report(folder), reports.write_plots(folder)
    return {"report": page.as_posix(), "plots": [plot.as_posix() for plot in plots]}


def _draw_study(*given: Any) -> Any:
    """Hand a study to reports; only run.py may join the two."""
    from reports.study import write_study

    return write_study(*given)


@app.command(context_settings=_RUN_NAMES, epilog=examples("report last"))
def report(run: RunName = "last", as_json: Json = False) -> None:
    """Draw a run's HTML report and plots again."""
    from backtests.verbs import commands

    show(commands.report(run, _draw_report, _draw_study), as_json)


@app.command(
    context_settings=_RUN_NAMES,
    epilog=examples(
        "why", "why last 2025-09-15", 'why last "2025-09-15 09:35"', "why 12 09:35 --plan gold"
    ),
)
def why(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN] [TIME]", help="TIME in the market's zone: a bar or a day."),
    ] = None,
    plan: Annotated[str | None, option("PLAN", "Which plan of a run of several.")] = None,
    as_json: Json = False,
) -> None:
    """Explain one bar of a run: levels, zones, setup, filters, and what stopped an entry.

    Without TIME: where most ideas were lost, and the last refused setup. A date alone lists the
    bars of that trading day with what stopped each.
    """
    from backtests.why.explain import why

    show(why(words or [], plan), as_json)


@runs_app.command("list", epilog=examples("runs list", "runs list --sort net --last 20"))
def runs_list(
    sort: Annotated[
        str, option("BY", "run, made, trades, net, drawdown or mean; the best stands last.")
    ] = "run",
    last: Annotated[int | None, option("N", "Only the last N of them.")] = None,
    as_json: Json = False,
) -> None:
    """List the finished runs with their key figures, newest last."""
    from backtests.verbs import runs_commands

    show(runs_commands.runs_list(sort, last), as_json)


@runs_app.command("show", context_settings=_RUN_NAMES, epilog=examples("runs show -1"))
def runs_show(run: RunName = "last", as_json: Json = False) -> None:
    """Show one run's summary again."""
    from backtests.verbs import commands

    show(commands.runs_show(run), as_json)


@app.command(
    epilog=examples(
        "export trades",
        "export trades --run 12 --from 2025-04 --to 2026-03",
        "export all --format xlsx --out ~/journal.xlsx",
        "export fills orders --run last --format parquet --out exports/",
    ),
)
def export(
    tables: Annotated[
        list[str], typer.Argument(metavar="TABLE...", help="trades, fills, orders, equity, or all.")
    ],
    run: Annotated[str, option("RUN", "last, -1, a number or its beginning.")] = "last",
    start: Annotated[
        str | None, option("DATE", "First trading date: 2025, 2025-09, 2025-09-15.", "--from")
    ] = None,
    end: Annotated[str | None, option("DATE", "Last trading date, included.", "--to")] = None,
    kind: Annotated[
        str | None, option("FORMAT", "csv (default), xlsx or parquet.", "--format")
    ] = None,
    out: Annotated[
        str | None, option("FILE", "File, or folder that exists; default: export/ in the run.")
    ] = None,
    fy: Annotated[
        str | None,
        option("YEAR", "india (April to March) or calendar; default: by account currency."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a run's trades, fills, orders or equity as a file for tax or journal.

    Trades are taken by the trading date of their exit, all else by that of its own time.
    """
    from backtests.export.command import export_command

    flags = {"from": start, "to": end, "format": kind, "out": out, "fy": fy}
    show(export_command(tables, run, flags), as_json)


@runs_app.command(
    "compare",
    context_settings=_RUN_NAMES,
    epilog=examples("runs compare -2 -1", "runs compare 3 7 9 --fx USDINR=83.5"),
)
def runs_compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="The first is the base.")],
    fx: Annotated[
        list[str] | None, option("PAIR=RATE", "Where accounts are in different currencies.")
    ] = None,
    out: Annotated[
        str | None, option("FOLDER", "Of the page and picture; default: runs/compare-RUN-RUN.")
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="No page, no picture.")] = False,
    as_json: Json = False,
) -> None:
    """Compare runs: settings that differ, key figures, trades one by one, overlaid equity."""
    from backtests.verbs import runs_commands

    draw = None if no_report else _draw_comparison
    show(runs_commands.runs_compare(runs, fx or [], out, draw), as_json)


def _draw_comparison(*given: Any) -> dict[str, str]:
    from reports.compare import write_comparison

    return write_comparison(*given)


@app.command(epilog=examples("strategies", "strategies gold_smc"))
def strategies(
    name: Annotated[str | None, typer.Argument(help="One strategy: its parameters.")] = None,
    as_json: Json = False,
) -> None:
    """List the strategies, or one strategy's parameters with defaults and bounds."""
    from backtests.verbs import commands

    show(commands.strategies(name), as_json)


@app.command(epilog=examples("completion bash", "completion powershell"))
def completion(
    context: typer.Context,
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh, fish or powershell.")],
    words: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    as_json: Json = False,
) -> None:
    """Print the script by which a shell completes command lines; its end says how to install it."""
    from backtests.verbs.completion import completion

    show(completion(shell, words or [], context.find_root().command), as_json)


@app.command(
    epilog=examples(
        "sandbox kite",
        "sandbox kite --replay nifty50_1m.csv --speed 60 --faults plan.toml --seed 7",
        "sandbox kite --generate NIFTY-FUT --from 2024-09-02 --to 2024-09-30 --lock-step",
        "sandbox kite --replay nifty50_1m.csv --from 2024-09-16 --port 8200 --ledger box.sqlite",
    )
)
def sandbox(
    venue: Annotated[str, typer.Argument(metavar="VENUE", help="Whose wire it speaks: kite.")],
    replay: Annotated[
        list[str] | None, option("FILE", "Bars to replay; default: the bundled Nifty future.")
    ] = None,
    instrument: Annotated[
        str | None, option("SYMBOL", "Whose bars the files hold, where no name tells.")
    ] = None,
    generate: Annotated[
        list[str] | None, option("SYMBOL", "Made-up prices instead: NIFTY-FUT, GOLDM.")
    ] = None,
    start: Annotated[
        str | None, option("DATE", "First day told; what is before is history.", "--from")
    ] = None,
    end: Annotated[str | None, option("DATE", "Last day, included.", "--to")] = None,
    ticks: Annotated[
        str, option("MODEL", "path: prices walk from one to the next; trades: they jump.")
    ] = "path",
    speed: Annotated[float | None, option("N", "Market seconds a second; default 1.")] = None,
    lock_step: Annotated[
        bool, typer.Option("--lock-step", help="Go on as the sessions come to rest.")
    ] = False,
    step_timeout: Annotated[
        float, option("SECS", "Longest wait for a session in lock-step.")
    ] = 30.0,
    faults: Annotated[str | None, option("FILE", "What goes wrong: a plan in TOML.")] = None,
    seed: Annotated[int | None, option("N", "Of chances, tokens, made-up prices.")] = None,
    port: Annotated[int, option("PORT", "Where it listens; 0: a free one.")] = 0,
    host: Annotated[str, option("ADDRESS", "On which address.")] = "127.0.0.1",
    ledger: Annotated[str | None, option("FILE", "A new SQLite file for its own books.")] = None,
    cash: Annotated[float | None, option("AMOUNT", "The account's money.")] = None,
    as_json: Json = False,
) -> None:
    """Run a local server that speaks a venue's own wire, for the venue's genuine SDK.

    It fills orders on replayed or made-up prices; no order can leave this machine. It ends with
    its prices or on Ctrl-C (docs/sandbox.md).
    """
    from backtests.verbs.outcome import Outcome
    from feeds.loading import load
    from sandbox.verb import Wanted, serve

    wanted = Wanted(
        venue, replay or [], instrument, generate or [], start, end, ticks, speed,
        lock_step, step_timeout, faults, seed, port, host, ledger, cash,
    )  # fmt: skip
    tell = (lambda *lines: typer.echo("\n".join(lines), err=True)) if as_json else console.say
    document, lines = serve(wanted, lambda file, symbol: load(file, symbol=symbol), tell)
    show(Outcome(document, lines, "python run.py live nifty"), as_json)


@app.command(epilog=examples("login kite", "login kite --check", "login kite --paste"))
def login(
    venue: Annotated[str, typer.Argument(metavar="VENUE", help="kite, ...")],
    account: Annotated[str | None, option("NAME", "Of several accounts at the venue.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only ask whether the kept login lives; exit 1 if not.")
    ] = False,
    paste: Annotated[
        bool, typer.Option("--paste", help="Paste the address the browser ended on.")
    ] = False,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Log in to a venue in the browser and keep the token, for its owner's eyes alone."""
    from live.verbs.venue_commands import login as log_in

    ask = typer.prompt if sys.stdin.isatty() else None

    def say(line: str) -> None:
        typer.echo(line, err=True)

    show(log_in(venue, account, config, check=check, paste=paste, say=say, ask=ask), as_json)


@app.command(epilog=examples("doctor", "doctor kite"))
def doctor(
    venue: Annotated[
        str | None, typer.Argument(metavar="[VENUE]", help="What trading there needs.")
    ] = None,
    account: Annotated[str | None, option("NAME", "Of several accounts at the venue.")] = None,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Check the installation: versions, cache, calendars, settings, disk; or a venue's access."""
    if venue is not None:
        from live.verbs.venue_commands import examine_venue

        show(examine_venue(venue, account, config), as_json)
        return
    from backtests.verbs import commands

    show(commands.doctor(config), as_json)


def main(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    words = console.open(arguments)
    with console.results_alone():
        try:
            if words == ["--version"]:
                from core.environment import version

                console.say(f"Tola {version()}")
                return 0
            code = app(words, prog_name="run.py", standalone_mode=False)
            if code == _TYPERS_CTRL_C:
                raise KeyboardInterrupt
            return code if isinstance(code, int) else 0
        except (Exception, KeyboardInterrupt) as error:
            return console.explain(error)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
