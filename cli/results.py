"""Runs that are done: `report`, `why`, `export`, `runs`."""

from __future__ import annotations

from typing import Annotated

import typer

from backtests.verbs.console import App, show
from cli.joints import draw_comparison, draw_report, draw_study
from cli.options import RUN_NAMES, Json, RunName, examples, option, switch

results_app = App()
runs_app = App(help="List, show and compare finished runs.")


@results_app.command(context_settings=RUN_NAMES, epilog=examples("report last"))
def report(run: RunName = "last", as_json: Json = False) -> None:
    """Draw a run's HTML report and plots again."""
    from backtests.verbs import commands

    show(commands.report(run, draw_report, draw_study), as_json)


@results_app.command(
    context_settings=RUN_NAMES,
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


@runs_app.command("show", context_settings=RUN_NAMES, epilog=examples("runs show -1"))
def runs_show(run: RunName = "last", as_json: Json = False) -> None:
    """Show one run's summary again."""
    from backtests.verbs import commands

    show(commands.runs_show(run), as_json)


@results_app.command(
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
    context_settings=RUN_NAMES,
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
    no_report: Annotated[bool, switch("No page, no picture.", "--no-report")] = False,
    as_json: Json = False,
) -> None:
    """Compare runs: settings that differ, key figures, trades one by one, overlaid equity."""
    from backtests.verbs import runs_commands

    draw = None if no_report else draw_comparison
    show(runs_commands.runs_compare(runs, fx or [], out, draw), as_json)
