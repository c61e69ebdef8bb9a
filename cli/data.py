"""The command line's verbs on price files: `data check`, `fix`, `convert`, `fetch`, `list`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from backtests.verbs.console import App, console, show
from cli.options import Config, Json, Timezone, examples, option, switch

data_app = App(help="Check, mend, convert, fetch and list price files.")

Instrument = Annotated[str | None, option("SYMBOL", "MGC, XAUUSD, ...; default: by its name.")]
Stamp = Annotated[str | None, option("SIDE", "What stamps name: start or end of the bar.")]
Columns = Annotated[
    list[str] | None, option("WORD=HEADER", "A column we cannot know: close=Settle.")
]
Out = Annotated[str, option("OUT", "Target: .csv, .csv.gz or .parquet.", "-o", "--out")]
Force = Annotated[bool, switch("Overwrite the target.", "--force")]
Keep = Annotated[str | None, option("SIDE", "Of unequal rows of one stamp: first or last.")]


@data_app.command(
    "check",
    epilog=examples(
        "data check XAUUSD_M15.csv",
        "data check prices.csv --instrument XAUUSD --tz ny+7 --all",
        "data check old.csv --columns datetime=When --columns close=Settle",
    ),
)
def data_check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...")],
    instrument: Instrument = None,
    timeframe: Annotated[str | None, option("TF", "Also say how many bars that makes.")] = None,
    tz: Timezone = None,
    stamp: Stamp = None,
    columns: Columns = None,
    show_all: Annotated[bool, switch("Name every finding.", "--all")] = False,
    strict: Annotated[bool, switch("Warnings fail too.", "--strict")] = False,
    as_json: Json = False,
) -> None:
    """Say what a price file holds and what is wrong with it; exit 1 if a run would refuse it."""
    from backtests.verbs import data_commands as data

    reading = data.read_as(instrument, tz, stamp, columns or [])
    flags: dict[str, Any] = {"timeframe": timeframe, "show_all": show_all, "strict": strict}
    show(data.data_check(files, reading, console.progress(), **flags), as_json)


@data_app.command(
    "fix",
    epilog=examples(
        "data fix gold.csv -o gold_mended.csv",
        "data fix nifty.csv -o nifty_mended.parquet --widen --drop weekend,flat_run",
    ),
)
def data_fix(
    file: Annotated[str, typer.Argument(metavar="FILE")],
    out: Out,
    drop: Annotated[
        list[str] | None,
        option("KINDS", "Odd rows too: spike, flat_run, weekend, holiday, closed_market, ..."),
    ] = None,
    keep: Keep = None,
    widen: Annotated[bool, switch("Let high and low take in open and close.", "--widen")] = False,
    instrument: Instrument = None,
    tz: Timezone = None,
    stamp: Stamp = None,
    columns: Columns = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write a mended copy of a price file and a list of every change; no price is invented."""
    from backtests.verbs import data_commands as data

    reading = data.read_as(instrument, tz, stamp, columns or [])
    flags: dict[str, Any] = {"drop": drop or [], "keep": keep, "widen": widen, "force": force}
    show(data.data_fix(file, out, reading, console.progress(), **flags), as_json)


@data_app.command(
    "convert",
    epilog=examples(
        "data convert DAT_ASCII_XAUUSD_M1_20*.zip -o gold_1m.parquet",
        "data convert prices.csv -o gold_15m.csv.gz --instrument XAUUSD --timeframe 15m",
    ),
)
def data_convert(
    files: Annotated[list[str], typer.Argument(metavar="FILE...")],
    out: Out,
    timeframe: Annotated[str | None, option("TF", "Build longer bars: 15m, 1h, 1d.")] = None,
    keep: Keep = None,
    instrument: Instrument = None,
    tz: Timezone = None,
    stamp: Stamp = None,
    columns: Columns = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write files of any dialect, several years joined, as Parquet or CSV with their origin."""
    from backtests.verbs import data_commands as data

    reading = data.read_as(instrument, tz, stamp, columns or [])
    flags: dict[str, Any] = {"timeframe": timeframe, "keep": keep, "force": force}
    show(data.data_convert(files, out, reading, console.progress(), **flags), as_json)


@data_app.command(
    "fetch",
    epilog=examples(
        "data fetch kite NIFTY-FUT --timeframe 1m --from 2026-09-01",
        "data fetch kite NIFTY50 --timeframe 5m --from 2026-01 --to 2026-06 -o nifty50.parquet",
    ),
)
def data_fetch(
    venue: Annotated[str, typer.Argument(metavar="VENUE", help="Whose history: kite.")],
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="NIFTY-FUT, GOLDM, ...")],
    first: Annotated[
        str, option("DATE", "First trading date: 2026, 2026-09, 2026-09-01.", "--from")
    ],
    timeframe: Annotated[str, option("TF", "1m, 5m, 1d: as the venue has them.")] = "1m",
    last: Annotated[str | None, option("DATE", "Last date, included.", "--to")] = None,
    out: Annotated[str | None, option("OUT", "Target; default: in prices/.", "-o", "--out")] = None,
    account: Annotated[str | None, option("NAME", "Whose login is used.")] = None,
    force: Force = False,
    config: Config = "tola.toml",
    as_json: Json = False,
) -> None:
    """Write a venue's bars as a file; started again after an interruption it goes on."""
    from backtests.verbs.fetch_command import data_fetch as fetch

    done = fetch(
        venue, symbol, console.progress(), timeframe=timeframe, first=first, last=last, out=out,
        account=account, config=config, force=force,
    )  # fmt: skip
    show(done, as_json)


@data_app.command("list", epilog=examples("data list ~/prices", "data list . --recursive"))
def data_list(
    folder: Annotated[str | None, typer.Argument(help="Default: the bundled samples.")] = None,
    recursive: Annotated[bool, switch("Sub-folders too.", "--recursive", "-r")] = False,
    as_json: Json = False,
) -> None:
    """List price files: span, zone, source, known defects; the bundled samples by default."""
    from backtests.verbs import data_commands as data

    show(data.data_list(folder, recursive), as_json)
