#!/usr/bin/env python3
"""The command line and nothing else: parse, call, print. Every verb's work is in a package."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from core.environment import enter

    enter(sys.argv)

from typing import TYPE_CHECKING, Annotated, Any

import typer

from backtests.console import App, Console

if TYPE_CHECKING:
    from backtests.outcome import Outcome

console = Console()
app = App(
    help="Tola: one strategy, one result, on historical files, on paper, on a live account.\n\n"
    "Start here: python run.py backtest",
    epilog="Times are shown in the market's zone and stored in UTC. "
    "Exit codes: 0 done, 1 failed, 2 wrong usage. Each verb has its own --help.",
)
data_app = App(help="Check, mend, convert and list price files.")
runs_app = App(help="List, show and compare finished runs.")
app.add_typer(data_app, name="data")
app.add_typer(runs_app, name="runs")
_TYPERS_CTRL_C = 130
_RUN_NAMES = {"ignore_unknown_options": True}  # lets -1 be a run's name

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")]
Config = Annotated[str, typer.Option(metavar="FILE", help="Settings file.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="last, -1, a number or its beginning.")]
Timezone = Annotated[
    str | None,
    typer.Option(metavar="ZONE", help="Zone of the file's stamps: UTC, Asia/Kolkata, ny+7 (MT5)."),
]


def _examples(*commands: str) -> str:
    """Return a help page's examples, one a line (the mark keeps the lines apart)."""
    return "\b\nExamples:\n" + "\n".join(f"  python run.py {command}" for command in commands)


def _option(metavar: str, text: str, *names: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=text)


@app.command(epilog=_examples("setup --dev"))
def setup(
    dev: Annotated[bool, typer.Option("--dev", help="Also what tests and checks need.")] = False,
) -> None:
    """Install the locked versions into .venv; doing it again changes nothing."""
    from core import environment

    console.say(environment.setup("dev" if dev else "core"), "next: python run.py backtest")


@app.command(epilog=_examples("init", "init --market gold --risk topstep_50k --currency USD"))
def init(
    market: Annotated[str | None, _option("NAME", "gold, nifty or both.")] = None,
    risk: Annotated[str | None, _option("PRESET", "Account rules, such as topstep_50k.")] = None,
    currency: Annotated[str | None, _option("CODE", "Account currency: USD, INR, ...")] = None,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Ask three questions and write tola.toml and .env.example."""
    from backtests import commands

    asked = sys.stdin.isatty() and not as_json
    ask = (lambda text, default: typer.prompt(text, default=default)) if asked else None
    _show(commands.init(config, market, risk, currency, ask), as_json)


@app.command(
    epilog=_examples(
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
        str | None, _option("FILE.py:CLASS", "Your own Backtrader strategy, or a strategy's name.")
    ] = None,
    data: Annotated[
        list[str] | None, _option("FILE", "Bars: CSV (plain, gz, zip) or Parquet.")
    ] = None,
    instrument: Annotated[str | None, _option("SYMBOL", "MGC, XAUUSD, NIFTY-FUT, ...")] = None,
    timeframe: Annotated[str | None, _option("TF", "5m, 15m, 1h: built from finer bars.")] = None,
    tz: Timezone = None,
    further: Annotated[
        list[str] | None, _option("NAME=FILE", "A further series, such as DXY.", "--with")
    ] = None,
    start: Annotated[
        str | None, _option("DATE", "First day: 2025, 2025-09, 2025-09-15.", "--from")
    ] = None,
    end: Annotated[str | None, _option("DATE", "Last day, included.", "--to")] = None,
    cash: Annotated[float | None, _option("AMOUNT", "Starting cash, account currency.")] = None,
    settings: Annotated[
        list[str] | None, _option("KEY=VALUE", "A strategy parameter: rr=3.", "--set")
    ] = None,
    risk: Annotated[str | None, _option("PRESET", "Risk rules: topstep_50k, gold_bot, ...")] = None,
    intrabar: Annotated[
        str | None, _option("HOW", "Which extreme came first: worst, nearest, best, drill.")
    ] = None,
    fills: Annotated[
        str | None, _option("RULES", "tola (default) or backtrader (its own fill rules).")
    ] = None,
    no_costs: Annotated[
        bool, typer.Option("--no-costs", help="No commission, charges, spread, slippage, swap.")
    ] = False,
    no_margin: Annotated[bool, typer.Option("--no-margin", help="No margin limit.")] = False,
    instrument_set: Annotated[
        list[str] | None, _option("KEY=VALUE", "A fact of the instrument: lot=75.")
    ] = None,
    band: Annotated[
        bool, typer.Option("--band", help="Also run worst, nearest and best: net profit's range.")
    ] = False,
    out: Annotated[str | None, _option("FOLDER", "Run folder; default: the next in runs/.")] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="No HTML and no plots.")] = False,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Run strategies on historical bars; without arguments the bundled gold and Nifty plans."""
    from backtests import commands
    from backtests.progress import Progress

    flags = {
        "strategy": strategy, "data": data, "instrument": instrument, "timeframe": timeframe,
        "tz": tz, "with": further, "from": start, "to": end, "cash": cash, "params": settings,
        "risk": risk, "intrabar": intrabar, "fills": fills, "instrument_set": instrument_set,
        "costs": False if no_costs else None, "margin": False if no_margin else None,
        "band": band or None, "report": False if no_report else None, "out": out,
    }  # fmt: skip
    progress = Progress(sys.stderr, wanted=not console.quiet)
    done = commands.backtest(plans or [], flags, config, progress, _draw_report, console.words)
    _show(done, as_json)


def _draw_report(folder: Any) -> dict[str, Any]:
    """Hand a run folder to reports; only run.py may join the two."""
    import reports

    page, plots = reports.write_report(folder), reports.write_plots(folder)
    return {"report": page.as_posix(), "plots": [plot.as_posix() for plot in plots]}


@app.command(context_settings=_RUN_NAMES, epilog=_examples("report last"))
def report(run: RunName = "last", as_json: Json = False) -> None:
    """Draw a run's HTML report and plots again."""
    from backtests import commands

    _show(commands.report(run, _draw_report), as_json)


@app.command(
    context_settings=_RUN_NAMES,
    epilog=_examples(
        "why", "why last 2025-09-15", 'why last "2025-09-15 09:35"', "why 12 09:35 --plan gold"
    ),
)
def why(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN] [TIME]", help="TIME in the market's zone: a bar or a day."),
    ] = None,
    plan: Annotated[str | None, _option("PLAN", "Which plan of a run of several.")] = None,
    as_json: Json = False,
) -> None:
    """Explain one bar of a run: levels, zones, setup, filters, and what stopped an entry.

    Without TIME: where most ideas were lost, and the last refused setup. A date alone lists the
    bars of that trading day with what stopped each.
    """
    from backtests.why import why

    _show(why(words or [], plan), as_json)


@runs_app.command("list", epilog=_examples("runs list", "runs list --sort net --last 20"))
def runs_list(
    sort: Annotated[
        str, _option("BY", "run, made, trades, net, drawdown or mean; the best stands last.")
    ] = "run",
    last: Annotated[int | None, _option("N", "Only the last N of them.")] = None,
    as_json: Json = False,
) -> None:
    """List the finished runs with their key figures, newest last."""
    from backtests import runs_commands

    _show(runs_commands.runs_list(sort, last), as_json)


@runs_app.command("show", context_settings=_RUN_NAMES, epilog=_examples("runs show -1"))
def runs_show(run: RunName = "last", as_json: Json = False) -> None:
    """Show one run's summary again."""
    from backtests import commands

    _show(commands.runs_show(run), as_json)


@app.command(
    epilog=_examples(
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
    run: Annotated[str, _option("RUN", "last, -1, a number or its beginning.")] = "last",
    start: Annotated[
        str | None, _option("DATE", "First trading date: 2025, 2025-09, 2025-09-15.", "--from")
    ] = None,
    end: Annotated[str | None, _option("DATE", "Last trading date, included.", "--to")] = None,
    kind: Annotated[
        str | None, _option("FORMAT", "csv (default), xlsx or parquet.", "--format")
    ] = None,
    out: Annotated[
        str | None, _option("FILE", "File, or folder that exists; default: export/ in the run.")
    ] = None,
    fy: Annotated[
        str | None,
        _option("YEAR", "india (April to March) or calendar; default: by account currency."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a run's trades, fills, orders or equity as a file for tax or journal.

    Trades are taken by the trading date of their exit, all else by that of its own time.
    """
    from backtests.export import export_command

    flags = {"from": start, "to": end, "format": kind, "out": out, "fy": fy}
    _show(export_command(tables, run, flags), as_json)


@runs_app.command(
    "compare",
    context_settings=_RUN_NAMES,
    epilog=_examples("runs compare -2 -1", "runs compare 3 7 9 --fx USDINR=83.5"),
)
def runs_compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="The first is the base.")],
    fx: Annotated[
        list[str] | None, _option("PAIR=RATE", "Where accounts are in different currencies.")
    ] = None,
    out: Annotated[
        str | None, _option("FOLDER", "Of the page and picture; default: runs/compare-RUN-RUN.")
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="No page, no picture.")] = False,
    as_json: Json = False,
) -> None:
    """Compare runs: settings that differ, key figures, trades one by one, overlaid equity."""
    from backtests import runs_commands

    draw = None if no_report else _draw_comparison
    _show(runs_commands.runs_compare(runs, fx or [], out, draw), as_json)


def _draw_comparison(*given: Any) -> dict[str, str]:
    from reports.compare import write_comparison

    return write_comparison(*given)


@app.command(epilog=_examples("strategies", "strategies gold_smc"))
def strategies(
    name: Annotated[str | None, typer.Argument(help="One strategy: its parameters.")] = None,
    as_json: Json = False,
) -> None:
    """List the strategies, or one strategy's parameters with defaults and bounds."""
    from backtests import commands

    _show(commands.strategies(name), as_json)


@app.command(epilog=_examples("completion bash", "completion powershell"))
def completion(
    context: typer.Context,
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh, fish or powershell.")],
    words: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    as_json: Json = False,
) -> None:
    """Print the script by which a shell completes command lines; its end says how to install it."""
    from backtests.completion import completion

    _show(completion(shell, words or [], context.find_root().command), as_json)


@app.command(epilog=_examples("doctor"))
def doctor(config: Config = "tola.toml", as_json: Json = False) -> None:
    """Check the installation: versions, cache, calendars, settings, disk."""
    from backtests import commands

    _show(commands.doctor(config), as_json)


Instrument = Annotated[str | None, _option("SYMBOL", "MGC, XAUUSD, ...; default: by its name.")]
Stamp = Annotated[str | None, _option("SIDE", "What stamps name: start or end of the bar.")]
Columns = Annotated[
    list[str] | None, _option("WORD=HEADER", "A column we cannot know: close=Settle.")
]
Out = Annotated[str, _option("OUT", "Target: .csv, .csv.gz or .parquet.", "-o", "--out")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the target.")]
Keep = Annotated[str | None, _option("SIDE", "Of unequal rows of one stamp: first or last.")]


@data_app.command(
    "check",
    epilog=_examples(
        "data check XAUUSD_M15.csv",
        "data check prices.csv --instrument XAUUSD --tz ny+7 --all",
        "data check old.csv --columns datetime=When --columns close=Settle",
    ),
)
def data_check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...")],
    instrument: Instrument = None,
    timeframe: Annotated[str | None, _option("TF", "Also say how many bars that makes.")] = None,
    tz: Timezone = None,
    stamp: Stamp = None,
    columns: Columns = None,
    show_all: Annotated[bool, typer.Option("--all", help="Name every finding.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    as_json: Json = False,
) -> None:
    """Say what a price file holds and what is wrong with it; exit 1 if a run would refuse it."""
    from backtests import data_commands as data

    reading = data.read_as(instrument, tz, stamp, columns or [])
    flags: dict[str, Any] = {"timeframe": timeframe, "show_all": show_all, "strict": strict}
    _show(data.data_check(files, reading, _progress(), **flags), as_json)


@data_app.command(
    "fix",
    epilog=_examples(
        "data fix gold.csv -o gold_mended.csv",
        "data fix nifty.csv -o nifty_mended.parquet --widen --drop weekend,flat_run",
    ),
)
def data_fix(
    file: Annotated[str, typer.Argument(metavar="FILE")],
    out: Out,
    drop: Annotated[
        list[str] | None,
        _option("KINDS", "Odd rows too: spike, flat_run, weekend, holiday, closed_market, ..."),
    ] = None,
    keep: Keep = None,
    widen: Annotated[
        bool, typer.Option("--widen", help="Let high and low take in open and close.")
    ] = False,
    instrument: Instrument = None,
    tz: Timezone = None,
    stamp: Stamp = None,
    columns: Columns = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write a mended copy of a price file and a list of every change; no price is invented."""
    from backtests import data_commands as data

    reading = data.read_as(instrument, tz, stamp, columns or [])
    flags: dict[str, Any] = {"drop": drop or [], "keep": keep, "widen": widen, "force": force}
    _show(data.data_fix(file, out, reading, _progress(), **flags), as_json)


@data_app.command(
    "convert",
    epilog=_examples(
        "data convert DAT_ASCII_XAUUSD_M1_20*.zip -o gold_1m.parquet",
        "data convert prices.csv -o gold_15m.csv.gz --instrument XAUUSD --timeframe 15m",
    ),
)
def data_convert(
    files: Annotated[list[str], typer.Argument(metavar="FILE...")],
    out: Out,
    timeframe: Annotated[str | None, _option("TF", "Build longer bars: 15m, 1h, 1d.")] = None,
    keep: Keep = None,
    instrument: Instrument = None,
    tz: Timezone = None,
    stamp: Stamp = None,
    columns: Columns = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write files of any dialect, several years joined, as Parquet or CSV with their origin."""
    from backtests import data_commands as data

    reading = data.read_as(instrument, tz, stamp, columns or [])
    flags: dict[str, Any] = {"timeframe": timeframe, "keep": keep, "force": force}
    _show(data.data_convert(files, out, reading, _progress(), **flags), as_json)


@data_app.command("list", epilog=_examples("data list ~/prices", "data list . --recursive"))
def data_list(
    folder: Annotated[str | None, typer.Argument(help="Default: the bundled samples.")] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Sub-folders too.")] = False,
    as_json: Json = False,
) -> None:
    """List price files: span, zone, source, known defects; the bundled samples by default."""
    from backtests import data_commands as data

    _show(data.data_list(folder, recursive), as_json)


def _progress() -> Any:
    from backtests.progress import Progress

    return Progress(sys.stderr, wanted=not console.quiet)


def _show(outcome: Outcome, as_json: bool) -> None:
    """Print an outcome as JSON or as text, and leave with its exit code."""
    console.show(outcome, as_json)
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


def main(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    words = console.open(arguments)
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
    sys.exit(main(sys.argv[1:]))
