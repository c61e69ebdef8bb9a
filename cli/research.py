"""What is asked of history: `backtest`, `sweep`, `walkforward`, `audit`, `odds`."""

from __future__ import annotations

from typing import Annotated

import typer

from backtests.verbs.console import App, console, show
from cli.joints import draw_report, draw_study
from cli.options import RUN_NAMES, Config, Json, NoReport, Plans, examples, option, switch
from cli.plan_options import (
    BAND,
    CASH,
    FILLS,
    FIXED,
    OUT,
    PARAMS,
    PRICES,
    REPORT,
    RISK,
    TERMS,
    Flags,
    plan_options,
)

research_app = App()

_OF_PLAN = typer.Argument(metavar="[PLAN or STRATEGY]", help="Of tola.toml, or bundled.")
Grid = Annotated[
    list[str] | None,
    option("NAME=VALUES", "What to vary: rr=1:3:0.5, rr=1,2,3, rr=1:3 (range), rr (all)."),
]
MinTrades = Annotated[int | None, option("N", "Short for trades>=N.")]
MaxDrawdown = Annotated[float | None, option("PCT", "Short for max_drawdown_pct<=PCT.")]
Workers = Annotated[int | None, option("N", "Processes of this machine.")]
SearchSeed = Annotated[int | None, option("N", "Of what is chosen by chance; default 1.")]


@research_app.command(
    epilog=examples(
        "backtest",
        "backtest gold --data XAUUSD_M15.csv --from 2025-09",
        "backtest gold_smc --instrument XAUUSD --data gold.csv --with DXY=dxy.csv --set rr=3",
        "backtest nifty_smc --data nifty_1m.csv --tz Asia/Kolkata --timeframe 3m --band",
        "backtest --strategy my.py:Cross --instrument MGC --data gold.csv --risk gold_bot",
    )
)
@plan_options(*PRICES, CASH, PARAMS, RISK, *FILLS, *TERMS, BAND, OUT, REPORT)
def backtest(
    plans: Plans = None,
    *,
    flags: Flags,
    check_mask: Annotated[
        bool, switch("Test the strategies' entry masks; no run is kept.", "--check-mask")
    ] = False,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Run strategies on historical bars; without arguments the bundled gold and Nifty plans."""
    from backtests.verbs import commands

    progress = console.progress()
    if check_mask:
        from backtests.verbs.mask_commands import check_mask as check

        show(check(plans or [], flags, config, progress), as_json)
        return
    done = commands.backtest(plans or [], flags, config, progress, draw_report, console.words)
    show(done, as_json)


@research_app.command(
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
@plan_options(*PRICES, CASH, FIXED, RISK, *FILLS, *TERMS, OUT, REPORT)
def sweep(
    plan: Annotated[str | None, _OF_PLAN] = None,
    grid: Grid = None,
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
    min_trades: MinTrades = None,
    max_drawdown: MaxDrawdown = None,
    workers: Workers = None,
    cluster: Annotated[
        str | None, option("ADDRESS", "A Dask scheduler (tcp://host:8786), or local.")
    ] = None,
    seed: SearchSeed = None,
    engine: Annotated[
        str | None, option("ENGINE", "compiled (where it can be), or backtrader: the slow road.")
    ] = None,
    resume: Annotated[
        bool, switch("Go on with the last sweep of this plan (or of --out).", "--resume")
    ] = False,
    *,
    flags: Flags,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Search a plan's parameters, thousands of combinations, and keep every result.

    Compiled, a combination gives the same trades as its backtest. Ctrl-C keeps what is done;
    --resume goes on, also after a crash, with the same results as without a break. A plain
    Backtrader strategy is swept too, in worker processes: the slow road.
    """
    from backtests.verbs.sweep_commands import sweep as run_sweep

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
        draw_study,
        console.words,
        quiet=console.quiet,
    )
    show(done, as_json)


@research_app.command(
    epilog=examples(
        "walkforward gold --grid rr=1:3:0.25 --grid left=2,3,5",
        "walkforward gold --grid rr=1:4:0.1 --windows 12 --anchored --min-trades 20 --workers 2",
        "walkforward gold --grid rr=1:4 --search tpe --trials 200 --train 120 --test 20",
        "walkforward gold --grid rr=1:3:0.25 --by-trades --train 100 --test 25",
    )
)
@plan_options(*PRICES, CASH, FIXED, RISK, *FILLS, *TERMS, OUT, REPORT)
def walkforward(
    plan: Annotated[str | None, _OF_PLAN] = None,
    grid: Grid = None,
    windows: Annotated[int | None, option("N", "How many; default 12.")] = None,
    train: Annotated[
        int | None, option("N", "Days chosen on; default 4 times those traded.")
    ] = None,
    test: Annotated[int | None, option("N", "Days traded in each window.")] = None,
    anchored: Annotated[
        bool, switch("Choose on all days before, not the last ones.", "--anchored")
    ] = False,
    by_trades: Annotated[
        bool, switch("Count the plan's own trades instead of days.", "--by-trades")
    ] = False,
    trials: Annotated[
        int | None, option("N", "Combinations in each window; default: the grid, else 1000.")
    ] = None,
    search: Annotated[
        str | None, option("HOW", "grid, random, tpe or nsga2 (these two learn as they go).")
    ] = None,
    objective: Annotated[
        str | None, option("FIGURE", "What is best: sharpe (default), net_profit, calmar, ...")
    ] = None,
    constraint: Annotated[
        list[str] | None, option("BOUND", 'What a choice must meet: "trades>=10".')
    ] = None,
    min_trades: MinTrades = None,
    max_drawdown: MaxDrawdown = None,
    workers: Workers = None,
    seed: SearchSeed = None,
    resume: Annotated[
        bool, switch("Go on with the last walk-forward of this plan (or of --out).", "--resume")
    ] = False,
    *,
    flags: Flags,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Choose parameters on past days, trade them on the days after, window by window.

    What is told is out of sample: no window was chosen by its own prices. Compiled strategies
    only; indicators know all earlier bars, the account begins each window flat. Ctrl-C keeps what
    is done; --resume goes on, also after a crash, with the same results as without a break.
    """
    from backtests.verbs.walkforward_commands import walkforward as walk

    asked = {
        "grid": grid or [], "trials": trials, "search": search, "objective": objective,
        "constraints": constraint, "min_trades": min_trades, "max_drawdown": max_drawdown,
        "workers": workers, "seed": seed, "resume": resume,
    }  # fmt: skip
    cut = {"windows": windows, "train": train, "test": test, "anchored": anchored,
           "by_trades": by_trades}  # fmt: skip
    done = walk(
        [plan] if plan else [], flags, asked, cut, config, console.progress(), draw_study,
        console.words,
    )  # fmt: skip
    show(done, as_json)


@research_app.command(
    epilog=examples(
        "audit gold",
        "audit gold_smc --instrument XAUUSD --data gold.csv --from 2025-01",
        "audit --strategy my.py:Cross --instrument MGC --data gold.csv --json",
        "audit gold --cuts 40 --seed 7",
    )
)
@plan_options(*PRICES, PARAMS, RISK)
def audit(
    plan: Annotated[list[str] | None, _OF_PLAN] = None,
    *,
    flags: Flags,
    cuts: Annotated[int, option("N", "How many files cut short are run.")] = 12,
    seed: Annotated[int, option("N", "Of where they end and later starts begin.")] = 0,
    no_report: NoReport = False,
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

    flags = {**flags, "report": False if no_report else None}
    done = run_audit(
        plan or [], flags, config, console.progress(), draw_study, console.words,
        cuts=cuts, seed=seed,
    )  # fmt: skip
    show(done, as_json)


@research_app.command(
    context_settings=RUN_NAMES,
    epilog=examples(
        "odds",
        "odds 12 --days 60 --preset topstep_50k",
        "odds gold --ruin 30 --paths 50000 --seed 7",
        "odds --strategy my.py:Cross --instrument MGC --data gold.csv --perturb 0",
    ),
)
@plan_options(*PRICES, CASH, PARAMS)
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
    *,
    flags: Flags,
    no_report: NoReport = False,
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

    asked = {
        "paths": paths, "horizon": days, "seed": seed, "ruin_pct": ruin, "block": block,
        "perturbed": perturb, "presets": preset or [], "plan": plan,
    }  # fmt: skip
    draw = None if no_report else draw_study
    show(run_odds(what or [], flags, asked, config, console.progress(), draw), as_json)
